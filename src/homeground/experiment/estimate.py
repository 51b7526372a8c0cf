"""What a run will take: a few real steps are timed, and nothing is written."""

from __future__ import annotations

import math
import resource
import sys
import time
from typing import Any

import numpy as np

from homeground.engines import open_engine
from homeground.experiment.preparation import Prepared
from homeground.experiment.search import draw_trials
from homeground.tasks.mlm.blocks import MaskedRows
from homeground.tasks.task import Rows
from homeground.training.batching import epoch_batches, total_steps

TIMED_STEPS = 4
MEASURING_SHARE = 0.4
"""A text measured costs about this share of a text trained: the forward pass without the backward one."""


def estimate(ready: Prepared) -> dict[str, Any]:
    """Return steps, minutes and memory of a run, from a few steps on this machine.

    The folds of a cross-fitting, the trials of a search, the shares of a learning curve and the trainings of further
    seeds are counted in. Memory is the peak of this process so far, training steps included.
    """
    recipe, rows = ready.recipe, ready.lesson.train
    training = recipe.training
    lengths = rows.lengths("training")
    model = open_engine(recipe.engine).open_model(
        ready.checkpoint,
        head=ready.task.head,
        loss=ready.task.loss,
        encoder=recipe.encoder,
        training=training,
        seed=recipe.seed,
        labels=ready.task.labels,
    )
    batches = epoch_batches(lengths, training.batch_size, seed=recipe.seed, epoch=0, group_by_length=True)
    longest_first = sorted(batches, key=lambda items: -int(lengths[items].max()))
    chosen = [longest_first[0], *batches[:TIMED_STEPS]]
    seconds: list[float] = []
    for step, items in enumerate(chosen):
        batch, denominator = ready.task.collate(rows, items, "training")
        began = time.perf_counter()
        model.train_step(batch, denominator, 0.0, step)
        seconds.append(time.perf_counter() - began)
    step_seconds = float(np.mean(seconds[1:] or seconds))
    folds = ready.corpus.number_of_folds
    # Without a search there is one trial, the recipe itself; with one, the best trial is the final training.
    epochs = [trial.epochs for trial in draw_trials(recipe)]
    steps = sum(total_steps(len(lengths), training.batch_size, each) for each in epochs) * (1 + folds)
    validations = sum(math.ceil(each) + (len(epochs) > 1) for each in epochs) * (1 + folds)
    shares = [share for share in ready.shares if share.left_out is None]
    steps += sum(
        total_steps(len(ready.lesson_of_share(share).train.lengths("training")), training.batch_size, training.epochs)
        for share in shares
    )
    validations += math.ceil(training.epochs) * len(shares)
    seeds = max(recipe.evaluation.seeds - 1, 0)
    trainings = seeds * (folds or 1)
    steps += total_steps(len(lengths), training.batch_size, training.epochs) * trainings
    validations += math.ceil(training.epochs) * trainings
    tested = 2 * (1 + len(shares)) + trainings
    measured = tested * _passed(ready.test_rows) + validations * 2 * _passed(ready.lesson.validation)
    measuring = step_seconds / training.batch_size * MEASURING_SHARE * measured
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return {
        "examples": len(ready.corpus.train),
        "batch_size": training.batch_size,
        "trials": recipe.search.search,
        "search_minutes": recipe.search.search_minutes,
        "shares": [share.per_cent for share in shares],
        "seeds": recipe.evaluation.seeds,
        "steps": steps,
        "seconds_per_step": step_seconds,
        "minutes": (steps * step_seconds + measuring) / 60,
        "memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit,
        "folder": str(ready.folder),
    }


def _passed(rows: Rows | None) -> int:
    """Return how many items, each as much work as one to learn from, pass through a model that is measured."""
    if rows is None:
        return 0
    return len(rows.lengths("measuring" if isinstance(rows, MaskedRows) else "training"))
