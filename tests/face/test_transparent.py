"""Transparent looks: opacity beside the colours, exact where the person is, straight at soft edges."""

from __future__ import annotations

import numpy as np
import pytest

from mouthpiece.face.camera import Camera
from mouthpiece.face.inspection import MOUTHS, luma
from mouthpiece.face.mesh_face import MeshFace
from mouthpiece.face.rig import Bytes
from mouthpiece.face.scenery import Scenery
from mouthpiece.face.transparent import parted
from mouthpiece.media import Look, Picture

WHITE = np.full((512, 512, 3), 255, np.uint8)


def drawn(face: MeshFace, look: Look, mouth: str = "aa", scenery: Scenery | None = None) -> Picture:
    picture = face.renderer(look, scenery).draw(MOUTHS[mouth], 2.0)
    return Picture(picture.data.copy())


def over(picture: Picture, background: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """The luma of a transparent picture laid over one grey."""
    colours, opacity = parted(picture)
    share = opacity / 255
    return luma(colours) * share + background * (1 - share)


def clear(face: MeshFace, **more: object) -> Look:
    return Look(face.face_id, transparent=True, **more)  # type: ignore[arg-type]


def middle(face: MeshFace, opacity: Bytes) -> Bytes:
    """The opacity inside the face's oval, at rest and shrunk."""
    x, y = face.pack.landmarks[[234, 454, 10, 152], :2].T
    return opacity[int(y[2]) + 25 : int(y[3]) - 25, int(x[0]) + 40 : int(x[1]) - 40]


def test_the_person_is_opaque_and_nobody_is_clear(face: MeshFace) -> None:
    drawer = face.renderer(clear(face))
    for mouth in ("sil", "aa", "O", "TH"):
        picture = drawer.draw(MOUTHS[mouth], 2.0)
        assert (picture.width, picture.height) == (1024, 512) == clear(face).picture_size
        colours, opacity = parted(picture)
        assert (colours.width, colours.height) == (512, 512)
        assert middle(face, opacity).size > 10_000
        assert middle(face, opacity).min() == 255
        assert opacity[:20].max() == opacity[:200, :40].max() == 0
        assert 0.002 < ((opacity > 0) & (opacity < 255)).mean() < 0.03
        greys = picture.data[512:].reshape(2, 256, 512)[:, :, 256:]
        assert (greys == 128).all()


def test_over_a_background_it_is_what_the_renderer_draws_there(face: MeshFace) -> None:
    there = luma(drawn(face, Look(face.face_id), scenery=Scenery(WHITE)))
    difference = np.abs(over(drawn(face, clear(face)), 235.0) - there)
    assert difference.mean() < 0.2
    assert np.percentile(difference, 99.9) < 4


def test_its_own_background_is_nowhere_in_it(mia: MeshFace) -> None:
    plain = drawn(mia, clear(mia))
    with_background = drawn(mia, clear(mia, background="x"), scenery=Scenery(WHITE))
    assert np.array_equal(plain.data, with_background.data)
    colours, opacity = parted(plain)
    assert (luma(colours)[opacity == 0] == 126).all()


def test_a_foreground_is_opaque_where_it_is(mia: MeshFace) -> None:
    layer = np.zeros((512, 512, 4), np.uint8)
    layer[:100, :100] = (255, 255, 255, 255)
    layer[400:, 200:300] = (0, 0, 0, 128)
    layer[:50, 400:] = (255, 255, 255, 128)
    colours, opacity = parted(drawn(mia, clear(mia), scenery=Scenery(foreground=layer)))
    assert (opacity[:100, :100] == 255).all()
    assert luma(colours)[:100, :100].min() > 233
    assert (opacity[500:, 240:260] == 255).all()  # half a foreground over the whole person
    assert np.abs(opacity[:50, 410:].astype(int) - 128).max() <= 1
    assert luma(colours)[:50, 410:].min() > 232  # straight: white, not half white


def test_the_matte_follows_the_camera(mia: MeshFace) -> None:
    drawer = mia.renderer(clear(mia))
    near = parted(drawer.draw(MOUTHS["sil"], 1.0))[1].mean()
    drawer.aim(Camera(zoom=0.5))
    far = parted(drawer.draw(MOUTHS["sil"], 1.0))[1].mean()
    assert far == pytest.approx(near / 4, rel=0.1)


def test_a_picture_of_another_shape(mia: MeshFace) -> None:
    look = clear(mia, width=910, height=512)
    picture = drawn(mia, look)
    assert (picture.width, picture.height) == (1820, 512)
    assert parted(picture)[1][:, :100].max() == 0
