"""Row 7: memory runs out, and the step is taken again in smaller slices with the same result."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import homeground
from homeground.cli import run
from homeground.engines.torch.model import TorchModel
from homeground.errors import HomegroundWarning
from homeground.results.run import Run
from tests.faults.conftest import COMMANDS, COMMON, Row

PHRASES = (
    RuntimeError("[enforce fail at alloc_cpu.cpp:128] err == 0. DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
)


class Limited:
    """Lets a model compute at most so many texts at once, from a number of computations on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, limit: int, error: BaseException, *, after: int = 0) -> None:
        compute, measure = TorchModel._compute, TorchModel.predict
        self.calls = 0

        def checked(batch: Any) -> None:
            self.calls += 1
            if self.calls > after and len(batch["input_ids"]) > limit:
                raise error

        def computing(model: TorchModel, batch: Any, precision: str) -> Any:
            checked(batch)
            return compute(model, batch, precision)

        def measuring(model: TorchModel, batch: Any) -> Any:
            checked(batch)
            return measure(model, batch)

        monkeypatch.setattr(TorchModel, "_compute", computing)
        monkeypatch.setattr(TorchModel, "predict", measuring)


def adapted(kind: str, folder: Path, *more: str) -> Run:
    argv = [*COMMANDS[kind], *COMMON, "--precision", "fp32", "--dropout", "0", "--out", "runs/run", *more]
    assert run(argv) == 0
    return Run(folder / "runs/run")


@pytest.mark.parametrize("error", PHRASES, ids=["torch", "python"])
@pytest.mark.parametrize("kind", ["pairs", "labels", "words", "entities"])
def test_the_result_is_that_of_enough_memory(
    kind: str,
    error: BaseException,
    workplace: Callable[[], Path],
    monkeypatch: pytest.MonkeyPatch,
    row: Callable[[str], Row],
) -> None:
    tried = row(f"7 memory runs out, {kind}")
    runs: list[Run] = []
    for limit in (1000, 5):
        folder = workplace()
        with monkeypatch.context() as patch:
            patch.chdir(folder)
            Limited(patch, limit, error)
            runs.append(adapted(kind, folder))
    weights = [load_file(each.model_folder / "model.safetensors") for each in runs]
    # The gradient of a key's bias is 0 but for rounding, which Adam makes a step of.
    names = [name for name in weights[0] if not name.endswith("key.bias")]
    difference = max(float(np.abs(weights[0][name] - weights[1][name]).max()) for name in names)
    tried("weights", difference <= 1e-6, str(difference))
    tried("scores", runs[1].after == pytest.approx(runs[0].after, abs=1e-6), f"{runs[0].after} {runs[1].after}")
    said = [text for text in runs[1].warnings if "memory ran out" in text]
    recorded = runs[1].scores["training"]["microbatch"]
    tried(
        "said and recorded",
        len(said) > 0 and recorded == 4 and not any("memory" in text for text in runs[0].warnings),
        f"{said} {recorded}",
    )


def test_a_resumed_training_keeps_the_slices(
    workplace: Callable[[], Path], monkeypatch: pytest.MonkeyPatch, row: Callable[[str], Row]
) -> None:
    folder, tried = workplace(), row("7 memory runs out, then a stop")
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        Limited(patch, 5, MemoryError())
        argv = [*COMMANDS["labels"], *COMMON, "--epochs", "2", "--out", "runs/run"]
        del argv[argv.index("--epochs") : argv.index("--epochs") + 2]
        events: list[object] = []

        def listen(event: object) -> None:
            events.append(event)
            if type(event).__name__ == "Saved":
                raise KeyboardInterrupt

        settings: dict[str, Any] = {
            "checkpoint": "bert", "epochs": 2, "cross_fit": 0, "batch_size": 16, "bootstrap_draws": 200,
            "audit": False, "out": "runs/run",
        }  # fmt: skip
        with pytest.raises(KeyboardInterrupt):
            homeground.adapt("labels.csv", on_event=listen, **settings)
        (snapshot,) = (folder / "runs/run/checkpoints").iterdir()
        tried("in the snapshot", json.loads((snapshot / "state.json").read_text())["microbatch"] == 4)
        with pytest.warns(HomegroundWarning, match="computed 4 examples at a time"):
            resumed = homeground.adapt("labels.csv", **settings)
        tried("recorded", resumed.scores["training"]["microbatch"] == 4)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_no_memory_for_the_optimizer_ends_the_run(
    optimizer: str,
    workplace: Callable[[], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    row: Callable[[str], Row],
) -> None:
    monkeypatch.chdir(workplace())

    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(torch, "zeros_like", full)
    code = run([*COMMANDS["labels"], *COMMON, "--optimizer", optimizer, "--out", "runs/run"])
    output = capsys.readouterr().err
    row("7 no memory for the optimizer")(optimizer, code == 71 and "out of memory" in output, output)


def test_not_even_one_example_fits(
    workplace: Callable[[], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    row: Callable[[str], Row],
) -> None:
    monkeypatch.chdir(workplace())
    Limited(monkeypatch, 0, MemoryError(), after=2)
    code = run([*COMMANDS["labels"], *COMMON])
    output = capsys.readouterr().err
    row("7 not even one example fits")("exit code and sentence", code == 71 and "out of memory" in output, output)
