"""Texts with one label of several: whether a model is right, what it predicts instead, and how confident it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from benchmarks.calibration.designs import Design
from benchmarks.calibration.worlds import (
    DENSITY,
    GRID,
    Floats,
    Sample,
    Scored,
    World,
    hardness,
    mean_over_normal,
    tally,
    total,
    units_with,
)
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from homeground.statistics import classification as formulas
from homeground.statistics.classification import CONFIDENCE_BINS, FIRST_CLASS_COLUMN

Ints = NDArray[np.int64]

SKILL = 0.4
"""How many standard deviations of hardness the model before can take: it is right two times in three."""

SHARPNESS = 3.0
"""How overconfident a model is, which gives the losses a heavy tail."""

TOPIC = 0.5
"""How often a text has the label of its unit."""


def world(shares: Sequence[float], *, spread: float = 0.0) -> World:
    """Return the world of classes with these shares; ``spread`` is by how much the rarest is harder than the first."""
    p = np.asarray(shares) / np.sum(shares)
    classes, shift = len(p), np.linspace(spread / 2, -spread / 2, len(p))
    last = FIRST_CLASS_COLUMN + 3 * classes

    def macro(sums: Floats) -> Floats:
        # The mean over tested classes only: the columns of others are 0, and the last column makes up for their count.
        return formulas.macro_f1(sums, classes) * sums[..., last + CONFIDENCE_BINS] / sums[..., formulas.COUNT]

    def simulate(design: Design, sets: int, effect: float, random: np.random.Generator) -> Sample:
        labels = _labels(p, design, sets, random)
        margin = SKILL + hardness(design, sets, random) + shift[labels]
        margin[1] += effect
        right = margin > 0
        tested = np.stack([np.bincount(of_set, minlength=classes) > 0 for of_set in labels])
        sides = [
            _statistics(design, labels, _predicted(p, labels, right[m], random), margin[m], classes) for m in (0, 1)
        ]
        for side in sides:
            side[..., FIRST_CLASS_COLUMN:last] *= np.tile(tested, 3)[:, None]
            side[..., last + CONFIDENCE_BINS] = side[..., 0] * (classes / tested.sum(axis=1))[:, None]
        units_of = units_with(sides[0][..., FIRST_CLASS_COLUMN + classes : FIRST_CLASS_COLUMN + 2 * classes])
        return Sample(sides[0], sides[1], (right[0] != right[1]).sum(axis=1), units_of)

    def truth(metric: str, effect: float, tested: NDArray[np.bool_] | None = None) -> Floats:
        before, after = (_score(metric, p, SKILL + shift + gain, tested) for gain in (0.0, effect))
        return after if metric.startswith("f1 of") else after - before

    return World(
        metrics={
            "accuracy": Scored(formulas.accuracy, 2),
            "macro_f1": Scored(macro, last + CONFIDENCE_BINS + 1),
            "log_loss": Scored(formulas.log_loss, 3, greater_is_better=False),
            "ece": Scored(
                lambda sums: formulas.ece(sums[..., : last + CONFIDENCE_BINS], classes), last + CONFIDENCE_BINS, False
            ),
            "f1 of first class": Scored(formulas.f1_of_class(0, classes), last, single=True, decides=False, of_class=0),
            "f1 of last class": Scored(
                formulas.f1_of_class(classes - 1, classes), last, single=True, decides=False, of_class=classes - 1
            ),
        },
        simulate=simulate,
        truth=truth,
    )


def _labels(p: Floats, design: Design, sets: int, random: np.random.Generator) -> Ints:
    """Return labels ``(sets, examples)``, half of them that of the unit."""
    edges, examples = np.cumsum(p)[:-1], len(design.nodes)
    of_units = np.searchsorted(edges, random.random((sets, int(design.nodes.max()) + 1)))[:, design.nodes[:, 0]]
    alone = np.searchsorted(edges, random.random((sets, examples)))
    return np.where(random.random((sets, examples)) < TOPIC, of_units, alone)


def _predicted(p: Floats, labels: Ints, right: NDArray[np.bool_], random: np.random.Generator) -> Ints:
    """Return the predicted classes: where the model is wrong another class, drawn by frequency."""
    ends = np.cumsum(p)
    drawn = random.random(labels.shape) * (1 - p[labels])
    drawn += np.where(drawn >= (ends - p)[labels], p[labels], 0.0)
    return np.where(right, labels, np.minimum(np.searchsorted(ends[:-1], drawn), len(p) - 1))


def _statistics(design: Design, labels: Ints, predicted: Ints, margin: Floats, classes: int) -> Floats:
    """Return the columns of ``classification.statistics`` summed by cell, and one column left for a scale."""
    layout, right = design.layout, margin > 0
    columns = np.empty((len(labels), len(layout.nodes), FIRST_CLASS_COLUMN + 3 * classes + CONFIDENCE_BINS + 1))
    columns[..., 0], columns[..., 1] = total(layout, np.ones(labels.shape)), total(layout, right)
    loss = np.minimum(np.logaddexp(0, -SHARPNESS * margin), -np.log(formulas.SMALLEST_PROBABILITY))
    columns[..., 2] = total(layout, loss)
    # A predicted class that differs from the label is wrong even where the margin rounds to 0.
    for part, (values, chosen) in enumerate([(labels, predicted == labels), (labels, None), (predicted, None)]):
        start = FIRST_CLASS_COLUMN + part * classes
        columns[..., start : start + classes] = tally(layout, values, classes, chosen)
    confidence = expit(SHARPNESS * np.abs(margin))
    bin_of = np.clip(np.ceil(confidence * CONFIDENCE_BINS).astype(np.int64) - 1, 0, CONFIDENCE_BINS - 1)
    start = FIRST_CLASS_COLUMN + 3 * classes
    for place in range(CONFIDENCE_BINS):
        # Confidence lies above 0.5, so that the lower bins are empty.
        inside = bin_of == place
        columns[..., start + place] = (
            total(layout, np.where(inside, confidence - right, 0.0)) if place >= CONFIDENCE_BINS // 2 else 0
        )
    return columns


def _score(metric: str, p: Floats, skill: Floats, tested: NDArray[np.bool_] | None) -> Floats:
    """Return the true score, positive where better, of a model whose skill is given for every class."""
    right = ndtr(skill)
    margin = skill[:, None] + GRID
    if metric == "accuracy":
        return p @ right
    if metric == "log_loss":
        loss = np.minimum(np.logaddexp(0, -SHARPNESS * margin), -np.log(formulas.SMALLEST_PROBABILITY))
        return -(p @ mean_over_normal(loss))
    if metric == "ece":
        confidence = expit(SHARPNESS * np.abs(margin))
        bin_of = np.clip(np.ceil(confidence * CONFIDENCE_BINS).astype(np.int64) - 1, 0, CONFIDENCE_BINS - 1)
        mass = p[:, None] * DENSITY * (confidence - (margin > 0))
        return -np.sum(np.abs(np.bincount(bin_of.ravel(), mass.ravel())))
    missed = p * (1 - right) / (1 - p)
    each = 2 * p * right / (p + p * right + p * (missed.sum() - missed))
    if metric == "macro_f1":
        return each.mean() if tested is None else (tested @ each) / tested.sum(axis=1)
    return each[0] if metric == "f1 of first class" else each[-1]


SKEWED = tuple(1 / np.arange(1, 21) ** 1.2)

WORLDS = {
    "2 classes": world((0.5, 0.5)),
    "2 classes, 9 to 1": world((0.9, 0.1)),
    "5 classes": world((1, 1, 1, 1, 1)),
    "20 skewed classes": world(SKEWED, spread=0.8),
}
