"""Simli's v2 wire protocol."""
