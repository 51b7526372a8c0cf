"""How a classifier's probabilities are made to mean what they say, and from which confidence its answers are to trust.

``logits`` have shape ``(texts, classes)``. ``labels`` are class numbers ``(texts,)``, or 0 and 1 of shape
``(texts, classes)`` where a text may have several labels. All is computed in float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]
from scipy.special import betaincinv, logsumexp  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TEMPERATURES = (0.05, 20.0)
"""The least and the greatest temperature that is fitted."""

ALPHA = 0.05
"""How often a one-sided bound may lie on the wrong side of the truth."""

MOST_GROWTH = 10_000
"""How many times the examples there are is the most that is said to be needed."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """The confidence from which a model answers, how many examples it answers there, and how many of these rightly."""

    confidence: float
    answered: int
    right: int


def log_loss_at(temperature: float, logits: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean log loss, in nats, of the probabilities that ``logits / temperature`` stand for; less is better.

    Those of a softmax; where a text may have several labels those of a sigmoid each, and the mean is over texts and
    labels.

    >>> round(log_loss_at(1.0, [[0.0, 0.0]], [1]), 3)
    0.693
    """
    given, truth = np.asarray(logits, np.float64) / temperature, np.asarray(labels, np.int64)
    if truth.ndim == 2:
        return float(np.logaddexp(0, np.where(truth > 0, -given, given)).mean())
    of_truth = np.take_along_axis(given, truth[:, None], axis=1)[:, 0]
    return float((logsumexp(given, axis=1) - of_truth).mean())


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """Return the temperature in ``TEMPERATURES`` with the least log loss (Guo et al. 2017, On calibration, ICML).

    Above 1 the model was too sure, below 1 not sure enough. The loss is convex in 1 / temperature, so it has one
    least point; where it falls up to an end, that end is returned.

    >>> sure = [[2.0, 0.0]] * 4
    >>> round(fit_temperature(sure, [0, 0, 0, 1]), 3), round(2 / math.log(3), 3)
    (1.82, 1.82)
    """
    low, high = (math.log(end) for end in TEMPERATURES)
    found: Any = minimize_scalar(
        lambda log: log_loss_at(math.exp(log), logits, labels),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-8},
    )
    inside = math.exp(float(found.x))
    return min((*TEMPERATURES, inside), key=lambda value: log_loss_at(value, logits, labels))


def without_mistake(logits: ArrayLike, labels: ArrayLike) -> bool:
    """Tell whether every label is found with room to spare: then the loss falls for ever as the temperature does.

    >>> without_mistake([[2.0, 0.0], [0.0, 1.0]], [0, 1]), without_mistake([[2.0, 0.0]], [1])
    (True, False)
    """
    given, truth = np.asarray(logits, np.float64), np.asarray(labels, np.int64)
    if truth.ndim == 2:
        return bool((np.where(truth > 0, given, -given) > 0).all())
    own = np.eye(given.shape[1], dtype=bool)[truth]
    return bool((given[own] > np.where(own, -np.inf, given).max(axis=1)).all())


def lower_bound(right: ArrayLike, answered: ArrayLike, alpha: float = ALPHA) -> Floats:
    """Return the one-sided lower bound of a share of which ``right`` of ``answered`` were seen, in [0, 1].

    Exact: at most ``alpha`` of all samples give a bound above the truth (Clopper & Pearson 1934, Biometrika 26).

    >>> [round(float(lower_bound(right, 59)), 3) for right in (59, 58, 0)]
    [0.95, 0.922, 0.0]
    """
    found, asked = np.asarray(right, np.float64), np.asarray(answered, np.float64)
    some = found > 0
    return np.where(some, betaincinv(np.where(some, found, 1.0), asked - found + 1, alpha), 0.0)


def exact_interval(right: int, answered: int, level: float = 0.95) -> tuple[float, float]:
    """Return the two-sided interval of Clopper & Pearson (1934) of a share; (0, 1) where nothing was answered.

    >>> tuple(round(end, 3) for end in exact_interval(19, 20))
    (0.751, 0.999)
    """
    if not answered:
        return 0.0, 1.0
    alpha = (1 - level) / 2
    return float(lower_bound(right, answered, alpha)), 1 - float(lower_bound(answered - right, answered, alpha))


def find_threshold(confidence: ArrayLike, right: ArrayLike, precision: float) -> Threshold | None:
    """Return the lowest confidence from which answers are right with at least this precision, None where none is.

    Of all thresholds whose lower bound reaches the precision it is the one that answers most (Geifman & El-Yaniv 2017,
    Selective classification for deep neural networks, NeurIPS, whose correction for many looks is left out: looks at
    nested sets of answers are so alike that where higher confidence does mean fewer mistakes the bound holds as it is).
    Examples are taken for independent. ``confidence`` and ``right`` have shape ``(examples,)``.

    >>> find_threshold([0.9] * 30 + [0.6] * 10, [1] * 30 + [0] * 10, 0.9)
    Threshold(confidence=0.9, answered=30, right=30)
    """
    ends, answered, found = _nested(confidence, right)
    reached = np.flatnonzero(lower_bound(found, answered) >= precision)
    if not len(reached):
        return None
    last = reached[-1]
    return Threshold(float(ends[last]), int(answered[last]), int(found[last]))


def examples_needed(confidence: ArrayLike, right: ArrayLike, precision: float) -> int | None:
    """Return of how many examples such as these a threshold would come, were the shares right the same; None: of none.

    >>> examples_needed([0.9] * 10, [1] * 10, 0.95), examples_needed([0.9] * 10, [0] * 10, 0.95)
    (59, None)
    """
    _, answered, found = _nested(confidence, right)
    above = found > precision * answered
    answered, found = answered[above], found[above]

    def reached(growth: float) -> bool:
        return bool((lower_bound(growth * found, growth * answered) >= precision).any())

    if not reached(MOST_GROWTH):
        return None
    low, high = 0.0, float(MOST_GROWTH)
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return math.ceil(high * np.size(right) - 1e-3)


def _nested(confidence: ArrayLike, right: ArrayLike) -> tuple[Floats, Ints, Ints]:
    """Return every threshold there could be, the highest first, with the examples answered and right from it on."""
    given, good = np.asarray(confidence, np.float64), np.asarray(right, np.int64)
    order = np.argsort(-given, kind="stable")
    given, found = given[order], np.cumsum(good[order])
    # Equal confidences are answered together.
    last = np.append(given[1:] < given[:-1], True)[: len(given)]
    return given[last], np.flatnonzero(last) + 1, found[last]
