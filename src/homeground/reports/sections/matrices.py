"""Matrices before, after and their difference: similarities of titles, and confusions of classes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from homeground.errors import DataError
from homeground.reports.colours import Shade, diverging, sequential
from homeground.results.record import RunRecord
from homeground.wording import MISSING, count, number, percent, shorten, signed

MOST_WITH_VALUES = 12
"""Up to this many rows the values are written in the cells; with more the cells are too small for them."""

MOST_WITH_NAMES = 30
"""Up to this many classes each row has its name; with more, the matrix is drawn as a fine grid."""

MOST_PAIRS = 10
"""The most confused pairs of classes that are listed."""

MOST_MOVED = 3
"""The most pairs of titles that are listed as the largest increases, and as the largest decreases."""

LONGEST_NAME = 60
"""Characters of a title or class that are shown."""

LEFT, TOP, EXTENT = 170, 20, 700
"""The position of the fine grid in its drawing, and its width and height."""

MOST_TITLES = 40
"""The most titles that are compared; of more the first are."""

MOST_CLASSES, MOST_SQUARES = 400, 2000
"""The most classes of which a matrix is drawn, and the most squares of a fine grid: the strongest."""

MOST_ROWS_NAMED = 100
"""The most classes whose names are written beside the rows of a fine grid; more would be too small to read."""

EMPTY = "·"
"""The sign in a cell without texts."""

Number = TypeVar("Number", int, float)
Matrix = Sequence[Sequence[Number]]


@dataclass(frozen=True)
class Cell:
    """A cell of a matrix: its text, what is shown where it is pointed at, and its colours."""

    text: str
    full: str
    shade: Shade


@dataclass(frozen=True)
class Square:
    """One square of the fine grid: right or better where ``good``; ``strength`` from 0 to 1."""

    x: float
    y: float
    good: bool
    strength: float
    title: str


def heat_maps(record: RunRecord) -> dict[str, Any] | None:
    """Return the similarities of titles before, after and their difference, or None where the run drew none."""
    values = record.scores.heat_map
    if values is None or not values.titles:
        return None
    count_of_titles = len(values.titles)
    titles = [shorten(title, LONGEST_NAME) for title in values.titles[:MOST_TITLES]]
    before, after = (_first(similarities(side, count_of_titles)) for side in (values.before, values.after))
    low, change = _lowest(before, after), _difference(before, after)
    widest = max(abs(value) for row in change for value in row) or 1.0
    return {
        "titles": titles,
        "left": count_of_titles - len(titles),
        "values_shown": len(titles) <= MOST_WITH_VALUES,
        "maps": [
            ("Before", _heat(before, low), _heat_scale(low)),
            ("After", _heat(after, low), _heat_scale(low)),
            (
                "Difference, after minus before, in hundredths",
                [[Cell(signed(100 * v, 0), signed(v), diverging(v / widest)) for v in row] for row in change],
                _diverging_scale(f"−{widest:.2f}", "0", f"+{widest:.2f}"),
            ),
        ],
        "moved": [
            ("Largest increases", _moved(titles, change, before, after, sign=1)),
            ("Largest decreases", _moved(titles, change, before, after, sign=-1)),
        ],
        "means": [f"{_mean(side):.2f}" for side in (before, after)],
    }


def heat_map(titles: Sequence[str], values: Matrix[float]) -> dict[str, Any]:
    """Return one map, of a checkpoint that was not adapted."""
    names = [shorten(title, LONGEST_NAME) for title in titles[:MOST_TITLES]]
    matrix = _first(similarities(values, len(titles)))
    low = _lowest(matrix)
    pairs = [(f"{matrix[i][j]:.2f}", names[i], names[j]) for i, j in _below(matrix, lambda i, j: matrix[i][j])]
    return {
        "titles": names,
        "left": len(titles) - len(names),
        "values_shown": len(names) <= MOST_WITH_VALUES,
        "cells": _heat(matrix, low),
        "scale": _heat_scale(low),
        "pairs": [("Most similar", pairs[:5]), ("Least similar", pairs[:-6:-1])],
        "mean": f"{_mean(matrix):.2f}",
    }


def _first(matrix: Matrix[float]) -> list[Sequence[float]]:
    return [row[:MOST_TITLES] for row in matrix[:MOST_TITLES]]


def confusion(record: RunRecord) -> dict[str, Any] | None:
    """Return the two matrices and their difference, or None where a run has none, as with several labels a text."""
    values, classes = record.scores.confusion, [shorten(name, LONGEST_NAME) for name in record.scores.classes]
    if values is not None and classes:
        for side in (values.before, values.after):
            _require_square(side, len(classes), "the confusion matrix", "classes")
    if len(classes) > MOST_CLASSES:
        return _without_matrix(record)
    if not classes or values is None:
        return None
    before, after = values.before, values.after
    fine = len(classes) > MOST_WITH_NAMES
    draw = _squares if fine else _cells
    change, better = _difference(before, after), _difference(_goodness(before), _goodness(after))
    widest = max((abs(value) for row in better for value in row), default=0.0) or 1.0
    changes = [[f"{count(a)} → {count(b)}" for a, b in zip(*rows, strict=True)] for rows in _rows(before, after)]
    sides = {
        "before": draw(classes, _texts(before, count), _goodness(before), _shares(before)),
        "after": draw(classes, _texts(after, count), _goodness(after), _shares(after)),
        "change": draw(
            classes,
            _texts(change, lambda value: signed(value, 0)),
            [[value / widest for value in row] for row in better],
            changes,
        ),
    }
    return {
        "classes": classes,
        "drawn": True,
        "fine": fine,
        "left": max(len(squares) - MOST_SQUARES for squares in sides.values()) if fine else 0,
        "row_names": classes if len(classes) <= MOST_ROWS_NAMED else [],
        "counts_shown": len(classes) <= MOST_WITH_VALUES,
        "grid": _grid(len(classes)),
        **({name: _strongest(squares) for name, squares in sides.items()} if fine else sides),
        "scale": _diverging_scale("all wrong", "none", "all right"),
        "change_scale": _diverging_scale("worse", "0", "better"),
        "pairs": _confused(classes, _pairs(before), _pairs(after), [sum(row) for row in after]),
        "wrong": [count(sum(map(sum, side)) - sum(side[i][i] for i in range(len(side)))) for side in (before, after)],
        "texts": count(sum(map(sum, after))),
    }


def similarities(values: Matrix[float], size: int) -> list[list[float]]:
    """Return a matrix of similarities as numbers; raises DataError where it is not one."""
    rows = [[float(value) for value in row] for row in values]
    _require_square(rows, size, "the heat map", "titles")
    if size < 2:
        raise DataError(f"the heat map has {size} titles; expected two titles or more")
    if not all(math.isfinite(value) for row in rows for value in row):
        raise DataError("the heat map holds a similarity that is not a finite number; expected numbers from 0 to 1")
    return rows


def _require_square(matrix: Matrix[Any], size: int, name: str, noun: str) -> None:
    if len(matrix) != size or any(len(row) != size for row in matrix):
        raise DataError(f"{name} of {size} {noun} is not a square of {size} rows")


def _rows(before: Matrix[Number], after: Matrix[Number]) -> list[tuple[Sequence[Number], Sequence[Number]]]:
    return list(zip(before, after, strict=True))


def _difference(before: Matrix[Number], after: Matrix[Number]) -> list[list[Number]]:
    return [[b - a for a, b in zip(*rows, strict=True)] for rows in _rows(before, after)]


def _below(matrix: Matrix[Any], key: Callable[[int, int], float]) -> list[tuple[int, int]]:
    """Return the places below the diagonal, the largest first."""
    places = [(i, j) for i in range(len(matrix)) for j in range(i)]
    return sorted(places, key=lambda place: -key(*place))


def _lowest(*matrices: Matrix[float]) -> float:
    """Return the round number where the colour scale begins, the same for every map: most similarities are high."""
    smallest = min(value for matrix in matrices for row in matrix for value in row)
    return min(math.floor(10 * smallest + 1e-9) / 10, 0.9)


def _heat(matrix: Matrix[float], low: float) -> list[list[Cell]]:
    """Return the cells of similarities; the 0 before the point is omitted to save room."""

    def cell(value: float) -> Cell:
        text = number(value, 2)
        short = text.removesuffix(".00") if abs(value) > 0.995 else text.replace("0.", ".", 1)
        return Cell(short, number(value), sequential((value - low) / (1.0 - low)))

    return [[cell(value) for value in row] for row in matrix]


def _heat_scale(low: float) -> dict[str, Any]:
    colours = [sequential(step / 8).background for step in range(9)]
    return {"colours": colours, "low": f"{low:.1f}", "middle": "", "high": "1.0"}


def _diverging_scale(low: str, middle: str, high: str) -> dict[str, Any]:
    colours = [diverging(step / 4).background for step in range(-4, 5)]
    return {"colours": colours, "low": low, "middle": middle, "high": high}


def _moved(
    titles: list[str], change: Matrix[float], before: Matrix[float], after: Matrix[float], *, sign: int
) -> list[tuple[str, str, str, str]]:
    """Return the pairs of titles that moved most in one direction, with their similarities before and after."""
    places = [(i, j) for i, j in _below(change, lambda i, j: sign * change[i][j]) if sign * change[i][j] > 0.005]
    return [(f"{before[i][j]:.2f}", f"{after[i][j]:.2f}", titles[j], titles[i]) for i, j in places[:MOST_MOVED]]


def _mean(matrix: Matrix[float]) -> float:
    values = [value for i, row in enumerate(matrix) for j, value in enumerate(row) if i != j]
    return sum(values) / len(values)


def _goodness(matrix: Matrix[int]) -> list[list[float]]:
    """Return what share of its true class each cell holds, negative where the class is wrong."""
    return [
        [(1 if i == j else -1) * value / max(sum(row), 1) for j, value in enumerate(row)]
        for i, row in enumerate(matrix)
    ]


def _texts(matrix: Matrix[int], write: Callable[[int], str]) -> list[list[str]]:
    return [[write(value) if value else EMPTY for value in row] for row in matrix]


def _shares(matrix: Matrix[int]) -> list[list[str]]:
    return [[f"{count(value)} of {count(sum(row))}" for value in row] for row in matrix]


def _strength(goodness: float) -> float:
    """Return the root with its sign, so that a few texts of many can be seen."""
    return math.copysign(abs(goodness) ** 0.5, goodness)


def _cells(
    classes: list[str], texts: list[list[str]], goodness: list[list[float]], titles: list[list[str]]
) -> list[list[Cell]]:
    """Return text and colours of every cell; ``goodness`` from -1 to 1 gives the colour."""
    return [
        [
            Cell(text, f"{classes[i]}, predicted as {classes[j]}: {titles[i][j]}", diverging(_strength(goodness[i][j])))
            for j, text in enumerate(row)
        ]
        for i, row in enumerate(texts)
    ]


def _squares(
    classes: list[str], texts: list[list[str]], goodness: list[list[float]], titles: list[list[str]]
) -> list[Square]:
    """Return the squares of the fine grid that hold something."""
    side = EXTENT / len(classes)
    return [
        Square(
            x=round(LEFT + side * j, 2),
            y=round(TOP + side * i, 2),
            good=goodness[i][j] > 0,
            strength=round(0.3 + 0.7 * abs(_strength(goodness[i][j])), 2),
            title=f"{classes[i]}, predicted as {classes[j]}: {titles[i][j]}",
        )
        for i, row in enumerate(texts)
        for j, text in enumerate(row)
        if text != EMPTY
    ]


def _strongest(squares: Sequence[Any]) -> list[Square]:
    """Return the strongest squares, in their order."""
    kept = sorted(range(len(squares)), key=lambda place: -squares[place].strength)[:MOST_SQUARES]
    return [squares[place] for place in sorted(kept)]


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


Pairs = Mapping[tuple[int, int], int]
"""How many texts of a class were predicted as another one."""


def _pairs(matrix: Matrix[int]) -> Pairs:
    return {(i, j): size for i, row in enumerate(matrix) for j, size in enumerate(row) if size and i != j}


def _confused(classes: Sequence[str], before: Pairs, after: Pairs, texts: Sequence[int]) -> list[dict[str, str]]:
    """Return the most confused pairs of classes, those left after adapting first; ``texts`` are of every class."""
    places = sorted({*before, *after}, key=lambda place: (-after.get(place, 0), -before.get(place, 0), place))
    return [
        {
            "true": classes[i],
            "predicted": classes[j],
            "before": count(before.get((i, j), 0)),
            "after": count(after.get((i, j), 0)),
            "share": percent(after.get((i, j), 0) / texts[i]) if texts[i] else MISSING,
        }
        for i, j in places[:MOST_PAIRS]
    ]


def _without_matrix(record: RunRecord) -> dict[str, Any] | None:
    """Return the most confused pairs of very many classes, counted in the examples; None where they have no label."""
    places = {name: place for place, name in enumerate(record.scores.classes)}
    counts = {side: Counter[tuple[int, int]]() for side in ("before", "after")}
    texts = [0] * len(places)
    for line in record.examples:
        truth = places.get(line["label"]) if isinstance(line.get("label"), str) else None
        predicted = {side: line[side].get("label") for side in counts if isinstance(line.get(side), Mapping)}
        if truth is None or len(predicted) < len(counts):
            continue
        texts[truth] += 1
        for side, name in predicted.items():
            if places.get(name, truth) != truth:
                counts[side][truth, places[name]] += 1
    if not any(texts):
        return None
    return {
        "drawn": False,
        "count": len(places),
        "pairs": _confused([shorten(name, LONGEST_NAME) for name in places], counts["before"], counts["after"], texts),
        "wrong": [count(sum(pairs.values())) for pairs in counts.values()],
        "texts": count(sum(texts)),
    }
