"""All trainings of a recipe are carried out: what they measured, and the model that is kept."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from homeground.evaluation.calibration import TestedModel, measure_calibrated
from homeground.evaluation.evaluation_set import EvaluationSet
from homeground.evaluation.left_out import LeftOut
from homeground.experiment.cross_fitting import CrossFitted, cross_fit
from homeground.experiment.learning_curve import ShareOutcome, train_shares
from homeground.experiment.plan import PlannedTraining, Trial, plan
from homeground.experiment.search import best_settings, search_settings
from homeground.experiment.seeds import train_further_seeds
from homeground.experiment.setup import Setup
from homeground.experiment.splits import words_decide
from homeground.experiment.training_run import BaselineModel, Trained, open_baseline_model, train_one
from homeground.results.parts import SearchRecord
from homeground.results.run import Run
from homeground.tasks.task import Measurement, MeasuresWords
from homeground.training.events import Notice, OnEvent, PartBegins


@dataclass(frozen=True)
class BeforeAndAfter:
    """What both models score on one further evaluation set."""

    examples: EvaluationSet
    before: Measurement
    after: Measurement


@dataclass(frozen=True)
class Outcome:
    """What the trainings of a recipe measured.

    ``tested_before`` and ``tested`` are on the test examples, cross-fitted those of the folds' models.
    ``further_seeds`` are what the trainings after the first score there.
    """

    baseline: BaselineModel
    kept: Trained
    settings: Trial
    tested_before: TestedModel
    tested: TestedModel
    further_seeds: list[Measurement]
    shares: list[ShareOutcome]
    search: SearchRecord | None
    general: BeforeAndAfter | None
    words: BeforeAndAfter | None
    left_out: LeftOut | None
    seconds: float

    @property
    def before(self) -> Measurement:
        """What the model before scores on the test examples."""
        return self.tested_before.measurement

    @property
    def after(self) -> Measurement:
        """What the adapted model scores on the test examples."""
        return self.tested.measurement


def carry_out(run: Run, setup: Setup, on_event: OnEvent) -> Outcome:
    """Carry out the plan of a setup, going on where an earlier call stopped.

    Raises:
        Stopped: a signal came; everything is saved.
        TrainingFailed: a loss was not finite.
    """
    began = time.monotonic()
    planned, kept = plan(setup), setup.splits.kept
    baseline = open_baseline_model(setup, kept, run.folder, on_event)
    on_event(Notice(f"measuring before, on {len(setup.test)} test examples"))
    keeps_general = baseline.head is None or baseline.head.keeps_general
    further = [setup.general if keeps_general else None, word_set(setup)]
    further_before = [None if each is None else each.for_before.measure(baseline.model) for each in further]

    folds = [training for training in planned if training.kind == "fold" and training.number == 1]
    crossed = cross_fit(run, setup, folds, baseline.measurement, on_event) if folds else None
    trials = [training for training in planned if training.kind == "trial"]
    search = search_settings(run, setup, trials, baseline, on_event)
    settings = planned[-1].settings if search is None else best_settings(search)
    planned = [replace(training, settings=settings) for training in planned]
    shares = train_shares(run, setup, _of_kind(planned, "share"), baseline.measurement, on_event)
    seeds = [training for training in planned if training.kind in ("seed", "fold") and training.number > 1]
    further_seeds = train_further_seeds(run, setup, seeds, baseline, on_event)
    trained = train_one(setup, replace(planned[-1], tested=False), run.folder, on_event, before=baseline)

    on_event(PartBegins("after"))
    on_event(Notice(f"measuring after, on {len(setup.test)} test examples"))
    before, tested = baseline.tested, None
    if crossed is not None:
        before, tested = crossed.before, crossed.tested
    tested = tested or measure_calibrated(trained.model, setup.test, trained.calibration)
    general, words = (
        None
        if examples is None or measured is None
        else BeforeAndAfter(examples, measured, examples.measure(trained.model))
        for examples, measured in zip(further, further_before, strict=True)
    )
    return Outcome(
        baseline=baseline,
        kept=trained,
        settings=settings,
        tested_before=before,
        tested=tested,
        further_seeds=further_seeds,
        shares=shares,
        search=search,
        general=general,
        words=words,
        left_out=_left_out(setup, trained, crossed, (before.measurement, tested.measurement)),
        seconds=time.monotonic() - began,
    )


def _left_out(
    setup: Setup, trained: Trained, crossed: CrossFitted | None, tested: tuple[Measurement, Measurement]
) -> LeftOut | None:
    """Return what both models score with the test examples that were learned from; None where none is left out.

    ``tested`` is what both score on the test.
    """
    test = setup.test if setup.nothing_left else setup.test_as_read
    if test is None:
        return None
    if setup.nothing_left:
        before, after = tested
    elif crossed is not None and crossed.as_read is not None:
        before, after = crossed.as_read
    else:
        before, after = trained.measure(test)
    contamination = setup.contamination
    counts = {name: len(rows) for name, rows in contamination.seen.items()}
    return LeftOut(len(contamination.rows), counts, setup.where_seen, test, before, after)


def word_set(setup: Setup) -> EvaluationSet | None:
    """Return the words of the test documents that a run asks for, None where it does not ask."""
    count, task = setup.recipe.evaluation.pll, setup.task
    if not count or not isinstance(task, MeasuresWords) or words_decide(setup.recipe):
        return None
    words, rows = task.word_rows(setup.corpus.test.examples, count, setup.tokens, max_length=setup.max_length)
    return setup.test.with_words(words, rows)


def _of_kind(planned: list[PlannedTraining], kind: str) -> list[PlannedTraining]:
    return [training for training in planned if training.kind == kind]
