"""Alembic's entry: run the steps on the connection, and in the transaction, that ``Database.open`` holds."""

from __future__ import annotations

from alembic import context

from mouthpiece.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
