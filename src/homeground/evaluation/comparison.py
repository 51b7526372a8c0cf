"""From two measurements to scores.json: differences with intervals, baselines, general ability and the verdicts."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.data.corpus import Part
from homeground.data.units import PairUnits
from homeground.evaluation.general import GeneralSet
from homeground.evaluation.verdict import Baseline, domain_verdict, general_verdict
from homeground.evaluation.verdict import Measured as Figures
from homeground.experiment.preparation import Prepared
from homeground.results.ledger import count_verdict
from homeground.results.run import Run
from homeground.statistics.bootstrap import Interval, paired_difference
from homeground.statistics.over_seeds import OverSeeds, over_seeds
from homeground.tasks.task import Measurable, Measured, RareClass

VERSION = 1
METHODS = {
    False: "paired bootstrap over units",
    True: "paired bootstrap over units, joined with the variance between trainings by Student's t",
}
"""How the deciding interval was made, without and with several trainings."""

UNIT_NAMES = {"group": "group", "text": "test text", "shared text": "unit", "text_1": "first text"}
"""How the sentences name a unit, by the rule that made it; pairs linked by a shared text are one unit."""

NARROWED = {"mlm": "at predicting masked words"}
"""What alone a verdict speaks of, by task, where the test says nothing of what the model is used for."""

METRIC_NAMES = {
    "masked_loss": "Loss of masked words",
    "perplexity": "Perplexity of masked words",
    "masked_accuracy": "Accuracy on masked words",
    "tutorial_perplexity": "Perplexity as tutorials mask",
    "word_perplexity": "Perplexity per word",
    "character_perplexity": "Perplexity per character",
    "word_loss": "Loss of whole words",
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
    level: float = 0.95


def compare(
    ready: Prepared,
    run: Run,
    before: Measured,
    afters: Sequence[Measured],
    baselines: dict[str, NDArray[np.float64]],
    general: GeneralSet | None,
    general_before: Measured | None,
    general_after: Measured | None,
    *,
    unchanged: bool = False,
) -> dict[str, Any]:
    """Return what scores.json says of a run, its verdict counted in the ledger beside it.

    ``afters`` are the trainings of ``--seeds``, that of the model that is kept first; else it alone. ``baselines`` are
    what cheap methods predict for the test examples, by name; ``unchanged`` says that merging kept nothing.
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
        afters[0],
        resampling,
        others=afters[1:],
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
    task: Measurable,
    test: Part,
    before: Measured,
    after: Measured,
    resampling: Resampling,
    *,
    others: Sequence[Measured] = (),
    baselines: dict[str, Measured] | None = None,
    overlap: int = 0,
    overlap_before: int = 0,
    unchanged: bool = False,
    verdict_number: int = 1,
    folds: int | None = None,
    sides: tuple[str, str] = ("before", "after"),
) -> dict[str, Any]:
    """Return scores, differences, verdict and sentence of two measurements on the same examples.

    ``others`` are further trainings of the recipe that ``after`` came from. With any, the verdict and the difference
    against the baseline are about the recipe; everything else is about the model measured ``after``. ``sides`` are what
    the sentence calls the two.
    """
    metric = task.primary_metric
    differences = {
        name: difference(task, name, before, after, test.units, resampling)
        for name in task.metrics
        if name == metric or (name in before.scores and name in after.scores)
    }
    own, afters = differences.pop(metric), [after, *others]
    over = _over_seeds(task, before, afters, test.units, resampling) if others else None
    interval = over.interval if over else own
    baseline = _best_baseline(task, test, afters, baselines or {}, resampling)
    verdict = domain_verdict(
        interval,
        _figures(task, before, afters, test.units, sides),
        baseline=baseline,
        discordant=_discordant(task, before, afters),
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
        "difference": {"metric": metric, "method": METHODS[over is not None], **interval.record()},
        "differences": {
            name: described(other, task.too_rare(name, before, test.units)) for name, other in differences.items()
        },
        "seeds": over and _seeds(over, own, [measured.scores.get(metric) for measured in afters], resampling.seed),
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
    figures = _figures(general.task, before, [after], general.units)
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
    task: Measurable, metric: str, before: Measured, after: Measured, units: PairUnits, resampling: Resampling
) -> Interval:
    """Return the interval of one metric after minus before, signed so that positive is better."""
    return paired_difference(
        before.statistics,
        after.statistics,
        task.metrics[metric],
        units.nodes,
        seed=resampling.seed,
        draws=resampling.draws,
        level=resampling.level,
        greater_is_better=task.greater_is_better[metric],
    )


