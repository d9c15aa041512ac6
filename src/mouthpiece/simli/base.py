"""What the Simli front end needs of the house, as the composition root hands it over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from mouthpiece.cluster.base import Claim, SessionHost
from mouthpiece.live.base import Stage
from mouthpiece.providers.espeak import EspeakVoice
from mouthpiece.providers.portraits import Made, Upload
from mouthpiece.providers.rented import RentedVoices
from mouthpiece.render.desk import RenderDesk
from mouthpiece.settings import LimitSettings, LiveKitSettings
from mouthpiece.simli.tokens import SessionTokens
from mouthpiece.store.assets import Asset
from mouthpiece.store.faces import FaceRecord
from mouthpiece.store.history import SessionRecord

if TYPE_CHECKING:
    from mouthpiece.simli.auto_base import Salon


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking: the account, and the name of its key."""

    account: str
    key_name: str | None = None


@dataclass(frozen=True, slots=True)
class FaceEntry:
    """A face that an account may use. ``uuid`` is its id on the wire, ``face_id`` ours. Times in unix seconds."""

    face_id: str
    uuid: str
    name: str
    owner: str
    created: float
    updated: float


IceServer = Mapping[str, str | list[str]]
"""One entry of the ICE list: ``urls``, and ``username`` and ``credential`` of a TURN server. No other keys."""


class Door(Protocol):
    """Who may come in."""

    async def admit(self, credential: str) -> Caller:
        """Whose API key, or page token, it is. Raises InvalidApiKey, Unavailable."""
        ...


class Faces(Protocol):
    """Which faces there are."""

    async def find(self, face_id: str, account: str) -> FaceEntry:
        """The face of that id, uuid or name. Raises InvalidFace."""
        ...

    async def all(self, account: str) -> Sequence[FaceEntry]:
        """Every face that the account may use."""
        ...


class Portraits(Protocol):
    """Faces that accounts make from their own pictures."""

    async def add(self, account: str, name: str, kind: str, upload: Upload) -> FaceRecord:
        """Begin to make a face; ``kind`` is ``trinity`` or ``legacy``.

        Raises InvalidPortrait (a file that is no picture; what is in it shows later), TooLarge, RateLimited,
        NotConfigured.
        """
        ...

    async def get(self, face_id: str | None, account: str) -> FaceRecord:
        """A face of the account; None: its newest. Raises NotFound."""
        ...

    async def ahead(self, face: FaceRecord) -> int:
        """How many are made before this one begins."""
        ...

    async def delete(self, face_id: str, account: str) -> None:
        """Delete a face and everything of it. Raises NotFound."""

    async def study(self, upload: Upload) -> Made:
        """Only look: the cut portrait in ``source``, and what was noted. Raises InvalidPortrait and its kinds."""
        ...

    async def source(self, face_id: str, account: str) -> bytes:
        """What a face of the account was made from. Raises NotFound."""
        ...


class Assets(Protocol):
    """Backgrounds and foregrounds of accounts; ``layer`` is ``background`` or ``foreground``."""

    async def add(self, account: str, layer: str, data: bytes) -> Asset:
        """Keep a picture file. Raises InvalidPortrait, BadInput, TooLarge."""
        ...

    async def all(self, account: str, layer: str) -> Sequence[Asset]:
        """The account's, newest first."""
        ...

    async def owns(self, account: str, layer: str, asset_id: str) -> bool:
        """Whether there is one, and it is the account's."""
        ...

    async def delete(self, account: str, layer: str, asset_id: str) -> None:
        """Delete one. Raises NotFound."""

    def link(self, asset: Asset, now: int) -> tuple[str, int]:
        """A text that shows it to anybody, and until when (unix seconds)."""
        ...

    async def linked(self, link: str, now: float) -> bytes:
        """The picture file, WebP. Raises NotFound, also when the link has ended."""
        ...


class History(Protocol):
    """Which sessions ran and run, on every server of the same database."""

    async def active(self, account: str) -> int:
        """Sessions of the account that run now."""
        ...

    async def between(self, account: str, start: float, end: float) -> list[SessionRecord]:
        """The account's sessions that started in ``start`` <= t < ``end`` (unix seconds), newest first."""
        ...


class Limiter(Protocol):
    """How often an account may ask."""

    async def hit(self, account: str) -> None:
        """One more request. Raises RateLimited."""


@dataclass(frozen=True, slots=True)
class House:
    """The parts of the house behind this front end.

    ``host`` places sessions; None: this process is a worker, and every socket that reaches it was placed here.
    ``stage`` is where sessions run that are placed here; None: all are placed elsewhere.
    ``ice`` answers the ICE list for the host name by which the client reached us. ``draining``: the server is about
    to end and takes nothing new. ``worker_id``: the name of this process, for logs. ``clock`` gives unix seconds.
    ``films``, ``voice`` and ``rented`` (voices of providers) make videos, ``portraits`` faces, ``assets`` what is
    around them; None in a worker, which answers no HTTP.
    ``livekit``: the server of our own rooms. ``allow_hosts``: hosts that callers may have us connect to.
    ``salon`` is where voice agents are; None in a house without any. ``claim`` tells a worker's gateway whose token a
    session has that was placed before it was known; None where sessions are placed here.
    """

    door: Door
    faces: Faces
    history: History
    limiter: Limiter
    tokens: SessionTokens
    stage: Stage | None
    host: SessionHost | None
    ice: Callable[[str], Sequence[IceServer]]
    limits: LimitSettings
    fps: int
    worker_id: str
    draining: Callable[[], bool]
    clock: Callable[[], float]
    films: RenderDesk | None = None
    portraits: Portraits | None = None
    assets: Assets | None = None
    voice: EspeakVoice | None = None
    rented: RentedVoices | None = None
    livekit: LiveKitSettings = field(default_factory=LiveKitSettings)
    allow_hosts: Sequence[str] = ()
    salon: Salon | None = None
    claim: Claim | None = None
