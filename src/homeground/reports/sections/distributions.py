"""The distributions: which similarities the model gives to pairs of each given level, before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from homeground.reports.charts import spread
from homeground.results.record import RunRecord
from homeground.wording import count, is_number, number, percent

MOST_LEVELS = 6
"""Given similarities with at most this many different values are shown by value; others by bands of a fifth."""

_RANKS = [("first", 1, 1), ("second", 2, 2), ("third", 3, 3), ("4th to 10th", 4, 10), ("later", 11, None)]


def distributions(record: RunRecord) -> dict[str, Any] | None:
    """Return the spread of similarities by given level, or of ranks for pairs without scores; None without pairs."""
    rows = [row for row in record.examples if is_number(row.get("before")) and is_number(row.get("after"))]
    if not rows or record.masked:
        return None
    scored = [row for row in rows if is_number(row.get("similarity"))]
    if not scored:
        return {"kind": "ranks", "ranks": _ranks(rows)}
    return {"kind": "levels", "levels": [_level(*level) for level in _levels(scored)]}


Rows = Sequence[Mapping[str, Any]]


def _levels(rows: Rows) -> list[tuple[str, Rows]]:
    """Return the levels of given similarity, the highest first, each with its name and pairs; none is empty."""
    values = sorted({float(row["similarity"]) for row in rows}, reverse=True)
    if len(values) <= MOST_LEVELS:
        return [(f"{value:.2f}", [row for row in rows if row["similarity"] == value]) for value in values]
    bands: list[tuple[str, Rows]] = []
    for band in range(4, -1, -1):
        members = [row for row in rows if min(max(int(5 * row["similarity"] + 1e-9), 0), 4) == band]
        if members:
            bands.append((f"{band / 5:.1f} to {(band + 1) / 5:.1f}", members))
    return bands


def _level(name: str, rows: Rows) -> dict[str, Any]:
    given = float(np.mean([row["similarity"] for row in rows]))
    before, after = [float(row["before"]) for row in rows], [float(row["after"]) for row in rows]
    return {
        "name": name,
        "pairs": count(len(rows), "pair"),
        "given": round(100 * min(max(given, 0.0), 1.0), 2),
        "before": spread(before),
        "after": spread(after),
        "medians": f"{number(float(np.median(before)), 2)} → {number(float(np.median(after)), 2)}",
    }


def _ranks(rows: Rows) -> list[dict[str, Any]]:
    """Return the share of texts whose right partner came first, second and so on; values are reciprocal ranks."""
    result: list[dict[str, Any]] = []
    for name, low, high in _RANKS:
        shares = [_share(rows, side, low, high) for side in ("before", "after")]
        result.append(
            {"name": name, "before": 100 * shares[0], "after": 100 * shares[1], "texts": [percent(s) for s in shares]}
        )
    return result


def _share(rows: Rows, side: str, low: int, high: int | None) -> float:
    ranks = [1 / row[side] if row[side] > 0 else float("inf") for row in rows]
    return sum(
        low - 0.5 < rank < (high or float("inf")) + 0.5 or (high is None and rank > low) for rank in ranks
    ) / len(rows)
