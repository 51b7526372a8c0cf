"""The power formulas against the non-central distributions and a simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from homeground.statistics.power import smallest_detectable, units_needed


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
