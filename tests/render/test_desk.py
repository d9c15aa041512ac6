"""Orders, queue, crew and deliveries: on a real database, with real renderers in processes of their own."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
import wave
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from tests.render.conftest import Open, Works
from tests.support.databases import Clock

from mouthpiece.codec.decode import AudioSource
from mouthpiece.errors import (
    BadInput,
    InvalidAudio,
    NotFound,
    NotReady,
    QueueFull,
    RenderFailed,
    StorageFull,
    TooLarge,
)
from mouthpiece.media import SAMPLE_RATE, Look
from mouthpiece.providers.espeak import Speech
from mouthpiece.render.base import FOLDER, Order, order_of
from mouthpiece.render.crew import Crew
from mouthpiece.render.delivery import Asked
from mouthpiece.render.desk import UPLOADS
from mouthpiece.store.jobs import JobState

LOOK = Look("mia", width=128, height=128)
SECOND = np.zeros(SAMPLE_RATE, np.int16).tobytes()
PCM = AudioSource("pcm16")


def child(what: str) -> tuple[str, ...]:
    return (sys.executable, str(Path(__file__).with_name("slow_child.py")), what)


def order(works: Works) -> Order:
    return Order(works.account, LOOK)


def failed(job: object) -> bool:
    return getattr(job, "state", None) is JobState.FAILED


async def kept(works: Works) -> list[str]:
    return await works.blobs.list(FOLDER)


# --- from an order to its files ------------------------------------------------------------------------------------
async def test_a_film_is_ordered_watched_while_it_grows_and_fetched(open_works: Open, speech: Speech) -> None:
    async with open_works() as works:
        file = io.BytesIO()
        with wave.open(file, "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(SAMPLE_RATE)
            out.writeframes(speech.pcm.tobytes())
        destination = await works.desk.order_sound(order(works), file.getvalue(), AudioSource("wav"))
        playlist = await works.desk.fetch(destination, "output.m3u8")
        assert playlist.headers["content-type"] == "application/x-mpegURL"
        movie = await works.desk.fetch(destination, "output.mp4")
        assert (movie.status, movie.headers["content-type"]) == (200, "video/mp4")
        data = b"".join([piece async for piece in movie.body])
        with av.open(io.BytesIO(data), "r") as container:
            shown = sum(1 for _ in container.decode(video=0)) / 25
        assert len(speech.pcm) / SAMPLE_RATE <= shown <= len(speech.pcm) / SAMPLE_RATE + 1.5
        text = (await works.read(destination, "output.m3u8")).decode()
        assert text.index("#EXT-X-START:TIME-OFFSET=0") < text.index("output00000.ts") < text.index("#EXT-X-ENDLIST")
        segment = await works.desk.fetch(destination, "output00000.ts", Asked("bytes=0-187"))
        assert (segment.status, segment.headers["content-type"]) == (206, "video/MP2T")
        assert [await anext(segment.body)][0][0] == 0x47
        job = await works.job(destination, lambda job: job.state is JobState.DONE)
        await works.idle()
        names = await kept(works)
        assert not [name for name in names if name.endswith(".pcm")], "the sound is not kept"
        assert job.bytes == sum([await works.blobs.size(name) for name in names]) - len(text)
        assert not list((works.folder / "work").iterdir())


async def test_spoken_text_brings_its_phones_along(open_works: Open, speech: Speech) -> None:
    async with open_works(working=False) as works:
        destination = await works.desk.order_speech(order(works), speech)
        job = await works.jobs.get(destination)
        assert job is not None
        known = order_of(works.account, job.request)
        assert known.look == LOOK
        assert len(known.phones) == len(speech.phones) > 20
        assert len(known.word_starts) == len(speech.words)
        with pytest.raises(BadInput, match="nothing to say"):
            await works.desk.order_speech(order(works), Speech(np.zeros(0, np.int16)))


async def test_a_face_that_is_gone_fails_the_job_with_the_reason(open_works: Open) -> None:
    async with open_works() as works:
        gone = replace(order(works), look=replace(LOOK, face_id="nobody"))
        destination = await works.desk.order_sound(gone, SECOND, PCM)
        job = await works.job(destination, failed)
        assert job.error == "no face nobody: GET /faces lists yours"
        await works.idle()
        with pytest.raises(RenderFailed, match="no face nobody"):
            await works.desk.fetch(destination, "output.mp4")
        assert await kept(works) == []


async def test_a_renderer_is_kept_for_the_next_job_whatever_became_of_the_last(open_works: Open) -> None:
    async with open_works() as works:
        seen: set[int] = set()
        for look in (LOOK, replace(LOOK, emotion="grumpy"), replace(LOOK, face_id="ada")):
            destination = await works.desk.order_sound(replace(order(works), look=look), SECOND * 4, PCM)
            await works.job(destination, lambda job: bool(works.crew.pids) or failed(job))
            seen |= works.crew.pids
            job = await works.job(destination, lambda job: job.finished is not None)
            assert job.error == ("no emotion grumpy" if look.emotion == "grumpy" else None)
        assert len(seen) == 1


# --- what goes wrong -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("dies", "the renderer died while it made this: send it again, or a shorter one"),
        ("refuses", "no emotion grumpy"),
        ("babbles", "internal error"),
    ],
)
async def test_a_renderer_that_fails_says_why(open_works: Open, what: str, reason: str) -> None:
    async with open_works(command=child(what)) as works:
        destination = await works.desk.order_sound(order(works), SECOND, PCM)
        job = await works.job(destination, failed)
        assert job.error == reason
        assert job.attempts == (2 if what == "dies" else 1)
        await works.idle()
        assert await works.jobs.used_bytes() == 0
        assert not works.crew.pids
        assert works.crew.stats.running == 0
        assert works.crew.stats.ended == ({"died": 2} if what == "dies" else {"failed": 1})


async def test_a_killed_renderer_begins_again_and_the_playlist_never_shrinks(open_works: Open) -> None:
    async with open_works() as works:
        destination = await works.desk.order_sound(order(works), SECOND * 40, PCM)
        await works.segment(destination, 1)
        before = (await works.read(destination, "output.m3u8")).count(b"#EXTINF")
        (pid,) = works.crew.pids
        os.kill(pid, signal.SIGKILL)
        await works.job(destination, lambda job: job.attempts == 2)
        assert (await works.read(destination, "output.m3u8")).count(b"#EXTINF") >= before
        await works.job(destination, lambda job: job.state is JobState.DONE)
        assert (await works.read(destination, "output.m3u8")).count(b"#EXTINF") == 10
        assert (await works.desk.fetch(destination, "output.mp4")).status == 200


async def test_a_crew_that_goes_home_leaves_its_job_to_the_next(open_works: Open) -> None:
    async with open_works(command=child("waits")) as works:
        destination = await works.desk.order_sound(order(works), SECOND, PCM)
        await works.segment(destination, 0)
        (pid,) = works.crew.pids
        works.crews[0].cancel()
        await asyncio.gather(*works.crews, return_exceptions=True)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        job = await works.jobs.get(destination)
        assert job is not None
        assert (job.state, job.attempts) == (JobState.QUEUED, 0)
    async with open_works() as works:
        await works.job(destination, lambda job: job.state is JobState.DONE)


async def test_a_server_that_vanished_leaves_its_job_to_another_when_its_lease_ends(open_works: Open) -> None:
    async with open_works(working=False, lease_s=2.0) as works:
        destination = await works.desk.order_sound(order(works), SECOND, PCM)
        assert await works.jobs.claim("a server that is killed now") is not None
        works.employ()
        job = await works.job(destination, lambda job: job.state is JobState.DONE)
        assert job.attempts == 2


async def test_two_servers_share_a_queue(open_works: Open) -> None:
    async with open_works(max_jobs=1) as works:
        other = Crew(replace(works.crew.studio, folder=works.folder / "other"))
        works.employ(other)
        ordered = [await works.desk.order_sound(order(works), SECOND * 2, PCM) for _ in range(4)]
        for destination in ordered:
            job = await works.job(destination, lambda job: job.state is JobState.DONE)
            assert job.attempts == 1


# --- limits --------------------------------------------------------------------------------------------------------
async def test_the_queue_is_bounded(open_works: Open) -> None:
    async with open_works(working=False, max_queue=2) as works:
        for _ in range(2):
            await works.desk.order_sound(order(works), SECOND, PCM)
        with pytest.raises(QueueFull):
            await works.desk.order_sound(order(works), SECOND, PCM)
        assert len(await kept(works)) == 2
        assert works.desk.stats.refused == {"QUEUE_FULL": 1}


async def test_the_disk_is_bounded_and_what_is_ordered_counts(open_works: Open) -> None:
    async with open_works(working=False, max_disk_bytes=600_000) as works:
        for _ in range(2):
            await works.desk.order_sound(order(works), SECOND, PCM)
        with pytest.raises(StorageFull):
            await works.desk.order_sound(order(works), SECOND, PCM)
        assert len(await kept(works)) == 2


async def test_durations_are_bounded_and_nonsense_is_refused(open_works: Open) -> None:
    async with open_works(working=False, max_audio_s=2.0) as works:
        with pytest.raises(TooLarge):
            await works.desk.order_sound(order(works), SECOND * 3, PCM)
        with pytest.raises(InvalidAudio):
            await works.desk.order_sound(order(works), b"junk" * 100, AudioSource("mp3"))
        assert await kept(works) == []
        assert await works.jobs.waiting() == 0


async def test_bodies_in_hand_are_bounded(open_works: Open) -> None:
    async def body() -> object:
        yield b'{"f":"AAAA"}'

    async with open_works(working=False) as works:
        hands = [works.desk.receive(body(), "f") for _ in range(UPLOADS + 1)]  # type: ignore[arg-type]
        for hand in hands[:-1]:
            await hand.__aenter__()
        with pytest.raises(QueueFull):
            await hands[-1].__aenter__()
        for hand in hands[:-1]:
            await hand.__aexit__(None, None, None)


async def test_films_are_kept_for_as_long_as_the_setting_says(open_works: Open) -> None:
    clock = Clock(now=0.0)
    async with open_works(working=False, retention_s=1000.0) as works:
        crew = Crew(replace(works.crew.studio, clock=clock))
        works.employ(crew)
        destination = await works.desk.order_sound(order(works), SECOND, PCM)
        job = await works.job(destination, lambda job: job.state is JobState.DONE)
        assert job.finished is not None
        clock.now = job.finished + 999
        await crew.clear_old()
        assert (await works.desk.fetch(destination, "output.mp4")).status == 200
        clock.now = job.finished + 1001
        await crew.clear_old()
        with pytest.raises(NotFound):
            await works.desk.fetch(destination, "output.mp4")
        assert await kept(works) == []
        assert await works.jobs.get(destination) is None


async def test_files_without_a_job_go_when_they_are_seen_a_second_time(open_works: Open) -> None:
    async with open_works(working=False) as works:
        destination = await works.desk.order_sound(order(works), SECOND, PCM)
        await works.blobs.put(f"{FOLDER}/{'0' * 32}/sound.pcm", b"an order that was cut off")
        await works.crew.clear_orphans()
        assert len(await kept(works)) == 2
        await works.crew.clear_orphans()
        assert await kept(works) == [f"{FOLDER}/{destination}/sound.pcm"]


# --- deliveries ----------------------------------------------------------------------------------------------------
async def test_a_film_that_is_not_made_in_time_is_not_ready(open_works: Open) -> None:
    async with open_works(working=False, wait_s=0.3) as works:
        destination = await works.desk.order_sound(order(works), SECOND, PCM)
        for file in ("output.mp4", "output.m3u8"):
            with pytest.raises(NotReady) as caught:
                await works.desk.fetch(destination, file)
            assert caught.value.facts["retry_s"] == 5
        with pytest.raises(NotFound):
            await works.desk.fetch(destination, "output00000.ts")


@pytest.mark.parametrize("destination", ["..", "0" * 32, "A" * 32, "0" * 31, "../../secret", ""])
@pytest.mark.parametrize("file", ["output.mp4", "sound.pcm", "../api-key", "output00000.ts", "output.m3u8"])
async def test_what_nobody_ordered_is_not_found(open_works: Open, destination: str, file: str) -> None:
    async with open_works(working=False) as works:
        with pytest.raises(NotFound):
            await works.desk.fetch(destination, file)


async def test_the_sound_that_was_sent_is_nobodys_to_fetch(open_works: Open) -> None:
    async with open_works(working=False) as works:
        destination = await works.desk.order_sound(order(works), SECOND, PCM)
        with pytest.raises(NotFound):
            await works.desk.fetch(destination, "sound.pcm")
