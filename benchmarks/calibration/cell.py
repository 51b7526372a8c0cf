"""One world, design and size: many test sets, their intervals and verdicts, as shares."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from benchmarks.calibration.designs import DESIGNS
from benchmarks.calibration.worlds import Floats, Sample, Scored, World
from numpy.typing import NDArray
from scipy.optimize import brentq

from homeground.evaluation.verdict import Figures, domain_verdict
from homeground.randomness import generator
from homeground.statistics.bootstrap import Interval, differences
from homeground.statistics.classification import FIRST_CLASS_COLUMN
from homeground.statistics.resampling import Layout
from homeground.tasks.classification.rare_classes import FEWEST_OF_A_CLASS, interval_of_f1
from homeground.tasks.task import RareClass

NUMBERS_AT_ONCE = 60_000_000
"""Numbers in memory at once, about 480 MB."""

FEWEST_BLOCKS, FEWEST_SETS = 10, 20
"""Random designs and the draws of the bootstrap are new for every block of test sets; there are at least so many blocks
of at least so many sets."""

FEWEST_ANSWERS = 200
"""With fewer answers than this their shares are not reported."""

LARGEST = 0.5
"""True differences are tried up to this share of what a model could gain at most."""


@dataclass(frozen=True)
class Budget:
    """How much is simulated: test sets of a cell, and draws of an interval."""

    replications: int
    draws: int


@dataclass(frozen=True)
class Outcomes:
    """The outcomes of many test sets of one true difference, each of shape ``(replications,)``."""

    block: NDArray[np.int64]
    truth: Floats
    low: Floats
    high: Floats
    detectable: Floats
    word: NDArray[np.str_]

    @property
    def answered(self) -> NDArray[np.bool_]:
        return self.word != "TOO FEW"

    def coverage(self) -> float | None:
        """Return how often the interval contains the true value where there is a verdict."""
        inside = ((self.low <= self.truth) & (self.truth <= self.high))[self.answered]
        return float(inside.mean()) if len(inside) >= min(FEWEST_ANSWERS, len(self.word)) else None

    def share(self, word: str) -> float:
        return float((self.word == word).mean())


@dataclass(frozen=True)
class Cell:
    """The shares of one cell; ``coverage`` is that at equal models, None where nearly all is TOO FEW.

    ``promised`` is the median smallest detectable effect of test sets with equal models, and ``kept`` how often the
    verdict was HELPED at a true difference of that size; None where that is larger than what is tried, and
    ``coverage_different`` is then that at the largest difference tried.
    """

    world: str
    design: str
    metric: str
    units: int
    coverage: float | None
    coverage_different: float | None
    helped: float | None
    hurt: float | None
    too_few: float | None
    promised: float | None
    kept: float | None

    def record(self) -> dict[str, Any]:
        return asdict(self)


def measure(name: str, world: World, design: str, units: int, budget: Budget) -> list[Cell]:
    """Return the cells of every metric of a world."""
    place = (name, design, units)
    equal = outcomes(world, place, [0.0], list(world.metrics), budget)
    return [_cell(world, place, metric, equal[metric], budget) for metric in world.metrics]


def _cell(world: World, place: tuple[str, str, int], metric: str, equal: Outcomes, budget: Budget) -> Cell:
    if world.metrics[metric].single:
        return Cell(place[0], place[1], metric, place[2], equal.coverage(), *[None] * 6)
    if not np.isfinite(equal.detectable).any():
        shares = (equal.share(word) for word in ("HELPED", "HURT", "TOO FEW"))
        return Cell(place[0], place[1], metric, place[2], equal.coverage(), None, *shares, None, None)
    promised = [_median(equal.detectable[equal.block == block]) for block in np.unique(equal.block)]
    most = LARGEST * float(world.truth(metric, world.largest, None))
    effects = [_effect(world, metric, min(promise, most)) for promise in promised]
    different = outcomes(world, place, effects, [metric], budget)[metric]
    return Cell(
        *(place[0], place[1], metric, place[2]),
        coverage=equal.coverage(),
        coverage_different=different.coverage(),
        helped=equal.share("HELPED"),
        hurt=equal.share("HURT"),
        too_few=equal.share("TOO FEW"),
        promised=_median(np.array(promised)),
        kept=different.share("HELPED") if max(promised) <= most else None,
    )


def _median(values: Floats) -> float:
    return float(np.median(values[np.isfinite(values)]))


def _effect(world: World, metric: str, wanted: float) -> float:
    """Return the effect that gives the true difference ``wanted``."""
    return float(brentq(lambda effect: float(world.truth(metric, effect, None)) - wanted, 0.0, world.largest))


def outcomes(
    world: World, place: tuple[str, str, int], effects: Sequence[float], metrics: list[str], budget: Budget
) -> dict[str, Outcomes]:
    """Return the outcomes of ``budget.replications`` test sets, every block of them at its own true effect."""
    columns: dict[str, list[tuple[Any, ...]]] = {metric: [] for metric in metrics}
    _, kind, units = place
    block = done = 0
    while done < budget.replications:
        # The design of a block is the same for every effect: what a test set promises it must keep itself.
        design = DESIGNS[kind](units, generator(block, "design", kind, units))
        effect = effects[block % len(effects)]
        random = generator(block, "calibration", *place, f"{effect:.9f}", " ".join(metrics))
        sets = min(
            _sets_at_once(world, len(design.nodes), len(design.layout.nodes), budget), budget.replications - done
        )
        sample = world.simulate(design, sets, effect, random)
        for metric, intervals in intervals_of(world, metrics, sample, design.layout, seed=block, draws=budget.draws):
            scored = world.metrics[metric]
            truth = np.broadcast_to(world.truth(metric, effect, sample.tested), sets)
            columns[metric] += [
                (block, truth[set_], *_judge(interval, metric, scored, sample, set_))
                for set_, interval in enumerate(intervals)
            ]
        done, block = done + sets, block + 1
    return {
        metric: Outcomes(*(np.array(column) for column in zip(*rows, strict=True))) for metric, rows in columns.items()
    }


def intervals_of(
    world: World, metrics: list[str], sample: Sample, layout: Layout, *, seed: int, draws: int
) -> Iterator[tuple[str, list[Interval]]]:
    """Yield the intervals of the library for every test set of a sample, metric by metric."""
    for single in (False, True):
        names = [metric for metric in metrics if world.metrics[metric].single is single]
        if not names:
            continue
        chosen = [world.metrics[metric] for metric in names]
        width = max(scored.width for scored in chosen)
        before, after = (np.ascontiguousarray(side[..., :width]) for side in (sample.before, sample.after))
        intervals = differences(
            layout,
            None if single else before,
            after,
            [scored.metric for scored in chosen],
            seed=seed,
            draws=draws,
            greater_is_better=[scored.greater_is_better for scored in chosen],
        )
        yield from zip(names, intervals, strict=True)


def _judge(
    interval: Interval, metric: str, scored: Scored, sample: Sample, set_: int
) -> tuple[float, float, float, str]:
    """Return the ends of the reported interval, the smallest detectable effect and the word of the verdict."""
    units_of = None if sample.units_of is None else sample.units_of[set_]
    if scored.of_class is not None and units_of is not None:
        sums = (
            sample.after[set_].sum(axis=0)[FIRST_CLASS_COLUMN : FIRST_CLASS_COLUMN + 3 * len(units_of)].reshape(3, -1)
        )
        hits, actual, predicted = sums[:, scored.of_class].astype(int).tolist()
        low, high = interval_of_f1(hits, actual + predicted - 2 * hits, (interval.low, interval.high))
        enough = units_of[scored.of_class] >= FEWEST_OF_A_CLASS
        return float(low or 0.0), float(high or 0.0), math.nan, "-" if enough else "TOO FEW"
    if not scored.decides:
        return interval.low, interval.high, math.nan, "-"
    discordant = rare = None
    if metric == "accuracy" and sample.discordant is not None:
        discordant = int(sample.discordant[set_])
    if metric == "macro_f1" and units_of is not None:
        fewest = int(units_of[units_of > 0].min())
        rare = RareClass("the rarest", fewest, FEWEST_OF_A_CLASS) if fewest < FEWEST_OF_A_CLASS else None
    figures = Figures(metric, 0.0, 0.0, interval.units, too_rare=rare)
    verdict = domain_verdict(interval, figures, discordant=discordant)
    return interval.low, interval.high, verdict.smallest_detectable, verdict.word


def _sets_at_once(world: World, examples: int, cells: int, budget: Budget) -> int:
    width = max(scored.width for scored in world.metrics.values())
    room = NUMBERS_AT_ONCE // max(10 * examples, 2 * width * cells, 2 * width * budget.draws)
    return max(1, min(room, max(FEWEST_SETS, -(-budget.replications // FEWEST_BLOCKS))))
