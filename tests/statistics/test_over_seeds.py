"""The interval over several trainings, against figures worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from homeground.statistics.bootstrap import Interval, paired_difference
from homeground.statistics.correlation import pair_statistics, pearson
from homeground.statistics.over_seeds import joined, over_seeds

RANDOM = np.random.default_rng(3)
ITEMS = Interval(0.10, 0.06, 0.16, 0.95, 0.025, 200, 200.0, 1.0, 1000, 0)
T_4, Z = 2.7764451, 1.9599640
"""The 97.5% points of Student's t with 4 degrees of freedom and of the normal distribution, from tables."""


def mean(sums: np.ndarray) -> np.ndarray:
    return sums[..., 0] / sums[..., 1]


def scored(values: np.ndarray) -> np.ndarray:
    return np.stack([values, np.ones(len(values))], axis=1)


def test_the_two_variances_add_up_and_student_multiplies() -> None:
    found = joined(ITEMS, 0.03, 5)
    # Below the reach is 0.04, above it 0.06; the trainings add 0.03^2 / 5 = 0.00018.
    assert found.low == pytest.approx(0.10 - T_4 * math.sqrt((0.04 / Z) ** 2 + 0.00018), abs=1e-7)
    assert found.high == pytest.approx(0.10 + T_4 * math.sqrt((0.06 / Z) ** 2 + 0.00018), abs=1e-7)
    assert found.low == pytest.approx(0.032191, abs=1e-5)
    assert found.standard_error == pytest.approx(math.sqrt(0.025**2 + 0.00018))
    assert (found.value, found.units, found.draws) == (ITEMS.value, ITEMS.units, ITEMS.draws)


def test_trainings_that_do_not_differ_leave_students_caution_alone() -> None:
    found = joined(ITEMS, 0.0, 5)
    assert (0.10 - found.low) / 0.04 == pytest.approx(T_4 / Z, abs=1e-6)
    assert (found.high - 0.10) / 0.06 == pytest.approx(T_4 / Z, abs=1e-6)


def test_an_interval_without_ends_stays_without() -> None:
    found = joined(replace(ITEMS, low=-math.inf, high=math.inf), 0.03, 5)
    assert (found.low, found.high) == (-math.inf, math.inf)


@pytest.mark.parametrize("units", [40, 200])
def test_of_a_mean_the_items_are_those_of_the_mean_training(units: int) -> None:
    before = RANDOM.normal(size=units)
    afters = [before + 0.2 + RANDOM.normal(size=units) + 0.1 * RANDOM.normal() for _ in range(5)]
    found = over_seeds(scored(before), [scored(after) for after in afters], mean, range(units), seed=1, draws=500)
    alone = paired_difference(scored(before), scored(np.mean(afters, axis=0)), mean, range(units), seed=1, draws=500)
    # The degrees of freedom come from numerical derivatives, whose step follows the statistics.
    assert (found.items.low, found.items.high) == pytest.approx((alone.low, alone.high), rel=1e-3)
    # The widening of the items' interval is in the interval over trainings, too.
    assert found.items.widened_by > 1
    values = [after.mean() - before.mean() for after in afters]
    assert found.values == pytest.approx(values)
    assert found.spread == pytest.approx(np.std(values, ddof=1))
    assert found.interval == joined(found.items, found.spread, 5)


def test_of_a_correlation_every_draw_takes_the_mean_of_the_metrics_not_the_metric_of_the_means() -> None:
    gold = RANDOM.normal(size=150)
    before = pair_statistics(gold + RANDOM.normal(size=150), gold)
    afters = [pair_statistics(gold + noise * RANDOM.normal(size=150), gold) for noise in (0.3, 0.5, 0.9, 1.5, 2.0)]
    found = over_seeds(before, afters, pearson, range(150), seed=0, draws=400)
    scores = [float(pearson(after.sum(axis=0))) for after in afters]
    assert found.interval.value == pytest.approx(np.mean(scores) - float(pearson(before.sum(axis=0))))
    assert found.spread == pytest.approx(np.std(scores, ddof=1))


def test_of_a_loss_a_smaller_one_is_an_improvement() -> None:
    before, afters = np.ones(50), [np.full(50, 0.5 + 0.01 * place) for place in range(5)]
    found = over_seeds(
        scored(before), [scored(each) for each in afters], mean, range(50), seed=0, draws=200, greater_is_better=False
    )
    assert found.values == pytest.approx([0.5, 0.49, 0.48, 0.47, 0.46])
    assert found.interval.value == pytest.approx(0.48)


def test_a_training_whose_score_is_not_defined_leaves_nothing_to_say() -> None:
    gold = RANDOM.normal(size=60)
    constant, fine = (pair_statistics(given, gold) for given in (np.ones(60), gold))
    found = over_seeds(fine, [constant, fine], pearson, range(60), seed=0, draws=200)
    assert math.isnan(found.interval.value)
    assert math.isnan(found.spread)
