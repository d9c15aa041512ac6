"""One running front end, whose sessions are scripted."""

from tests.simli.conftest import front, shared, start

__all__ = ["front", "shared", "start"]
