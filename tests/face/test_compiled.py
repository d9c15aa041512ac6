"""Nothing compiles once a face has been drawn: not for another size, mood, mouth or face."""

from __future__ import annotations

from numba.core import event

from mouthpiece.face import kernels, placing
from mouthpiece.face.catalog import SHIPPED, load, warm
from mouthpiece.face.inspection import MOUTHS, renderer


def test_nothing_compiles_after_warming() -> None:
    warm()
    with event.install_recorder("numba:compile") as seen:
        for shipped in SHIPPED:
            drawer = renderer(load(shipped.alias), 320, 180)
            for k, pose in enumerate(MOUTHS.values()):
                drawer.draw(pose, 0.21 * k)
            load(shipped.alias).lip_gap(MOUTHS["aa"])
    assert not seen.buffer


def test_entry_points_refuse_unknown_types() -> None:
    for module, name in ((placing, "place"), (placing, "deform"), (kernels, "paint"), (kernels, "convert")):
        entry = getattr(module, name)
        assert len(entry.signatures) == 1
        assert not entry._can_compile
