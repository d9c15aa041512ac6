"""Engines from outside: found by name, composited inside the mask, left out when they fail or take too long."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from tests.support.networks import wav2lip_file

from mouthpiece.errors import NotConfigured
from mouthpiece.face import engines
from mouthpiece.face.base import BasePicture, EngineInfo, MouthEngine, Patch
from mouthpiece.face.camera import camera_of
from mouthpiece.face.engines import FADE, PATIENCE, PAUSE_S, Budget, EngineRenderer, MouthMaker, open_engine
from mouthpiece.face.inspection import MOUTHS, luma
from mouthpiece.face.mesh_face import MeshFace, MeshRenderer
from mouthpiece.face.scenery import Scenery
from mouthpiece.face.transparent import parted
from mouthpiece.face.wav2lip import SOUND, mel
from mouthpiece.media import REST, SAMPLE_RATE, Look, MouthPose, Pcm, Picture


@dataclass
class Desk:
    """A clock that the test moves, and what somebody was told."""

    now: float = 0.0
    step: float = 0.0
    told: list[str] = field(default_factory=list)

    def clock(self) -> float:
        self.now += self.step
        return self.now

    def budget(self) -> Budget:
        return Budget(0.030, self.clock, self.told.append)


class Painter:
    """An engine that paints a green square on the mouth, or fails."""

    info = EngineInfo("painter", 320, 0, 20, "cpu", "MIT")

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails

    def prepare(self, pack: object) -> str:
        return "ready"

    def step(self, state: str, pose: MouthPose, pcm: Pcm, base: BasePicture) -> Patch:
        if self.fails:
            raise RuntimeError("no memory")
        assert (state, len(pcm)) == ("ready", 320)
        x, y = (int(v) // 2 * 2 for v in base.mouth.mean(0))
        rgb = np.zeros((16, 16, 3), np.uint8)
        rgb[..., 1] = 255
        return Patch((y - 8, y + 8, x - 8, x + 8), rgb, np.ones((16, 16), np.float32))


def painter(file: str) -> MouthEngine:
    return Painter(fails=file == "bad")


QUIET = np.zeros(320, np.int16)


def with_engine_of(face: MeshFace, look: Look, engine: MouthEngine, budget: Budget) -> EngineRenderer:
    return EngineRenderer(face.renderer(look), engine, engine.prepare(face.pack), budget)


def speaking(drawer: EngineRenderer, mouth: str, seconds: float, pcm: Pcm) -> Picture:
    drawer.hear(pcm)
    return drawer.draw(MOUTHS[mouth], seconds)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("net") / "random.onnx"
    path.write_bytes(wav2lip_file())
    return path


def voice(samples: int = SOUND) -> Pcm:
    t = np.arange(samples) / SAMPLE_RATE
    return np.asarray(8000 * np.sin(2 * np.pi * 220 * t) + 3000 * np.sin(2 * np.pi * 1800 * t), np.int16)


def test_engines_are_found_by_entry_points() -> None:
    found = [EntryPoint("painter", "tests.face.test_engines:painter", engines.GROUP)]
    assert set(engines.known(found)) == {"wav2lip", "painter"}
    assert open_engine("painter", "", found).info.licence == "MIT"
    with pytest.raises(NotConfigured, match="there are painter, wav2lip"):
        open_engine("magic", "", found)
    with pytest.raises(NotConfigured, match="pip install"):
        open_engine("painter", "", [EntryPoint("painter", "not_installed_here:engine", engines.GROUP)])


def test_an_engine_paints_only_its_region_and_only_speech(mia: MeshFace) -> None:
    look, desk = Look(mia.face_id, seed=4), Desk()
    with_engine = with_engine_of(mia, look, Painter(), desk.budget())
    plain = mia.renderer(look).draw(MOUTHS["aa"], 3.0).data.copy()
    drawn = speaking(with_engine, "aa", 3.0, QUIET)
    changed = np.argwhere(drawn.data[:512] != plain[:512])
    assert 150 < len(changed) <= 256
    assert (np.ptp(changed, axis=0) < 16).all()
    middle = changed.mean(0).astype(int)
    assert drawn.data[middle[0], middle[1]] == 145  # BT.601 green
    resting = mia.renderer(look).draw(REST, 3.0).data.copy()
    with_engine.hear(QUIET)
    assert np.array_equal(with_engine.draw(REST, 3.0).data, resting)
    assert np.array_equal(with_engine.draw(MOUTHS["aa"], 3.0).data, plain)  # no sound known: the mesh's mouth
    assert not desk.told


def test_a_failing_engine_is_left_out(mia: MeshFace) -> None:
    desk = Desk()
    drawer = with_engine_of(mia, Look(mia.face_id), Painter(fails=True), desk.budget())
    plain = mia.renderer(Look(mia.face_id)).draw(MOUTHS["E"], 1.0).data.copy()
    for _ in range(3):
        assert np.array_equal(speaking(drawer, "E", 1.0, QUIET).data, plain)
    assert desk.told == ["engine painter failed (no memory): the mesh engine draws the mouth from here on"]
    assert drawer.engine is None


def test_an_engine_beyond_its_budget_is_left_out(mia: MeshFace) -> None:
    desk = Desk(step=0.050)
    drawer = with_engine_of(mia, Look(mia.face_id), Painter(), desk.budget())
    for k in range(PATIENCE):
        assert drawer.engine is not None
        speaking(drawer, "E", k / 25, QUIET)
    assert drawer.engine is None
    assert desk.told == [
        "engine painter takes 50 ms a picture where 30 are allowed: the mesh engine draws the mouth from here on"
    ]


def test_what_an_engine_drew_last_fades_when_it_is_left_out(mia: MeshFace) -> None:
    """In equal steps, and not at once; a camera that moves ends it, for the mouth is elsewhere then."""
    for turns in (False, True):
        engine, look = Painter(), Look(mia.face_id)
        drawer, plain = with_engine_of(mia, look, engine, Desk().budget()), mia.renderer(look)
        mesh = luma(plain.draw(MOUTHS["E"], 1.0))
        jumps = [np.abs(luma(speaking(drawer, "E", 1.0, QUIET)) - mesh).max()]
        engine.fails = True
        for k in range(FADE):
            jumps.append(np.abs(luma(speaking(drawer, "E", 1.0, QUIET)) - mesh).max())
            if turns and k == 0:
                drawer.aim(camera_of(look.camera))
        assert jumps[0] > 40
        if turns:
            assert jumps[1] > 0
            assert jumps[2:] == [0] * (FADE - 1)
        else:
            assert np.allclose(jumps, [jumps[0] * (FADE - k) / FADE for k in range(FADE + 1)], atol=2)


def test_wav2lip_runs_and_repaints_the_lower_face(mia: MeshFace, network: Path) -> None:
    engine = open_engine("wav2lip", str(network))
    assert (engine.info.window, engine.info.latency_ms, engine.info.device) == (SOUND, 212, "cpu")
    look, desk = Look(mia.face_id, seed=4), Desk()
    drawer = with_engine_of(mia, look, engine, desk.budget())
    plain = luma(mia.renderer(look).draw(MOUTHS["aa"], 3.0))
    drawn = luma(speaking(drawer, "aa", 3.0, voice()))
    assert not desk.told
    changed = np.argwhere(np.abs(drawn - plain) > 3)
    mouth, eyes, chin = (mia.pack.landmarks[i, 1] for i in (13, 468, 152))
    assert len(changed) > 2000
    assert changed[:, 0].min() > eyes + 0.3 * (mouth - eyes)  # eyes and forehead stay the mesh's
    assert changed[:, 0].max() < chin + 20
    quiet = luma(speaking(drawer, "aa", 3.0, np.zeros(SOUND, np.int16)))
    assert np.abs(quiet - drawn).max() > 1  # it listens


def test_network_files_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="no network file"):
        open_engine("wav2lip", str(tmp_path / "none.onnx"))
    (tmp_path / "text.onnx").write_text("not a network")
    (tmp_path / "other.onnx").write_bytes(wav2lip_file(frames="pictures"))
    for name in ("text.onnx", "other.onnx"):
        with pytest.raises(NotConfigured, match="is not a Wav2Lip network"):
            open_engine("wav2lip", str(tmp_path / name))


def test_the_spectrogram_has_its_peak_where_the_tone_is() -> None:
    assert mel(np.zeros(SOUND, np.int16)).max() == pytest.approx(-4)
    tone = mel((10_000 * np.sin(2 * np.pi * 1000 * np.arange(SOUND) / SAMPLE_RATE)).astype(np.int16))
    assert tone.shape == (80, 16)
    assert np.abs(np.argmax(tone, axis=0) - 24).max() <= 2
    assert -4 <= tone.min() < tone.max() <= 4


# --- what makes the renderers of a process ----------------------------------------------------------------------------
class Picky(Painter):
    """Cannot use anybody's face."""

    def prepare(self, pack: object) -> str:
        raise ValueError("too few teeth")


