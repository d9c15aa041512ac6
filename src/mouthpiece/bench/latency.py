"""How long people wait: for the first picture, for the first sound and the first open mouth, and for silence."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from mouthpiece.bench.report import Aim, Cell, Report, at_most
from mouthpiece.bench.server import KEY, Server, running
from mouthpiece.bench.speech import speech
from mouthpiece.bench.viewer import Plan, outcome, watching
from mouthpiece.errors import NotConfigured

QUIET_MS = 5_000
FLAGS = (
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-gpu",
)


def run(rounds: int, say: Callable[[str], None]) -> Report:
    """Over loopback: Python peers for the first picture, Chromium for what is seen and heard."""
    report = Report("latency")
    with running(["--workers", "0"]) as server:
        first = [_first_picture(server) for _ in range(rounds)]
        report.rows.append(_row("offer to first picture, Python peer", first))
        report.aims.append(at_most("offer to first picture, p50 ms", 400, _p(first, 50)))
        say(f"first picture: {_p(first, 50):.0f} ms")
        try:
            _in_chromium(server, rounds, report)
        except NotConfigured as missing:
            report.notes.append(str(missing))
    return report


def _first_picture(server: Server) -> float:
    with watching(Plan(server.url, KEY, seconds=0.2, warm_s=0.8)) as viewers:
        seen = outcome(viewers).viewers[0].first_picture_ms
    return float("inf") if seen is None else seen


def _in_chromium(server: Server, rounds: int, report: Report) -> None:
    got = _measure(server, rounds)
    columns = {name: [float(one[f"{name}_ms"]) for one in got["rounds"]] for name in ("sound", "mouth", "skip")}
    gaps = [float(gap) for gap in got["playout_gap_ms"] if gap is not None]
    report.rows += [
        _row("offer to first picture, Chromium", [float(got["first_picture_ms"])]),
        _row("sent to first sound, Chromium", columns["sound"]),
        _row("sent to mouth 30 % open, Chromium", columns["mouth"]),
        _row("SKIP to silence, Chromium", columns["skip"]),
    ]
    report.aims += _chromium_aims(columns)
    if gaps:
        report.rows.append(_row("picture after sound, by Chromium's own estimate", gaps))


def _chromium_aims(columns: dict[str, list[float]]) -> list[Aim]:
    aims = []
    for name in ("sound", "mouth"):
        aims.append(at_most(f"sent to {name}, p50 ms", 150, _p(columns[name], 50)))
        aims.append(at_most(f"sent to {name}, p95 ms", 200, _p(columns[name], 95)))
    return [*aims, at_most("SKIP to silence, p95 ms", 100, _p(columns["skip"], 95))]


def _measure(server: Server, rounds: int) -> dict[str, Any]:
    """Drive the page. Raises NotConfigured without playwright or a browser."""
    browser = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        browser = None
    if browser is None:
        raise NotConfigured(what="Chromium", remedy="install playwright and a Chromium for these rows")
    pcm = speech("Apples and oranges are on all our orders, always.")
    pcm = pcm[np.flatnonzero(np.abs(pcm) > 300)[0] :]  # onset at sample 0
    plan = {
        "key": KEY, "face": "tmp9i8bbq7c", "rounds": rounds, "quietMs": QUIET_MS,
        "pcm64": base64.b64encode(pcm.tobytes()).decode(),
    }  # fmt: skip
    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=browser, args=list(FLAGS))
        page = chrome.new_page()
        page.set_default_timeout(300_000)
        page.goto(f"{server.url}/healthz")
        page.add_script_tag(content=(files("mouthpiece.bench") / "latency.js").read_text())
        got: dict[str, Any] = page.evaluate("(plan) => window.measure(plan)", plan)
        chrome.close()
    return got


def _p(values: Sequence[float], q: float) -> float:
    return float(np.percentile(values, q))


def _row(what: str, values: Sequence[float]) -> dict[str, Cell]:
    return {
        "what": what,
        "n": len(values),
        "p50_ms": round(_p(values, 50), 1),
        "p95_ms": round(_p(values, 95), 1),
        "min_ms": round(min(values), 1),
        "max_ms": round(max(values), 1),
    }
