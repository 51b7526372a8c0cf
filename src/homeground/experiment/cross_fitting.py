"""Cross-fitting: small data is tested whole, each example by a model that learned from the other folds only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.evaluation.calibration import TestedModel
from homeground.experiment.head import frozen_predictions
from homeground.experiment.plan import PlannedTraining
from homeground.experiment.setup import Setup
from homeground.experiment.training_run import BaselineModel, open_baseline_model, train_one
from homeground.results.run import Run
from homeground.storage import is_closed, read_array, read_json, write_array, write_json, write_manifest
from homeground.tasks.task import Floats, Measurement
from homeground.training.events import Notice, OnEvent, PartBegins

PREDICTIONS, ANSWERED, FROZEN = "predictions.npy", "answered.npy", "frozen.npy"
"""In the folder of a fold: what its models predict, before and after; which texts are answered; and what a regression
on frozen embeddings predicts."""

UNCALIBRATED = {"before": "uncalibrated_before.npy", "after": "uncalibrated.npy"}
"""In the folder of a fold: what its models predict without their temperatures."""

AS_READ = "as_read.npy"
"""In the folder of a fold: what its models predict, before and after, for all test examples where some are left out."""

MERGED = "merged.json"
"""In the folder of a fold: the merge weight that its validation chose."""


@dataclass(frozen=True)
class CrossFitted:
    """What all examples score when each is measured by the models of its fold."""

    before: TestedModel
    tested: TestedModel
    as_read: tuple[Measurement, Measurement] | None
    """Before and after on all test examples, where some are left out of the verdict."""


def cross_fit(
    run: Run, setup: Setup, planned: Sequence[PlannedTraining], before: Measurement, on_event: OnEvent
) -> CrossFitted:
    """Return before and after when every example is measured by models that learned from the other folds only.

    ``planned`` are the trainings of the folds. Of the models before only a fitted head and a temperature have learned
    anything, so where there is neither ``before`` stays as it is. A fold whose predictions are written is not trained
    again.
    """
    folds = setup.corpus.folds
    assert folds is not None
    assembled: dict[str, NDArray[Any]] = {}
    for training in planned:
        folder = run.folder / training.folder
        if not is_closed(folder, lambda text: on_event(Notice(text))):
            assert training.fold is not None
            on_event(PartBegins(training.folder.as_posix()))
            on_event(Notice(f"fold {training.fold + 1} of {len(planned)}"))
            _train_fold(run, setup, training, folder, before, on_event)
        run.remove_checkpoints(folder)
        predictions = dict(zip(("before", "after"), read_array(folder / PREDICTIONS), strict=True))
        names = (*UNCALIBRATED.values(), ANSWERED)
        predictions |= {name: read_array(folder / name) for name in names if (folder / name).is_file()}
        held_out = folds == training.fold
        for name, values in predictions.items():
            assembled.setdefault(name, np.zeros_like(values))[held_out] = values[held_out]
    answered = assembled.pop(ANSWERED, None)
    measured = {name: setup.test.measure_predictions(values) for name, values in assembled.items()}
    first, second = (TestedModel(measured[side], measured.get(name)) for side, name in UNCALIBRATED.items())
    return CrossFitted(first, replace(second, answered=answered), _as_read(run, setup, planned))


def _as_read(run: Run, setup: Setup, planned: Sequence[PlannedTraining]) -> tuple[Measurement, Measurement] | None:
    """Return before and after on all test examples, each by the models of its fold; None where none is left out."""
    test, folds = setup.test_as_read, setup.corpus.as_read.folds
    if test is None:
        return None
    each = [read_array(run.folder / training.folder / AS_READ) for training in planned]
    assembled = np.zeros_like(each[0])
    for training, predictions in zip(planned, each, strict=True):
        assembled[:, folds == training.fold] = predictions[:, folds == training.fold]
    before, after = (test.measure_predictions(side) for side in assembled)
    return before, after


def _train_fold(
    run: Run, setup: Setup, planned: PlannedTraining, folder: Path, before: Measurement, on_event: OnEvent
) -> None:
    """Write into the folder of a fold what its models predict, closed by a manifest."""
    baseline = open_baseline_model(setup, planned.split(setup), folder, on_event, measured=before)
    trained = train_one(setup, planned, folder, on_event, before=baseline)
    for frozen in frozen_predictions(setup.test, baseline.model, baseline.head).values():
        write_array(folder / FROZEN, frozen)
    tested = trained.tested
    assert tested is not None
    for side, each in (("before", baseline.tested), ("after", tested)):
        if each.uncalibrated is not None:
            write_array(folder / UNCALIBRATED[side], each.uncalibrated.predictions)
    if tested.answered is not None:
        write_array(folder / ANSWERED, tested.answered)
    if trained.merged is not None:
        write_json(folder / MERGED, {"weight": trained.merged.chosen.weight})
    if setup.test_as_read is not None:
        both = trained.measure(setup.test_as_read)
        write_array(folder / AS_READ, np.stack([side.predictions for side in both]))
    write_array(folder / PREDICTIONS, np.stack([baseline.measurement.predictions, tested.measurement.predictions]))
    write_manifest(folder, (PREDICTIONS, ANSWERED, FROZEN, *UNCALIBRATED.values(), AS_READ, MERGED))


def fold_weights(run: Run, setup: Setup) -> list[float] | None:
    """Return the merge weight that each fold's validation chose; None without folds."""
    folders = [fold_folder(run.folder, fold) for fold in range(setup.corpus.number_of_folds)]
    return [float(read_json(folder / MERGED)["weight"]) for folder in folders] or None


def fold_folder(folder: Path, fold: int) -> Path:
    """Return the folder of a fold, which counts from 0; the folders count from 1."""
    return folder / "folds" / str(fold + 1)


def baseline_predictions(run: Run, setup: Setup, before: BaselineModel) -> dict[str, Floats]:
    """Return what cheap methods predict for the test examples, fold by fold where these are cross-fitted."""
    corpus, task, test = setup.corpus, setup.task, setup.test_examples
    if corpus.folds is None:
        return task.baselines(setup.splits.kept.train, test) | frozen_predictions(setup.test, before.model, before.head)
    assembled: dict[str, Floats] = {}
    for fold in range(corpus.number_of_folds):
        predictions = task.baselines(setup.splits.fold(fold).train, test)
        frozen = fold_folder(run.folder, fold) / FROZEN
        if frozen.is_file():
            predictions["frozen embeddings"] = read_array(frozen)
        held_out = corpus.folds == fold
        for name, values in predictions.items():
            assembled.setdefault(name, np.full_like(values, np.nan))[held_out] = values[held_out]
    return assembled
