"""How a share of the same units changed, with Tango's score interval, which is honest where hardly a unit changed.

Where no unit changes, no resample differs and a percentile interval has no width, however few the units are. The score
interval does not rest on the changes that were seen: 0 changes of 40 units leave room for a loss of 0.088, of 381 for
one of 0.01.

    Tango (1998), Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design, Statistics in Medicine 17(8)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import ndtri

from homeground.statistics.bootstrap import Metric, gradient
from homeground.statistics.resampling import arrange

Floats = NDArray[np.float64]

FEWEST_DISCORDANT = 6
"""With 5 units that only one model gets right, even 5 to 0 has p = 0.0625 under McNemar's exact test."""

MOST_GROWTH = 10_000
"""More than this many times the present units are not proposed: the loss counts as one that cannot be excluded."""


@dataclass(frozen=True)
class ShareChange:
    """How much of a share was gained and lost, counted in units of equal size.

    A unit that changes from wholly wrong to wholly right counts 1, one that changes in part counts that part. ``units``
    is their effective number; ``discordant`` counts the units that changed at all.
    """

    gained: float
    lost: float
    units: float
    discordant: int

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return Tango's score interval of the change of the share, in [-1, 1]; (-1, 1) without units.

        >>> tuple(round(end, 3) for end in ShareChange(gained=9, lost=3, units=32, discordant=12).interval())
        (-0.027, 0.39)
        """
        if not self.units > 0:
            return -1.0, 1.0
        z = float(ndtri((1 + level) / 2))
        change = (self.gained - self.lost) / self.units
        return self._root(change, -1.0, z), self._root(change, 1.0, -z)

    def units_to_exclude(self, loss: float, level: float = 0.95) -> int | None:
        """Return how many units with the same shares of gained and lost exclude a loss, None where no number would.

        >>> ShareChange(gained=0, lost=0, units=40, discordant=0).units_to_exclude(0.01)
        381
        """

        def excluded(units: float) -> bool:
            scale = units / self.units
            return ShareChange(scale * self.gained, scale * self.lost, units, 0).interval(level)[0] > -loss

        if not self.units > 0 or not excluded(MOST_GROWTH * self.units):
            return None
        low, high = 1.0, MOST_GROWTH * self.units
        while high - low > 0.5:
            middle = (low + high) / 2
            low, high = (low, middle) if excluded(middle) else (middle, high)
        return math.ceil(high - 0.5)

    def _root(self, change: float, end: float, z: float) -> float:
        """Return where the score is z between the observed change and an end of the range, that end if nowhere."""
        # Close to the ends the variance is 0 and the score infinite, with the sign that it has nearby.
        nearly = end * (1 - 1e-12)
        if abs(change) >= abs(nearly) and change * end > 0:
            return end
        root: Any = brentq(lambda difference: self._score(difference) - z, nearly, change, xtol=1e-12)
        return float(root)

    def _score(self, difference: float) -> float:
        """Return Tango's score statistic: observed minus expected change over its standard error at ``difference``.

        The share lost is estimated under the constraint that gained minus lost is ``difference``.
        """
        n, gained, lost = self.units, self.gained, self.lost
        linear = -gained - lost + (2 * n - gained + lost) * difference
        constant = -lost * difference * (1 - difference)
        share_lost = (math.sqrt(max(linear**2 - 8 * n * constant, 0.0)) - linear) / (4 * n)
        variance = n * (2 * share_lost + difference * (1 - difference))
        return (gained - lost - n * difference) / math.sqrt(max(variance, 1e-300))


def share_change(
    before: ArrayLike, after: ArrayLike, metric: Metric, nodes: ArrayLike, *, sizes: ArrayLike | None = None
) -> ShareChange:
    """Return how a share changed over units, from the statistics of both models, shape ``(examples, k)``.

    ``metric`` is a share: a mean over examples of values in [0, 1], or over classes. ``nodes`` are those of
    ``paired_difference``; ``sizes (examples,)`` are by how much the examples can move the metric, by default the first
    column of the statistics. The change of a unit is that of its sums times the gradient of the metric, which is exact
    for means, and gains and losses inside a unit cancel. Counted as parts of wholly changed units, partial changes are
    replaced by rarer whole ones of the same mean, whose variance is larger: the interval is cautious for them. Units of
    unequal size count as their effective number (Kish 1965, Survey Sampling). A unit is discordant if a sum that the
    metric depends on differs.

    >>> wrong, right = [1.0, 0.0], [1.0, 1.0]
    >>> share_change([wrong] * 40, [right] * 3 + [wrong] * 37, lambda sums: sums[..., 1] / sums[..., 0], range(40))
    ShareChange(gained=3.0, lost=0.0, units=40.0, discordant=3)
    """
    layout = arrange(nodes)
    first, second = (layout.sum(np.asarray(side, dtype=np.float64)[None]) for side in (before, after))
    weights = np.asarray(before, dtype=np.float64)[:, 0] if sizes is None else np.asarray(sizes, dtype=np.float64)
    units = float(layout.effective_units(layout.sum(weights[None, :, None])[..., 0])[0])
    slope = gradient(metric, (first + second) / 2)[0]
    counts = (gradient(metric, first)[0] != 0) | (gradient(metric, second)[0] != 0)
    moved = (second - first)[0]
    changes, differs = np.zeros((2, layout.count))
    np.add.at(changes, layout.nodes[:, 0], moved @ slope)
    np.add.at(differs, layout.nodes[:, 0], (np.abs(moved[:, counts]) > 1e-12).any(axis=1))
    # Rounded, so that 3 texts of 40 are 3 and not 2.9999999999.
    gained, lost = (round(float(units * np.maximum(sign * changes, 0).sum()), 9) for sign in (1.0, -1.0))
    # Where classes weigh unequally, the linear approximation may exceed what can change at all.
    scale = min(1.0, units / (gained + lost)) if gained + lost > 0 else 1.0
    return ShareChange(scale * gained, scale * lost, units, int(np.count_nonzero(differs)))


def mean_change(changes: Sequence[ShareChange]) -> ShareChange:
    """Return the mean of the changes of the same units in several trainings, the discordant units rounded down."""
    gained, lost = (float(np.mean([getattr(change, name) for change in changes])) for name in ("gained", "lost"))
    return ShareChange(gained, lost, changes[0].units, sum(change.discordant for change in changes) // len(changes))
