"""The difference between two models on the same test examples, with an interval that resamples independent units.

A draw gives an example the same weight before and after, so the interval is that of the paired difference. Metrics are
functions of sums of per-example statistics, so a draw is one row of a matrix product and no model runs again. The
`Layout` decides which examples are drawn together. The first column of the statistics is the size of an example: 1, or
its number of tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from homeground.data.units import MIN_UNITS
from homeground.errors import DataError
from homeground.randomness import generator
from homeground.statistics.calibration import exact_interval
from homeground.statistics.resampling import Layout, arrange, draw_weights

Floats = NDArray[np.float64]
Metric = Callable[[Floats], Floats]

FEWEST_EFFECTIVE_UNITS = 10
"""Where a few units hold most of the examples, so many of equal size would say as much; no interval over fewer."""

UNDEFINED_DRAWS = 0.01
"""The share of draws without a metric above which an interval rests on too little."""


@dataclass(frozen=True)
class Interval:
    """A difference, after minus before, signed so that positive is better, with its interval.

    ``standard_error`` is that of the difference; ``units`` counts the independent units, ``effective_units`` how many
    units of equal size would be worth as much; ``widened_by`` is the factor that corrects for few units; ``undefined``
    counts the draws in which the metric is undefined; ``degrees`` are the degrees of freedom of the standard error.
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

    @property
    def trusted(self) -> bool:
        """Whether the ends may be shown and judged by; an interval over too few units is neither printed nor drawn."""
        enough = self.units >= MIN_UNITS and self.effective_units >= FEWEST_EFFECTIVE_UNITS
        defined = self.undefined <= UNDEFINED_DRAWS * self.draws
        return enough and defined and bool(np.isfinite([self.low, self.value, self.high]).all())


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
    interval is widened for few units and heavy tails, see ``widening``, and narrowed for crossed pairs, see
    ``_crossing_factors``. A draw in which the metric is undefined counts as -inf for the low end and as +inf for the
    high end.

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
    ((interval,),) = differences(
        layout, one, other, [metric], seed=seed, draws=draws, level=level, greater_is_better=[greater_is_better]
    )
    return interval


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
    """Return the interval of ``paired_difference`` for every metric (outer list) and every data set of one layout.

    ``before`` and ``after`` are ``layout.sum`` of statistics, shape ``(sets, cells, k)``; without ``before`` the
    interval is that of the score itself. All share one set of draws.
    """
    sides = [after] if before is None else [before, after]
    sets, cells, width = after.shape
    columns = np.concatenate(sides, axis=2).transpose(1, 0, 2).reshape(cells, -1)
    sums = np.stack([side.sum(axis=1) for side in sides], axis=1)
    signs = [1.0 if better else -1.0 for better in greater_is_better or [True] * len(metrics)]

    def change(metric: Metric, sums: Floats) -> Floats:
        return metric(sums[..., -1, :]) - (metric(sums[..., 0, :]) if before is not None else 0.0)

    # Block by block: with many classes or many trainings the sums of all draws would not fit into memory.
    blocks: list[list[Floats]] = []
    for weights in draw_weights(layout, draws, generator(seed, "bootstrap")):
        drawn = (weights @ columns).reshape(len(weights), sets, len(sides), width)
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
    """Return the interval of every set.

    ``value (sets,)`` is the difference itself, ``drawn (draws, sets)`` its value in every draw, ``influence (sets,
    cells)`` that of every cell on it, and ``effective (sets,)`` the effective number of units.
    """
    at_nodes = layout.at_nodes(influence)
    crossing = _crossing_factors(layout, influence, at_nodes)
    degrees = np.minimum(_degrees(at_nodes), effective - 1)
    factor = np.array([widening(*each, level=level) for each in zip(effective, degrees, strict=True)])
    low, high = _ends(drawn, value, level, factor * crossing)
    # The bootstrap has the variance of a sample with n in the denominator; Bessel's correction makes it n - 1.
    correction = float(np.sqrt(layout.units / max(layout.units - 1, 1)))
    intervals: list[Interval] = []
    for place, draws in enumerate(np.ascontiguousarray(drawn.T)):
        defined = draws[np.isfinite(draws)]
        error = float(defined.std(ddof=1)) if len(defined) > 1 else np.nan
        intervals.append(
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
    return intervals


def own_interval(
    statistics: ArrayLike,
    metric: Metric,
    nodes: ArrayLike,
    *,
    seed: int,
    draws: int = 10_000,
    level: float = 0.95,
    span: tuple[float, float] = (-np.inf, np.inf),
    share: bool = False,
    sizes: ArrayLike | None = None,
) -> Interval:
    """Return the percentile interval of the score of one model, resampled and widened as in ``paired_difference``.

    No end leaves the ``span`` of the metric. Where nearly all examples are right or nearly all wrong, resamples hardly
    differ and the interval is far too short, so that of a ``share`` is at least that of Clopper & Pearson (1934) for
    the effective number of units, as in surveys (Korn & Graubard 1998, Survey Methodology 24). ``sizes (examples,)``
    are by how much the examples can move the score, by default the first column of the statistics.

    >>> def mean(sums): return sums[..., 1] / sums[..., 0]
    >>> interval = own_interval([[1.0, 1.0]] * 40, mean, range(40), seed=0, draws=100, share=True)
    >>> interval.value, round(interval.low, 3), interval.high
    (1.0, 0.912, 1.0)
    """
    layout, values = arrange(nodes), np.asarray(statistics, dtype=np.float64)
    ((interval,),) = differences(layout, None, layout.sum(values[None]), [metric], seed=seed, draws=draws, level=level)
    low, high = interval.low, interval.high
    if share and np.isfinite(interval.value):
        weights = values[:, 0] if sizes is None else np.asarray(sizes, dtype=np.float64)
        units = float(layout.effective_units(layout.sum(weights[None, :, None])[..., 0])[0])
        exact = exact_interval(interval.value * units, units, level)
        low, high = min(low, exact[0]), max(high, exact[1])
    return replace(interval, low=max(low, span[0]), high=min(high, span[1]))


def own_intervals(
    statistics: ArrayLike,
    metrics: Sequence[Metric],
    nodes: ArrayLike,
    *,
    seed: int,
    draws: int = 10_000,
    level: float = 0.95,
) -> list[tuple[float | None, float | None]]:
    """Return the ends (low, high) of the percentile interval of the score of one model, one pair for each metric.

    Both ends are None where the interval is not trusted, as over fewer than 30 units. All metrics share one set of
    draws, the one that ``paired_difference`` makes from the same seed.

    >>> ones = [[1.0, 1.0]] * 40
    >>> own_intervals(ones, [lambda sums: sums[..., 0] / sums[..., 1]], range(40), seed=0, draws=100)
    [(1.0, 1.0)]
    """
    layout = arrange(nodes)
    sums = layout.sum(np.asarray(statistics, dtype=np.float64)[None])
    intervals = differences(layout, None, sums, metrics, seed=seed, draws=draws, level=level)
    return [(interval.low, interval.high) if interval.trusted else (None, None) for (interval,) in intervals]


def widening(units: float, degrees: float | None = None, *, level: float = 0.95) -> float:
    """Return the factor by which a percentile interval over few units is widened, 1 or more; inf below 2 units.

    t(degrees) / z * sqrt(units / (units - 1)), where t and z are the (1 + level) / 2 quantiles of Student's t and the
    normal distribution: the percentile interval behaves like the normal interval with the uncorrected variance, and
    the factor turns it into Student's (Hesterberg 2015, The American Statistician 69(4)). ``degrees`` defaults to
    units - 1, which holds for normally distributed units.

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

    A variance estimated from n numbers of kurtosis K has itself the relative variance (K - 1) / n, and a chi-squared
    variable with d degrees of freedom has 2 / d, so d = 2 n / (K - 1): n for normal numbers (K = 3), 2 where one unit
    alone moves the difference (K = n) (Satterthwaite 1946, Biometrics Bulletin 2). With influences u that sum to 0,
    K / n = sum(u^4) / sum(u^2)^2.
    """
    squares, fourths = np.sum(influence**2, axis=1), np.sum(influence**4, axis=1)
    excess = np.divide(fourths, squares**2, out=np.zeros_like(squares), where=fourths > 0) - 1 / influence.shape[1]
    return np.divide(2.0, excess, out=np.full_like(squares, np.inf), where=excess > 0)


def influence(before: Floats | None, after: Floats, metric: Metric) -> Floats:
    """Return by how much every cell moves the difference, to first order, shape ``(sets, cells)``.

    The derivative of the metric by the weight of a cell: its statistics times the gradient of the metric by the sums.
    """
    moved = np.einsum("sck,sk->sc", after, gradient(metric, after))
    return moved if before is None else moved - np.einsum("sck,sk->sc", before, gradient(metric, before))


def _crossing_factors(layout: Layout, influence: Floats, at_nodes: Floats) -> Floats:
    """Return the factors sqrt(A / (A + B)), at most 1, by which the intervals of crossed pairs are narrowed.

    A is the sum over nodes of the squared influence of all cells that touch the node, B the sum over crossed cells of
    their squared influence. The pigeonhole bootstrap has the variance A + B, in which the part that belongs to a pair
    alone is counted three times (Owen 2007). The two-way cluster-robust variance A - B counts it once, but can be
    negative, and its intervals are too short over few units (Cameron, Gelbach & Miller 2011, Journal of Business &
    Economic Statistics 29(2); for dyads Aronow, Samii & Assenova 2015, Political Analysis 23(4)). A is between the two
    and always positive; benchmarks/calibration measures its coverage.
    """
    crossed = layout.crossed
    if not crossed.any():
        return np.ones(len(influence))
    a, b = np.sum(at_nodes**2, axis=1), np.sum(influence[:, crossed] ** 2, axis=1)
    return np.sqrt(np.divide(a, a + b, out=np.ones_like(a), where=a > 0))


def gradient(metric: Metric, statistics: Floats) -> Floats:
    """Return the gradient of the metric by its sums ``(sets, k)``, by central differences.

    The step is a thousandth of the root of the sum of squares, which is about the standard error of a sum: small
    against what the bootstrap moves a sum, large against rounding.
    """
    sums, step = statistics.sum(axis=1), 1e-3 * np.sqrt(np.sum(statistics**2, axis=1))
    steps = step[:, :, None] * np.eye(step.shape[1])
    change = metric(sums[:, None] + steps) - metric(sums[:, None] - steps)
    return np.divide(change, 2 * step, out=np.zeros_like(step), where=step > 0)


def _ends(drawn: Floats, value: Floats, level: float, factor: Floats) -> tuple[Floats, Floats]:
    """Return the ends of the percentile interval of every column of ``drawn (draws, columns)``, scaled by a factor."""
    if not np.isfinite(factor).all():
        return np.full_like(value, -np.inf), np.full_like(value, np.inf)
    tail = (1 - level) / 2
    undefined = ~np.isfinite(drawn)
    # "lower" and "higher" return a draw itself: a number and infinity cannot be interpolated.
    low = np.quantile(np.where(undefined, -np.inf, drawn), tail, axis=0, method="lower")
    high = np.quantile(np.where(undefined, np.inf, drawn), 1 - tail, axis=0, method="higher")
    centre = np.clip(value, low, high)
    return centre - factor * (centre - low), centre + factor * (high - centre)
