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

from homeground.data.shares import Share
from homeground.data.units import MIN_UNITS
from homeground.errors import TrainingFailed
from homeground.experiment.cross_fitting import FROZEN, PREDICTIONS
from homeground.experiment.head import frozen_predictions
from homeground.experiment.plan import PlannedTraining
from homeground.experiment.setup import Setup
from homeground.experiment.training_run import open_baseline_model, train_one
from homeground.results.parts import CurveGap, CurvePoint, CurveScore, LearningCurveRecord
from homeground.results.run import Run
from homeground.results.writing import interval_fields, interval_record
from homeground.statistics.bootstrap import FEWEST_EFFECTIVE_UNITS, Interval
from homeground.statistics.glossary import metric as words_of
from homeground.statistics.paired_shares import FEWEST_DISCORDANT
from homeground.storage import is_closed, read_array, read_json, write_array, write_json, write_manifest
from homeground.tasks.task import Floats, Measurement, RareClass
from homeground.training.events import Notice, OnEvent, PartBegins

RESULT = "result.json"

INCONCLUSIVE = "INCONCLUSIVE"

SMALL_GAIN = 0.01
"""Where doubling the data is shown to have gained less than this, more of the same would not help much."""


@dataclass(frozen=True)
class ShareOutcome:
    """What came of one share: what its models and the cheap methods predict for the test, or why there is nothing."""

    per_cent: int
    examples: int
    before: Floats | None
    after: Floats | None
    baselines: Mapping[str, Floats]
    seconds: float | None
    left_out: str | None


@dataclass(frozen=True)
class Suggestion:
    """What the curve suggests, in a word and a sentence, and the interval it rests on."""

    word: str
    sentence: str
    difference: Interval | None


def train_shares(
    run: Run, setup: Setup, planned: Sequence[PlannedTraining], before: Measurement, on_event: OnEvent
) -> list[ShareOutcome]:
    """Train on every share that is not done yet, smallest first; nothing where no learning curve was asked for.

    ``before`` is that of the run: what is compared with where no head is fitted.
    """
    trainings = {training.share.per_cent: training for training in planned if training.share is not None}
    return [
        _outcome(share, trainings.get(share.per_cent), run, setup, before, on_event) for share in setup.splits.shares
    ]


def _outcome(
    share: Share, planned: PlannedTraining | None, run: Run, setup: Setup, before: Measurement, on_event: OnEvent
) -> ShareOutcome:
    """Return what came of one share, from its folder where that is finished."""
    examples, left_out = len(share.part), share.left_out
    result: dict[str, Any] = {}
    if planned is not None:
        folder = run.folder / planned.folder
        if not is_closed(folder, lambda text: on_event(Notice(text))):
            on_event(PartBegins(planned.folder.as_posix()))
            on_event(Notice(f"learning from {share.per_cent}% of the training data, {examples} examples"))
            began = time.monotonic()
            failed = _train(planned, folder, setup, before, on_event)
            folder.mkdir(parents=True, exist_ok=True)
            seconds = round(time.monotonic() - began, 1)
            write_json(folder / RESULT, {"examples": examples, "seconds": seconds, "failed": failed})
            write_manifest(folder, (RESULT, PREDICTIONS, FROZEN))
        run.remove_checkpoints(folder)
        result = read_json(folder / RESULT)
        left_out = result["failed"]
        if not left_out:
            own_before, after = read_array(folder / PREDICTIONS)
            baselines = dict(setup.task.baselines(setup.splits.share(share).train, setup.test_examples))
            if (folder / FROZEN).is_file():
                baselines["frozen embeddings"] = read_array(folder / FROZEN)
            return ShareOutcome(share.per_cent, examples, own_before, after, baselines, result["seconds"], None)
    on_event(Notice(f"{share.per_cent}% of the training data is left out: it {left_out}"))
    return ShareOutcome(share.per_cent, examples, None, None, {}, result.get("seconds"), left_out)


def _train(planned: PlannedTraining, folder: Path, setup: Setup, before: Measurement, on_event: OnEvent) -> str | None:
    """Train on one share and write what it predicts; a loss that is not finite is an outcome like any other."""
    baseline = open_baseline_model(setup, planned.split(setup), folder, on_event, measured=before)
    try:
        trained = train_one(setup, planned, folder, on_event, before=baseline)
    except TrainingFailed as error:
        return f"failed: {error}"
    for frozen in frozen_predictions(setup.test, baseline.model, baseline.head).values():
        write_array(folder / FROZEN, frozen)
    write_array(folder / PREDICTIONS, np.stack([baseline.measurement.predictions, trained.after.predictions]))
    return None


