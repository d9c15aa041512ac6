"""Every bench runs on the real thing and prints what a script can read. Its numbers are the machine's, not a test's."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.browser import chromium
from tests.support.livekit import program
from tests.support.networks import wav2lip_file
from typer.testing import CliRunner

from mouthpiece.bench.sessions import quantile_ms, total
from mouthpiece.bench.sync import slope
from mouthpiece.bench.utterances import QUESTIONS, embedded
from mouthpiece.cli.main import app
from mouthpiece.media import SAMPLE_RATE

pytestmark = [pytest.mark.alone, pytest.mark.timeout(240)]


def bench(*words: str) -> dict[str, Any]:
    """The one report of a bench that was asked for JSON."""
    done = CliRunner().invoke(app, ["bench", *words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["machine"]["cores"] >= 1
    (report,) = said["reports"]
    assert report["name"] == words[0]
    assert {"what", "aim", "measured", "met"} == set(report["aims"][0])
    return dict(report)


def test_sessions_tells_cost_by_stage_and_against_the_bare_encoders() -> None:
    report = bench("sessions", "--talking", "1", "--idle", "1,2", "--seconds", "2")
    talking, alone, pair = report["rows"]
    assert [row["kind"] for row in report["rows"]] == ["talking", "idle", "idle"]
    assert talking["cpu_s_per_s"] > alone["cpu_s_per_s"] > 0
    assert pair["sessions"] == 2
    assert talking["x_encoders"] > 1, "everything costs more than a part of it"
    assert all(talking[stage] > 0 for stage in ("sound", "mouth", "draw", "encode"))
    assert 10 < alone["fps"] < 26
    assert any("further idle session" in aim["what"] for aim in report["aims"])


def ended(pid: int) -> bool:
    """Whether a process ends within a while. A process that nobody has waited for yet has ended too."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], 20)[0])
    finally:
        os.close(fd)


def test_a_bench_that_is_told_to_stop_takes_its_server_with_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mouthpiece", "bench", "memory"]
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environ, text=True) as process:
        assert process.stderr is not None
        assert "one session" in process.stderr.readline()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert children
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    assert all(ended(int(child)) for child in children)
    assert not list(tmp_path.glob("mouthpiece-bench-*"))


@pytest.mark.parametrize(
    "words", [("sessions", "--talking", "0"), ("voice", "--callers", "0"), ("sessions", "--idle", "x")]
)
def test_numbers_that_are_none_are_refused_in_words(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, ["bench", *words])
    assert done.exit_code == 2
    assert "whole numbers from 1" in done.output


def test_a_full_server_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOUTHPIECE_LIMITS_MAX_SESSIONS", "1")
    done = CliRunner().invoke(app, ["bench", "sessions", "--talking", "2", "--idle", "", "--seconds", "1"])
    assert done.exit_code == 2
    assert "the other side of the bench ended with 1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_drift_is_told_and_one_picture_left_out_is_none() -> None:
    at = np.arange(60.0)
    drifting = 0.003 * at
    assert slope(at, drifting) == pytest.approx(0.003)
    left_out = np.zeros(60)
    left_out[-1] = 0.04
    assert slope(at, left_out) == 0


def test_memory_tells_of_one_more_and_of_what_stays() -> None:
    rows = {row["state"]: row["rss_mb"] for row in bench("memory", "--cycles", "8")["rows"]}
    assert rows["8 sessions"] > rows["one session"] > 50


def test_sync_sees_every_mark() -> None:
    (row,) = bench("sync", "--seconds", "8")["rows"]
    assert row["marks"] >= 4
    assert abs(row["median_ms"]) < 100, "a picture of another second would be off by more"


def test_sessions_stand_beside_the_same_while_a_video_is_rendered() -> None:
    rows = bench("sessions", "--talking", "1", "--idle", "", "--seconds", "3", "--rendering")["rows"]
    alone, beside = rows
    assert alone["video_beside"] is None
    assert beside["video_beside"] > 0.02
    assert all(row["cpu_s_per_s"] > 0 and row["fps"] > 5 for row in rows)


def test_sessions_in_rooms_stand_beside_the_same_peer_to_peer() -> None:
    report = bench(
        "sessions", "--talking", "1", "--idle", "", "--seconds", "3",
        "--transport", "livekit", "--subscribers", "1,3", "--livekit", program(),
    )  # fmt: skip
    rows = report["rows"]
    assert [(row["transport"], row["viewers"]) for row in rows] == [("p2p", 1), ("livekit", 1), ("livekit", 3)]
    assert all(row["cpu_s_per_s"] > 0 and row["receiver"] > 0 for row in rows)
    assert all(row["fps"] < 26 for row in rows), "a viewer's pictures, not the sum of all viewers'"
    assert [row["livekit_server"] is None for row in rows] == [True, False, False]
    assert {
        "1 talking in a room with 1: times the same peer to peer",
        "1 talking in a room with 3: times that with 1",
    } < {aim["what"] for aim in report["aims"]}


