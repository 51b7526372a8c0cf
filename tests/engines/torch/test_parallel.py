"""Several processes learn together, and the weights have the same bits as with one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

import homeground
from homeground.engines.torch import processes as module
from homeground.errors import ProcessLost, RunConflict, UsageError
from homeground.results.run import Run
from homeground.storage import file_hash
from homeground.training.events import Finished, Step

QUICK: dict[str, Any] = {"epochs": 1, "cross_fit": 0, "bootstrap_draws": 200, "audit": False, "quiet": True}
QUICK |= {"batch_size": 16, "learning_rate": 2e-3, "threads": 1, "slices": 4}


def weights(run: Run) -> dict[str, str]:
    return {path.name: file_hash(path) for path in sorted(run.model_folder.rglob("*.safetensors"))}


@pytest.mark.parametrize(
    ("data", "checkpoint", "settings"),
    [
        ("labels.csv", "bert", {"precision": "bf16"}),
        ("pairs.csv", "encoder", {"precision": "fp32"}),
        ("ranked.csv", "encoder", {"precision": "fp32", "microbatch_size": 3}),
        ("documents.jsonl", "bert", {"mask_draws": 1, "max_length": 16}),
        ("tagged.jsonl", "bert", {"precision": "fp32"}),
    ],
)
def test_two_processes_have_the_bits_of_one(
    data: str, checkpoint: str, settings: dict[str, Any], material: Path, tmp_path: Path
) -> None:
    named = {**QUICK, **settings, "checkpoint": str(material / checkpoint)}
    one, two = (
        homeground.adapt(str(material / data), processes=processes, out=str(tmp_path / f"{processes}"), **named)
        for processes in (1, 2)
    )
    assert weights(one) == weights(two)
    assert one.after == two.after
    assert one.scores["training"]["steps"] == two.scores["training"]["steps"] > 1


def test_a_process_that_is_killed_stops_all_and_another_number_goes_on_to_the_same_bits(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {**QUICK, "epochs": 2, "checkpoint": str(material / "bert")}
    unbroken = homeground.adapt(str(material / "labels.csv"), out=str(tmp_path / "unbroken"), **named)
    started: list[subprocess.Popen[bytes]] = []
    start = module._start
    monkeypatch.setattr(module, "_start", lambda *values: started.append(start(*values)) or started[-1])
    killed: list[float] = []

    def kill(event: object) -> None:
        if isinstance(event, Step) and event.step == 6 and not killed:
            started[2].kill()
            killed.append(time.monotonic())

    out = str(tmp_path / "run")
    with pytest.raises(ProcessLost, match="the same command goes on"):
        homeground.adapt(str(material / "labels.csv"), out=out, processes=4, on_event=kill, **named)
    assert time.monotonic() - killed[0] < 5
    assert all(child.poll() is not None for child in started)
    run = homeground.adapt(str(material / "labels.csv"), out=out, processes=2, **named)
    assert weights(run) == weights(unbroken)


def test_a_process_that_is_lost_after_the_last_step_is_not_missed(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    start = module._start
    monkeypatch.setattr(module, "_start", lambda *values: started.append(start(*values)) or started[-1])

    def kill(event: object) -> None:
        if isinstance(event, Finished):
            started[0].kill()

    named = {**QUICK, "checkpoint": str(material / "bert"), "out": str(tmp_path / "run")}
    run = homeground.adapt(str(material / "labels.csv"), processes=2, on_event=kill, **named)
    assert run.finished


def test_going_on_with_another_number_of_processes_names_the_slices(material: Path, tmp_path: Path) -> None:
    named = {**QUICK, "checkpoint": str(material / "bert"), "out": str(tmp_path / "run")}
    homeground.adapt(str(material / "labels.csv"), processes=2, **{**named, "slices": 2})
    del named["slices"]
    with pytest.raises(RunConflict, match=r"slices: 2, now not given\); go on with it with --slices 2, keep both"):
        homeground.adapt(str(material / "labels.csv"), **named)


def test_slices_give_the_weights_of_the_whole_batch(material: Path, tmp_path: Path) -> None:
    """Without dropout, but for rounding; the last batch has fewer examples than there are slices."""
    named = {**QUICK, "dropout": 0.0, "precision": "fp32", "batch_size": 7, "checkpoint": str(material / "encoder")}
    whole, cut = (
        homeground.adapt(str(material / "pairs.csv"), out=str(tmp_path / f"{slices}"), **{**named, "slices": slices})
        for slices in (1, 4)
    )
    one, other = (load_file(run.model_folder / "model.safetensors") for run in (whole, cut))
    assert max(float(abs(one[name] - other[name]).max()) for name in one) < 1e-5


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_children_end_with_a_leader_that_is_stopped_while_they_start(
    number: signal.Signals, material: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "homeground", *COMMAND, "--processes", "2", "--out", str(tmp_path / "run")]
    leader = subprocess.Popen(command, cwd=material, stderr=subprocess.PIPE)
    children = 0
    while children < 1 and leader.poll() is None:
        children = children_of(leader.pid)
    leader.send_signal(number)
    # They hold the leader's stderr, which is closed when the last one has ended.
    assert b"Traceback" not in leader.communicate(timeout=20)[1]
    assert children == 1


def children_of(parent: int) -> int:
    """Return how many processes a process has started, by the fourth field of Linux's /proc/PID/stat."""
    count = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            count += int(path.read_text().rpartition(")")[2].split()[1]) == parent
    return count


