"""What memory sessions take, and whether any of it stays behind."""

from __future__ import annotations

from collections.abc import Callable

from mouthpiece.bench.apart import wait_for
from mouthpiece.bench.report import Report, at_most
from mouthpiece.bench.server import KEY, Server, running
from mouthpiece.bench.viewer import Plan, outcome, watching

FURTHER = 7
BATCH = 4


def run(cycles: int, say: Callable[[str], None]) -> Report:
    """Resident memory of the server: empty, with one session, with more, and after many came and went."""
    with running(["--workers", "0"]) as server:
        empty = server.rss_mb()
        one = _rss_during(server, 1)
        many = _rss_during(server, 1 + FURTHER)
        say(f"one session: {one:.1f} MB, {1 + FURTHER}: {many:.1f} MB")
        rows = [_row("no session yet", empty), _row("one session", one), _row(f"{1 + FURTHER} sessions", many)]
        after = []
        for done in range(BATCH, cycles + 1, BATCH):
            _rss_during(server, BATCH, seconds=0.2)
            after.append(server.rss_mb())
            if done % (5 * BATCH) == 0:
                say(f"after {done} sessions: {after[-1]:.1f} MB")
                rows.append(_row(f"after {done} came and went", after[-1]))
    growth = _growth(after)
    aims = [
        at_most("each further session, MB", 20.0, (many - one) / FURTHER),
        at_most(f"growth over the second half of {cycles} sessions, MB", 10.0, growth),
    ]
    return Report("memory", rows, aims, ["resident set of the server process, pictures 512x512"])


def _row(what: str, mb: float) -> dict[str, str | int | float | None]:
    return {"state": what, "rss_mb": round(mb, 1)}


def _rss_during(server: Server, sessions: int, seconds: float = 2.0) -> float:
    with watching(Plan(server.url, KEY, sessions, seconds, warm_s=0.5)) as viewers:
        wait_for(viewers, "measured")
        rss = server.rss_mb()
        outcome(viewers)
    return rss


def _growth(after: list[float]) -> float:
    """Difference of the means of the last and the third quarter: what still grows once all caches are warm."""
    quarter = max(1, len(after) // 4)
    return sum(after[-quarter:]) / quarter - sum(after[-2 * quarter : -quarter] or after[:1]) / quarter
