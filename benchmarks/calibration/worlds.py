"""What a world is, and what worlds have in common: how hard a test example is for either of two models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from benchmarks.calibration.designs import PLAIN, Design
from numpy.typing import NDArray

from homeground.statistics.bootstrap import Metric
from homeground.statistics.resampling import Layout

Floats = NDArray[np.float64]

SHARES = {"example": 0.45, "unit": 0.15, "unit and model": 0.15, "example and model": 0.25}
"""Shares of the variance of how hard an example is for a model, by what it is common to."""

GRID = np.linspace(-7, 7, 2001)
"""Values of a normal number, for means by sums; ``DENSITY`` are their weights."""

DENSITY = np.exp(-(GRID**2) / 2) / np.exp(-(GRID**2) / 2).sum()


@dataclass(frozen=True)
class Sample:
    """Test sets: statistics summed by cell ``(sets, cells, k)`` of two models.

    ``discordant (sets,)`` counts what only one of them got right; ``units_of (sets, classes)`` in how many units each
    class occurs.
    """

    before: Floats
    after: Floats
    discordant: NDArray[np.int64] | None = None
    units_of: NDArray[np.int64] | None = None

    @property
    def tested(self) -> NDArray[np.bool_] | None:
        """Which classes occur, ``(sets, classes)``."""
        return None if self.units_of is None else self.units_of > 0


@dataclass(frozen=True)
class Scored:
    """A metric of the first ``width`` columns; with ``single`` the interval is that of one score, not of a difference.

    With ``decides`` a verdict may rest on it, else it only describes. ``of_class`` is the class whose F1 it is.
    """

    metric: Metric
    width: int
    greater_is_better: bool = True
    single: bool = False
    decides: bool = True
    of_class: int | None = None


@dataclass(frozen=True)
class World:
    """How test sets are drawn at an effect of 0 (equal models) or more, and the true scores.

    ``truth`` of a metric, an effect and the tested classes is the true difference, positive where after is better, or
    the true score after.
    """

    metrics: Mapping[str, Scored]
    simulate: Callable[[Design, int, float, np.random.Generator], Sample]
    truth: Callable[[str, float, NDArray[np.bool_] | None], Floats]
    designs: Sequence[str] = tuple(PLAIN)
    largest: float = 3.0


def hardness(design: Design, sets: int, random: np.random.Generator) -> Floats:
    """Return standard normal numbers ``(2, sets, examples)``: how easy an example is for either model."""
    examples, units = len(design.nodes), int(design.nodes.max()) + 1
    unit_of = design.nodes[:, 0]
    scale = {part: np.sqrt(share) for part, share in SHARES.items()}
    ease = scale["example and model"] * random.standard_normal((2, sets, examples))
    ease += scale["example"] * random.standard_normal((sets, examples))
    of_units = scale["unit"] * random.standard_normal((sets, units))
    ease += (of_units + scale["unit and model"] * random.standard_normal((2, sets, units)))[..., unit_of]
    return ease


def total(layout: Layout, values: Floats) -> Floats:
    """Return values ``(sets, examples)`` summed by cell, ``(sets, cells)``."""
    return layout.sum(np.asarray(values, np.float64)[..., None])[..., 0]


def tally(layout: Layout, classes: NDArray[np.int64], count: int, chosen: NDArray[np.bool_] | None = None) -> Floats:
    """Return how often each class occurs in every cell, ``(sets, cells, count)``, among the chosen examples."""
    sets, cells = len(classes), len(layout.nodes)
    place = (np.arange(sets)[:, None] * cells + layout.cell_of) * count + classes
    place = place.ravel() if chosen is None else place[chosen]
    return np.bincount(place, minlength=sets * cells * count).reshape(sets, cells, count).astype(np.float64)


def units_with(true: Floats) -> NDArray[np.int64]:
    """Return in how many cells each class occurs, ``(sets, classes)``, from how often it does in every cell."""
    return (true > 0).sum(axis=1)


def mean_over_normal(values: Floats) -> Floats:
    """Return the mean of a function of a normal number, given at ``GRID`` along the last axis."""
    return values @ DENSITY