def test_nothing_is_imported_from_the_folder_of_the_data(material: Path, tmp_path: Path) -> None:
    """A folder may hold a random.py, and be somebody else's."""
    for path in material.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "torch.py").write_text("raise SystemExit('run from the folder of the data')")
    command = [sys.executable, "-P", "-m", "homeground", *COMMAND, "--processes", "2"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr[-500:]


@pytest.mark.parametrize(
    ("processes", "settings", "message"),
    [
        (3, {"slices": 4}, "--processes 3: expected a power of two"),
        (4, {"slices": 2}, "cut into 2 slices .* expected 2, or fewer"),
        (1, {"slices": 3}, "--slices 3: expected a power of two"),
        (2, {"engine": "keras", "slices": 1}, "PyTorch only"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(
    processes: int, settings: dict[str, Any], message: str, material: Path, tmp_path: Path
) -> None:
    named = {**QUICK, "threads": None, **settings, "checkpoint": str(material / "bert"), "out": str(tmp_path / "run")}
    with pytest.raises(UsageError, match=message):
        homeground.adapt(str(material / "labels.csv"), processes=processes, **named)
    assert not (tmp_path / "run").exists()


COMMAND = ["adapt", "labels.csv", "--checkpoint", "bert", "--epochs", "1", "--cross-fit", "0", "--quiet", "--no-audit"]
COMMAND += ["--bootstrap-draws", "200", "--batch-size", "16", "--learning-rate", "2e-3", "--threads", "1"]


def test_half_of_what_a_launcher_sets_is_refused(material: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="WORLD_SIZE is 2, but RANK and MASTER_ADDR and MASTER_PORT not set"):
        homeground.adapt(str(material / "labels.csv"), checkpoint=str(material / "bert"), quiet=True)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("WORLD_SIZE", "two", 'WORLD_SIZE is "two"; expected a number of 1 or more'),
        ("WORLD_SIZE", "3", "WORLD_SIZE 3: expected a power of two"),
        ("RANK", "x", 'RANK is "x"; expected a number from 0 to 1'),
        ("RANK", "2", 'RANK is "2"; expected a number from 0 to 1'),
        ("MASTER_PORT", "abc", 'MASTER_PORT is "abc"; expected a number from 1 to 65535'),
        ("LOCAL_RANK", "-1", 'LOCAL_RANK is "-1"; expected a number of 0 or more'),
    ],
)
def test_what_a_launcher_cannot_have_set_is_refused(
    name: str, value: str, message: str, material: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500", name: value}
    for each, text in given.items():
        monkeypatch.setenv(each, text)
    with pytest.raises(UsageError, match=message):
        homeground.adapt(str(material / "labels.csv"), checkpoint=str(material / "bert"), quiet=True)


def test_more_processes_than_gpus_are_refused(material: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(module.torch.cuda, "device_count", lambda: 1)
    with (
        pytest.raises(UsageError, match="--processes 2: this machine has 1 GPU"),
        module.lead(2, slices=2, threads=1, fingerprint=""),
    ):
        pass


def test_a_leader_does_not_wait_for_ever_for_a_process_of_a_launcher(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 1)
    given = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    for each, text in given.items():
        monkeypatch.setenv(each, text)
    began = time.monotonic()
    with pytest.raises(ProcessLost, match=r"process 0 of 2 cannot connect to 127\.0\.0\.1"):
        homeground.adapt(
            str(material / "labels.csv"), checkpoint=str(material / "bert"), out=str(tmp_path / "run"), **QUICK
        )
    assert time.monotonic() - began < 60
    assert not (tmp_path / "run").exists()


def test_processes_of_a_launcher_learn_together(material: Path, tmp_path: Path) -> None:
    """They are started by torchrun, and have the bits of one process with as many slices."""
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--master-port",
        str(free_port()),
    ]
    together = [*launcher, "-m", "homeground", *COMMAND, "--out", str(tmp_path / "two")]
    ended = subprocess.run(together, cwd=material, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr[-2000:]
    named = {**QUICK, "slices": 2, "checkpoint": str(material / "bert")}
    alone = homeground.adapt(str(material / "labels.csv"), out=str(tmp_path / "one"), **named)
    assert weights(Run(tmp_path / "two")) == weights(alone)


def test_processes_with_other_settings_are_refused(material: Path, tmp_path: Path) -> None:
    port = str(free_port())

    def start(rank: int, *more: str) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "RANK": str(rank),
            "WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }
        command = [sys.executable, "-m", "homeground", *COMMAND, "--out", str(tmp_path / "run"), *more]
        return subprocess.Popen(command, cwd=material, env=environment, stderr=subprocess.PIPE, text=True)

    both = [start(0), start(1, "--seed", "7")]
    errors = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [2, 2]
    assert all("process 1 of 2 was started with other settings" in error for error in errors)
    assert not (tmp_path / "run").exists()


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_sums_do_not_depend_on_who_adds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tree within a process and the tree over processes are parts of one."""
    import torch

    from homeground.engines.torch.microbatches import _tree_sum

    torch.manual_seed(0)
    values = [torch.randn(1000) * 10.0**n for n in range(8)]
    whole = _tree_sum(values)
    add: Callable[[int, int], torch.Tensor] = lambda start, count: _tree_sum(values[start : start + count])  # noqa: E731
    assert torch.equal(whole, (add(0, 2) + add(2, 2)) + (add(4, 2) + add(6, 2)))
    assert torch.equal(whole, add(0, 4) + add(4, 4))
