"""All four tasks from a file to a verdict and a prediction with the keras engine, and a run that is stopped goes on."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from safetensors.numpy import load_file
from tests.classifying import lively, topic_texts
from tests.conftest import PAIR_HEADER, topic_pairs
from tests.tagging import tagged_texts, write_tagged

import homeground
from homeground.engines.keras.traced import Traced
from homeground.errors import HomegroundWarning, RunConflict, Stopped
from homeground.training.events import Step

QUICK = {"epochs": 2, "bootstrap_draws": 200, "cross_fit": 0, "quiet": True, "engine": "keras"}


def pairs(folder: Path, write: Callable[..., Path]) -> dict[str, Any]:
    return {"data": str(write("pairs.csv", PAIR_HEADER, topic_pairs(300)))}


def labels(folder: Path, write: Callable[..., Path]) -> dict[str, Any]:
    return {"data": str(write("labels.csv", ["text", "label"], topic_texts(300)))}


def entities(folder: Path, write: Callable[..., Path]) -> dict[str, Any]:
    return {"data": str(write_tagged(folder / "entities.jsonl", tagged_texts(300)))}


def plain(folder: Path, write: Callable[..., Path]) -> dict[str, Any]:
    texts = [text for text, _ in topic_texts(300)]
    (folder / "plain.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    return {"data": str(folder / "plain.txt"), "task": "mlm", "mask_draws": 1}


TASKS = {"similarity": pairs, "classification": labels, "token-classification": entities, "mlm": plain}


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    return lively(tmp_path / "bert")


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_adapted_and_predicts(task: str, bert: Path, write_csv: Callable[..., Path], tmp_path: Path) -> None:
    settings = TASKS[task](tmp_path, write_csv)
    run = homeground.adapt(**settings, **QUICK, checkpoint=str(bert), out=str(tmp_path / "run"))
    assert run.finished and run.report_path.is_file()
    assert run.scores["task"] == task
    assert json.loads((run.folder / "data.json").read_text())["checkpoint"]["saved_model"] is False
    # Either engine gives the same for what was saved.
    figures = [run.load(engine=engine).figures(["the bank", "a nurse and a doctor"]) for engine in ("keras", "torch")]
    assert abs(figures[0] - figures[1]).max() < 1e-4


def test_a_stopped_run_goes_on_to_the_same_weights(bert: Path, write_csv: Callable[..., Path], tmp_path: Path) -> None:
    settings = {**labels(tmp_path, write_csv), **QUICK, "checkpoint": str(bert)}
    settings.pop("quiet")
    whole = homeground.adapt(**settings, quiet=True, out=str(tmp_path / "whole"))

    def interrupt(event: object) -> None:
        if isinstance(event, Step) and event.step == 7:
            raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, Stopped)):
        homeground.adapt(**settings, out=str(tmp_path / "broken"), on_event=interrupt)
    again = homeground.adapt(**settings, quiet=True, out=str(tmp_path / "broken"))
    weights = [load_file(run.model_folder / "model.safetensors") for run in (whole, again)]
    assert weights[0].keys() == weights[1].keys()
    assert all((weights[0][name] == value).all() for name, value in weights[1].items())


def test_the_other_engine_does_not_take_a_run_over(bert: Path, write_csv: Callable[..., Path], tmp_path: Path) -> None:
    settings = {**labels(tmp_path, write_csv), **QUICK, "checkpoint": str(bert), "out": str(tmp_path / "run")}
    homeground.adapt(**settings)
    with pytest.raises(RunConflict, match=r'recipe\.engine: "keras", now "torch"'):
        homeground.adapt(**{**settings, "engine": "torch"})


@pytest.mark.parametrize("task", ["similarity", "classification"])
def test_memory_that_runs_out_halves_the_slices_and_changes_nothing(
    task: str, bert: Path, write_csv: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**TASKS[task](tmp_path, write_csv), **QUICK, "epochs": 1, "batch_size": 16, "dropout": 0.0}
    call, runs = Traced.__call__, []
    for limit in (1000, 5):

        def limited(self: Traced, batch: Any, *values: Any, limit: int = limit, **more: Any) -> Any:
            if len(batch["input_ids"]) > limit:
                raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
            return call(self, batch, *values, **more)

        monkeypatch.setattr(Traced, "__call__", limited)
        out = tmp_path / f"run-{limit}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HomegroundWarning)
            runs.append(homeground.adapt(**settings, checkpoint=str(bert), precision="fp32", out=str(out)))
    weights = [load_file(run.model_folder / "model.safetensors") for run in runs]
    # The gradient of a key's bias is 0 but for rounding, which Adam makes a step of.
    names = [name for name in weights[0] if not name.endswith("key.bias")]
    assert max(float(abs(weights[0][name] - weights[1][name]).max()) for name in names) <= 5e-6
    assert runs[1].scores["training"]["microbatch"] == 4
    assert [any("memory ran out" in text for text in run.warnings) for run in runs] == [False, True]
