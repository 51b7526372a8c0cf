"""A training that is stopped, killed or damaged ends exactly like the one that was not."""

from __future__ import annotations

import math
import multiprocessing
import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from tests.training import trainings
from tests.training.trainings import PER_EPOCH, STEPS, finish, make, stop_after

from homeground.engines.model import StepResult
from homeground.errors import TrainingFailed, UsageError
from homeground.training import events, train


@pytest.fixture(scope="module")
def training(encoder: Path) -> trainings.Training:
    return make(encoder)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the unbroken training."""
    return tmp_path_factory.mktemp("unbroken")


@pytest.fixture(scope="module")
def unbroken(training: trainings.Training, home: Path) -> trainings.Outcome:
    return finish(training, home)


def stop(training: trainings.Training, home: Path, step: int, **options: Any) -> None:
    last = list(training.events(home, stop=stop_after(step), **options))[-1]
    assert last == events.Interrupted(step, signal.SIGINT)


def steps_on_disk(home: Path) -> list[int]:
    return sorted(int(folder.name.removeprefix("step-")) for folder in (home / "checkpoints").iterdir())


@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_stopped_after_any_step_it_ends_as_the_unbroken_training(
    training: trainings.Training, unbroken: trainings.Outcome, tmp_path: Path, step: int
) -> None:
    assert unbroken.step == STEPS
    stop(training, tmp_path, step)
    assert finish(training, tmp_path) == unbroken


def test_stopped_after_every_step_it_ends_as_the_unbroken_training(
    training: trainings.Training, unbroken: trainings.Outcome, tmp_path: Path
) -> None:
    for step in range(1, STEPS):
        last = list(training.events(tmp_path, stop=lambda: signal.SIGTERM))[-1]
        assert last == events.Interrupted(step, signal.SIGTERM)
    assert finish(training, tmp_path) == unbroken


@pytest.mark.parametrize(
    "settings",
    [
        {"microbatch_size": 3},
        {"loss": "cosent", "microbatch_size": 3},
        {"optimizer": "adam", "weight_decay": 0.0, "max_grad_norm_per_weight": 0.5, "schedule": "cosine"},
        {"precision": "bf16"},
        {"group_by_length": False, "keep": "last", "monitor": "train/epoch_loss", "schedule": "constant"},
    ],
    ids=lambda settings: ",".join(settings),
)
def test_other_settings_go_on_exactly_too(encoder: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    training = make(encoder, **settings)
    stop(training, tmp_path / "broken", 13)
    assert finish(training, tmp_path / "broken") == finish(training, tmp_path / "unbroken")


def test_another_seed_is_another_training(encoder: Path, unbroken: trainings.Outcome, tmp_path: Path) -> None:
    other = finish(make(encoder, seed=1), tmp_path)
    assert other.weights != unbroken.weights
    assert other.lines[0]["train/loss"] != unbroken.lines[0]["train/loss"]


def test_a_signal_at_the_end_of_an_epoch_saves_once(training: trainings.Training, tmp_path: Path) -> None:
    reported = list(training.events(tmp_path, stop=stop_after(PER_EPOCH)))
    kinds = [type(event) for event in reported[-4:]]
    assert kinds == [events.Step, events.Evaluated, events.Saved, events.Interrupted]


def test_a_finished_training_given_again_returns_the_kept_weights_at_once(
    training: trainings.Training, unbroken: trainings.Outcome, home: Path
) -> None:
    model = training.open_model()
    kinds = [type(event) for event in training.events(home, model=model)]
    assert kinds == [events.Started, events.Finished]
    assert trainings.weights(model) == unbroken.weights
    assert trainings.lines(home) == unbroken.lines


def run_judged(
    training: trainings.Training, home: Path, values: list[float], name: str, *, model: Any = None
) -> events.Finished:
    """Train as if these values had been measured, an epoch each."""
    measured = iter(values)
    model = model or training.open_model()
    measure = lambda _: {name: next(measured)}  # noqa: E731
    last = list(train.train(model, training.task, training.rows, training.recipe, home=home, evaluate=measure))[-1]
    assert isinstance(last, events.Finished)
    return last


def test_the_two_newest_and_the_best_checkpoints_are_kept(encoder: Path, tmp_path: Path) -> None:
    training = make(encoder, pairs=8, epochs=5)
    done = run_judged(training, tmp_path, [0.5, 0.9, 0.6, 0.7, 0.8], "validation/pearson")
    assert done.best_step == 2
    assert steps_on_disk(tmp_path) == [2, 4, 5]


@pytest.mark.parametrize(("keep", "step"), [("best", 2), ("last", 5)])
def test_the_model_ends_with_the_best_weights_or_the_last(encoder: Path, tmp_path: Path, keep: str, step: int) -> None:
    training = make(encoder, pairs=8, epochs=5, keep=keep)
    model = training.open_model()
    run_judged(training, tmp_path, [0.5, 0.9, 0.6, 0.7, 0.8], "validation/pearson", model=model)
    saved = load_file(tmp_path / "checkpoints" / f"step-{step:08d}" / "model.safetensors")
    assert trainings.weights(model) == {name: value.tobytes() for name, value in saved.items()}


def test_patience_ends_the_training_after_so_many_evaluations_without_improvement(
    encoder: Path, tmp_path: Path
) -> None:
    training = make(encoder, pairs=8, epochs=9, patience=2, min_delta=0.05)
    done = run_judged(training, tmp_path, [0.5, 0.6, 0.62, 0.64, 0.9], "validation/pearson")
    assert (done.step, done.best_step) == (4, 2)
    assert done.reason == "validation/pearson did not improve for 2 evaluations"


@pytest.mark.parametrize("monitor", ["validation/loss", "validation/mse"])
def test_a_monitored_loss_or_error_improves_downwards(encoder: Path, tmp_path: Path, monitor: str) -> None:
    training = make(encoder, pairs=8, epochs=9, patience=2, monitor=monitor)
    done = run_judged(training, tmp_path, [0.5, 0.4, 0.6, 0.7, 0.1], monitor)
    assert (done.step, done.best_step) == (4, 2)


def test_without_validation_the_epochs_own_loss_is_monitored(encoder: Path, tmp_path: Path) -> None:
    training = make(encoder, patience=1, min_delta=1e-3, learning_rate=0.0, dropout=0.0)
    done = list(training.events(tmp_path, validated=False))[-1]
    assert done == events.Finished(2 * PER_EPOCH, 2.0, PER_EPOCH, "train/epoch_loss did not improve for 1 evaluations")


def test_the_epoch_loss_is_the_mean_over_the_pairs_of_that_epoch(encoder: Path, tmp_path: Path) -> None:
    training = make(encoder, pairs=12, epochs=2, learning_rate=0.0, group_by_length=False)
    reported = list(training.events(tmp_path, validated=False))
    losses = [event.loss for event in reported if isinstance(event, events.Step)]
    means = [event.values["train/epoch_loss"] for event in reported if isinstance(event, events.Evaluated)]
    expected = [(8 * first + 4 * last) / 12 for first, last in (losses[:2], losses[2:])]
    assert means == pytest.approx(expected, rel=1e-12)


def test_a_fraction_of_an_epoch_ends_in_its_midst_and_is_evaluated_there(encoder: Path, tmp_path: Path) -> None:
    reported = list(make(encoder, epochs=1.2).events(tmp_path))
    assert [event.step for event in reported if isinstance(event, events.Evaluated)] == [8, 10]
    assert [event.epoch for event in reported if isinstance(event, events.Step)] == [n / 8 for n in range(1, 11)]
    assert reported[-1] == events.Finished(10, 1.25, reported[-1].best_step, "all epochs are done")


def test_the_pace_is_that_of_all_steps_but_the_first(encoder: Path, tmp_path: Path) -> None:
    training = make(encoder, pairs=12, epochs=2, group_by_length=False)
    finished = list(training.events(tmp_path, validated=False))[-1]
    assert isinstance(finished, events.Finished)
    assert finished.pace.items == 4 + 8 + 4
    assert 0 < finished.pace.seconds < 60
    assert finished.pace.operations > 0


def test_checkpoints_are_written_between_epochs_too_when_time_has_passed(encoder: Path, tmp_path: Path) -> None:
    reported = list(make(encoder, epochs=1, checkpoint_minutes=1e-9).events(tmp_path))
    assert [event.step for event in reported if isinstance(event, events.Saved)] == list(range(1, PER_EPOCH + 1))


def test_an_unknown_monitor_is_refused_before_the_first_step(encoder: Path, tmp_path: Path) -> None:
    reported = make(encoder, monitor="validation/pearsn").events(tmp_path)
    with pytest.raises(UsageError, match=r'--monitor "validation/pearsn" is not measured; did you mean "validation/pe'):
        next(reported)
    reported = make(encoder, monitor="validation/loss").events(tmp_path, validated=False)
    with pytest.raises(UsageError, match=r"is not measured without a validation split; known: \"train/epoch_loss\""):
        next(reported)


def test_a_monitored_metric_that_is_not_defined_leaves_the_last_weights(encoder: Path, tmp_path: Path) -> None:
    training = make(encoder, pairs=8, epochs=2)
    done = run_judged(training, tmp_path, [0.1, 0.2], "validation/mse")
    assert done.best_step is None
    assert steps_on_disk(tmp_path) == [1, 2]


class RecordedTask:
    """A task that records the epoch and the seed of every batch that is learned from."""

    def __init__(self, task: Any) -> None:
        self.task = task
        self.batches: list[tuple[int, int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.task, name)

    def collate(self, rows: Any, items: Any, occasion: str, *, epoch: int = 0, seed: int = 0) -> Any:
        if occasion == "training":
            self.batches.append((epoch, seed))
        return self.task.collate(rows, items, occasion, epoch=epoch, seed=seed)


def test_what_is_random_in_a_batch_follows_from_its_epoch_and_the_seed_of_the_recipe(
    encoder: Path, tmp_path: Path
) -> None:
    training = make(encoder, pairs=12, epochs=2, seed=5)
    task: Any = RecordedTask(training.task)
    list(replace(training, task=task).events(tmp_path, validated=False))
    assert task.batches == [(0, 5), (0, 5), (1, 5), (1, 5)]


class NotFiniteAt:
    """A model whose step of one number finds a loss that is not finite."""

    def __init__(self, model: Any, step: int) -> None:
        self.model, self.step = model, step

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def train_step(
        self, batch: Any, denominator: float, learning_rate: float, step: int, *, microbatch: int | None = None
    ) -> StepResult:
        if step == self.step:
            batch = batch | {"scores": np.full_like(batch["scores"], np.nan)}
        return self.model.train_step(batch, denominator, learning_rate, step, microbatch=microbatch)


def test_a_loss_that_is_not_finite_ends_the_training_and_all_weights_stay_finite(
    training: trainings.Training, tmp_path: Path
) -> None:
    model = NotFiniteAt(training.open_model(), 14)
    with pytest.raises(TrainingFailed, match=r"step 15: the loss is nan, .*try --learning-rate 0\.0007 or --prec"):
        list(training.events(tmp_path, model=model))
    for folder in (tmp_path / "checkpoints").iterdir():
        for value in load_file(folder / "model.safetensors").values():
            assert np.isfinite(value).all()
    assert all(math.isfinite(value) for value in (p.detach().abs().sum() for p in model.model.body.parameters()))
    assert steps_on_disk(tmp_path) == [PER_EPOCH]


# Damage


FILES = [
    "1_Pooling/config.json",
    "config.json",
    "manifest.json",
    "model.safetensors",
    "modules.json",
    "optimizer.safetensors",
    "state.json",
]


def damage(path: Path, kind: str) -> None:
    if kind == "missing":
        path.unlink()
    elif kind == "cut short":
        os.truncate(path, path.stat().st_size // 2)
    else:
        content = bytearray(path.read_bytes())
        in_a_hash = content.find(b'"sha256": "') + 20
        content[in_a_hash if path.name == "manifest.json" else len(content) // 2] ^= 1
        path.write_bytes(content)


@pytest.fixture(scope="module")
def stopped_late(training: trainings.Training, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("late")
    stop(training, folder, 19)
    return folder


@pytest.mark.parametrize("kind", ["missing", "cut short", "one bit"])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_checkpoint_is_passed_over_and_the_end_is_the_same(
    training: trainings.Training, unbroken: trainings.Outcome, stopped_late: Path, tmp_path: Path, name: str, kind: str
) -> None:
    home = shutil.copytree(stopped_late, tmp_path / "home")
    damage(home / "checkpoints" / "step-00000019" / name, kind)
    model = training.open_model()
    reported = training.events(home, model=model)
    started = next(reported)
    assert isinstance(started, events.Started)
    assert (started.step, len(started.warnings)) == (16, 1)
    assert started.warnings[0].startswith("step-00000019 ")
    assert "passed over" in started.warnings[0]
    list(reported)
    assert (trainings.weights(model), trainings.lines(home)) == (unbroken.weights, unbroken.lines)
    assert steps_on_disk(home) == [16, 24]


def test_every_file_of_a_checkpoint_is_damaged_in_these_tests(stopped_late: Path) -> None:
    folder = stopped_late / "checkpoints" / "step-00000019"
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == FILES


def test_without_a_whole_checkpoint_it_begins_anew_and_warns(
    training: trainings.Training, unbroken: trainings.Outcome, tmp_path: Path
) -> None:
    stop(training, tmp_path, 7)
    damage(tmp_path / "checkpoints" / "step-00000007" / "model.safetensors", "one bit")
    started = next(training.events(tmp_path))
    assert started == events.Started(0, STEPS, ("step-00000007 has a damaged model.safetensors; it is passed over",))
    assert finish(training, tmp_path) == unbroken


def test_a_checkpoint_whose_best_weights_are_damaged_is_passed_over(encoder: Path, tmp_path: Path) -> None:
    training = make(encoder, pairs=8, epochs=4)
    run_judged(training, tmp_path, [0.5, 0.9, 0.1, 0.2], "validation/pearson")
    damage(tmp_path / "checkpoints" / "step-00000002" / "model.safetensors", "one bit")
    _, warnings = train.newest_snapshot(tmp_path)
    assert warnings[0].startswith("step-00000004 needs step-00000002, which has a damaged model.safetensors")


def test_other_versions_than_at_the_last_save_are_named_in_a_warning(
    training: trainings.Training, tmp_path: Path
) -> None:
    old = {"before": "a", "versions": {"torch": "2.12", "numpy": "2.4"}}
    stop(training, tmp_path, 2, fingerprint=old)
    assert next(training.events(tmp_path, fingerprint=old)).warnings == ()
    new = {"before": "b", "versions": {"torch": "2.13", "numpy": "2.4"}}
    assert next(training.events(tmp_path, fingerprint=new)).warnings == (
        "since step 2 was saved, torch was 2.12 and is 2.13, the scores before training are others; "
        "it goes on, not bit for bit",
    )


# Processes that are killed


@pytest.fixture(scope="module")
def processes() -> Any:
    """Processes forked from one that has imported everything and run nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["homeground.engines.torch", "tests.training.trainings"])
    return context


