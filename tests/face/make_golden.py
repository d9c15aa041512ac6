"""Write the golden face pictures anew, after looking at them: ``python tests/face/make_golden.py``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from mouthpiece.face.catalog import SHIPPED, load
from mouthpiece.face.inspection import MOUTHS, rgb
from mouthpiece.media import Look

for shipped in SHIPPED:
    shown = rgb(load(shipped.alias).renderer(Look(shipped.face_id, seed=7)).draw(MOUTHS["E"], 12.34))
    small = shown.reshape(64, 8, 64, 8, 3).mean((1, 3)).round().astype(np.uint8)
    Image.fromarray(small).save(Path(__file__).parent.parent / "golden" / f"face-{shipped.alias}.png")
