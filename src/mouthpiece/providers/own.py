"""Ears and voices from the operator's own files: Whisper, Piper, Kokoro, each by its own optional package.

Nothing is ever downloaded. A model is opened at its first use, or by ``warm``; what is missing is said when it is made.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

import numpy as np

from mouthpiece.errors import NotConfigured
from mouthpiece.media import Pcm
from mouthpiece.settings import AgentSettings

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from kokoro_onnx import Kokoro
    from onnxruntime import InferenceSession  # type: ignore[import-untyped]  # it ships no types
    from piper import PiperVoice

KOKORO_RATE: Final = 24_000
KOKORO_LANGUAGES: Final = {
    "a": "en-us",
    "b": "en-gb",
    "e": "es",
    "f": "fr-fr",
    "h": "hi",
    "i": "it",
    "j": "ja",
    "p": "pt-br",
    "z": "cmn",
}
"""Language of a voice by the first letter of its name, as Kokoro names its voices; in espeak-ng's words."""

_CHINESE: Final = {"zh": "cmn"}

Model = TypeVar("Model")


class OwnEars(Protocol):
    """Words of finished utterances. Called in threads, one call at a time."""

    name: str

    def hear(self, pcm: Pcm, language: str) -> str:
        """What is said in 16 kHz sound. ``language`` is BCP 47; one that the model lacks is guessed from the sound."""
        ...

    def open(self) -> None:
        """Load the model now."""


class OwnVoice(Protocol):
    """Speech of texts. Called in threads, one call at a time."""

    name: str
    rate: int

    def speaks(self, language: str) -> bool:
        """Whether it speaks this BCP 47 language."""
        ...

    def say(self, text: str) -> Iterator[Pcm]:
        """The text in pieces, mono at ``rate``."""
        ...

    def open(self) -> None:
        """Load the model now."""


def open_ears(settings: AgentSettings) -> OwnEars | None:
    """The ears that the settings name. Raises NotConfigured when a file or a package is missing."""
    return None if settings.whisper_model is None else Whisper(settings.whisper_model.expanduser(), settings.threads)


def open_voice(settings: AgentSettings) -> OwnVoice | None:
    """The voice that the settings name, Piper before Kokoro. Raises NotConfigured when something is missing."""
    if settings.piper_voice is not None:
        return Piper(settings.piper_voice.expanduser(), settings.threads)
    if settings.kokoro_model is not None:
        voices = settings.kokoro_voices or settings.kokoro_model.with_name("voices-v1.0.bin")
        files = (settings.kokoro_model.expanduser(), voices.expanduser())
        return KokoroVoice(files, settings.kokoro_voice, settings.threads)
    return None


def _needs(what: str, setting: str, package: tuple[str, str], *files: Path) -> None:
    """``package``: what is imported, and the extra that installs it. Raises NotConfigured."""
    for file in files:
        if not file.is_file():
            raise NotConfigured(what=what, remedy=f"{setting} needs the file {file}")
    if find_spec(package[0]) is None:
        raise NotConfigured(what=what, remedy=f"pip install 'mouthpiece[{package[1]}]', then start it again")


class _Once(Generic[Model]):
    """A model that is loaded once, whoever asks first."""

    def __init__(self, load: Callable[[], Model]) -> None:
        self._load = load
        self._model: Model | None = None
        self._lock = threading.Lock()

    def get(self) -> Model:
        with self._lock:
            if self._model is None:
                self._model = self._load()
            return self._model


class Whisper:
    """``OwnEars`` by faster-whisper: a folder with a model in CTranslate2's format and its tokenizer.json."""

    name = "whisper"

    def __init__(self, folder: Path, threads: int) -> None:
        package = ("faster_whisper", "whisper")
        # without its tokenizer the library would ask the public internet for one
        _needs("whisper", "agents.whisper_model", package, folder / "model.bin", folder / "tokenizer.json")
        self._model = _Once(lambda: self._load(folder, threads))

    @staticmethod
    def _load(folder: Path, threads: int) -> WhisperModel:
        from faster_whisper import WhisperModel

        return WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True)

    def open(self) -> None:
        """See ``OwnEars``."""
        self._model.get()

    def hear(self, pcm: Pcm, language: str) -> str:
        """See ``OwnEars``."""
        model, wanted = self._model.get(), language.lower().split("-")[0]
        known = wanted if wanted in model.supported_languages else None
        sound = pcm.astype(np.float32) / np.float32(32_768)
        parts, _ = model.transcribe(
            sound, language=known, beam_size=1, without_timestamps=True, condition_on_previous_text=False
        )
        return "".join(part.text for part in parts).strip()


class Piper:
    """``OwnVoice`` by Piper: a voice's ``.onnx`` with its ``.onnx.json`` beside it."""

    name = "piper"

    def __init__(self, file: Path, threads: int) -> None:
        told = file.with_name(file.name + ".json")
        _needs("piper", "agents.piper_voice", ("piper", "piper"), file, told)
        try:
            self._facts = json.loads(told.read_text())
            self.rate = int(self._facts["audio"]["sample_rate"])
            self._language = str(self._facts["espeak"]["voice"])
        except (ValueError, KeyError, TypeError) as error:
            raise NotConfigured(what="piper", remedy=f"{told} is not the description of a voice") from error
        self._model = _Once(lambda: self._load(file, threads))

    def _load(self, file: Path, threads: int) -> PiperVoice:
        from piper import PiperVoice
        from piper.config import PiperConfig

        return PiperVoice(_session(file, threads), PiperConfig.from_dict(self._facts))

    def open(self) -> None:
        """See ``OwnVoice``."""
        self._model.get()

    def speaks(self, language: str) -> bool:
        """See ``OwnVoice``."""
        return _same(language, self._language)

    def say(self, text: str) -> Iterator[Pcm]:
        """See ``OwnVoice``. A piece is a sentence."""
        for chunk in self._model.get().synthesize(text):
            yield chunk.audio_int16_array


class KokoroVoice:
    """``OwnVoice`` by Kokoro: its ``.onnx`` and the file of its voices."""

    name = "kokoro"
    rate = KOKORO_RATE

    def __init__(self, files: tuple[Path, Path], voice: str, threads: int) -> None:
        _needs("kokoro", "agents.kokoro_model", ("kokoro_onnx", "kokoro"), *files)
        self._voice = voice
        self._language = KOKORO_LANGUAGES.get(voice[:1], "en-us")
        self._model = _Once(lambda: self._load(files, threads))

    @staticmethod
    def _load(files: tuple[Path, Path], threads: int) -> Kokoro:
        from kokoro_onnx import Kokoro

        return Kokoro.from_session(_session(files[0], threads), str(files[1]))

    def open(self) -> None:
        """See ``OwnVoice``."""
        self._model.get()

    def speaks(self, language: str) -> bool:
        """See ``OwnVoice``."""
        return _same(language, self._language)

    def say(self, text: str) -> Iterator[Pcm]:
        """See ``OwnVoice``. A text is one piece."""
        sound, _ = self._model.get().create(text, voice=self._voice, lang=self._language)
        yield (np.clip(sound, -1.0, 1.0) * 32_767).astype(np.int16)


def _session(file: Path, threads: int) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # spinning threads would starve the tick
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def _same(language: str, spoken: str) -> bool:
    wanted, own = (name.lower().split("-")[0] for name in (language or "en", spoken))
    return _CHINESE.get(wanted, wanted) == own
