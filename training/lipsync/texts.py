"""Texts to speak, from word lists and sayings that Debian packages: fortunes, translated manual pages, dictionaries.

Nothing of them is kept: they are only spoken. Sentences are shuffled with a fixed seed.
"""

from __future__ import annotations

import gzip
import random
import re
import subprocess
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

FORTUNES = Path("/usr/share/games/fortunes")
MANUALS = Path("/usr/share/man")
MAX_PAGES = 250
_ENGLISH = """
computers cookie education fortunes kids literature love men-women miscellaneous people platitudes politics riddles
science work wisdom news humorists pets food
"""
ITALIAN = ("formiche", "italia", "leggi", "luttazzi", "definizioni")
MANUAL_LANGUAGES = ("fr", "tr", "hu", "sv", "nl", "fi", "ro", "da", "el", "uk", "id", "vi", "zh_CN")
WORD_LISTS = ("hi", "mr", "te", "ca")
SENTENCE = re.compile(r"(?<=[.!?;:。！？])\s*")


def _plain(text: str) -> str:
    text = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", text)
    text = re.sub(r"^\s*--.*$", "", text, flags=re.MULTILINE)
    return re.sub(r"\s+", " ", text)


def _sentences(text: str, shortest: int = 25) -> list[str]:
    found = []
    for s in SENTENCE.split(_plain(text)):
        spoken = sum(c.isalpha() or c in " ,.'!?;:-。，" for c in s)
        if shortest < len(s) < 140 and spoken > 0.95 * len(s):
            found.append(s.strip())
    return found


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _sayings(files: Iterable[Path]) -> list[str]:
    found = []
    for f in files:
        if f.is_file() and f.suffix not in {".dat", ".u8"}:
            for saying in re.split(r"\n%+\n", _decoded(f.read_bytes())):
                found += _sentences(saying)
    return found


def _manuals(language: str) -> list[str]:
    pages = sorted(MANUALS.glob(f"{language}/man*/*.gz"))
    random.Random(2).shuffle(pages)
    found = []
    for page in pages[:MAX_PAGES]:
        with gzip.open(page) as f:
            text = f.read().decode("utf-8", "ignore")
        text = "\n".join(line for line in text.split("\n") if not line.startswith((".", "'")))
        text = re.sub(r"\\f.|\\[&%,/]|\\\(..|\\", "", text)
        found += _sentences(text, 8 if language.startswith("zh") else 25)
    return found


def _words(language: str) -> list[str]:
    dumped = subprocess.run(["aspell", "-d", language, "dump", "master"], capture_output=True, check=True)
    words = sorted({w.split("/")[0] for w in dumped.stdout.decode("utf-8", "ignore").split()})
    rng = random.Random(3)
    return [" ".join(rng.sample(words, rng.randint(3, 8))) + "." for _ in range(6000)]


def _source(language: str) -> Callable[[], list[str]]:
    folders = {k: [FORTUNES / k] for k in ("de", "es", "pl", "ru", "bg")} | {"cs": [FORTUNES / "cs", FORTUNES / "cz"]}
    files = {
        "en": [FORTUNES / n for n in _ENGLISH.split()],
        "pt": [FORTUNES / "brasil"],
        "it": [*(FORTUNES / n for n in ITALIAN), *sorted((FORTUNES / "it").glob("*"))],
    }
    if language in files:
        return lambda: _sayings(files[language])
    if language in folders:
        return lambda: _sayings(f for d in folders[language] for f in sorted(d.glob("*")))
    if language in WORD_LISTS:
        return lambda: _words(language)
    return lambda: _manuals(language)


@lru_cache
def sentences(language: str) -> list[str]:
    """Sentences in a language, shuffled, the same on every run; the last tenth is for tests only."""
    found = sorted(set(_source(language)()))
    random.Random(1).shuffle(found)
    return found


def split(language: str, *, test: bool) -> list[str]:
    """The sentences to train on (the first nine tenths) or to test with (the rest)."""
    found = sentences(language)
    cut = len(found) * 9 // 10
    return found[cut:] if test else found[:cut]
