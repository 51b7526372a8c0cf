"""The difference between two models on the same test examples, with an interval that resamples what is independent.

Before and after are weighted alike, so the interval is that of the paired difference. Metrics are functions of sums of
per-example statistics, so that a draw is a row of a matrix product and no model runs again. What is drawn together
says `layout`. The first column of the statistics says how much an example holds: 1, or its tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit  # pyright: ignore[reportMissingTypeStubs]

from homeground.errors import DataError
from homeground.randomness import generator
from homeground.statistics.resampling import NUMBERS_AT_ONCE, Layout, arrange, draw_weights

Floats = NDArray[np.float64]
Metric = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Interval:
    """A difference, after minus before, signed so that positive is better, and what it rests on.

    ``standard_error`` is that of the difference; ``units`` counts what is independent, ``effective_units`` how many of
    equal size would say as much; ``widened_by`` is the factor that makes up for their being few; ``undefined`` counts
    the draws in which the metric could not be computed; ``degrees`` are the degrees of freedom of the standard error.
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
    degrees: float = float("inf")

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
    shape ``(..., k)`` into values of shape ``(...)``; ``nodes`` has shape ``(examples,)`` or ``(examples, 2)``. The
    interval is widened for few units and heavy tails, see ``widening``; for crossed pairs part of the pigeonhole's
    excess is taken back. A draw in which the metric is undefined counts as infinitely bad for the low end and
    infinitely good for the high end.

    Raises DataError where the shapes do not fit.

    >>> def mean(sums): return sums[..., 0] / sums[..., 1]
    >>> before, after = [[0.0, 1.0]] * 40, [[0.5, 1.0]] * 40
    >>> interval = paired_difference(before, after, mean, range(40), seed=0, draws=100)
    >>> interval.value, interval.low, interval.high, interval.units
    (0.5, 0.5, 0.5, 40)
    """
    first, second = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    layout = arrange(nodes)
    if first.ndim != 2 or first.shape != second.shape or len(first) != len(layout.cell_of) or not len(first):
        raise DataError(
            f"the statistics have shape {first.shape} before and {second.shape} after, with {len(layout.cell_of)} "
            "nodes; both models must be measured on the same test examples, at least one."
        )
    one, other = layout.sum(first[None]), layout.sum(second[None])
    better = [greater_is_better]
    return differences(layout, one, other, [metric], seed=seed, draws=draws, level=level, greater_is_better=better)[0][
        0
    ]


def differences(
    layout: Layout,
    before: Floats | None,
    after: Floats,
    metrics: Sequence[Metric],
    *,
    seed: int,
    draws: int = 10_000,
    level: float = 0.95,
    greater_is_better: Sequence[bool] | None = None,
) -> list[list[Interval]]:
    """Return the interval of ``paired_difference`` for every metric and every one of many data sets of one layout.

    ``before`` and ``after`` are ``layout.sum`` of statistics, shape ``(sets, cells, k)``; without ``before`` the
    interval is that of the score itself. All share one set of draws.
    """
    sides = [after] if before is None else [before, after]
    sets, cells, width = after.shape
    beside = np.concatenate(sides, axis=2).transpose(1, 0, 2).reshape(cells, -1)
    sums = np.stack([side.sum(axis=1) for side in sides], axis=1)
    signs = [1.0 if better else -1.0 for better in greater_is_better or [True] * len(metrics)]

    def change(metric: Metric, sums: Floats) -> Floats:
        return metric(sums[..., -1, :]) - (metric(sums[..., 0, :]) if before is not None else 0.0)

    # Block by block: of many classes and many trainings the sums of all draws would not fit.
    blocks: list[list[Floats]] = []
    for weights in draw_weights(layout, draws, generator(seed, "bootstrap")):
        drawn = (weights @ beside).reshape(len(weights), sets, len(sides), width)
        blocks.append([change(metric, drawn) for metric in metrics])
    return [
        _intervals(
            layout,
            sign * change(metric, sums),
            sign * np.concatenate([block[place] for block in blocks]),
            influence(before, after, metric),
            layout.effective_units(after[..., 0]),
            level,
        )
        for place, (metric, sign) in enumerate(zip(metrics, signs, strict=True))
    ]


def _intervals(
    layout: Layout, value: Floats, drawn: Floats, influence: Floats, effective: Floats, level: float
) -> list[Interval]:
    """Return the interval of every set from its value ``(sets,)``, what was drawn ``(draws, sets)`` and influences."""
    at_nodes = layout.at_nodes(influence)
    crossing = _crossing_factors(layout, influence, at_nodes)
    degrees = np.minimum(_degrees(at_nodes), effective - 1)
    factor = np.array([widening(*few, level=level) for few in zip(effective, degrees, strict=True)])
    low, high = _ends(drawn, value, level, factor * crossing)
    correction = float(np.sqrt(layout.units / max(layout.units - 1, 1)))
    found: list[Interval] = []
    for place, own in enumerate(np.ascontiguousarray(drawn.T)):
        defined = own[np.isfinite(own)]
        error = float(defined.std(ddof=1)) if len(defined) > 1 else np.nan
        found.append(
            Interval(
                value=float(value[place]),
                low=float(low[place]),
                high=float(high[place]),
                level=level,
                standard_error=error * float(crossing[place]) * correction,
                units=layout.units,
                effective_units=float(effective[place]),
                widened_by=float(factor[place]),
                draws=len(drawn),
                undefined=len(drawn) - len(defined),
                degrees=float(degrees[place]),
            )
        )
    return found


def own_interval(
    statistics: ArrayLike, metric: Metric, nodes: ArrayLike, *, seed: int, draws: int = 10_000, level: float = 0.95
) -> Interval:
    """Return the percentile interval of one model's own score, resampled and widened as ``paired_difference`` does.

    >>> ones = [[1.0, 1.0]] * 40
    >>> interval = own_interval(ones, lambda sums: sums[..., 0] / sums[..., 1], range(40), seed=0, draws=100)
    >>> interval.value, interval.low, interval.high
    (1.0, 1.0, 1.0)
    """
    layout = arrange(nodes)
    measured = layout.sum(np.asarray(statistics, dtype=np.float64)[None])
    return differences(layout, None, measured, [metric], seed=seed, draws=draws, level=level)[0][0]


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
    layout = arrange(nodes)
    measured = layout.sum(np.asarray(statistics, dtype=np.float64)[None])
    found = differences(layout, None, measured, metrics, seed=seed, draws=draws, level=level)
    return [(_finite(interval.low), _finite(interval.high)) for (interval,) in found]


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
    layout = arrange(nodes)
    one, other = (layout.sum(np.asarray(side, dtype=np.float64)) for side in (before, after))
    _, unit_of = np.unique(layout.nodes[:, 0], return_inverse=True)
    random = generator(seed, "swap")
    helped = hurt = 0
    block = max(1, NUMBERS_AT_ONCE // (max(draws, len(one)) * one.shape[1]))
    for start in range(0, times, block):
        swapped = random.random((min(block, times - start), unit_of.max() + 1))[:, unit_of, None] < 0.5
        first, second = np.where(swapped, other, one), np.where(swapped, one, other)
        (found,) = differences(layout, first, second, [metric], seed=seed, draws=draws, level=level)
        helped += sum(interval.low > 0 for interval in found)
        hurt += sum(interval.high < 0 for interval in found)
    return SwapTest(times, helped, hurt)


def widening(units: float, degrees: float | None = None, *, level: float = 0.95) -> float:
    """Return the factor that makes a percentile interval wide enough over few units, 1 or more.

    t(degrees) / z * sqrt(units / (units - 1)): the percentile interval behaves like the normal interval with the
    uncorrected variance, and this turns it into Student's (Hesterberg 2015, The American Statistician 69(4)). Without
    ``degrees`` they are units - 1, those of normal numbers.

    >>> round(widening(30), 3), round(widening(1000), 3), round(widening(30, 10), 3)
    (1.061, 1.002, 1.156)
    """
    if not units >= 2:
        return float("inf")
    tail = (1 + level) / 2
    student = float(stdtrit(units - 1 if degrees is None else degrees, tail))
    return student / float(ndtri(tail)) * float(np.sqrt(units / (units - 1)))


def _degrees(influence: Floats) -> Floats:
    """Return the degrees of freedom of the standard errors, shape ``(sets,)``, from influences ``(sets, nodes)``.

    2 / (kurtosis / n - 1 / n), from how much a variance varies whose numbers have this kurtosis: n for normal numbers,
    fewer where some units move the difference more than the others together, as two where one of them does
    (Satterthwaite 1946, Biometrics Bulletin 2, with the kurtosis for normality).
    """
    squares, fourths = np.sum(influence**2, axis=1), np.sum(influence**4, axis=1)
    excess = np.divide(fourths, squares**2, out=np.zeros_like(squares), where=fourths > 0) - 1 / influence.shape[1]
    return np.divide(2.0, excess, out=np.full_like(squares, np.inf), where=excess > 0)


def influence(before: Floats | None, after: Floats, metric: Metric) -> Floats:
    """Return by how much every cell moves the difference, to first order, shape ``(sets, cells)``."""
    own = np.einsum("sck,sk->sc", after, _gradient(metric, after))
    return own if before is None else own - np.einsum("sck,sk->sc", before, _gradient(metric, before))


def _crossing_factors(layout: Layout, influence: Floats, at_nodes: Floats) -> Floats:
    """Return the factors, at most 1, that take some of the pigeonhole's caution out of intervals for crossed pairs.

    Let A be the sum over nodes of the squared influence of all that touches the node, and B the sum over crossed cells
    of their own squared influence. The pigeonhole bootstrap has the variance A + B, which counts what is a pair's own
    three times (Owen 2007). The two-way cluster-robust variance A - B counts it once, but can come out negative, and
    its intervals are too short over few units (Cameron, Gelbach & Miller 2011, Journal of Business & Economic
    Statistics 29(2); for dyads Aronow, Samii & Assenova 2015, Political Analysis 23(4)). A stands between the two and
    needs no guard; benchmarks/calibration measures it.
    """
    crossed = layout.crossed
    if not crossed.any():
        return np.ones(len(influence))
    a, b = np.sum(at_nodes**2, axis=1), np.sum(influence[:, crossed] ** 2, axis=1)
    return np.sqrt(np.divide(a, a + b, out=np.ones_like(a), where=a > 0))


def _gradient(metric: Metric, statistics: Floats) -> Floats:
    """Return the derivatives of the metric by its sums ``(sets, k)``, by differences small against a sum's error."""
    sums, step = statistics.sum(axis=1), 1e-3 * np.sqrt(np.sum(statistics**2, axis=1))
    steps = step[:, :, None] * np.eye(step.shape[1])
    change = metric(sums[:, None] + steps) - metric(sums[:, None] - steps)
    return np.divide(change, 2 * step, out=np.zeros_like(step), where=step > 0)


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
