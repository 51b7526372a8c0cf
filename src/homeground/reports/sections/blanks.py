"""The blanks: sentences with a word missing, and what either side fills in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homeground.results.record import RunRecord, part, parts
from homeground.wording import is_number, shorten

LONGEST_TOKEN = 40


def blanks(record: RunRecord) -> dict[str, Any] | None:
    """Return the sentences, or None where none was shown."""
    rows = parts(record.scores, "blanks")
    return {"rows": [_row(row) for row in rows], "crossed": bool(record.scores.get("cross_fit"))} if rows else None


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    word = str(row.get("word") or "")
    return {
        "row": row.get("row", ""),
        "left": str(row.get("left") or ""),
        "right": str(row.get("right") or ""),
        "word": shorten(word, LONGEST_TOKEN),
        "sides": [
            {
                "name": name.capitalize(),
                "probability": chance(part(row, name).get("probability")),
                "likeliest": [
                    {
                        "token": shorten(each.get("token", ""), LONGEST_TOKEN),
                        "probability": chance(each.get("probability")),
                        "right": str(each.get("token", "")).lower() == word.lower(),
                    }
                    for each in parts(part(row, name), "likeliest")
                ],
            }
            for name in ("before", "after")
        ],
    }


def chance(probability: Any) -> str:
    """Return a probability in per cent, small ones with the digits that tell them from 0.

    >>> chance(0.756), chance(0.0123), chance(0.00042), chance(0.00000001)
    ('76%', '1.2%', '0.04%', 'under 0.01%')
    """
    if not is_number(probability):
        return "–"
    percent = 100 * probability
    if percent < 0.01:
        return "under 0.01%"
    return f"{percent:.0f}%" if percent >= 10 else f"{percent:.1f}%" if percent >= 1 else f"{percent:.2f}%"
