"""What a run will take: a few real steps are timed, and nothing is written."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from homeground.checkpoint import classes_of, count_parameters, fills_masks, tags_of
from homeground.engines.model import Model
from homeground.experiment.plan import PlannedTraining, plan
from homeground.experiment.setup import Setup
from homeground.experiment.splits import TrainingSplit
from homeground.experiment.training_run import MAX_HEAD_BLOCKS, open_model
from homeground.tasks.task import Classifies, MeasuresWords, Rows
from homeground.training.batching import epoch_batches, total_steps
from homeground.training.events import OnEvent
from homeground.training.workload import MEASURING_SHARE, RunPart, Workload

EXAMPLES_TOKENIZED = 20_000
"""Examples from which the lengths of texts, and so the time of a run, are estimated where there are more."""

TIMED_STEPS = 4
MAX_SECONDS_TIMED = 10
"""Steps that are timed, after a first one of the longest texts, and seconds after which no further one is."""

BYTES_PER_WEIGHT = 4

SNAPSHOTS_KEPT, WEIGHTS_IN_SNAPSHOT, MODELS_KEPT = 3, 3, 2
"""Snapshots of a training at a time, the two newest and the best; numbers for each weight in one, the optimizer's
moments included; and models in a run folder, the adapted one and the one before."""

BYTES_PER_EXAMPLE, BYTES_PER_TOKEN = 200, 4
"""Memory that the tokens of an example take beside what was read of it, and each of them."""

COMPARING_SHARE = 0.02
"""Share of a run's work that baselines and bootstrap are counted as; they depend on the test, not on the model."""

MASKED_HEAD_EPOCHS = 2
"""Epochs of work, by the measure of whole ones, that fitting a head for masked words is counted as."""


@dataclass(frozen=True)
class Estimate:
    """Steps, minutes and memory of a run.

    ``shares`` are those of a learning curve in per cent; ``memory_gib`` is the peak of this process so far, training
    steps included, with what the examples outside a sample would take, None where the system does not tell it
    (Windows). ``disk_mb`` is what model/ will take, and before/ where a new head is fitted; a bag of words that is not
    beaten comes on top. ``peak_disk_mb`` is what the run takes at most while it goes on, its snapshots included.
    """

    examples: int
    batch_size: int
    trials: int
    search_minutes: float | None
    shares: list[int]
    seeds: int
    steps: int
    seconds_per_step: float
    minutes: float
    memory_gib: float | None
    disk_mb: float
    peak_disk_mb: float
    folder: Path

    def to_json(self) -> dict[str, Any]:
        """Return the fields as values for JSON."""
        return {**asdict(self), "folder": str(self.folder)}


def estimate(setup: Setup) -> Estimate:
    """Return what the trainings of the plan take, from a few steps on this machine."""
    recipe = setup.recipe
    planned = plan(setup)
    if recipe.search.search:
        # The best trial's training becomes that of the model that is kept.
        planned = [training for training in planned if training.kind != "kept"]
    model = open_model(setup, to_train=recipe)
    models = 1 + (model.head.is_new and recipe.evaluation.alternatives)
    step_seconds = _seconds_per_step(model, setup)
    steps = sum(_steps(setup, training) for training in planned)
    measured = _items(setup.test.rows) + sum(_measured(setup, training) for training in planned)
    measured += _items(setup.test.rows) if recipe.search.search else 0
    measuring = step_seconds / recipe.training.batch_size * MEASURING_SHARE * measured * setup.corpus.scale
    return Estimate(
        examples=setup.record.counts.train,
        batch_size=recipe.training.batch_size,
        trials=recipe.search.search,
        search_minutes=recipe.search.search_minutes,
        shares=[training.share.per_cent for training in planned if training.share is not None],
        seeds=recipe.evaluation.seeds,
        steps=steps,
        seconds_per_step=step_seconds,
        minutes=(steps * step_seconds + measuring) / 60,
        disk_mb=models * count_parameters(setup.checkpoint.folder) * BYTES_PER_WEIGHT / 1e6,
        peak_disk_mb=most_bytes(setup) / 1e6,
        memory_gib=None if (peak := _peak_memory_gib()) is None else peak + _gib_outside_sample(setup),
        folder=setup.folder,
    )


def least_bytes(setup: Setup) -> int:
    """Return the bytes on the disk without which a run that has not begun cannot end: one snapshot and the model."""
    return count_parameters(setup.checkpoint.folder) * BYTES_PER_WEIGHT * (WEIGHTS_IN_SNAPSHOT + 1)


def most_bytes(setup: Setup) -> int:
    """Return the bytes on the disk that a run takes at most: its snapshots, each with two moments a weight, and models.

    A training has a snapshot an epoch, of which up to three stay while the next is written; a search keeps those of
    its best trial beside them.
    """
    recipe = setup.recipe
    kept = min(math.ceil(recipe.training.epochs), SNAPSHOTS_KEPT)
    snapshots = (kept if kept == 1 else kept + 1) + (kept if recipe.search.search else 0)
    weights = count_parameters(setup.checkpoint.folder) * BYTES_PER_WEIGHT
    return weights * (snapshots * WEIGHTS_IN_SNAPSHOT + MODELS_KEPT)


