"""An evaluation set measures as its parts do: evaluate, the task, the bootstrap, and Student's t over trainings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest
from tests import checkpoints
from tests.evaluation_sets import labelled_texts, measure_share_right, ranked_pairs, scored_pairs

from homeground.checkpoint import load_tokenizer, open_checkpoint
from homeground.data.units import PairUnits
from homeground.engines import open_engine
from homeground.evaluation.evaluate import evaluate
from homeground.evaluation.evaluation_set import EvaluationSet, Resampling
from homeground.statistics.bootstrap import own_interval, own_intervals, paired_difference
from homeground.statistics.classification import RIGHT_COLUMN
from homeground.statistics.over_seeds import over_seeds
from homeground.tasks.task import Measurement, RareClass

RESAMPLING = Resampling(seed=7, draws=200, level=0.9)
OPTIONS = {"seed": 7, "draws": 200, "level": 0.9}
PAIRS = scored_pairs(80, resampling=RESAMPLING)
GOLD = PAIRS.rows.scores
NOISE = np.random.default_rng(0).normal(size=(4, len(GOLD)))
BEFORE, *AFTERS = (PAIRS.measure_predictions(GOLD + noise / (1 + n)) for n, noise in enumerate(NOISE))


def assert_same(one: Measurement, other: Measurement) -> None:
    assert np.array_equal(one.predictions, other.predictions)
    assert np.array_equal(one.statistics, other.statistics)
    assert one.scores == other.scores


def test_a_set_counts_its_examples_and_names_the_metric_that_decides() -> None:
    assert len(scored_pairs(80)) == 80
    assert PAIRS.primary_metric == "pearson"
    assert scored_pairs(80, metric="mse").primary_metric == "mse"


def test_measuring_a_model_is_evaluating_it_on_the_rows(encoder: Path) -> None:
    checkpoint = open_checkpoint(str(encoder))
    pairs = scored_pairs(20, tokenizer=load_tokenizer(checkpoint, max_length=16), batch_size=8)
    model = open_engine("torch").open_model(checkpoint, head="encoder")
    assert_same(pairs.measure(model), evaluate(model, pairs.task, pairs.rows, batch_size=8))


def test_a_set_of_embeddings_measures_the_body_of_a_model_with_another_head(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(str(checkpoints.bert(tmp_path / "bert")))
    pairs = scored_pairs(20, tokenizer=load_tokenizer(checkpoint, max_length=16))
    engine = open_engine("torch")
    classifier = engine.open_model(checkpoint, head="sequence_classification", labels=("a", "b"))
    encoder = engine.open_model(checkpoint, head="encoder")
    assert_same(pairs.measure(classifier), pairs.measure(encoder))


def test_predictions_of_whatever_made_them_are_measured_by_the_task() -> None:
    assert_same(PAIRS.measure_predictions(GOLD / 2), PAIRS.task.measure(PAIRS.rows, GOLD / 2))
    assert PAIRS.measure_predictions(GOLD / 2).scores["pearson"] == pytest.approx(1)


@pytest.mark.parametrize(("metric", "greater_is_better"), [("pearson", True), ("mse", False)])
def test_the_difference_of_a_metric_is_the_paired_bootstrap_and_positive_is_better(
    metric: str, greater_is_better: bool
) -> None:
    after = AFTERS[-1]
    difference = PAIRS.difference(BEFORE, after, metric)
    assert difference == paired_difference(
        BEFORE.statistics,
        after.statistics,
        PAIRS.task.metrics[metric],
        PAIRS.units.nodes,
        greater_is_better=greater_is_better,
        **OPTIONS,
    )
    assert 0 < difference.low < difference.value == pytest.approx(abs(after.scores[metric] - BEFORE.scores[metric]))


def test_the_difference_is_that_of_the_deciding_metric_where_none_is_named() -> None:
    assert PAIRS.difference(BEFORE, AFTERS[0]) == PAIRS.difference(BEFORE, AFTERS[0], "pearson")
    errors = scored_pairs(80, metric="mse", resampling=RESAMPLING)
    assert errors.difference(BEFORE, AFTERS[0]) == PAIRS.difference(BEFORE, AFTERS[0], "mse")


def test_the_mean_difference_over_trainings_is_that_of_over_seeds() -> None:
    over = PAIRS.mean_difference(BEFORE, AFTERS)
    afters = [after.statistics for after in AFTERS]
    metric, nodes = PAIRS.task.metrics["pearson"], PAIRS.units.nodes
    assert over == over_seeds(BEFORE.statistics, afters, metric, nodes, **OPTIONS)
    assert over.values == pytest.approx([after.scores["pearson"] - BEFORE.scores["pearson"] for after in AFTERS])
    assert over.interval.value == pytest.approx(np.mean(over.values))


def test_the_mean_difference_of_an_error_is_positive_where_it_falls() -> None:
    errors = scored_pairs(80, metric="mse", resampling=RESAMPLING)
    assert min(errors.mean_difference(BEFORE, AFTERS).values) > 0


def test_the_interval_of_a_score_is_that_of_one_model_alone_and_holds_the_score() -> None:
    metric, nodes = PAIRS.task.metrics["pearson"], PAIRS.units.nodes
    interval = PAIRS.score_interval(AFTERS[0])
    assert interval == own_interval(AFTERS[0].statistics, metric, nodes, **OPTIONS)
    assert interval.low < AFTERS[0].scores["pearson"] == pytest.approx(interval.value)
    assert interval.value < interval.high


def test_the_intervals_of_several_metrics_come_from_the_resamples_of_the_one() -> None:
    metrics = [PAIRS.task.metrics[name] for name in ("pearson", "mse")]
    ends = PAIRS.score_intervals(AFTERS[0], metrics)
    assert ends == own_intervals(AFTERS[0].statistics, metrics, PAIRS.units.nodes, **OPTIONS)
    interval = PAIRS.score_interval(AFTERS[0])
    assert ends[0] == (interval.low, interval.high)


def test_every_interval_of_a_set_has_the_level_of_its_resampling() -> None:
    surer = replace(PAIRS, resampling=replace(RESAMPLING, level=0.99))
    metric = PAIRS.task.metrics["pearson"]
    for interval_of in (
        lambda pairs: pairs.difference(BEFORE, AFTERS[0]),
        lambda pairs: pairs.mean_difference(BEFORE, AFTERS).interval,
        lambda pairs: pairs.score_interval(BEFORE),
    ):
        usual, wider = interval_of(PAIRS), interval_of(surer)
        assert (usual.level, wider.level) == (0.9, 0.99)
        assert wider.low < usual.low and wider.high > usual.high
    ((low, high),) = PAIRS.score_intervals(BEFORE, [metric])
    ((lower, higher),) = surer.score_intervals(BEFORE, [metric])
    assert lower < low and higher > high


def test_a_rare_class_is_named_for_a_mean_over_classes_and_for_nothing_else() -> None:
    texts = labelled_texts({"cat": 50, "dog": 40, "owl": 2}, metric="accuracy")
    measured = measure_share_right(texts, 0.5)
    assert texts.rare_class(measured, "macro_f1") == RareClass("owl", units=2, needed=3)
    assert texts.rare_class(measured) is None
    assert replace(texts, task=labelled_texts({"cat": 50, "dog": 40, "owl": 2}, metric="macro_f1").task).rare_class(
        measured
    ) == RareClass("owl", units=2, needed=3)
    enough = labelled_texts({"cat": 50, "dog": 40, "owl": 3}, metric="macro_f1")
    assert enough.rare_class(measure_share_right(enough, 0.5)) is None
    assert PAIRS.rare_class(BEFORE, "pearson") is None


def test_a_rare_class_is_counted_in_units() -> None:
    texts = labelled_texts({"cat": 50, "owl": 5}, metric="macro_f1")
    # The owls are one unit, such as five texts of one author.
    units = np.minimum(texts.units.units, 50)
    grouped = replace(texts, units=replace(texts.units, units=units))
    measured = measure_share_right(texts, 0.5)
    assert (texts.rare_class(measured), grouped.rare_class(measured)) == (None, RareClass("owl", units=1, needed=3))


def test_units_that_changed_are_counted_where_a_share_decides() -> None:
    for metric in ("accuracy", "macro_f1"):
        texts = labelled_texts({"cat": 60, "dog": 40}, metric=metric)
        before, after = measure_share_right(texts, 0.3), measure_share_right(texts, 0.8)
        assert texts.count_discordant(before, after) == texts.count_discordant(after, before) == 50
        assert texts.count_discordant(before, before) == 0
        # Two neighbours are one unit, and the numbers of right answers of each are compared.
        pairs = replace(texts, units=link_in_twos(texts))
        right = np.stack([before.statistics, after.statistics])[..., RIGHT_COLUMN].reshape(2, 50, 2).sum(axis=2)
        assert pairs.count_discordant(before, after) == int((right[0] != right[1]).sum()) < 50
    logs = labelled_texts({"cat": 60, "dog": 40}, metric="log_loss")
    assert logs.count_discordant(before, after) is None
    assert PAIRS.count_discordant(BEFORE, AFTERS[0]) is None


def link_in_twos(texts: EvaluationSet) -> PairUnits:
    units = np.arange(len(texts)) // 2
    return replace(texts.units, units=units, nodes=np.stack([units, units], axis=1))


@pytest.mark.parametrize("metric", ["mrr", "accuracy_at_1"])
def test_units_that_changed_are_counted_for_ranks(metric: str) -> None:
    ranks = ranked_pairs(80, metric=metric)
    first = np.where(np.arange(80) < 40, 1.0, 0.25)
    other = np.where(np.arange(80) < 3, 0.5, np.where(np.arange(80) > 75, 0.2, first))
    before, after = (ranks.measure_predictions(values) for values in (first, other))
    assert ranks.count_discordant(before, after) == {"mrr": 7, "accuracy_at_1": 3}[metric]


def test_where_hardly_a_text_changed_the_interval_of_a_share_has_a_width() -> None:
    texts = labelled_texts({"cat": 60, "dog": 40}, metric="accuracy")
    before, after = measure_share_right(texts, 0.3), measure_share_right(texts, 0.8)
    none = texts.difference(before, before)
    z2 = 1.959964**2
    assert (none.low, none.high) == pytest.approx((-z2 / (100 + z2), z2 / (100 + z2)), abs=1e-6)
    five = np.where(np.arange(100) < 5, 1 - texts.rows.labels, texts.rows.labels)
    gained = texts.difference(
        texts.measure_predictions(np.eye(2)[five]), texts.measure_predictions(np.eye(2)[texts.rows.labels])
    )
    assert (gained.value, gained.low) == (pytest.approx(0.05), 0)
    usual, cautious = texts.difference(before, after), texts.difference(before, after, cautious=True)
    tango = texts.share_change(before, after).interval()
    assert usual.low > tango[0]
    assert (cautious.low, cautious.high) == (min(usual.low, tango[0]), max(usual.high, tango[1]))
    assert PAIRS.difference(BEFORE, AFTERS[0], cautious=True) == PAIRS.difference(BEFORE, AFTERS[0])


def test_the_interval_of_a_share_near_one_is_that_of_clopper_and_pearson_over_units() -> None:
    texts = labelled_texts({"cat": 25, "dog": 15}, metric="accuracy")
    perfect = texts.score_interval(measure_share_right(texts, 1))
    exact = binomtest(40, 40).proportion_ci(method="exact")
    assert (perfect.low, perfect.high) == pytest.approx((exact.low, 1.0), abs=1e-9)
    half = texts.score_interval(measure_share_right(texts, 0.5))
    exact = binomtest(20, 40).proportion_ci(method="exact")
    assert half.low <= exact.low and half.high >= exact.high
    # Forty texts in twenty units are no more than twenty.
    grouped = replace(texts, units=link_in_twos(texts)).score_interval(measure_share_right(texts, 1))
    assert grouped.low == pytest.approx(binomtest(20, 20).proportion_ci(method="exact").low, abs=1e-9)


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "log_loss"])
def test_no_interval_of_a_score_leaves_the_range_of_its_metric(metric: str) -> None:
    texts = labelled_texts({"cat": 20, "dog": 15}, metric=metric)
    for share in (0, 0.1, 0.9, 1):
        interval = texts.score_interval(measure_share_right(texts, share))
        assert 0 <= interval.low <= interval.value <= interval.high <= (np.inf if metric == "log_loss" else 1)


def test_no_interval_of_a_score_is_given_over_fewer_than_thirty_units() -> None:
    texts = labelled_texts({"cat": 15, "dog": 14}, metric="accuracy")
    measured = measure_share_right(texts, 0.9)
    assert not texts.score_interval(measured).trusted
    assert texts.score_intervals(measured, [texts.task.metrics["accuracy"]]) == [(None, None)]


def test_over_several_trainings_few_changes_leave_room_for_none() -> None:
    texts = labelled_texts({"cat": 60, "dog": 40}, metric="accuracy")
    labels = texts.rows.labels
    four, five = (
        texts.measure_predictions(np.eye(2)[np.where(np.arange(100) < count, 1 - labels, labels)]) for count in (4, 5)
    )
    none = texts.measure_predictions(np.eye(2)[labels])
    over = texts.mean_difference(none, [none, none, none])
    assert (over.interval.low, over.interval.high) == pytest.approx((-0.037, 0.037), abs=1e-3)
    assert texts.mean_difference(five, [none, none, none]).interval.low <= 0
    assert texts.mean_difference(four, [five, five, five]).interval.low < -0.037
