"""What callers tell of the calls that their sessions belong to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"


def upgrade() -> None:
    """Add the column."""
    op.add_column("sessions", sa.Column("call", sa.Text))
