"""Where memory runs out in one of several processes, all take the step again in smaller parts."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

import homeground
from homeground.engines.torch import processes as module
from homeground.engines.torch.model import TorchModel
from homeground.errors import OutOfMemory
from homeground.processes.children import start_child
from homeground.storage import file_hash
from homeground.training.events import MemoryShort

QUICK: dict[str, Any] = {"epochs": 1, "cross_fit": 0, "bootstrap_draws": 200, "audit": False, "quiet": True}
QUICK |= {"batch_size": 16, "learning_rate": 2e-3, "threads": 1, "slices": 4, "precision": "fp32"}

FAILURE = "[enforce fail at alloc_cpu.cpp:113] DefaultCPUAllocator: can't allocate memory"

SHORT_OF_MEMORY = f"""
from homeground.engines.torch import processes
from homeground.engines.torch.model import TorchModel

compute = TorchModel._compute_to_learn


def computed(self, batch, seed):
    if len(batch["input_ids"]) > LIMIT:
        raise RuntimeError("{FAILURE}")
    return compute(self, batch, seed)


def follow():
    TorchModel._compute_to_learn = computed
    processes.follow()
"""


def let_memory_run_out(who: str, most_items: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the leader, or the process that it starts, hold no more than so many items of a batch."""
    if who == "leader":
        compute = TorchModel._compute_to_learn

        def computed(self: TorchModel, batch: Mapping[str, Tensor], seed: int) -> Tensor:
            if len(batch["input_ids"]) > most_items:
                raise RuntimeError(FAILURE)
            return compute(self, batch, seed)

        monkeypatch.setattr(TorchModel, "_compute_to_learn", computed)
        return
    (folder / "short_of_memory.py").write_text(SHORT_OF_MEMORY.replace("LIMIT", str(most_items)))
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=":")

    def start(name: str, function: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        assert name == "homeground.engines.torch.processes"
        return start_child("short_of_memory", function, environment)

    monkeypatch.setattr(module, "start_child", start)


@pytest.mark.filterwarnings("ignore:memory ran out")
@pytest.mark.parametrize("who", ["leader", "other"])
@pytest.mark.parametrize(("data", "checkpoint"), [("labels.csv", "bert"), ("ranked.csv", "encoder")])
def test_all_halve_where_memory_runs_out_in_one(
    data: str, checkpoint: str, who: str, material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {**QUICK, "checkpoint": str(material / checkpoint)}
    # The masks of dropout are those of parts of two, so one process that begins with these has the same bits.
    expected = homeground.adapt(str(material / data), out=str(tmp_path / "alone"), microbatch_size=2, **named)
    let_memory_run_out(who, 2, tmp_path, monkeypatch)
    events: list[object] = []
    run = homeground.adapt(
        str(material / data), out=str(tmp_path / "run"), processes=2, on_event=events.append, **named
    )
    assert [each.microbatch for each in events if isinstance(each, MemoryShort)] == [2]
    one, other = (file_hash(each.model_folder / "model.safetensors") for each in (expected, run))
    assert one == other


@pytest.mark.parametrize("who", ["leader", "other"])
def test_where_not_even_one_example_fits_all_end(
    who: str, material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_memory_run_out(who, 0, tmp_path, monkeypatch)
    started: list[subprocess.Popen[bytes]] = []
    start = module._start
    monkeypatch.setattr(module, "_start", lambda *values: started.append(start(*values)) or started[-1])
    with pytest.raises(OutOfMemory, match="use a smaller --max-length"):
        homeground.adapt(
            str(material / "labels.csv"),
            out=str(tmp_path / "run"),
            processes=2,
            checkpoint=str(material / "bert"),
            **QUICK,
        )
    assert len(started) == 1
    assert started[0].poll() is not None