SAVES_OFTEN = {"checkpoint_minutes": 1e-9}


def start(processes: Any, encoder: Path, home: Path, settings: dict[str, Any], dies_at: int | None = None) -> Any:
    ready = processes.Event()
    arguments = (str(encoder), str(home), settings, dies_at, ready)
    process = processes.Process(target=trainings.in_a_process, args=arguments)
    process.start()
    return process, ready


@pytest.mark.parametrize("call", [4, 13, 18, 19, 20, 60, 101, 102, 103, 104])
def test_killed_while_saving_it_ends_as_the_unbroken_training(
    processes: Any, encoder: Path, unbroken: trainings.Outcome, tmp_path: Path, call: int
) -> None:
    process, _ = start(processes, encoder, tmp_path, SAVES_OFTEN, dies_at=call)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert finish(make(encoder), tmp_path) == unbroken
    assert not list((tmp_path / "checkpoints").glob(".*"))


@pytest.mark.parametrize("moment", range(4))
def test_killed_at_any_moment_it_ends_as_the_unbroken_training(
    processes: Any, encoder: Path, unbroken: trainings.Outcome, tmp_path: Path, moment: int
) -> None:
    process, ready = start(processes, encoder, tmp_path, SAVES_OFTEN)
    assert ready.wait(60)
    time.sleep(np.random.default_rng(moment).uniform(0, 0.8))
    process.kill()
    process.join(60)
    assert finish(make(encoder), tmp_path) == unbroken


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_after_saving_and_the_training_goes_on_exactly(
    processes: Any, encoder: Path, unbroken: trainings.Outcome, tmp_path: Path, number: int
) -> None:
    process, ready = start(processes, encoder, tmp_path, {})
    assert ready.wait(60)
    os.kill(process.pid, number)
    process.join(60)
    assert process.exitcode == 128 + number
    assert trainings.lines(tmp_path)[-1]["step"] == steps_on_disk(tmp_path)[-1]
    assert finish(make(encoder), tmp_path) == unbroken
