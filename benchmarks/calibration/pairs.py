"""Scored pairs: two models predict the gold score with noise of their own.

The gold scores, the errors of either model, and how hard a pair is for it depend on what pairs share: a unit, a text, a
group. How hard makes the tails of the errors heavy.
"""

from __future__ import annotations

import numpy as np
from benchmarks.calibration.designs import DESIGNS, Design
from benchmarks.calibration.worlds import Floats, Sample, Scored, World
from numpy.typing import NDArray

from homeground.statistics import correlation

SHARED = 1.0
"""The standard deviation of what pairs share, against 1 for what is their own."""

DIFFICULTY = 0.4
"""The standard deviation of the logarithm of how hard shared things are."""

NOISE = 0.8
"""The standard deviation of the errors of the model before."""

LEVELS = np.array([0.2, 0.4, 0.6, 0.8, 1.0])
"""What gold scores are rounded to for the relative error, which is nothing for numbers around 0."""


def simulate(design: Design, sets: int, effect: float, random: np.random.Generator) -> Sample:
    """Return the statistics of two models, the errors of the second smaller by exp(-effect)."""
    nodes = design.nodes
    crossed = nodes[:, 0] != nodes[:, 1]

    def common() -> Floats:
        of_nodes = random.standard_normal((sets, int(nodes.max()) + 1))
        # A pair with two nodes takes half its shared variance from each, so that all pairs have one distribution.
        return np.where(
            crossed, (of_nodes[:, nodes[:, 0]] + of_nodes[:, nodes[:, 1]]) / np.sqrt(2), of_nodes[:, nodes[:, 0]]
        )

    def combined() -> Floats:
        return (random.standard_normal((sets, len(nodes))) + SHARED * common()) / np.sqrt(1 + SHARED**2)

    def error() -> Floats:
        return np.exp(DIFFICULTY * common() - DIFFICULTY**2) * combined()  # of variance 1

    gold = combined()
    level = random.choice(LEVELS, (sets, len(nodes)))
    sides = [gold + noise * error() for noise in (NOISE, NOISE * np.exp(-effect))]
    before, after = (_statistics(side, gold, level) for side in sides)
    return Sample(design.layout.sum(before), design.layout.sum(after))


def _statistics(predicted: Floats, gold: Floats, level: Floats) -> Floats:
    columns = correlation.pair_statistics(predicted.ravel(), gold.ravel()).reshape(*gold.shape, -1)
    columns[..., 8], columns[..., 9] = columns[..., 6] / level, 1.0
    return columns


def truth(metric: str, effect: float, _: NDArray[np.bool_] | None = None) -> Floats:
    """Return the true difference: Pearson is 1 / sqrt(1 + noise²), the errors are folded normal numbers."""
    noise = NOISE * np.exp(-np.array([0.0, effect]))
    mean_error = noise * np.exp(-(DIFFICULTY**2) / 2) * np.sqrt(2 / np.pi)
    score = {
        "pearson": 1 / np.sqrt(1 + noise**2),
        "mse": -(noise**2),
        "mae": -mean_error,
        "mape": -mean_error * np.mean(1 / LEVELS),
    }[metric]
    return score[1] - score[0]


WORLDS = {
    "scored pairs": World(
        metrics={
            "pearson": Scored(correlation.pearson, 6),
            "mse": Scored(correlation.mse, 8, greater_is_better=False),
            "mae": Scored(correlation.mae, 7, greater_is_better=False),
            "mape": Scored(correlation.mape, 10, greater_is_better=False),
        },
        simulate=simulate,
        truth=truth,
        designs=tuple(DESIGNS),
    )
}
