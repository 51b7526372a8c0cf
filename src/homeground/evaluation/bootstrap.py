"""The difference between two models on the same test examples, with an interval that resamples what is independent.

An example depends on one or two nodes: its unit (a document, a group, itself) and, for a pair of texts, the node of
a text that other units hold too. Nodes are drawn with replacement from one pool, and an example counts as often as the
product of how often its distinct nodes were drawn: where nothing is shared this is the plain bootstrap, where units are
shared the cluster bootstrap, else the pigeonhole bootstrap.

    Owen (2007), The pigeonhole bootstrap, Annals of Applied Statistics 1(2)
    Owen & Eckles (2012), Bootstrapping data arrays of arbitrary order, Annals of Applied Statistics 6(3)

Before and after are weighted alike, so the interval is that of the paired difference. Metrics are functions of sums of
per-example statistics, so that a draw is a row of a matrix product and no model runs again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit  # pyright: ignore[reportMissingTypeStubs]

from homeground.errors import DataError
from homeground.randomness import generator

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Metric = Callable[[Floats], Floats]

PLENTY_OF_UNITS = 100
"""From this many units on, a percentile interval needs no widening."""

NUMBERS_AT_ONCE = 4_000_000
"""How many weights or counts are held at once, about 32 MB."""


@dataclass(frozen=True)
class Interval:
    """A difference, after minus before, signed so that positive is better, and what it rests on.

    ``standard_error`` is that of the difference; ``units`` counts what is independent, ``effective_units`` how many of
    equal size would say as much; ``widened_by`` is the factor that makes up for their being few; ``undefined`` counts
    the draws in which the metric could not be computed.
    """

    value: float
    low: float
    high: float
    level: float
    standard_error: float
    units: int
    effective_units: float
    widened_by: float
    draws: int
    undefined: int

    def record(self) -> dict[str, Any]:
        """Return the fields for JSON, with None for what is not finite."""
        fields = dict(vars(self))
        return {name: number if np.isfinite(number) else None for name, number in fields.items()}


@dataclass(frozen=True)
class SwapTest:
    """How often the verdict fell either way when before and after were swapped at random, so that neither is better."""

    times: int
    helped: int
    hurt: int


def paired_difference(
    before: ArrayLike,
    after: ArrayLike,
    metric: Metric,
    nodes: ArrayLike,
    *,
    seed: int,
    draws: int = 10_000,
    level: float = 0.95,
    greater_is_better: bool = True,
) -> Interval:
    """Return the percentile interval of the metric after minus before.

    ``before`` and ``after`` are statistics of the same test examples, shape ``(examples, k)``; ``metric`` turns sums of
    shape ``(..., k)`` into values of shape ``(...)``; ``nodes`` has shape ``(examples,)`` or ``(examples, 2)``. Below
    ``PLENTY_OF_UNITS`` effective units the interval is widened, see ``widening``; for crossed pairs part of the
    pigeonhole's excess is taken back. A draw in which the metric is undefined counts as infinitely bad for the low end
    and infinitely good for the high end.

    Raises DataError where the shapes do not fit.

    >>> def mean(sums): return sums[..., 0] / sums[..., 1]
    >>> before, after = [[0.0, 1.0]] * 40, [[0.5, 1.0]] * 40
    >>> interval = paired_difference(before, after, mean, range(40), seed=0, draws=100)
    >>> interval.value, interval.low, interval.high, interval.units
    (0.5, 0.5, 0.5, 40)
    """
    cells = _cells(before, after, nodes)
    sign = 1.0 if greater_is_better else -1.0
    value = sign * float(metric(cells.after.sum(axis=0)) - metric(cells.before.sum(axis=0)))
    both = np.hstack([cells.before, cells.after])
    width = cells.before.shape[1]

    def change(sums: Floats) -> Floats:
        return sign * (metric(sums[:, width:]) - metric(sums[:, :width]))

    # Block by block: of many classes and many trainings the sums of all draws would not fit.
    drawn = np.concatenate([change(weights @ both) for weights in _weights(cells, draws, generator(seed, "bootstrap"))])
    defined = drawn[np.isfinite(drawn)]
    crossing, factor = _crossing_factor(cells, cells.before, cells.after, metric), widening(cells.effective, level)
    low, high = _ends(drawn[:, None], np.array([value]), level, np.array([factor * crossing]))
    error = float(defined.std(ddof=1)) if len(defined) > 1 else np.nan
    return Interval(
        value=value,
        low=float(low[0]),
        high=float(high[0]),
        level=level,
        standard_error=error * crossing * float(np.sqrt(cells.units / max(cells.units - 1, 1))),
        units=cells.units,
        effective_units=cells.effective,
        widened_by=factor,
        draws=draws,
        undefined=draws - len(defined),
    )


def own_interval(
    statistics: ArrayLike, metric: Metric, nodes: ArrayLike, *, seed: int, draws: int = 10_000, level: float = 0.95
) -> Interval:
    """Return the percentile interval of one model's own score, resampled and widened as ``paired_difference`` does.

    >>> ones = [[1.0, 1.0]] * 40
    >>> interval = own_interval(ones, lambda sums: sums[..., 0] / sums[..., 1], range(40), seed=0, draws=100)
    >>> interval.value, interval.low, interval.high
    (1.0, 1.0, 1.0)
    """
    measured = np.asarray(statistics, dtype=np.float64)
    # A model that is compared with one whose score is always 0: the difference is its score.
    width = measured.shape[1]

    def against_zero(sums: Floats) -> Floats:
        return metric(sums[..., :width]) * sums[..., width] / np.maximum(sums[..., width + 1], 1e-300)

    count = np.ones((len(measured), 1))
    before, after = np.hstack([measured, 0 * count, count]), np.hstack([measured, count, count])
    return paired_difference(before, after, against_zero, nodes, seed=seed, draws=draws, level=level)


def own_intervals(
    statistics: ArrayLike,
    metrics: Sequence[Metric],
    nodes: ArrayLike,
    *,
    seed: int,
    draws: int = 10_000,
    level: float = 0.95,
) -> list[tuple[float | None, float | None]]:
    """Return the ends of the percentile interval of one model's score under each of many metrics.

    An end is None where no interval can be had, as over a single unit. All metrics share one set of draws, those of
    ``paired_difference`` with the same seed.

    >>> ones = [[1.0, 1.0]] * 40
    >>> own_intervals(ones, [lambda sums: sums[..., 0] / sums[..., 1]], range(40), seed=0, draws=100)
    [(1.0, 1.0)]
    """
    measured = np.asarray(statistics, dtype=np.float64)
    cells = _cells(measured, measured, nodes)
    sums = np.concatenate([weights @ cells.after for weights in _weights(cells, draws, generator(seed, "bootstrap"))])
    factor = widening(cells.effective, level)
    ends: list[tuple[float | None, float | None]] = []
    for metric in metrics:
        crossing = _crossing_factor(cells, np.zeros_like(cells.after), cells.after, metric)
        value = np.array([float(metric(cells.after.sum(axis=0)))])
        low, high = _ends(metric(sums)[:, None], value, level, np.array([factor * crossing]))
        ends.append((_finite(low[0]), _finite(high[0])))
    return ends


def _finite(end: float) -> float | None:
    return float(end) if np.isfinite(end) else None


def swap_test(
    before: ArrayLike,
    after: ArrayLike,
    metric: Metric,
    nodes: ArrayLike,
    *,
    seed: int,
    times: int = 2_000,
    draws: int = 1_000,
    level: float = 0.95,
) -> SwapTest:
    """Return how often the interval misses 0 when before and after are swapped at random unit by unit.

    Under such swaps neither model is better, so that each verdict should come out in (1 - level) / 2 of the times.
    A unit is the first node of an example; a node shared between units is not swapped as one, so that for crossed
    pairs the test sees less dependence than there is. Shapes are those of ``paired_difference``. All swaps share one
    set of draws; memory grows with draws times distinct nodes.

    >>> before, after = np.eye(2)[[0, 1] * 20], np.eye(2)[[1, 0] * 20]
    >>> test = swap_test(before, after, lambda sums: sums[..., 0] / sums.sum(axis=-1), range(40), seed=0, times=50)
    >>> test.helped + test.hurt < 10
    True
    """
    cells = _cells(before, after, nodes)
    weights = np.concatenate(list(_weights(cells, draws, generator(seed, "bootstrap"))))
    _, unit_of = np.unique(cells.nodes[:, 0], return_inverse=True)
    total, change = cells.before + cells.after, cells.after - cells.before
    # Columns that do not change, such as the count and the gold score, need no product of their own.
    moving = np.flatnonzero(change.any(axis=0))
    drawn_total, drawn_before = weights @ total, weights @ cells.before
    factor = widening(cells.effective, level)
    random = generator(seed, "swap")
    helped = hurt = 0
    block = max(1, NUMBERS_AT_ONCE // (max(draws, len(total)) * total.shape[1]))
    for start in range(0, times, block):
        swapped = random.random((min(block, times - start), unit_of.max() + 1))[:, unit_of] < 0.5
        moved = swapped.T[:, :, None] * change[:, None, moving]  # (cells, swaps, columns)
        drawn = np.repeat(drawn_before[:, None], len(swapped), axis=1)
        drawn[..., moving] += (weights @ moved.reshape(len(change), -1)).reshape(draws, len(swapped), -1)
        whole = np.repeat(cells.before.sum(axis=0)[None], len(swapped), axis=0)
        whole[:, moving] += moved.sum(axis=0)
        crossing = [_crossing_factor(cells, *_swap(cells, row), metric) for row in swapped]
        difference = metric(drawn_total[:, None] - drawn) - metric(drawn)
        value = metric(total.sum(axis=0) - whole) - metric(whole)
        low, high = _ends(difference, value, level, factor * np.array(crossing))
        helped, hurt = helped + int((low > 0).sum()), hurt + int((high < 0).sum())
    return SwapTest(times, helped, hurt)


def widening(units: float, level: float = 0.95) -> float:
    """Return the factor that makes a percentile interval over few units wide enough, 1 from 100 units on.

    t(units - 1) / z * sqrt(units / (units - 1)): the percentile interval behaves like the normal interval with the
    uncorrected variance, and this turns it into Student's (Hesterberg 2015, The American Statistician 69(4)).

    >>> round(widening(30), 3), widening(100)
    (1.061, 1.0)
    """
    if units >= PLENTY_OF_UNITS:
        return 1.0
    if units < 2:
        return float("inf")
    tail = (1 + level) / 2
    return float(stdtrit(units - 1, tail)) / float(ndtri(tail)) * float(np.sqrt(units / (units - 1)))


def independent_units(nodes: ArrayLike) -> tuple[int, float]:
    """Return how many independent units the nodes amount to, and how many of equal size would say as much.

    The first is the fewer of distinct first and distinct second nodes: the number of units where nothing is shared
    between them, but where every pair has a text from a small pool the size of the pool: ten texts met a thousand
    times are ten texts. The second is the lesser of 1 / (sum of squared shares of the examples) on either side (Kish
    1965, Survey Sampling), so that a few units that hold nearly everything count as few.

    >>> independent_units([0, 0, 1, 1]), independent_units([[0, 9], [1, 9], [2, 9]])
    ((2, 2.0), (1, 1.0))
    """
    both = _two_nodes(np.asarray(nodes, dtype=np.int64))
    sizes = [np.unique(both[:, side], return_counts=True)[1] for side in (0, 1)]
    return min(len(held) for held in sizes), min(float(held.sum() ** 2 / (held**2).sum()) for held in sizes)


@dataclass(frozen=True)
class _Cells:
    """The examples that share both nodes, summed: they always get the same weight."""

    nodes: Ints  # (cells, 2), numbered from 0 to count - 1
    count: int
    units: int
    effective: float
    before: Floats  # (cells, k)
    after: Floats


def _cells(before: ArrayLike, after: ArrayLike, nodes: ArrayLike) -> _Cells:
    first, second = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    both = _two_nodes(np.asarray(nodes, dtype=np.int64))
    if first.ndim != 2 or first.shape != second.shape or len(first) != len(both) or not len(both):
        raise DataError(
            f"the statistics have shape {first.shape} before and {second.shape} after, with {len(both)} nodes; both "
            "models must be measured on the same test examples, at least one."
        )
    pairs, cell_of = np.unique(both, axis=0, return_inverse=True)
    names, numbered = np.unique(pairs, return_inverse=True)
    sums = np.zeros((2, len(pairs), first.shape[1]))
    np.add.at(sums[0], cell_of.ravel(), first)
    np.add.at(sums[1], cell_of.ravel(), second)
    return _Cells(numbered.reshape(-1, 2), len(names), *independent_units(both), sums[0], sums[1])


def _swap(cells: _Cells, swapped: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return before and after with the marked cells exchanged."""
    chosen = swapped[:, None]
    return np.where(chosen, cells.after, cells.before), np.where(chosen, cells.before, cells.after)


