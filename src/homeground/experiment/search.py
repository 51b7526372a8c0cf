"""The search: a few learning rates and lengths are tried, and validation chooses; the test set is not asked.

    trial 1 is the recipe itself, the others are drawn from its seed
    for every trial, while there is time: train, write search/<number>/trial.json, keep the best snapshots
    the best trial's training becomes the run's own

A trial that is written down is not repeated, so a search that was stopped goes on where it was.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from homeground.errors import TrainingFailed
from homeground.experiment.plan import PlannedTraining, Trial
from homeground.experiment.setup import Setup
from homeground.experiment.training_run import BaselineModel, train_one, validate
from homeground.results.parts import SearchRecord, SearchTrial
from homeground.results.run import Run
from homeground.storage import is_closed, read_json, write_bytes, write_json, write_manifest, written_to
from homeground.training import train
from homeground.training.events import Notice, OnEvent

Attempt = Callable[[PlannedTraining, Path], float]
"""Carries out a planned training in a folder, and returns what the weights it keeps score on validation."""


def search_settings(
    run: Run, setup: Setup, planned: Sequence[PlannedTraining], before: BaselineModel, on_event: OnEvent
) -> SearchRecord | None:
    """Try settings on validation and bring the best training into the run; None where no trial is planned."""
    if not planned:
        return None
    monitor = train.monitored(setup.task, setup.recipe, validated=True)

    def attempt(trial: PlannedTraining, folder: Path) -> float:
        trained = train_one(setup, trial, folder, on_event, before=before)
        # What the kept weights score, whichever of them --keep says, and however often the trial was resumed.
        return validate(trained.tuned, setup, setup.splits.kept).get(monitor, math.nan)

    return search(
        planned,
        run,
        attempt,
        metric=monitor,
        greater_is_better=train.monitor_direction(monitor),
        minutes=setup.recipe.search.search_minutes,
        report=lambda text: on_event(Notice(text)),
    )


def search(
    planned: Sequence[PlannedTraining],
    run: Run,
    attempt: Attempt,
    *,
    metric: str,
    greater_is_better: bool,
    minutes: float | None = None,
    report: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> SearchRecord:
    """Carry out the trials that are not written down yet, and bring the best one's training into the run.

    Of equal trials the first is chosen, so the recipe's own settings give way only to better ones. No trial begins once
    ``minutes`` were spent on earlier ones; of a trial that was interrupted only the last part counts as spent.

    Raises:
        TrainingFailed: every trial failed; the message is that of the first.
    """
    trials: list[SearchTrial] = []
    stopped_because = "all trials are done"
    for trial in planned:
        # Only what is written down is counted, so that a search that goes on ends where the unbroken one would have.
        if trials and minutes is not None and sum(each.seconds or 0.0 for each in trials) >= 60 * minutes:
            stopped_because = f"{minutes:g} minutes were over"
            break
        number, folder = trial.number, run.folder / trial.folder
        if not is_closed(folder, report):
            report(f"trial {number} of {len(planned)}: {trial.settings}")
            write_json(folder / RESULT, _carry_out(trial, folder, attempt, metric, clock).to_json())
            write_manifest(folder, [RESULT])
        trials.append(SearchTrial.model_validate(read_json(folder / RESULT)))
        best = best_trial(trials, greater_is_better=greater_is_better)
        report(f"trial {number} of {len(planned)}: {_outcome(trials[-1], metric, best=best == number)}")
        for other in planned[:number]:
            if other.number != best:
                run.remove_checkpoints(run.folder / other.folder)
    chosen = best_trial(trials, greater_is_better=greater_is_better)
    if chosen is None:
        raise TrainingFailed(f"none of the {len(trials)} trials of the search can be used; trial 1: {trials[0].failed}")
    report(f"trial {chosen} is chosen: {planned[chosen - 1].settings}")
    _adopt(run, run.folder / planned[chosen - 1].folder)
    return SearchRecord(trials=tuple(trials), chosen=chosen, metric=metric, stopped_because=stopped_because)


RESULT = "trial.json"
"""In the folder of a trial: what came of it."""


def best_settings(record: SearchRecord) -> Trial:
    """Return the settings that validation chose."""
    best = record.trials[record.chosen - 1]
    return Trial(best.learning_rate, best.epochs)


def _carry_out(
    trial: PlannedTraining, folder: Path, attempt: Attempt, metric: str, clock: Callable[[], float]
) -> SearchTrial:
    """Carry out one trial; a loss that is not finite is an outcome like any other."""
    began = clock()
    score, failed = math.nan, None
    try:
        score = attempt(trial, folder)
    except TrainingFailed as error:
        failed = f"{error}"
    if failed is None and not math.isfinite(score):
        failed = f"{metric} is not defined"
    folder.mkdir(parents=True, exist_ok=True)
    return SearchTrial(
        learning_rate=trial.settings.learning_rate,
        epochs=trial.settings.epochs,
        score=None if failed else score,
        failed=failed,
        seconds=round(clock() - began, 1),
    )


def best_trial(trials: Sequence[SearchTrial], *, greater_is_better: bool) -> int | None:
    """Return the number of the best trial, from 1 and the first among equals, or None where all failed."""
    sign = 1 if greater_is_better else -1
    scores = {number: sign * each.score for number, each in enumerate(trials, start=1) if each.score is not None}
    return max(scores, key=scores.__getitem__) if scores else None


def _outcome(trial: SearchTrial, metric: str, *, best: bool) -> str:
    if trial.score is None:
        return f"failed, {trial.failed}"
    return f"{metric} {trial.score:.4f}{' (best so far)' if best else ''}"


def _adopt(run: Run, folder: Path) -> None:
    """Move a trial's training to where the run's own would have been made; one that was moved before is there already.

    The training then finds itself finished. Were the snapshots lost it would be made again, with the same weights.
    Those of a trial that was made again take the place of what was moved before.
    """
    if (folder / "checkpoints").is_dir():
        write_bytes(run.folder / "metrics.jsonl", (folder / "metrics.jsonl").read_bytes())
        with written_to(run.folder):
            shutil.rmtree(run.folder / "checkpoints", ignore_errors=True)
            (folder / "checkpoints").rename(run.folder / "checkpoints")
