"""What was kept: the merge weights that were tried, what each gained and lost, and which was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homeground.reports.charts import Gain, trade_off_chart
from homeground.reports.glossary import metric
from homeground.reports.record import RunRecord, part, parts
from homeground.reports.wording import count, is_number, number, signed


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
    ends = [part(point, name).get(end) for name in ("domain", "general") for end in ("value", "low", "high")]
    return all(is_number(value) for value in [point.get("weight"), *ends])


def _ends(point: Mapping[str, Any], name: str) -> tuple[float, float, float]:
    found = part(point, name)
    return float(found["value"]), float(found["low"]), float(found["high"])


def _cells(found: Mapping[str, Any], decimals: int) -> dict[str, str]:
    return {
        "score": number(found.get("score"), decimals),
        "change": signed(found.get("value"), decimals),
    }