def _two_nodes(nodes: Ints) -> Ints:
    """Return nodes as ``(examples, 2)``, where a second node met in one unit only is replaced by that unit.

    A test split holds some of the pairs: a text that recurs in the whole data may stand in one unit of it.
    """
    if nodes.ndim == 1:
        return np.stack([nodes, nodes], axis=1)
    first, second = nodes[:, 0], nodes[:, 1]
    names, number = np.unique(second, return_inverse=True)
    lowest = np.full(len(names), np.iinfo(np.int64).max)
    highest = np.full(len(names), np.iinfo(np.int64).min)
    np.minimum.at(lowest, number, first)
    np.maximum.at(highest, number, first)
    nested = (lowest == highest) & ~np.isin(names, first)
    return np.stack([first, np.where(nested[number], first, second)], axis=1)


def _crossing_factor(cells: _Cells, before: Floats, after: Floats, metric: Metric) -> float:
    """Return the factor, at most 1, that takes some of the pigeonhole's caution out of an interval for crossed pairs.

    Let A be the sum over nodes of the squared influence of all that touches the node, and B the sum over crossed cells
    of their own squared influence. The pigeonhole bootstrap has the variance A + B, which counts what is a pair's own
    three times (Owen 2007). The two-way cluster-robust variance A - B counts it once, but can come out negative, and
    its intervals are too short over few units (Cameron, Gelbach & Miller 2011, Journal of Business & Economic
    Statistics 29(2); for dyads Aronow, Samii & Assenova 2015, Political Analysis 23(4)). A stands between the two and
    needs no guard; benchmarks/coverage.py measures it.
    """
    crossed = cells.nodes[:, 0] != cells.nodes[:, 1]
    if not crossed.any():
        return 1.0
    influence = after @ _gradient(metric, after) - before @ _gradient(metric, before)
    at_nodes = np.bincount(cells.nodes[:, 0], influence, cells.count)
    at_nodes += np.bincount(cells.nodes[crossed, 1], influence[crossed], cells.count)
    a, b = float(np.sum(at_nodes**2)), float(np.sum(influence[crossed] ** 2))
    return float(np.sqrt(a / (a + b))) if a > 0 else 1.0


