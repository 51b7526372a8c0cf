"""The loop: a generator of small events; the caller decides what to do with them.

    for every epoch, for every batch of the epoch:
        learn                      -> Step
        at the end of an epoch, evaluate, judge, save   -> Evaluated, Saved
        every ten minutes, or when a signal came, save  -> Saved
    until the steps are done, patience is used up or a signal came   -> Finished or Stopped

The state after any step, with weights and optimizer, is all that is needed to go on bit for bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from homeground.engines.model import Model
from homeground.errors import TrainingFailed, UsageError, nearest
from homeground.recipe import Recipe
from homeground.tasks.task import Rows, Task
from homeground.training.batching import epoch_batches, steps_per_epoch
from homeground.training.checkpoints import State, best_checkpoint, newest_checkpoint, save_checkpoint
from homeground.training.early_stopping import judge
from homeground.training.schedules import learning_rate


@dataclass(frozen=True, slots=True)
class Started:
    """The loop begins, or goes on at ``step`` of ``total``; ``warnings`` name damaged checkpoints passed over."""

    step: int
    total: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One optimizer step; ``step`` counts those done, ``epoch`` is in epochs, ``loss`` per item."""

    step: int
    total: int
    epoch: float
    loss: float
    learning_rate: float
    gradient_norm: float


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What was measured on the validation split, and whether it is the best so far."""

    step: int
    epoch: float
    values: Mapping[str, float]
    best: bool


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint was written."""

    step: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Stopped:
    """A signal ended the loop early; everything is saved."""

    step: int
    signal_number: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The loop is over and the model holds the weights to keep."""

    step: int
    epoch: float
    best_step: int | None
    reason: str


Event = Started | Step | Evaluated | Saved | Stopped | Finished
Evaluate = Callable[[Model], dict[str, float]]


def train(
    model: Model,
    task: Task,
    rows: Rows,
    recipe: Recipe,
    *,
    home: Path,
    evaluate: Evaluate | None,
    stop: Callable[[], int | None] = lambda: None,
    fingerprint: Mapping[str, Any] | None = None,
) -> Iterator[Event]:
    """Train a model in place, going on from the newest whole checkpoint under ``home`` where there is one.

    ``evaluate`` measures the validation split after every epoch; ``stop`` returns the number of a signal that came.
    ``fingerprint`` (before-scores, versions) is stored with every checkpoint. With ``keep = "best"`` the model ends
    with the weights of the best evaluation, with "last" as the last step left it.

    Raises:
        TrainingFailed: a loss or gradient was not finite; nothing was updated by it.
        UsageError: the monitored value is not measured.
    """
    training = recipe.training
    lengths = rows.lengths("training")
    grouped = not task.in_batch_negatives if training.group_by_length is None else training.group_by_length
    per_epoch = steps_per_epoch(len(lengths), training.batch_size)
    total = math.ceil(training.epochs * per_epoch)
    monitor = training.monitor or (f"validation/{task.primary_metric}" if evaluate else "train/epoch_loss")
    state = State(microbatch=training.microbatch_size, **(fingerprint or {}))
    warnings: list[str] = []
    if found := newest_checkpoint(home):
        folder, state, warnings = found
        model.restore(folder)
    yield Started(state.step, total, tuple(warnings))
    saved_at = time.monotonic()
    while state.done is None:
        epoch = state.step // per_epoch
        batches = epoch_batches(lengths, training.batch_size, seed=recipe.seed, epoch=epoch, group_by_length=grouped)
        for items in batches[state.step % per_epoch :]:
            batch, denominator = task.collate(rows, items, "training")
            rate = learning_rate(
                state.step,
                total=total,
                highest=training.learning_rate,
                schedule=training.schedule,
                warmup_ratio=training.warmup_ratio,
            )
            result = model.train_step(batch, denominator, rate, state.step)
            if not result.finite:
                raise TrainingFailed(
                    f"step {state.step + 1}: the loss is {result.loss}, the gradient's norm {result.gradient_norm}; "
                    f"the step was not taken; try --learning-rate {training.learning_rate / 3:.1g} or --precision fp32"
                )
            state = replace(
                state,
                step=state.step + 1,
                epoch=(state.step + 1) / per_epoch,
                epoch_loss=state.epoch_loss + result.loss * len(items),
                epoch_weight=state.epoch_weight + len(items),
            )
            yield Step(state.step, total, state.epoch, result.loss, rate, result.gradient_norm)
            if state.step % per_epoch == 0 or state.step == total:
                state, event = _close_epoch(model, task, state, recipe, monitor, evaluate, total)
                yield event
                yield Saved(state.step, save_checkpoint(home, model, state))
                saved_at = time.monotonic()
            elif time.monotonic() - saved_at > 60 * training.checkpoint_minutes:
                yield Saved(state.step, save_checkpoint(home, model, state))
                saved_at = time.monotonic()
            if state.done is not None:
                break
            if signal_number := stop():
                yield Saved(state.step, save_checkpoint(home, model, state))
                yield Stopped(state.step, signal_number)
                return
    best = best_checkpoint(home, state)
    if training.keep == "best" and best is not None and state.best.step != state.step:
        model.restore(best)
    yield Finished(state.step, state.epoch, state.best.step, state.done)


def _close_epoch(
    model: Model,
    task: Task,
    state: State,
    recipe: Recipe,
    monitor: str,
    evaluate: Evaluate | None,
    total: int,
) -> tuple[State, Evaluated]:
    """Evaluate at the end of an epoch, judge the monitored value, and decide whether the loop is done."""
    training = recipe.training
    values = {"train/epoch_loss": state.epoch_loss / state.epoch_weight, **(evaluate(model) if evaluate else {})}
    if monitor not in values:
        raise UsageError(f'--monitor "{monitor}" is not measured; {nearest(monitor, values)}')
    best = judge(
        state.best,
        values[monitor],
        state.step,
        greater_is_better=task.greater_is_better.get(monitor.split("/")[-1], False),
        min_delta=training.min_delta,
    )
    done = "all epochs are done" if state.step == total else None
    if training.patience is not None and best.waited >= training.patience:
        done = f"{monitor} did not improve for {best.waited} evaluations"
    state = replace(state, best=best, done=done, epoch_loss=0.0, epoch_weight=0.0)
    return state, Evaluated(state.step, state.epoch, values, best.step == state.step)
