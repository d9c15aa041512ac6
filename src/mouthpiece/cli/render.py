"""``mouthpiece render``: a talking video from a sound file or a text, without a server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from mouthpiece.cli.console import one_line_errors
from mouthpiece.errors import BadInput, InvalidAudio, InvalidFace

if TYPE_CHECKING:
    from mouthpiece.media import Pcm
    from mouthpiece.render.base import Order

LONGEST_S: Final = 6 * 3600.0
_HLS: Final = ".m3u8"


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


def render(  # noqa: PLR0913, PLR0917 - a parameter is a flag
    audio: Annotated[Path | None, typer.Argument(help="A WAV, MP3 or Ogg file.", exists=True, dir_okay=False)] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write: .mp4, or .m3u8 with segments.")] = Path(
        "out.mp4"
    ),
    face: Annotated[str, typer.Option(help="Id or name of a face.")] = "mia",
    emotion: Annotated[str, typer.Option(help="The face's mood.")] = "natural",
    text: Annotated[str, typer.Option(help="What is said in the sound; without a sound, what to say.")] = "",
    voice: Annotated[
        str | None, typer.Option(help="Language of the text, as espeak-ng names it.", show_default="en-us")
    ] = None,
    size: Annotated[str, typer.Option(help="Width x height in pixels, both even.")] = "512x512",
    fps: Annotated[int, typer.Option(help="Pictures a second, 25 or 30.")] = 25,
    start_frame: Annotated[int, typer.Option("--start-frame", min=0, help="The first idle picture.")] = 0,
) -> None:
    """Render a talking video of a sound, a text, or both."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # before numpy loads
    with one_line_errors():
        _render(Wanted(audio, out, text.strip(), voice, face, emotion, _size(size), _fps(fps), start_frame))


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
    if wanted.out.suffix.lower() not in (".mp4", _HLS):
        raise BadInput(reason=f"{wanted.out.name} is neither .mp4 nor .m3u8: name the output one or the other")
    if not wanted.out.absolute().parent.is_dir():
        raise BadInput(reason=f"the folder {wanted.out.absolute().parent} does not exist: make it first")
    from mouthpiece.media import Look
    from mouthpiece.render.base import Order

    look = Look(wanted.face, wanted.emotion, *wanted.size, start_frame=wanted.start_frame)
    console = Console(stderr=True, highlight=False)
    with console.status("listening" if wanted.audio else "speaking"):
        order, sound = asyncio.run(_sound(wanted, Order("", look, wanted.fps)))
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("rendering", total=1.0)
        pictures = _film(wanted, order, sound, lambda done: progress.update(bar, completed=done))
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


def _film(wanted: Wanted, order: Order, sound: Pcm, report: Callable[[float], None]) -> int:
    from mouthpiece.face import catalog
    from mouthpiece.render.film import shoot

    try:
        face = catalog.load(wanted.face)
    except InvalidFace:
        names = ", ".join(face.alias for face in catalog.SHIPPED)
        raise BadInput(reason=f"no face {wanted.face}: give one of {names}") from None
    if wanted.out.suffix.lower() == _HLS:
        with _writing(wanted.out):
            return shoot(order, sound, face, [("hls", wanted.out)], report)
    half = wanted.out.with_name(f".{wanted.out.name}.part")
    try:
        with _writing(wanted.out):
            pictures = shoot(order, sound, face, [("mp4", half)], report)
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
