"""The painter's own thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from tests.support.studio import TinyEncoder, TinyFace

from mouthpiece.live.painter import Canvas, Painted, Painter, Stroke
from mouthpiece.live.stats import Stats
from mouthpiece.media import REST, EncodedPicture


class Loop:
    """Collects what the painter posts."""

    def __init__(self) -> None:
        self.results: list[tuple[str, Painted]] = []
        self.arrived = threading.Semaphore(0)

    def deliver(self, name: str, painted: Painted) -> None:
        self.results.append((name, painted))
        self.arrived.release()

    def wait(self, n: int) -> None:
        for _ in range(n):
            assert self.arrived.acquire(timeout=10)


@pytest.fixture
def painter() -> Iterator[Painter]:
    it = Painter(lambda call: call(), Stats())
    yield it
    it.close()


def canvas(face: TinyFace | None = None) -> Canvas:
    return Canvas(lambda: face or TinyFace(), TinyEncoder, 500_000)


def stroke(sample: int = 0, late: float = 0.0) -> Stroke:
    return Stroke(REST, 0.0, sample, time.monotonic() - late)


def test_picture_is_made_off_the_callers_thread(painter: Painter) -> None:
    loop = Loop()
    threads: list[str] = []
    face = TinyFace()
    face.drawn = _Spy(threads)
    painter.paint(canvas(face), stroke(), lambda p: loop.deliver("a", p))
    loop.wait(1)
    assert threads == ["painter"]
    assert isinstance(loop.results[0][1], EncodedPicture)


class _Spy(list[float]):
    def __init__(self, threads: list[str]) -> None:
        self._threads = threads

    def append(self, _: float) -> None:
        self._threads.append(threading.current_thread().name)


def test_picture_over_40_ms_late_is_not_drawn(painter: Painter) -> None:
    loop, face = Loop(), TinyFace()
    painter.paint(canvas(face), stroke(late=0.041), lambda p: loop.deliver("late", p))
    painter.paint(canvas(face), stroke(), lambda p: loop.deliver("ok", p))
    loop.wait(2)
    results = dict(loop.results)
    assert results["late"] is None
    assert isinstance(results["ok"], EncodedPicture)
    assert len(face.drawn) == 1


def test_failure_is_delivered_and_the_thread_goes_on(painter: Painter) -> None:
    loop = Loop()
    painter.paint(canvas(TinyFace(fails=True)), stroke(), lambda p: loop.deliver("bad", p))
    painter.paint(canvas(), stroke(), lambda p: loop.deliver("good", p))
    loop.wait(2)
    results = dict(loop.results)
    assert isinstance(results["bad"], RuntimeError)
    assert isinstance(results["good"], EncodedPicture)


def test_expensive_canvas_waits_behind_cheap_ones(painter: Painter) -> None:
    loop, gate = Loop(), threading.Event()
    slow = canvas()
    slow.cost_s = 0.030
    now = time.monotonic() + 5
    painter.paint(canvas(_Gate(gate)), stroke(), lambda p: loop.deliver("gate", p))
    painter.paint(slow, Stroke(REST, 0, 0, now), lambda p: loop.deliver("slow", p))
    painter.paint(canvas(), Stroke(REST, 0, 0, now + 0.010), lambda p: loop.deliver("cheap", p))
    gate.set()
    loop.wait(3)
    assert [name for name, _ in loop.results] == ["gate", "cheap", "slow"]


class _Gate(TinyFace):
    """Holds the painter until the queue behind it is filled."""

    def __init__(self, gate: threading.Event) -> None:
        super().__init__()
        self.gate = gate
        self.drawn = _Waiter(gate)


class _Waiter(list[float]):
    def __init__(self, gate: threading.Event) -> None:
        self._gate = gate

    def append(self, _: float) -> None:
        assert self._gate.wait(10)


def test_picture_older_than_the_last_is_not_encoded() -> None:
    stats, each = Stats(), canvas()
    assert each.paint(stroke(640), stats) is not None
    assert each.paint(stroke(0), stats) is None


def test_bitrate_change_reaches_the_open_encoder() -> None:
    made: list[TinyEncoder] = []

    def encoder(bitrate: int) -> TinyEncoder:
        made.append(TinyEncoder(bitrate))
        return made[-1]

    each = Canvas(TinyFace, encoder, 500_000)
    each.paint(stroke(0), Stats())
    each.bitrate = 200_000
    each.paint(stroke(640), Stats())
    assert [e.bitrate for e in made] == [200_000]


def test_close_finishes_what_is_queued() -> None:
    loop = Loop()
    painter = Painter(lambda call: call(), Stats())
    for n in range(20):
        painter.paint(canvas(), stroke(n), lambda p: loop.deliver("x", p))
    painter.close()
    assert len(loop.results) == 20
