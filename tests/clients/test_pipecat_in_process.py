"""Our face in the process of a real pipecat 1.14 pipeline, and the example that does so."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tests.support.environments import python_guest
from tests.support.lips import fit
from tests.support.server import COMPILED

from mouthpiece.media import SAMPLE_RATE

ROOT = Path(__file__).parents[2]
DRIVER = Path(__file__).parent / "drivers" / "pipecat_in_process.py"
REQUIREMENT = "pipecat-ai==1.14.0"
INTERRUPTIONS = 10

pytestmark = [pytest.mark.client, pytest.mark.timeout(300)]


def run(*words: str) -> str:
    done = subprocess.run(
        [str(python_guest(REQUIREMENT)), *words],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, **COMPILED},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def result(speech: Path) -> dict[str, Any]:
    """A line to its end, ten lines that are interrupted, and a short one that the pipeline's end waits for."""
    plan = {"face": "mia", "speech": str(speech), "interruptions": INTERRUPTIONS}
    told: dict[str, Any] = json.loads(run(str(DRIVER), json.dumps(plan)).splitlines()[-1])
    return told


@pytest.fixture(scope="module")
def log(result: dict[str, Any]) -> list[list[Any]]:
    told: list[list[Any]] = result["log"]
    return told


def until(log: list[list[Any]], name: str) -> list[list[Any]]:
    """What came before the first frame of this name."""
    return list(itertools.takewhile(lambda one: one[0] != name, log))


def seconds(log: list[list[Any]]) -> float:
    """Of sound."""
    return float(sum(one[3] for one in log if one[0] == "sound") / SAMPLE_RATE)


def test_lips_move_with_the_sound(result: dict[str, Any], log: list[list[Any]]) -> None:
    assert result["size"] == [256, 256]
    first = until(log, "stopped")
    seen = [one for one in first if one[0] == "picture"]
    heard = [one for one in first if one[0] == "sound"]
    got = fit(
        np.array([pts / 1e9 for _, _, pts, *_ in seen]),
        np.array([mouth for *_, mouth in seen]),
        np.array([pts / 1e9 for _, _, pts, *_ in heard]),
        np.array([loudness for *_, loudness in heard]),
    )
    assert got.correlation > 0.6, got
    assert abs(got.lag) <= 0.12, got


def test_all_of_the_speech_is_given_back_before_its_end_is_told(log: list[list[Any]], speech: Path) -> None:
    first, second = speech.stat().st_size / 2 / SAMPLE_RATE, 2.0
    assert seconds(until(log, "stopped")) == pytest.approx(first, abs=0.1)
    last = log[max(n for n, one in enumerate(log) if one[0] == "started") :]
    assert seconds(until(last, "stopped")) == pytest.approx(second, abs=0.1)
    assert [one[0] for one in last if one[0] in ("stopped", "end")] == ["stopped", "end"]


def test_a_picture_never_comes_before_the_sound_of_its_moment(log: list[list[Any]]) -> None:
    spoken = until(log[next(n for n, one in enumerate(log) if one[0] == "sound") :], "stopped")
    heard = [-1, *(one[2] for one in spoken if one[0] == "sound")]
    assert heard == sorted(set(heard)), "sound is in order"
    shown, played = 0, 0
    for name, _, pts, *_ in spoken:
        if name == "sound":
            played = pts
        elif heard[1] < pts <= heard[-1]:
            shown += 1
            assert pts <= played
    assert shown > 20


def test_ten_interruptions_in_a_row_silence_at_once_and_for_good(log: list[list[Any]]) -> None:
    marks = [n for n, one in enumerate(log) if one[0] == "interrupted"]
    assert len(marks) == INTERRUPTIONS
    for mark in marks:
        after = until(log[mark + 1 :], "started")
        names = "".join(one[0][0] for one in after if one[0] in ("sound", "picture"))
        assert names.count("p") > 20, "the face goes on"
        assert names.endswith(15 * "p"), "but nothing is heard of the seven seconds that were queued"
        assert seconds(after) < 0.3, "what was in the pipeline's own queues, at most"
    between = [one[0] for one in log[marks[0] : marks[-1]]]
    assert "stopped" not in between, "an interrupted line has no end to be told of"


def test_the_example_makes_a_video_with_sound(tmp_path: Path) -> None:
    out = tmp_path / "hello.mp4"
    run(str(ROOT / "examples" / "pipecat_in_process.py"), str(out))
    with av.open(str(out)) as file:
        pictures = sum(1 for _ in file.decode(video=0))
    with av.open(str(out)) as file:
        heard = np.concatenate([frame.to_ndarray().ravel() for frame in file.decode(audio=0)])
    assert pictures > 10
    assert np.abs(heard).max() > 0.05