def learning_curve(
    setup: Setup,
    outcomes: Sequence[ShareOutcome],
    before: Measurement,
    after: Measurement,
    baselines: Mapping[str, Floats],
) -> LearningCurveRecord | None:
    """Return what scores.json says of the curve, its last point the run itself; None where none was asked for."""
    if not outcomes:
        return None
    examples = len(setup.corpus.train)
    whole = ShareOutcome(100, examples, before.predictions, after.predictions, baselines, None, None)
    half = next((each.after for each in outcomes if each.per_cent == 50), None)
    suggestion = suggest(setup, None if half is None else setup.test.measure_predictions(half), after)
    return LearningCurveRecord(
        metric=setup.test.primary_metric,
        points=tuple(_point(setup, each) for each in (*outcomes, whole) if each.left_out is None),
        left_out=tuple(
            CurveGap(share=each.per_cent, examples=each.examples, reason=each.left_out)
            for each in outcomes
            if each.left_out
        ),
        suggestion=suggestion.word,
        sentence=suggestion.sentence,
        difference=suggestion.difference
        and interval_record(suggestion.difference, ends=setup.test.rare_class(after) is None),
    )


def _point(setup: Setup, outcome: ShareOutcome) -> CurvePoint:
    """Return the primary metric of both models with their own intervals, and that of the baselines."""
    sides = {"before": outcome.before, "after": outcome.after}
    return CurvePoint(
        share=outcome.per_cent,
        examples=outcome.examples,
        seconds=outcome.seconds,
        **{side: _score(setup, predictions) for side, predictions in sides.items() if predictions is not None},
        baselines={
            name: setup.test.measure_predictions(predictions).scores.get(setup.test.primary_metric)
            for name, predictions in outcome.baselines.items()
        },
    )


def _score(setup: Setup, predictions: Floats) -> CurveScore:
    measured = setup.test.measure_predictions(predictions)
    fields = interval_fields(setup.test.score_interval(measured), ends=setup.test.rare_class(measured) is None)
    return CurveScore(score=fields["value"], low=fields["low"], high=fields["high"])


def suggest(setup: Setup, half: Measurement | None, whole: Measurement) -> Suggestion:
    """Return whether to annotate more, from what all training examples gained over half of them on the test."""
    if half is None:
        return Suggestion(INCONCLUSIVE, "Inconclusive: there is no score for half of the data.", None)
    test, metric = setup.test, setup.test.primary_metric
    return judge_gain(
        test.difference(half, whole, cautious=True),
        words_of(metric).in_sentences,
        test.count_discordant(half, whole),
        test.rare_class(whole),
    )


def judge_gain(
    interval: Interval, metric: str, discordant: int | None, too_rare: RareClass | None = None
) -> Suggestion:
    """Return the suggestion for the interval of what doubling the data gained, positive being better.

    Less than ``SMALL_GAIN`` must be excluded or shown, not merely not found: a wide interval says nothing. For a share
    the interval must be a cautious one, see ``EvaluationSet.difference``, and ``discordant`` counts the units that
    changed; ``too_rare`` is a class that too few test units have for macro F1.
    """
    if not interval.trusted or too_rare is not None:
        return Suggestion(INCONCLUSIVE, f"Inconclusive: {_shortage(interval, metric, too_rare)}.", interval)
    changed = (
        f"going from half of the training data to all of it changed {metric} by {interval.value:+.3f} "
        f"(95% interval {interval.low:+.3f} to {interval.high:+.3f}, positive is better)"
    )
    if interval.high < SMALL_GAIN:
        sentence = f"Flat: {changed}, so more of the same data would not help much."
        return Suggestion("FLAT", sentence, interval)
    if interval.low > 0 and (discordant is None or discordant >= FEWEST_DISCORDANT):
        sentence = f"Still rising: {changed}, so annotate more; another doubling usually gains less than the last."
        return Suggestion("RISING", sentence, interval)
    sentence = (
        f"Inconclusive: {changed}, which leaves room both for a gain and for none worth having; a larger test would "
        "say more."
    )
    return Suggestion(INCONCLUSIVE, sentence, interval)


def _shortage(interval: Interval, metric: str, too_rare: RareClass | None) -> str:
    """Return why an interval suggests nothing."""
    if interval.units < MIN_UNITS:
        return f"{interval.units} independent test units are too few; at least {MIN_UNITS} are needed"
    if interval.effective_units < FEWEST_EFFECTIVE_UNITS:
        return f"a few of the {interval.units} independent test units hold most of the examples, which are too few"
    if too_rare is not None and math.isfinite(interval.value):
        return (
            f'the class "{too_rare.label}" occurs in {too_rare.units} independent test units only, of the '
            f"{too_rare.needed} that {metric} needs"
        )
    return f"{metric} could not be computed"
