"""How often the right class is predicted, how well each class is recognized, and how far a probability can be trusted.

``probabilities`` have shape ``(texts, classes)``. ``labels`` are class numbers ``(texts,)``, or 0 and 1 of shape
``(texts, classes)`` where a text may have several labels. The predicted class is the most probable one (the first of
equals); with several labels every label of probability ``DECISION_THRESHOLD`` or more is predicted.

Every metric but ``roc_auc`` is a function of sums over texts, so that a bootstrap draw needs no model:
``metrics(classes)["accuracy"](statistics(probabilities, labels).sum(axis=0))``. The sums may have leading axes, one
row a draw. A metric that is undefined (no texts) is NaN, never an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr
from scipy.stats import rankdata

from homeground.errors import DataError, HomegroundError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Metric = Callable[[Floats], Floats]

DECISION_THRESHOLD = 0.5
"""The probability from which a label is predicted, where a text may have several."""

CONFIDENCE_BINS = 15
"""Bins of equal width over [0, 1] into which confidences are sorted, as in Guo et al. (2017)."""

SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)
"""Probabilities are clipped to [this, 1 - this] before their logarithm: a float32 softmax resolves nothing finer."""

COUNT, RIGHT_COLUMN, LOSS, FIRST_CLASS_COLUMN = 0, 1, 2, 3
"""Columns of the statistics. From ``FIRST_CLASS_COLUMN`` on there are three blocks with one column a class (true
positives, texts that have the class, texts that are predicted to have it), then one column a bin of confidence."""


@dataclass(frozen=True)
class PerClass:
    """Scores of every class, each of shape ``(classes,)``; ``support`` counts the texts that have the class."""

    precision: Floats
    recall: Floats
    f1: Floats
    support: Ints


@dataclass(frozen=True)
class Changes:
    """How many texts only the second model gets right (``fixed``) and only the first (``broke``), with the p-value.

    ``p`` is the probability of a split at least as uneven if neither model were better.
    """

    fixed: int
    broke: int
    p: float


def statistics(probabilities: ArrayLike, labels: ArrayLike) -> Floats:
    """Return the sufficient statistics of texts, shape ``(texts, 3 + 3 classes + CONFIDENCE_BINS)``.

    The columns are 1; 1 if the whole prediction is right; the negative logarithm of the probability of the true class
    (with several labels the mean over all of them); for every class 1 if it is both true and predicted, 1 if it is
    true, and 1 if it is predicted; for every bin confidence minus correctness of the decisions in it, 0 outside the
    bin. Where a text may have several labels, each label is one decision with a confidence of its own.

    Raises:
        DataError: the shapes do not fit, or a label is not a class number.
        HomegroundError: a probability is not finite.

    >>> statistics([[0.75, 0.25]], [0])[0, :9].round(3).tolist()
    [1.0, 1.0, 0.288, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    """
    scores, truth = _checked(probabilities, labels)
    actual, predicted = _indicators(truth, scores.shape[1]), _predicted(scores, truth.ndim == 2)
    clipped = np.clip(scores, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    if truth.ndim == 2:
        loss = -np.log(np.where(actual > 0, clipped, 1 - clipped)).mean(axis=1)
    else:
        loss = -np.log(np.take_along_axis(clipped, truth[:, None], axis=1)[:, 0])
    right = (actual == predicted).all(axis=1)
    whole = np.stack([np.ones(len(scores)), right.astype(np.float64), loss], axis=1)
    return np.hstack([whole, actual * predicted, actual, predicted, _gaps(*_decisions(scores, truth))])


def metrics(classes: int, multi_label: bool = False, *, tested: Sequence[int] | None = None) -> dict[str, Metric]:
    """Return every metric by name, as a function of summed statistics with this number of classes.

    ``tested`` are the classes that macro F1 averages over; None means all.

    >>> list(metrics(3))
    ['accuracy', 'macro_f1', 'log_loss', 'ece']
    """
    if multi_label:
        return {
            "micro_f1": lambda sums: micro_f1(sums, classes),
            "macro_f1": lambda sums: macro_f1(sums, classes, tested),
            "exact_match": accuracy,
            "hamming_accuracy": lambda sums: hamming_accuracy(sums, classes),
            "log_loss": log_loss,
            "ece": lambda sums: ece(sums, classes, multi_label=True),
        }
    return {
        "accuracy": accuracy,
        "macro_f1": lambda sums: macro_f1(sums, classes, tested),
        "log_loss": log_loss,
        "ece": lambda sums: ece(sums, classes),
    }


def accuracy(sums: Floats) -> Floats:
    """Return the share of texts whose prediction is right, in [0, 1]; greater is better.

    With several labels a text all of them must be right, which is called exact match.

    >>> float(accuracy(statistics([[0.9, 0.1], [0.8, 0.2]], [0, 1]).sum(axis=0)))
    0.5
    """
    return _ratio(sums[..., RIGHT_COLUMN], sums[..., COUNT])


def hamming_accuracy(sums: Floats, classes: int) -> Floats:
    """Return the share of single yes-or-no decisions that are right, in [0, 1]; greater is better.

    1 minus the Hamming loss: Schapire & Singer (1999), Machine Learning 37. With rare labels a model that predicts
    nothing scores high.

    >>> float(hamming_accuracy(statistics([[0.9, 0.1]], [[1, 1]]).sum(axis=0), 2))
    0.5
    """
    hits, actual, predicted = (each.sum(axis=-1) for each in _counts(sums, classes))
    return 1 - _ratio(actual + predicted - 2 * hits, classes * sums[..., COUNT])


def macro_f1(sums: Floats, classes: int, tested: Sequence[int] | None = None) -> Floats:
    """Return the unweighted mean of the F1 of the tested classes, in [0, 1]; greater is better.

    The mean of F1, not the F1 of means (Opitz & Burst 2019, arXiv 1911.03347). ``tested`` are the classes of the whole
    test set; None means all classes. A class that no text of a resample has or gets counts with F1 0, as in
    scikit-learn with ``labels=tested, zero_division=0``, so that the classes averaged over do not depend on the draw.

    >>> float(macro_f1(statistics([[0.9, 0.1], [0.8, 0.2]], [0, 0]).sum(axis=0), 2))
    0.5
    """
    hits, actual, predicted = _counts(sums, classes)
    each = _share(2 * hits, actual + predicted)
    mean = (each if tested is None else each[..., list(tested)]).mean(axis=-1)
    return np.where(sums[..., COUNT] > 0, mean, np.nan)


def micro_f1(sums: Floats, classes: int) -> Floats:
    """Return the F1 over all labels of all texts together, in [0, 1]; greater is better.

    2 true positives / (true + predicted), 0 where no label is true or predicted (van Rijsbergen 1979, Information
    Retrieval). With one label a text it equals the accuracy.

    >>> float(micro_f1(statistics([[0.9, 0.1, 0.8]], [[1, 1, 1]]).sum(axis=0), 3))
    0.8
    """
    hits, actual, predicted = (each.sum(axis=-1) for each in _counts(sums, classes))
    return np.where(sums[..., COUNT] > 0, _share(2 * hits, actual + predicted), np.nan)


def log_loss(sums: Floats) -> Floats:
    """Return the mean negative logarithm of the probability of the true class, in nats, 0 or more; smaller is better.

    With several labels a text it is the mean over texts and labels of the binary log loss. A proper scoring rule: it is
    smallest for the true probabilities (Good 1952, Journal of the Royal Statistical Society B 14).

    >>> float(log_loss(statistics([[0.5, 0.5]], [1]).sum(axis=0)).round(3))
    0.693
    """
    return _ratio(sums[..., LOSS], sums[..., COUNT])


def ece(sums: Floats, classes: int, multi_label: bool = False) -> Floats:
    """Return the expected calibration error, in [0, 1]; smaller is better.

    sum over bins of (texts in the bin / all texts) * |mean confidence - share right|, with 15 bins of equal width
    (Naeini, Cooper & Hauskrecht 2015, AAAI; Guo et al. 2017, ICML). Confidence is the probability of the predicted
    class; with several labels every label is one decision, and its confidence is that of its yes or no. Chance alone
    makes it greater than 0, the more the fewer the texts.

    >>> float(ece(statistics([[0.75, 0.25]] * 4, [0, 0, 0, 1]).sum(axis=0), 2))
    0.0
    """
    gaps = np.abs(sums[..., FIRST_CLASS_COLUMN + 3 * classes :]).sum(axis=-1)
    return _ratio(gaps, (classes if multi_label else 1) * sums[..., COUNT])


def f1_of_class(place: int, classes: int) -> Metric:
    """Return the metric that is the F1 of one class, in [0, 1]; greater is better; 0 where no text has it or gets it.

    >>> float(f1_of_class(1, 2)(statistics([[0.9, 0.1], [0.2, 0.8]], [1, 1]).sum(axis=0)).round(3))
    0.667
    """

    def metric(sums: Floats) -> Floats:
        hits, actual, predicted = (each[..., place] for each in _counts(sums, classes))
        return np.where(sums[..., COUNT] > 0, _share(2 * hits, actual + predicted), np.nan)

    return metric


def per_class(probabilities: ArrayLike, labels: ArrayLike) -> PerClass:
    """Return precision, recall, F1 and support of every class; 0 where a score would divide by 0.

    >>> per_class([[0.9, 0.1], [0.8, 0.2]], [0, 1]).recall.tolist()
    [1.0, 0.0]
    """
    sums = statistics(probabilities, labels).sum(axis=0)
    hits, actual, predicted = _counts(sums, (len(sums) - FIRST_CLASS_COLUMN - CONFIDENCE_BINS) // 3)
    f1 = _share(2 * hits, actual + predicted)
    return PerClass(_share(hits, predicted), _share(hits, actual), f1, actual.astype(np.int64))


def roc_auc(probabilities: ArrayLike, labels: ArrayLike) -> float | None:
    """Return the area under the ROC curve, in [0, 1]; greater is better; 0.5 is chance.

    The probability that a text of the class gets a higher probability for it than a text of another class; ties count
    half (Hanley & McNeil 1982, Radiology 143). It follows from the rank sum of the texts of the class: area = (R -
    n(n + 1)/2) / (n m) for n texts inside and m outside. For two classes it is that of the second; for more the mean
    over the classes, one against the rest. Classes that no text or every text has are left out; None if none remains.

    >>> roc_auc([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3]], [0, 1, 1]), roc_auc([[0.9, 0.1]], [0])
    (1.0, None)
    """
    scores, truth = _checked(probabilities, labels)
    actual = _indicators(truth, scores.shape[1])
    if truth.ndim == 1 and scores.shape[1] == 2:
        scores, actual = scores[:, 1:], actual[:, 1:]
    inside, outside = actual.sum(axis=0), (1 - actual).sum(axis=0)
    defined = (inside > 0) & (outside > 0)
    if not defined.any():
        return None
    ranks = np.asarray(rankdata(scores[:, defined], axis=0), dtype=np.float64)
    inside, outside = inside[defined], outside[defined]
    areas = ((ranks * actual[:, defined]).sum(axis=0) - inside * (inside + 1) / 2) / (inside * outside)
    return float(areas.mean())


def confusion(probabilities: ArrayLike, labels: ArrayLike, classes: int) -> Ints:
    """Return the number of texts of each class (rows) by predicted class (columns), shape ``(classes, classes)``.

    Raises DataError where a text may have several labels: which label was confused with which is not defined.

    >>> confusion([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], [0, 1, 1], 2).tolist()
    [[1, 0], [1, 1]]
    """
    scores, truth = _checked(probabilities, labels)
    if truth.ndim == 2 or scores.shape[1] != classes:
        raise DataError(
            f"labels have shape {truth.shape} and probabilities {scores.shape}; a confusion matrix of {classes} "
            f"classes needs one label a text and {classes} probabilities."
        )
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (truth, scores.argmax(axis=1)), 1)
    return matrix


def correct(probabilities: ArrayLike, labels: ArrayLike) -> NDArray[np.bool_]:
    """Return which texts are predicted right, shape ``(texts,)``; of several labels all must be right.

    >>> correct([[0.9, 0.1], [0.8, 0.2]], [0, 1]).tolist()
    [True, False]
    """
    scores, truth = _checked(probabilities, labels)
    return (_predicted(scores, truth.ndim == 2) == _indicators(truth, scores.shape[1])).all(axis=1)


def mcnemar(before_correct: ArrayLike, after_correct: ArrayLike) -> Changes:
    """Return how many texts were fixed and broken, with the exact two-sided p-value of McNemar's test.

    Both arguments have shape ``(texts,)``. If neither model were better, each text on which they differ would fall
    either way with probability 1/2, so that p = 2 Binomial(min(fixed, broke); fixed + broke, 1/2), at most 1 (McNemar
    1947, Psychometrika 12; for classifiers Dietterich 1998, Neural Computation 10(7)). It assumes independent texts,
    which the texts of one unit are not, so it describes and never decides. p is 1 where nothing changed.

    >>> mcnemar([False, False, False, True], [True, True, True, True])
    Changes(fixed=3, broke=0, p=0.25)
    """
    before, after = np.asarray(before_correct, dtype=np.bool_), np.asarray(after_correct, dtype=np.bool_)
    if before.ndim != 1 or before.shape != after.shape:
        raise DataError(f"before has shape {before.shape} and after {after.shape}; expected one of each for a text.")
    fixed, broke = int((~before & after).sum()), int((before & ~after).sum())
    p = 2 * float(bdtr(min(fixed, broke), fixed + broke, 0.5))
    return Changes(fixed, broke, min(p, 1.0))


def reliability(probabilities: ArrayLike, labels: ArrayLike, bins: int = CONFIDENCE_BINS) -> list[dict[str, float]]:
    """Return the mean confidence, the share right and the count of every bin of confidence that is not empty.

    With several labels every label is one decision, as for ``ece``. Bins have equal width and contain their upper end.

    >>> reliability([[0.9, 0.1], [0.3, 0.7], [0.9, 0.1]], [0, 1, 1], bins=5)
    [{'confidence': 0.7, 'accuracy': 1.0, 'count': 1}, {'confidence': 0.9, 'accuracy': 0.5, 'count': 2}]
    """
    confidence, right = (values.ravel() for values in _decisions(*_checked(probabilities, labels)))
    bin_of = _bins(confidence, bins)
    members = [bin_of == place for place in np.unique(bin_of)]
    return [
        {"confidence": float(confidence[each].mean()), "accuracy": float(right[each].mean()), "count": int(each.sum())}
        for each in members
    ]


def _checked(probabilities: ArrayLike, labels: ArrayLike) -> tuple[Floats, Ints]:
    scores, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    if scores.ndim != 2 or truth.shape not in (scores.shape[:1], scores.shape):
        raise DataError(
            f"probabilities have shape {scores.shape} and labels {truth.shape}; expected (texts, classes) and "
            "(texts,), or (texts, classes) for several labels a text."
        )
    if not np.isfinite(scores).all():
        text, place = np.argwhere(~np.isfinite(scores))[0]
        raise HomegroundError(
            f"text {text + 1}: the model's probability of class {place + 1} is {scores[text, place]}; its weights may "
            "not be finite, so none of its predictions can be measured."
        )
    # A softmax in half precision may miss 1 by its rounding.
    if scores.size and not (scores.min() >= 0 and scores.max() <= 1 + 1e-2):
        raise DataError(f"probabilities span {scores.min():g} to {scores.max():g}; expected 0 to 1, after the softmax.")
    most = 1 if truth.ndim == 2 else scores.shape[1] - 1
    if truth.size and not (truth.min() >= 0 and truth.max() <= most):
        raise DataError(f"labels span {truth.min()} to {truth.max()}; expected 0 to {most}.")
    return scores, truth


def _indicators(truth: Ints, classes: int) -> Floats:
    """Return labels as 0 and 1, shape ``(texts, classes)``."""
    return truth.astype(np.float64) if truth.ndim == 2 else np.eye(classes)[truth]


def _predicted(scores: Floats, multi_label: bool) -> Floats:
    """Return the predicted classes as 0 and 1, shape ``(texts, classes)``."""
    return (
        (scores >= DECISION_THRESHOLD).astype(np.float64)
        if multi_label
        else np.eye(scores.shape[1])[scores.argmax(axis=1)]
    )


def _decisions(scores: Floats, truth: Ints) -> tuple[Floats, Floats]:
    """Return the confidence of every decision and whether it is right, each of shape ``(texts, decisions)``."""
    if truth.ndim == 2:
        return np.maximum(scores, 1 - scores), ((scores >= DECISION_THRESHOLD) == (truth > 0)).astype(np.float64)
    return scores.max(axis=1, keepdims=True), (scores.argmax(axis=1) == truth)[:, None].astype(np.float64)


def _bins(confidence: Floats, bins: int) -> Ints:
    return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)


def _gaps(confidence: Floats, right: Floats) -> Floats:
    """Return confidence minus correctness of every decision, summed by bin, shape ``(texts, CONFIDENCE_BINS)``.

    Summed over texts, a column is the count of its bin times (mean confidence - share right), which is all ``ece``
    needs.
    """
    gaps = np.zeros((len(confidence), CONFIDENCE_BINS))
    np.add.at(gaps, (np.arange(len(confidence))[:, None], _bins(confidence, CONFIDENCE_BINS)), confidence - right)
    return gaps


def _counts(sums: Floats, classes: int) -> tuple[Floats, Floats, Floats]:
    """Return, each ``(..., classes)``, the true positives, the texts that have a class and the texts that get it."""
    hits, actual, predicted = (
        sums[..., FIRST_CLASS_COLUMN + part * classes : FIRST_CLASS_COLUMN + (part + 1) * classes] for part in range(3)
    )
    return hits, actual, predicted


def _share(numerator: Floats, denominator: Floats) -> Floats:
    """Return the quotient, 0 where the denominator is 0."""
    nothing = denominator <= 0
    return np.where(nothing, 0.0, numerator / np.where(nothing, 1.0, denominator))


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Return the quotient, NaN where the denominator is 0."""
    return numerator / np.where(denominator > 0, denominator, np.nan)
