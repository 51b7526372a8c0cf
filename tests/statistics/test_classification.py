"""The formulas against SciPy, scikit-learn and numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from homeground.errors import DataError, HomegroundError
from homeground.statistics import glossary
from homeground.statistics.bootstrap import paired_difference
from homeground.statistics.classification import (
    CONFIDENCE_BINS,
    Changes,
    confusion,
    correct,
    f1_of_class,
    mcnemar,
    metrics,
    per_class,
    reliability,
    roc_auc,
    statistics,
)

RANDOM = np.random.default_rng(0)
CLASSES = 5
LABELS = RANDOM.integers(0, CLASSES - 1, 300)  # the last class is predicted and never true
PROBABILITIES = RANDOM.dirichlet(np.full(CLASSES, 0.4), 300) * 0.6 + 0.4 * np.eye(CLASSES)[LABELS]
PREDICTED = PROBABILITIES.argmax(1)
MANY = RANDOM.random((200, 4)) * [0.9, 1, 0.7, 0.4]
GIVEN = (RANDOM.random((200, 4)) < MANY).astype(int)


def measured(probabilities=PROBABILITIES, labels=LABELS):
    sums = statistics(probabilities, labels).sum(axis=0)
    found = metrics(np.shape(probabilities)[1], np.ndim(labels) == 2)
    return {name: float(metric(sums)) for name, metric in found.items()}


def test_scores_of_one_label_a_text_are_those_of_scikit_learn():
    scores = measured()
    labels = list(range(CLASSES))
    assert scores["accuracy"] == pytest.approx(sk.accuracy_score(LABELS, PREDICTED))
    expected = sk.f1_score(LABELS, PREDICTED, labels=labels, average="macro", zero_division=0)
    assert scores["macro_f1"] == pytest.approx(expected)
    assert scores["log_loss"] == pytest.approx(sk.log_loss(LABELS, PROBABILITIES, labels=labels))


def test_scores_of_several_labels_a_text_are_those_of_scikit_learn():
    scores, predicted = measured(MANY, GIVEN), MANY >= 0.5
    for average in ("macro", "micro"):
        expected = sk.f1_score(GIVEN, predicted, average=average, zero_division=0)
        assert scores[f"{average}_f1"] == pytest.approx(expected)
    assert scores["exact_match"] == pytest.approx(sk.accuracy_score(GIVEN, predicted))
    assert scores["hamming_accuracy"] == pytest.approx(1 - sk.hamming_loss(GIVEN, predicted))
    losses = [sk.log_loss(GIVEN[:, place], MANY[:, place], labels=[0, 1]) for place in range(4)]
    assert scores["log_loss"] == pytest.approx(np.mean(losses))


def test_scores_per_class_are_those_of_scikit_learn():
    for probabilities, labels, predicted in [(PROBABILITIES, LABELS, PREDICTED), (MANY, GIVEN, MANY >= 0.5)]:
        classes = probabilities.shape[1]
        expected = sk.precision_recall_fscore_support(labels, predicted, labels=list(range(classes)), zero_division=0)
        found = per_class(probabilities, labels)
        for ours, theirs in zip((found.precision, found.recall, found.f1, found.support), expected, strict=True):
            assert ours == pytest.approx(theirs)
        assert found.support.dtype == np.int64


def test_the_score_of_one_class_follows_from_sums():
    found, sums = per_class(PROBABILITIES, LABELS), statistics(PROBABILITIES, LABELS).sum(axis=0)
    for place in range(CLASSES):
        assert float(f1_of_class(place, CLASSES)(sums)) == found.f1[place]


def test_macro_f1_is_the_mean_over_the_classes_that_were_tested():
    tested = sorted(set(LABELS.tolist()))
    assert tested == [0, 1, 2, 3]
    sums = statistics(PROBABILITIES, LABELS).sum(axis=0)
    expected = sk.f1_score(LABELS, PREDICTED, labels=tested, average="macro", zero_division=0)
    assert float(metrics(CLASSES, tested=tested)["macro_f1"](sums)) == pytest.approx(expected)
    assert float(metrics(CLASSES)["macro_f1"](sums)) == pytest.approx(0.8 * expected)


def test_macro_f1_counts_an_absent_class_as_nothing():
    # Both texts are of the first of four classes and found; three classes are nowhere.
    assert measured([[0.7, 0.1, 0.1, 0.1]] * 2, [0, 0])["macro_f1"] == 0.25
    assert measured([[0.2, 0.1]], [[1, 0]])["macro_f1"] == 0
    assert measured([[0.2, 0.1]], [[0, 0]])["micro_f1"] == 0


def test_a_label_is_predicted_from_one_half_on():
    assert correct([[0.5, 0.4999]], [[1, 0]]).tolist() == [True]
    assert correct([[0.5, 0.5]], [0]).tolist() == [True]
    assert correct([[0.5, 0.5]], [1]).tolist() == [False]


def test_a_sure_mistake_costs_a_finite_loss():
    assert measured([[1.0, 0.0]], [1])["log_loss"] == pytest.approx(23 * math.log(2))
    assert measured([[1.0, 0.0]], [0])["log_loss"] == pytest.approx(0, abs=1e-6)
    assert measured([[1.0, 0.0]], [[0, 1]])["log_loss"] == pytest.approx(23 * math.log(2))


def test_calibration_error_by_hand():
    # Two texts near 0.92, one right: a gap of 0.42; one at 0.55, right: a gap of 0.45. The bins hold two and one.
    probabilities = [[0.92, 0.08], [0.92, 0.08], [0.45, 0.55]]
    assert measured(probabilities, [0, 1, 1])["ece"] == pytest.approx((2 * 0.42 + 0.45) / 3)


def test_calibration_error_of_several_labels_takes_each_as_a_decision():
    # A no at 0.9, right, and a yes at 0.8, wrong.
    assert measured([[0.1, 0.8]], [[0, 0]])["ece"] == pytest.approx((0.1 + 0.8) / 2)


def test_calibration_error_is_that_of_the_reliability_diagram():
    for probabilities, labels in [(PROBABILITIES, LABELS), (MANY, GIVEN)]:
        bins = reliability(probabilities, labels)
        decisions = sum(each["count"] for each in bins)
        gaps = [each["count"] * abs(each["confidence"] - each["accuracy"]) for each in bins]
        assert sum(gaps) / decisions == pytest.approx(measured(probabilities, labels)["ece"])
        assert len(bins) <= CONFIDENCE_BINS
        assert [each["confidence"] for each in bins] == sorted(each["confidence"] for each in bins)


def test_a_bin_of_the_reliability_diagram_holds_its_upper_end():
    bins = reliability([[0.6, 0.4], [0.8, 0.2], [1.0, 0.0]], [0, 0, 1], bins=5)
    assert [(each["count"], each["accuracy"]) for each in bins] == [(1, 1.0), (1, 1.0), (1, 0.0)]


def test_weighted_sums_give_the_metric_of_the_repeated_texts():
    for probabilities, labels in [(PROBABILITIES, LABELS), (MANY, GIVEN)]:
        times = RANDOM.integers(0, 4, len(labels))
        weighted = times @ statistics(probabilities, labels)
        repeated = measured(np.repeat(probabilities, times, axis=0), np.repeat(labels, times, axis=0))
        for name, metric in metrics(probabilities.shape[1], labels.ndim == 2).items():
            assert float(metric(weighted)) == pytest.approx(repeated[name]), name


def test_sums_may_carry_leading_axes():
    sums = statistics(PROBABILITIES, LABELS).sum(axis=0)
    stacked = np.stack([[sums, 2 * sums], [3 * sums, sums]])
    for metric in [*metrics(CLASSES).values(), f1_of_class(1, CLASSES)]:
        assert metric(stacked).shape == (2, 2)
        assert metric(stacked) == pytest.approx(float(metric(sums)))


def test_scores_of_no_texts_are_undefined():
    for multi_label in (False, True):
        for name, metric in metrics(3, multi_label).items():
            assert np.isnan(metric(np.zeros(3 + 9 + CONFIDENCE_BINS))), name


def test_the_statistics_of_many_classes_stay_compact():
    assert statistics(np.full((2, 77), 1 / 77), [0, 76]).shape == (2, 3 + 3 * 77 + 15)


def test_the_interval_of_a_better_classifier_lies_above_nothing():
    worse = statistics(RANDOM.dirichlet(np.full(CLASSES, 0.4), 300) * 0.9 + 0.1 * np.eye(CLASSES)[LABELS], LABELS)
    for name, metric in metrics(CLASSES).items():
        if name != "ece":
            interval = paired_difference(
                worse, statistics(PROBABILITIES, LABELS), metric, range(300), seed=0, draws=500,
                greater_is_better=glossary.greater_is_better(name),
            )  # fmt: skip
            assert 0 < interval.low < interval.value < interval.high, name


def test_roc_auc_is_that_of_scikit_learn():
    two = RANDOM.dirichlet([1, 1], 100).round(1)  # rounded, so that there are ties
    truth = RANDOM.integers(0, 2, 100)
    assert roc_auc(two, truth) == pytest.approx(sk.roc_auc_score(truth, two[:, 1]))
    labels = np.arange(CLASSES)[LABELS]
    labels[:3] = CLASSES - 1
    expected = sk.roc_auc_score(labels, PROBABILITIES, multi_class="ovr", average="macro")
    assert roc_auc(PROBABILITIES, labels) == pytest.approx(expected)
    assert roc_auc(MANY, GIVEN) == pytest.approx(sk.roc_auc_score(GIVEN, MANY, average="macro"))


def test_roc_auc_leaves_out_classes_that_cannot_be_ranked():
    present = [sk.roc_auc_score(place == LABELS, PROBABILITIES[:, place]) for place in range(CLASSES - 1)]
    assert roc_auc(PROBABILITIES, LABELS) == pytest.approx(np.mean(present))
    assert roc_auc([[0.9, 0.1], [0.2, 0.8]], [1, 1]) is None
    assert roc_auc([[0.9, 0.1], [0.2, 0.8]], [[1, 0], [1, 0]]) is None


def test_confusion_is_that_of_scikit_learn():
    expected = sk.confusion_matrix(LABELS, PREDICTED, labels=list(range(CLASSES)))
    assert confusion(PROBABILITIES, LABELS, CLASSES).tolist() == expected.tolist()


def test_confusion_needs_one_label_a_text():
    with pytest.raises(DataError, match="needs one label a text"):
        confusion(MANY, GIVEN, 4)
    with pytest.raises(DataError, match="of 7 classes"):
        confusion(PROBABILITIES, LABELS, 7)


@pytest.mark.parametrize(("fixed", "broke"), [(0, 0), (1, 0), (3, 3), (12, 3), (2, 40), (400, 350)])
def test_mcnemar_is_the_exact_binomial_test(fixed, broke):
    before = np.repeat([False, True, True, False], [fixed, broke, 7, 5])
    after = np.repeat([True, False, True, False], [fixed, broke, 7, 5])
    expected = stats.binomtest(fixed, fixed + broke, 0.5).pvalue if fixed + broke else 1.0
    assert mcnemar(before, after) == Changes(fixed, broke, pytest.approx(expected))


def test_mcnemar_needs_both_models_on_the_same_texts():
    with pytest.raises(DataError, match="one of each"):
        mcnemar([True], [True, False])


def test_probabilities_that_cannot_be_measured_are_named():
    with pytest.raises(HomegroundError, match="text 2: the model's probability of class 1 is nan"):
        statistics([[0.5, 0.5], [np.nan, 1]], [0, 1])
    with pytest.raises(DataError, match="after the softmax"):
        statistics([[3.2, -1.0]], [0])
    with pytest.raises(DataError, match="labels span 0 to 2; expected 0 to 1"):
        statistics([[0.5, 0.5], [0.5, 0.5]], [0, 2])
    with pytest.raises(DataError, match=r"expected \(texts, classes\)"):
        statistics([[0.5, 0.5]], [0, 1])


def test_every_metric_says_which_way_is_better():
    names = {*metrics(2), *metrics(2, True), "roc_auc"}
    assert {name for name in names if glossary.METRICS[name].greater_is_better is False} == {"log_loss", "ece"}
