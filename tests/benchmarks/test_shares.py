"""Where little changes or nearly all is right, what is said stays true: small simulations of benchmarks/calibration."""

from __future__ import annotations

import pytest
from benchmarks.calibration.shares import better_by_ece, checkpoints, kept, own

from homeground.statistics.holm import level_of_best


@pytest.mark.parametrize(("units", "gained"), [(30, 0.0), (50, 0.0), (100, 0.02), (300, 0.0)])
def test_a_share_that_lost_twice_the_margin_is_hardly_ever_kept(units: int, gained: float) -> None:
    by_resamples, with_tango = kept(units, 0.02, gained, 300)
    # Binomial(300, 0.05): 23 or more once in 50 cases.
    assert with_tango <= 23 / 300
    assert by_resamples > 0.4 or units > 30


@pytest.mark.parametrize(
    ("units", "probability", "per_unit"), [(30, 0.98, 1), (50, 0.9, 1), (100, 0.5, 1), (50, 0.98, 4), (30, 1.0, 1)]
)
def test_the_interval_of_a_share_contains_it_as_often_as_it_says(units: int, probability: float, per_unit: int) -> None:
    by_resamples, shown = own(units, probability, 200, per_unit)
    # Binomial(200, 0.95): below 182 once in 300 cases.
    assert shown >= 182 / 200
    assert by_resamples < 0.7 or (units, probability) != (30, 0.98)


def test_equal_checkpoints_are_hardly_ever_called_worse_and_a_worse_one_is() -> None:
    level = level_of_best(5)
    assert checkpoints(5, 200, 0.0, 100, 0.95) > 0.12
    # Binomial(100, 0.05): 11 or more once in 90 cases.
    assert checkpoints(5, 200, 0.0, 100, level) <= 10 / 100
    assert checkpoints(5, 200, 0.2, 100, level) > 0.9


def test_a_larger_calibration_error_often_looks_smaller_on_few_texts() -> None:
    assert better_by_ece(50, 0.02, 200) > 0.15
