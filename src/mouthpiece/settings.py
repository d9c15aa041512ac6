"""Every setting of the server, frozen, one part per room.

Order of precedence: defaults < TOML file < environment (``MOUTHPIECE_<PART>_<NAME>``) < flags. Read once at start;
each room is handed its own part only. ``docs/settings.md`` explains each setting to people.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import NoneType
from typing import Annotated, get_args, get_origin, get_type_hints

from mouthpiece.errors import StartupError


@dataclass(frozen=True, slots=True)
class Between:
    """The bounds that a number must keep, both included."""

    low: float
    high: float = math.inf

    def __str__(self) -> str:
        return f"at least {self.low:g}" if self.high == math.inf else f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """The words that are understood."""

    words: tuple[str | int, ...]

    def __str__(self) -> str:
        return " or ".join(str(word) for word in self.words)


Port = Annotated[int, Between(0, 65_535)]
Count = Annotated[int, Between(1)]
Seconds = Annotated[float, Between(0)]


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the server is reached and where it keeps its things."""

    host: str = "127.0.0.1"
    port: Port = 8800
    data: Path = Path("mouthpiece-data")
    workers: Annotated[int, Between(0, 1024)] | None = None  # None: one per core; 0: sessions live in this process
    tls: Annotated[str, OneOf(("self",))] | None = None  # "self": a certificate made at start
    tls_cert: Path | None = None
    tls_key: Path | None = None
    trusted_proxy: tuple[str, ...] = ()  # addresses whose X-Forwarded-* headers are believed
    api_keys: tuple[str, ...] = ()  # when set, these are the keys (MOUTHPIECE_API_KEYS=k1,k2)
    allow_hosts: tuple[str, ...] = ()  # private hosts that callers may name (MOUTHPIECE_ALLOW_HOSTS)
    drain_s: Seconds = 30.0  # how long live sessions may go on after SIGTERM
    log_level: Annotated[str, OneOf(("debug", "info", "warning", "error"))] = "info"
    log_json: bool = False


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """Pictures and sound."""

    fps: Annotated[int, OneOf((25, 30))] = 25
    prefer: Annotated[str, OneOf(("h264", "vp8"))] = "h264"  # which codec wins when the offer has both
    bitrate: Annotated[int, Between(10_000)] = 500_000  # bits a second of video at the start
    max_bitrate: Annotated[int, Between(10_000)] = 1_500_000
    min_bitrate: Annotated[int, Between(10_000)] = 150_000
    face: str = "mia"  # the default face


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """WebRTC's addresses."""

    public_ip: str | None = None  # advertised instead of the host addresses
    udp_ports: tuple[Port, Port] | None = None  # range for media; None: any free port
    stun_port: Port = 3478  # UDP port of the built-in STUN responder; falls back to a free one
    turn_url: str | None = None  # e.g. turn:turn.example.org:3478
    turn_secret: str | None = None  # coturn's static-auth-secret, for time-limited credentials
    turn_ttl_s: Count = 86_400
    connect_timeout_s: Seconds = 30.0  # peer not connected after the answer
    silence_timeout_s: Seconds = 10.0  # no RTCP from the peer


