"""The curves: loss and metrics over the steps of training, with the step that was kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from homeground.reports.charts import LineChart, line_chart
from homeground.results.record import RunRecord, part
from homeground.statistics.glossary import metric
from homeground.wording import count, duration, is_number, number, power

_OPTIMIZER = {"train/learning_rate": "Learning rate", "train/gradient_norm": "Gradient norm"}
_TOGETHER = [
    ("Correlation (validation)", ("pearson", "spearman")),
    ("Accuracy and macro F1 (validation)", ("accuracy", "macro_f1")),
    ("F1 (validation)", ("micro_f1", "macro_f1")),
]
"""Validation metrics on one scale share a chart; every other one has its own."""

_SAID_ALREADY = ("tutorial_perplexity", "word_perplexity", "character_perplexity")
"""Metrics that rise and fall with another one, whose curve is enough."""


def curves(record: RunRecord) -> dict[str, Any]:
    """Return the charts, empty when nothing was trained, and what training did in a sentence."""
    training = part(record.scores, "training")
    best = training.get("best_step")
    best_step = float(best) if is_number(best) else None
    charts = [_losses(record.metrics, best_step), *_validation(record.metrics, best_step)]
    charts += [
        line_chart(title, {title: ("train", points)}, best_step=best_step)
        for name, title in _OPTIMIZER.items()
        if len(points := _points(record.metrics, name)) > 1
    ]
    return {
        "charts": [chart for chart in charts if chart],
        "summary": _summary(training, _chosen_by(record)),
        "best_step": count(best) if best_step is not None else "",
        "chosen_by": _chosen_by(record),
    }


def _chosen_by(record: RunRecord) -> str:
    """Say what told which weights were the best: the validation split, or the training loss."""
    monitor = part(record.recipe, "training").get("monitor")
    validated = any(name.startswith("validation/") for line in record.metrics for name in line)
    return "on validation" if validated and monitor != "train/epoch_loss" else "by the training loss"


def _points(lines: Sequence[Mapping[str, Any]], name: str) -> list[tuple[float, float]]:
    """Return the finite values of one name by step; a step written twice counts with its last line."""
    found = {line["step"]: line[name] for line in lines if is_number(line.get("step")) and is_number(line.get(name))}
    return [(float(step), float(found[step])) for step in sorted(found)]


def _losses(lines: Sequence[Mapping[str, Any]], best_step: float | None) -> LineChart | None:
    series = {
        "training, each step": ("faint", _points(lines, "train/loss")),
        "training, epoch mean": ("train", _points(lines, "train/epoch_loss")),
        "validation": ("after", _points(lines, "validation/loss")),
    }
    present = {name: (style, points) for name, (style, points) in series.items() if points}
    return line_chart("Loss", present, best_step=best_step) if present else None


def _validation(lines: Sequence[Mapping[str, Any]], best_step: float | None) -> list[LineChart]:
    names = list(dict.fromkeys(name for line in lines for name in line if name.startswith("validation/")))
    # A loss that is itself one of the metrics, but for rounding, would be drawn twice.
    loss = _points(lines, "validation/loss")
    left = [
        name.removeprefix("validation/")
        for name in names
        if (points := _points(lines, name)) and not _alike(points, loss)
    ]
    left = [name for name in left if name not in _SAID_ALREADY]
    charts = [chart for name in left if (chart := _beside_training(lines, name, best_step))]
    left = [name for name in left if not _points(lines, f"train/{name}")]
    for title, members in _TOGETHER:
        shared = [name for name in members if name in left]
        if len(shared) > 1:
            charts.append(_chart(lines, title, shared, best_step))
            left = [name for name in left if name not in shared]
    charts += [_chart(lines, f"{metric(name).label} (validation)", [name], best_step) for name in left]
    return charts


def _beside_training(lines: Sequence[Mapping[str, Any]], name: str, best_step: float | None) -> LineChart | None:
    """Return the chart of a metric that was measured on training examples, too, else None."""
    learned = _points(lines, f"train/{name}")
    if not learned:
        return None
    series = {
        "training, a sample": ("train", learned),
        "validation": ("after", _points(lines, f"validation/{name}")),
    }
    return line_chart(metric(name).label, series, best_step=best_step)


def _alike(first: Sequence[tuple[float, float]], second: Sequence[tuple[float, float]]) -> bool:
    """Say whether two curves are the same but for rounding."""
    return len(first) == len(second) and all(
        step == other and math.isclose(value, known, rel_tol=1e-3, abs_tol=1e-9)
        for (step, value), (other, known) in zip(first, second, strict=True)
    )


def _chart(lines: Sequence[Mapping[str, Any]], title: str, names: list[str], best_step: float | None) -> LineChart:
    series = {
        metric(name).label: (style, _points(lines, f"validation/{name}"))
        for name, style in zip(names, ("after", "train"), strict=False)
    }
    return line_chart(title, series, best_step=best_step)


def _summary(training: Mapping[str, Any], chosen_by: str) -> str:
    if not training:
        return ""
    rate = training.get("learning_rate")
    parts = [
        f"{number(training.get('epochs'), 1)} epochs, {count(training.get('steps'), 'step')}",
        *([f"a learning rate of at most {power(rate)}"] if is_number(rate) else []),
        f"{duration(training.get('seconds'))} on {training.get('device', 'an unnamed device')}"
        + (f" in {training['precision']}" if training.get("precision") else ""),
    ]
    kept = {
        "best": f"The weights kept are those of step {count(training.get('best_step'))}, the best {chosen_by}.",
        "last": "The weights kept are those of the last step.",
    }.get(str(training.get("keep")), "")
    stopped = f"Training stopped because {training['stopped_because']}." if training.get("stopped_because") else ""
    return " ".join(part for part in [", ".join(parts) + ".", stopped, kept] if part)
