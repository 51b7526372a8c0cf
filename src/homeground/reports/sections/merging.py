"""What was kept: the merge weights that were tried, what each gained and lost, and which was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homeground.reports.trade_off import Gain, trade_off_chart
from homeground.results.record import RunRecord, part, parts
from homeground.statistics.glossary import metric
from homeground.wording import count, is_number, number, signed


def merging(record: RunRecord) -> dict[str, Any] | None:
    """Return the curve of merge weights, or None where nothing was merged."""
    values = part(record.scores, "merging")
    points = [point for point in parts(values, "points") if _whole(point)]
    if not points:
        return None
    weight, budget = values.get("weight"), values.get("budget")
    domain, general = (metric(str(values.get(f"{name}_metric") or "")) for name in ("domain", "general"))
    gains = [
        Gain(number(point["weight"], 1), _ends(point, "general"), _ends(point, "domain"), point["weight"] == weight)
        for point in points
    ]
    limit = -float(budget) if is_number(budget) else None
    return {
        "weight": number(weight, 1),
        "share": number(100 * weight, 0) if is_number(weight) else "",
        "kept": bool(values.get("kept")),
        "dear": limit is not None and all(part(p, "general")["value"] < limit for p in points if p["weight"] > 0),
        "folds": ", ".join(number(weight, 1) for weight in values.get("fold_weights") or []),
        "budget": number(budget, 3),
        "domain": domain,
        "general": general,
        "domain_examples": count(values.get("domain_examples"), "example"),
        "general_examples": count(values.get("general_examples"), "example"),
        "chart": trade_off_chart(gains, limit=limit),
        "rows": [
            {
                "weight": number(point["weight"], 1),
                "chosen": point["weight"] == weight,
                **{name: _cells(part(point, name), words.decimals) for name, words in _both(domain, general)},
            }
            for point in points
        ],
    }


def _both(domain: Any, general: Any) -> tuple[tuple[str, Any], tuple[str, Any]]:
    return ("domain", domain), ("general", general)


def _whole(point: Mapping[str, Any]) -> bool:
    changes = [part(point, name).get("value") for name in ("domain", "general")]
    return all(is_number(value) for value in (point.get("weight"), *changes))


def _ends(point: Mapping[str, Any], name: str) -> tuple[float, float, float]:
    """Return the value with the ends of its interval, itself where it has none."""
    found = part(point, name)
    value = float(found["value"])
    low, high = (float(end) if is_number(end := found.get(name)) else value for name in ("low", "high"))
    return value, low, high


def _cells(found: Mapping[str, Any], decimals: int) -> dict[str, str]:
    return {
        "score": number(found.get("score"), decimals),
        "change": signed(found.get("value"), decimals),
    }