@dataclass(frozen=True, slots=True)
class LiveKitSettings:
    """The LiveKit server of our own rooms. Rooms of others, which an agent names, need no settings."""

    url: str | None = None  # as this server reaches it, e.g. ws://127.0.0.1:7880; None: no LiveKit sessions
    public_url: str | None = None  # as clients reach it; None: the same
    key: str | None = None
    secret: str | None = None
    join_timeout_s: Seconds = 30.0  # nobody joined
    absence_s: Seconds = 10.0  # everybody left


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """How much one server and one account may do."""

    max_sessions: Annotated[int, Between(0)] | None = None  # on this server; None: by measured load; 0: take none
    sessions_per_key: Count = 100
    tokens_per_minute: Count = 600
    backlog_s: Seconds = 300.0  # queued audio a session
    message_bytes: Annotated[int, Between(65_536)] = 16 * 1024 * 1024
    messages_per_s: Count = 2_000
    offer_timeout_s: Seconds = 30.0
    retry_s: Count = 5


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Database and blobs."""

    database: str | None = None  # SQLAlchemy URL; None: SQLite in the data folder
    blobs: str | None = None  # folder or s3://... URL; None: a folder in the data folder
    secret: str | None = None  # shared by replicas, newest first; None: made once and kept in the data folder
    pepper: str | None = None  # of the stored API keys; None: the oldest secret


@dataclass(frozen=True, slots=True)
class RenderSettings:
    """MP4 and HLS jobs."""

    max_body_bytes: Count = 64 * 1024 * 1024
    max_audio_s: Seconds = 1_800.0
    max_jobs: Count = 1  # running at once
    max_queue: Count = 32
    retention_s: Seconds = 86_400.0
    max_disk_bytes: Count = 4 * 1024**3
    wait_s: Seconds = 30.0  # how long an MP4 request waits for its file


@dataclass(frozen=True, slots=True)
class VoiceSettings:
    """The embedded voice."""

    command: tuple[str, ...] = ()  # another helper program in espeak-ng's place; empty: ours
    voice: str = "en-us"  # a language of the voice list, with an optional variant: en-us+f3
    rate: Annotated[int, Between(80, 450)] = 165  # words a minute
    pitch: Annotated[int, Between(0, 99)] = 50
    max_chars: Count = 5_000  # of one utterance
    answer_timeout_s: Seconds = 10.0  # a helper silent for so long is ended and started again
    # where the voices of providers are asked for, and only when a caller brings a key of theirs; empty: never
    elevenlabs_url: str | None = "https://api.elevenlabs.io"
    playht_url: str | None = "https://api.play.ht"
    cartesia_url: str | None = "https://api.cartesia.ai"
    provider_timeout_s: Seconds = 30.0


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """A mouth engine from outside, in live sessions and in videos."""

    name: str | None = None  # as docs/engines.md lists them; None: the mesh engine alone
    file: Path | None = None  # its network
    budget_ms: Annotated[float, Between(1)] = 25.0  # it may take for a live picture, on average


@dataclass(frozen=True, slots=True)
class FaceSettings:
    """Faces that people make from their pictures."""

    max_faces: Count = 200  # of one account
    max_queue: Count = 32  # pictures that wait to become faces, of everybody
    max_upload_bytes: Count = 20 * 1024 * 1024
    timeout_s: Seconds = 300.0  # for one face; the first may have to fetch the landmarker
    landmarker: tuple[str, ...] = ()  # another program in the landmarker's place; empty: ours, by uv


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """Voice agents. Keys and addresses are the operator's own; callers bring theirs in tokens."""

    warm: bool = True  # load the models of voice agents at start, when the extra is installed
    find_local: bool = True  # look for a language model on this machine's own ports
    patience_s: Annotated[float, Between(0.3)] = 0.6  # silence that ends a turn which does not sound finished
    listeners: Count = 2  # helper processes of the embedded ears, one for each voice that is heard at the same time
    llm_url: str | None = None  # any OpenAI-compatible server, for conversations that name no model
    llm_model: str | None = None
    llm_key: str | None = None
    openai_key: str | None = None
    google_key: str | None = None
    elevenlabs_key: str | None = None
    cartesia_key: str | None = None
    deepgram_key: str | None = None  # with it Deepgram hears, in many languages; without it the embedded ears
    whisper_model: Path | None = None  # folder of a Whisper model in CTranslate2's format, which hears then
    piper_voice: Path | None = None  # a voice's .onnx, its .onnx.json beside it, which speaks its language then
    kokoro_model: Path | None = None  # Kokoro's .onnx
    kokoro_voices: Path | None = None  # the file of its voices; None: voices-v1.0.bin beside the model
    kokoro_voice: str = "af_heart"  # its name says what it speaks
    threads: Count = 2  # of each of these models
    openai_url: str = "https://api.openai.com/v1"
    google_url: str = "https://generativelanguage.googleapis.com"
    elevenlabs_url: str = "https://api.elevenlabs.io/v1"
    cartesia_url: str = "https://api.cartesia.ai"
    deepgram_url: str = "https://api.deepgram.com/v1/listen"


