"""Step 1: speech with phone times, one file a voice (espeak-ng: a few files)."""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from training.lipsync import texts, voices
from training.lipsync.engines import espeak, festival, flite, neural
from training.lipsync.speech import Utterance, save


@dataclass
class Reader:
    """Hands out the texts of a language in turn, one to three sentences at a time."""

    language: str
    test: bool
    rng: random.Random
    at: int = 0

    def next(self) -> str:
        """The next text."""
        pool = texts.split(self.language, test=self.test)
        count = self.rng.choice([1, 1, 2, 2, 3])
        said = " ".join(pool[(self.at + i) % len(pool)] for i in range(count))
        self.at += count
        return said


def _until(minutes: float, source: Iterator[list[Utterance]]) -> list[Utterance]:
    kept: list[Utterance] = []
    empty, seconds = 0, 0.0
    while seconds < minutes * 60 and empty < 20:
        new = next(source)
        empty = 0 if new else empty + 1
        kept += new
        seconds += sum(u.seconds for u in new)
    return kept


def _flite(voice: str, reader: Reader) -> Iterator[list[Utterance]]:
    while True:
        said = flite.speak(voice, reader.next(), reader.rng)
        yield [said] if said else []


def _festival(voice: str, reader: Reader) -> Iterator[list[Utterance]]:
    while True:
        yield festival.speak(voice, [reader.next() for _ in range(festival.BATCH)], reader.rng)


def neural_speech(voice: str, minutes: float, models: Path, *, test: bool, seed: int) -> list[Utterance]:
    """Speech of a neural voice, named ``engine:voice``; Kokoro's take turns in several languages."""
    engine, name = voice.split(":")
    rng = random.Random(f"{seed} {voice}")
    speaker = neural.kokoro(name, models) if engine == "kokoro" else neural.piper(name, models)
    languages = voices.NEURAL_LANGUAGES if engine == "kokoro" else voices.NEURAL_LANGUAGES[:1]
    readers = {text: Reader(text, test, rng, rng.randrange(1000)) for _, text in languages}

    def said() -> Iterator[list[Utterance]]:
        while True:
            language, text = rng.choice(languages)
            new = neural.speak(speaker, language, readers[text].next(), rng)
            yield [new] if new else []

    return _until(minutes, said())


def recorded(voice: str, minutes: float, *, test: bool, seed: int) -> list[Utterance]:
    """Speech of a recorded voice, named ``engine:voice``."""
    engine, name = voice.split(":")
    language = "en" if engine == "flite" else festival.VOICES[name].language
    reader = Reader(language, test, random.Random(f"{seed} {voice}"))
    reader.at = reader.rng.randrange(len(texts.split(language, test=test)))
    return _until(minutes, _flite(name, reader) if engine == "flite" else _festival(name, reader))


def espeak_train(minutes: float, seed: int) -> list[Utterance]:
    """espeak-ng in all its languages and variants but those kept out."""
    rng = random.Random(seed)
    engine = espeak.Espeak()
    allowed = [v for v in espeak.variants() if v not in voices.ESPEAK_TEST_VARIANTS]
    readers = {text: Reader(text, False, rng) for _, text, _ in voices.ESPEAK_TRAIN}
    weights = [w for _, _, w in voices.ESPEAK_TRAIN]

    def said() -> Iterator[list[Utterance]]:
        while True:
            language, text, _ = rng.choices(voices.ESPEAK_TRAIN, weights)[0]
            variant = rng.choice(allowed) if rng.random() < 0.85 else ""
            new = espeak.speak(engine, (language, variant), readers[text].next(), rng)
            yield [new] if new else []

    return _until(minutes, said())


