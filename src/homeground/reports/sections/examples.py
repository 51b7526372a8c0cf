"""The examples: the test pairs that got better most, and those that got worse most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homeground.results.record import RunRecord
from homeground.wording import NOTHING, count, is_number, number, shorten, signed

SHOWN = 10
"""How many pairs each list holds at most."""

LONGEST_TEXT = 280
"""Characters of a text that are shown; what a pair is about is clear by then."""


def examples(record: RunRecord) -> dict[str, Any] | None:
    """Return the two lists, or None when the run kept no test pairs."""
    rows = [(_gain(row), row) for row in record.examples]
    known = [(gain, row) for gain, row in rows if gain is not None]
    if not known or record.masked:
        return None
    known.sort(key=lambda item: -item[0])
    return {
        "scored": is_number(known[0][1].get("similarity")),
        "better": [_shown(gain, row) for gain, row in known[:SHOWN] if gain > 0],
        "worse": [_shown(gain, row) for gain, row in reversed(known[-SHOWN:]) if gain < 0],
        "better_count": sum(gain > 0 for gain, _ in known),
        "worse_count": sum(gain < 0 for gain, _ in known),
        "count": len(known),
    }


def _gain(row: Mapping[str, Any]) -> float | None:
    """Return by how much a pair got better: its absolute error shrank, or its reciprocal rank rose."""
    given, before, after = row.get("similarity"), row.get("before"), row.get("after")
    if not (is_number(before) and is_number(after)):
        return None
    if not is_number(given):
        return float(after) - float(before)
    return abs(float(before) - float(given)) - abs(float(after) - float(given))


def _shown(gain: float, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "row": row.get("row", ""),
        "text_1": shorten(row.get("text_1", row.get("anchor", "")), LONGEST_TEXT),
        "text_2": shorten(row.get("text_2", row.get("positive", "")), LONGEST_TEXT),
        "given": number(row.get("similarity"), 2),
        "before": _value(row, "before"),
        "after": _value(row, "after"),
        "gain": signed(gain, 2),
        "places": {name: _place(row.get(key)) for name, key in _MARKS.items()},
    }


def _value(row: Mapping[str, Any], side: str) -> str:
    """Return a similarity with two decimals, or the rank that a reciprocal rank stands for."""
    if is_number(row.get("similarity")):
        return number(row[side], 2)
    return count(round(1 / row[side])) if row[side] > 0 else NOTHING


_MARKS = {"given": "similarity", "before": "before", "after": "after"}


def _place(value: Any) -> float | None:
    """Return where a value from 0 to 1 stands, in per cent with a little room at both ends."""
    return round(4 + 92 * min(max(float(value), 0.0), 1.0), 2) if is_number(value) else None
