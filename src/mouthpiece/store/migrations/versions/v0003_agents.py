"""Voice agents, their conversations, and what was said in them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"


def _text(name: str, length: int | None = None, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length) if length else sa.Text(), nullable=null)


def _time(name: str, *, null: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=null)


def _account(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=f"fk_{table}_account_accounts")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "agents",
        _text("id", 64),
        _text("account", 64),
        _text("profile"),
        _time("created"),
        _time("updated"),
        sa.PrimaryKeyConstraint("id", name="pk_agents"),
        _account("agents"),
    )
    op.create_index("ix_agents_account", "agents", ["account"])
    op.create_table(
        "conversations",
        _text("id", 64),
        _text("account", 64),
        _text("agent", 64, null=True),
        _text("plan"),
        sa.Column("transcribed", sa.Boolean, nullable=False),
        _time("created"),
        _time("started", null=True),
        _time("ended", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
        _account("conversations"),
    )
    op.create_index("ix_conversations_account", "conversations", ["account"])
    op.create_table(
        "transcript_lines",
        _text("conversation", 64),
        sa.Column("n", sa.Integer, nullable=False, autoincrement=False),
        _text("role", 16),
        _text("content"),
        _time("said"),
        sa.Column("interrupted", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("conversation", "n", name="pk_transcript_lines"),
        sa.ForeignKeyConstraint(["conversation"], ["conversations.id"], name="fk_transcript_lines_conversation"),
    )