def test_sync_sees_the_marks_through_a_livekit_server() -> None:
    (row,) = bench("sync", "--seconds", "20", "--transport", "livekit", "--livekit", program())["rows"]
    assert row["transport"] == "livekit"
    assert row["marks"] >= 4
    assert abs(row["median_ms"]) < 100, "a picture of another second would be off by more"


@pytest.mark.filterwarnings("ignore")  # the framework's own
def test_avatar_reports_the_frameworks_own_metrics() -> None:
    rows = {row["what"]: row for row in bench("avatar", "--rounds", "1", "--livekit", program())["rows"]}
    for way in ("over HTTP", "in process"):
        assert rows[f"join, {way}"]["n"] == 1
        assert rows[f"join, {way}"]["p50_ms"] > 0
        assert rows[f"playback latency, {way}"]["n"] == 3
        assert rows[f"playback latency, {way}"]["p50_ms"] > 0


def test_without_a_livekit_server_it_says_what_to_give() -> None:
    done = CliRunner().invoke(app, ["bench", "sync", "--transport", "livekit", "--livekit", "no-such-program"])
    assert done.exit_code == 2
    assert "--livekit" in done.stderr


def test_render_tells_where_the_time_goes() -> None:
    report = bench("render", "--rounds", "1")
    alone, both = report["rows"]
    assert (alone["files"], both["files"]) == ("mp4", "mp4+hls")
    stages = sum(alone[stage] for stage in ("draw", "mouth", "video", "sound", "close"))
    assert stages == pytest.approx(alone["cpu_s_per_s"], abs=0.001)
    assert alone["draw"] > 0
    assert alone["x_encoders"] > 0.5
    assert alone["s_per_cpu_s"] == pytest.approx(1 / alone["cpu_s_per_s"], rel=0.02)


@pytest.mark.browser
def test_latency_measures_what_a_viewer_in_chromium_sees_and_hears() -> None:
    chromium()
    rows = {row["what"]: row for row in bench("latency", "--rounds", "1")["rows"]}
    assert 0 < rows["offer to first picture, Python peer"]["p50_ms"] < 10_000
    assert rows["sent to first sound, Chromium"]["p50_ms"] > 0
    assert rows["sent to mouth 30 % open, Chromium"]["p50_ms"] > 0


def test_voice_holds_a_conversation_and_tells_how_it_went(tmp_path: Path) -> None:
    pytest.importorskip("livekit.agents", reason="needs the extra: pip install 'mouthpiece[agents]'")
    (turn,) = embedded(QUESTIONS[:1])
    with wave.open(str(tmp_path / "turn.wav"), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(turn.pcm.tobytes())
    report = bench(
        "voice", "--speech", str(tmp_path), "--rounds", "4", "--pauses", "3", "--callers", "1", "--seconds", "8"
    )
    rows = {row["what"]: row for row in report["rows"]}
    assert rows["end of speech to first sound"]["p50_ms"] > 0
    assert rows["end of speech to first open mouth"]["n"] > 0
    assert rows["button to silence"]["n"] >= 1
    assert rows["server: turn taken"]["p50_ms"] < rows["server: answer begins to play"]["p50_ms"]
    assert rows["with a pause of 3 s"] == {**rows["with a pause of 3 s"], "n": 1, "cut_ins": 1}
    load = rows["one conversation: end of speech to first sound"]
    assert load["cpu_s_per_s"] > load["avatar"] > 0
    assert load["ears"] > 0
    assert load["ears_mb"] > 20


def test_tables_are_for_people() -> None:
    done = CliRunner().invoke(app, ["bench", "sync", "--seconds", "6"])
    assert done.exit_code == 0
    assert "drift" in done.stdout
    assert "{" not in done.stdout


def test_a_quantile_is_read_from_a_histogram_of_several_workers() -> None:
    counts = {'s_bucket{le="0.001",worker="a"}': 50.0, 's_bucket{le="0.002",worker="a"}': 100.0}
    both = counts | {'s_bucket{le="0.001",worker="b"}': 50.0, 's_bucket{le="0.002",worker="b"}': 100.0}
    assert quantile_ms(both, "s", 0.75) == pytest.approx(1.5)
    assert total({'c{x="1"}': 1.0, 'c{x="2"}': 2.0, "cc": 9.0}, "c") == 3.0


def test_engines_stand_beside_the_mesh(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(wav2lip_file())
    mesh, other = bench("engines", str(tmp_path / "net.onnx"), "--pictures", "5")["rows"]
    assert (mesh["engine"], other["engine"], other["latency_ms"]) == ("mesh", "wav2lip", 212)
    assert other["ms_a_picture"] > mesh["ms_a_picture"] > 0
