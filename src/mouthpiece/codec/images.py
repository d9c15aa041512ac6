"""Pictures of strangers to plain arrays, in a child process with limits.

A damaged or hostile file can make a decoder crash, loop or swell; here that costs a child (``images_child``) its life,
and the caller gets an ``InvalidPortrait`` that says what was wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import tempfile
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.errors import InvalidPortrait, NotAnImage, TooManyPixels

LONGEST: Final = 4_096
"""Longest side of what comes out, in pixels: larger pictures are made smaller while they are read."""

_SLICE = 256 * 1024
_KILLED_FOR_TIME = (-signal.SIGXCPU, -signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What one picture may cost. 100 million pixels take about 900 MB while they are read, and 5 CPU-seconds."""

    longest: int = LONGEST
    max_pixels: int = 100_000_000
    cpu_s: int = 30
    timeout_s: float = 60.0
    memory: int = 2 << 30


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A picture as people see it: ``rgb`` (h, w, 3) uint8, upright; ``alpha`` (h, w) where some of it is transparent.

    ``notes``: what was odd about the file, for people.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    notes: tuple[str, ...] = ()


class ImageDecoder:
    """Decodes pictures, ``at_once`` at a time. Belongs to one event loop."""

    def __init__(self, limits: ImageLimits | None = None, at_once: int = 2) -> None:
        self._limits = limits or ImageLimits()
        self._turn = asyncio.Semaphore(at_once)

    async def decode(self, data: bytes) -> Decoded:
        """The picture in a file's bytes: JPEG, PNG, WebP, GIF, BMP or TIFF, whatever it was called.

        Turned upright as its EXIF says; of an animation the first picture. Raises NotAnImage, TooManyPixels,
        InvalidPortrait.
        """
        if not data:
            raise NotAnImage(reason="the file is empty")
        task = json.dumps(asdict(self._limits))
        async with self._turn:
            with tempfile.TemporaryFile() as out:
                said = await self._run(
                    (sys.executable, "-m", "mouthpiece.codec.images_child", task), data, out.fileno()
                )
                notes, shape = _verdict(*said)
                out.seek(0)
                pixels = np.fromfile(out, np.uint8).reshape(shape)
        alpha = pixels[..., 3].copy() if pixels.shape[2] == 4 else None
        return Decoded(np.ascontiguousarray(pixels[..., :3]), alpha, notes)

    async def _run(self, command: tuple[str, ...], data: bytes, out: int) -> tuple[int | None, bytes]:
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=out, stderr=pipe)
        assert child.stdin is not None
        assert child.stderr is not None
        said = b""
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                _, said = await asyncio.gather(_feed(child.stdin, data), child.stderr.read())
                await child.wait()
        except TimeoutError as error:
            raise InvalidPortrait(reason=f"reading the picture took more than {self._limits.timeout_s:g} s") from error
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        return child.returncode, said


async def _feed(stdin: asyncio.StreamWriter, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it had seen enough; it says why
        for start in range(0, len(data), _SLICE):
            stdin.write(data[start : start + _SLICE])
            await stdin.drain()
    stdin.close()


def _verdict(returncode: int | None, said: bytes) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The child's last line, as notes and the array's shape, or as an error."""
    if returncode in _KILLED_FOR_TIME:
        raise InvalidPortrait(reason="reading the picture takes too long: save it as JPEG and try again")
    try:
        answer = json.loads(said.splitlines()[-1])
    except (ValueError, IndexError):
        raise NotAnImage(reason=f"the picture cannot be read (decoder's exit {returncode})") from None
    if "pixels" in answer:
        raise TooManyPixels(pixels=answer["pixels"], limit=answer["limit"])
    if "invalid" in answer:
        raise NotAnImage(reason=answer["invalid"])
    return tuple(answer["notes"]), tuple(answer["shape"])
