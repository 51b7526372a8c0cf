"""How to read this: the interval, the units, the rules of the verdict and their limits, in plain words."""

from __future__ import annotations

from typing import Any

from homeground.reports.sections.verdict import FEWEST_UNITS
from homeground.results.record import RunRecord, part
from homeground.wording import count, is_number, number, percent


def reading(record: RunRecord) -> dict[str, Any]:
    """Return the few numbers of this run that the explanation speaks of."""
    scores = record.scores
    general = part(scores, "general")
    evaluation = part(record.recipe, "evaluation")
    draws = evaluation.get("bootstrap_draws")
    margin = general.get("margin", evaluation.get("general_margin", 0.05 if record.masked else 0.01))
    return {
        "fitted": bool(scores.get("head")),
        "level": percent(part(scores, "difference").get("level", 0.95)),
        "draws": f"{count(draws)} times" if is_number(draws) else "many times",
        "margin": number(margin, 2),
        "fewest": FEWEST_UNITS,
        "seen": count(scores.get("seen_in_training") or 0),
        "unit": str(scores.get("unit") or ""),
        "units": count(scores.get("test_units"), "unit"),
        "scored": record.scored,
        "several": bool(scores.get("seeds")),
    }
