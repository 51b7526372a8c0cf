"""The geometry of the charts, as numbers; templates/charts.html draws them.

Charts are inline SVG drawn by templates rather than by a plotting library: they take their colours from the page, so
that they follow dark mode; text stays text, in the reader's fonts; they hold no ids, so that none can clash; and
text from the data passes through the same escaping as everything else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from homeground.results.parts import CurvePoint, CurveScore, SearchTrial
from homeground.wording import count, number, setting

Points = Sequence[tuple[float, float]]

MOST_DOTS = 24
"""Lines of more points are drawn without dots."""

MOST_POINTS = 200
"""Longer curves are thinned to this many points."""


@dataclass(frozen=True)
class Axis:
    """One axis of a chart: values from ``low`` to ``high`` are drawn at positions from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False
    label: Callable[[float], str] | None = None

    def place(self, value: float) -> float:
        """Return the position of a value."""
        low, high, at = (math.log10(v) if self.logarithmic else v for v in (self.low, self.high, value))
        return round(self.start + (self.end - self.start) * (at - low) / (high - low), 1)

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Round numbers along the axis: the position and the label of each."""
        marks = log_ticks(self.low, self.high) if self.logarithmic else ticks(self.low, self.high)
        named = [(mark, self.label(mark)) for mark in marks] if self.label else with_labels(marks)
        return tuple((self.place(mark), text) for mark, text in named)


@dataclass(frozen=True)
class Dot:
    """A dot of a chart; ``bars`` are its intervals, each as the ends x1, x2, y1 and y2 of a line."""

    x: float
    y: float
    radius: float = 3
    style: str = ""
    title: str = ""
    chosen: bool = False
    bars: tuple[tuple[float, float, float, float], ...] = ()


@dataclass(frozen=True)
class Line:
    """A line of a chart, with its dots; ``style`` is its class in style.css, empty where only the dots are drawn."""

    name: str
    style: str
    dots: tuple[Dot, ...]
    dotted: bool = True

    @property
    def path(self) -> str:
        """The points as SVG wants them."""
        return " ".join(f"{dot.x},{dot.y}" for dot in self.dots)


@dataclass(frozen=True)
class Chart:
    """Lines and dots between two axes, in a box of ``width`` by ``height`` units.

    ``kind`` is its class in style.css. ``dashed`` is a line that marks something, as x1, x2, y1 and y2; ``crosses`` are
    the places on the x axis of what has no value; ``legend`` names a class of style.css for every text.
    """

    title: str
    description: str
    width: int
    height: int
    x: Axis
    y: Axis
    lines: tuple[Line, ...]
    kind: str = ""
    dashed: tuple[float, float, float, float] | None = None
    crosses: tuple[float, ...] = ()
    axis_label: str = ""
    legend: tuple[tuple[str, str], ...] = ()


SMALL = (420, 230), (54, 408), (200, 12)
DOTTED = (420, 236), (54, 400), (186, 12)
WIDE = (520, 320), (54, 508), (268, 14)
TRADE_OFF = (520, 320), (58, 508), (276, 14)
SQUARE = (420, 410), (54, 408), (366, 12)
"""Width and height of a chart, and where its axes begin and end."""


def line_chart(title: str, series: Mapping[str, tuple[str, Points]], *, best_step: float | None = None) -> Chart:
    """Return the chart of several series over steps, each a name with its style ("train", "faint", "after")."""
    (width, height), across, up = SMALL
    steps = [step for _, points in series.values() for step, _ in points]
    values = [value for _, points in series.values() for _, value in points]
    x = Axis(min(0.0, *steps), max(*steps, 1.0), *across)
    y = Axis(*with_padding(values), *up)
    lines: list[Line] = []
    for name, (style, points) in series.items():
        dots = tuple(Dot(x.place(step), y.place(value), style=style) for step, value in thin(points))
        lines.append(Line(name, f"line {style}", dots, dotted=len(dots) <= MOST_DOTS))
    return Chart(
        title, f"{title} over training steps", width, height, x, y, tuple(lines),
        dashed=None if best_step is None else (x.place(best_step), x.place(best_step), y.end, y.start),
        legend=tuple((style, name) for name, (style, _) in series.items()) if len(series) > 1 else (),
    )  # fmt: skip


def search_chart(trials: Sequence[tuple[SearchTrial, str]], *, chosen: int, title: str) -> Chart | None:
    """Return the scores of trials, each with its title, over their learning rates; ``chosen`` counts from 1.

    None where no trial has a score, or a learning rate has no place on a logarithmic axis.
    """
    (width, height), across, up = DOTTED
    rates = [trial.learning_rate for trial, _ in trials]
    scores = [trial.score for trial, _ in trials if trial.score is not None]
    if not scores or min(rates) <= 0:
        return None
    margin = max((max(rates) / min(rates)) ** 0.07, 1.2)
    x = Axis(min(rates) / margin, max(rates) * margin, *across, logarithmic=True, label=setting)
    y = Axis(*with_padding(scores), *up)
    dots: list[Dot] = []
    for number_of_trial, (trial, text) in enumerate(trials, start=1):
        if trial.score is not None:
            radius, style = (6.5, "after") if number_of_trial == chosen else (4.5, "train")
            dots.append(Dot(x.place(trial.learning_rate), y.place(trial.score), radius, style, text))
    # The selected trial comes last, so that no other dot covers it.
    dots.sort(key=lambda dot: dot.style == "after")
    crosses = tuple(x.place(trial.learning_rate) for trial, _ in trials if trial.score is None)
    axis_label = "learning rate, logarithmic"
    return Chart(
        title, f"{title} over {axis_label}", width, height, x, y, (Line("", "", tuple(dots)),),
        kind="dots", crosses=crosses, axis_label=axis_label,
        legend=(("dotted", "selected"), ("dotted other", "other trials"), *([("", "× failed")] if crosses else [])),
    )  # fmt: skip


def share_chart(points: Sequence[CurvePoint], baselines: Sequence[str], *, title: str, label: str) -> Chart | None:
    """Return the chart of a learning curve over the number of examples; None where no score could be computed."""
    (width, height), across, up = WIDE
    curves = {side: [getattr(point, side) for point in points] for side in SHIFTS}
    cheap = {name: [CurveScore(score=point.baselines.get(name)) for point in points] for name in baselines}
    scores = [score for series in (*curves.values(), *cheap.values()) for score in series]
    values = [end for score in scores for end in (score.score, score.low, score.high) if end is not None]
    if not values:
        return None
    examples = [point.examples for point in points]
    x = Axis(min(examples) / 1.15, max(examples) * 1.15, *across, logarithmic=True, label=count)
    y = Axis(*with_padding(values), *up)

    def line(name: str, style: str, series: Sequence[CurveScore], shift: float | None) -> Line:
        dots: list[Dot] = []
        for place, each in zip(examples, series, strict=True):
            if each.score is not None:
                at = round(x.place(place) + (shift or 0.0), 1)
                ends = None if each.low is None or each.high is None else (y.place(each.low), y.place(each.high))
                bars = ((at, at, *ends),) if ends else ()
                title = f"{name}, {count(place, 'example')}: {number(each.score)}"
                dots.append(Dot(at, y.place(each.score), 4, name, title, bars=bars))
        return Line(name, style, tuple(dots), dotted=shift is not None)

    drawn = [line(name, f"cheap n{place % 4}", series, None) for place, (name, series) in enumerate(cheap.items())]
    drawn += [line(side, f"line {side}", curves[side], shift) for side, shift in SHIFTS.items()]
    return Chart(
        title, f"{label} over the number of training examples, before, after and of the baselines",
        width, height, x, y, tuple(drawn), kind="shares", axis_label="training examples, logarithmic",
        legend=(*((side, side) for side in SHIFTS), *((each.style, each.name) for each in drawn[: len(cheap)])),
    )  # fmt: skip


SHIFTS = {"before": -2.5, "after": 2.5}
"""How far the dots of a learning curve are shifted, so that two intervals at one place do not cover each other."""


@dataclass(frozen=True)
class Trade:
    """A point of a trade-off: its label, and the changes to the right and upwards as value, low and high."""

    label: str
    across: tuple[float, float, float]
    up: tuple[float, float, float]
    chosen: bool = False


def trade_off_chart(
    trades: Sequence[Trade], *, title: str, description: str, axis_label: str, limit: float | None = None
) -> Chart:
    """Return what is gained (upwards) against what is lost (to the left), in the order of the path.

    ``limit`` marks a change to the right.
    """
    (width, height), across, up = TRADE_OFF
    x = Axis(*with_padding([v for trade in trades for v in trade.across] + ([] if limit is None else [limit])), *across)
    y = Axis(*with_padding([v for trade in trades for v in trade.up]), *up)
    dots: list[Dot] = []
    for trade in trades:
        (at, left, right), (height_at, bottom, top) = map(x.place, trade.across), map(y.place, trade.up)
        bars = ((left, right, height_at, height_at), (at, at, bottom, top))
        radius = 7 if trade.chosen else 3.5
        dots.append(Dot(at, height_at, radius, "after", f"weight {trade.label}", trade.chosen, bars))
    return Chart(
        title, description, width, height, x, y, (Line("", "line after", tuple(dots)),), kind="trade-off",
        dashed=None if limit is None else (x.place(limit), x.place(limit), y.end, y.start), axis_label=axis_label,
    )  # fmt: skip


def reliability_chart(series: Mapping[str, Sequence[tuple[float, float, float]]]) -> Chart:
    """Return the square diagram of several models by style; each point is confidence, share right and count.

    Both axes begin at the same round number, so that the diagonal is where the two agree. A dot is the larger the more
    answers it holds.
    """
    (width, height), across, up = SQUARE
    smallest = min(min(confidence, share) for points in series.values() for confidence, share, _ in points)
    low = min(math.floor(10 * smallest + 1e-9) / 10, 0.8)
    x, y = Axis(low, 1.0, *across), Axis(low, 1.0, *up)
    lines: list[Line] = []
    for style, points in series.items():
        total = sum(size for _, _, size in points) or 1.0
        dots = tuple(
            Dot(
                x.place(min(max(confidence, low), 1.0)),
                y.place(min(max(share, low), 1.0)),
                round(2.5 + 11 * math.sqrt(size / total), 1),
                style,
            )
            for confidence, share, size in points
        )
        lines.append(Line(style, f"line {style}", dots))
    return Chart(
        "Share of right answers, by confidence", "share of right answers by confidence, before and after",
        width, height, x, y, tuple(lines), kind="reliability", dashed=(*across, *up), axis_label="confidence",
        legend=tuple((style, style) for style in series),
    )  # fmt: skip


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


def log_ticks(low: float, high: float) -> list[float]:
    """Return marks for a logarithmic axis: powers of ten, with their double and fivefold where the range is short.

    >>> log_ticks(1e-5, 2e-4), log_ticks(1e-9, 1e-4)
    ([1e-05, 2e-05, 5e-05, 0.0001, 0.0002], [1e-09, 1e-08, 1e-07, 1e-06, 1e-05, 0.0001])
    """
    factors = (1, 2, 5) if high / low < 300 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    marks = [float(f"{factor}e{power}") for power in powers for factor in factors]
    return [mark for mark in marks if low * (1 - 1e-9) <= mark <= high * (1 + 1e-9)]


def with_labels(marks: Sequence[float]) -> list[tuple[float, str]]:
    """Return each mark with its label, all with the same decimals, or as powers of ten where they are tiny.

    >>> with_labels([0.8, 0.85]), with_labels([0.0, 1.5e-05])
    ([(0.8, '0.80'), (0.85, '0.85')], [(0.0, '0'), (1.5e-05, '1.5e−5')])
    """
    if 0 < max(abs(mark) for mark in marks) < 0.001:
        return [(mark, setting(mark)) for mark in marks]
    decimals = max(len(f"{mark:.6f}".rstrip("0").partition(".")[2]) for mark in marks)
    return [(mark, number(mark, decimals)) for mark in marks]


def with_padding(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of an axis with some room around the values it shows."""
    low, high = min(values), max(values)
    # Over a range that is tiny beside its values the labels of the axis would need more digits than there is room for.
    if 0 < high - low < (least := 0.002 * max(abs(low), abs(high))):
        low, high = (low + high - least) / 2, (low + high + least) / 2
    span = (high - low) or abs(high) or 1.0
    return low - 0.06 * span, high + 0.06 * span


def thin(points: Points, *, most: int = MOST_POINTS) -> list[tuple[float, float]]:
    """Return at most ``most`` points, each the mean of its neighbours, so that a long run stays a small file.

    >>> thin([(1, 1.0), (2, 3.0), (3, 5.0), (4, 7.0)], most=2)
    [(1.5, 2.0), (3.5, 6.0)]
    """
    if len(points) <= most:
        return list(points)
    parts = np.array_split(np.asarray(points, dtype=np.float64), most)
    return [(float(step), float(value)) for step, value in (part.mean(axis=0) for part in parts)]
