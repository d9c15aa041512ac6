"""Sound files of strangers to 16 kHz mono, in a child process with limits.

A damaged or hostile file can make a decoder crash, loop or swell; here that costs a child (``decode_child``) its
life, and the caller gets an ``InvalidAudio`` or ``TooLarge`` that says what was wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import BinaryIO, Final, Literal

import numpy as np

from mouthpiece.errors import InvalidAudio, TooLarge
from mouthpiece.media import SAMPLE_RATE, Pcm

AudioKind = Literal["pcm16", "pcm32", "wav", "mp3", "ogg"]
KINDS: Final[tuple[AudioKind, ...]] = ("pcm16", "pcm32", "wav", "mp3", "ogg")
RATES: Final = range(4_000, 192_001)
"""Sample rates that are taken, in Hz."""

CHANNELS: Final = range(1, 9)
_SLICE = 256 * 1024
_MPEG_SYNC = 0xE0
_KILLED_FOR_TIME = (-signal.SIGXCPU, -signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class AudioSource:
    """What the data is said to be.

    ``pcm16`` and ``pcm32`` (signed little-endian) have ``rate`` and ``channels``; wav, mp3 and ogg say theirs
    themselves. ``base64``: the data is base64 text, standard or URL-safe, also as a ``data:`` URL.
    """

    kind: AudioKind
    rate: int = SAMPLE_RATE
    channels: int = 1
    base64: bool = False


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one file may cost. 30 minutes of MP3 take 4 CPU-seconds and 250 MB beside the data itself."""

    max_s: float = 1_800.0
    cpu_s: int = 60
    timeout_s: float = 120.0
    memory: int = 1 << 30


class Decoder:
    """Decodes files, ``at_once`` at a time. Belongs to one event loop."""

    def __init__(self, limits: DecodeLimits | None = None, at_once: int = 2) -> None:
        self._limits = limits or DecodeLimits()
        self._turn = asyncio.Semaphore(at_once)

    async def decode(self, data: bytes | bytearray | memoryview, source: AudioSource) -> Pcm:
        """All of the sound. Raises InvalidAudio, TooLarge."""
        with tempfile.TemporaryFile() as file:
            await self.decode_to(data, source, file)
            file.seek(0)
            return np.fromfile(file, np.int16)

    async def decode_to(self, data: bytes | bytearray | memoryview, source: AudioSource, out: BinaryIO) -> int:
        """Write the sound to ``out`` (a real file, at its end) as PCM16LE; returns the samples written.

        Raises InvalidAudio, TooLarge; what was written until then stays in the file.
        """
        check(source)
        task = json.dumps({**asdict(source), **asdict(self._limits)})
        command = (sys.executable, "-m", "mouthpiece.codec.decode_child", task)
        async with self._turn:
            return await self._run(command, memoryview(data), out)

    async def _run(self, command: Sequence[str], data: memoryview, out: BinaryIO) -> int:
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=out, stderr=pipe)
        said = b""
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                _, said = await asyncio.gather(_feed(child, data), _read(child))
                await child.wait()
        except TimeoutError as error:
            raise InvalidAudio(reason=f"decoding took more than {self._limits.timeout_s:g} s") from error
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        return _verdict(child.returncode, said)


def check(source: AudioSource) -> None:
    """Refuse rates and channel counts that make no sense. Raises InvalidAudio."""
    if source.rate not in RATES:
        raise InvalidAudio(reason=f"a sample rate of {source.rate} Hz is not within 4000..192000")
    if source.channels not in CHANNELS:
        raise InvalidAudio(reason=f"{source.channels} channels are not within 1..8")


def sniff(head: bytes) -> AudioKind | None:
    """The kind of file that begins with these bytes (12 are enough), None when it is none of ours."""
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"OggS":
        return "ogg"
    if head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & _MPEG_SYNC == _MPEG_SYNC):
        return "mp3"
    return None


async def _feed(child: asyncio.subprocess.Process, data: memoryview) -> None:
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it had seen enough; it says why
        for start in range(0, len(data), _SLICE):
            child.stdin.write(data[start : start + _SLICE])
            await child.stdin.drain()
    child.stdin.close()


async def _read(child: asyncio.subprocess.Process) -> bytes:
    assert child.stderr is not None
    return await child.stderr.read()


def _verdict(returncode: int | None, said: bytes) -> int:
    """The child's last line, as a count or as an error."""
    if returncode in _KILLED_FOR_TIME:
        raise InvalidAudio(reason="decoding it takes too long")
    try:
        answer = json.loads(said.splitlines()[-1])
    except (ValueError, IndexError):
        raise InvalidAudio(reason=f"the decoder failed on it (exit {returncode})") from None
    if "too_long_s" in answer:
        raise TooLarge(what="the audio's duration", limit=f"{answer['too_long_s']:g} s")
    if "invalid" in answer:
        raise InvalidAudio(reason=answer["invalid"])
    return int(answer["samples"])
