"""The parts of the product: compiled kernels, encoders, voice, faces, database, extras."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mouthpiece.cli.findings import Finding, failure, note, ok, warning
from mouthpiece.errors import MouthpieceError, NotConfigured, StartupError
from mouthpiece.settings import Settings, VoiceSettings

ENCODERS: Final = ("libx264", "libvpx", "libopus", "aac")
_CACHE: Final = "NUMBA_CACHE_DIR"
_SCRATCH: Final = "mouthpiece-doctor-"
_REINSTALL: Final = "install again: pip install --force-reinstall mouthpiece"
_EXTRA: Final = re.compile(r"extra == ['\"]([^'\"]+)['\"]")


@contextmanager
def compiled_code(settings: Settings) -> Iterator[None]:
    """Compile into the data folder's cache, or where there is none yet into one that is thrown away.

    Before anything imports numba.
    """
    if os.environ.get(_CACHE):
        yield
        return
    data = settings.server.data.expanduser().absolute()
    with tempfile.TemporaryDirectory(prefix=_SCRATCH) as scratch:
        os.environ[_CACHE] = str(data / "cache" / "numba" if data.is_dir() else scratch)
        try:
            yield
        finally:
            del os.environ[_CACHE]


def kernels(_: Settings) -> Finding:
    """The drawing and lip-sync code compiles, and what was compiled is kept."""
    from mouthpiece.face import catalog
    from mouthpiece.lipsync import warm

    cache = Path(os.environ[_CACHE])
    began = time.monotonic()
    try:
        catalog.warm()
        warm()
    except Exception as error:
        return failure("kernels", f"the compiled code does not work ({type(error).__name__}: {error})", _REINSTALL)
    took = f"ready after {time.monotonic() - began:.1f} s"
    if not any(cache.rglob("*.nbi")):
        remedy = f"make {cache} writable, or set {_CACHE}: every start compiles anew"
        return warning("kernels", f"{took}, but nothing is kept in {cache}", remedy)
    if cache.name.startswith(_SCRATCH):
        return ok("kernels", f"{took}; the first start takes that long too, later ones are quick")
    return ok("kernels", f"{took}, kept for the next start")


def encoders(_: Settings) -> Finding:
    """Those that live sessions and files need, and they encode."""
    from mouthpiece.codec.inventory import missing_encoders

    if missing := missing_encoders(ENCODERS):
        remedy = "install PyAV from a wheel: pip install --force-reinstall --only-binary av av"
        return failure("encoders", f"missing: {', '.join(missing)}", remedy)
    try:
        _encode_once()
    except Exception as error:
        return failure("encoders", f"they do not encode ({type(error).__name__}: {error})", _REINSTALL)
    return ok("encoders", ", ".join(ENCODERS))


def _encode_once() -> None:
    import numpy as np

    from mouthpiece.codec.opus import OpusEncoder
    from mouthpiece.codec.video import open_video
    from mouthpiece.media import TICK, Picture

    grey = Picture(np.full((96, 64), 128, np.uint8))
    for codec in ("h264", "vp8"):
        encoder = open_video("h264" if codec == "h264" else "vp8", 64, 64, 25, 100_000, 200_000)
        packet = encoder.encode(grey, 0, key=True)
        encoder.close()
        if not packet.key or not packet.data:
            raise RuntimeError(f"{codec} gave no key frame")
    if not OpusEncoder().encode(np.full(TICK, 1000, np.int16), 0).data:
        raise RuntimeError("opus gave no packet")


def voice(settings: Settings) -> Finding:
    """The embedded voice speaks."""
    try:
        seconds = asyncio.run(_speak(settings.voice))
    except (MouthpieceError, OSError) as error:
        remedy = "install again: pip install --force-reinstall espeakng-loader, or check the voice settings"
        return failure("voice", str(error), remedy)
    return ok("voice", f"{settings.voice.voice} says a word in {seconds:.1f} s of sound")


async def _speak(settings: VoiceSettings) -> float:
    from mouthpiece.media import SAMPLE_RATE
    from mouthpiece.providers.espeak import EspeakVoice

    speaker = EspeakVoice(settings)
    try:
        spoken = await speaker.speak("hello")
    finally:
        await speaker.close()
    if not spoken.pcm.any():
        raise StartupError(reason="the embedded voice made no sound", remedy="choose another: voice.voice")
    return len(spoken.pcm) / SAMPLE_RATE


def faces(settings: Settings) -> Finding:
    """The shipped faces load and draw; the default is one of them."""
    from mouthpiece.face import catalog
    from mouthpiece.media import REST, Look

    try:
        for shipped in catalog.SHIPPED:
            look = Look(face_id=shipped.face_id, width=128, height=128)
            picture = catalog.load(shipped.face_id).renderer(look).draw(REST, 0.0)
            if len({*picture.data[:128:8, ::8].flat}) < 8:
                return failure("faces", f"{shipped.alias} is drawn as an empty picture", _REINSTALL)
        catalog.find(settings.media.face)
    except (MouthpieceError, OSError, ValueError) as error:
        return failure("faces", str(error), "choose a shipped one with media.face, or install again")
    return ok("faces", f"{', '.join(face.alias for face in catalog.SHIPPED)}; the default is {settings.media.face}")


def engine(settings: Settings) -> Finding:
    """The mouth engine from outside opens; where it runs, by what right, and how long sound waits for it."""
    from mouthpiece.face.engines import known, open_engine

    wanted = settings.engines
    if wanted.name is None:
        return ok("engine", f"the mesh engine draws every mouth; others that are found: {', '.join(sorted(known()))}")
    try:
        info = open_engine(wanted.name, str(wanted.file or "")).info
    except MouthpieceError as error:
        remedy = str(error.facts.get("remedy", "check engines.name and engines.file"))
        return warning("engine", f"{wanted.name} cannot be used, the mesh engine draws every mouth", remedy)
    found = f"{info.name} on {info.device}; licence: {info.licence}; sound waits {info.latency_ms} ms for it"
    return ok("engine", f"{found}; at most {wanted.budget_ms:g} ms a picture")


def own_speech(settings: Settings) -> Finding:
    """The ears and the voice from the operator's own files load."""
    from mouthpiece.providers.own import open_ears, open_voice

    found = []
    for make, what in ((open_ears, "hears"), (open_voice, "speaks")):
        try:
            part = make(settings.agents)
            if part is not None:
                part.open()
                found.append(f"{part.name} {what}")
        except NotConfigured as error:
            return warning("own speech", f"the embedded part takes its place: {error.facts['what']}", _remedy(error))
        except Exception as error:  # a stranger's file may raise anything
            remedy = "check the files of agents.whisper_model, agents.piper_voice, agents.kokoro_model"
            return warning("own speech", f"a model does not load ({type(error).__name__}: {error})", remedy)
    return ok("own speech", ", ".join(found) or "the embedded ears and voice alone")


