"""The tables, as they are now; ``migrations/`` leads there. Times are unix seconds."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, ForeignKey, Index, Integer, MetaData, String, Table, Text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("created", Double, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account", String(64), ForeignKey("accounts.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("digest", String(64), nullable=False, unique=True),  # HMAC-SHA256 with the pepper, hex; never the key
    Column("created", Double, nullable=False),
    Column("revoked", Double),
    Column("last_used", Double),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account", String(64), ForeignKey("accounts.id"), nullable=False),
    Column("token_id", String(64), nullable=False),
    Column("face_id", Text, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("end_user", Text),
    Column("api_key_name", Text),
    Column("started", Double, nullable=False),
    Column("ended", Double),
    Column("end_reason", String(32)),
    Column("frames", BigInteger, nullable=False),
    Column("worker", String(64), nullable=False),
    Column("lease_until", Double, nullable=False),
    Column("call", Text),  # JSON: what the caller told of the call that it belongs to
)
Index(None, sessions.c.account, sessions.c.started)
Index(None, sessions.c.ended, sessions.c.lease_until)

render_jobs = Table(
    "render_jobs",
    metadata,
    Column("id", String(64), primary_key=True),  # also the destination in the URLs: not guessable
    Column("account", String(64), ForeignKey("accounts.id"), nullable=False, index=True),
    Column("face_id", Text, nullable=False),
    Column("request", Text, nullable=False),  # JSON; what is needed to begin again after a restart
    Column("state", String(16), nullable=False),
    Column("progress", Double, nullable=False),
    Column("error", Text),
    Column("created", Double, nullable=False),
    Column("finished", Double),
    Column("bytes", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("worker", String(64)),
    Column("lease_until", Double),
)
Index(None, render_jobs.c.state, render_jobs.c.created)

faces = Table(
    "faces",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account", String(64), ForeignKey("accounts.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", String(16), nullable=False),  # the route that it came by: trinity or legacy; or draft
    Column("state", String(16), nullable=False),
    Column("progress", Double, nullable=False),
    Column("stage", Text, nullable=False),
    Column("error", Text),
    Column("error_code", String(64)),
    Column("options", Text, nullable=False),  # JSON; what came with the picture
    Column("warnings", Text, nullable=False),  # JSON list
    Column("version", Integer, nullable=False),  # of the engine that its pack is for; 0: none yet
    Column("bytes", BigInteger, nullable=False),
    Column("created", Double, nullable=False),
    Column("updated", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("worker", String(64)),
    Column("lease_until", Double),
)
Index(None, faces.c.account, faces.c.created)
Index(None, faces.c.state, faces.c.created)

agents = Table(
    "agents",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account", String(64), ForeignKey("accounts.id"), nullable=False, index=True),
    Column("profile", Text, nullable=False),  # JSON: how it looks, speaks and thinks; never a key
    Column("created", Double, nullable=False),
    Column("updated", Double, nullable=False),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account", String(64), ForeignKey("accounts.id"), nullable=False, index=True),
    Column("agent", String(64)),
    Column("plan", Text, nullable=False),  # JSON: what it is to be; never a key
    Column("transcribed", Boolean, nullable=False),
    Column("created", Double, nullable=False),
    Column("started", Double),
    Column("ended", Double),
)

transcript_lines = Table(
    "transcript_lines",
    metadata,
    Column("conversation", String(64), ForeignKey("conversations.id"), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("role", String(16), nullable=False),
    Column("content", Text, nullable=False),
    Column("said", Double, nullable=False),
    Column("interrupted", Boolean, nullable=False),
)

assets = Table(
    "assets",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account", String(64), ForeignKey("accounts.id"), nullable=False),
    Column("layer", String(16), nullable=False),  # background or foreground
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("created", Double, nullable=False),
)
Index(None, assets.c.account, assets.c.created)
