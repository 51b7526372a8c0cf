"""Where an export is written: its folder, what may be overwritten there, and what of the model goes into it."""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import ValidationError

from homeground.checkpoint import EXPORT_FILE, EXPORTS, Checkpoint, model_files
from homeground.checkpoint.exported import ANEW, holds_export
from homeground.checkpoint.safety import read_settings
from homeground.errors import CheckpointError, DamagedFile, UsageError
from homeground.reports.model_card import model_card
from homeground.reports.report import write_report
from homeground.results.publication import ExportRecord
from homeground.results.record import read_run
from homeground.results.run import Run
from homeground.storage import (
    MANIFEST,
    RUN_RECORD,
    file_hash,
    has_ended,
    is_litter,
    manifest_problem,
    read_sealed,
    require_listed,
    write_manifest,
    write_text,
)
from homeground.training.events import Notice, OnEvent

CARD = "README.md"


def place_of(run: Run, name: str, output: Path | None) -> tuple[Path, bool]:
    """Return the folder of an export, and whether it is the one in its run, which predictions and the report find.

    Raises:
        UsageError: the folder is taken, or is where another export or run has its own.
    """
    own = run.folder / EXPORTS / name
    target = own if output is None else output
    in_run = target.resolve() == own.resolve()
    if not in_run:
        _refuse_exports_of_runs(target)
    if target.is_symlink():
        raise UsageError(f"{target} is a link; name the folder that it leads to, or another one with --output")
    if target.is_file() or (target.is_dir() and any(target.iterdir()) and not holds_export(target)):
        what = "is a file" if target.is_file() else "is not empty and holds no export"
        raise UsageError(f"{target} {what}; name a new folder with --output")
    if not in_run and holds_export(target):
        _refuse_another_export(target, run, name)
    return target, in_run


def _refuse_exports_of_runs(target: Path) -> None:
    """Refuse a folder where a run has its exports, each by its name and written while the run is locked."""
    for folder in target.resolve().parents:
        if folder.name == EXPORTS and (folder.parent / RUN_RECORD).is_file():
            raise UsageError(
                f"{target} is in the folder of the exports of {folder.parent}, each of which has its own place there; "
                "leave out --output, or name a folder outside of runs"
            )


def _refuse_another_export(target: Path, run: Run, name: str) -> None:
    try:
        record = ExportRecord.model_validate(read_sealed(target / EXPORT_FILE, unsealed_version=-1, remedy=ANEW))
        there = f"the export {record.name} of the run {record.source.run}"
        is_same = (record.name, record.source.run) == (name, name_of(run))
    except (OSError, DamagedFile, ValidationError):
        there, is_same = "an export that is not as it was written", False
    if not is_same:
        raise UsageError(f"{target} holds {there}; remove it, or name a new folder with --output")


def name_of(run: Run) -> str:
    """Return the name of a run, whatever path leads to it."""
    return run.folder.resolve().name


def remove_litter_of(target: Path) -> None:
    """Remove what exports to this folder left half written beside it, where their processes have ended."""
    if target.parent.is_dir():
        for path in target.parent.iterdir():
            name, _, ending = path.name.rpartition(".")
            name, _, process = name.rpartition(".")
            if is_litter(path) and name == f".{target.name}" and ending == "tmp" and has_ended(int(process)):
                shutil.rmtree(path, ignore_errors=True)


def require_as_written(run: Run, checkpoint: Checkpoint) -> None:
    """Refuse a model with a file that the run did not write, which the export would hold as if it had.

    Raises:
        CheckpointError: the message names the file.
    """
    folder = run.model_folder
    if problem := manifest_problem(folder, besides=(CARD,)):
        raise CheckpointError(f"{folder}: {problem}; give the run's command again with --fresh")
    written = read_settings(folder / MANIFEST)["files"]
    foreign = next((name for name in model_files(checkpoint) if name not in written), None)
    if foreign:
        raise CheckpointError(f"{folder / foreign}: the run did not write this file; take it out of the folder")


def show_exports(run: Run, on_event: OnEvent) -> None:
    """Write the report of a run anew, which lists its exports, and the model card, unless somebody has changed it."""
    require_listed(run.folder, "scores.json")
    card = run.model_folder / CARD
    written = read_settings(run.model_folder / MANIFEST)["files"]
    if card.is_file() and file_hash(card) != written.get(CARD, {}).get("sha256"):
        on_event(Notice(f"{card} was changed by hand and stays as it is, without the exports"))
    else:
        write_text(card, model_card(read_run(run.folder)))
        # The names that are listed already: what else lies in the folder, the run did not write.
        write_manifest(run.model_folder, {*written, CARD})
    write_report(run.folder)
