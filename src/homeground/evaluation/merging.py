"""How much of what was learned is kept: the merge weight, chosen on validation so that general ability stays.

Weights between the base (0) and the tuned model (1) trade what was learned for what was known (Wortsman et al. 2022,
Robust fine-tuning of zero-shot models, CVPR). The curve is measured on validation splits only; the test sees the chosen
model once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from homeground.engines.model import Model
from homeground.evaluation.evaluation_set import EvaluationSet
from homeground.statistics.bootstrap import Interval

WEIGHTS = tuple(step / 10 for step in range(11))
"""The merge weights that are tried."""

MERGE_DRAWS = 2000
"""Resamples behind the intervals of the curve, which describe and do not decide."""


@dataclass(frozen=True)
class MergeWeight:
    """One merge weight: the scores, and the differences from the base, on the two validation sets."""

    weight: float
    domain_score: float
    general_score: float
    domain: Interval
    general: Interval


@dataclass(frozen=True)
class Merged:
    """The chosen model, and the whole curve it was chosen from.

    ``budget`` is what general ability may lose on validation, half the margin.
    """

    model: Model
    chosen: MergeWeight
    points: tuple[MergeWeight, ...]
    domain: EvaluationSet
    general: EvaluationSet
    budget: float


def merge(
    base: Model,
    interpolate: Callable[[float], Model],
    domain: EvaluationSet,
    general: EvaluationSet,
    *,
    margin: float,
    report: Callable[[str], None] = lambda _: None,
) -> Merged:
    """Return the model between ``base`` and the tuned one that is best on the domain and loses at most half the margin.

    ``interpolate`` makes the model of a merge weight. Where even the smallest weight loses more, the base is returned:
    nothing is kept.
    """
    before = domain.measure(base), general.measure(base)
    points: list[MergeWeight] = []
    for weight in WEIGHTS:
        model = interpolate(weight)
        after = domain.measure(model), general.measure(model)
        point = MergeWeight(
            weight,
            after[0].scores.get(domain.primary_metric, float("nan")),
            after[1].scores.get(general.primary_metric, float("nan")),
            domain.difference(before[0], after[0]),
            general.difference(before[1], after[1]),
        )
        points.append(point)
        report(f"merge weight {weight:.1f}: domain {point.domain_score:.4f}, general {point.general_score:.4f}")
    chosen = choose(points, budget=margin / 2)
    return Merged(interpolate(chosen.weight), chosen, tuple(points), domain, general, margin / 2)


def choose(points: Sequence[MergeWeight], *, budget: float) -> MergeWeight:
    """Return the point that gains most on the domain among those that lose at most ``budget`` in general.

    Of equal gains the greatest weight; where nothing but the base stays within the budget, the base.
    """
    # A difference that is not defined is no gain, and none that could be shown to cost little.
    within = [point for point in points if point.weight == 0 or point.general.value >= -budget]
    return max(within, key=lambda point: (np.nan_to_num(point.domain.value, nan=-np.inf), point.weight))
