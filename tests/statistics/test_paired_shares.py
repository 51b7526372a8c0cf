"""Tango's score interval against published values, a search for its ends, and what it is used for: excluding losses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from homeground.statistics import classification
from homeground.statistics.paired_shares import ShareChange, share_change


def change(gained: float, lost: float, units: float) -> ShareChange:
    return ShareChange(gained, lost, units, math.ceil(gained + lost))


@pytest.mark.parametrize(
    ("gained", "lost", "units", "level", "low", "high"),
    [
        # Tango (1998), section 6.2: 32 patients, and the lower end of section 6.1: 44 pairs of lenses.
        (9, 3, 32, 0.95, -0.027, 0.390),
        (0, 1, 44, 0.90, -0.096, None),
        # Fagerland, Lydersen & Laake (2014), Statistics in Medicine 33(16): airways of 21 children.
        (1, 7, 21, 0.95, -0.517, -0.026),
    ],
)
def test_the_interval_is_the_published_one(
    gained: int, lost: int, units: int, level: float, low: float, high: float | None
) -> None:
    ends = change(gained, lost, units).interval(level)
    assert ends[0] == pytest.approx(low, abs=5e-4)
    assert high is None or ends[1] == pytest.approx(high, abs=5e-4)


def score_by_likelihood(difference: float, gained: float, lost: float, units: float) -> float:
    """Return the score statistic with the constrained likelihood maximized numerically, without Tango's formula."""

    def unlikelihood(share_lost: float) -> float:
        parts = ((gained, share_lost + difference), (lost, share_lost), (units - gained - lost, None))
        shares = [share for _, share in parts if share is not None]
        rest = 1 - sum(shares)
        counted = [(count, rest if share is None else share) for count, share in parts]
        return -sum(count * math.log(max(share, 1e-300)) for count, share in counted if count)

    bounds = max(0.0, -difference), (1 - difference) / 2
    share = minimize_scalar(unlikelihood, bounds=bounds, method="bounded", options={"xatol": 1e-13}).x
    return (gained - lost - units * difference) / math.sqrt(units * (2 * share + difference - difference**2))


@pytest.mark.parametrize(("gained", "lost", "units"), [(9, 3, 32), (5, 1, 40), (12, 30, 300), (3, 3, 100), (20, 2, 60)])
def test_at_both_ends_the_score_is_the_quantile_of_the_normal_distribution(gained: int, lost: int, units: int) -> None:
    low, high = change(gained, lost, units).interval()
    z = norm.ppf(0.975)
    assert score_by_likelihood(low, gained, lost, units) == pytest.approx(z, abs=1e-4)
    assert score_by_likelihood(high, gained, lost, units) == pytest.approx(-z, abs=1e-4)


def test_without_a_change_the_interval_has_a_width_that_falls_with_the_units() -> None:
    # With nothing gained and nothing lost the ends are z² / (n + z²).
    z2 = norm.ppf(0.975) ** 2
    for units in (30, 50, 381):
        assert change(0, 0, units).interval() == pytest.approx((-z2 / (units + z2), z2 / (units + z2)), abs=1e-9)


def test_gaining_and_losing_are_mirror_images_and_stay_inside_the_range() -> None:
    for gained, lost, units in ((0, 20, 20), (0, 0, 1), (3, 9, 32), (20, 20, 40)):
        low, high = change(gained, lost, units).interval()
        assert -1 <= low <= (gained - lost) / units <= high <= 1
        assert change(lost, gained, units).interval() == pytest.approx((-high, -low), abs=1e-9)
    assert change(0, 0, 0).interval() == (-1, 1)


def test_the_units_that_exclude_a_loss_exclude_it_and_one_fewer_does_not() -> None:
    for gained, lost, units in ((0, 0, 40), (2, 1, 60), (10, 8, 300)):
        needed = change(gained, lost, units).units_to_exclude(0.01)
        assert needed is not None
        lows = [change(gained * n / units, lost * n / units, n).interval()[0] for n in (needed, needed - 1)]
        assert lows[0] > -0.01 >= lows[1]
    assert change(0, 5, 100).units_to_exclude(0.01) is None
    assert change(0, 0, 0).units_to_exclude(0.01) is None


