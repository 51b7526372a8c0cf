"""The state of a training comes back as it was written, and only whole checkpoints are gone on from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from homeground.errors import DiskError
from homeground.training.early_stopping import Best
from homeground.training.snapshots import State, best_snapshot, newest_snapshot, remove_passed_over, save_snapshot


class Weightless:
    """A model that writes one small file."""

    def save(self, folder: Path, *, with_optimizer: bool) -> None:
        assert with_optimizer
        (folder / "model.safetensors").write_bytes(b"weights")


MODEL: Any = Weightless()


def test_a_state_comes_back_as_it_was_written(tmp_path: Path) -> None:
    assert newest_snapshot(tmp_path) == (None, [])
    state = State(
        step=7,
        epoch=0.1 + 0.2,
        epoch_loss=1 / 3,
        epoch_weight=56.0,
        best=Best(0.1 + 0.7, 7, 0),
        done="all epochs are done",
        before="abc",
        versions={"torch": "2.13"},
    )
    folder = save_snapshot(tmp_path, MODEL, state)
    assert newest_snapshot(tmp_path) == ((folder, state), [])
    assert best_snapshot(tmp_path, state) == folder


def test_steps_are_ordered_as_numbers(tmp_path: Path) -> None:
    for step in (9, 10, 100, 1000):
        save_snapshot(tmp_path, MODEL, State(step=step))
    found, _ = newest_snapshot(tmp_path)
    assert found is not None
    assert found[1].step == 1000
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["step-00000100", "step-00001000"]


def test_what_was_passed_over_is_removed_and_what_is_gone_on_from_is_not(tmp_path: Path) -> None:
    for step in (1, 2):
        save_snapshot(tmp_path, MODEL, State(step=step))
    torn = tmp_path / "checkpoints" / ".step-00000003.17.tmp"
    torn.mkdir()
    (torn / "model.safetensors").write_bytes(b"half")
    remove_passed_over(tmp_path, State(step=1))
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000001"]


def test_a_folder_that_cannot_be_written_is_a_disk_error_and_the_older_checkpoint_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_snapshot(tmp_path, MODEL, State(step=1))

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match=r"No space left on device.*free some space"):
        save_snapshot(tmp_path, MODEL, State(step=2))
    assert [path.name for path in folder.parent.iterdir()] == ["step-00000001"]
    found, warnings = newest_snapshot(tmp_path)
    assert (found, warnings) == ((folder, State(step=1)), [])
