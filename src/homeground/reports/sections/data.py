"""The data: what was read, what was set aside and why, how it was split, and what to know about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from homeground.results.record import RunRecord, part, parts
from homeground.wording import count, shorten, size

_SPLITS = ("train", "validation", "test")
_MOST_HUBS = 10
_ALIKE = "The same up to case, punctuation and the order of words."


def data(record: RunRecord) -> dict[str, Any] | None:
    """Return what data.json tells, or None when there is none."""
    values = record.data
    if not values:
        return None
    counts = part(values, "counts")
    split = part(values, "split")
    return {
        "understood": str(values.get("understood") or ""),
        "columns": part(values, "columns"),
        "files": [
            {
                "path": file.get("path", ""),
                "format": file.get("format", ""),
                "rows": count(file.get("rows"), "row"),
                "size": size(file.get("bytes")),
                "sha256": str(file.get("sha256") or ""),
            }
            for file in parts(values, "files")
        ],
        "read": count(counts.get("read"), "row"),
        "used": count(counts.get("used"), "row"),
        "set_aside": [
            {"reason": item.get("reason", ""), "count": count(item.get("count")), "rows": row_numbers(item)}
            for item in parts(values, "set_aside")
        ],
        "splits": _splits(counts, part(split, "units")),
        "split_note": _split_note(split),
        "checks": _checks(record),
        "hubs": [
            {"text": shorten(hub.get("text", ""), 120), "pairs": count(hub.get("pairs"))}
            for hub in parts(values, "hubs")[:_MOST_HUBS]
        ],
        "hubs_left": max(len(parts(values, "hubs")) - _MOST_HUBS, 0),
        "notes": [str(note) for note in parts(values, "notes")],
    }


def row_numbers(item: Mapping[str, Any], *, most: int = 20) -> str:
    """Return the row numbers as text, as many as a reader can use.

    >>> row_numbers({"count": 5, "rows": [3, 8, 9]})
    '3, 8, 9 and 2 more'
    """
    rows: Sequence[Any] = item.get("rows") or []
    shown = ", ".join(str(row) for row in rows[:most])
    left = int(item.get("count", len(rows))) - min(len(rows), most)
    return f"{shown} and {left} more" if shown and left > 0 else shown


def _splits(counts: Mapping[str, Any], units: Mapping[str, Any]) -> list[dict[str, Any]]:
    total = sum(counts.get(name) or 0 for name in _SPLITS)
    duties = {"train": "learns", "validation": "chooses", "test": "decides once"}
    return [
        {
            "name": name,
            "duty": duties[name],
            "count": count(counts.get(name)),
            "units": count(units[name]) if name in units else "",
            "share": round(100 * (counts.get(name) or 0) / total, 2) if total else 0,
        }
        for name in _SPLITS
        if name in counts
    ]


def _split_note(split: Mapping[str, Any]) -> str:
    kinds = {
        "random": "The rows were split at random",
        "ordered": "The rows were split in their order in the file",
        "files": "The splits were given as files",
    }
    note = kinds.get(str(split.get("kind")), "")
    if split.get("kind") == "random" and split.get("unit"):
        note += f"; rows that belong together ({split['unit']}) stay in one split"
    return note + "." if note else ""


def _checks(record: RunRecord) -> list[dict[str, str]]:
    """Return the audit line by line: what was looked for, and what was found."""
    values, item = record.data, record.item
    duplicates = part(values, "duplicates")
    truncated = part(values, "truncated")
    seen = values.get("seen_in_training", record.scores.get("seen_in_training"))
    shared = part(values, "shared_with_training")
    rows = row_numbers({"rows": duplicates.get("rows") or []})
    alike = _ALIKE + (f" Rows {rows}." if rows else "")
    given = "labels" if record.labelled else "scores"
    # Plain texts have nothing that could contradict, and no second text.
    conflicting = None if record.masked else duplicates.get("conflicting_scores")
    recurring = None if record.masked else values.get("recurring_text_2")
    length = (
        f"Blocks of at most {count(truncated.get('max_length'), 'token')}." if record.masked else _length(truncated)
    )
    checks: list[tuple[str, Any, str]] = [
        (f"{item.capitalize()}s like an earlier one", duplicates.get("exact"), alike),
        (f"Of these, with {given} that contradict each other", conflicting, ""),
        ("Second texts that recur in several groups", recurring, ""),
        ("Texts cut to the longest length", truncated.get("texts"), length),
        ("Texts of the test that train or validation hold too", shared.get("texts"), ""),
        ("Groups of the test that train or validation hold too", shared.get("groups"), ""),
        (f"Test {item}s seen in training", seen, "These make the scores look better than they are." if seen else ""),
    ]
    return [{"name": name, "value": count(value), "note": note} for name, value, note in checks if value is not None]


def _length(truncated: Mapping[str, Any]) -> str:
    return f"The model reads {count(truncated['max_length'], 'token')} of a text." if "max_length" in truncated else ""
