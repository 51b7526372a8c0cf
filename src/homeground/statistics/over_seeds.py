"""The difference over several trainings of one recipe, with an interval that covers the luck of training, too.

Trainings that differ in nothing but their seed score differently on the same test. What is estimated is the mean of the
metric after minus before over all seeds and all test items of the kind; what is known are N seeds and one test. Its
variance is the sum of two parts, as in an analysis of variance with items and seeds crossed:

    items   the spread of the mean over the N trainings under the bootstrap, each draw the same for all of them
    seeds   s^2 / N, s the standard deviation of the N scores on the test

What a seed does to single items is in both, and so is counted twice: cautious, and less so the more seeds there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit  # pyright: ignore[reportMissingTypeStubs]

from homeground.statistics.bootstrap import Interval, Metric, paired_difference

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OverSeeds:
    """The mean difference over several trainings, and what its uncertainty consists of.

    ``interval`` covers test items and trainings, ``items`` test items only; ``values`` are the differences of the
    trainings, ``spread`` is their standard deviation.
    """

    interval: Interval
    items: Interval
    values: tuple[float, ...]
    spread: float

    @property
    def seeds_error(self) -> float:
        """The standard error that the trainings add."""
        return self.spread / math.sqrt(len(self.values))

    def record(self) -> dict[str, Any]:
        """Return what scores.json says of the two sources, with None for what is not finite."""
        found = {
            "standard_deviation": self.spread,
            "items_error": self.items.standard_error,
            "seeds_error": self.seeds_error,
        }
        return {name: value if math.isfinite(value) else None for name, value in found.items()}


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

    ``afters`` holds the statistics of two trainings or more, each of shape ``(examples, k)``; all else is that of
    ``paired_difference``. On either side the interval reaches

        t(N - 1) * sqrt((reach of the items' interval / z)^2 + s^2 / N)

    from the mean, so that the items' lopsidedness and their widening over few units are kept. Student's t with N - 1
    degrees of freedom is exact where the seeds' part is all there is and cautious where it is small: over 5 trainings
    that do not differ the interval is 1.42 times that of the items. benchmarks/seed_coverage.py measures it.

    >>> def mean(sums): return sums[..., 0] / sums[..., 1]
    >>> before, better, best = ([[score, 1.0]] * 40 for score in (0.0, 0.4, 0.6))
    >>> found = over_seeds(before, [better, best], mean, range(40), seed=0, draws=100)
    >>> round(found.interval.value, 3), round(found.spread, 3), round(found.interval.high, 3)
    (0.5, 0.141, 1.771)
    """
    first = np.asarray(before, dtype=np.float64)
    measured = [np.asarray(after, dtype=np.float64) for after in afters]
    count, width = len(measured), first.shape[1]
    sign = 1.0 if greater_is_better else -1.0

    def mean(sums: Floats) -> Floats:
        parts = [metric(sums[..., place * width : (place + 1) * width]) for place in range(count)]
        return np.mean(parts, axis=0)

    items = paired_difference(
        np.hstack([first] * count),
        np.hstack(measured),
        mean,
        nodes,
        seed=seed,
        draws=draws,
        level=level,
        greater_is_better=greater_is_better,
    )
    own = float(metric(first.sum(axis=0)))
    values = tuple(sign * (float(metric(after.sum(axis=0))) - own) for after in measured)
    spread = float(np.std(values, ddof=1))
    return OverSeeds(joined(items, spread, count), items, values, spread)


def joined(items: Interval, spread: float, count: int) -> Interval:
    """Return an interval over test items widened by the spread between so many trainings; see ``over_seeds``."""
    tail = (1 + items.level) / 2
    z, t = float(ndtri(tail)), float(stdtrit(count - 1, tail))
    added = spread**2 / count
    reaches = items.value - items.low, items.high - items.value
    below, above = (t * math.sqrt((reach / z) ** 2 + added) for reach in reaches)
    return replace(
        items,
        low=items.value - below,
        high=items.value + above,
        standard_error=math.sqrt(items.standard_error**2 + added),
    )
