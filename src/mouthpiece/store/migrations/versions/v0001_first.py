"""Accounts and their keys, sessions, render jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None


def _text(name: str, length: int, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=null)


def _time(name: str, *, null: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=null)


def _account(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=f"fk_{table}_account")


def _id(table: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint("id", name=f"pk_{table}")


def upgrade() -> None:
    """Make the tables."""
    op.create_table("accounts", _text("id", 64), _time("created"), _id("accounts"))
    _api_keys()
    _sessions()
    _render_jobs()


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        _text("id", 64),
        _text("account", 64),
        sa.Column("name", sa.Text, nullable=False),
        _text("digest", 64),
        _time("created"),
        _time("revoked", null=True),
        _time("last_used", null=True),
        _id("api_keys"),
        _account("api_keys"),
        sa.UniqueConstraint("digest", name="uq_api_keys_digest"),
    )
    op.create_index("ix_api_keys_account", "api_keys", ["account"])


def _sessions() -> None:
    op.create_table(
        "sessions",
        _text("id", 64),
        _text("account", 64),
        _text("token_id", 64),
        sa.Column("face_id", sa.Text, nullable=False),
        _text("kind", 32),
        sa.Column("end_user", sa.Text),
        sa.Column("api_key_name", sa.Text),
        _time("started"),
        _time("ended", null=True),
        _text("end_reason", 32, null=True),
        sa.Column("frames", sa.BigInteger, nullable=False),
        _text("worker", 64),
        _time("lease_until"),
        _id("sessions"),
        _account("sessions"),
    )
    op.create_index("ix_sessions_account_started", "sessions", ["account", "started"])
    op.create_index("ix_sessions_ended_lease_until", "sessions", ["ended", "lease_until"])


def _render_jobs() -> None:
    op.create_table(
        "render_jobs",
        _text("id", 64),
        _text("account", 64),
        sa.Column("face_id", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        _text("state", 16),
        sa.Column("progress", sa.Double, nullable=False),
        sa.Column("error", sa.Text),
        _time("created"),
        _time("finished", null=True),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        _text("worker", 64, null=True),
        _time("lease_until", null=True),
        _id("render_jobs"),
        _account("render_jobs"),
    )
    op.create_index("ix_render_jobs_account", "render_jobs", ["account"])
    op.create_index("ix_render_jobs_state_created", "render_jobs", ["state", "created"])
