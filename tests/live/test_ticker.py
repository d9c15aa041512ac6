"""The worker's clock, on a clock that the test moves."""

from mouthpiece.live.ticker import Ticker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def ticker(clock: Clock) -> tuple[Ticker, list[tuple[int, float]]]:
    ticks: list[tuple[int, float]] = []
    it = Ticker(lambda k, due: ticks.append((k, round(due - 100.0, 3))), clock)
    it._origin = clock.now
    return it, ticks


def test_ticks_lie_on_a_grid_however_late_they_run() -> None:
    clock = Clock()
    it, ticks = ticker(clock)
    for at in (100.0, 100.0213, 100.0799, 100.0801):
        clock.now = at
        it.run_due()
    assert ticks == [(0, 0.0), (1, 0.02), (2, 0.04), (3, 0.06), (4, 0.08)]


def test_short_stall_is_made_up() -> None:
    clock = Clock()
    it, ticks = ticker(clock)
    clock.now += 0.9
    it.run_due()
    assert [k for k, _ in ticks] == list(range(46))
    assert it.skipped == 0


def test_long_stall_is_skipped_and_counted() -> None:
    clock = Clock()
    it, ticks = ticker(clock)
    clock.now += 3600.0
    it.run_due()
    assert len(ticks) == 1
    assert it.skipped == 180_000
    assert 3599.9 < ticks[0][1] <= 3600.0
