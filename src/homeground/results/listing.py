"""The runs below a folder, each in a few fields of its files."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from homeground.errors import DamagedFile
from homeground.results.parts import Record, field
from homeground.results.run import CHAIN_FILE, REMADE, Run
from homeground.storage import FILES, file_hash, read_json

UNFINISHED, UNREADABLE = "unfinished", "unreadable"
"""What stands for the verdict where there is none."""


class RunSummary(Record):
    """A run or a chain, as ``homeground runs --json`` prints it."""

    folder: str = field("the run folder")
    task: str = field("the task; `chain` for a chain", "")
    data: str = field("the data file, as its name", "")
    checkpoint: str = field("the checkpoint that was adapted", "")
    verdict: str = field("the verdict; `unfinished` or `unreadable` where there is none", UNFINISHED)
    metric: str = field("the metric of the verdict", "")
    before: float | None = field("its value before", None)
    after: float | None = field("its value after", None)
    general: str | None = field("the verdict on general ability, or null", None)
    test_hash: str = field("hash of the test set: runs with the same one can be compared without a file", "")
    date: str = field("when it was finished or, unfinished, begun; UTC", "")


def summarize_runs(folder: Path) -> list[RunSummary]:
    """Return the runs and chains below a folder, itself included, the oldest first."""
    return sorted((_summary(run, kind) for run, kind in _folders(folder)), key=lambda each: (each.date, each.folder))


def _folders(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in folder.rglob("run.json"):
        yield path.parent, "run"
    for path in folder.rglob(CHAIN_FILE):
        if not (path.parent / "run.json").is_file():
            yield path.parent, "chain"


def _summary(folder: Path, kind: str) -> RunSummary:
    try:
        return _chain(folder) if kind == "chain" else _run(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, DamagedFile):
        return RunSummary(folder=str(folder), verdict=UNREADABLE)


def _run(folder: Path) -> RunSummary:
    run = Run(folder)
    record, scores = run.record, run.scores if run.finished else {}
    recipe: dict[str, Any] = {}
    if (folder / "recipe.toml").is_file():
        recipe = tomllib.loads((folder / "recipe.toml").read_text(encoding="utf-8"))
    metric, general = scores.get("primary_metric", ""), scores.get("general")
    return RunSummary(
        folder=str(folder),
        task=recipe.get("task", ""),
        data=Path(recipe.get("data", "")).name,
        checkpoint=_short(recipe.get("checkpoint", "")),
        verdict=scores.get("verdict", UNFINISHED),
        metric=metric,
        before=scores.get("before", {}).get(metric),
        after=scores.get("after", {}).get(metric),
        general=general["verdict"] if general else None,
        test_hash=scores.get("test_set", {}).get("hash", ""),
        date=record.get("finished") or record.get("started") or "",
    )


def _chain(folder: Path) -> RunSummary:
    """Return the summary of a chain: its verdict is about the domain step, from the task without it to both steps."""
    last = Run(folder / "adapted")
    record, listed = read_json(folder / CHAIN_FILE), last.record.get(FILES, {})
    if CHAIN_FILE in listed and listed[CHAIN_FILE] != file_hash(folder / CHAIN_FILE):
        raise DamagedFile(folder / CHAIN_FILE, REMADE)
    metric, scores = record.get("primary_metric", ""), cast(dict[str, Any], record.get("scores", {}))
    return RunSummary(
        folder=str(folder),
        task="chain",
        data=Path(record.get("data", "")).name,
        checkpoint=_short((record.get("checkpoint") or {}).get("name") or ""),
        verdict=record.get("verdict") or UNFINISHED,
        metric=metric,
        before=scores.get("plain", {}).get(metric),
        after=scores.get("adapted", {}).get(metric),
        test_hash=(record.get("test_set") or {}).get("hash", ""),
        date=last.record.get("finished") or "",
    )


def _short(checkpoint: str) -> str:
    """Return a checkpoint by its name on the Hub or, for a path, by the last of its folders."""
    return Path(checkpoint).name if checkpoint.startswith((".", "/")) else checkpoint
