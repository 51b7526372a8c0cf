"""The confusions: which class was taken for which, before and after, and where that changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from homeground.errors import DataError
from homeground.reports.colours import diverging
from homeground.results.record import RunRecord, part
from homeground.wording import NOTHING, count, is_number, percent, shorten, signed

MOST_WITH_COUNTS = 12
"""Up to this many classes the counts stand in the cells."""

MOST_WITH_NAMES = 30
"""Up to this many classes each row has its name; with more, the matrix is drawn as a fine grid."""

MOST_PAIRS = 10
"""How many confused pairs are listed."""

LEFT, TOP, EXTENT = 34, 20, 386
"""Where the fine grid lies in its drawing, and how wide and high it is."""

EMPTY = "·"
"""What stands in a cell that holds nothing."""

Matrix = list[list[int]]
Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Square:
    """One square of the fine grid: right or better where ``good``; ``strength`` from 0 to 1."""

    x: float
    y: float
    good: bool
    strength: float
    title: str


def confusion(record: RunRecord) -> dict[str, Any] | None:
    """Return the two matrices and their difference, or None where a run has none, as with several labels a text."""
    values = part(record.scores, "confusion")
    classes = [shorten(name, 60) for name in record.scores.get("classes") or []]
    if not classes or not values.get("before") or not values.get("after"):
        return None
    before, after = (_checked(values[side], len(classes)) for side in ("before", "after"))
    fine = len(classes) > MOST_WITH_NAMES
    draw = _squares if fine else _cells
    change, better = _difference(before, after), _difference(_goodness(before), _goodness(after))
    widest = max((abs(value) for row in better for value in row), default=0.0) or 1.0
    return {
        "classes": classes,
        "fine": fine,
        "counts_shown": len(classes) <= MOST_WITH_COUNTS,
        "grid": _grid(len(classes)),
        "before": draw(classes, _texts(before, count), _goodness(before), _told(before)),
        "after": draw(classes, _texts(after, count), _goodness(after), _told(after)),
        "change": draw(
            classes,
            _texts(change, lambda value: signed(value, 0)),
            [[value / widest for value in row] for row in better],
            _told_change(before, after),
        ),
        "scale": {"low": "all wrong", "middle": "none", "high": "all right", "colours": _ramp()},
        "change_scale": {"low": "worse", "middle": "0", "high": "better", "colours": _ramp()},
        "pairs": _pairs(classes, before, after),
        "wrong": [count(_wrong(matrix)) for matrix in (before, after)],
        "texts": count(sum(map(sum, after))),
    }


def _checked(matrix: Sequence[Sequence[Any]], size: int) -> Matrix:
    if len(matrix) != size or any(len(row) != size for row in matrix):
        raise DataError(f"the confusion matrix of {size} classes is not a square of {size} rows")
    if not all(is_number(value) and value >= 0 for row in matrix for value in row):
        raise DataError("the confusion matrix holds something else than counts; expected whole numbers from 0")
    return [[int(value) for value in row] for row in matrix]


def _goodness(matrix: Matrix) -> list[list[float]]:
    """Return what share of its true class each cell holds, negative where the class is wrong."""
    return [
        [(1 if i == j else -1) * value / max(sum(row), 1) for j, value in enumerate(row)]
        for i, row in enumerate(matrix)
    ]


def _difference(before: list[list[Number]], after: list[list[Number]]) -> list[list[Number]]:
    return [[b - a for a, b in zip(*rows, strict=True)] for rows in zip(before, after, strict=True)]


def _texts(matrix: Matrix, write: Callable[[int], str]) -> list[list[str]]:
    return [[write(value) if value else EMPTY for value in row] for row in matrix]


def _cells(
    classes: list[str], texts: list[list[str]], goodness: list[list[float]], told: list[list[str]]
) -> list[list[dict[str, str]]]:
    """Return text and colours of every cell; ``goodness`` from -1 to 1 gives the colour."""
    return [
        [
            {
                "text": text,
                "full": f"{classes[i]}, taken for {classes[j]}: {told[i][j]}",
                **vars(diverging(_strength(goodness[i][j]))),
            }
            for j, text in enumerate(row)
        ]
        for i, row in enumerate(texts)
    ]


def _squares(
    classes: list[str], texts: list[list[str]], goodness: list[list[float]], told: list[list[str]]
) -> list[Square]:
    """Return the squares of the fine grid that hold something."""
    side = EXTENT / len(classes)
    return [
        Square(
            x=round(LEFT + side * j, 2),
            y=round(TOP + side * i, 2),
            good=goodness[i][j] > 0,
            strength=round(0.3 + 0.7 * abs(_strength(goodness[i][j])), 2),
            title=f"{classes[i]}, taken for {classes[j]}: {told[i][j]}",
        )
        for i, row in enumerate(texts)
        for j, text in enumerate(row)
        if text != EMPTY
    ]


def _strength(goodness: float) -> float:
    """Return the root with its sign, so that a few texts of many can be seen."""
    return abs(goodness) ** 0.5 * (1 if goodness > 0 else -1)


def _told(matrix: Matrix) -> list[list[str]]:
    return [[f"{count(value)} of {count(sum(row))}" for value in row] for row in matrix]


def _told_change(before: Matrix, after: Matrix) -> list[list[str]]:
    return [
        [f"{count(a)} → {count(b)}" for a, b in zip(*rows, strict=True)] for rows in zip(before, after, strict=True)
    ]


def _grid(classes: int) -> dict[str, Any]:
    """Return the geometry of the fine grid, with a line and a number at every tenth class, or fewer of many."""
    side = EXTENT / classes
    step = 10 * math.ceil(classes / 100)
    marks = [(place, round(side * place, 2)) for place in range(step, classes, step)]
    return {
        "left": LEFT,
        "top": TOP,
        "extent": EXTENT,
        "side": round(side, 3),
        "marks": [{"number": place, "x": LEFT + offset, "y": TOP + offset} for place, offset in marks],
    }


def _ramp() -> list[str]:
    return [diverging(step / 4).background for step in range(-4, 5)]


def _pairs(classes: list[str], before: Matrix, after: Matrix) -> list[dict[str, str]]:
    """Return the pairs of classes confused most often, those left after adapting first."""
    places = [(i, j) for i in range(len(classes)) for j in range(len(classes)) if i != j and before[i][j] + after[i][j]]
    places.sort(key=lambda place: (-after[place[0]][place[1]], -before[place[0]][place[1]], place))
    return [
        {
            "true": classes[i],
            "predicted": classes[j],
            "before": count(before[i][j]),
            "after": count(after[i][j]),
            "share": percent(after[i][j] / sum(after[i])) if sum(after[i]) else NOTHING,
        }
        for i, j in places[:MOST_PAIRS]
    ]


def _wrong(matrix: Iterable[Sequence[int]]) -> int:
    return sum(value for i, row in enumerate(matrix) for j, value in enumerate(row) if i != j)
