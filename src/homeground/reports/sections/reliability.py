"""The reliability: whether the confidence that the model states can be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from homeground.reports.charts import reliability_chart
from homeground.reports.record import RunRecord, part, parts
from homeground.reports.wording import is_number, number, percent

NOTEWORTHY = 0.02
"""From this distance on, between confidence and what is right, the model is called too sure or not sure enough."""

Bins = Sequence[Mapping[str, Any]]


def reliability(record: RunRecord) -> dict[str, Any] | None:
    """Return the diagram and what it says in numbers, or None where the run measured no confidence."""
    values = part(record.scores, "reliability")
    before, after = (_known(parts(values, side)) for side in ("before", "after"))
    if not after:
        return None
    return {
        "chart": reliability_chart({"before": _points(before), "after": _points(after)}),
        "sentence": _sentence(after),
        "rows": [
            {"name": name, "before": number(_measure(before, kind), 3), "after": number(_measure(after, kind), 3)}
            for name, kind in (("Mean confidence", "confidence"), ("Share right", "accuracy"))
        ]
        + [
            {"name": "Calibration error", **{side: _error(record.scores, values, side) for side in ("before", "after")}}
        ],
    }


def _known(bins: Bins) -> Bins:
    """Return the bins that hold something."""
    names = ("confidence", "accuracy", "count")
    return [each for each in bins if all(is_number(each.get(name)) for name in names) and each["count"] > 0]


def _points(bins: Bins) -> list[tuple[float, float, float]]:
    return [(float(each["confidence"]), float(each["accuracy"]), float(each["count"])) for each in bins]


def _measure(bins: Bins, kind: str) -> float | None:
    whole = sum(each["count"] for each in bins)
    return sum(each["count"] * each[kind] for each in bins) / whole if whole else None


def _error(scores: Mapping[str, Any], values: Mapping[str, Any], side: str) -> str:
    """Return the calibration error as the run measured it, else as the bins have it."""
    measured = part(scores, side).get("ece")
    if is_number(measured):
        return number(measured)
    bins = _known(parts(values, side))
    gaps = [{"count": each["count"], "gap": abs(each["confidence"] - each["accuracy"])} for each in bins]
    return number(_measure(gaps, "gap"))


def _sentence(after: Bins) -> str:
    confidence, right = _measure(after, "confidence") or 0.0, _measure(after, "accuracy") or 0.0
    told = f"its mean confidence is {percent(confidence)}, and {percent(right)} is right"
    if confidence - right > NOTEWORTHY:
        return f"The adapted model is surer than it should be: {told}. Do not take its probabilities at their word."
    if right - confidence > NOTEWORTHY:
        return f"The adapted model is less sure than it could be: {told}."
    return f"On the whole the adapted model is as sure as it should be: {told}."
