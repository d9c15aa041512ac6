"""Everything that is kept, opened in one call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mouthpiece.settings import Settings
from mouthpiece.store.agents import Agents
from mouthpiece.store.assets import AssetStore
from mouthpiece.store.base import Blobs
from mouthpiece.store.blobs import open_blobs
from mouthpiece.store.conversations import Conversations
from mouthpiece.store.db import Database, sqlite_url
from mouthpiece.store.drafts import DraftStore
from mouthpiece.store.faces import FaceStore
from mouthpiece.store.history import History
from mouthpiece.store.jobs import Jobs
from mouthpiece.store.keys import Keys
from mouthpiece.store.secrets import Secrets, data_folder, first_key

DATABASE_FILE = "mouthpiece.db"


@dataclass(frozen=True, slots=True)
class Store:
    """What a process needs of the database, the blobs and the secrets. ``fixed_keys``: the settings name the keys."""

    data: Path
    secrets: Secrets
    database: Database
    keys: Keys
    history: History
    agents: Agents
    conversations: Conversations
    jobs: Jobs
    blobs: Blobs
    faces: FaceStore
    drafts: DraftStore
    assets: AssetStore
    fixed_keys: bool

    @classmethod
    async def open(cls, settings: Settings) -> Store:
        """Make what is missing and open the rest; each process of a server does so. Raises StartupError."""
        data = data_folder(settings.server.data)
        secrets = Secrets.load(data, settings.store)
        blobs = open_blobs(settings.store.blobs, data)
        database = await Database.open(settings.store.database or sqlite_url(data / DATABASE_FILE))
        keys, fixed = Keys(database, secrets.pepper), bool(settings.server.api_keys)
        faces = FaceStore(database, blobs)
        store = cls(
            data=data,
            secrets=secrets,
            database=database,
            keys=keys,
            history=History(database),
            agents=Agents(database),
            conversations=Conversations(database),
            jobs=Jobs(database),
            blobs=blobs,
            faces=faces,
            drafts=DraftStore(database, faces),
            assets=AssetStore(database, blobs),
            fixed_keys=fixed,
        )
        try:
            await (keys.ensure(settings.server.api_keys) if fixed else database.ping())
        except BaseException:
            await store.close()
            raise
        return store

    async def first_key(self) -> str | None:
        """At the first start: the API key made for it, to be shown once. See ``secrets.first_key``."""
        return None if self.fixed_keys else await first_key(self.data, self.keys)

    async def close(self) -> None:
        """Close the database."""
        await self.database.close()
