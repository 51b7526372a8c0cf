"""The geometry of the charts, as numbers; templates/charts.html draws them.

Charts are inline SVG drawn by templates rather than by a plotting library: they take their colours from the page, so
that they follow dark mode; text stays text, in the reader's fonts; they hold no ids, so that none can clash; and
text from the data passes through the same escaping as everything else. Positions in per cent let a chart fill any width
while its text keeps its size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from homeground.wording import is_number, number, power, signed

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class NumberLine:
    """An interval on a line with 0 marked; positions in per cent of the width."""

    zero: float
    value: float
    low: float
    high: float
    band_low: float | None
    band_high: float | None
    value_text: str
    low_text: str
    high_text: str


def number_line(
    difference: Mapping[str, Any], *, band: tuple[float, float] | None = None, decimals: int = 3
) -> NumberLine | None:
    """Return the drawing of a difference with its ``value``, ``low`` and ``high``; None when one of them is missing.

    ``band`` is a range of differences to shade, such as those that are too small to be detected.

    >>> line = number_line({"value": 0.0, "low": -1.0, "high": 1.0})
    >>> (line.zero, line.value, line.low < 50 < line.high)
    (50.0, 50.0, True)
    """
    value, low, high = (difference.get(end) for end in ("value", "low", "high"))
    if not (is_number(value) and is_number(low) and is_number(high)):
        return None
    marked = [0.0, value, low, high, *(band or ())]
    span = max(marked) - min(marked) or 1.0
    # The labels of the two ends stand outside them, so the line needs room on both sides.
    start, width = min(marked) - 0.22 * span, 1.44 * span

    def place(position: float) -> float:
        return round(100 * (position - start) / width, 2)

    return NumberLine(
        zero=place(0.0),
        value=place(value),
        low=place(low),
        high=place(high),
        band_low=place(band[0]) if band else None,
        band_high=place(band[1]) if band else None,
        value_text=signed(value, decimals),
        low_text=signed(low, decimals),
        high_text=signed(high, decimals),
    )


def ticks(low: float, high: float, *, about: int = 4) -> list[float]:
    """Return round numbers (steps of 1, 2 or 5 times a power of ten) from ``low`` to ``high``.

    >>> ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    rough = (high - low) / about
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= 0.75 * rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def labelled(marks: Sequence[float]) -> list[tuple[float, str]]:
    """Return each mark with its label, all with the same decimals, or as powers of ten where they are tiny.

    >>> labelled([0.8, 0.85]), labelled([0.0, 1.5e-05])
    ([(0.8, '0.80'), (0.85, '0.85')], [(0.0, '0'), (1.5e-05, '1.5e−5')])
    """
    if 0 < max(abs(mark) for mark in marks) < 0.001:
        return [(mark, f"{mark:g}".replace("e-0", "e−").replace("e-", "e−")) for mark in marks]
    decimals = max(len(f"{mark:.6f}".rstrip("0").partition(".")[2]) for mark in marks)
    return [(mark, number(mark, decimals)) for mark in marks]


@dataclass(frozen=True)
class Line:
    """One line of a chart: its points as SVG wants them, and its dots where points are few."""

    name: str
    style: str
    path: str
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class LineChart:
    """A chart of lines over steps; coordinates in a box of ``width`` by ``height`` units."""

    title: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    lines: tuple[Line, ...]
    best: float | None


