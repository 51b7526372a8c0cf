"""One model learns: its new head is fitted, its weights are trained and, where asked, merged back towards its base.

Once for the model that is kept, and once more for every trial of a search and every fold of a cross-fitting.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.engines import open_engine
from homeground.engines.model import Model, Trainable
from homeground.errors import Stopped
from homeground.evaluation import calibration
from homeground.evaluation.calibration import Calibration, Tested
from homeground.evaluation.evaluate import evaluate, mean_loss
from homeground.evaluation.general import GeneralSet
from homeground.evaluation.merging import Merged, Validated, merge
from homeground.experiment.head import FittedHead, NewHead, TrainedMaskedHead, fit_head, probabilities, vectors_of
from homeground.experiment.preparation import Lesson, Prepared
from homeground.experiment.search import Search, Trial, draw_trials, search
from homeground.results.run import Run
from homeground.storage import new_folder, read_array, read_json, write_array, write_json
from homeground.tasks.task import Measured, Rows
from homeground.training import signals, train
from homeground.training.loggers import MetricsLog, logged


@dataclass(frozen=True, slots=True)
class Note:
    """Something to tell the user while a run goes on."""

    text: str


Listener = Callable[[Note | train.Event], None]

PREDICTIONS, UNCALIBRATED, ANSWERED, FROZEN = "predictions.npy", "uncalibrated.npy", "answered.npy", "frozen.npy"
"""In the folder of a fold: what its models predict, before and after; after, without the temperature; which texts are
answered; and what a regression on frozen embeddings predicts."""

HEAD, MASKED_HEAD = "head", "head.json"
"""The folder in which a head for masked words is trained, and its record there."""

MASKED_HEAD_TRAINING = {"learning_rate": 1e-3, "epochs": 10, "patience": 1, "min_delta": 0.02, "keep": "best"}
"""How a head for masked words is trained while its body is frozen: with a rate of its own, until an epoch gains less
than 0.02 nats."""

HEAD_BLOCKS = 4000
"""Blocks of text that such a head is fitted to at most: with its body frozen it learns little from more of them."""

MERGED = "merged.json"
"""In the folder of a fold: the merge weight that its validation chose."""


def open_before(ready: Prepared, lesson: Lesson, tell: Listener, home: Path) -> tuple[Model, NewHead | None]:
    """Return the model to compare with, and its head where that is new: fitted to convergence, so that it is fair.

    A head for masked words is trained under ``home``.
    """
    base = _open(ready)
    if not base.head.is_new:
        return base, None
    if ready.task.head == "masked_lm":
        head = _fit_masked_head(ready, lesson, tell, home / HEAD)
        head.put_on(base)
        return base, head
    tell(Note("fitting the new head on frozen features"))
    size, seed = ready.recipe.evaluation.evaluation_batch_size, ready.recipe.seed
    head = fit_head(base, ready.task, lesson.train, lesson.validation, seed=seed, size=size)
    head.put_on(base)
    return base, head


def _fit_masked_head(ready: Prepared, lesson: Lesson, tell: Listener, home: Path) -> TrainedMaskedHead:
    """Train the head alone, the body frozen, until validation gets no better; go on where that was stopped."""
    if not (home / MASKED_HEAD).is_file():
        tell(Note("the checkpoint has no trained head for masked words: fitting one first, its body frozen"))
        if ready.recipe.evaluation.general:
            tell(Note("no verdict on general text: what a head fitted to the domain makes of it says nothing"))
        model = _open(ready, to_train=True, trainable="head")
        lesson = replace(lesson, train=lesson.train.some(HEAD_BLOCKS, seed=ready.recipe.seed))
        # In nats, as its min_delta is, whatever the run itself goes by.
        monitor = "train/epoch_loss" if lesson.validation is None else "validation/masked_loss"
        settings = with_training(ready, **MASKED_HEAD_TRAINING, monitor=monitor)
        finished = _run(settings, model, home, None, tell, lesson)
        record = {"why": "the checkpoint has no trained head for masked words", **MASKED_HEAD_TRAINING}
        record |= {"steps": finished.step, "best_step": finished.best_step, "stopped_because": finished.reason}
        with new_folder(home / "model") as folder:
            model.save(folder)
        write_json(home / MASKED_HEAD, {**record, "curve": logged(home, "validation/masked_loss")})
    return TrainedMaskedHead(home / "model", read_json(home / MASKED_HEAD))


def fit(
    ready: Prepared,
    home: Path,
    before: Measured,
    tell: Listener,
    lesson: Lesson,
    head: NewHead | None,
    *,
    seed: int | None = None,
) -> tuple[Model, train.Finished]:
    """Train one model under ``home``, going on from its checkpoints; Ctrl-C and SIGTERM save first.

    ``seed`` is that of the training alone, its batches and dropout, else the run's own.
    """
    if seed is not None:
        recipe = ready.recipe.model_copy(update={"seed": seed})
        ready = replace(ready, recipe=recipe, task=ready.task.trained_with(seed))
    model = _open(ready, to_train=True)
    if head is not None:
        head.put_on(model)
    return model, _run(ready, model, home, before, tell, lesson)


def _run(
    ready: Prepared, model: Model, home: Path, before: Measured | None, tell: Listener, lesson: Lesson
) -> train.Finished:
    """Train a model to the end of its recipe, and log what happens."""
    log = MetricsLog(home)
    try:
        with signals.Signals() as stop:
            for event in train.train(
                model,
                ready.task,
                lesson.train,
                ready.recipe,
                home=home,
                evaluate=None if lesson.validation is None else lambda model: _validate(model, ready, lesson),
                stop=stop,
                fingerprint=before and ready.fingerprint(before),
            ):
                log(event)
                tell(event)
                if isinstance(event, train.Finished):
                    return event
                if isinstance(event, train.Stopped):
                    raise Stopped(
                        f"stopped after step {event.step}, and saved; the same command goes on from there",
                        signal_number=event.signal_number,
                    )
    finally:
        log.close()
    raise AssertionError("a training ends with Finished or Stopped")


def search_settings(run: Run, ready: Prepared, before: Measured, tell: Listener, head: NewHead | None) -> Search | None:
    """Try settings on validation and bring the best training into the run; None where no search was asked for."""
    recipe, task = ready.recipe, ready.task
    if not recipe.search.search:
        return None
    monitor = train.monitored(task, recipe, validated=True)

    def attempt(trial: Trial, home: Path) -> float:
        model, _ = fit(with_trial(ready, trial), home, before, tell, ready.lesson, head)
        # What the weights that are kept score, whichever of them --keep says, and however often the trial was resumed.
        return _validate(model, ready, ready.lesson).get(monitor, math.nan)

    return search(
        draw_trials(recipe),
        run,
        attempt,
        metric=monitor,
        greater_is_better=train.greater_is_better(task, monitor),
        minutes=recipe.search.search_minutes,
        say=lambda text: tell(Note(text)),
    )


def with_trial(ready: Prepared, trial: Trial) -> Prepared:
    """Return the same preparation with the learning rate and the epochs of a trial."""
    return with_training(ready, learning_rate=trial.learning_rate, epochs=trial.epochs)


def with_training(ready: Prepared, **values: Any) -> Prepared:
    """Return the same preparation with other values in [training]."""
    return replace(ready, recipe=ready.recipe.with_training(**values))


def keep_general(ready: Prepared, base: Model, tuned: Model, tell: Listener, lesson: Lesson) -> Merged | None:
    """Merge a tuned model back as far as keeps general ability; None where that was not asked for."""
    chooses = GeneralSet.of(ready, ready.kept_general)
    if chooses is None or lesson.validation is None:
        return None
    recipe, rows = ready.recipe, lesson.validation
    size = recipe.evaluation.evaluation_batch_size
    domain = Validated(
        lesson.task, lambda model: evaluate(model, lesson.task, rows, batch_size=size), lesson.validation_units
    )
    general = Validated(chooses.task, chooses.measure, chooses.units)
    margin = recipe.evaluation.general_margin or chooses.task.margin
    engine = open_engine(recipe.engine)
    return merge(
        base,
        lambda weight: engine.merge(base, tuned, weight),
        domain,
        general,
        margin=margin,
        seed=recipe.seed,
        told=lambda text: tell(Note(text)),
    )


def calibrate(ready: Prepared, model: Model, tell: Listener, lesson: Lesson) -> Calibration | None:
    """Set the probabilities of a final model right on validation; None where it gives no labels or nothing is asked."""
    asked, task = ready.recipe.evaluation, ready.task
    if not task.labels or not (asked.calibrate or asked.target_precision is not None):
        return None
    found = calibration.calibrate(
        model,
        task,
        lesson.validation,
        lesson.validation_units,
        temperature=asked.calibrate,
        target_precision=asked.target_precision,
        batch_size=asked.evaluation_batch_size,
    )
    remark = f": {found.remark}" if found.remark else f", fitted on {found.validation_examples} validation examples"
    tell(Note(f"temperature {found.temperature:.3g}{remark}"))
    if found.abstaining is not None:
        tell(Note(found.abstaining.sentence()))
    return found


def measure_calibrated(model: Model, ready: Prepared, found: Calibration | None) -> Tested:
    """Return what an adapted model scores on the test examples, beside what it would without its temperature."""
    if found is None:
        return Tested(measure(model, ready))
    size = ready.recipe.evaluation.evaluation_batch_size
    return calibration.measure_calibrated(model, ready.task, ready.test_rows, found, batch_size=size)


def measure(model: Model, ready: Prepared) -> Measured:
    """Return what a model scores on the test examples."""
    return evaluate(model, ready.task, ready.test_rows, batch_size=ready.recipe.evaluation.evaluation_batch_size)


def frozen_embeddings(base: Model, ready: Prepared, head: NewHead | None) -> dict[str, NDArray[np.float64]]:
    """Return what a regression on frozen embeddings predicts for the test examples; nothing without a new head."""
    if not isinstance(head, FittedHead):
        return {}
    size = ready.recipe.evaluation.evaluation_batch_size
    vectors = vectors_of(base, ready.task, ready.test_rows, size=size)["mean"]
    several = ready.task.loss == "binary_cross_entropy"
    return {"frozen embeddings": probabilities(head.frozen, vectors, several=several)}


def cross_fit(
    run: Run, ready: Prepared, before: Measured, tell: Listener, *, seed: int | None = None
) -> tuple[Measured, Tested]:
    """Return before and after when every example is measured by models that learned from the other folds only.

    Of the models before only a fitted head has learned anything, so where there is none ``before`` stays as it is.
    ``seed`` is that of the trainings alone; the folds follow from the run's own.
    """
    assert ready.corpus.folds is not None
    assembled: dict[str, NDArray[Any]] = {}
    for fold in range(ready.corpus.number_of_folds):
        home = fold_home(run, fold)
        if not (home / PREDICTIONS).is_file():
            tell(Note(f"fold {fold + 1} of {ready.corpus.number_of_folds}"))
            _learn_fold(run, ready, fold, before, tell, seed)
        sides = dict(zip(("before", "after"), read_array(home / PREDICTIONS), strict=True))
        sides |= {name: read_array(home / name) for name in (UNCALIBRATED, ANSWERED) if (home / name).is_file()}
        held_out = ready.corpus.folds == fold
        for name, given in sides.items():
            assembled.setdefault(name, np.zeros_like(given))[held_out] = given[held_out]
    answered = assembled.pop(ANSWERED, None)
    measured = {name: ready.task.measure(ready.test_rows, given) for name, given in assembled.items()}
    return measured["before"], Tested(measured["after"], measured.get(UNCALIBRATED), answered)


def _learn_fold(run: Run, ready: Prepared, fold: int, before: Measured, tell: Listener, seed: int | None) -> None:
    """Write into the folder of a fold what its models predict, ``PREDICTIONS`` last."""
    home, lesson = fold_home(run, fold), ready.lesson_of_fold(fold)
    base, head = open_before(ready, lesson, tell, home)
    own_before = before if head is None else measure(base, ready)
    model, _ = fit(ready, home, own_before, tell, lesson, head, seed=seed)
    merged = keep_general(ready, base, model, tell, lesson)
    model = merged.model if merged else model
    tested = measure_calibrated(model, ready, calibrate(ready, model, tell, lesson))
    for frozen in frozen_embeddings(base, ready, head).values():
        write_array(home / FROZEN, frozen)
    if tested.uncalibrated is not None:
        write_array(home / UNCALIBRATED, tested.uncalibrated.predictions)
    if tested.answered is not None:
        write_array(home / ANSWERED, tested.answered)
    if merged is not None:
        write_json(home / MERGED, {"weight": merged.chosen.weight})
    write_array(home / PREDICTIONS, np.stack([own_before.predictions, tested.after.predictions]))
    run.remove_checkpoints(home)


def fold_weights(run: Run, ready: Prepared) -> list[float] | None:
    """Return the merge weight that each fold's validation chose; None without folds."""
    homes = [fold_home(run, fold) for fold in range(ready.corpus.number_of_folds)]
    return [float(read_json(home / MERGED)["weight"]) for home in homes] or None


