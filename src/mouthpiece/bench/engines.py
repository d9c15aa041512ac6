"""What a mouth engine costs beside the mesh engine: milliseconds of one thread a picture, at 512 x 512."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import mean

import numpy as np

from mouthpiece.bench.report import Cell, Report, at_most
from mouthpiece.face.base import MouthEngine
from mouthpiece.face.catalog import SHIPPED, load
from mouthpiece.face.engines import Budget, EngineRenderer, open_engine
from mouthpiece.face.inspection import MOUTHS
from mouthpiece.media import Look, Pcm, Picture

Draw = Callable[[int], Picture]


def run(engine: str, file: str, pictures: int, say: Callable[[str], None]) -> Report:
    """Both engines on a shipped face, each talking; the best of three rounds. Raises NotConfigured."""
    face, look = load(SHIPPED[0].alias), Look(SHIPPED[0].face_id, seed=5)
    opened = open_engine(engine, file)
    budget = Budget(float("inf"), time.perf_counter, say)
    drawer = EngineRenderer(face.renderer(look), opened, opened.prepare(face.pack), budget)
    plain, poses, pcm = face.renderer(look), list(MOUTHS.values())[1:], _noise(opened)

    def draw(k: int) -> Picture:
        drawer.hear(pcm)
        return drawer.draw(poses[k % 14], k / 25)

    say(f"{opened.info.name} on {opened.info.device}, {opened.info.licence}")
    report = Report("engines")
    ways: tuple[tuple[str, int, Draw], ...] = (
        ("mesh", 0, lambda k: plain.draw(poses[k % 14], k / 25)),
        (opened.info.name, opened.info.latency_ms, draw),
    )
    for name, latency, way in ways:
        spent = min(_cost(way, pictures) for _ in range(3))
        row: dict[str, Cell] = {"engine": name, "ms_a_picture": round(1000 * spent, 2), "latency_ms": latency}
        report.rows.append(row | {"share_of_a_core_at_25": round(25 * spent, 3)})
    report.aims.append(at_most("mesh engine, a picture", 2.5, float(report.rows[0]["ms_a_picture"] or 0), " ms"))
    if drawer.engine is None:
        report.notes.append("the engine failed: its row shows the mesh alone")
    return report


def _cost(draw: Draw, pictures: int) -> float:
    draw(0)
    times = []
    for k in range(pictures):
        began = time.process_time()
        draw(k)
        times.append(time.process_time() - began)
    return mean(times)


def _noise(engine: MouthEngine) -> Pcm:
    return np.random.default_rng(1).integers(-6000, 6000, engine.info.window).astype(np.int16)
