"""``mouthpiece render``: a talking video from a sound file or a text, without a server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from mouthpiece.cli.console import one_line_errors
from mouthpiece.errors import BadInput, InvalidAudio, InvalidPortrait, NotConfigured
from mouthpiece.settings import variable

if TYPE_CHECKING:
    from mouthpiece.codec.images import Decoded
    from mouthpiece.codec.mux import Container
    from mouthpiece.face.engines import MouthMaker
    from mouthpiece.media import Pcm
    from mouthpiece.render.base import Order
    from mouthpiece.render.film import Props

LONGEST_S: Final = 6 * 3600.0
_HLS, _WEBM = ".m3u8", ".webm"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The flags."""

    audio: Path | None
    out: Path
    text: str
    voice: str | None
    face: str
    emotion: str
    size: tuple[int, int]
    fps: int
    start_frame: int
    transparent: bool = False
    background: Path | None = None
    foreground: Path | None = None
    engine: str | None = None
    engine_file: Path | None = None
    data: Path | None = None


@dataclass(frozen=True, slots=True)
class Film:
    """What is shot, and who is told how far it is."""

    order: Order
    sound: Pcm
    props: Props
    report: Callable[[float], None]


def render(  # noqa: PLR0913, PLR0917 - a parameter is a flag
    audio: Annotated[Path | None, typer.Argument(help="A WAV, MP3 or Ogg file.", exists=True, dir_okay=False)] = None,
    out: Annotated[
        Path, typer.Option("-o", "--out", help="File to write: .mp4, .webm, or .m3u8 with segments.")
    ] = Path("out.mp4"),
    face: Annotated[str, typer.Option(help="Id or name of a face.")] = "mia",
    emotion: Annotated[str, typer.Option(help="The face's mood.")] = "natural",
    text: Annotated[str, typer.Option(help="What is said in the sound; without a sound, what to say.")] = "",
    voice: Annotated[
        str | None, typer.Option(help="Language of the text, as espeak-ng names it.", show_default="en-us")
    ] = None,
    size: Annotated[str, typer.Option(help="Width x height in pixels, both even.")] = "512x512",
    fps: Annotated[int, typer.Option(help="Pictures a second, 25 or 30.")] = 25,
    start_frame: Annotated[int, typer.Option("--start-frame", min=0, help="The first idle picture.")] = 0,
    transparent: Annotated[
        bool, typer.Option("--transparent", help="Nothing behind the face: alpha in WebM, else beside the colours.")
    ] = False,
    background: Annotated[
        Path | None, typer.Option(help="A picture behind the face.", exists=True, dir_okay=False)
    ] = None,
    foreground: Annotated[
        Path | None, typer.Option(help="A picture with alpha before it.", exists=True, dir_okay=False)
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="Mouth engine from outside.", envvar=variable("engines.name"))
    ] = None,
    engine_file: Annotated[
        Path | None, typer.Option("--engine-file", help="Its network file.", envvar=variable("engines.file"))
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="The server's data folder: faces of your own.", show_default="mouthpiece-data"),
    ] = None,
) -> None:
    """Render a talking video of a sound, a text, or both."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # before numpy loads
    with one_line_errors():
        wanted = Wanted(audio, out, text.strip(), voice, face, emotion, _size(size), _fps(fps), start_frame)
        more = {"background": background, "foreground": foreground, "engine": engine, "engine_file": engine_file}
        _render(replace(wanted, transparent=transparent, data=data, **more))  # type: ignore[arg-type]


def _size(given: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{2,4})x(\d{2,4})", given)
    size = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(32 <= side <= 4096 and side % 2 == 0 for side in size):
        raise BadInput(reason=f"--size {given} is no size: give two even numbers, like 512x512")
    return size


def _fps(given: int) -> int:
    if given not in (25, 30):
        raise BadInput(reason=f"--fps {given} is not possible: give 25 or 30")
    return given


def _render(wanted: Wanted) -> None:
    if wanted.audio is None and not wanted.text:
        raise BadInput(reason="there is nothing to render: name a sound file, or give --text")
    if wanted.out.suffix.lower() not in (".mp4", _HLS, _WEBM):
        raise BadInput(reason=f"{wanted.out.name} is neither .mp4 nor .m3u8 nor .webm: name the output one of these")
    if not wanted.out.absolute().parent.is_dir():
        raise BadInput(reason=f"the folder {wanted.out.absolute().parent} does not exist: make it first")
    from mouthpiece.media import Look
    from mouthpiece.render.base import Order

    look = Look(
        wanted.face, wanted.emotion, *wanted.size, start_frame=wanted.start_frame, transparent=wanted.transparent
    )
    console = Console(stderr=True, highlight=False)
    with console.status("listening" if wanted.audio else "speaking"):
        order, sound = asyncio.run(_sound(wanted, Order("", look, wanted.fps)))
    props = asyncio.run(_props(wanted, console.print))
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("rendering", total=1.0)
        film = Film(order, sound, props, lambda done: progress.update(bar, completed=done))
        pictures = _film(wanted, film)
    console.print(f"{wanted.out}: {pictures / wanted.fps:.1f} s, {pictures} pictures")


async def _sound(wanted: Wanted, order: Order) -> tuple[Order, Pcm]:
    """What is heard, and in the order what is known of its words."""
    from mouthpiece.codec.decode import AudioSource, DecodeLimits, Decoder, sniff
    from mouthpiece.providers.espeak import EspeakVoice, Manner
    from mouthpiece.settings import VoiceSettings

    pcm: Pcm | None = None
    if wanted.audio is not None:
        data = await asyncio.to_thread(wanted.audio.read_bytes)
        kind = sniff(data[:12])
        if kind is None:
            raise InvalidAudio(reason=f"{wanted.audio.name} is neither WAV, MP3 nor Ogg: convert it first")
        limits = DecodeLimits(max_s=LONGEST_S, cpu_s=1200, timeout_s=3600, memory=4 << 30)
        pcm = await Decoder(limits).decode(data, AudioSource(kind))
    if wanted.text:
        speaker = EspeakVoice(VoiceSettings(max_chars=10**6))
        try:
            speech = await speaker.speak(wanted.text, Manner(voice=wanted.voice))
        finally:
            await speaker.close()
        order = order.saying(speech, exact=pcm is None)
        pcm = speech.pcm if pcm is None else pcm
    if pcm is None or not len(pcm):
        raise BadInput(reason="there is nothing to say in the text")
    return order, pcm


async def _props(wanted: Wanted, say: Callable[[str], None]) -> Props:
    """What is around the face, and who redraws its mouth. Raises BadInput."""
    import numpy as np

    from mouthpiece.face.scenery import Scenery
    from mouthpiece.render.film import Props

    if wanted.transparent and wanted.background is not None:
        raise BadInput(reason="a transparent video has no background: leave --background or --transparent away")
    behind = None if wanted.background is None else (await _picture(wanted.background)).rgb
    front = None
    if wanted.foreground is not None:
        picture = await _picture(wanted.foreground)
        if picture.alpha is None:
            raise BadInput(reason=f"{wanted.foreground.name} covers everything: save it as PNG or WebP with alpha")
        front = np.dstack([picture.rgb, picture.alpha])
    return Props(Scenery(behind, front), _maker(wanted, say))


async def _picture(path: Path) -> Decoded:
    from mouthpiece.codec.images import ImageDecoder

    try:
        return await ImageDecoder().decode(await asyncio.to_thread(path.read_bytes))
    except InvalidPortrait as fault:
        raise BadInput(reason=f"{path.name}: {fault}") from None


def _maker(wanted: Wanted, say: Callable[[str], None]) -> MouthMaker | None:
    """The engine, for as long as it likes; none where it cannot be had, which is said."""
    from mouthpiece.face.engines import Budget, MouthMaker, open_engine

    if wanted.engine is None:
        return None
    try:
        engine = open_engine(wanted.engine, str(wanted.engine_file or ""))
    except NotConfigured as fault:
        say(f"{fault}; the mesh engine draws the mouth")
        return None
    say(f"engine {engine.info.name} on {engine.info.device} (licence: {engine.info.licence})")
    return MouthMaker(engine, Budget(float("inf"), time.perf_counter, say))


def _film(wanted: Wanted, film: Film) -> int:
    from mouthpiece.cli.own_face import load_face
    from mouthpiece.render.film import shoot

    face = load_face(wanted.face, wanted.data)
    kind = wanted.out.suffix.lower()
    if kind == _HLS:
        with _writing(wanted.out):
            return shoot(film.order, film.sound, face, [("hls", wanted.out)], film.report, film.props)
    half = wanted.out.with_name(f".{wanted.out.name}.part")
    try:
        with _writing(wanted.out):
            container: Container = "webm" if kind == _WEBM else "mp4"
            pictures = shoot(film.order, film.sound, face, [(container, half)], film.report, film.props)
            half.replace(wanted.out)
        return pictures
    finally:
        half.unlink(missing_ok=True)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInput(reason=f"cannot write {path} ({error.strerror}): name another file with -o") from None
