"""Counting."""

from mouthpiece.live.stats import BOUNDS_MS, Histogram


def test_quantiles_fall_into_their_bucket() -> None:
    h = Histogram()
    for _ in range(99):
        h.add(0.0007)
    h.add(0.100)
    assert 0.5 <= h.quantile(0.5) <= 1.0
    assert 80 <= h.quantile(0.995) <= 160
    assert h.count == 100


def test_what_is_beyond_the_last_bound_is_counted() -> None:
    h = Histogram()
    h.add(BOUNDS_MS[-1])
    assert h.counts[-1] == 1
    assert Histogram().quantile(0.99) == 0.0
