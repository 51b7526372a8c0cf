"""The formulas against SciPy, scikit-learn and numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from homeground.errors import DataError, HomegroundError
from homeground.statistics import correlation, glossary
from homeground.statistics.correlation import METRICS, RETRIEVAL_METRICS

RANDOM = np.random.default_rng(0)
GOLD = RANDOM.integers(0, 6, 200) / 5
PREDICTED = np.clip(GOLD + RANDOM.normal(0, 0.2, 200), 0, 1)


def summed(predicted=PREDICTED, gold=GOLD):
    return correlation.pair_statistics(predicted, gold).sum(axis=0)


def test_pearson_from_sums_is_that_of_scipy():
    assert METRICS["pearson"](summed()) == pytest.approx(stats.pearsonr(PREDICTED, GOLD).statistic, abs=1e-12)


def test_spearman_with_ties_is_that_of_scipy():
    expected = stats.spearmanr(PREDICTED, GOLD).statistic
    ranks = correlation.rank_statistics(PREDICTED, GOLD).sum(axis=0)
    assert correlation.pearson(ranks) == pytest.approx(expected, abs=1e-12)


def test_errors_from_sums_are_those_of_scikit_learn():
    assert METRICS["mse"](summed()) == pytest.approx(sk.mean_squared_error(GOLD, PREDICTED))
    assert METRICS["mae"](summed()) == pytest.approx(sk.mean_absolute_error(GOLD, PREDICTED))
    positive = GOLD > 0
    expected = sk.mean_absolute_percentage_error(GOLD[positive], PREDICTED[positive])
    assert METRICS["mape"](summed()) == pytest.approx(expected)


def test_percentage_error_counts_the_pairs_it_used():
    assert summed()[-1] == (GOLD > 0).sum()
    assert np.isnan(METRICS["mape"](summed([0.5, 0.6], [0.0, 0.0])))


def test_weighted_sums_give_the_metric_of_the_repeated_pairs():
    times = RANDOM.integers(0, 4, len(GOLD))
    weighted = times @ correlation.pair_statistics(PREDICTED, GOLD)
    repeated = summed(np.repeat(PREDICTED, times), np.repeat(GOLD, times))
    for name, metric in METRICS.items():
        assert metric(weighted) == pytest.approx(metric(repeated), abs=1e-12), name


def test_sums_may_carry_leading_axes():
    sums = np.stack([[summed(), 2 * summed()], [3 * summed(), summed()]])
    for name, metric in METRICS.items():
        assert metric(sums).shape == (2, 2), name
        assert metric(sums) == pytest.approx(float(metric(summed()))), name


def test_pearson_keeps_its_digits_where_scores_hardly_differ():
    # Scores of a collapsed model: 0.9 give or take a ten-thousandth.
    predicted = 0.9 + 1e-4 * RANDOM.normal(size=200)
    assert correlation.pearson(summed(predicted)) == pytest.approx(stats.pearsonr(predicted, GOLD).statistic, abs=1e-6)


@pytest.mark.parametrize("constant", [0.0, 0.5, 0.9, 1.0])
def test_pearson_of_constant_scores_is_undefined(constant):
    assert np.isnan(correlation.pearson(summed(np.full(len(GOLD), constant))))


def test_scores_that_are_not_finite_are_named():
    with pytest.raises(HomegroundError, match="pair 2: the model's score is nan"):
        correlation.pair_statistics([0.1, np.nan], [0.1, 0.2])
    with pytest.raises(DataError, match="pair 1: the gold score is inf"):
        correlation.pair_statistics([0.1, 0.3], [np.inf, 0.2])
    with pytest.raises(DataError, match="one of each"):
        correlation.pair_statistics([0.1, 0.3], [0.2])


def test_reciprocal_ranks_by_hand():
    similarities = [[0.9, 0.5, 0.1], [0.9, 0.5, 0.1], [0.9, 0.5, 0.1]]
    assert correlation.reciprocal_ranks(similarities, [0, 1, 2]).tolist() == [1, 1 / 2, 1 / 3]


def test_a_model_that_finds_everything_alike_ranks_last():
    assert correlation.reciprocal_ranks(np.ones((2, 4)), [0, 3]).tolist() == [0.25, 0.25]
    assert correlation.reciprocal_ranks([[np.nan, 0.1], [0.9, np.nan]], [0, 0]).tolist() == [0.5, 0.5]


def test_retrieval_metrics_are_means():
    sums = correlation.retrieval_statistics([1.0, 0.5, 0.25, 1.0]).sum(axis=0)
    assert RETRIEVAL_METRICS["mrr"](sums) == pytest.approx(2.75 / 4)
    assert RETRIEVAL_METRICS["accuracy_at_1"](sums) == pytest.approx(0.5)


def test_a_positive_outside_the_candidates_is_refused():
    with pytest.raises(DataError, match="expected 0 to 1"):
        correlation.reciprocal_ranks([[0.1, 0.2]], [2])
    with pytest.raises(DataError, match=r"expected \(anchors, candidates\)"):
        correlation.reciprocal_ranks([[0.1, 0.2]], [0, 1])


def test_every_metric_says_which_way_is_better():
    names = {*METRICS, *RETRIEVAL_METRICS, "spearman"}
    assert {name for name in names if glossary.METRICS[name].greater_is_better is False} == {"mse", "mae", "mape"}