def _gradient(metric: Metric, statistics: Floats) -> Floats:
    """Return the derivatives of the metric by its sums, by differences small against the sampling error of a sum."""
    sums, step = statistics.sum(axis=0), 1e-3 * np.sqrt(np.sum(statistics**2, axis=0))
    change = metric(sums + np.diag(step)) - metric(sums - np.diag(step))
    return np.divide(change, 2 * step, out=np.zeros_like(step), where=step > 0)


def _weights(cells: _Cells, draws: int, random: np.random.Generator) -> Iterator[Floats]:
    """Yield the weights of the cells, shape ``(some draws, cells)``, until there were ``draws``."""
    crossed = np.flatnonzero(cells.nodes[:, 0] != cells.nodes[:, 1])
    block = max(1, NUMBERS_AT_ONCE // max(cells.count, len(cells.nodes)))
    for start in range(0, draws, block):
        rows = min(block, draws - start)
        picked = random.integers(cells.count, size=(rows, cells.count)) + cells.count * np.arange(rows)[:, None]
        times = np.bincount(picked.ravel(), minlength=rows * cells.count).reshape(rows, cells.count)
        weights = times[:, cells.nodes[:, 0]].astype(np.float64)
        weights[:, crossed] *= times[:, cells.nodes[crossed, 1]]
        yield weights


def _ends(drawn: Floats, value: Floats, level: float, factor: Floats) -> tuple[Floats, Floats]:
    """Return the ends, shape ``(columns,)``, of the percentile interval of every column, scaled by a factor."""
    if not np.isfinite(factor).all():
        return np.full_like(value, -np.inf), np.full_like(value, np.inf)
    tail = (1 - level) / 2
    undefined = ~np.isfinite(drawn)
    # "lower" and "higher" take a draw as it is: between a number and infinity there is nothing to interpolate.
    low = np.quantile(np.where(undefined, -np.inf, drawn), tail, axis=0, method="lower")
    high = np.quantile(np.where(undefined, np.inf, drawn), 1 - tail, axis=0, method="higher")
    centre = np.clip(value, low, high)
    return centre - factor * (centre - low), centre + factor * (high - centre)
