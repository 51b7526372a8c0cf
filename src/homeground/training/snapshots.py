"""Snapshots of a training: weights, optimizer and state.json, each closed by a manifest.

Nothing but these decides what comes next: every random choice follows from the step.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from homeground.engines.model import Model
from homeground.storage import manifest_problem, new_folder, read_json
from homeground.training.early_stopping import Best


@dataclass(frozen=True)
class State:
    """Where a training stands: everything that decides what comes next besides weights and optimizer.

    ``epoch_loss`` and ``epoch_weight`` are the sums behind the mean training loss of the epoch in progress.
    ``microbatch`` is how many items are computed at once since memory ran out.
    """

    step: int = 0
    epoch: float = 0.0
    epoch_loss: float = 0.0
    epoch_weight: float = 0.0
    best: Best = field(default_factory=Best)
    done: str | None = None
    before: str = ""
    versions: dict[str, str] = field(default_factory=lambda: {})
    microbatch: int | None = None


def save_snapshot(home: Path, model: Model, state: State) -> Path:
    """Write ``checkpoints/step-…`` under ``home``; then keep the two newest and the best."""
    folder = _folder(home, state.step)
    with new_folder(folder) as temporary:
        model.save(temporary, with_optimizer=True)
        (temporary / "state.json").write_text(json.dumps(asdict(state), indent=1) + "\n", encoding="utf-8")
    for old in set(_folders(home)[:-2]) - {best_snapshot(home, state)}:
        shutil.rmtree(old)
    return folder


def newest_snapshot(home: Path) -> tuple[tuple[Path, State] | None, list[str]]:
    """Return the newest whole snapshot with its state, if any, and a warning for every damaged one passed over.

    A snapshot whose best weights lie in another, damaged one cannot be gone on from either.
    """
    warnings: list[str] = []
    for folder in reversed(_folders(home)):
        problem = manifest_problem(folder)
        state = _read_state(folder) if problem is None else State()
        best = best_snapshot(home, state)
        if problem is None and best is not None and best != folder and (why := manifest_problem(best)):
            problem = f"needs {best.name}, which {why}"
        if problem is None:
            return (folder, state), warnings
        warnings.append(f"{folder.name} {problem}; it is passed over")
    return None, warnings


def remove_passed_over(home: Path, state: State) -> None:
    """Remove what a training that goes on from ``state`` left aside, so that it does not count among the newest.

    These are the snapshots of later steps, all damaged, and the unfinished folders of a process that was killed.
    """
    later = [folder for folder in _folders(home) if folder > _folder(home, state.step)]
    for folder in (*later, *(home / "checkpoints").glob(".step-*")):
        shutil.rmtree(folder)


def best_snapshot(home: Path, state: State) -> Path | None:
    """Return the snapshot with the best weights, if any evaluation found a best."""
    return None if state.best.step is None else _folder(home, state.best.step)


def _folder(home: Path, step: int) -> Path:
    return home / "checkpoints" / f"step-{step:08d}"


def _folders(home: Path) -> list[Path]:
    return sorted((home / "checkpoints").glob("step-*"))


def _read_state(folder: Path) -> State:
    values = read_json(folder / "state.json")
    # Fields of other versions are passed over.
    known: dict[str, Any] = {each.name: values[each.name] for each in fields(State) if each.name in values}
    known["best"] = Best(**values["best"])
    return State(**known)
