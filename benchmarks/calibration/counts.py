"""Ranks of the right text, entities of sentences, masked tokens of documents: means and ratios of sums."""

from __future__ import annotations

import numpy as np
from benchmarks.calibration.designs import Design
from benchmarks.calibration.worlds import GRID, Floats, Sample, Scored, World, hardness, mean_over_normal, total
from numpy.typing import NDArray
from scipy.special import ndtr

from homeground.statistics import correlation

SKILL = 0.4
"""How many standard deviations of hardness the model before can take."""


def _ranks(margin: Floats) -> Floats:
    return np.ceil(np.exp(np.minimum(-1.2 * margin, 8.0)))


def anchors(design: Design, sets: int, effect: float, random: np.random.Generator) -> Sample:
    """Return the ranks of the right text among about three thousand."""
    margin = hardness(design, sets, random)
    margin[1] += effect
    sides = [correlation.retrieval_statistics((1 / _ranks(each - 0.3)).ravel()).reshape(sets, -1, 3) for each in margin]
    return Sample(*(design.layout.sum(side) for side in sides))


def truth_of_anchors(metric: str, effect: float, _: NDArray[np.bool_] | None = None) -> Floats:
    """Return the true difference."""
    before, after = (1 / _ranks(GRID + skill - 0.3) for skill in (0.0, effect))
    if metric == "mrr":
        return mean_over_normal(after - before)
    return mean_over_normal((after == 1).astype(np.float64) - (before == 1))


def entities(mean: float) -> World:
    """Return the world of sentences with so many entities on average; statistics are true, hit and predicted."""

    def simulate(design: Design, sets: int, effect: float, random: np.random.Generator) -> Sample:
        shape = (sets, len(design.nodes))
        actual = random.poisson(mean, shape)
        # Half the variance of hardness is that of the sentence, the other half that of the single entity.
        easy = ndtr(
            np.sqrt(2) * (SKILL + np.array([0, effect])[:, None, None] + np.sqrt(0.5) * hardness(design, sets, random))
        )
        hits = random.binomial(actual, easy)
        tempting = random.gamma(0.5, 2.0, shape)
        wrong = random.poisson(0.3 * mean * np.exp(-np.array([0, effect]))[:, None, None] * tempting)
        sides = [
            np.stack([total(design.layout, part) for part in (actual, hits[m], hits[m] + wrong[m])], axis=-1)
            for m in (0, 1)
        ]
        return Sample(*sides)

    def truth(_: str, effect: float, __: NDArray[np.bool_] | None = None) -> Floats:
        hits, wrong = ndtr(SKILL + np.array([0, effect])), 0.3 * np.exp(-np.array([0, effect]))
        score = 2 * hits / (hits + wrong + 1)
        return score[1] - score[0]

    return World({"entity micro_f1": Scored(micro_f1, 3)}, simulate, truth)


def micro_f1(sums: Floats) -> Floats:
    """Return 2 hits / (true + predicted), 0 where there is none of them."""
    actual, hits, predicted = (sums[..., part] for part in range(3))
    return np.where(actual + predicted > 0, 2 * hits / np.maximum(actual + predicted, 1), 0.0)


def documents(spread: float) -> World:
    """Return the world of documents whose sizes are lognormal with this spread; statistics are tokens and loss.

    The loss of a token is gamma with shape 0.2 (skewness 4.5) but for a factor of the document, so that a document's is
    gamma, too, with its size times that shape. Half of it both models have in common. Larger documents gain more.
    """
    shape, of_document = 0.2, 0.5

    def simulate(design: Design, sets: int, effect: float, random: np.random.Generator) -> Sample:
        drawn = (sets, len(design.nodes))
        size = random.standard_normal(drawn)
        tokens = np.maximum(20 * np.exp(spread * size), 0.5)
        common = np.exp(of_document * random.standard_normal(drawn)) * random.gamma(shape * tokens)
        sides: list[Floats] = []
        for factor in (1.0, 1.0 - effect):
            shift = of_document * (0.5 * size + np.sqrt(0.75) * random.standard_normal(drawn))
            loss = common + factor * np.exp(shift) * random.gamma(shape * tokens)
            sides.append(np.stack([total(design.layout, tokens), total(design.layout, 5 * loss)], axis=-1))
        return Sample(*sides)

    def truth(_: str, effect: float, __: NDArray[np.bool_] | None = None) -> Floats:
        tokens = np.maximum(20 * np.exp(spread * GRID), 0.5)
        factor = np.exp(of_document * 0.5 * GRID + 0.75 * of_document**2 / 2)
        return np.asarray(5 * shape * effect * mean_over_normal(tokens * factor) / mean_over_normal(tokens))

    metrics = {"loss a token": Scored(lambda sums: sums[..., 1] / sums[..., 0], 2, greater_is_better=False)}
    return World(metrics, simulate, truth, designs=("independent",), largest=1.0)


WORLDS = {
    "ranked texts": World(
        {"mrr": Scored(correlation.mrr, 3), "accuracy_at_1": Scored(correlation.accuracy_at_1, 3)},
        anchors,
        truth_of_anchors,
    ),
    "entities": entities(1.5),
    "rare entities": entities(0.15),
    "documents, equal": documents(0.0),
    "documents, spread 1": documents(1.0),
    "documents, spread 1.5": documents(1.5),
}
