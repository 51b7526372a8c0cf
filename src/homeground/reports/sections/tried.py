"""What was tried: the heads fitted before training, and the settings that were searched, with what validation said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homeground.reports.charts import dot_chart, line_chart
from homeground.results.record import RunRecord, part, parts
from homeground.statistics.glossary import metric
from homeground.wording import count, duration, is_number, number, power


def tried(record: RunRecord) -> dict[str, Any] | None:
    """Return the trials of head and search, or None where nothing was tried."""
    head, search = part(record.scores, "head"), part(record.scores, "search")
    trials, masked = _trials(head), _masked_head(head, "masked_loss")
    if not trials and not search and not masked:
        return None
    return {
        "head": _head(head, trials) if trials else None,
        "masked_head": masked,
        "search": _search(search) if search else None,
    }


def _masked_head(head: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """Return how a head for masked words was trained before anything was compared; None where it was not."""
    if "why" not in head:
        return None
    points = [
        (float(each["step"]), float(each["value"])) for each in parts(head, "curve") if is_number(each.get("value"))
    ]
    best = head.get("best_step")
    return {
        "why": str(head["why"]),
        "steps": count(head.get("steps"), "step"),
        "learning_rate": power(head.get("learning_rate")),
        "best": count(best) if is_number(best) else "",
        "stopped": str(head.get("stopped_because") or ""),
        "chart": line_chart(
            f"{metric(name).label} (validation)", {"validation": ("after", points)}, best_step=float(best or 0) or None
        )
        if len(points) > 1
        else None,
    }


def _search(search: Mapping[str, Any]) -> dict[str, Any]:
    """Return the trials of a search as a table and as dots over their learning rates."""
    words = metric(str(search.get("metric") or "").removeprefix("validation/"))
    trials, chosen = parts(search, "trials"), search.get("chosen")
    rows = [
        {
            "number": place,
            "learning_rate": power(trial.get("learning_rate")),
            "epochs": _plain(trial.get("epochs")),
            "validation": number(trial.get("score"), words.decimals),
            # The place is enough here; what the loss was stands in scores.json.
            "failed": str(trial.get("failed") or "").partition(":")[0],
            "duration": duration(trial.get("seconds")),
            "chosen": place == chosen,
        }
        for place, trial in enumerate(trials, start=1)
    ]
    points = [
        (
            float(rate),
            score if is_number(score := trial.get("score")) else None,
            bool(row["chosen"]),
            f"trial {row['number']}, learning rate {row['learning_rate']}, epochs {row['epochs']}: {row['validation']}",
        )
        for trial, row in zip(trials, rows, strict=True)
        if is_number(rate := trial.get("learning_rate"))
    ]
    return {
        "label": words.label,
        "metric": f"{words.label} {words.arrow}".strip(),
        "rows": rows,
        "chart": dot_chart(points) if len(points) > 1 else None,
        "stopped": str(search.get("stopped_because") or ""),
    }


@dataclass(frozen=True)
class Trial:
    """One fit of the head: how strongly it follows the training texts, what it sees, and the loss on validation."""

    c: float
    sees: str
    loss: Any


def _trials(head: Mapping[str, Any]) -> list[Trial]:
    """Return the fits of a head: a path of C for every variant of what it sees."""
    curves = [(variant.get("variant"), parts(variant, "curve")) for variant in parts(head, "variants")]
    flat = [(trial.get("pooling"), [trial]) for trial in parts(head, "trials")]
    return [
        Trial(float(c), str(sees or ""), point.get("validation_loss"))
        for sees, points in curves + flat
        for point in points
        if is_number(c := point.get("C", point.get("c")))
    ]


def _head(head: Mapping[str, Any], trials: list[Trial]) -> dict[str, Any]:
    """Return the validation losses as a table, one row a strength and one column a variant of what the head sees."""
    variants = list(dict.fromkeys(trial.sees for trial in trials))
    losses = {(trial.c, trial.sees): trial.loss for trial in trials}
    chosen = (head.get("C", head.get("c")), str(head.get("variant", head.get("pooling")) or ""))
    return {
        "c": _plain(chosen[0]),
        "sees": chosen[1],
        "variants": variants,
        "rows": [
            {
                "c": _plain(c),
                "cells": [
                    {"loss": number(losses.get((c, sees)), 4), "chosen": (c, sees) == chosen} for sees in variants
                ],
            }
            for c in sorted({trial.c for trial in trials})
        ],
        "frozen": number(part(head, "frozen_embeddings").get("validation_loss"), 4)
        if head.get("frozen_embeddings")
        else "",
    }


def _plain(value: Any) -> str:
    """Return a setting as a person would write it.

    >>> _plain(2e-05), _plain(0.01), _plain(3.0), _plain(None)
    ('2e−5', '0.01', '3', '–')
    """
    return f"{value:g}".replace("e-0", "e−").replace("e-", "e−") if is_number(value) else number(value)
