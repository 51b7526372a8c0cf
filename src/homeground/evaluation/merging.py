"""How much of what was learned is kept: the merge weight, chosen on validation so that general ability stays.

Weights between the base (0) and the tuned model (1) trade what was learned for what was known (Wortsman et al. 2022,
Robust fine-tuning of zero-shot models, CVPR). The curve is measured on validation splits only; the test sees the chosen
model once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from homeground.data.units import PairUnits
from homeground.engines.model import Model
from homeground.evaluation.comparison import Resampling, difference
from homeground.statistics.bootstrap import Interval
from homeground.tasks.task import Measured, Task

WEIGHTS = tuple(step / 10 for step in range(11))
"""The merge weights that are tried."""

DRAWS = 2000
"""Resamples behind the intervals of the curve, which describe and do not decide."""


@dataclass(frozen=True)
class Validated:
    """One validation set: what it asks, how a model is measured on it, and what is independent in it."""

    task: Task
    measure: Callable[[Model], Measured]
    units: PairUnits

    def against(self, before: Measured, after: Measured, seed: int) -> Interval:
        """Return the interval of the deciding metric's difference."""
        return difference(self.task, self.task.primary_metric, before, after, self.units, Resampling(seed, DRAWS))


@dataclass(frozen=True)
class Point:
    """One merge weight: the scores, and the differences from the base, on the two validation sets."""

    weight: float
    domain_score: float
    general_score: float
    domain: Interval
    general: Interval

    def record(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return {
            "weight": self.weight,
            "domain": {"score": _finite(self.domain_score), **self.domain.record()},
            "general": {"score": _finite(self.general_score), **self.general.record()},
        }


@dataclass(frozen=True)
class Merged:
    """The chosen model, and the whole curve it was chosen from.

    ``budget`` is what general ability may lose on validation, half the margin.
    """

    model: Model
    chosen: Point
    points: tuple[Point, ...]
    domain: Validated
    general: Validated
    budget: float

    def record(self) -> dict[str, Any]:
        """Return what scores.json says of the merge."""
        return {
            "weight": self.chosen.weight,
            "kept": self.chosen.weight > 0,
            "budget": self.budget,
            "domain_metric": self.domain.task.primary_metric,
            "general_metric": self.general.task.primary_metric,
            "domain_examples": len(self.domain.units.units),
            "general_examples": len(self.general.units.units),
            "points": [point.record() for point in self.points],
        }


def merge(
    base: Model,
    tuned: Model,
    domain: Validated,
    general: Validated,
    *,
    margin: float,
    seed: int,
    told: Callable[[str], None] = lambda _: None,
) -> Merged:
    """Return the model between ``base`` and ``tuned`` that is best on the domain and loses at most half the margin.

    Where even the smallest weight loses more, the base is returned: nothing is kept.
    """
    before = domain.measure(base), general.measure(base)
    points: list[Point] = []
    for weight in WEIGHTS:
        model = tuned.merged(base, weight)
        after = domain.measure(model), general.measure(model)
        point = Point(
            weight,
            after[0].scores.get(domain.task.primary_metric, float("nan")),
            after[1].scores.get(general.task.primary_metric, float("nan")),
            domain.against(before[0], after[0], seed),
            general.against(before[1], after[1], seed),
        )
        points.append(point)
        told(f"merge weight {weight:.1f}: domain {point.domain_score:.4f}, general {point.general_score:.4f}")
    chosen = choose(points, budget=margin / 2)
    return Merged(tuned.merged(base, chosen.weight), chosen, tuple(points), domain, general, margin / 2)


def choose(points: Sequence[Point], *, budget: float) -> Point:
    """Return the point that gains most on the domain among those that lose at most ``budget`` in general.

    Of equal gains the greatest weight; where nothing but the base stays within the budget, the base.
    """
    # A difference that is not defined is no gain, and none that could be shown to cost little.
    within = [point for point in points if point.weight == 0 or point.general.value >= -budget]
    return max(within, key=lambda point: (np.nan_to_num(point.domain.value, nan=-np.inf), point.weight))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
