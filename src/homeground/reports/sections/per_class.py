"""Class by class: how well each is found before and after, the ones found worst first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homeground.reports.charts import Bar, bar
from homeground.results.record import RunRecord, part, parts
from homeground.wording import count, is_number, number, shorten

MOST_IN_FULL = 12
"""Up to this many classes each has room for its precision and recall; more stand in two dense columns."""


def per_class(record: RunRecord) -> dict[str, Any] | None:
    """Return the bars of every class, or None where the run measured no classes."""
    values = part(record.scores, "per_class")
    before = {str(row.get("label")): row for row in parts(values, "before")}
    after = parts(values, "after")
    if not after:
        return None
    rows = [(row, before.get(str(row.get("label")), {})) for row in after]
    rows.sort(key=lambda pair: (_f1(pair[0]), _f1(pair[1])))
    dense = len(rows) > MOST_IN_FULL
    moved = [_f1(new) - _f1(old) for new, old in rows if is_number(old.get("f1"))]
    return {
        "dense": dense,
        "classes": [_class(old, new, "" if dense else record.item) for new, old in rows],
        "count": count(len(rows), "class", "classes"),
        "without": not all(is_number(new.get("low")) for _, new in rows),
        "rose": sum(change > 0 for change in moved),
        "fell": sum(change < 0 for change in moved),
    }


def _f1(row: Mapping[str, Any]) -> float:
    value = row.get("f1")
    return float(value) if is_number(value) else 0.0


def _class(before: Mapping[str, Any], after: Mapping[str, Any], item: str) -> dict[str, Any]:
    return {
        "label": shorten(after.get("label", ""), 60),
        "support": count(after.get("support"), item) + ("" if is_number(after.get("low")) else ", too few"),
        "before": _bar(before),
        "after": _bar(after),
        "f1": _moved(before, after, "f1"),
        "precision": _moved(before, after, "precision"),
        "recall": _moved(before, after, "recall"),
    }


def _bar(row: Mapping[str, Any]) -> Bar | None:
    return bar(row.get("f1"), row.get("low"), row.get("high"))


def _moved(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> str:
    return f"{number(before.get(name), 2)} → {number(after.get(name), 2)}"