def line_chart(title: str, series: Mapping[str, tuple[str, Points]], *, best_step: float | None = None) -> LineChart:
    """Return the chart of several series, each a name with its style ("train", "faint", "after") and its points."""
    width, height, left, right, top, bottom = 420, 230, 54, 408, 12, 200
    steps = [step for _, points in series.values() for step, _ in points]
    values = [value for _, points in series.values() for _, value in points]
    x_low, x_high = min(0.0, *steps), max(*steps, 1.0)
    y_low, y_high = padded(min(values), max(values))

    def across(step: float) -> float:
        return round(left + (right - left) * (step - x_low) / (x_high - x_low), 1)

    def up(value: float) -> float:
        return round(bottom - (bottom - top) * (value - y_low) / (y_high - y_low), 1)

    lines: list[Line] = []
    for name, (style, points) in series.items():
        places = tuple((across(step), up(value)) for step, value in thinned(points))
        path = " ".join(f"{x},{y}" for x, y in places)
        lines.append(Line(name, style, path, places if len(places) <= 24 else ()))
    return LineChart(
        title, width, height, left, right, top, bottom,
        x_ticks=tuple((across(mark), text) for mark, text in labelled(ticks(x_low, x_high))),
        y_ticks=tuple((up(mark), text) for mark, text in labelled(ticks(y_low, y_high))),
        lines=tuple(lines),
        best=None if best_step is None else across(best_step),
    )  # fmt: skip


@dataclass(frozen=True)
class Dot:
    """One dot of a chart, with what it stands for."""

    x: float
    y: float
    chosen: bool
    title: str


@dataclass(frozen=True)
class DotChart:
    """A chart of dots over a logarithmic axis; coordinates in a box of ``width`` by ``height`` units.

    ``missing`` are the places on the axis of what has no value.
    """

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    dots: tuple[Dot, ...]
    missing: tuple[float, ...]


def dot_chart(points: Sequence[tuple[float, float | None, bool, str]]) -> DotChart | None:
    """Return the chart of points: where on the logarithmic axis, the value or None, whether chosen, and a title.

    None where no point has a value, or one cannot stand on a logarithmic axis.
    """
    width, height, left, right, top, bottom = 420, 236, 54, 400, 12, 186
    values = [value for _, value, _, _ in points if value is not None]
    if not values or min(place for place, _, _, _ in points) <= 0:
        return None
    lowest, highest = min(place for place, _, _, _ in points), max(place for place, _, _, _ in points)
    margin = max((highest / lowest) ** 0.07, 1.2)
    x_low, x_high = math.log10(lowest / margin), math.log10(highest * margin)
    y_low, y_high = padded(min(values), max(values))

    def across(place: float) -> float:
        return round(left + (right - left) * (math.log10(place) - x_low) / (x_high - x_low), 1)

    def up(value: float) -> float:
        return round(bottom - (bottom - top) * (value - y_low) / (y_high - y_low), 1)

    return DotChart(
        width, height, left, right, top, bottom,
        x_ticks=tuple((across(mark), power(mark)) for mark in log_ticks(10**x_low, 10**x_high)),
        y_ticks=tuple((up(mark), text) for mark, text in labelled(ticks(y_low, y_high))),
        # The chosen one last, so that no other covers it.
        dots=tuple(
            Dot(across(place), up(value), chosen, title)
            for place, value, chosen, title in sorted(points, key=lambda point: point[2])
            if value is not None
        ),
        missing=tuple(across(place) for place, value, _, _ in points if value is None),
    )  # fmt: skip


def log_ticks(low: float, high: float) -> list[float]:
    """Return marks for a logarithmic axis: powers of ten, with their double and fivefold where the range is short.

    >>> log_ticks(1e-5, 2e-4), log_ticks(1e-9, 1e-4)
    ([1e-05, 2e-05, 5e-05, 0.0001, 0.0002], [1e-09, 1e-08, 1e-07, 1e-06, 1e-05, 0.0001])
    """
    factors = (1, 2, 5) if high / low < 300 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    marks = [float(f"{factor}e{power}") for power in powers for factor in factors]
    return [mark for mark in marks if low * (1 - 1e-9) <= mark <= high * (1 + 1e-9)]


def padded(low: float, high: float) -> tuple[float, float]:
    """Return the ends of an axis with some room around the values it shows."""
    # Over a range that is tiny beside its values the labels of the axis would need more digits than there is room for.
    if 0 < high - low < (least := 0.002 * max(abs(low), abs(high))):
        low, high = (low + high - least) / 2, (low + high + least) / 2
    span = (high - low) or abs(high) or 1.0
    return low - 0.06 * span, high + 0.06 * span


