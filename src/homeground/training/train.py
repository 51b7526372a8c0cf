"""The loop: a generator of small events; the caller decides what to do with them.

    for every epoch, for every batch of the epoch:
        learn, in smaller slices if memory runs out     -> MemoryShort, Step
        at the end of an epoch, evaluate, judge, save   -> Evaluated, Saved
        every ten minutes, or when a signal came, save  -> Saved
    until the steps are done, patience is used up or a signal came   -> Finished or Interrupted

The state after any step, with weights and optimizer, is all that is needed to go on bit for bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.engines.model import Model
from homeground.errors import TrainingFailed, UsageError, nearest
from homeground.memory import in_slices_that_fit
from homeground.recipe.recipe import Recipe
from homeground.statistics.glossary import greater_is_better
from homeground.tasks.task import Rows, Task
from homeground.training.batching import epoch_batches, steps_per_epoch, total_steps
from homeground.training.early_stopping import judge
from homeground.training.events import (
    Evaluated,
    Finished,
    Interrupted,
    MemoryShort,
    Pace,
    Saved,
    Started,
    Step,
    TrainingEvent,
)
from homeground.training.schedules import learning_rate
from homeground.training.snapshots import State, best_snapshot, newest_snapshot, remove_passed_over, save_snapshot

HIGHEST_SUGGESTED_RATE = 1e-3
"""The highest learning rate that is suggested where a training failed at another."""

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
) -> Iterator[TrainingEvent]:
    """Train a model in place, going on from the newest whole snapshot under ``home`` where there is one.

    ``evaluate`` measures the validation split after every epoch; ``stop`` returns the number of a signal that came.
    ``fingerprint`` (before-scores, versions) is stored with every snapshot. With ``keep = "best"`` the model ends
    with the weights of the best evaluation, with "last" as the last step left it.

    Raises:
        TrainingFailed: a loss or gradient was not finite; nothing was updated by it.
        UsageError: the monitored value is none that is measured.
    """
    training = recipe.training
    course = _Course(task, rows, recipe, monitor=monitored(task, recipe, validated=evaluate is not None))
    state = State(**(fingerprint or {}))
    found, warnings = newest_snapshot(home)
    if found is not None:
        folder, state = found
        warnings += _changes(state, fingerprint or {})
        model.restore(folder)
    if state.microbatch is not None:
        warnings.append(MemoryShort(state.step, state.microbatch).text)
    yield Started(state.step, course.total, tuple(warnings), state.done)
    remove_passed_over(home, state)
    saved_at = time.monotonic()
    while state.done is None:
        before = state
        state, step = course.learn(model, before)
        if state.microbatch != before.microbatch and state.microbatch is not None:
            yield MemoryShort(state.step, state.microbatch)
        yield step
        epoch_ends = state.step % course.per_epoch == 0 or state.step == course.total
        if epoch_ends:
            state, evaluated = course.close_epoch(state, evaluate(model) if evaluate else {})
            yield evaluated
        signal_number = stop()
        if epoch_ends or signal_number or time.monotonic() - saved_at > 60 * training.checkpoint_minutes:
            yield Saved(state.step, save_snapshot(home, model, state))
            saved_at = time.monotonic()
        if signal_number:
            yield Interrupted(state.step, signal_number)
            return
    best = best_snapshot(home, state)
    if training.keep == "best" and best is not None and state.best.step != state.step:
        model.restore(best)
    yield Finished(state.step, state.epoch, state.best.step, state.done, state.microbatch, course.pace)


def _changes(state: State, fingerprint: Mapping[str, Any]) -> list[str]:
    """Say what is no longer as it was when the state was saved: the training goes on, but the result may differ."""
    now: Mapping[str, str] = fingerprint.get("versions", {})
    changed = [
        f"{name} was {old} and is {now[name]}" for name, old in state.versions.items() if now.get(name, old) != old
    ]
    if fingerprint.get("before", state.before) != state.before:
        changed.append("the scores before training are others")
    return [f"since step {state.step} was saved, {', '.join(changed)}; it goes on, not bit for bit"] if changed else []


def monitored(task: Task, recipe: Recipe, *, validated: bool) -> str:
    """Return the name of the value that the best weights and early stopping go by.

    Raises:
        UsageError: the recipe names one that is not measured.
    """
    measured = ["validation/loss", *(f"validation/{name}" for name in task.metrics)] if validated else []
    known = ["train/epoch_loss", *measured]
    monitor = recipe.training.monitor or (f"validation/{task.info.primary_metric}" if validated else known[0])
    if monitor not in known:
        why = "" if validated else " without a validation split"
        raise UsageError(f'--monitor "{monitor}" is not measured{why}; {nearest(monitor, known)}')
    return monitor


def monitor_direction(monitor: str) -> bool:
    """Return whether a monitored value, e.g. "validation/pearson", is better the greater it is; a loss is not."""
    return greater_is_better(monitor.split("/")[-1])


class _Course:
    """What stays the same through a training: the order of the batches, the learning rates, what is judged."""

    def __init__(self, task: Task, rows: Rows, recipe: Recipe, *, monitor: str) -> None:
        self.task, self.rows, self.recipe, self.training = task, rows, recipe, recipe.training
        self.monitor = monitor
        self.lengths = rows.lengths("training")
        self.per_epoch = steps_per_epoch(len(self.lengths), self.training.batch_size)
        self.total = total_steps(len(self.lengths), self.training.batch_size, self.training.epochs)
        self.batches: tuple[int, list[NDArray[np.int64]]] = (-1, [])
        self.pace = Pace()
        self._warm = False

    def learn(self, model: Model, state: State) -> tuple[State, Step]:
        """Take the step after ``state`` and return where that leads."""
        began = time.perf_counter()
        items = self._items(state.step)
        batch, denominator = self.task.collate(
            self.rows, items, "training", epoch=state.step // self.per_epoch, seed=self.recipe.seed
        )
        rate = learning_rate(
            state.step,
            total=self.total,
            highest=self.training.learning_rate,
            schedule=self.training.schedule,
            warmup_ratio=self.training.warmup_ratio,
        )
        # The randomness of a step follows from its number, so it is the same step, but for the dropout of the slices.
        result, microbatch = in_slices_that_fit(
            lambda size: model.train_step(batch, denominator, rate, state.step, microbatch=size),
            state.microbatch,
            at_first=min(self.training.microbatch_size or len(items), len(items)),
        )
        if not result.finite:
            lower = min(self.training.learning_rate / 3, HIGHEST_SUGGESTED_RATE)
            raise TrainingFailed(
                f"step {state.step + 1}: the loss is {result.loss}, the gradient's norm {result.gradient_norm}; the "
                f"step was not taken; try --learning-rate {lower:.1g} or --precision fp32",
                items.tolist(),
            )
        self._time(len(items), result.operations, time.perf_counter() - began)
        state = replace(
            state,
            step=state.step + 1,
            microbatch=microbatch,
            epoch=(state.step + 1) / self.per_epoch,
            epoch_loss=state.epoch_loss + result.loss * len(items),
            epoch_weight=state.epoch_weight + len(items),
        )
        return state, Step(state.step, self.total, state.epoch, result.loss, rate, result.gradient_norm)

    def _time(self, items: int, operations: int, seconds: float) -> None:
        """Add a step to the pace, unless it is the first one."""
        if self._warm:
            pace = self.pace
            self.pace = Pace(pace.items + items, pace.operations + operations, pace.seconds + seconds)
        self._warm = True

    def close_epoch(self, state: State, validation: Mapping[str, float]) -> tuple[State, Evaluated]:
        """Judge the monitored value at the end of an epoch, and decide whether the loop is done."""
        values = {"train/epoch_loss": state.epoch_loss / state.epoch_weight, **validation}
        best = judge(
            state.best,
            # A metric that is not defined on this split, such as a correlation of equal scores, is no improvement.
            values.get(self.monitor, math.nan),
            state.step,
            greater_is_better=monitor_direction(self.monitor),
            min_delta=self.training.min_delta,
        )
        done = "all epochs are done" if state.step == self.total else None
        if self.training.patience is not None and best.waited >= self.training.patience:
            done = f"{self.monitor} did not improve for {best.waited} evaluations"
        state = replace(state, best=best, done=done, epoch_loss=0.0, epoch_weight=0.0)
        return state, Evaluated(state.step, state.epoch, values, best.step == state.step)

    def _items(self, step: int) -> NDArray[np.int64]:
        """Return the items of the batch that a step learns from."""
        epoch, place = divmod(step, self.per_epoch)
        if self.batches[0] != epoch:
            wanted = self.training.group_by_length
            grouped = not self.task.info.in_batch_negatives if wanted is None else wanted
            size, seed = self.training.batch_size, self.recipe.seed
            batches = epoch_batches(self.lengths, size, seed=seed, epoch=epoch, group_by_length=grouped)
            self.batches = (epoch, batches)
        return self.batches[1][place]
