"""Wav2Lip-family networks behind ``face.base.MouthEngine``, run by onnxruntime (extra ``engines``).

The network is a file of the user's own: an ONNX export with the inputs ``mel_spectrogram`` [n, 1, 80, 16] and
``video_frames`` [n, 6, s, s] (the face with its lower half blackened, then whole; RGB 0..1), and one output
[n, 3, s, s].
Nothing is downloaded, and the licence is the file's: the original weights are for research and personal use only.
Sound is prepared as in Prajwal et al. 2020, "A Lip Sync Expert Is All You Need".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # it ships no types
from numpy.typing import NDArray

from mouthpiece.errors import NotConfigured
from mouthpiece.face.base import BasePicture, EngineInfo, Patch
from mouthpiece.face.pack import Pack, filled_polygon, resized, softened
from mouthpiece.media import SAMPLE_RATE, MouthPose, Pcm, Picture

MELS, FRAMES = 80, 16
WINDOW, HOP = 800, 200
LOWEST, HIGHEST = 55.0, 7600.0
PREEMPHASIS: Final = 0.97
SOUND: Final = (FRAMES - 1) * HOP + WINDOW
"""Samples that 16 frames of the spectrogram cover."""
FOREHEAD: Final = 0.14
"""Share of the face's height above the network's crop: its training crops end at the brows and a little above."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Of one face: nothing but its id is needed, the picture brings the rest."""

    face_id: str


def open_engine(file: str) -> Wav2Lip:
    """The engine with a network file. Raises NotConfigured when the file is missing or has other inputs."""
    path = Path(file)
    if not path.is_file():
        raise NotConfigured(what="engine wav2lip", remedy=f"no network file {file!r}: name one of your own")
    return Wav2Lip(path)


class Wav2Lip:
    """See ``face.base.MouthEngine``. One thread: a session must not take the machine from the others."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what is wrong is said in our words below
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            shapes = {wanted.name: wanted.shape for wanted in self._session.get_inputs()}
            self._side = int(shapes["video_frames"][-1])
            fits = shapes["mel_spectrogram"][-2:] == [MELS, FRAMES] and shapes["video_frames"][1] == 6
        except Exception as error:  # onnxruntime raises types of its own for every kind of damage
            raise _unfit(path, str(error)) from error
        if not fits:
            raise _unfit(path, f"its inputs are {shapes}")
        self._info = EngineInfo(
            name="wav2lip",
            window=SOUND,
            before=WINDOW // 2,
            latency_ms=(SOUND - WINDOW // 2) * 1000 // SAMPLE_RATE,
            device="cpu",
            licence="that of the network file; the original weights forbid commercial use",
        )

    @property
    def info(self) -> EngineInfo:
        """Latency 212 ms: the network hears 0.2 s after the picture's moment."""
        return self._info

    def prepare(self, pack: Pack) -> Prepared:
        """Nothing is precomputed: the crop follows the head, so it is cut from each picture."""
        return Prepared(pack.face_id)

    def step(self, state: Prepared, pose: MouthPose, pcm: Pcm, base: BasePicture) -> Patch:
        """The lower face for one picture."""
        region = _region(base)
        top, bottom, left, right = region
        crop = resized(region_rgb(base.picture, region), self._side, self._side)
        shown = crop.astype(np.float32).transpose(2, 0, 1) / 255
        hidden = shown.copy()
        hidden[:, self._side // 2 :] = 0
        feed = {"mel_spectrogram": mel(pcm)[None, None], "video_frames": np.concatenate([hidden, shown])[None]}
        drawn = np.asarray(self._session.run(None, feed)[0])[0].transpose(1, 2, 0)
        picture = (drawn.clip(0, 1) * 255).round().astype(np.uint8)
        return Patch(region, resized(picture, right - left, bottom - top), _mask(base, region))


def _unfit(path: Path, why: str) -> NotConfigured:
    return NotConfigured(what="engine wav2lip", remedy=f"{path.name} is not a Wav2Lip network ({why})")


def _region(base: BasePicture) -> tuple[int, int, int, int]:
    """The face without most of its forehead; even, inside the canvas."""
    x0, y0 = base.outline.min(0)
    x1, y1 = base.outline.max(0)
    y0 += FOREHEAD * (y1 - y0)
    sides = (y0, y1 + 0.04 * (y1 - y0), x0, x1)
    limits = (base.picture.height, base.picture.height, base.picture.width, base.picture.width)
    top, bottom, left, right = (min(max(0, int(v) // 2 * 2), most) for v, most in zip(sides, limits, strict=True))
    return top, max(bottom, top + 2), left, max(right, left + 2)


def _mask(base: BasePicture, region: tuple[int, int, int, int]) -> Floats:
    """The face below the nose, 0..1, soft at its rim: what the network may repaint."""
    top, bottom, left, right = region
    wide = float(np.ptp(base.mouth[:, 0]))
    below = base.outline[base.outline[:, 1] > base.mouth[:, 1].min() - 0.45 * wide]
    middle = base.mouth.mean(0)
    inner = middle + (below - middle) * 0.90
    shape = filled_polygon(inner - [left, top], right - left, bottom - top)
    return np.asarray(softened(shape, 0.05 * wide + 1) / 255, np.float32)


def region_rgb(picture: Picture, region: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """A part of an I420 picture as RGB, uint8 (h, w, 3); ``region`` even."""
    top, bottom, left, right = region
    h, w = picture.height, picture.width
    flat = picture.data.reshape(-1)
    y = (flat[: h * w].reshape(h, w)[top:bottom, left:right].astype(np.float32) - 16) * np.float32(255 / 219)
    chroma = flat[h * w :].reshape(2, h // 2, w // 2)[:, top // 2 : bottom // 2, left // 2 : right // 2]
    u, v = chroma.astype(np.float32).repeat(2, 1).repeat(2, 2) - 128
    rgb = np.stack([y + 1.596 * v, y - 0.392 * u - 0.813 * v, y + 2.017 * u], -1)
    return np.asarray(rgb.clip(0, 255), np.uint8)


# --- sound ------------------------------------------------------------------------------------------------------------
def mel(pcm: Pcm) -> Floats:
    """Mel spectrogram of ``SOUND`` samples, (80, 16), in -4..4 (-100..0 dB under full scale + 20)."""
    sound = pcm.astype(np.float32) / 32768
    sound = np.append(sound[:1], sound[1:] - np.float32(PREEMPHASIS) * sound[:-1])
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP][:FRAMES]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(WINDOW + 1)[:-1], axis=1)).astype(np.float32)
    level = 20 * np.log10(np.maximum(1e-5, _filters() @ spectrum.T)) - 20
    return np.asarray(np.clip(8 * (level + 100) / 100 - 4, -4, 4), np.float32)


@cache
def _filters() -> Floats:
    """Triangular filters on the mel scale of Slaney 1998 (linear to 1 kHz, then logarithmic), each of unit area."""
    bins = np.arange(WINDOW // 2 + 1) * SAMPLE_RATE / WINDOW
    edges = _hertz(np.linspace(_mels(LOWEST), _mels(HIGHEST), MELS + 2))
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.asarray(np.minimum(rise, fall).clip(0) * (2 / (edges[2:] - edges[:-2]))[:, None], np.float32)


_STEP: Final = np.log(6.4) / 27


def _mels(hertz: float) -> float:
    return hertz / (200 / 3) if hertz < 1000 else 15 + float(np.log(hertz / 1000) / _STEP)


def _hertz(mels: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.where(mels < 15, mels * (200 / 3), 1000 * np.exp((mels - 15) * _STEP)))
