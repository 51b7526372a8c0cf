"""Text by text: what adapting fixed, what it broke, and where the adapted model is surest and wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from homeground.results.record import RunRecord, part
from homeground.wording import count, is_number, number, percent, shorten

SHOWN = 10
"""How many texts each list holds at most."""

LONGEST_TEXT = 280
"""Characters of a text that are shown."""

LONGEST_LABEL = 60

Row = Mapping[str, Any]


def predictions(record: RunRecord) -> dict[str, Any] | None:
    """Return the counts and the lists, or None when the run kept no predicted labels."""
    rows = [row for row in record.examples if all(_labelled(row.get(side)) for side in ("before", "after"))]
    if not rows:
        return None
    groups = {
        "kept": [row for row in rows if _right(row, "before") and _right(row, "after")],
        "fixed": [row for row in rows if not _right(row, "before") and _right(row, "after")],
        "broke": [row for row in rows if _right(row, "before") and not _right(row, "after")],
        "missed": [row for row in rows if not _right(row, "before") and not _right(row, "after")],
    }
    mistakes = groups["broke"] + groups["missed"]
    return {
        "count": count(len(rows), f"test {record.item}"),
        "groups": [_group(name, groups[name], len(rows)) for name in _WORDS],
        "p": _p(part(record.scores, "mcnemar").get("p")),
        "lists": [
            _list("Fixed", groups["fixed"], f"Adapting fixed no {record.item}."),
            _list("Broken", groups["broke"], f"Adapting broke no {record.item}."),
            _list("Surest mistakes", mistakes, "The adapted model made no mistake."),
        ],
    }


_WORDS = {
    "kept": "right before and after",
    "fixed": "fixed",
    "broke": "broken",
    "missed": "wrong before and after",
}


def _labelled(side: Any) -> bool:
    return isinstance(side, Mapping) and "label" in side


def _group(name: str, rows: Sequence[Row], total: int) -> dict[str, Any]:
    return {
        "name": name,
        "words": _WORDS[name],
        "count": count(len(rows)),
        "share": percent(len(rows) / total),
        "width": round(100 * len(rows) / total, 2),
    }


def _list(heading: str, rows: Sequence[Row], nothing: str) -> dict[str, Any]:
    surest = sorted(rows, key=lambda row: -_confidence(row["after"]))
    return {
        "heading": heading,
        "rows": [_shown(row) for row in surest[:SHOWN]],
        "nothing": nothing,
        "caption": f"The {SHOWN} of {count(len(rows))} with the surest answer after adapting."
        if len(rows) > SHOWN
        else "",
    }


def _labels(value: Any) -> list[str]:
    """Return one label or several as a list of text."""
    return [str(label) for label in cast(list[Any], value if isinstance(value, list) else [value])]


def _right(row: Row, side: str) -> bool:
    return set(_labels(row.get("label"))) == set(_labels(row[side]["label"]))


def _confidence(side: Row) -> float:
    """Return how sure an answer is: of several labels as sure as the least sure one."""
    probability = side.get("probability")
    every = cast(list[Any], probability if isinstance(probability, list) else [probability])
    return min((float(p) for p in every if is_number(p)), default=0.0)


def _shown(row: Row) -> dict[str, Any]:
    texts = [row[name] for name in ("text", "text_1", "text_2") if row.get(name)]
    return {
        "row": row.get("row", ""),
        "texts": [shorten(text, LONGEST_TEXT) for text in texts],
        "label": [shorten(label, LONGEST_LABEL) for label in _labels(row.get("label"))],
        "before": _answer(row, "before"),
        "after": _answer(row, "after"),
    }


def _answer(row: Row, side: str) -> dict[str, Any]:
    """Return the predicted labels, each with its probability where it has one of its own, and those that are missed."""
    labels = [shorten(label, LONGEST_LABEL) for label in _labels(row[side]["label"])]
    probability = row[side].get("probability")
    own = cast(list[Any], probability) if isinstance(probability, list) else []
    if len(own) != len(labels):
        own = [None] * len(labels)
    given = [shorten(label, LONGEST_LABEL) for label in _labels(row.get("label"))]
    several = isinstance(row.get("label"), list)
    return {
        "labels": [
            {"name": label, "probability": number(p, 2) if is_number(p) else "", "right": label in given}
            for label, p in zip(labels, own, strict=True)
        ],
        "missed": [label for label in given if label not in labels] if several else [],
        "none_right": not given,
        "sure": number(probability, 2) if is_number(probability) else "",
    }


def _p(p: Any) -> str:
    """Return the probability of McNemar's test in words that a small number does not turn into zeros."""
    if not is_number(p):
        return ""
    return "less than 0.0001" if p < 0.0001 else number(p, 4 if p < 0.01 else 2)