def test_a_maker_makes_renderers_with_the_engine(mia: MeshFace) -> None:
    desk, look = Desk(), Look(mia.face_id)
    maker = MouthMaker(Painter(), desk.budget())
    assert (maker.info.name, maker.info.hears) == ("painter", (0, 320))
    assert isinstance(maker.renderer(mia, look), MeshRenderer), "the engine has not seen the face"
    maker.prepare(mia)
    assert isinstance(maker.renderer(mia, look), EngineRenderer)


def test_an_engine_that_was_left_out_is_not_tried_for_a_while(mia: MeshFace) -> None:
    desk, look = Desk(), Look(mia.face_id)
    maker = MouthMaker(Painter(fails=True), desk.budget())
    maker.prepare(mia)
    first = maker.renderer(mia, look)
    assert isinstance(first, EngineRenderer)
    speaking(first, "aa", 1.0, QUIET)
    assert isinstance(maker.renderer(mia, look), MeshRenderer)
    desk.now += PAUSE_S + 1
    assert isinstance(maker.renderer(mia, look), EngineRenderer)
    assert len(desk.told) == 1


def test_an_engine_that_cannot_use_a_face_leaves_it_to_the_mesh(mia: MeshFace) -> None:
    desk = Desk()
    maker = MouthMaker(Picky(), desk.budget())
    maker.prepare(mia)
    assert desk.told == ["engine painter cannot use face Mia (too few teeth): the mesh engine does"]
    assert isinstance(maker.renderer(mia, Look(mia.face_id)), MeshRenderer)