def mean(sums: np.ndarray) -> np.ndarray:
    return sums[..., 1] / sums[..., 0]


def statistics(right: np.ndarray) -> np.ndarray:
    return np.stack([np.ones(len(right)), right.astype(float)], axis=1)


def test_single_texts_count_as_they_are() -> None:
    before, after = np.zeros(60), np.zeros(60)
    before[:4], after[4:13] = 1, 1
    assert share_change(statistics(before), statistics(after), mean, np.arange(60)) == ShareChange(9, 4, 60, 13)


def test_a_unit_counts_once_and_gains_and_losses_inside_it_cancel() -> None:
    units = np.repeat(np.arange(30), 4)
    before, after = np.zeros(120), np.zeros(120)
    after[0:4] = 1  # unit 0: all four gained
    before[4:6], after[6:8] = 1, 1  # unit 1: two lost, two gained
    before[8] = 1  # unit 2: one of four lost
    changed = share_change(statistics(before), statistics(after), mean, units)
    assert changed == ShareChange(gained=1.0, lost=0.25, units=30.0, discordant=2)


def test_units_of_unequal_size_count_as_their_effective_number() -> None:
    units = np.repeat(np.arange(30), [31, *[1] * 29])
    before = np.zeros(60)
    changed = share_change(statistics(before), statistics(before + 1), mean, units)
    effective = 60**2 / (31**2 + 29)
    assert (changed.units, changed.gained) == pytest.approx((effective, effective))
    assert changed.discordant == 30


def test_small_changes_of_every_unit_count_little_but_are_all_discordant() -> None:
    before = np.full(200, 0.5)
    after = before + np.where(np.arange(200) % 2, 0.01, -0.01)
    changed = share_change(statistics(before), statistics(after), mean, np.arange(200))
    assert (changed.gained, changed.lost, changed.discordant) == (1.0, 1.0, 200)


def test_macro_f1_counts_a_change_between_wrong_classes_and_the_rare_class_for_more() -> None:
    labels = np.r_[np.zeros(90, int), np.ones(9, int), 2]
    sure = np.eye(3)
    before = classification.statistics(sure[labels], labels)
    other = sure[np.where(np.arange(100) == 95, 0, labels)]
    after = classification.statistics(other, labels)
    metric = classification.metrics(3)["macro_f1"]
    true = before[:, 6:9]
    sizes = (true / true.sum(axis=0)).sum(axis=1)
    changed = share_change(before, after, metric, np.arange(100), sizes=sizes)
    assert changed.units == pytest.approx(3**2 / (1 / 90 + 1 / 9 + 1))
    difference = float(metric(after.sum(0)) - metric(before.sum(0)))
    assert (changed.gained - changed.lost) / changed.units == pytest.approx(difference, rel=0.02)
    assert changed.discordant == 1
    swapped = classification.statistics(sure[np.where(np.arange(100) == 95, 2, labels)], labels)
    assert share_change(after, swapped, metric, np.arange(100), sizes=sizes).discordant == 1
    # Right and wrong stay as they are, so accuracy does not change.
    accuracy = classification.metrics(3)["accuracy"]
    assert share_change(after, swapped, accuracy, np.arange(100)).discordant == 0


def test_a_true_loss_of_twice_the_margin_is_excluded_in_at_most_one_case_in_twenty() -> None:
    random = np.random.default_rng(0)
    for units in (30, 50, 100, 300, 1000):
        lost = random.binomial(units, 0.02, 2000)
        values, counts = np.unique(lost, return_counts=True)
        kept = [change(0, int(count), units).interval()[0] > -0.01 for count in values]
        assert counts[kept].sum() / 2000 <= 0.05
