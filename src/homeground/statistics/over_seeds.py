"""The difference over several trainings of one recipe, with an interval that covers the variance between them.

Trainings that differ only in their seed score differently on the same test set. The quantity estimated is the mean of
the metric after minus before over all seeds and all test items of the kind, from N seeds and one test set. Its variance
is the sum of two parts, as in an analysis of variance with items and seeds crossed:

    items   the bootstrap variance of the mean over the N trainings; every draw is the same for all of them
    seeds   s^2 / N, where s is the standard deviation of the N scores on the test set

The interaction of seeds and items is in both parts and is counted twice, which is conservative, the less so the more
seeds there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from homeground.statistics.bootstrap import Interval, Metric, paired_difference

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OverSeeds:
    """The mean difference over several trainings, with the two parts of its uncertainty.

    ``interval`` covers test items and trainings, ``items`` test items only; ``values`` are the differences of the
    single trainings, ``spread`` is their standard deviation.
    """

    interval: Interval
    items: Interval
    values: tuple[float, ...]
    spread: float

    @property
    def seeds_error(self) -> float:
        """The standard error that the trainings add."""
        return self.spread / math.sqrt(len(self.values))


def over_seeds(
    before: ArrayLike,
    afters: Sequence[ArrayLike],
    metric: Metric,
    nodes: ArrayLike,
    *,
    seed: int,
    draws: int = 10_000,
    level: float = 0.95,
    greater_is_better: bool = True,
) -> OverSeeds:
    """Return the mean over trainings of the metric after minus before, with its interval.

    ``afters`` are the statistics of two or more trainings, each of shape ``(examples, k)``; the other arguments are
    those of ``paired_difference``. On each side the interval extends from the mean by

        t(N - 1) * sqrt((half-width of the items' interval on that side / z)^2 + s^2 / N)

    so that the asymmetry of the items' interval and its widening over few units are kept. Student's t with N - 1
    degrees of freedom is exact where all variance is between seeds, and conservative where little of it is: with 5
    trainings that do not differ the interval is 1.42 times that of the items. benchmarks/seed_coverage.py measures it.

    >>> def mean(sums): return sums[..., 0] / sums[..., 1]
    >>> before, better, best = ([[score, 1.0]] * 40 for score in (0.0, 0.4, 0.6))
    >>> over = over_seeds(before, [better, best], mean, range(40), seed=0, draws=100)
    >>> round(over.interval.value, 3), round(over.spread, 3), round(over.interval.high, 3)
    (0.5, 0.141, 1.771)
    """
    first = np.asarray(before, dtype=np.float64)
    others = [np.asarray(after, dtype=np.float64) for after in afters]
    count, width = len(others), first.shape[1]
    sign = 1.0 if greater_is_better else -1.0

    # The statistics of all trainings side by side: one draw weights an item alike in every training.
    def mean(sums: Floats) -> Floats:
        parts = [metric(sums[..., place * width : (place + 1) * width]) for place in range(count)]
        return np.mean(parts, axis=0)

    items = paired_difference(
        np.hstack([first] * count),
        np.hstack(others),
        mean,
        nodes,
        seed=seed,
        draws=draws,
        level=level,
        greater_is_better=greater_is_better,
    )
    score = float(metric(first.sum(axis=0)))
    values = tuple(sign * (float(metric(after.sum(axis=0))) - score) for after in others)
    spread = float(np.std(values, ddof=1))
    return OverSeeds(joined(items, spread, count), items, values, spread)


def joined(items: Interval, spread: float, count: int) -> Interval:
    """Return an interval over test items widened by the ``spread`` between ``count`` trainings; see ``over_seeds``."""
    tail = (1 + items.level) / 2
    z, t = float(ndtri(tail)), float(stdtrit(count - 1, tail))
    added = spread**2 / count
    widths = items.value - items.low, items.high - items.value
    below, above = (t * math.sqrt((width / z) ** 2 + added) for width in widths)
    return replace(
        items,
        low=items.value - below,
        high=items.value + above,
        standard_error=math.sqrt(items.standard_error**2 + added),
    )