def test_a_foreground_lies_over_the_engines_mouth_and_the_matte_stays(mia: MeshFace) -> None:
    layer = np.zeros((512, 512, 4), np.uint8)
    layer[:, :256] = (0, 0, 0, 255)
    maker = MouthMaker(Painter(), Desk().budget())
    maker.prepare(mia)
    look = Look(mia.face_id, transparent=True)
    drawer = maker.renderer(mia, look, Scenery(foreground=layer))
    assert isinstance(drawer, EngineRenderer)
    colours, opacity = parted(speaking(drawer, "aa", 3.0, QUIET))
    green = luma(colours)[260:340] == 145
    assert green.sum() > 60
    assert not green[:, :256].any()
    assert (opacity[:, :256] == 255).all()
    assert opacity[:20, 300:].max() == 0


def test_a_patch_beyond_the_person_does_not_stay(mia: MeshFace) -> None:
    class Corner(Painter):
        def step(self, state: str, pose: MouthPose, pcm: Pcm, base: BasePicture) -> Patch:
            return Patch((0, 8, 0, 8), np.full((8, 8, 3), 255, np.uint8), np.ones((8, 8), np.float32))

    drawer = with_engine_of(mia, Look(mia.face_id), Corner(), Desk().budget())
    before = drawer.draw(REST, 1.0).data[:8, :8].copy()
    assert (speaking(drawer, "aa", 2.0, QUIET).data[:8, :8] == 235).all()
    assert np.array_equal(drawer.draw(REST, 3.0).data[:8, :8], before)


def test_an_engine_that_does_not_open_is_told_in_our_words() -> None:
    with pytest.raises(NotConfigured, match="it does not open"):
        open_engine("bad", "", [EntryPoint("bad", "tests.face.test_engines:not_there", engines.GROUP)])
