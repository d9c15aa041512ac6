"""Voice agents: where they are made, when the extra is installed, and what is kept of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mouthpiece.agent.base import Advice, Mouth, Plan, Talk, Tell
from mouthpiece.app.agent_stats import AgentStats
from mouthpiece.errors import InvalidSessionToken
from mouthpiece.providers.base import Choice
from mouthpiece.providers.espeak import EspeakVoice
from mouthpiece.settings import Settings
from mouthpiece.simli.auto_base import Salon
from mouthpiece.simli.auto_tokens import AutoTokens
from mouthpiece.store.store import Store

if TYPE_CHECKING:
    from mouthpiece.agent.troupe import LiveTroupe

log = logging.getLogger(__name__)


def installed() -> bool:
    """Whether the extra is there. Looks, and imports nothing: that takes seconds."""
    try:
        return find_spec("livekit.agents") is not None and find_spec("pocketsphinx") is not None
    except ModuleNotFoundError:
        return False


class LateTroupe:
    """See ``agent.base.Troupe``; made at the first use, because its libraries take seconds to load."""

    def __init__(self, make: Callable[[], LiveTroupe], stats: AgentStats | None = None) -> None:
        self.stats = stats or AgentStats()
        self._make = make
        self._made: LiveTroupe | None = None
        self._making = asyncio.Lock()

    async def advise(self, choice: Choice, language: str) -> Advice:
        """See ``Troupe``."""
        return await (await self._real()).advise(choice, language)

    async def open(self, plan: Plan, choice: Choice, mouth: Mouth, tell: Tell) -> Talk:
        """See ``Troupe``."""
        troupe = await self._real()
        return self.stats.follow(await troupe.open(plan, choice, mouth, self.stats.counting(tell)))

    async def warm(self) -> None:
        """Load everything now."""
        await (await self._real()).warm()

    async def load(self) -> None:
        """Load the libraries, and no models: enough to start conversations that live elsewhere."""
        await self._real()

    async def close(self) -> None:
        """End what was made."""
        if self._made is not None:
            await self._made.close()

    async def _real(self) -> LiveTroupe:
        async with self._making:
            if self._made is None:
                self._made = await asyncio.to_thread(self._make)
            return self._made


def _troupe(settings: Settings, voice: EspeakVoice) -> LiveTroupe:
    from mouthpiece.agent.troupe import LiveTroupe
    from mouthpiece.providers.catalog import Catalog
    from mouthpiece.providers.guard import Rules
    from mouthpiece.providers.local import LocalModels
    from mouthpiece.providers.own_speech import OwnSpeech
    from mouthpiece.providers.sphinx import SphinxEars

    agents, server = settings.agents, settings.server
    ears = SphinxEars(agents.listeners)
    local, own = LocalModels(server.port), OwnSpeech.of(agents)
    return LiveTroupe(Catalog(agents, Rules(server.allow_hosts), voice, ears, local, own))


async def open_salon(
    settings: Settings, store: Store, voice: EspeakVoice, stack: contextlib.AsyncExitStack, stats: AgentStats | None
) -> Salon:
    """The salon of this process. ``stats``: conversations live and are counted here, so their models are loaded now."""
    troupe = LateTroupe(lambda: _troupe(settings, voice), stats) if installed() else None
    if troupe is not None:
        stack.push_async_callback(troupe.close)
        if settings.agents.warm:
            await (troupe.load() if stats is None else troupe.warm())
    return Salon(store.agents, store.conversations, AutoTokens(store.secrets.token_keys), troupe)


def framers(salon: Salon, clock: Callable[[], float]) -> Callable[[str], tuple[str, ...]]:
    """Which pages may show a room in a frame, by the token in its address; none beside our own for a bad one."""

    def origins(token: str) -> tuple[str, ...]:
        try:
            claims = salon.tokens.open_room(token, clock())
        except InvalidSessionToken:
            return ()
        return claims.origins or ("*",)

    return origins