def thinned(points: Points, *, most: int = 200) -> list[tuple[float, float]]:
    """Return at most ``most`` points, each the mean of its neighbours, so that a long run stays a small file.

    >>> thinned([(1, 1.0), (2, 3.0), (3, 5.0), (4, 7.0)], most=2)
    [(1.5, 2.0), (3.5, 6.0)]
    """
    if len(points) <= most:
        return list(points)
    parts = np.array_split(np.asarray(points, dtype=np.float64), most)
    return [(float(step), float(value)) for step, value in (part.mean(axis=0) for part in parts)]


@dataclass(frozen=True)
class Spread:
    """How numbers between 0 and 1 are spread: their 10, 25, 50, 75 and 90% points, in per cent of the width."""

    p10: float
    p25: float
    p50: float
    p75: float
    p90: float


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of numbers between 0 and 1.

    >>> spread([0.0, 0.25, 0.5, 0.75, 1.0]).p50
    50.0
    """
    places = np.clip(np.percentile(np.asarray(values, dtype=np.float64), [10, 25, 50, 75, 90]), 0.0, 1.0)
    return Spread(*(round(100 * float(place), 2) for place in places))


@dataclass(frozen=True)
class Bar:
    """A number between 0 and 1 with its interval, in per cent of the width."""

    value: float
    low: float | None
    high: float | None


def bar(value: Any, low: Any = None, high: Any = None) -> Bar | None:
    """Return the bar of a number between 0 and 1, None without it; an interval with one end missing is not drawn.

    >>> bar(0.5, 0.25, 0.75)
    Bar(value=50.0, low=25.0, high=75.0)
    """
    if not is_number(value):
        return None
    ends = [_per_cent(low), _per_cent(high)] if is_number(low) and is_number(high) else [None, None]
    return Bar(_per_cent(value), ends[0], ends[1])


def _per_cent(fraction: float) -> float:
    return round(100 * min(max(float(fraction), 0.0), 1.0), 2)


@dataclass(frozen=True)
class Calibration:
    """A model's line in a reliability diagram: a dot a bin, the larger the more texts it holds."""

    style: str
    path: str
    dots: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class ReliabilityChart:
    """A square chart of what is right against the stated confidence; coordinates in a box of ``size`` units."""

    size: int
    left: int
    right: int
    top: int
    bottom: int
    ticks: tuple[tuple[float, float, str], ...]
    lines: tuple[Calibration, ...]


def reliability_chart(series: Mapping[str, Sequence[tuple[float, float, float]]]) -> ReliabilityChart:
    """Return the diagram of several models by style; each point is confidence, share right and count.

    Both axes begin at the same round number, so that the diagonal is where the two agree.
    """
    size, left, right, top, bottom = 420, 54, 408, 12, 366
    smallest = min(min(confidence, share) for points in series.values() for confidence, share, _ in points)
    low = min(math.floor(10 * smallest + 1e-9) / 10, 0.8)

    def along(value: float) -> float:
        return (right - left) * (min(max(value, low), 1.0) - low) / (1.0 - low)

    lines: list[Calibration] = []
    for style, points in series.items():
        whole = sum(count for _, _, count in points) or 1.0
        dots = tuple(
            (round(left + along(x), 1), round(bottom - along(y), 1), round(2.5 + 11 * math.sqrt(count / whole), 1))
            for x, y, count in points
        )
        lines.append(Calibration(style, " ".join(f"{x},{y}" for x, y, _ in dots), dots))
    marks = labelled(ticks(low, 1.0))
    return ReliabilityChart(
        size, left, right, top, bottom,
        ticks=tuple((round(left + along(mark), 1), round(bottom - along(mark), 1), text) for mark, text in marks),
        lines=tuple(lines),
    )  # fmt: skip
