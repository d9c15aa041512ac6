"""The rule for what a path carries."""

from __future__ import annotations

from mouthpiece.transport.bitrate import BitrateRule


def rule() -> BitrateRule:
    return BitrateRule(start=500_000, floor=150_000, ceiling=1_500_000)


def test_no_loss_grows_gently_up_to_the_ceiling() -> None:
    subject = rule()
    told = [aim for _ in range(60) if (aim := subject.loss(0.0)) is not None]
    assert told[0] == 525_000
    assert told == sorted(told)
    assert told[-1] == 1_500_000
    assert subject.loss(0.0) is None


def test_heavy_loss_cuts_down_to_the_floor() -> None:
    subject = rule()
    assert subject.loss(0.2) == 450_000
    told = [aim for _ in range(60) if (aim := subject.loss(0.5)) is not None]
    assert told[-1] == 150_000
    assert min(told) == 150_000


def test_a_little_loss_changes_nothing() -> None:
    assert rule().loss(0.05) is None


def test_the_receivers_estimate_bounds_our_own() -> None:
    subject = rule()
    assert subject.estimate(300_000) == 300_000
    assert subject.loss(0.0) is None
    assert subject.estimate(100_000) == 150_000
    assert subject.estimate(10_000_000) == 525_000


def test_small_changes_are_not_worth_telling() -> None:
    subject = rule()
    assert subject.estimate(490_000) is None
    assert subject.estimate(470_000) == 470_000


def test_loss_counts_however_high_the_estimate() -> None:
    subject = rule()
    subject.estimate(2_000_000)
    assert subject.loss(0.3) == 425_000
