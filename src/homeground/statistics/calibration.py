"""Calibration of a classifier: the temperature of its softmax, and the confidence from which its answers are reliable.

``logits`` have shape ``(texts, classes)``. ``labels`` are class numbers ``(texts,)``, or 0 and 1 of shape
``(texts, classes)`` where a text may have several labels. All is computed in float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import betaincinv, logsumexp

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TEMPERATURES = (0.05, 20.0)
"""The lowest and the highest temperature that is fitted."""

ERROR_RATE = 0.05
"""The probability that a one-sided bound is on the wrong side of the true value."""

MOST_GROWTH = 10_000
"""More than this many times the present examples are not proposed: the precision counts as out of reach."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """The confidence from which a model answers, with the number of examples answered and of right answers there."""

    confidence: float
    answered: int
    right: int


def log_loss_at(temperature: float, logits: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean log loss, in nats, of the probabilities of ``logits / temperature``; smaller is better.

    The probabilities are those of a softmax. Where a text may have several labels they are those of a sigmoid, and the
    mean is over texts and labels.

    >>> round(log_loss_at(1.0, [[0.0, 0.0]], [1]), 3)
    0.693
    """
    scaled, truth = np.asarray(logits, np.float64) / temperature, np.asarray(labels, np.int64)
    if truth.ndim == 2:
        # -log sigmoid(z) = log(1 + exp(-z)), which logaddexp computes without overflow.
        return float(np.logaddexp(0, np.where(truth > 0, -scaled, scaled)).mean())
    of_truth = np.take_along_axis(scaled, truth[:, None], axis=1)[:, 0]
    return float((logsumexp(scaled, axis=1) - of_truth).mean())


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """Return the temperature in ``TEMPERATURES`` with the smallest log loss (Guo et al. 2017, On calibration, ICML).

    Above 1 the model was overconfident, below 1 underconfident. The loss is convex in 1 / temperature, so it has one
    minimum; where it decreases up to an end of the range, that end is returned.

    >>> sure = [[2.0, 0.0]] * 4
    >>> round(fit_temperature(sure, [0, 0, 0, 1]), 3), round(2 / math.log(3), 3)
    (1.82, 1.82)
    """
    low, high = (math.log(end) for end in TEMPERATURES)
    result: Any = minimize_scalar(
        lambda log: log_loss_at(math.exp(log), logits, labels),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-8},
    )
    inside = math.exp(float(result.x))
    return min((*TEMPERATURES, inside), key=lambda value: log_loss_at(value, logits, labels))


def without_mistake(logits: ArrayLike, labels: ArrayLike) -> bool:
    """Tell whether every label is predicted right: then the loss has no minimum but decreases with the temperature.

    >>> without_mistake([[2.0, 0.0], [0.0, 1.0]], [0, 1]), without_mistake([[2.0, 0.0]], [1])
    (True, False)
    """
    values, truth = np.asarray(logits, np.float64), np.asarray(labels, np.int64)
    if truth.ndim == 2:
        return bool((np.where(truth > 0, values, -values) > 0).all())
    true = np.eye(values.shape[1], dtype=bool)[truth]
    return bool((values[true] > np.where(true, -np.inf, values).max(axis=1)).all())


def lower_bound(right: ArrayLike, answered: ArrayLike, alpha: float = ERROR_RATE) -> Floats:
    """Return the one-sided lower confidence bound of the share right / answered, in [0, 1].

    The ``alpha`` quantile of Beta(right, answered - right + 1). It is exact: at most ``alpha`` of all samples give a
    bound above the true share (Clopper & Pearson 1934, Biometrika 26).

    >>> [round(float(lower_bound(right, 59)), 3) for right in (59, 58, 0)]
    [0.95, 0.922, 0.0]
    """
    successes, trials = np.asarray(right, np.float64), np.asarray(answered, np.float64)
    some = successes > 0
    return np.where(some, betaincinv(np.where(some, successes, 1.0), trials - successes + 1, alpha), 0.0)


def exact_interval(right: float, answered: float, level: float = 0.95) -> tuple[float, float]:
    """Return the two-sided interval of a share by Clopper & Pearson (1934); (0, 1) where nothing was answered.

    Both numbers may be effective ones, which need not be whole.

    >>> tuple(round(end, 3) for end in exact_interval(19, 20))
    (0.751, 0.999)
    """
    if not answered > 0:
        return 0.0, 1.0
    alpha = (1 - level) / 2
    return float(lower_bound(right, answered, alpha)), 1 - float(lower_bound(answered - right, answered, alpha))


def find_threshold(confidence: ArrayLike, right: ArrayLike, precision: float) -> Threshold | None:
    """Return the lowest confidence from which answers are shown to have at least this precision, None if none is.

    Of all thresholds whose ``lower_bound`` reaches the precision it is the one that answers most examples (Geifman &
    El-Yaniv 2017, Selective classification for deep neural networks, NeurIPS). Their correction for trying many
    thresholds is left out: the sets of answers are nested and so correlated that the bound holds without it wherever
    higher confidence means fewer mistakes. Examples are assumed independent. ``confidence`` and ``right`` have shape
    ``(examples,)``.

    >>> find_threshold([0.9] * 30 + [0.6] * 10, [1] * 30 + [0] * 10, 0.9)
    Threshold(confidence=0.9, answered=30, right=30)
    """
    thresholds, answered, correct = _nested(confidence, right)
    reached = np.flatnonzero(lower_bound(correct, answered) >= precision)
    if not len(reached):
        return None
    last = reached[-1]
    return Threshold(float(thresholds[last]), int(answered[last]), int(correct[last]))


def examples_needed(confidence: ArrayLike, right: ArrayLike, precision: float) -> int | None:
    """Return the number of examples that would give a threshold if the shares right stayed the same.

    None where even ``MOST_GROWTH`` times as many examples would give none.

    >>> examples_needed([0.9] * 10, [1] * 10, 0.95), examples_needed([0.9] * 10, [0] * 10, 0.95)
    (59, None)
    """
    _, answered, correct = _nested(confidence, right)
    above = correct > precision * answered
    answered, correct = answered[above], correct[above]

    def reached(growth: float) -> bool:
        return bool((lower_bound(growth * correct, growth * answered) >= precision).any())

    if not reached(MOST_GROWTH):
        return None
    # Bisection: the bound rises with the number of examples.
    low, high = 0.0, float(MOST_GROWTH)
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return math.ceil(high * np.size(right) - 1e-3)


def _nested(confidence: ArrayLike, right: ArrayLike) -> tuple[Floats, Ints, Ints]:
    """Return every possible threshold, the highest first, with the examples answered and right from it on."""
    values, correct = np.asarray(confidence, np.float64), np.asarray(right, np.int64)
    order = np.argsort(-values, kind="stable")
    values, correct = values[order], np.cumsum(correct[order])
    # Equal confidences are answered together.
    last = np.append(values[1:] < values[:-1], True)[: len(values)]
    return values[last], np.flatnonzero(last) + 1, correct[last]
