"""From two measurements to scores.json: differences with intervals, baselines, general ability and the verdicts."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.data.corpus import Part
from homeground.data.linking import PairUnits
from homeground.evaluation.bootstrap import Interval, paired_difference
from homeground.evaluation.general import GeneralSet
from homeground.evaluation.ledger import count_verdict
from homeground.evaluation.verdict import Baseline, domain_verdict, general_verdict
from homeground.evaluation.verdict import Measured as Figures
from homeground.preparation import Prepared
from homeground.run import Run
from homeground.tasks.task import Measured, Task

VERSION = 1
UNIT_NAMES = {"group": "group", "text": "test text", "shared text": "unit", "text_1": "first text"}
"""How the sentences name a unit, by the rule that made it; pairs linked by a shared text are one unit."""

NARROWED = {"mlm": "at predicting masked words"}
"""What alone a verdict speaks of, by task, where the test says nothing of what the model is used for."""

METRIC_NAMES = {
    "masked_loss": "Loss of masked words",
    "perplexity": "Perplexity of masked words",
    "masked_accuracy": "Accuracy on masked words",
    "pearson": "Pearson correlation",
    "macro_f1": "Macro F1",
    "accuracy": "Accuracy",
}
"""How the sentences name a metric, where its own name is no word."""


@dataclass(frozen=True)
class Resampling:
    """How differences are resampled."""

    seed: int
    draws: int


def compare(
    ready: Prepared,
    run: Run,
    before: Measured,
    after: Measured,
    baselines: dict[str, NDArray[np.float64]],
    general: GeneralSet | None,
    general_before: Measured | None,
    general_after: Measured | None,
    *,
    unchanged: bool = False,
) -> dict[str, Any]:
    """Return what scores.json says of a run, its verdict counted in the ledger beside it.

    ``baselines`` are what cheap methods predict for the test examples, by name; ``unchanged`` says that merging kept
    nothing.
    """
    recipe, corpus = ready.recipe, ready.corpus
    resampling = Resampling(recipe.seed, recipe.evaluation.bootstrap_draws)
    test_hash = corpus.record["test_hash"]
    identity = hashlib.sha256(json.dumps(ready.identity, sort_keys=True).encode()).hexdigest()
    number = count_verdict(run.folder.parent, test_hash=test_hash, run=run.folder.name, fingerprint=identity)
    folds = corpus.record["split"]["folds"]
    scores = judge(
        ready.task,
        corpus.test,
        before,
        after,
        resampling,
        baselines={name: ready.task.measure(ready.test_rows, given) for name, given in baselines.items()},
        overlap=len(ready.seen_in_training),
        unchanged=unchanged,
        verdict_number=number,
        folds=folds,
    )
    scores["test_set"] = {"hash": test_hash, "verdict_number": number}
    scores["seen_in_training"] = len(ready.seen_in_training)
    scores["cross_fit"] = folds
    scores["general"] = None
    if general and general_before and general_after:
        margin = recipe.evaluation.general_margin or general.task.margin
        scores["general"] = judge_general(general, general_before, general_after, resampling, margin=margin)
    return scores


def judge(
    task: Task,
    test: Part,
    before: Measured,
    after: Measured,
    resampling: Resampling,
    *,
    baselines: dict[str, Measured] | None = None,
    overlap: int = 0,
    overlap_before: int = 0,
    unchanged: bool = False,
    verdict_number: int = 1,
    folds: int | None = None,
) -> dict[str, Any]:
    """Return scores, differences, verdict and sentence of two measurements on the same examples."""
    metric = task.primary_metric
    differences = {
        name: difference(task, name, before, after, test.units, resampling)
        for name in task.metrics
        if name == metric or (name in before.scores and name in after.scores)
    }
    interval = differences.pop(metric)
    baseline = _best_baseline(task, test, after, baselines or {}, resampling)
    verdict = domain_verdict(
        interval,
        _figures(task, before, after, test.units),
        baseline=baseline,
        discordant=task.discordant(before, after),
        overlap=overlap,
        overlap_before=overlap_before,
        unchanged=unchanged,
        verdict_number=verdict_number,
        folds=folds,
        at=NARROWED.get(task.name, ""),
    )
    return {
        "version": VERSION,
        "task": task.name,
        "primary_metric": metric,
        "verdict": verdict.word,
        "sentence": verdict.sentence,
        "below_baseline": verdict.below_baseline,
        "before": before.scores,
        "after": after.scores,
        "baselines": {name: measured.scores for name, measured in (baselines or {}).items()},
        "difference": {"metric": metric, "method": "paired bootstrap over units", **interval.record()},
        "differences": {name: other.record() for name, other in differences.items()},
        "baseline_difference": baseline and {"name": baseline.name, **baseline.difference.record()},
        "smallest_detectable": _finite(verdict.smallest_detectable),
        "units_needed": verdict.needed,
        "test_examples": len(test),
        "test_units": interval.units,
        "unit": test.units.rule,
    }


def judge_general(
    general: GeneralSet, before: Measured, after: Measured, resampling: Resampling, *, margin: float
) -> dict[str, Any]:
    """Return what scores.json says of general ability."""
    metric = general.task.primary_metric
    interval = difference(general.task, metric, before, after, general.units, resampling)
    figures = _figures(general.task, before, after, general.units)
    verdict = general_verdict(interval, margin, figures, name=general.name)
    word, sentence = verdict.word, verdict.sentence
    if general.seen and word == "KEPT":
        word = "UNDECIDED"
        sentence = (
            f"{word}: {general.seen} examples of {general.name} were learned from, so keeping them shows nothing."
        )
    return {
        "name": general.name,
        "metric": metric,
        "before": before.scores.get(metric),
        "after": after.scores.get(metric),
        "difference": interval.record(),
        "verdict": word,
        "sentence": sentence,
        "seen_in_training": general.seen,
        "margin": margin,
        "examples": len(general.units.units),
        "units": interval.units,
        "units_needed": verdict.needed,
    }


def difference(
    task: Task, metric: str, before: Measured, after: Measured, units: PairUnits, resampling: Resampling
) -> Interval:
    """Return the interval of one metric after minus before, signed so that positive is better."""
    return paired_difference(
        before.statistics,
        after.statistics,
        task.metrics[metric],
        units.nodes,
        seed=resampling.seed,
        draws=resampling.draws,
        greater_is_better=task.greater_is_better[metric],
    )


def _best_baseline(
    task: Task, test: Part, after: Measured, baselines: dict[str, Measured], resampling: Resampling
) -> Baseline | None:
    """Return the best cheap baseline by the deciding metric, with the interval of after against it."""
    metric = task.primary_metric
    sign = 1 if task.greater_is_better[metric] else -1
    known = {name: measured for name, measured in baselines.items() if metric in measured.scores}
    if not known:
        return None
    name = max(known, key=lambda name: sign * known[name].scores[metric])
    interval = difference(task, metric, known[name], after, test.units, resampling)
    return Baseline(name, known[name].scores[metric], interval)


def _figures(task: Task, before: Measured, after: Measured, units: PairUnits) -> Figures:
    metric = task.primary_metric
    return Figures(
        metric=METRIC_NAMES.get(metric, metric),
        before=before.scores.get(metric, math.nan),
        after=after.scores.get(metric, math.nan),
        examples=len(units.units),
        example=task.noun,
        unit=UNIT_NAMES[units.rule],
    )


def _finite(value: float) -> float | None:
    return value if value == value and abs(value) != float("inf") else None