def _remedy(error: NotConfigured) -> str:
    return str(error.facts["remedy"])


def database(settings: Settings) -> Finding:
    """It is reachable, and its tables are those of this version."""
    from mouthpiece.store.db import revisions, sqlite_url
    from mouthpiece.store.store import DATABASE_FILE

    url = settings.store.database
    file = settings.server.data.expanduser() / DATABASE_FILE
    if url is None and not file.exists():
        return ok("database", f"{file} will be made at the first start")
    try:
        found = asyncio.run(revisions(url or sqlite_url(file)))
    except MouthpieceError as error:
        remedy = str(error.facts.get("remedy", "check store.database and that the database runs"))
        return failure("database", str(error.facts.get("reason", error)), remedy)
    what = "the database of store.database" if url else str(file)
    if found.current is None:
        return ok("database", f"{what} is empty: its tables are made at the first start")
    if found.current != found.newest:
        return note("database", f"{what} has revision {found.current}; the next start brings it to {found.newest}")
    return ok("database", f"{what} answers and is up to date ({found.current})")


def extras(_: Settings) -> list[Finding]:
    """What can be installed beside the base."""
    findings = []
    for extra, packages in sorted(_extras().items()):
        missing = [package for package in packages if not _installed(package)]
        name = f"extra {extra}"
        if missing:
            findings.append(note(name, f"not installed ({', '.join(missing)})", f"pip install 'mouthpiece[{extra}]'"))
        else:
            findings.append(note(name, "installed"))
    return findings


def _extras() -> dict[str, list[str]]:
    wanted: dict[str, list[str]] = {}
    for requirement in importlib.metadata.requires("mouthpiece") or []:
        if found := _EXTRA.search(requirement):
            wanted.setdefault(found[1], []).append(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0])
    return wanted


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
