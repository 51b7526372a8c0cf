"""The words whose prediction improved most, and those where it became worse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homeground.results.record import RunRecord, part, parts
from homeground.wording import count, number, shorten, signed


def improved_words(record: RunRecord) -> dict[str, Any] | None:
    """Return the two lists, or None where no word was looked at."""
    found = part(record.scores, "improved_words")
    if not found.get("words"):
        return None
    return {
        "improved": [_row(row) for row in parts(found, "improved")],
        "worse": [_row(row) for row in parts(found, "worse")],
        "words": count(found.get("words"), "word"),
        "masked": count(found.get("masked"), "hidden token"),
        "blocks": count(found.get("blocks"), "stretch", "stretches"),
        "crossed": bool(record.scores.get("cross_fit")),
    }


def _row(row: Mapping[str, Any]) -> dict[str, str]:
    before, after = row.get("before"), row.get("after")
    return {
        "word": shorten(row.get("word", ""), 40),
        "count": count(row.get("count")),
        "before": number(before, 2),
        "after": number(after, 2),
        "gain": signed(float(before or 0) - float(after or 0), 2),
    }
