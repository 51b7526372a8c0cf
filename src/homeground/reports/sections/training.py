"""The training: its curves, the heads and settings to select from, and the scores on shares of the data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from homeground.reports.charts import Chart, line_chart, search_chart, share_chart
from homeground.results.parts import ClassifierHeadRecord, MaskedHeadRecord, SearchRecord, TrainingRecord
from homeground.results.record import RunRecord
from homeground.results.summary import learned_line, pace_line
from homeground.statistics.glossary import metric
from homeground.wording import count, duration, interval, is_number, number, setting, shorten

OPTIMIZER = {"train/learning_rate": "Learning rate", "train/gradient_norm": "Gradient norm"}
TOGETHER = [
    ("Correlation (validation)", ("pearson", "spearman")),
    ("Accuracy and macro F1 (validation)", ("accuracy", "macro_f1")),
    ("F1 (validation)", ("micro_f1", "macro_f1")),
]
"""Validation metrics on one scale share a chart; every other one has its own."""

REDUNDANT = ("tutorial_perplexity", "word_perplexity", "character_perplexity")
"""Metrics that rise and fall with another one, whose curve is enough."""

LONGEST_REASON = 100
"""Characters of a reason that are shown."""

MOST_TRIALS = 100
"""The most trials of a search that are shown: the first, and the one that was selected."""

Lines = Sequence[Mapping[str, Any]]
Points = list[tuple[float, float]]


def curves(record: RunRecord) -> dict[str, Any]:
    """Return the charts, empty when nothing was trained, and a summary of the training in a sentence."""
    training, lines, criterion = record.scores.training, record.metrics, _criterion(record)
    best = None if training.best_step is None else float(training.best_step)
    losses = {
        "training, each step": ("faint", _points(lines, "train/loss")),
        "training, epoch mean": ("train", _points(lines, "train/epoch_loss")),
        "validation": ("after", _points(lines, "validation/loss")),
    }
    series = [("Loss", losses), *_validation(lines)]
    series += [
        (title, {title: ("train", points)})
        for name, title in OPTIMIZER.items()
        if len(points := _points(lines, name)) > 1
    ]
    charts = [_chart(title, each, best) for title, each in series]
    return {
        "charts": [chart for chart in charts if chart],
        "summary": " ".join(filter(None, [_summary(training, criterion), _single_values(lines)])),
        "best_step": training.best_step,
        "criterion": criterion,
    }


Series = dict[str, tuple[str, Points]]
"""The lines of a chart: a name, a style and points each."""


def _chart(title: str, series: Series, best: float | None) -> Chart | None:
    present = {name: (style, points) for name, (style, points) in series.items() if len(points) > 1}
    return line_chart(title, present, best_step=best) if present else None


def _criterion(record: RunRecord) -> str:
    """Return by which criterion the weights were the best: on validation, or by the training loss."""
    validated = any(name.startswith("validation/") for line in record.metrics for name in line)
    by_loss = record.setting("training", "monitor") == "train/epoch_loss"
    return "on validation" if validated and not by_loss else "by the training loss"


def _points(lines: Lines, name: str) -> Points:
    """Return the finite values of one name by step; a step written twice counts with its last line."""
    values = {line["step"]: line[name] for line in lines if is_number(line.get("step")) and is_number(line.get(name))}
    return [(float(step), float(values[step])) for step in sorted(values)]


def _validation(lines: Lines) -> list[tuple[str, Series]]:
    """Return the charts of the validation metrics, first those that were also measured on training examples."""
    names = dict.fromkeys(name for line in lines for name in line if name.startswith("validation/"))
    curves = {name.removeprefix("validation/"): _points(lines, name) for name in names}
    # A loss that is itself one of the metrics, but for rounding, would be drawn twice.
    loss = curves.pop("loss", [])
    left = {
        name: points
        for name, points in curves.items()
        if points and name not in REDUNDANT and not _are_alike(points, loss)
    }
    charts: list[tuple[str, Series]] = []
    for name in list(left):
        if learned := _points(lines, f"train/{name}"):
            sides = {"training, a sample": ("train", learned), "validation": ("after", left.pop(name))}
            charts.append((metric(name).label, sides))
    for title, members in TOGETHER:
        if len(shared := [name for name in members if name in left]) > 1:
            styles = zip(shared, ("after", "train"), strict=True)
            charts.append((title, {metric(name).label: (style, left.pop(name)) for name, style in styles}))
    alone = [(metric(name).label, points) for name, points in left.items()]
    return charts + [(f"{label} (validation)", {label: ("after", points)}) for label, points in alone]


def _are_alike(first: Points, second: Points) -> bool:
    """Return whether two curves are the same but for rounding."""
    return len(first) == len(second) and all(
        step == other and math.isclose(value, same, rel_tol=1e-3, abs_tol=1e-9)
        for (step, value), (other, same) in zip(first, second, strict=True)
    )


def _where(training: TrainingRecord) -> str:
    """Return how long a training took, on which device, and in which precision."""
    device = training.device or "an unnamed device"
    if not training.precision:
        return f"{duration(training.seconds)} on {device}"
    return f"{duration(training.seconds)} on {device} in {training.precision}"


def _summary(training: TrainingRecord, criterion: str) -> str:
    if not training.model_fields_set:
        return ""
    rate = training.learning_rate
    facts = [
        f"{_epochs(training.epochs)}, {count(training.steps, 'step')}",
        *([] if rate is None else [f"a learning rate of at most {setting(rate)}"]),
        _where(training),
        *([line] if (line := pace_line(training)) else []),
    ]
    learned = f"Trained: {line}." if (line := learned_line(training)) else ""
    kept = {
        "best": f"The saved weights are those of step {count(training.best_step)}, the best {criterion}.",
        "last": "The saved weights are those of the last step.",
    }.get(training.keep, "")
    stopped = f"Training stopped because {training.stopped_because}." if training.stopped_because else ""
    return " ".join(part for part in [", ".join(facts) + ".", learned, stopped, kept] if part)


def _single_values(lines: Lines) -> str:
    """Return in a sentence what was measured once on validation, as after an only epoch; a point is no curve."""
    names = dict.fromkeys(name for line in lines for name in line if name.startswith("validation/"))
    curves = {name.removeprefix("validation/"): _points(lines, name) for name in names}
    values = [
        f"{metric(name).label.lower()} {number(points[0][1], metric(name).decimals)}"
        for name, points in curves.items()
        if len(points) == 1 and name not in REDUNDANT
    ]
    return f"Measured once on validation: {', '.join(values)}." if values else ""


def _epochs(epochs: float | None) -> str:
    """Return a number of epochs in words, whole where it is."""
    return count(epochs, "epoch") if epochs is not None and epochs == round(epochs) else f"{number(epochs, 1)} epochs"


def trials(record: RunRecord) -> dict[str, Any] | None:
    """Return the fits of a new head and the trials of a search, or None where there are neither."""
    head, search = record.scores.head, record.scores.search
    if head is None and search is None:
        return None
    return {
        "classifier_head": _classifier_head(head) if isinstance(head, ClassifierHeadRecord) else None,
        "masked_head": _masked_head(head) if isinstance(head, MaskedHeadRecord) else None,
        "search": _search(search) if search else None,
    }


def _classifier_head(head: ClassifierHeadRecord) -> dict[str, Any]:
    """Return the validation losses as a table, one row a strength and one column a variant of the head."""
    losses = {(fit.variant, point.C): point.validation_loss for fit in head.variants for point in fit.curve}
    return {
        "head": head,
        "rows": [
            (c, [(fit.variant, losses.get((fit.variant, c)), (c, fit.variant) == (head.C, head.variant))
                 for fit in head.variants])
            for c in sorted({c for _, c in losses})
        ],
    }  # fmt: skip


def _masked_head(head: MaskedHeadRecord) -> dict[str, Any]:
    """Return how a head for masked words was trained before anything was compared."""
    points = [(float(each.step), each.value) for each in head.curve if each.value is not None]
    title = f"{metric('masked_loss').label} (validation)"
    best = float(head.best_step) if head.best_step else None
    return {
        "head": head,
        "chart": line_chart(title, {"validation": ("after", points)}, best_step=best) if len(points) > 1 else None,
    }


def _search(search: SearchRecord) -> dict[str, Any]:
    """Return the trials of a search as a table and as dots over their learning rates."""
    words = metric(search.metric.removeprefix("validation/"))
    titles = [
        f"trial {place}, learning rate {setting(trial.learning_rate)}, epochs {setting(trial.epochs)}: "
        f"{number(trial.score, words.decimals)}"
        for place, trial in enumerate(search.trials, start=1)
    ]
    places = list(range(len(search.trials)))[:MOST_TRIALS]
    places += [search.chosen - 1] if search.chosen > MOST_TRIALS else []
    pairs = [(search.trials[place], titles[place]) for place in places]
    title = f"{words.label} on validation"
    chosen = places.index(search.chosen - 1) + 1 if search.chosen - 1 in places else 0
    return {
        "metric": words,
        # Where it failed is enough here; the loss is in scores.json.
        "rows": [
            (trial, shorten((trial.failed or "").partition(":")[0], LONGEST_REASON), place + 1 == search.chosen)
            for place, trial in zip(places, (trial for trial, _ in pairs), strict=True)
        ],
        "left": len(search.trials) - len(pairs),
        "chart": search_chart(pairs, chosen=chosen, title=title) if len(pairs) > 1 else None,
    }


def learning_curve(record: RunRecord) -> dict[str, Any] | None:
    """Return the scores on shares of the training examples, or None where there is no curve."""
    curve = record.scores.learning_curve
    if curve is None or not curve.points:
        return None
    words = metric(curve.metric)
    names = list(dict.fromkeys(name for point in curve.points for name in point.baselines))
    label = f"{words.label} {words.arrow}".strip()
    title = f"{label}, by the number of training examples"
    return {
        "metric": label,
        "decimals": words.decimals,
        "chart": share_chart(curve.points, names, title=title, label=words.label) if len(curve.points) > 1 else None,
        "baselines": names,
        "rows": [
            (point, "" if point.after.low is None else interval(point.after, words.decimals, number))
            for point in curve.points
        ],
    }
