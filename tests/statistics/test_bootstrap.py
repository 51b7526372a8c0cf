"""The interval of a paired difference: against SciPy, against formulas, and by how often it covers the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from homeground.errors import DataError
from homeground.results.writing import interval_fields
from homeground.statistics.bootstrap import differences, own_intervals, paired_difference, widening
from homeground.statistics.correlation import mse, pair_statistics, pearson
from homeground.statistics.resampling import arrange, independent_units


def mean(sums):
    return sums[..., 1] / sums[..., 0]


def columns(values):
    values = np.asarray(values, dtype=float)
    return np.stack([np.ones_like(values), values], axis=1)


def models(pairs, seed=0, noise=(0.3, 0.2)):
    """Return the statistics of two models on scored pairs, and their scores."""
    random = np.random.default_rng(seed)
    gold = random.random(pairs)
    before, after = (np.clip(gold + random.normal(0, spread, pairs), 0, 1) for spread in noise)
    return pair_statistics(before, gold), pair_statistics(after, gold), (before, after, gold)


def test_independent_pairs_agree_with_the_bootstrap_of_scipy():
    before, after, scores = models(300)

    def difference(b, a, y, axis=-1):
        return stats.pearsonr(a, y, axis=axis).statistic - stats.pearsonr(b, y, axis=axis).statistic

    expected = stats.bootstrap(
        scores, difference, paired=True, vectorized=True, method="percentile", n_resamples=9999, rng=1
    )
    interval = paired_difference(before, after, pearson, np.arange(300), seed=0)
    assert interval.value == pytest.approx(difference(*scores), abs=1e-12)
    assert interval.standard_error == pytest.approx(expected.standard_error, rel=0.03)
    assert interval.low == pytest.approx(expected.confidence_interval.low, abs=0.004)
    assert interval.high == pytest.approx(expected.confidence_interval.high, abs=0.003)
    assert (interval.units, interval.undefined) == (300, 0) and 1 < interval.widened_by < 1.04


def test_clusters_of_copies_are_worth_one_example_each():
    # 150 pairs written down ten times each: the interval is that of the 150.
    before, after, _ = models(150)
    once = paired_difference(before, after, pearson, np.arange(150), seed=0)
    copied = paired_difference(
        np.repeat(before, 10, axis=0), np.repeat(after, 10, axis=0), pearson, np.repeat(np.arange(150), 10), seed=0
    )
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))
    assert copied.units == 150


def test_crossed_pairs_have_the_variance_of_the_formula():
    # A mean over rows and columns: Var = (sum of squared row sums + sum of squared column sums) / n².
    random = np.random.default_rng(0)
    rows, texts = np.divmod(np.arange(60 * 40), 40)
    values = random.normal(size=60)[rows] + random.normal(size=40)[texts] + random.normal(size=60 * 40)
    interval = paired_difference(
        columns(0 * values), columns(values), mean, np.stack([rows, 100 + texts], axis=1), seed=0, draws=4000
    )
    centred = values - values.mean()
    squares = sum(np.sum(np.bincount(side, centred) ** 2) for side in (rows, texts))
    assert interval.standard_error == pytest.approx(np.sqrt(squares) / values.size, rel=0.06)
    assert interval.units == 40


def test_the_result_depends_on_the_seed_alone():
    before, after, _ = models(60)
    nodes = np.stack([np.arange(60), 100 + np.arange(60) % 7], axis=1)
    intervals = [paired_difference(before, after, pearson, nodes, seed=seed, draws=500) for seed in (1, 1, 2)]
    assert intervals[0] == intervals[1] != intervals[2]


def test_the_names_of_nodes_and_the_order_of_pairs_do_not_matter_beyond_chance():
    before, after, _ = models(200)
    order = np.random.default_rng(0).permutation(200)
    one = paired_difference(before, after, pearson, np.arange(200) // 2, seed=0)
    other = paired_difference(before[order], after[order], pearson, 7 * (order // 2), seed=0)
    assert other.value == pytest.approx(one.value)
    assert (other.low, other.high) == pytest.approx((one.low, one.high))


def test_chunks_do_not_change_the_draws(monkeypatch):
    before, after, _ = models(50)
    whole = paired_difference(before, after, pearson, np.arange(50), seed=0, draws=300)
    monkeypatch.setattr("homeground.statistics.resampling.NUMBERS_AT_ONCE", 1)
    one_by_one = paired_difference(before, after, pearson, np.arange(50), seed=0, draws=300)
    assert vars(one_by_one) == pytest.approx(vars(whole), abs=1e-12)


def test_positive_is_better_where_smaller_is_better():
    before, after, _ = models(200)
    interval = paired_difference(before, after, mse, np.arange(200), seed=0, draws=500, greater_is_better=False)
    assert interval.value == pytest.approx(float(mse(before.sum(axis=0)) - mse(after.sum(axis=0))))
    assert 0 < interval.low < interval.value < interval.high


def test_a_text_that_recurs_outside_the_test_set_is_no_second_node():
    before, after, _ = models(100)
    units = np.arange(100) // 2
    # Every pair of unit 0 has a text that only other splits share: its node is met in one unit here.
    nodes = np.stack([units, np.where(units == 0, 999, units)], axis=1)
    one = paired_difference(before, after, pearson, units, seed=0, draws=500)
    assert paired_difference(before, after, pearson, nodes, seed=0, draws=500) == one


def test_a_shared_hub_widens_the_interval():
    random = np.random.default_rng(1)
    hub = np.arange(240) % 60
    values = random.normal(size=60)[hub] + 0.3 * random.normal(size=240)
    nodes = np.stack([np.arange(240), 1000 + hub], axis=1)
    alone = paired_difference(columns(0 * values), columns(values), mean, np.arange(240), seed=0, draws=2000)
    shared = paired_difference(columns(0 * values), columns(values), mean, nodes, seed=0, draws=2000)
    assert shared.high - shared.low > 1.7 * (alone.high - alone.low)
    assert (alone.units, shared.units) == (240, 60)


def test_few_units_widen_by_student():
    assert widening(30) == pytest.approx(stats.t.ppf(0.975, 29) / stats.norm.ppf(0.975) * np.sqrt(30 / 29))
    assert widening(1) == float("inf")
    # A mean over normal numbers: the widened interval is about Student's, and never narrower than the units ask for.
    values = np.random.default_rng(0).normal(size=40)
    interval = paired_difference(columns(0 * values), columns(values), mean, np.arange(40), seed=0)
    low, high = stats.t.interval(0.95, 39, values.mean(), stats.sem(values))
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.03)
    assert interval.standard_error == pytest.approx(stats.sem(values), rel=0.03)
    assert widening(40) <= interval.widened_by < 1.03 * widening(40)


def test_what_rests_on_a_few_units_is_widened_by_its_kurtosis():
    values = np.zeros(400)
    values[:8] = 1.0
    interval = paired_difference(columns(0 * values), columns(values), mean, np.arange(400), seed=0, draws=500)
    centred = values - values.mean()
    kurtosis = np.mean(centred**4) / np.mean(centred**2) ** 2
    assert interval.degrees == pytest.approx(2 * 400 / (kurtosis - 1), rel=0.01)
    assert interval.widened_by == pytest.approx(widening(400, interval.degrees))
    assert interval.widened_by > 1.05 > 1.01 > widening(400)


def test_a_few_documents_that_hold_nearly_all_tokens_count_as_few():
    tokens = np.r_[np.full(5, 1000.0), np.full(95, 1.0)]
    statistics = np.stack([tokens, 2 * tokens], axis=1)
    interval = paired_difference(statistics, statistics, mean, np.arange(100), seed=0, draws=200)
    assert interval.units == 100
    assert interval.effective_units == pytest.approx(tokens.sum() ** 2 / (tokens**2).sum())


@pytest.mark.parametrize("design", ["units", "crossed"])
def test_many_data_sets_at_once_have_the_intervals_of_each_alone(design):
    units = np.arange(60) // 2
    nodes = units if design == "units" else np.stack([units, 100 + np.arange(60) % 7], axis=1)
    sets = [models(60, seed) for seed in range(3)]
    layout = arrange(nodes)
    before, after = (layout.sum(np.stack([models_of[side] for models_of in sets])) for side in (0, 1))
    together = differences(layout, before, after, [pearson, mse], seed=5, draws=300, greater_is_better=[True, False])
    for metric, better, intervals in zip((pearson, mse), (True, False), together, strict=True):
        for models_of, interval in zip(sets, intervals, strict=True):
            alone = paired_difference(*models_of[:2], metric, nodes, seed=5, draws=300, greater_is_better=better)
            assert vars(interval) == pytest.approx(vars(alone), rel=1e-9)


def test_units_are_counted_on_the_poorer_side_and_by_what_they_hold():
    assert independent_units(np.arange(5)) == 5
    assert independent_units([[0, 50], [1, 50], [2, 51], [3, 51], [4, 51]]) == 2
    layout = arrange(np.repeat(np.arange(3), [90, 5, 5]))
    assert (layout.units, layout.effective_units(layout.sum(np.ones((1, 100, 1)))[..., 0])) == (
        3,
        pytest.approx(100**2 / (90**2 + 50)),
    )


def test_draws_without_a_metric_are_counted_and_open_the_interval():
    # Two pairs carry all the variance: a draw without them is constant.
    gold = np.full(30, 0.5)
    gold[:2] = 0.1, 0.9
    before, after = pair_statistics(gold * 0.5, gold), pair_statistics(gold * 0.8 + 0.1, gold)
    interval = paired_difference(before, after, pearson, np.arange(30), seed=0, draws=1000)
    assert interval.undefined == pytest.approx(1000 * (28 / 30) ** 30, rel=0.3)
    assert (interval.low, interval.high) == (-np.inf, np.inf)
    assert interval_fields(interval)["low"] is None and interval.value == pytest.approx(0, abs=1e-12)


def test_a_metric_that_is_undefined_gives_no_value():
    gold = np.linspace(0, 1, 40)
    constant = pair_statistics(np.full(40, 0.7), gold)
    interval = paired_difference(constant, pair_statistics(gold, gold), pearson, np.arange(40), seed=0, draws=200)
    assert np.isnan(interval.value) and interval.undefined == 200
    fields = interval_fields(interval)
    assert fields["value"] is None and fields["standard_error"] is None


def test_statistics_of_different_examples_are_refused():
    before, after, _ = models(10)
    for arguments in [(before, after[:9], range(10)), (before, after, range(9)), (before[:0], after[:0], [])]:
        with pytest.raises(DataError, match="measured on the same test examples"):
            paired_difference(arguments[0], arguments[1], pearson, arguments[2], seed=0)


@pytest.mark.parametrize("design", ["clusters", "dyads"])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(design):
    covered = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        first = np.repeat(np.arange(40), 5)
        second = first if design == "clusters" else random.permutation(first)
        effects = random.normal(size=40)
        values = effects[first] + effects[second] + random.normal(size=200)
        nodes = np.stack([first, second], axis=1)
        interval = paired_difference(columns(0 * values), columns(values), mean, nodes, seed=seed, draws=400)
        covered += interval.low <= 0 <= interval.high
    # Binomial(200, 0.95): below 179 once in 500 times.
    assert covered >= 179


def test_over_a_single_unit_no_ends_are_given():
    statistics = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    assert own_intervals(statistics, [lambda sums: sums[..., 0] / sums[..., 1]], [0, 0, 0], seed=0, draws=200) == [
        (None, None)
    ]


def test_an_interval_over_too_few_units_is_not_trusted_and_its_ends_are_not_written() -> None:
    def interval_over(units: int, sizes: int = 1):
        values = np.random.default_rng(0).normal(size=units + sizes - 1)
        nodes = np.r_[np.zeros(sizes, int), np.arange(1, units)]
        return paired_difference(columns(0 * values), columns(values), mean, nodes, seed=0, draws=200)

    for units, sizes, trusted in ((29, 1, False), (30, 1, True), (60, 1000, False)):
        interval = interval_over(units, sizes)
        fields = interval_fields(interval)
        assert interval.trusted is trusted
        assert (fields["low"] is not None, fields["high"] is not None) == (trusted, trusted)
        assert fields["value"] == interval.value
    assert not replace(interval_over(30), undefined=5).trusted
    assert not replace(interval_over(30), value=np.nan).trusted
