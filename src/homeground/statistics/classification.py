"""How often the right class is found, how well each class is found, and how far a probability can be believed.

``probabilities`` have shape ``(texts, classes)``. ``labels`` are class numbers ``(texts,)``, or 0 and 1 of shape
``(texts, classes)`` where a text may have several labels; the predicted class is the most probable one (of equals the
first), and a label is predicted from ``THRESHOLD`` on. Every metric but ``roc_auc`` is a function of sums over texts:
``metrics(classes)["accuracy"](statistics(probabilities, labels).sum(axis=0))``. The sums may carry leading axes, one
row a bootstrap draw. A metric that is undefined (no texts) is NaN, never an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]
from scipy.stats import rankdata  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from homeground.errors import DataError, HomegroundError
from homeground.statistics.glossary import directions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Metric = Callable[[Floats], Floats]

THRESHOLD = 0.5
"""From this probability on a label is predicted, where a text may have several."""

BINS = 15
"""Equal parts of [0, 1] into which confidences are sorted, as in Guo et al. (2017)."""

SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)
"""Probabilities are clipped to [this, 1 - this] before their logarithm: nearer to 1 a float32 softmax cannot tell."""

COUNT, RIGHT, LOSS, FOUND = 0, 1, 2, 3
"""Columns of the statistics; from ``FOUND`` on, one a class: found, true, predicted; then one a bin of confidence."""

GREATER_IS_BETTER = directions(
    "accuracy", "exact_match", "hamming_accuracy", "macro_f1", "micro_f1", "log_loss", "ece", "roc_auc"
)


@dataclass(frozen=True)
class PerClass:
    """Scores of every class, each of shape ``(classes,)``; ``support`` counts the texts that have the class."""

    precision: Floats
    recall: Floats
    f1: Floats
    support: Ints


@dataclass(frozen=True)
class Changes:
    """How many texts only the second model gets right, how many only the first, and the probability ``p`` of a split
    at least as uneven if neither were better."""

    fixed: int
    broke: int
    p: float


def statistics(probabilities: ArrayLike, labels: ArrayLike) -> Floats:
    """Return the sufficient statistics of texts, shape ``(texts, 3 + 3 classes + BINS)``.

    The columns are 1; whether the whole prediction is right; the negative logarithm of the probability given to the
    truth (of several labels the mean over all of them); for every class whether it is true and predicted, whether it is
    true, and whether it is predicted; for every bin of confidence the confidence less what was right, 0 outside the
    bin. Where a text may have several labels, each label is one decision with a confidence of its own.

    Raises DataError where the shapes do not fit or a label names no class, HomegroundError where a probability is not
    finite.

    >>> statistics([[0.75, 0.25]], [0])[0, :9].round(3).tolist()
    [1.0, 1.0, 0.288, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    """
    given, truth = _checked(probabilities, labels)
    true = _indicators(truth, given.shape[1])
    chosen = _chosen(given, truth.ndim == 2)
    clipped = np.clip(given, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    if truth.ndim == 2:
        loss = -np.log(np.where(true > 0, clipped, 1 - clipped)).mean(axis=1)
    else:
        loss = -np.log(np.take_along_axis(clipped, truth[:, None], axis=1)[:, 0])
    right = (true == chosen).all(axis=1)
    first = np.stack([np.ones(len(given)), right.astype(np.float64), loss], axis=1)
    return np.hstack([first, true * chosen, true, chosen, _gaps(*_decisions(given, truth))])


def metrics(classes: int, multi_label: bool = False, *, tested: Sequence[int] | None = None) -> dict[str, Metric]:
    """Return every metric by name, as a function of summed statistics of so many classes.

    ``tested`` are the classes that macro F1 is the mean of, all where none are named.

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

    Of several labels all must be right: there it is called exact match.

    >>> float(accuracy(statistics([[0.9, 0.1], [0.8, 0.2]], [0, 1]).sum(axis=0)))
    0.5
    """
    return _ratio(sums[..., RIGHT], sums[..., COUNT])


def hamming_accuracy(sums: Floats, classes: int) -> Floats:
    """Return the share of single labels, given or not, that are right, in [0, 1]; greater is better.

    1 less the Hamming loss: Schapire & Singer (1999), Machine Learning 37. Rare labels make it high for whoever
    predicts nothing.

    >>> float(hamming_accuracy(statistics([[0.9, 0.1]], [[1, 1]]).sum(axis=0), 2))
    0.5
    """
    found, true, predicted = (each.sum(axis=-1) for each in _counts(sums, classes))
    return 1 - _ratio(true + predicted - 2 * found, classes * sums[..., COUNT])


def macro_f1(sums: Floats, classes: int, tested: Sequence[int] | None = None) -> Floats:
    """Return the mean of the F1 of the tested classes, each counting alike, in [0, 1]; greater is better.

    The mean of F1, not the F1 of means (Opitz & Burst 2019, arXiv 1911.03347). ``tested`` are the classes of the whole
    test set, all classes where it is None. One of them that is neither true nor predicted, as in a resample, counts
    with F1 0, as under scikit-learn's ``zero_division=0`` with these ``labels``: so the list never depends on the draw.

    >>> float(macro_f1(statistics([[0.9, 0.1], [0.8, 0.2]], [0, 0]).sum(axis=0), 2))
    0.5
    """
    found, true, predicted = _counts(sums, classes)
    each = _share(2 * found, true + predicted)
    mean = (each if tested is None else each[..., list(tested)]).mean(axis=-1)
    return np.where(sums[..., COUNT] > 0, mean, np.nan)


def micro_f1(sums: Floats, classes: int) -> Floats:
    """Return the F1 of all labels of all texts taken together, in [0, 1]; greater is better.

    2 found / (true + predicted), 0 where no label is true or predicted (van Rijsbergen 1979, Information Retrieval).
    With one label a text it would be the accuracy.

    >>> float(micro_f1(statistics([[0.9, 0.1, 0.8]], [[1, 1, 1]]).sum(axis=0), 3))
    0.8
    """
    found, true, predicted = (each.sum(axis=-1) for each in _counts(sums, classes))
    return np.where(sums[..., COUNT] > 0, _share(2 * found, true + predicted), np.nan)


def log_loss(sums: Floats) -> Floats:
    """Return the mean negative logarithm of the probability given to the truth, in nats, 0 or more; smaller is better.

    Where a text may have several labels it is the mean over texts and labels of the loss of each yes or no. A proper
    score: it is least for the true probabilities (Good 1952, Journal of the Royal Statistical Society B 14).

    >>> float(log_loss(statistics([[0.5, 0.5]], [1]).sum(axis=0)).round(3))
    0.693
    """
    return _ratio(sums[..., LOSS], sums[..., COUNT])


def ece(sums: Floats, classes: int, multi_label: bool = False) -> Floats:
    """Return the expected calibration error, in [0, 1]; smaller is better.

    The mean over texts of how far the mean confidence of their bin lies from the share that is right in it, over 15
    bins of equal width (Naeini, Cooper & Hauskrecht 2015, AAAI; Guo et al. 2017, ICML). Confidence is the probability
    of the predicted class; of several labels every one is a decision, its confidence that of the yes or no. Chance
    alone makes it greater than 0, the more so the fewer the texts.

    >>> float(ece(statistics([[0.75, 0.25]] * 4, [0, 0, 0, 1]).sum(axis=0), 2))
    0.0
    """
    gaps = np.abs(sums[..., FOUND + 3 * classes :]).sum(axis=-1)
    return _ratio(gaps, (classes if multi_label else 1) * sums[..., COUNT])


def f1_of_class(place: int, classes: int) -> Metric:
    """Return the metric that is the F1 of one class, in [0, 1]; greater is better; 0 where it is nowhere.

    >>> float(f1_of_class(1, 2)(statistics([[0.9, 0.1], [0.2, 0.8]], [1, 1]).sum(axis=0)).round(3))
    0.667
    """
    return _of_class(place, classes, lambda found, true, predicted: _share(2 * found, true + predicted))


def precision_of_class(place: int, classes: int) -> Metric:
    """Return the metric that is the precision of one class: of the texts given the class, the share that have it.

    In [0, 1]; greater is better; 0 where the class is never predicted.

    >>> float(precision_of_class(0, 2)(statistics([[0.9, 0.1], [0.8, 0.2]], [0, 1]).sum(axis=0)))
    0.5
    """
    return _of_class(place, classes, lambda found, true, predicted: _share(found, predicted))


def recall_of_class(place: int, classes: int) -> Metric:
    """Return the metric that is the recall of one class: of the texts that have it, the share that are given it.

    In [0, 1]; greater is better; 0 where no text has the class.

    >>> float(recall_of_class(1, 2)(statistics([[0.9, 0.1], [0.2, 0.8]], [1, 1]).sum(axis=0)))
    0.5
    """
    return _of_class(place, classes, lambda found, true, predicted: _share(found, true))


def per_class(probabilities: ArrayLike, labels: ArrayLike) -> PerClass:
    """Return precision, recall, F1 and support of every class; 0 where a score has nothing to divide by.

    >>> per_class([[0.9, 0.1], [0.8, 0.2]], [0, 1]).recall.tolist()
    [1.0, 0.0]
    """
    sums = statistics(probabilities, labels).sum(axis=0)
    found, true, predicted = _counts(sums, (len(sums) - FOUND - BINS) // 3)
    return PerClass(
        precision=_share(found, predicted),
        recall=_share(found, true),
        f1=_share(2 * found, true + predicted),
        support=true.astype(np.int64),
    )


def roc_auc(probabilities: ArrayLike, labels: ArrayLike) -> float | None:
    """Return the area under the ROC curve, in [0, 1]; greater is better; 0.5 is chance.

    The probability that a text of a class is given a higher probability of it than a text of another, ties counting
    half (Hanley & McNeil 1982, Radiology 143). For two classes that of the second one; else the mean over the classes,
    one against the rest. A class that no text or every text has is left out; None where none remains.

    >>> roc_auc([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3]], [0, 1, 1]), roc_auc([[0.9, 0.1]], [0])
    (1.0, None)
    """
    given, truth = _checked(probabilities, labels)
    true = _indicators(truth, given.shape[1])
    if truth.ndim == 1 and given.shape[1] == 2:
        given, true = given[:, 1:], true[:, 1:]
    inside, outside = true.sum(axis=0), (1 - true).sum(axis=0)
    defined = (inside > 0) & (outside > 0)
    if not defined.any():
        return None
    ranks = np.asarray(rankdata(given[:, defined], axis=0), dtype=np.float64)
    inside, outside = inside[defined], outside[defined]
    areas = ((ranks * true[:, defined]).sum(axis=0) - inside * (inside + 1) / 2) / (inside * outside)
    return float(areas.mean())


def confusion(probabilities: ArrayLike, labels: ArrayLike, classes: int) -> Ints:
    """Return how many texts of each class (rows) were given each class (columns), shape ``(classes, classes)``.

    Raises DataError where a text may have several labels: which of them was taken for which is not defined.

    >>> confusion([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], [0, 1, 1], 2).tolist()
    [[1, 0], [1, 1]]
    """
    given, truth = _checked(probabilities, labels)
    if truth.ndim == 2 or given.shape[1] != classes:
        raise DataError(
            f"labels have shape {truth.shape} and probabilities {given.shape}; a confusion matrix of {classes} classes "
            f"needs one label a text and {classes} probabilities."
        )
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (truth, given.argmax(axis=1)), 1)
    return matrix


def correct(probabilities: ArrayLike, labels: ArrayLike) -> NDArray[np.bool_]:
    """Return which texts have a right prediction, shape ``(texts,)``; of several labels all must be right.

    >>> correct([[0.9, 0.1], [0.8, 0.2]], [0, 1]).tolist()
    [True, False]
    """
    given, truth = _checked(probabilities, labels)
    return (_chosen(given, truth.ndim == 2) == _indicators(truth, given.shape[1])).all(axis=1)


def mcnemar(before_correct: ArrayLike, after_correct: ArrayLike) -> Changes:
    """Return how many texts were fixed and broken, with the exact two-sided p of McNemar's test.

    Both arguments have shape ``(texts,)``. If neither model were better, each text on which they differ would fall
    either way with probability 1/2 (McNemar 1947, Psychometrika 12; for classifiers Dietterich 1998, Neural
    Computation 10(7)). It takes the texts for independent, which texts of one unit are not: it describes, and never
    decides. 1 where nothing changed.

    >>> mcnemar([False, False, False, True], [True, True, True, True])
    Changes(fixed=3, broke=0, p=0.25)
    """
    before, after = np.asarray(before_correct, dtype=np.bool_), np.asarray(after_correct, dtype=np.bool_)
    if before.ndim != 1 or before.shape != after.shape:
        raise DataError(f"before has shape {before.shape} and after {after.shape}; expected one of each for a text.")
    fixed, broke = int((~before & after).sum()), int((before & ~after).sum())
    p = 2 * float(bdtr(min(fixed, broke), fixed + broke, 0.5))
    return Changes(fixed, broke, min(p, 1.0))


def reliability(probabilities: ArrayLike, labels: ArrayLike, bins: int = BINS) -> list[dict[str, float]]:
    """Return for every bin of confidence that is not empty its mean confidence, the share right in it and its count.

    Of several labels every one is a decision, as for ``ece``. Bins have equal width and hold their upper end.

    >>> reliability([[0.9, 0.1], [0.3, 0.7], [0.9, 0.1]], [0, 1, 1], bins=5)
    [{'confidence': 0.7, 'accuracy': 1.0, 'count': 1}, {'confidence': 0.9, 'accuracy': 0.5, 'count': 2}]
    """
    confidence, right = (values.ravel() for values in _decisions(*_checked(probabilities, labels)))
    bin_of = _bins(confidence, bins)
    found: list[dict[str, float]] = []
    for place in np.unique(bin_of):
        inside = bin_of == place
        found.append(
            {
                "confidence": float(confidence[inside].mean()),
                "accuracy": float(right[inside].mean()),
                "count": int(inside.sum()),
            }
        )
    return found


def _checked(probabilities: ArrayLike, labels: ArrayLike) -> tuple[Floats, Ints]:
    given, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    if given.ndim != 2 or truth.shape not in (given.shape[:1], given.shape):
        raise DataError(
            f"probabilities have shape {given.shape} and labels {truth.shape}; expected (texts, classes) and (texts,), "
            "or (texts, classes) for several labels a text."
        )
    if not np.isfinite(given).all():
        text, place = np.argwhere(~np.isfinite(given))[0]
        raise HomegroundError(
            f"text {text + 1}: the model's probability of class {place + 1} is {given[text, place]}; its weights may "
            "not be finite, so nothing it says can be measured."
        )
    # A softmax in half precision may miss 1 by its rounding.
    if given.size and not (given.min() >= 0 and given.max() <= 1 + 1e-2):
        raise DataError(f"probabilities span {given.min():g} to {given.max():g}; expected 0 to 1, after the softmax.")
    most = 1 if truth.ndim == 2 else given.shape[1] - 1
    if truth.size and not (truth.min() >= 0 and truth.max() <= most):
        raise DataError(f"labels span {truth.min()} to {truth.max()}; expected 0 to {most}.")
    return given, truth


def _indicators(truth: Ints, classes: int) -> Floats:
    """Return labels as 0 and 1, shape ``(texts, classes)``."""
    return truth.astype(np.float64) if truth.ndim == 2 else np.eye(classes)[truth]


def _chosen(given: Floats, multi_label: bool) -> Floats:
    """Return the predicted classes as 0 and 1, shape ``(texts, classes)``."""
    return (given >= THRESHOLD).astype(np.float64) if multi_label else np.eye(given.shape[1])[given.argmax(axis=1)]


def _decisions(given: Floats, truth: Ints) -> tuple[Floats, Floats]:
    """Return the confidence of every decision and whether it is right, shape ``(texts, decisions)``."""
    if truth.ndim == 2:
        return np.maximum(given, 1 - given), ((given >= THRESHOLD) == (truth > 0)).astype(np.float64)
    return given.max(axis=1, keepdims=True), (given.argmax(axis=1) == truth)[:, None].astype(np.float64)


def _bins(confidence: Floats, bins: int) -> Ints:
    return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)


def _gaps(confidence: Floats, right: Floats) -> Floats:
    """Return confidence less what was right, sorted into bins, shape ``(texts, BINS)``."""
    gaps = np.zeros((len(confidence), BINS))
    np.add.at(gaps, (np.arange(len(confidence))[:, None], _bins(confidence, BINS)), confidence - right)
    return gaps


def _counts(sums: Floats, classes: int) -> tuple[Floats, Floats, Floats]:
    """Return how often each class was found, true and predicted, each of shape ``(..., classes)``."""
    found, true, predicted = (sums[..., FOUND + part * classes : FOUND + (part + 1) * classes] for part in range(3))
    return found, true, predicted


def _of_class(place: int, classes: int, score: Callable[[Floats, Floats, Floats], Floats]) -> Metric:
    """Return the metric that is a score of one class, from how often it was found, true and predicted."""

    def metric(sums: Floats) -> Floats:
        found, true, predicted = (each[..., place] for each in _counts(sums, classes))
        return np.where(sums[..., COUNT] > 0, score(found, true, predicted), np.nan)

    return metric


def _share(numerator: Floats, denominator: Floats) -> Floats:
    """Return the quotient, 0 where there is nothing to divide by."""
    nothing = denominator <= 0
    return np.where(nothing, 0.0, numerator / np.where(nothing, 1.0, denominator))


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Return the quotient, NaN where there is nothing to divide by."""
    return numerator / np.where(denominator > 0, denominator, np.nan)
