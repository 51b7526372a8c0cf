"""The luck of training: what every seed scored, how far the scores spread, and what the verdict rests on."""

from __future__ import annotations

from typing import Any

from homeground.results.record import RunRecord, part, parts
from homeground.statistics.glossary import metric
from homeground.wording import count, interval, is_number, number, percent, signed


def seeds(record: RunRecord) -> dict[str, Any] | None:
    """Return the trainings of a run with ``--seeds``, or None where there was one."""
    values = part(record.scores, "seeds")
    trainings = parts(values, "trainings")
    if not trainings:
        return None
    words = metric(str(record.scores.get("primary_metric") or ""))
    recipe, model = part(record.scores, "difference"), part(values, "saved_model")
    return {
        "metric": f"{words.label} {words.arrow}".strip(),
        "label": words.label,
        "trainings": count(len(trainings), "time"),
        "seeds": f"{trainings[0].get('seed')} to {trainings[-1].get('seed')}",
        "tested": f"test {record.item}s",
        "crossed": bool(record.scores.get("cross_fit")),
        "before": number(part(record.scores, "before").get(words.name), words.decimals),
        "mean": number(values.get("mean"), words.decimals),
        "spread": number(values.get("standard_deviation"), words.decimals + 1),
        "share": seeds_share(record),
        "level": percent(recipe.get("level", 0.95)),
        "rows": [
            {
                "seed": str(each.get("seed")),
                "score": number(each.get("score"), words.decimals),
                "difference": signed(each.get("difference"), words.decimals),
            }
            for each in trainings
        ],
        "recipe": {"value": signed(recipe.get("value"), words.decimals), "ends": interval(recipe, words.decimals)},
        "model": {"value": signed(model.get("value"), words.decimals), "ends": interval(model, words.decimals)},
    }


def seeds_share(record: RunRecord) -> str:
    """Return which part of the variance of the mean difference comes from the trainings; empty where none is known."""
    values = part(record.scores, "seeds")
    items, trainings = values.get("items_error"), values.get("seeds_error")
    if not (is_number(items) and is_number(trainings) and items + trainings > 0):
        return ""
    return percent(trainings**2 / (items**2 + trainings**2))
