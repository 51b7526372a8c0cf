"""The scores: every metric before and after, beside the baselines, with how much better it got."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homeground.results.record import RunRecord, own_difference, part, parts
from homeground.statistics.glossary import Metric, metric
from homeground.wording import count, interval, is_number, number, percent, signed


def scores(record: RunRecord) -> dict[str, Any]:
    """Return the table of scores, the primary metric first, and the notes on it."""
    values = record.scores
    before = part(values, "before")
    after = part(values, "after")
    baselines: Mapping[str, Mapping[str, Any]] = part(values, "baselines")
    primary = str(values.get("primary_metric") or "")
    names = sorted({**before, **after}, key=lambda name: (name != primary, [*before, *after].index(name)))
    return {
        "baselines": list(baselines),
        "rows": [
            {
                "metric": metric(name),
                "primary": name == primary,
                "before": number(before.get(name), metric(name).decimals),
                "after": number(after.get(name), metric(name).decimals),
                "difference": signed(_difference(values, name).get("value"), metric(name).decimals),
                "interval": interval(_difference(values, name), metric(name).decimals),
                "tone": _tone(_difference(values, name)),
                "baselines": [number(row.get(name), metric(name).decimals) for row in baselines.values()],
            }
            for name in names
        ],
        "level": percent(part(values, "difference").get("level", 0.95)),
        "trainings": len(parts(part(values, "seeds"), "trainings")),
        "test": count(values.get("test_examples"), f"test {record.item}"),
        "baseline_note": _baseline_note(values, metric(primary)),
        "below_baseline": bool(values.get("below_baseline")),
        "notes": [str(note) for note in parts(values, "notes")],
    }


def _difference(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the difference of one metric: the deciding one has its own place in scores.json."""
    deciding = part(values, "difference")
    if name == deciding.get("metric", values.get("primary_metric")):
        return own_difference(values)
    return part(values, "differences").get(name) or {}


def _tone(difference: Mapping[str, Any]) -> str:
    low, high = difference.get("low"), difference.get("high")
    if not (is_number(low) and is_number(high)):
        return "plain"
    return "good" if low > 0 else "bad" if high < 0 else "plain"


def _baseline_note(values: Mapping[str, Any], primary: Metric) -> str:
    difference: Mapping[str, Any] | None = values.get("baseline_difference")
    if not difference:
        return ""
    margin = f"{signed(difference.get('value'), primary.decimals)} ({interval(difference, primary.decimals)})"
    beaten = "it is not shown to beat it" if values.get("below_baseline") else "it beats it"
    name = difference.get("name", "")
    trainings = parts(part(values, "seeds"), "trainings")
    model = f"the adapted model, over {len(trainings)} trainings," if trainings else "the adapted model"
    return f"Against the best baseline, {name}, {model} scores {margin} in {primary.label}: {beaten}."
