"""Makes conversations from choices, and keeps what they share."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

from mouthpiece.agent.base import Advice, Mouth, Plan, Talk, Tell
from mouthpiece.agent.cast import Cast, Read, Reading
from mouthpiece.agent.conversation import Conversation
from mouthpiece.agent.script import Sentence
from mouthpiece.errors import MouthpieceError
from mouthpiece.lipsync.articulation import words_of
from mouthpiece.lipsync.phones import back_date_stops, phones_between
from mouthpiece.lipsync.script import Script
from mouthpiece.media import SAMPLE_RATE
from mouthpiece.providers.base import Choice
from mouthpiece.providers.catalog import Catalog
from mouthpiece.providers.espeak import EspeakVoice, Manner

_WORDS = re.compile(r"\S+")
NICENESS: Final = 5
SECONDS_A_WORD = 0.36
"""Of a voice at 165 words a minute: what is assumed when the embedded voice cannot read a text."""


class LiveTroupe:
    """See ``base.Troupe``."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._executor = ThreadPoolExecutor(1, "voice-activity")
        self._judging = ThreadPoolExecutor(1, "end-of-turn", initializer=_stand_back)

    async def advise(self, choice: Choice, language: str) -> Advice:
        """See ``base.Troupe``."""
        await self._catalog.check(choice)
        with contextlib.suppress(MouthpieceError):  # a voice that is down now may be up when the conversation starts
            await self._catalog.learn_languages()
        return Advice(tuple(self._catalog.warnings(choice, language)), tuple(self._catalog.notices(choice, language)))

    async def open(self, plan: Plan, choice: Choice, mouth: Mouth, tell: Tell) -> Talk:
        """See ``base.Troupe``."""
        parts = await self._catalog.parts(choice, plan.language)
        read = reader(self._catalog.voice, self._catalog.manner(plan.language))
        patience_s = self._catalog.settings.patience_s
        cast = Cast(parts.ears, parts.mind, parts.voice, read, self._executor, self._judging, parts.close, patience_s)
        return Conversation(plan, cast, mouth, tell)

    async def warm(self) -> None:
        """Load what every conversation needs, so that the first one stops nobody else's."""
        await asyncio.to_thread(_load_models)
        with contextlib.suppress(MouthpieceError):
            await self._catalog.ears.warm()
        await self._catalog.own.warm()

    async def close(self) -> None:
        """End the helper processes."""
        await self._catalog.ears.close()
        self._catalog.own.close()
        for executor in (self._executor, self._judging):
            executor.shutdown(wait=False, cancel_futures=True)


def _stand_back() -> None:
    """One look at a turn computes as long as three ticks: the media go first. Elsewhere threads have no such rank."""
    if sys.platform == "linux":
        os.nice(NICENESS)


def _load_models() -> None:
    from livekit import local_inference
    from livekit.rtc._ffi_client import get_ffi_lib

    local_inference.init_vad()
    local_inference.init_eot()
    get_ffi_lib()


def reader(voice: EspeakVoice, manner: Manner) -> Read:
    """Reads sentences with the embedded voice."""

    async def read(text: str) -> Reading:
        try:
            said = await voice.speak(text, manner)
        except MouthpieceError:
            return Reading(unread(text), np.zeros(0, np.int16), Script())
        phones = [(phone.sample, phone.ipa) for phone in said.phones]
        starts = tuple((word.sample / SAMPLE_RATE, word.start) for word in said.words)
        words = tuple(words_of(phones, [word.sample for word in said.words]))
        exact = Script.of_phones(back_date_stops(phones_between(phones, len(said.pcm)), said.pcm))
        return Reading(Sentence(text, starts, len(said.pcm) / SAMPLE_RATE, words), said.pcm, exact)

    return read


def unread(text: str) -> Sentence:
    """A sentence whose words are thought to be equally long."""
    starts = tuple((n * SECONDS_A_WORD, found.start()) for n, found in enumerate(_WORDS.finditer(text)))
    return Sentence(text, starts, len(starts) * SECONDS_A_WORD)
