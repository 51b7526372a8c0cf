"""Texts with any number of eight labels, from one on half of the texts to one on a fiftieth."""

from __future__ import annotations

import numpy as np
from benchmarks.calibration.designs import Design
from benchmarks.calibration.worlds import (
    GRID,
    Floats,
    Sample,
    Scored,
    World,
    hardness,
    mean_over_normal,
    total,
    units_with,
)
from numpy.typing import NDArray
from scipy.special import ndtr

from homeground.statistics import classification as formulas
from homeground.statistics.classification import FIRST_CLASS_COLUMN

P = np.geomspace(0.5, 0.02, 8)
"""The frequency of each label."""

HIT_AT, SPARED_AT = 0.5, 1.8
"""Standard deviations of hardness up to which a label is predicted where it is true, and not where it is false."""

OF_TEXT = 0.3
"""The share of hardness that the labels of a text have in common."""

LAST = FIRST_CLASS_COLUMN + 3 * len(P)


def simulate(design: Design, sets: int, effect: float, random: np.random.Generator) -> Sample:
    """Return the statistics of two models, the second better by ``effect`` standard deviations of hardness."""
    layout, shape = design.layout, (sets, len(design.nodes))
    common = np.sqrt(OF_TEXT) * hardness(design, sets, random)
    sides = np.zeros((2, sets, len(layout.nodes), LAST + 1))
    all_right, tested = np.ones((2, *shape), np.bool_), np.zeros((sets, len(P)), np.bool_)
    sides[..., 0] = total(layout, np.ones(shape))
    for place, p in enumerate(P):
        true = random.random(shape) < p
        tested[:, place] = true.any(axis=1)
        # Half of what is left is how hard the label is for any model.
        each = np.sqrt((1 - OF_TEXT) / 2) * random.standard_normal(shape)
        for model, skill in enumerate((0.0, effect)):
            alone = np.sqrt((1 - OF_TEXT) / 2) * random.standard_normal(shape)
            right = common[model] + each + alone + skill + np.where(true, HIT_AT, SPARED_AT) > 0
            all_right[model] &= right
            for part, values in enumerate((true & right, true, true == right)):
                sides[model, ..., FIRST_CLASS_COLUMN + part * len(P) + place] = total(layout, values)
    for model in (0, 1):
        sides[model, ..., 1] = total(layout, all_right[model])
    sides[..., LAST] = sides[..., 0] * (len(P) / np.maximum(tested.sum(axis=1), 1))[:, None]
    return Sample(
        sides[0],
        sides[1],
        units_of=units_with(sides[0, ..., FIRST_CLASS_COLUMN + len(P) : FIRST_CLASS_COLUMN + 2 * len(P)]),
    )


def truth(metric: str, effect: float, tested: NDArray[np.bool_] | None = None) -> Floats:
    """Return the true difference."""
    before, after = (_score(metric, skill, tested) for skill in (0.0, effect))
    return after - before


def _score(metric: str, skill: float, tested: NDArray[np.bool_] | None) -> Floats:
    hit, spared = ndtr(HIT_AT + skill), ndtr(SPARED_AT + skill)
    if metric == "exact_match":
        rest, common = np.sqrt(1 - OF_TEXT), np.sqrt(OF_TEXT) * GRID[:, None]
        at_common = P * ndtr((HIT_AT + skill + common) / rest) + (1 - P) * ndtr((SPARED_AT + skill + common) / rest)
        return mean_over_normal(at_common.prod(axis=1))
    if metric == "hamming_accuracy":
        return np.mean(P * hit + (1 - P) * spared)
    hits, counts = P * hit, P + P * hit + (1 - P) * (1 - spared)
    if metric == "micro_f1":
        return 2 * hits.sum() / counts.sum()
    each = 2 * hits / counts
    return each.mean() if tested is None else (tested @ each) / tested.sum(axis=1)


WORLDS = {
    "8 labels a text": World(
        metrics={
            "macro_f1": Scored(
                lambda sums: formulas.macro_f1(sums, len(P)) * sums[..., LAST] / sums[..., formulas.COUNT], LAST + 1
            ),
            "micro_f1": Scored(lambda sums: formulas.micro_f1(sums, len(P)), LAST),
            "exact_match": Scored(formulas.accuracy, 2),
            "hamming_accuracy": Scored(lambda sums: formulas.hamming_accuracy(sums, len(P)), LAST),
        },
        simulate=simulate,
        truth=truth,
    )
}
