"""The power formulas against the non-central distributions and a simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from homeground.statistics.bootstrap import Interval, paired_difference
from homeground.statistics.power import smallest_detectable, units_needed, upper_error


def test_many_units_need_two_point_eight_standard_errors():
    assert smallest_detectable(0.01, 100_000) == pytest.approx(0.01 * (1.95996 + 0.84162), rel=1e-4)


def test_few_units_use_student():
    assert smallest_detectable(1.0, 10) == pytest.approx(stats.t.ppf(0.975, 9) + stats.t.ppf(0.8, 9))


def test_the_smallest_detectable_difference_is_found_four_times_in_five():
    units, error = 40, 1 / np.sqrt(40)
    effect = smallest_detectable(error, units)
    samples = np.random.default_rng(0).normal(effect, 1, (4000, units))
    found = stats.ttest_1samp(samples, 0, axis=1).confidence_interval().low > 0
    assert found.mean() == pytest.approx(0.8, abs=0.02)


def test_the_size_needed_detects_the_effect_and_one_less_does_not():
    needed = units_needed(0.02, standard_error=0.01, units=100)
    at_size = [smallest_detectable(0.01 * np.sqrt(100 / units), units) for units in (needed, needed - 1)]
    assert at_size[0] <= 0.02 < at_size[1]


def test_more_power_needs_more_units():
    sizes = [units_needed(0.02, standard_error=0.01, units=100, power=power) for power in (0.5, 0.8, 0.95)]
    assert sizes == sorted(sizes) and len(set(sizes)) == 3


@pytest.mark.parametrize(("effect", "error"), [(0.0, 0.01), (-0.1, 0.01), (1e-9, 0.01), (0.1, np.nan), (np.nan, 0.01)])
def test_an_effect_no_test_set_can_show_has_no_size(effect, error):
    assert units_needed(effect, standard_error=error, units=100) is None


def test_one_unit_shows_nothing():
    assert np.isnan(smallest_detectable(0.01, 1))


def test_an_estimated_error_makes_the_detectable_difference_larger_the_fewer_its_degrees_of_freedom() -> None:
    exact = smallest_detectable(0.01, 1000)
    estimated = [smallest_detectable(0.01, 1000, degrees=degrees) for degrees in (5, 30, 300)]
    assert estimated == sorted(estimated, reverse=True) and estimated[-1] > exact
    # Of samples whose size is that of the degrees of freedom + 1, four in five bound the true error from above.
    samples = np.random.default_rng(0).normal(size=(4000, 6))
    bounds = np.array([upper_error(error, 5) for error in samples.std(axis=1, ddof=1)])
    assert (bounds >= 1).mean() == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("sizes", ["equal", "unequal"])
def test_a_difference_of_the_size_that_is_promised_is_found_four_times_in_five_at_least(sizes: str) -> None:
    random = np.random.default_rng(1)
    weights = np.ones(60) if sizes == "equal" else np.exp(random.normal(0, 0.9, 60))

    def interval(effect: float) -> Interval:
        values = effect + random.normal(size=60)
        after = np.stack([weights * values, weights], axis=1)
        before = np.stack([0 * weights, weights], axis=1)[:, ::-1]
        return paired_difference(
            before, after[:, ::-1], lambda sums: sums[..., 1] / sums[..., 0], range(60), seed=0, draws=300
        )

    equal = [interval(0.0) for _ in range(100)]
    promised = [smallest_detectable(i.standard_error, i.effective_units, degrees=i.degrees) for i in equal]
    found = [interval(float(np.median(promised))).low > 0 for _ in range(300)]
    assert np.mean(found) > 0.78
