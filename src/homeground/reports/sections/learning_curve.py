"""How much data: the score on shares of the training examples, with the cheap methods on the same shares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homeground.reports.charts import labelled, log_ticks, padded, ticks
from homeground.results.record import RunRecord, part, parts
from homeground.statistics.glossary import metric
from homeground.wording import count, duration, interval, is_number, number

SIDES = ("before", "after")


@dataclass(frozen=True)
class Dot:
    """A score at its place, with the ends of its interval where it has one."""

    x: float
    y: float
    low: float | None
    high: float | None
    title: str


@dataclass(frozen=True)
class Curve:
    """One line: its name, its style, its points as SVG wants them, and its dots."""

    name: str
    style: str
    path: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class ShareChart:
    """Scores over the number of training examples, on a logarithmic axis, in a box of ``width`` by ``height``."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    curves: tuple[Curve, ...]
    cheap: tuple[Curve, ...]


def learning_curve(record: RunRecord) -> dict[str, Any] | None:
    """Return the curve, or None where none was asked for."""
    values = part(record.scores, "learning_curve")
    points = [point for point in parts(values, "points") if is_number(point.get("examples"))]
    if not points:
        return None
    words = metric(str(values.get("metric") or ""))
    names = list(dict.fromkeys(name for point in points for name in part(point, "baselines")))
    return {
        "metric": f"{words.label} {words.arrow}".strip(),
        "label": words.label,
        "sentence": str(values.get("sentence") or ""),
        "half": interval(part(values, "difference"), words.decimals) if values.get("difference") else "",
        "chart": share_chart(points, names) if len(points) > 1 else None,
        "baselines": names,
        "rows": [_row(point, names, words.decimals) for point in points],
        "left_out": [
            {"share": number(each.get("share"), 0), "reason": str(each.get("reason") or "")}
            for each in parts(values, "left_out")
        ],
    }


def _row(point: Mapping[str, Any], names: list[str], decimals: int) -> dict[str, Any]:
    after = part(point, "after")
    known = is_number(after.get("low")) and is_number(after.get("high"))
    ends = f"{number(after['low'], decimals)} to {number(after['high'], decimals)}" if known else ""
    return {
        "share": number(point.get("share"), 0),
        "examples": count(point.get("examples")),
        "before": number(part(point, "before").get("score"), decimals),
        "after": number(after.get("score"), decimals),
        "interval": ends,
        "baselines": [number(part(point, "baselines").get(name), decimals) for name in names],
        "duration": duration(point["seconds"]) if is_number(point.get("seconds")) else "",
    }


def share_chart(points: list[Mapping[str, Any]], names: list[str]) -> ShareChart | None:
    """Return the chart of the points of a learning curve; None where no score could be computed."""
    width, height, left, right, top, bottom = 520, 320, 54, 508, 14, 268
    sides = {side: [part(point, side) for point in points] for side in SIDES}
    cheap = {name: [part(point, "baselines").get(name) for point in points] for name in names}
    values = [each[end] for side in SIDES for each in sides[side] for end in each if is_number(each[end])]
    values += [value for series in cheap.values() for value in series if is_number(value)]
    if not values:
        return None
    examples = [float(point["examples"]) for point in points]
    x_low, x_high = math.log10(min(examples) / 1.15), math.log10(max(examples) * 1.15)
    y_low, y_high = padded(min(values), max(values))

    def across(place: float) -> float:
        return round(left + (right - left) * (math.log10(place) - x_low) / (x_high - x_low), 1)

    def up(value: Any) -> float:
        return round(bottom - (bottom - top) * (float(value) - y_low) / (y_high - y_low), 1)

    def curve(name: str, style: str, series: list[Mapping[str, Any]], shift: float = 0.0) -> Curve:
        dots = tuple(
            Dot(
                across(place) + shift,
                up(each["score"]),
                up(each["low"]) if is_number(each.get("low")) else None,
                up(each["high"]) if is_number(each.get("high")) else None,
                f"{name}, {count(place, 'example')}: {number(each['score'])}",
            )
            for place, each in zip(examples, series, strict=True)
            if is_number(each.get("score"))
        )
        return Curve(name, style, " ".join(f"{round(dot.x, 1)},{dot.y}" for dot in dots), dots)

    return ShareChart(
        width, height, left, right, top, bottom,
        x_ticks=tuple((across(mark), count(mark)) for mark in log_ticks(10**x_low, 10**x_high)),
        y_ticks=tuple((up(mark), text) for mark, text in labelled(ticks(y_low, y_high))),
        # Aside by a little, so that two intervals at one place do not cover each other.
        curves=(curve("before", "before", sides["before"], -2.5), curve("after", "after", sides["after"], 2.5)),
        cheap=tuple(
            curve(name, f"n{place % 4}", [{"score": value} for value in series])
            for place, (name, series) in enumerate(cheap.items())
        ),
    )  # fmt: skip
