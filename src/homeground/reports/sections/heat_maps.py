"""The heat maps: how similar a few titles are to each other before and after, and where that changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from homeground.errors import DataError
from homeground.reports.colours import Shade, diverging, sequential
from homeground.results.record import RunRecord
from homeground.wording import number, shorten, signed

MOST_WITH_VALUES = 12
"""Up to this many titles the numbers stand in the cells; with more the cells grow too small for them."""

Matrix = Sequence[Sequence[float]]


def heat_maps(record: RunRecord) -> dict[str, Any] | None:
    """Return the three maps, or None when the run drew none."""
    values = record.scores.get("heat_map")
    if not values or not values.get("titles"):
        return None
    titles = [shorten(title, 60) for title in values["titles"]]
    before, after = _checked(values["before"], len(titles)), _checked(values["after"], len(titles))
    low = _lowest(before, after)
    change = [[b - a for a, b in zip(*rows, strict=True)] for rows in zip(before, after, strict=True)]
    widest = max(abs(value) for row in change for value in row) or 1.0
    return {
        "titles": titles,
        "values_shown": len(titles) <= MOST_WITH_VALUES,
        "before": [[_cell(value, sequential(_fraction(value, low))) for value in row] for row in before],
        "after": [[_cell(value, sequential(_fraction(value, low))) for value in row] for row in after],
        "change": [[_change_cell(value, widest) for value in row] for row in change],
        "scale": _scale(low),
        "change_scale": _change_scale(widest),
        "apart": _pairs(titles, change, before, after, sign=-1),
        "together": _pairs(titles, change, before, after, sign=1),
        "mean_before": f"{_mean(before):.2f}",
        "mean_after": f"{_mean(after):.2f}",
    }


def heat_map(titles: Sequence[str], similarities: Matrix) -> dict[str, Any]:
    """Return one map, of a checkpoint that was not adapted."""
    names = [shorten(title, 60) for title in titles]
    matrix = _checked(similarities, len(names))
    low = _lowest(matrix)
    pairs = [(matrix[i][j], names[i], names[j]) for i in range(len(names)) for j in range(i)]
    ordered = sorted(pairs, key=lambda pair: -pair[0])
    return {
        "titles": names,
        "values_shown": len(names) <= MOST_WITH_VALUES,
        "cells": [[_cell(value, sequential(_fraction(value, low))) for value in row] for row in matrix],
        "scale": _scale(low),
        "nearest": [{"value": f"{value:.2f}", "one": one, "other": other} for value, one, other in ordered[:5]],
        "furthest": [{"value": f"{value:.2f}", "one": one, "other": other} for value, one, other in ordered[:-6:-1]],
        "mean": f"{_mean(matrix):.2f}",
    }


def _checked(matrix: Matrix, size: int) -> list[list[float]]:
    rows = [[float(value) for value in row] for row in matrix]
    if len(rows) != size or any(len(row) != size for row in rows) or size < 2:
        raise DataError(f"the heat map of {size} titles is not a square of {size} rows; expected two titles or more")
    if not all(math.isfinite(value) for row in rows for value in row):
        raise DataError("the heat map holds a similarity that is not a finite number; expected numbers from 0 to 1")
    return rows


def _lowest(*matrices: Matrix) -> float:
    """Return the round number where the colour scale begins, the same for every map: most similarities lie high."""
    smallest = min(value for matrix in matrices for row in matrix for value in row)
    return min(math.floor(10 * smallest + 1e-9) / 10, 0.9)


def _fraction(value: float, low: float) -> float:
    return (value - low) / (1.0 - low)


def _cell(value: float, shade: Shade) -> dict[str, str]:
    """Return the text and colours of one similarity; the 0 before the point is left out to save room."""
    text = number(value, 2)
    short = text.removesuffix(".00") if abs(value) > 0.995 else text.replace("0.", ".", 1)
    return {"text": short, "full": number(value), "background": shade.background, "ink": shade.ink}


def _change_cell(value: float, widest: float) -> dict[str, str]:
    """Return the text, in hundredths, and the colours of one difference."""
    shade = diverging(value / widest)
    return {"text": signed(100 * value, 0), "full": signed(value), "background": shade.background, "ink": shade.ink}


def _scale(low: float) -> dict[str, Any]:
    colours = [sequential(step / 8).background for step in range(9)]
    return {"colours": colours, "low": f"{low:.1f}", "middle": "", "high": "1.0"}


def _change_scale(widest: float) -> dict[str, Any]:
    colours = [diverging(step / 4).background for step in range(-4, 5)]
    return {"colours": colours, "low": f"−{widest:.2f}", "middle": "0", "high": f"+{widest:.2f}"}


def _pairs(titles: list[str], change: Matrix, before: Matrix, after: Matrix, *, sign: int) -> list[dict[str, str]]:
    """Return the up to three pairs of titles that moved most in one direction."""
    places = [(i, j) for i in range(len(titles)) for j in range(i) if sign * change[i][j] > 0.005]
    places.sort(key=lambda place: -sign * change[place[0]][place[1]])
    return [
        {"one": titles[j], "other": titles[i], "before": f"{before[i][j]:.2f}", "after": f"{after[i][j]:.2f}"}
        for i, j in places[:3]
    ]


def _mean(matrix: Matrix) -> float:
    values = [value for i, row in enumerate(matrix) for j, value in enumerate(row) if i != j]
    return sum(values) / len(values)
