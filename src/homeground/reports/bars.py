"""Small drawings in per cent of the width, which fill any width while their text keeps its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from homeground.results.parts import IntervalRecord
from homeground.wording import signed


@dataclass(frozen=True)
class NumberLine:
    """An interval on a line with 0 marked."""

    zero: float
    value: float
    low: float
    high: float
    band: tuple[float, float] | None
    value_text: str
    low_text: str
    high_text: str


def number_line(
    difference: IntervalRecord, *, band: tuple[float, float] | None = None, decimals: int = 3
) -> NumberLine | None:
    """Return the drawing of a difference with its interval; None where its value or one of its ends is missing.

    ``band`` is a range of differences to shade, such as those that are too small to be detected.

    >>> line = number_line(IntervalRecord(value=0.0, low=-1.0, high=1.0))
    >>> (line.zero, line.value, line.low < 50 < line.high)
    (50.0, 50.0, True)
    """
    value, low, high = difference.value, difference.low, difference.high
    if value is None or low is None or high is None:
        return None
    marked = [0.0, value, low, high, *(band or ())]
    span = max(marked) - min(marked) or 1.0
    # The labels of the two ends are outside them, so the line needs room on both sides.
    start, width = min(marked) - 0.22 * span, 1.44 * span

    def place(position: float) -> float:
        return round(100 * (position - start) / width, 2)

    texts = (signed(end, decimals) for end in (value, low, high))
    return NumberLine(
        place(0.0), place(value), place(low), place(high), (place(band[0]), place(band[1])) if band else None, *texts
    )


def per_cent(fraction: float) -> float:
    """Return a number between 0 and 1 as a position in per cent of the width."""
    return round(100 * min(max(float(fraction), 0.0), 1.0), 2)


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
    return Spread(*map(per_cent, np.percentile(np.asarray(values, dtype=np.float64), [10, 25, 50, 75, 90])))


@dataclass(frozen=True)
class Bar:
    """A number between 0 and 1 with its interval, in per cent of the width."""

    value: float
    ends: tuple[float, float] | None


def bar(value: float | None, low: float | None = None, high: float | None = None) -> Bar | None:
    """Return the bar of a number between 0 and 1, None without it; an interval with one end missing is not drawn.

    >>> bar(0.5, 0.25, 0.75)
    Bar(value=50.0, ends=(25.0, 75.0))
    """
    if value is None:
        return None
    return Bar(per_cent(value), None if low is None or high is None else (per_cent(low), per_cent(high)))
