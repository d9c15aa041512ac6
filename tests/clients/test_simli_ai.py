"""Unmodified simli-ai 2.x (Python) against a real server: only the base URL is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.drivers import driven, lips
from tests.support.environments import python_client
from tests.support.server import KEY, Server, serving

from mouthpiece.media import SAMPLE_RATE

DRIVER = Path(__file__).parent / "drivers" / "simli_ai_v2.py"
VERSIONS = ("2.1.0", "2.0.3")
FACE = "tmp9i8bbq7c"

pytestmark = [pytest.mark.client, pytest.mark.timeout(300)]


@pytest.fixture(scope="session", params=VERSIONS)
def python(request: pytest.FixtureRequest) -> Path:
    # Its FileRenderer sets the size of an open encoder, which PyAV has refused since 17.
    return python_client(f"simli-ai=={request.param}", "av<17")


def drive(python: Path, server: Server, *acts: list[object], **plan: object) -> dict[str, Any]:
    """Run one plan with the client; what happened."""
    full = {"url": server.url, "key": KEY, "face": FACE, "acts": acts, **plan}
    return driven(python, DRIVER, full)


def reason_known_to(python: Path, reason: str) -> str | None:
    """2.0 tells its user that the session stopped, but not why."""
    return None if "2.0.3" in str(python) else reason


def names(result: dict[str, Any]) -> list[str]:
    return [name for _, name in result["told"]]


@pytest.mark.parametrize("enable_sfu", [True, False])
def test_sends_speech_and_sees_lips_move_with_it(python: Path, server: Server, speech: Path, enable_sfu: bool) -> None:
    seconds = speech.stat().st_size / 2 / SAMPLE_RATE
    result = drive(
        python, server, ["wait", 1.0], ["send", str(speech)], ["wait", seconds + 1], ["stop"], enable_sfu=enable_sfu
    )
    assert result["size"] == [512, 512]
    got = lips(result)
    assert got.correlation > 0.6, got
    assert abs(got.lag) <= 0.12, got
    assert names(result)[:6] == ["speak", "silent"] * 3
    assert len(result["seen"]) > 20 * seconds * 0.8, "pictures flow"


def test_idle_is_exact_zeros_and_a_living_face(python: Path, server: Server) -> None:
    result = drive(python, server, ["wait", 3.0], ["stop"])
    assert "speak" not in names(result)
    assert result["zero_packets"] >= len(result["heard"]) - 2 > 100
    mouths = np.array([mouth for _, mouth in result["seen"]])
    assert np.abs(np.diff(mouths, axis=0)).max() > 0, "the face lives on"


def test_immediate_audio_cuts_in_and_clear_buffer_silences(python: Path, server: Server, speech: Path) -> None:
    result = drive(
        python, server,
        ["send", str(speech)], ["send", str(speech)], ["wait", 2.0],
        ["send_immediate", str(speech)], ["wait", 1.0],
        ["clear"], ["wait", 1.5], ["stop"],
    )  # fmt: skip
    loud = np.array([level > 100 for _, level in result["heard"]])
    assert loud[-50:].sum() == 0, "one second after ClearBuffer there is silence"
    assert names(result)[-2:] == ["silent", "stop"] or names(result)[-1] == "silent"
    assert names(result).count("speak") >= 2


def test_done_plays_out_and_ends_with_the_reason(python: Path, server: Server, speech: Path) -> None:
    result = drive(python, server, ["send", str(speech)], ["done"], ["until_end", 30.0])
    loud_s = sum(level > 100 for _, level in result["heard"]) * 0.02
    assert loud_s > 3.5, "what was queued was played"
    assert names(result)[-1] == "stop"
    assert result["stop_reason"] == reason_known_to(python, "DONE")


@pytest.mark.parametrize(("limits", "reason"), [({"maxIdleTime": 2}, "IDLE"), ({"maxSessionLength": 3}, "MAX")])
def test_limits_end_the_session_with_their_reason(
    python: Path, server: Server, limits: dict[str, int], reason: str
) -> None:
    result = drive(python, server, ["until_end", 20.0], config=limits)
    assert names(result)[-1] == "stop"
    assert result["stop_reason"] == reason_known_to(python, reason)


def test_file_renderer_writes_a_playable_file(python: Path, server: Server, speech: Path, tmp_path: Path) -> None:
    import av

    out = tmp_path / "out.mp4"
    drive(python, server, ["send", str(speech)], ["wait", 8.0], ["stop"], file=str(out))
    with av.open(str(out)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height) == (512, 512)
        assert video.frames > 60
        assert audio.frames > 100


def test_wrong_key_is_told_at_once(python: Path, server: Server) -> None:
    result = drive(python, server, key="wrong")
    assert result["error"]
    assert "INVALID_API_KEY" in result["message"] + result["code"].upper() or result["error"] == "Exception"


def test_unknown_face_is_told(python: Path, server: Server) -> None:
    result = drive(python, server, face="00000000-0000-4000-8000-000000000000")
    assert result["error"]
    assert "INVALID_FACE_ID" in result["message"] + result["code"].upper() or result["error"] == "Exception"


def test_full_server_refuses_and_livekit_falls_back_with_an_answer(python: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "full", environ={"MOUTHPIECE_LIMITS_MAX_SESSIONS": "0"}) as full:
        result = drive(python, full, retries=2)
    assert result["error"], "neither hangs nor starts"


def test_camera_and_background_are_answered_and_harmless(python: Path, server: Server) -> None:
    if "2.0.3" in str(python):
        pytest.skip("simli-ai 2.0.3 has no camera")
    nobody = "11111111-1111-4111-8111-111111111111"
    result = drive(python, server, ["camera"], ["background", nobody], ["background", None], ["wait", 1.5], ["stop"])
    assert "error" not in names(result)
    assert len(result["seen"]) > 15
