"""How much data: the same recipe on 5, 10, 25 and 50% of the training examples, and what all of them add.

    for every share, each inside the next larger one: fit the head, train, measure, write learning-curve/<per cent>/
    the run itself is the 100%
    all of it against half of it, with an interval: annotate more, or stop

A share whose result is written is not trained again. Every share is measured on the test examples and none of them is
kept, so that the curve describes and chooses nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.data.shares import Share
from homeground.errors import TrainingFailed
from homeground.evaluation.comparison import METRIC_NAMES, Resampling, difference
from homeground.evaluation.verdict import FEWEST_DISCORDANT, FEWEST_EFFECTIVE_UNITS, FEWEST_UNITS
from homeground.experiment.preparation import Prepared
from homeground.experiment.training_run import (
    FROZEN,
    Listener,
    Note,
    fit,
    frozen_embeddings,
    keep_general,
    measure,
    open_before,
)
from homeground.results.run import Run
from homeground.statistics.bootstrap import Interval, own_interval
from homeground.storage import read_array, read_json, write_array, write_json
from homeground.tasks.task import Measured, RareClass

FOLDER = "learning-curve"
PREDICTIONS, RESULT = "predictions.npy", "result.json"

SMALL_GAIN = 0.01
"""Where doubling the data is shown to have gained less than this, more of the same would not help much."""

Predictions = NDArray[np.float64]


@dataclass(frozen=True)
class Learned:
    """What came of one share: what its models and the cheap methods predict for the test, or why there is nothing."""

    per_cent: int
    examples: int
    before: Predictions | None
    after: Predictions | None
    baselines: Mapping[str, Predictions]
    seconds: float | None
    left_out: str | None


@dataclass(frozen=True)
class Suggestion:
    """What the curve suggests, in a word and a sentence, and the interval it rests on."""

    word: str
    sentence: str
    difference: Interval | None


def learn_shares(run: Run, ready: Prepared, before: Measured, tell: Listener) -> list[Learned]:
    """Train on every share that is not done yet, smallest first; nothing where no learning curve was asked for.

    ``before`` is that of the run: what is compared with where no head is fitted.
    """
    return [
        _learn(share, run.folder / FOLDER / str(share.per_cent), run, ready, before, tell) for share in ready.shares
    ]


def _learn(share: Share, home: Path, run: Run, ready: Prepared, before: Measured, tell: Listener) -> Learned:
    """Return what came of one share, from its folder where that is finished."""
    examples, left_out = len(share.part), share.left_out
    if left_out is None and not (home / RESULT).is_file():
        tell(Note(f"learning from {share.per_cent}% of the training data, {examples} examples"))
        began = time.monotonic()
        failed = _train(share, home, ready, before, tell)
        home.mkdir(parents=True, exist_ok=True)
        seconds = round(time.monotonic() - began, 1)
        write_json(home / RESULT, {"examples": examples, "seconds": seconds, "failed": failed})
        run.remove_checkpoints(home)
    result = read_json(home / RESULT) if left_out is None else {}
    left_out = left_out or result["failed"]
    if left_out:
        tell(Note(f"{share.per_cent}% of the training data is left out: it {left_out}"))
        return Learned(share.per_cent, examples, None, None, {}, result.get("seconds"), left_out)
    own_before, after = read_array(home / PREDICTIONS)
    baselines = dict(ready.task.baselines(ready.split(share.part.examples), ready.test_split))
    if (home / FROZEN).is_file():
        baselines["frozen embeddings"] = read_array(home / FROZEN)
    return Learned(share.per_cent, examples, own_before, after, baselines, result["seconds"], None)


def _train(share: Share, home: Path, ready: Prepared, before: Measured, tell: Listener) -> str | None:
    """Train on one share and write what it predicts; a loss that is not finite is an outcome like any other."""
    lesson = ready.lesson_of_share(share)
    base, head = open_before(ready, lesson, tell, home)
    own_before = before if head is None else measure(base, ready)
    try:
        model, _ = fit(ready, home, own_before, tell, lesson, head)
    except TrainingFailed as error:
        return f"failed: {error}"
    merged = keep_general(ready, base, model, tell, lesson)
    after = measure(merged.model if merged else model, ready)
    for frozen in frozen_embeddings(base, ready, head).values():
        write_array(home / FROZEN, frozen)
    write_array(home / PREDICTIONS, np.stack([own_before.predictions, after.predictions]))
    return None


def learning_curve(
    ready: Prepared, learned: Sequence[Learned], before: Measured, after: Measured, baselines: Mapping[str, Predictions]
) -> dict[str, Any] | None:
    """Return what scores.json says of the curve, its last point the run itself; None where none was asked for."""
    if not learned:
        return None
    task, examples = ready.task, len(ready.corpus.train)
    whole = Learned(100, examples, before.predictions, after.predictions, baselines, None, None)
    measured = [_point(ready, each) for each in (*learned, whole) if each.left_out is None]
    half = next((each.after for each in learned if each.per_cent == 50), None)
    suggestion = suggest(ready, None if half is None else task.measure(ready.test_rows, half), after)
    return {
        "metric": task.primary_metric,
        "points": measured,
        "left_out": [
            {"share": each.per_cent, "examples": each.examples, "reason": each.left_out}
            for each in learned
            if each.left_out
        ],
        "suggestion": suggestion.word,
        "sentence": suggestion.sentence,
        "difference": suggestion.difference and suggestion.difference.record(),
    }


def _point(ready: Prepared, learned: Learned) -> dict[str, Any]:
    """Return the deciding metric of both models with their own intervals, and that of the baselines."""
    metric = ready.task.primary_metric
    sides = {"before": learned.before, "after": learned.after}
    return {
        "share": learned.per_cent,
        "examples": learned.examples,
        "seconds": learned.seconds,
        **{side: _own(ready, given) for side, given in sides.items() if given is not None},
        "baselines": {
            name: ready.task.measure(ready.test_rows, given).scores.get(metric)
            for name, given in learned.baselines.items()
        },
    }


def _own(ready: Prepared, predictions: Predictions) -> dict[str, Any]:
    task, evaluation = ready.task, ready.recipe.evaluation
    interval = own_interval(
        task.measure(ready.test_rows, predictions).statistics,
        task.metrics[task.primary_metric],
        ready.corpus.test.units.nodes,
        seed=ready.recipe.seed,
        draws=evaluation.bootstrap_draws,
    ).record()
    return {"score": interval["value"], "low": interval["low"], "high": interval["high"]}


def suggest(ready: Prepared, half: Measured | None, whole: Measured) -> Suggestion:
    """Return whether to annotate more, from what all training examples gained over half of them on the test."""
    if half is None:
        return Suggestion("CANNOT BE TOLD", "Cannot be told: there is no score for half of the data.", None)
    task, recipe, units = ready.task, ready.recipe, ready.corpus.test.units
    resampling = Resampling(recipe.seed, recipe.evaluation.bootstrap_draws)
    interval = difference(task, task.primary_metric, half, whole, units, resampling)
    return judge(
        interval,
        METRIC_NAMES.get(task.primary_metric, task.primary_metric),
        task.discordant(half, whole),
        task.too_rare(task.primary_metric, whole, units),
    )


def judge(interval: Interval, metric: str, discordant: int | None, too_rare: RareClass | None = None) -> Suggestion:
    """Return the suggestion for the interval of what doubling the data gained, positive being better.

    Less than ``SMALL_GAIN`` must be excluded or shown, not merely not found: a wide interval says nothing.
    ``discordant`` counts the examples that only one of the two models got right, for accuracy; ``too_rare`` is a class
    that too few test units have for macro F1.
    """
    changed = (
        f"going from half of the training data to all of it changed {metric} by {interval.value:+.3f} "
        f"(95% interval {interval.low:+.3f} to {interval.high:+.3f}, positive is better)"
    )
    few = interval.units < FEWEST_UNITS or interval.effective_units < FEWEST_EFFECTIVE_UNITS
    if few or not math.isfinite(interval.value):
        reason = f"{interval.units} independent test units are too few" if few else f"{metric} could not be computed"
        return Suggestion("CANNOT BE TOLD", f"Cannot be told: {reason}.", interval)
    if too_rare is not None:
        reason = f'the class "{too_rare.label}" stands in {too_rare.units} independent test units only, of the '
        reason += f"{too_rare.needed} that {metric} needs"
        return Suggestion("CANNOT BE TOLD", f"Cannot be told: {reason}.", interval)
    if interval.high < SMALL_GAIN:
        sentence = f"Flat: {changed}, so more of the same data would not help much."
        return Suggestion("FLAT", sentence, interval)
    if interval.low > 0 and (discordant is None or discordant >= FEWEST_DISCORDANT):
        sentence = f"Still rising: {changed}, so annotate more; another doubling usually gains less than the last."
        return Suggestion("RISING", sentence, interval)
    sentence = (
        f"Cannot be told: {changed}, which leaves room both for a gain and for none worth having; a larger test would "
        "say more."
    )
    return Suggestion("CANNOT BE TOLD", sentence, interval)
