"""The same front end as v2's tests use."""

from tests.simli.conftest import front, shared, start

__all__ = ["front", "shared", "start"]
