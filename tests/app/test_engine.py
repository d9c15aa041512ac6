"""Engines from outside in a real server: found as installed distributions, seen by real viewers and in videos.

The Wav2Lip network has random weights, so what it paints is no mouth; it is seen to run, and to paint only there.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.support import engine_package
from tests.support.conversation import talking
from tests.support.networks import wav2lip_file
from tests.support.peer import Seen
from tests.support.server import KEY, Server, serving

from mouthpiece.face.catalog import load
from mouthpiece.media import SAMPLE_RATE

pytestmark = pytest.mark.timeout(240)
PATIENT = {"MOUTHPIECE_ENGINES_BUDGET_MS": "2000", "MOUTHPIECE_RENDER_WAIT_S": "120"}  # of a busy test machine
Luma = NDArray[np.uint8]


def hum(seconds: float) -> bytes:
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    loud = np.sin(2 * np.pi * 3 * t) > -0.5
    tone = 9000 * np.sin(2 * np.pi * 180 * t) + 4000 * np.sin(2 * np.pi * 1900 * t)
    return bytes((tone * loud).astype("<i2").tobytes())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return engine_package.installed(tmp_path_factory.mktemp("chalk"))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("net") / "random.onnx"
    path.write_bytes(wav2lip_file())
    return path


def environ(site: Path, **more: str) -> dict[str, str]:
    found = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
    return (
        PATIENT | {"PYTHONPATH": found} | {f"MOUTHPIECE_ENGINES_{name.upper()}": value for name, value in more.items()}
    )


@pytest.fixture(scope="module")
def chalky(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("chalky") / "data"
    with serving(data, ["--workers", "1", "--engine", "chalk"], environ(site)) as it:
        yield it


def log_of(server: Server) -> str:
    return (server.data.parent / f"{server.data.name}.log").read_text()


def mouth_of(luma: Luma) -> Luma:
    """Around mia's mouth."""
    x, y = load("mia").pack.landmarks[13, :2].astype(int)
    return luma[y - 14 : y + 18, x - 14 : x + 14]


def chalked(luma: Luma) -> bool:
    return float((mouth_of(luma) > 215).mean()) > 0.4


async def watched(server: Server, seconds: float) -> list[Seen]:
    """What a viewer sees while a hum is said, and a second after."""
    async with talking(server, server.token(faceId="mia")) as talk:
        before = len(talk.viewer.pictures.items)
        await talk.socket.send(hum(seconds))
        await talk.viewer.pictures.until(lambda seen: seen[-1].seconds - seen[before - 1].seconds > seconds + 1)
        return talk.viewer.pictures.items


async def test_a_distribution_of_somebody_else_draws_the_mouth_live(chalky: Server) -> None:
    seen = await watched(chalky, 2.0)
    chalk = [chalked(picture.luma) for picture in seen]
    assert not chalk[0]
    assert sum(chalk) > 5
    assert not chalk[-1], "at rest the mesh draws the mouth"
    assert "engine chalk on cpu (licence: public domain); sound waits 50 ms" in log_of(chalky)
    assert "draws the mouth from here on" not in log_of(chalky)


def test_it_draws_the_mouth_in_videos_too(chalky: Server) -> None:
    body = {"faceId": "mia", "audioFormat": "pcm16", "audioBase64": base64.b64encode(hum(1.5)).decode()}
    answer = httpx.post(f"{chalky.url}/static/audio", json=body, headers={"x-simli-api-key": KEY}, timeout=60)
    film = httpx.get(answer.json()["mp4_url"], timeout=150).raise_for_status().content
    with av.open(io.BytesIO(film), "r") as container:
        chalk = [chalked(frame.to_ndarray()[:512].astype(np.uint8)) for frame in container.decode(video=0)]
    assert sum(chalk) > 5
    assert not chalk[-1]


async def test_a_wav2lip_network_runs_live(network: Path, tmp_path: Path) -> None:
    flags = ["--workers", "0", "--engine", "wav2lip", "--engine-file", str(network)]
    with serving(tmp_path / "data", flags, PATIENT) as server:
        seen = await watched(server, 2.0)
        said = log_of(server)
    assert "engine wav2lip on cpu" in said
    assert "sound waits 212 ms" in said
    assert "draws the mouth from here on" not in said
    painted, rest = max(seen, key=lambda each: _change(each.luma, seen[0].luma)), seen[0].luma
    assert _change(painted.luma, rest) > 25, "a random network paints all of the lower face"
    eyes = int(load("mia").pack.landmarks[468, 1])
    assert np.abs(painted.luma[:eyes].astype(int) - rest[:eyes]).mean() < 8, "the upper face stays the mesh's"
    assert _change(seen[-1].luma, rest) < 12


def _change(luma: Luma, rest: Luma) -> float:
    return float(np.abs(mouth_of(luma).astype(int) - mouth_of(rest)).mean())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"name": "wav2lip"}, "engine wav2lip is not set up on this server: no network file ''"),
        ({"name": "chalk", "file": "broken"}, "it does not open (RuntimeError: the chalk is wet)"),
        ({"name": "crayon"}, "engine crayon is not set up on this server: there are chalk, wav2lip"),
    ],
)
async def test_without_the_engine_the_mesh_goes_on(
    site: Path, tmp_path: Path, settings: dict[str, str], said: str
) -> None:
    with serving(tmp_path / "data", environ=environ(site, **settings)) as server:
        seen = await watched(server, 1.0)
        assert len(seen) > 5
        assert not any(chalked(picture.luma) for picture in seen)
        assert said in log_of(server)
        assert "the mesh engine draws every mouth" in log_of(server)


async def test_an_engine_that_is_too_slow_gives_way(site: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "data", environ={**environ(site, name="chalk"), **IMPATIENT}) as server:
        await watched(server, 2.0)
        assert "a picture where 1 are allowed: the mesh engine draws the mouth from here on" in log_of(server)


IMPATIENT = {"MOUTHPIECE_ENGINES_BUDGET_MS": "1", "CHALK_SECONDS": "0.005"}
