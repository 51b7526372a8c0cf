"""One training: its new head is fitted, its weights are trained and, where asked, merged back towards their base.

Once for the model that is kept, and once more for every fold, trial, share and further seed of the plan.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from homeground.engines import open_engine
from homeground.engines.model import Model, Trainable
from homeground.errors import Stopped, TrainingFailed
from homeground.evaluation.calibration import Calibration, TestedModel, calibrate, measure_calibrated
from homeground.evaluation.evaluate import mean_loss
from homeground.evaluation.evaluation_set import EvaluationSet
from homeground.evaluation.merging import Merged, merge
from homeground.experiment.head import NewHead, TrainedHead, fit_head
from homeground.experiment.plan import PlannedTraining
from homeground.experiment.setup import Setup
from homeground.experiment.splits import TrainingSplit
from homeground.recipe.recipe import Recipe
from homeground.results.parts import MaskedHeadRecord
from homeground.storage import is_closed, new_folder, read_json, write_json, write_manifest
from homeground.tasks.task import Measurement, Sampled, TokenizedExamples
from homeground.training import events, signals, train
from homeground.training.events import Notice, OnEvent, PartBegins
from homeground.training.loggers import MetricsLog, logged

PACKAGES = ("homeground", "tokenizers", "numpy")
"""What the results depend on besides the engine and its libraries."""

HEAD_FOLDER, HEAD_RECORD = "head", "head.json"
"""The folder in which a head that no regression fits is trained, and its record there."""

HEAD_TRAINING = {"learning_rate": 1e-3, "epochs": 10, "patience": 1, "min_delta": 0.02, "keep": "best"}
"""How such a head is trained while its body is frozen: with a rate of its own, until an epoch gains less
than 0.02 nats."""

MAX_ROWS_NAMED = 32
"""Rows of a failed step that are named."""

MAX_HEAD_BLOCKS = 4000
"""Blocks of text that it is fitted to at most: with its body frozen it learns little from more of them."""


@dataclass(frozen=True)
class BaselineModel:
    """The model to compare with, so that the comparison is fair.

    A new ``head`` is fitted to convergence. ``tested`` is what it scores on the test with the temperature of its
    ``calibration``, which its weights do not hold: training starts from them.
    """

    model: Model
    head: NewHead | None
    tested: TestedModel
    calibration: Calibration | None = None

    @property
    def measurement(self) -> Measurement:
        """What the model scores on the test."""
        return self.tested.measurement


@dataclass(frozen=True)
class Trained:
    """What came of one training.

    ``tuned`` are the trained weights, ``model`` the same after merging and calibrating; ``tested`` is what that model
    scores on the test, None where the test was not to be asked.
    """

    model: Model
    tuned: Model
    before: BaselineModel
    tested: TestedModel | None
    merged: Merged | None
    calibration: Calibration | None
    finished: events.Finished
    seconds: float

    def measure(self, examples: EvaluationSet) -> tuple[Measurement, Measurement]:
        """Return what the models before and after score on other examples than the test."""
        before = self.before
        first = measure_calibrated(before.model, examples.for_before, before.calibration)
        return first.measurement, measure_calibrated(self.model, examples, self.calibration).measurement

    @property
    def after(self) -> Measurement:
        """What the model scores on the test."""
        assert self.tested is not None
        return self.tested.measurement


def train_one(
    setup: Setup, planned: PlannedTraining, folder: Path, on_event: OnEvent, *, before: BaselineModel | None = None
) -> Trained:
    """Carry out one training of the plan under ``folder``, going on from its snapshots where there are some.

    ``before`` is the model to compare with; without it one is opened for this training's own split, and its new head is
    fitted to that split. Ctrl-C and SIGTERM save first.

    Raises:
        Stopped: a signal came.
        TrainingFailed: a loss was not finite.
    """
    began = time.monotonic()
    on_event(PartBegins(planned.folder.as_posix()))
    split = planned.split(setup)
    before = before or open_baseline_model(setup, split, folder, on_event)
    recipe = with_settings(setup.recipe, planned)
    tuned = open_model(setup, to_train=recipe)
    if before.head is not None:
        before.head.put_on(tuned)
    finished = _train(setup, recipe, tuned, folder, split, on_event, before=before.measurement)
    merged = _keep_general(setup, before.model, tuned, split, on_event) if planned.merged else None
    model = merged.model if merged else tuned
    calibration = _calibrate(setup, model, split, on_event) if planned.calibrated else None
    tested = measure_calibrated(model, setup.test, calibration) if planned.tested else None
    return Trained(model, tuned, before, tested, merged, calibration, finished, time.monotonic() - began)


def open_baseline_model(
    setup: Setup, split: TrainingSplit, folder: Path, on_event: OnEvent, *, measured: Measurement | None = None
) -> BaselineModel:
    """Return the model to compare with, and what it scores on the test.

    ``measured`` is what the checkpoint scores as it is, so that it need not be measured again where it has its head. A
    head that no regression fits is trained under ``folder``.
    """
    base, head = open_model(setup), None
    if base.head.is_new:
        head = _new_head(setup, base, split, folder, on_event)
        head.put_on(base)
    calibration = _calibrate(setup, base, split, on_event, before=True)
    if calibration is None and head is None and measured is not None:
        return BaselineModel(base, None, TestedModel(measured))
    return BaselineModel(base, head, measure_calibrated(base, setup.test.for_before, calibration), calibration)


def _new_head(setup: Setup, base: Model, split: TrainingSplit, folder: Path, on_event: OnEvent) -> NewHead:
    """Return a head that is fitted to a split while its body stays as it is."""
    if setup.task.info.frozen_method is None:
        return _train_head(setup, split, folder / HEAD_FOLDER, on_event)
    on_event(Notice("fitting the new head on frozen features"))
    size, seed = setup.recipe.evaluation.evaluation_batch_size, setup.recipe.seed
    validation = None if split.validation is None else split.validation.rows
    return fit_head(base, setup.task, split.train.rows, validation, seed=seed, size=size)


def open_model(setup: Setup, *, to_train: Recipe | None = None, trainable: Trainable = "all") -> Model:
    """Open the checkpoint of a setup, to be trained by a recipe or, without one, as it was, to be measured only."""
    recipe, info = to_train or setup.recipe, setup.task.info
    return open_engine(recipe.engine).open_model(
        setup.checkpoint if to_train else setup.original,
        head=info.head,
        loss=info.loss,
        encoder=recipe.encoder,
        training=to_train and to_train.training,
        seed=recipe.seed,
        labels=setup.task.labels,
        trainable=trainable,
    )


def with_settings(recipe: Recipe, planned: PlannedTraining) -> Recipe:
    """Return the recipe of one training: its seed, learning rate and epochs."""
    trial = planned.settings
    changed = recipe.with_training(learning_rate=trial.learning_rate, epochs=trial.epochs)
    return changed.model_copy(update={"seed": planned.seed})


def validate(model: Model, setup: Setup, split: TrainingSplit) -> dict[str, float]:
    """Return loss and metrics on validation, and the primary metric on a sample of what is learned from.

    The names are those of metrics.jsonl. Both are measured alike, so that their distance shows memorising.
    """
    validation, sample, info = split.validation, split.sample, setup.task.info
    assert validation is not None
    assert sample is not None
    scores, learned = validation.measure(model).scores, sample.measure(model).scores
    loss = scores.get(info.loss_metric) if info.loss_metric else None
    if loss is None:
        loss = mean_loss(model, validation.task, validation.rows, batch_size=setup.recipe.training.batch_size)
    metric = info.primary_metric
    sampled = {f"train/{metric}": learned[metric]} if metric in learned else {}
    return {"validation/loss": loss, **sampled, **{f"validation/{name}": value for name, value in scores.items()}}


def _train(
    setup: Setup,
    recipe: Recipe,
    model: Model,
    folder: Path,
    split: TrainingSplit,
    on_event: OnEvent,
    *,
    before: Measurement | None,
) -> events.Finished:
    """Train a model to the end of its recipe, and log what happens."""
    log = MetricsLog(folder)
    try:
        with signals.Signals() as stop:
            for event in train.train(
                model,
                setup.task,
                split.train.rows,
                recipe,
                home=folder,
                evaluate=None if split.validation is None else lambda model: validate(model, setup, split),
                stop=stop,
                fingerprint=before and _fingerprint(before, recipe.engine),
            ):
                log(event)
                on_event(event)
                came = stop() if isinstance(event, events.Finished) else None
                if isinstance(event, events.Interrupted):
                    came = event.signal_number
                if came is not None:
                    assert isinstance(event, events.Finished | events.Interrupted)
                    raise Stopped(
                        f"stopped after step {event.step}, and saved; the same command goes on from there",
                        signal_number=came,
                    )
                if isinstance(event, events.Finished):
                    return event
    except TrainingFailed as error:
        if rows := _rows_of(split, error.items):
            raise TrainingFailed(f"{error}; the batch was {rows}") from error
        raise
    finally:
        log.close()
    raise AssertionError("a training ends with Finished or Stopped")


def _rows_of(split: TrainingSplit, items: Sequence[int]) -> str:
    """Return the rows of the file that items of the training are, as text; none of blocks, which hold several."""
    examples = split.train.examples
    if not items or len(examples) != len(split.train.rows.lengths("training")):
        return ""
    rows = sorted(examples[item].row for item in items)
    more = f" and {len(rows) - MAX_ROWS_NAMED} more" if len(rows) > MAX_ROWS_NAMED else ""
    return f"rows {', '.join(map(str, rows[:MAX_ROWS_NAMED]))}{more}"


def _fingerprint(before: Measurement, engine: str) -> dict[str, Any]:
    """Return what every snapshot records of its surroundings: the scores before training, and the versions."""
    rounded = {name: round(value, 5) for name, value in before.scores.items()}
    digest = hashlib.sha256(json.dumps(rounded, sort_keys=True).encode()).hexdigest()
    versions = {name: version(name) for name in PACKAGES} | open_engine(engine).versions()
    return {"before": digest, "versions": versions}


def _train_head(setup: Setup, split: TrainingSplit, folder: Path, on_event: OnEvent) -> TrainedHead:
    """Train the head alone, the body frozen, until validation gets no better; go on where that was stopped."""
    if not is_closed(folder, lambda text: on_event(Notice(text))):
        info = setup.task.info
        why = f"the checkpoint has no trained head for {info.head_purpose}"
        on_event(
            Notice(f"the checkpoint has no trained head for {info.head_purpose}: fitting one first, its body frozen")
        )
        if setup.recipe.evaluation.general:
            on_event(Notice("no verdict on general text: what a head fitted to the domain makes of it says nothing"))
        model = open_model(setup, to_train=setup.recipe, trainable="head")
        rows = split.train.rows
        if isinstance(rows, Sampled):
            rows = rows.some(MAX_HEAD_BLOCKS, seed=setup.recipe.seed)
        split = replace(split, train=TokenizedExamples(split.train.examples, rows))
        # In nats, as its min_delta is, whatever the run itself goes by.
        loss = f"validation/{info.loss_metric or 'loss'}"
        monitor = "train/epoch_loss" if split.validation is None else loss
        recipe = setup.recipe.with_training(**HEAD_TRAINING, monitor=monitor)
        finished = _train(setup, recipe, model, folder, split, on_event, before=None)
        with new_folder(folder / "model") as temporary:
            model.save(temporary)
        record = MaskedHeadRecord.model_validate(
            {
                "why": why,
                **HEAD_TRAINING,
                "steps": finished.step,
                "best_step": finished.best_step,
                "stopped_because": finished.reason,
                "curve": logged(folder, loss),
            }
        )
        write_json(folder / HEAD_RECORD, record.to_json())
        model_files = (path.relative_to(folder).as_posix() for path in (folder / "model").rglob("*") if path.is_file())
        write_manifest(folder, [HEAD_RECORD, *model_files])
    return TrainedHead(folder / "model", MaskedHeadRecord.model_validate(read_json(folder / HEAD_RECORD)))


def _keep_general(setup: Setup, base: Model, tuned: Model, split: TrainingSplit, on_event: OnEvent) -> Merged | None:
    """Merge a tuned model back as far as keeps general ability; None where that was not asked for."""
    general, validation, engine = setup.keep_general, split.validation, open_engine(setup.recipe.engine)
    if general is None or validation is None:
        return None
    return merge(
        base,
        lambda weight: engine.merge(base, tuned, weight),
        validation,
        general,
        margin=setup.recipe.evaluation.general_margin or general.task.info.margin,
        report=lambda text: on_event(Notice(text)),
    )


def _calibrate(
    setup: Setup, model: Model, split: TrainingSplit, on_event: OnEvent, *, before: bool = False
) -> Calibration | None:
    """Set the probabilities of a model right on validation; None where it gives no labels or nothing is asked for.

    The model ``before`` keeps its weights and never abstains.
    """
    evaluation = setup.recipe.evaluation
    target_precision = None if before else evaluation.target_precision
    if not setup.task.info.calibrates or not (evaluation.calibrate or target_precision is not None):
        return None
    calibration = calibrate(
        model,
        split.validation,
        temperature=evaluation.calibrate,
        target_precision=target_precision,
        in_weights=not before,
    )
    on_event(Notice(f"{'before: ' if before else ''}{calibration.sentence()}"))
    if calibration.abstaining is not None:
        on_event(Notice(calibration.abstaining.sentence()))
    return calibration