def run_parts(setup: Setup) -> list[RunPart]:
    """Return the parts of a run in the order in which they are carried out, by the same plan as the estimate."""
    planned, batch_size = plan(setup), setup.recipe.training.batch_size
    test = MEASURING_SHARE * _items(setup.test.rows)
    general = 0.0 if setup.general is None else MEASURING_SHARE * _items(setup.general.rows)
    # Of a run with folds, the model that is kept has no test.
    before = RunPart("before", "measuring before", test + general + _head_work(setup, setup.splits.kept))
    parts = [before]
    for training in planned:
        work = _steps(setup, training) * batch_size + MEASURING_SHARE * _measured(setup, training)
        if training.kind in ("fold", "share"):
            head = _head_work(setup, training.split(setup))
            work += head and head + 2 * test
        if training.kind == "kept" and setup.recipe.search.search:
            work = 0.0  # the best trial's training is that of the model that is kept
        parts.append(RunPart(training.folder.as_posix(), _text(training, setup), work))
    parts.append(RunPart("after", "measuring after", test + general))
    return [
        *parts,
        RunPart("comparing", "comparing with baselines", COMPARING_SHARE * sum(part.work for part in parts)),
    ]


def workload(setup: Setup, on_event: OnEvent) -> Workload:
    """Return what follows the work of a run."""
    rows = setup.test.rows
    # A pair that is learned from may be two texts that are measured, a document several maskings.
    measuring = MEASURING_SHARE * _items(rows) / max(len(rows.lengths("measuring")), 1)
    batch_size = setup.recipe.training.batch_size
    return Workload(run_parts(setup), on_event, batch_size=batch_size, measuring=measuring)


def _text(training: PlannedTraining, setup: Setup) -> str:
    """Return what a training of the plan is called while it is carried out."""
    if training.kind == "kept":
        return "training"
    if training.share is not None:
        return f"{training.share.per_cent}% of the data"
    if training.kind == "trial":
        return f"trial {training.number} of {setup.recipe.search.search}"
    runs = f"training {training.number} of {setup.recipe.evaluation.seeds}"
    if training.fold is None:
        return runs
    fold = f"fold {training.fold + 1} of {setup.corpus.number_of_folds}"
    return fold if training.number == 1 else f"{runs}, {fold}"


def _head_work(setup: Setup, split: TrainingSplit) -> float:
    """Return the work of fitting a new head; 0 where the checkpoint has one."""
    task, rows = setup.task, split.train.rows
    if isinstance(task, MeasuresWords) and not fills_masks(setup.checkpoint):
        return float(MASKED_HEAD_EPOCHS * min(len(rows.lengths("training")), MAX_HEAD_BLOCKS))
    if isinstance(task, Classifies) and not (classes_of(setup.checkpoint) or tags_of(setup.checkpoint)):
        validation = 0 if split.validation is None else _items(split.validation.rows)
        return MEASURING_SHARE * (_items(rows) + validation)
    return 0.0


def _peak_memory_gib() -> float | None:
    """Return the most memory this process has held; None on Windows, whose Python does not tell."""
    try:
        import resource
    except ImportError:
        return None
    bytes_per_unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * bytes_per_unit / 2**30


def _gib_outside_sample(setup: Setup) -> float:
    """Return the memory of the tokens of examples that are in no sample, 0 where all are tokenized."""
    examples = [example for part in setup.corpus.parts for example in part.examples]
    tokens = float(np.mean(setup.splits.kept.train.rows.lengths("training"))) * len(examples)
    in_sample = BYTES_PER_EXAMPLE * len(examples) + BYTES_PER_TOKEN * tokens
    return (setup.corpus.scale - 1) * in_sample / 2**30


def _seconds_per_step(model: Model, setup: Setup) -> float:
    """Return the mean time of a training step after the first, which is on the longest texts."""
    recipe, rows = setup.recipe, setup.splits.kept.train.rows
    lengths = rows.lengths("training")
    batches = epoch_batches(lengths, recipe.training.batch_size, seed=recipe.seed, epoch=0, group_by_length=True)
    longest = max(batches, key=lambda items: int(lengths[items].max()))
    seconds: list[float] = []
    for step, items in enumerate([longest, *batches[:TIMED_STEPS]]):
        if sum(seconds) > MAX_SECONDS_TIMED:
            break
        batch, denominator = setup.task.collate(rows, items, "training", seed=recipe.seed)
        began = time.perf_counter()
        model.train_step(batch, denominator, 0.0, step)
        seconds.append(time.perf_counter() - began)
    return float(np.mean(seconds[1:] or seconds))


def _steps(setup: Setup, training: PlannedTraining) -> int:
    items = round(len(training.split(setup).train.rows.lengths("training")) * setup.corpus.scale)
    return total_steps(items, setup.recipe.training.batch_size, training.settings.epochs)


def _measured(setup: Setup, training: PlannedTraining) -> int:
    """Return the items that are measured on behalf of one training: validation and its sample, and the test."""
    split = training.split(setup)
    # A trial is validated once more, with the weights it keeps.
    validations = math.ceil(training.settings.epochs) + (training.kind == "trial")
    validation = 0 if split.validation is None else 2 * validations * _items(split.validation.rows)
    # A share has a model before of its own.
    tests = (1 + (training.kind == "share")) if training.tested else 0
    return validation + tests * _items(setup.test.rows)


def _items(rows: Rows) -> int:
    """Return how many items, each as much work as one to learn from, pass through a model that is measured."""
    return len(rows.lengths("training")) * rows.passes
