"""How well predicted similarities agree with gold scores, and how high the right text is ranked.

Every metric is a function of sums over items: ``METRICS["pearson"](pair_statistics(x, y).sum(axis=0))``. The sums may
have leading axes, one row a bootstrap draw, and may be weighted: a weighted sum of statistics gives the weighted
metric. A metric that is undefined (no items, constant scores) is NaN, never an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from homeground.errors import DataError, HomegroundError

Floats = NDArray[np.float64]
Metric = Callable[[Floats], Floats]

GOLD_MIDPOINT = 0.5
"""Subtracted from every score before squaring. Gold scores span [0, 1]; sums about the middle lose fewest digits."""

SMALLEST_VARIANCE = 1e-12
"""Relative to the second moment; a smaller variance is rounding error of constant scores."""


def pair_statistics(predicted: ArrayLike, gold: ArrayLike) -> Floats:
    """Return the sufficient statistics of scored pairs, shape ``(pairs, 10)``.

    ``predicted`` and ``gold`` have shape ``(pairs,)``. With x and y the two scores less ``GOLD_MIDPOINT``, the columns
    are 1, x, y, x², y², xy, |x-y|, (x-y)², |x-y|/gold where gold is above 0 (else 0), and whether gold is above 0.

    Raises DataError where the two differ in length or a gold score is not finite, HomegroundError where a predicted
    score is not finite.

    >>> pair_statistics([1.0], [0.5]).tolist()
    [[1.0, 0.5, 0.0, 0.25, 0.0, 0.0, 0.5, 0.25, 1.0, 1.0]]
    """
    x, y = np.asarray(predicted, dtype=np.float64), np.asarray(gold, dtype=np.float64)
    _check_scores(x, y)
    error = np.abs(x - y)
    positive = (y > 0).astype(np.float64)
    relative = np.divide(error, y, out=np.zeros_like(y), where=y > 0)
    x, y = x - GOLD_MIDPOINT, y - GOLD_MIDPOINT
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y, error, error**2, relative, positive], axis=1)


def rank_statistics(predicted: ArrayLike, gold: ArrayLike) -> Floats:
    """Return the statistics of the ranks, shape ``(pairs, 10)``; ``pearson`` of their sum is Spearman's correlation.

    Pearson's correlation of average ranks, in [-1, 1]; greater is better (Spearman 1904, The American Journal of
    Psychology 15). Ranks are those in the full sample, scaled into (0, 1). Reweighting keeps them fixed, although a
    resample would be ranked anew: a bootstrap over them is an approximation, for description and never for a verdict.

    >>> round(float(pearson(rank_statistics([1, 2, 3, 4], [1, 2, 4, 3]).sum(axis=0))), 12)
    0.8
    """
    x, y = np.asarray(predicted, dtype=np.float64), np.asarray(gold, dtype=np.float64)
    _check_scores(x, y)
    return pair_statistics(_scaled_ranks(x), _scaled_ranks(y))


def pearson(sums: Floats) -> Floats:
    """Return the correlation of predicted and gold scores, in [-1, 1]; greater is better.

    ``sums`` holds summed pair statistics, shape ``(..., 10)``; the result has shape ``(...)``, NaN where either score
    is constant. Cov(x, y) / sqrt(Var(x) Var(y)): Pearson (1895), Proceedings of the Royal Society 58.

    >>> float(pearson(pair_statistics([0.1, 0.2, 0.3], [0.2, 0.4, 0.6]).sum(axis=0)).round(12))
    1.0
    """
    x, y, xx, yy, xy = (_mean(sums, column) for column in range(1, 6))
    variance_x, variance_y = xx - x * x, yy - y * y
    defined = (variance_x > SMALLEST_VARIANCE * xx) & (variance_y > SMALLEST_VARIANCE * yy)
    scale = np.sqrt(np.where(defined, variance_x * variance_y, np.nan))
    return np.clip((xy - x * y) / scale, -1.0, 1.0)


def mse(sums: Floats) -> Floats:
    """Return the mean squared error of the predicted score, 0 or more; smaller is better."""
    return _mean(sums, 7)


def mae(sums: Floats) -> Floats:
    """Return the mean absolute error of the predicted score, 0 or more; smaller is better."""
    return _mean(sums, 6)


def mape(sums: Floats) -> Floats:
    """Return the mean of |predicted - gold| / gold over the pairs with gold above 0, a fraction; smaller is better.

    Pairs with a low gold score weigh most, and pairs with gold 0 are left out; the last column counts the others.

    >>> float(mape(pair_statistics([0.5, 0.9], [0.25, 0.0]).sum(axis=0)))
    1.0
    """
    return _ratio(sums[..., 8], sums[..., 9])


def reciprocal_ranks(similarities: ArrayLike, positives: ArrayLike) -> Floats:
    """Return 1 / rank of the right candidate for every anchor, shape ``(anchors,)``, in (0, 1]; greater is better.

    ``similarities`` have shape ``(anchors, candidates)``; ``positives (anchors,)`` is the column of the right
    candidate. Ties are counted pessimistically: a wrong candidate that is as similar as the right one ranks before it,
    so that a model with equal similarities everywhere scores 1 / candidates, not 1. NaN counts as a tie.

    Raises DataError where the shapes do not fit or a positive is no column.

    >>> reciprocal_ranks([[0.9, 0.1, 0.5], [0.5, 0.5, 0.1]], [0, 1]).tolist()
    [1.0, 0.5]
    """
    scores, columns = np.asarray(similarities, dtype=np.float64), np.asarray(positives, dtype=np.int64)
    if scores.ndim != 2 or columns.shape != scores.shape[:1]:
        raise DataError(
            f"similarities have shape {scores.shape} and positives {columns.shape}; expected (anchors, candidates) "
            "and (anchors,)."
        )
    if columns.size and not (columns.min() >= 0 and columns.max() < scores.shape[1]):
        raise DataError(f"positives span {columns.min()} to {columns.max()}; expected 0 to {scores.shape[1] - 1}.")
    right = np.take_along_axis(scores, columns[:, None], axis=1)
    # The right candidate is not below itself, so this count includes it and is its rank.
    return 1.0 / np.count_nonzero(~(scores < right), axis=1).astype(np.float64)


def retrieval_statistics(ranks: ArrayLike) -> Floats:
    """Return the statistics of ranked anchors, shape ``(anchors, 3)``: 1, the reciprocal rank, whether it is 1.

    >>> retrieval_statistics([1.0, 0.25]).tolist()
    [[1.0, 1.0, 1.0], [1.0, 0.25, 0.0]]
    """
    reciprocal = np.asarray(ranks, dtype=np.float64)
    return np.stack([np.ones_like(reciprocal), reciprocal, (reciprocal == 1.0).astype(np.float64)], axis=1)


def mrr(sums: Floats) -> Floats:
    """Return the mean reciprocal rank from summed retrieval statistics, in (0, 1]; greater is better.

    Voorhees (1999), The TREC-8 Question Answering Track Report.
    """
    return _mean(sums, 1)


def accuracy_at_1(sums: Floats) -> Floats:
    """Return the share of anchors whose right candidate comes first and alone, in [0, 1]; greater is better."""
    return _mean(sums, 2)


METRICS: Mapping[str, Metric] = {"pearson": pearson, "mse": mse, "mae": mae, "mape": mape}
"""Metrics of summed pair statistics; Spearman is ``pearson`` of summed rank statistics."""

RETRIEVAL_METRICS: Mapping[str, Metric] = {"mrr": mrr, "accuracy_at_1": accuracy_at_1}
"""Metrics of summed retrieval statistics."""


def _check_scores(predicted: Floats, gold: Floats) -> None:
    if predicted.ndim != 1 or predicted.shape != gold.shape:
        raise DataError(
            f"predicted scores have shape {predicted.shape} and gold scores {gold.shape}; expected one of each for "
            "every pair."
        )
    if not np.isfinite(gold).all():
        place = int(np.flatnonzero(~np.isfinite(gold))[0])
        raise DataError(f"pair {place + 1}: the gold score is {gold[place]}; expected a number from 0 to 1.")
    if not np.isfinite(predicted).all():
        place = int(np.flatnonzero(~np.isfinite(predicted))[0])
        raise HomegroundError(
            f"pair {place + 1}: the model's score is {predicted[place]}; its weights may not be finite, so none of "
            "its predictions can be measured."
        )


def _scaled_ranks(values: Floats) -> Floats:
    ranks = np.asarray(rankdata(values), dtype=np.float64)
    return (ranks - 0.5) / max(len(ranks), 1)


def _mean(sums: Floats, column: int) -> Floats:
    return _ratio(sums[..., column], sums[..., 0])


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    safe = np.where(denominator > 0, denominator, np.nan)
    return numerator / safe