def fold_home(run: Run, fold: int) -> Path:
    """Return the folder of a fold, which counts from 0; the folders count from 1."""
    return run.folder / "folds" / str(fold + 1)


def _open(ready: Prepared, *, to_train: bool = False, trainable: Trainable = "all") -> Model:
    recipe = ready.recipe
    return open_engine(recipe.engine).open_model(
        ready.checkpoint,
        head=ready.task.head,
        loss=ready.task.loss,
        encoder=recipe.encoder,
        training=recipe.training if to_train else None,
        seed=recipe.seed,
        labels=ready.task.labels,
        trainable=trainable,
    )


def _validate(model: Model, ready: Prepared, lesson: Lesson) -> dict[str, float]:
    """Return loss and metrics on validation, and the deciding metric on a sample of what is learned from.

    The names are those of metrics.jsonl. Both are measured alike, so that their distance shows memorising.
    """
    recipe, task, metric = ready.recipe, lesson.task, ready.task.primary_metric

    def scores_on(rows: Rows) -> dict[str, float]:
        return dict(evaluate(model, task, rows, batch_size=recipe.evaluation.evaluation_batch_size).scores)

    scores, learned = scores_on(lesson.validation), scores_on(lesson.sample)
    known = scores.get(task.loss_metric) if task.loss_metric else None
    size = recipe.training.batch_size
    loss = mean_loss(model, task, lesson.validation, batch_size=size) if known is None else known
    sampled = {f"train/{metric}": learned[metric]} if metric in learned else {}
    return {"validation/loss": loss, **sampled, **{f"validation/{name}": value for name, value in scores.items()}}
