"""Somebody else's mouth engine as a real distribution: a wheel, installed into a folder of its own."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

CODE = '''
import os
import time
import numpy as np
from mouthpiece.face.base import EngineInfo, Patch

class Chalk:
    """A white square over the mouth."""

    info = EngineInfo("chalk", 1600, 800, 50, "cpu", "public domain")

    def prepare(self, pack):
        return pack.face_id

    def step(self, state, pose, pcm, base):
        time.sleep(float(os.environ.get("CHALK_SECONDS", "0")))
        assert pcm.shape == (1600,)
        x, y = (int(v) // 2 * 2 for v in base.mouth.mean(0))
        side = 12
        rgb = np.full((2 * side, 2 * side, 3), 255, np.uint8)
        return Patch((y - side, y + side, x - side, x + side), rgb, np.ones((2 * side, 2 * side), np.float32))

def engine(file):
    if file == "broken":
        raise RuntimeError("the chalk is wet")
    return Chalk()
'''
METADATA = "Metadata-Version: 2.1\nName: chalk-mouth\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
ENTRY_POINTS = "[mouthpiece.engines]\nchalk = chalk_mouth:engine\n"


def installed(folder: Path) -> Path:
    """A folder for PYTHONPATH with the distribution in it."""
    wheel, site = folder / "chalk_mouth-1.0-py3-none-any.whl", folder / "site"
    info = "chalk_mouth-1.0.dist-info"
    files = {
        "chalk_mouth.py": CODE,
        f"{info}/METADATA": METADATA,
        f"{info}/WHEEL": WHEEL,
        f"{info}/entry_points.txt": ENTRY_POINTS,
    }
    record = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in (files | {f"{info}/RECORD": record}).items():
            archive.writestr(name, text)
    uv = [sys.executable, "-m", "uv", "--quiet", "pip", "install", "--offline", "--no-deps", "--target", str(site)]
    subprocess.run([*uv, str(wheel)], check=True, timeout=120)
    return site
