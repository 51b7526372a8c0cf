"""What was lost: how well the model still does on texts from outside the domain."""

from __future__ import annotations

from typing import Any

from homeground.reports.charts import number_line
from homeground.reports.sections.verdict import LOOKS
from homeground.results.record import RunRecord, part
from homeground.statistics.glossary import metric
from homeground.wording import count, interval, is_number, number, signed


def general(record: RunRecord) -> dict[str, Any] | None:
    """Return the measurement of general ability, or None where there is none."""
    values = part(record.scores, "general")
    if not values:
        return None
    words = metric(str(values.get("metric") or ""))
    difference = part(values, "difference")
    word = str(values.get("verdict") or "UNDECIDED")
    margin = values.get("margin")
    band = (-margin, 0.0) if is_number(margin) else None
    tone, shape = LOOKS.get(word, ("open", "ring"))
    return {
        "word": word,
        "tone": tone,
        "shape": shape,
        "sentence": str(values.get("sentence") or "").removeprefix(f"{word}: "),
        "name": values.get("name", ""),
        "metric": words,
        "before": number(values.get("before"), words.decimals),
        "after": number(values.get("after"), words.decimals),
        "difference": signed(difference.get("value"), words.decimals),
        "interval": interval(difference, words.decimals),
        "margin": number(margin, 2),
        "line": number_line(difference, band=band, decimals=words.decimals),
        "examples": count(values.get("examples"), "example"),
        "units": count(values.get("units"), "independent unit"),
    }