def described(interval: Interval, too_rare: RareClass | None) -> dict[str, Any]:
    """Return the fields of an interval for JSON, without its ends where a class is too rare for them."""
    return {**interval.record(), **({} if too_rare is None else {"low": None, "high": None})}


def _over_seeds(
    task: Measurable, before: Measured, afters: Sequence[Measured], units: PairUnits, resampling: Resampling
) -> OverSeeds:
    """Return the mean difference of the deciding metric over several trainings."""
    metric = task.primary_metric
    return over_seeds(
        before.statistics,
        [after.statistics for after in afters],
        task.metrics[metric],
        units.nodes,
        seed=resampling.seed,
        draws=resampling.draws,
        greater_is_better=task.greater_is_better[metric],
    )


def _seeds(over: OverSeeds, own: Interval, scores: Sequence[float | None], first: int) -> dict[str, Any]:
    """Return what scores.json says of several trainings, ``own`` being the interval of the model that is kept."""
    trainings = [
        {"seed": first + place, "score": score, "difference": _finite(value)}
        for place, (score, value) in enumerate(zip(scores, over.values, strict=True))
    ]
    known = [score for score in scores if score is not None]
    mean = float(np.mean(known)) if len(known) == len(scores) else None
    return {"trainings": trainings, "mean": mean, **over.record(), "saved_model": own.record()}


def _discordant(task: Measurable, before: Measured, afters: Sequence[Measured]) -> int | None:
    """Return how many examples only one side got right, of several trainings on average, rounded down."""
    counts = [task.discordant(before, after) for after in afters]
    known = [count for count in counts if count is not None]
    return sum(known) // len(known) if known else None


def _best_baseline(
    task: Measurable, test: Part, afters: Sequence[Measured], baselines: dict[str, Measured], resampling: Resampling
) -> Baseline | None:
    """Return the best cheap baseline by the deciding metric, with the interval of after against it."""
    metric = task.primary_metric
    sign = 1 if task.greater_is_better[metric] else -1
    known = {name: measured for name, measured in baselines.items() if metric in measured.scores}
    if not known:
        return None
    name = max(known, key=lambda name: sign * known[name].scores[metric])
    if len(afters) > 1:
        interval = _over_seeds(task, known[name], afters, test.units, resampling).interval
    else:
        interval = difference(task, metric, known[name], afters[0], test.units, resampling)
    return Baseline(name, known[name].scores[metric], interval)


def _figures(
    task: Measurable,
    before: Measured,
    afters: Sequence[Measured],
    units: PairUnits,
    sides: tuple[str, str] = ("before", "after"),
) -> Figures:
    metric = task.primary_metric
    scores = [after.scores.get(metric, math.nan) for after in afters]
    return Figures(
        metric=METRIC_NAMES.get(metric, metric),
        before=before.scores.get(metric, math.nan),
        after=float(np.mean(scores)),
        examples=len(units.units),
        example=task.noun,
        unit=UNIT_NAMES[units.rule],
        trainings=len(afters),
        spread=float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0,
        sides=sides,
        too_rare=task.too_rare(metric, before, units),
    )


def _finite(value: float) -> float | None:
    return value if value == value and abs(value) != float("inf") else None
