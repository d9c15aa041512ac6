"""Benchmarks of the whole; run with ``python -m benchmarks.NAME`` from the repository's root."""