@dataclass(frozen=True, slots=True)
class PolyaiSettings:
    """PolyAI's WebRTC gateway."""

    agent: str | None = None  # id of the caller's agent that answers offers without projectId; None: the built-in one
    realtime_model: str | None = None  # speech-to-speech model of mode end-to-end, of OpenAI or Google
    resume_s: Seconds = 10.0  # a call whose socket and voice are both gone for so long is over


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it."""

    server: ServerSettings = field(default_factory=ServerSettings)
    media: MediaSettings = field(default_factory=MediaSettings)
    transport: TransportSettings = field(default_factory=TransportSettings)
    livekit: LiveKitSettings = field(default_factory=LiveKitSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    render: RenderSettings = field(default_factory=RenderSettings)
    voice: VoiceSettings = field(default_factory=VoiceSettings)
    engines: EngineSettings = field(default_factory=EngineSettings)
    faces: FaceSettings = field(default_factory=FaceSettings)
    agents: AgentSettings = field(default_factory=AgentSettings)
    polyai: PolyaiSettings = field(default_factory=PolyaiSettings)


# --- names ---------------------------------------------------------------------------------------------------------
_PARTS: dict[str, type] = {part.name: part.default_factory for part in fields(Settings)}  # type: ignore[misc]
_HINTS: dict[str, object] = {
    f"{part}.{name}": hint
    for part, cls in _PARTS.items()
    for name, hint in get_type_hints(cls, include_extras=True).items()
}
SHORT_NAMES = {
    "MOUTHPIECE_API_KEYS": "server.api_keys",
    "MOUTHPIECE_ALLOW_HOSTS": "server.allow_hosts",
    "MOUTHPIECE_DATA": "server.data",
    "MOUTHPIECE_HOST": "server.host",
    "MOUTHPIECE_PORT": "server.port",
    "MOUTHPIECE_DATABASE": "store.database",
}
CONFIG_VARIABLE = "MOUTHPIECE_CONFIG"
WORKER_SETTINGS = "MOUTHPIECE_WORKER_SETTINGS"
"""Environment variable by which a worker process gets its settings; only this user can read it."""
CONFIG_FILE = "mouthpiece.toml"  # read from the current folder when it is there
# Kubernetes and Docker describe a service called "mouthpiece" to its neighbours with these; they are not settings.
_NOT_OURS = re.compile(r"MOUTHPIECE_(SERVICE|PORT)_|MOUTHPIECE_TEST_|MOUTHPIECE_CONFIG$")
_NOT_A_PORT = re.compile(r"(tcp|udp)://")


def setting_names() -> tuple[str, ...]:
    """Every setting as ``part.name``, in the order of the settings."""
    return tuple(_HINTS)


def variable(name: str) -> str:
    """The environment variable of the setting ``part.name``."""
    return f"MOUTHPIECE_{name.replace('.', '_').upper()}"


# --- loading -------------------------------------------------------------------------------------------------------
def load_settings(config_file: Path | None, environ: Mapping[str, str], flags: Mapping[str, object]) -> Settings:
    """Read the settings: defaults < TOML file < environment < flags.

    ``config_file`` None: the file that ``MOUTHPIECE_CONFIG`` names, else ``mouthpiece.toml`` in the current folder
    if there is one. ``flags`` has dotted names (``server.port``); a value of None was not given. Raises StartupError
    that names the setting, its value and what is allowed.
    """
    values = _from_file(_config_path(config_file, environ))
    values |= _from_environment(environ)
    values |= {name: _convert(name, value, f"flag {name}") for name, value in flags.items() if value is not None}
    return _build(values)


def settings_to_json(settings: Settings) -> str:
    """The settings as text for a child process. Holds the secrets: hand it over a pipe, not on a command line."""
    return json.dumps(asdict(settings), default=str)


def settings_from_json(text: str) -> Settings:
    """The inverse of ``settings_to_json``. Raises StartupError."""
    return _build(_flat(json.loads(text), "the parent process"))


def _build(values: Mapping[str, object]) -> Settings:
    parts: dict[str, dict[str, object]] = {part: {} for part in _PARTS}
    for dotted, value in values.items():
        part, name = dotted.split(".")
        parts[part][name] = value
    settings = Settings(**{part: _PARTS[part](**values) for part, values in parts.items()})
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    server, media, ports = settings.server, settings.media, settings.transport.udp_ports
    if (server.tls_cert is None) != (server.tls_key is None):
        raise StartupError(reason="only one of server.tls_cert and server.tls_key is set", remedy="set both, or none")
    if server.tls and server.tls_cert:
        raise StartupError(reason="server.tls = self and a certificate are both set", remedy="keep one of them")
    _check_addresses(settings)
    if not media.min_bitrate <= media.bitrate <= media.max_bitrate:
        reason = f"media.bitrate = {media.bitrate} is not between media.min_bitrate and media.max_bitrate"
        raise StartupError(reason=reason, remedy=f"set it from {media.min_bitrate} to {media.max_bitrate}")
    livekit = settings.livekit
    if livekit.url and not (livekit.key and livekit.secret):
        remedy = "set livekit.key and livekit.secret to an API key of that server"
        raise StartupError(reason=f"livekit.url = {livekit.url} has no key", remedy=remedy)
    for name, url in (("url", livekit.url), ("public_url", livekit.public_url)):
        if url and not url.startswith(("ws://", "wss://", "http://", "https://")):
            raise StartupError(reason=f"livekit.{name} = {url} is no address", remedy="give one like ws://host:7880")
    if ports and ports[0] > ports[1]:
        reason = f"transport.udp_ports = {ports[0]}-{ports[1]} is empty"
        raise StartupError(reason=reason, remedy="give the lower port first")


def _check_addresses(settings: Settings) -> None:
    public = settings.transport.public_ip
    for text in [] if public is None else public.split(","):
        if not _is(ipaddress.ip_address, text.strip()):
            reason = f"transport.public_ip = {text.strip() or 'nothing'} is not an IP address"
            remedy = "give one as 203.0.113.7, or an IPv4 and an IPv6 one with a comma between"
            raise StartupError(reason=reason, remedy=remedy)
    for text in settings.server.trusted_proxy:
        if text != "*" and not _is(ipaddress.ip_network, text):
            reason = f"server.trusted_proxy = {text} is not an address or a network"
            raise StartupError(reason=reason, remedy="give one as 10.0.0.5 or 10.0.0.0/8")


def _is(kind: Callable[[str], object], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


def _config_path(given: Path | None, environ: Mapping[str, str]) -> Path | None:
    named = given or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    if named:
        return named
    return Path(CONFIG_FILE) if Path(CONFIG_FILE).is_file() else None


def _from_file(path: Path | None) -> dict[str, object]:
    if path is None:
        return {}
    try:
        content = tomllib.loads(path.expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        remedy = "give the path of a TOML file that can be read"
        raise StartupError(reason=f"cannot read the settings file {path} ({error.strerror})", remedy=remedy) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartupError(reason=f"the settings file {path} is not TOML ({error})", remedy="mend that line") from None
    return _flat(content, str(path))


def _flat(content: Mapping[str, object], source: str) -> dict[str, object]:
    values: dict[str, object] = {}
    for part, section in content.items():
        if part not in _PARTS or not isinstance(section, Mapping):
            raise _unknown(f"section [{part}]", source, part, list(_PARTS))
        for name, value in section.items():
            dotted = f"{part}.{name}"
            if value is not None:
                values[dotted] = _convert(dotted, value, source)
    return values


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    values: dict[str, object] = {}
    known = SHORT_NAMES | {variable(name): name for name in _HINTS}  # the long name wins over the short one
    for name in known:
        value = environ.get(name)
        if value is not None and not (name == "MOUTHPIECE_PORT" and _NOT_A_PORT.match(value)):
            values[known[name]] = _convert(known[name], value, name)
    for name in environ:
        if name.startswith("MOUTHPIECE_") and name not in known and not _NOT_OURS.match(name):
            _refuse_misspelt(name, list(known))
    return values


def _refuse_misspelt(name: str, known: list[str]) -> None:
    ours = any(name.startswith(variable(part) + "_") for part in _PARTS)
    if ours or difflib.get_close_matches(name, known, 1, 0.85):
        raise _unknown(f"setting {name}", "the environment", name, known)


def _unknown(what: str, source: str, name: str, known: list[str]) -> StartupError:
    close = difflib.get_close_matches(name, known, 1, 0.5)
    remedy = f"did you mean {close[0]}?" if close else f"use one of {', '.join(known)}"
    return StartupError(reason=f"unknown {what} in {source}", remedy=remedy)


# --- conversion ----------------------------------------------------------------------------------------------------
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def _convert(name: str, value: object, source: str) -> object:
    if name not in _HINTS:
        raise _unknown(f"setting {name}", source, name, list(_HINTS))
    hint = _HINTS[name]
    try:
        return _as(hint, value)
    except (ValueError, TypeError, OverflowError):
        shown = "(hidden)" if any(word in name for word in ("secret", "key", "pepper")) else repr(value)
        where = "" if source == variable(name) else f" in {source}"
        reason = f"{name} ({variable(name)}){where} cannot be {shown}"
        raise StartupError(reason=reason, remedy=f"give {_allowed(hint)}") from None


def _as(hint: object, value: object) -> object:
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    if NoneType in get_args(hint):
        return None if value == "" else _as(kinds[0], value)
    if get_origin(hint) is Annotated:
        return _bounded(_as(kinds[0], value), kinds[1])
    if get_origin(hint) is tuple:
        return _as_tuple(kinds, value)
    return _as_plain(hint, value)


def _as_plain(hint: object, value: object) -> object:
    if hint is bool:
        return _as_bool(value)
    if hint is Path and isinstance(value, str | Path) and str(value):
        return Path(value).expanduser()
    if hint is str and isinstance(value, str) and value.strip():
        return value.strip()
    if hint is int and isinstance(value, int | str) and not isinstance(value, bool):
        return int(value)
    if hint is float and isinstance(value, int | float | str) and not isinstance(value, bool):
        return float(value)
    raise ValueError(value)


def _as_bool(value: object) -> bool:
    word = str(value).strip().lower()
    if word not in _TRUE + _FALSE:
        raise ValueError(value)
    return word in _TRUE


def _as_tuple(kinds: list[object], value: object) -> tuple[object, ...]:
    pair = Ellipsis not in kinds
    if isinstance(value, str):
        value = [piece.strip() for piece in value.split("-" if pair else ",") if piece.strip()]
    if not isinstance(value, list | tuple) or (pair and len(value) != len(kinds)):
        raise ValueError(value)
    return tuple(_as(kinds[0], piece) for piece in value)


def _bounded(value: object, bounds: object) -> object:
    if isinstance(bounds, OneOf) and value not in bounds.words:
        raise ValueError(value)
    if isinstance(bounds, Between) and not bounds.low <= float(str(value)) <= bounds.high:
        raise ValueError(value)
    return value


_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "some text", Path: "a path"}


def _allowed(hint: object) -> str:
    kinds = get_args(hint)
    if NoneType in kinds:
        return _allowed(kinds[0]) + ", or leave it away"
    if get_origin(hint) is tuple:
        return (
            "texts with commas between" if Ellipsis in kinds else f"a range like 40000-40100, each {_allowed(kinds[0])}"
        )
    if get_origin(hint) is Annotated:
        return str(kinds[1]) if isinstance(kinds[1], OneOf) else f"{_allowed(kinds[0])}, {kinds[1]}"
    return _WORDS[hint] if isinstance(hint, type) else str(hint)