def espeak_test(minutes: float, seed: int) -> list[Utterance]:
    """espeak-ng's held-out variants, ``minutes`` in each scored language."""
    rng = random.Random(seed)
    engine = espeak.Espeak()
    kept: list[Utterance] = []
    text_of = {e: t for e, t, _ in voices.ESPEAK_TRAIN} | {"hu": "hu", "sv": "sv"}
    for language in voices.ESPEAK_TEST_LANGUAGES + voices.ESPEAK_UNHEARD_LANGUAGES:
        reader = Reader(text_of[language], True, rng)

        def said(language: str = language, reader: Reader = reader) -> Iterator[list[Utterance]]:
            while True:
                voice = (language, rng.choice(voices.ESPEAK_TEST_VARIANTS))
                new = espeak.speak(engine, voice, reader.next(), rng)
                yield [new] if new else []

        kept += _until(minutes, said())
    return kept


def _make(path: Path, build: Callable[[], list[Utterance]]) -> None:
    if not path.exists():
        speech = build()
        save(path, speech)
        print(f"{path.name}: {len(speech)} utterances, {sum(u.seconds for u in speech) / 60:.1f} min", flush=True)


def _kept(folder: Path, names: Iterable[str]) -> bool:
    return all((folder / (name.replace(":", "_") + ".npz")).exists() for name in names)


def speak_train_set(folder: Path, seed: int, scale: float = 1.0) -> list[Path]:
    """Synthesise all that is trained on; files already there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    for part in range(4):
        path = folder / f"espeak_{part}.npz"
        minutes = voices.ESPEAK_TRAIN_MINUTES * scale / 4
        _make(path, lambda part=part, minutes=minutes: espeak_train(minutes, seed + part))  # type: ignore[misc]
        made.append(path)
    for voice, minutes in voices.RECORDED_TRAIN.items():
        path = folder / (voice.replace(":", "_") + ".npz")
        _make(path, lambda v=voice, m=minutes: recorded(v, m * scale, test=False, seed=seed))  # type: ignore[misc]
        made.append(path)
    for voice, minutes in voices.NEURAL_TRAIN.items():
        path = folder / (voice.replace(":", "_") + ".npz")
        _make(path, lambda v=voice, m=minutes: neural_speech(v, m * scale, folder.parent, test=False, seed=seed))  # type: ignore[misc]
        made.append(path)
    return made


def speak_validation_set(folder: Path, seed: int, scale: float = 1.0) -> list[Path]:
    """Synthesise what thresholds are chosen on: recorded voices that are trained on, with texts that are not."""
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    for voice in voices.VALIDATION:
        path = folder / (voice.replace(":", "_") + ".npz")
        _make(path, lambda v=voice: recorded(v, 1.5 * scale, test=True, seed=seed + 1))  # type: ignore[misc]
        made.append(path)
    return made


def speak_test_set(folder: Path, seed: int, scale: float = 1.0) -> dict[str, list[Path]]:
    """Synthesise the held-out voices; the sets by name: ``recorded`` (four voices) and ``espeak``."""
    folder.mkdir(parents=True, exist_ok=True)
    sets: dict[str, list[Path]] = {"recorded": [], "neural": [], "espeak": []}
    for voice in voices.RECORDED_TEST:
        path = folder / (voice.replace(":", "_") + ".npz")
        _make(path, lambda v=voice: recorded(v, 6 * scale, test=True, seed=seed))  # type: ignore[misc]
        sets["recorded"].append(path)
    for voice in voices.NEURAL_TEST if neural.installed() or _kept(folder, voices.NEURAL_TEST) else ():
        path = folder / (voice.replace(":", "_") + ".npz")
        _make(path, lambda v=voice: neural_speech(v, 2 * scale, folder.parent, test=True, seed=seed))  # type: ignore[misc]
        sets["neural"].append(path)
    path = folder / "espeak.npz"
    _make(path, lambda: espeak_test(1.2 * scale, seed))
    sets["espeak"].append(path)
    return sets


def main() -> None:
    """Synthesise the training or the test set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=["train", "test"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the minutes (small for a trial)")
    a = parser.parse_args()
    (speak_train_set if a.which == "train" else speak_test_set)(a.folder, a.seed, a.scale)


if __name__ == "__main__":
    main()
