"""How often a test set has been asked: an append-only list of verdicts beside the runs.

Whoever tries ten recipes on one test set and keeps the best has used it as validation. The ledger does not forbid that;
it makes every verdict say its number. One line a verdict, in ``ledger.jsonl``:

    {"version": 2, "test_hash": "9f…", "run": "pairs", "fingerprint": "3c…", "time": "2025-01-31T…", "sha256": "07…"}

where sha256 is the hash of the other fields, so that a damaged line is not counted under another test.
"""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from filelock import FileLock, Timeout

from homeground.errors import DamageWarning, RunLocked
from homeground.storage import is_sealed, now, parse_json, sealed, written_to

LEDGER_NAME = "ledger.jsonl"
LEDGER_VERSION, UNSEALED_VERSION = 2, 1
LEDGER_OF_COMPARISONS = Path("runs")
"""The folder of the ledger that counts the verdicts of ``compare``, as those of ``adapt`` are counted."""

SECONDS_TO_WAIT = 60.0


@dataclass(frozen=True)
class Ledger:
    """The verdicts in the order they fell, and the numbers, from 1, of the lines that cannot be read."""

    entries: tuple[dict[str, Any], ...]
    damaged: tuple[int, ...]


def count_verdict(folder: Path, *, test_hash: str, run: str, fingerprint: str) -> int:
    """Write down a verdict and return which one it is, from 1, on the test set with this hash.

    ``fingerprint`` names what was decided on (recipe, checkpoint, data), so that the same run computed again finds its
    number instead of getting a new one. A line torn by a crash stays, is passed over with a warning, and is not
    counted: its verdict was never shown.

    Raises RunLocked where another process keeps the ledger for a minute, DiskError where it cannot be written.
    """
    path = folder / LEDGER_NAME
    verdict = {"version": LEDGER_VERSION, "test_hash": test_hash, "run": run, "fingerprint": fingerprint}
    with written_to(path):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder / f".{LEDGER_NAME}.lock", timeout=SECONDS_TO_WAIT):
                return _number(path, verdict)
        except Timeout:
            message = f"{path} is being written by another process; wait for it, then give the same command again"
            raise RunLocked(message) from None


def read_ledger(folder: Path) -> Ledger:
    """Return the ledger of a folder of runs; one that does not exist is empty."""
    path = folder / LEDGER_NAME
    content = path.read_bytes() if path.is_file() else b""
    # Not splitlines(), which also breaks at separators that a name may hold.
    entries = [_entry(line) for line in content.removesuffix(b"\n").split(b"\n")] if content else []
    damaged = tuple(number for number, entry in enumerate(entries, start=1) if entry is None)
    return Ledger(tuple(entry for entry in entries if entry is not None), damaged)


def _number(path: Path, verdict: dict[str, Any]) -> int:
    ledger = read_ledger(path.parent)
    if ledger.damaged:
        listed = ", ".join(map(str, ledger.damaged))
        text = f"{path}: line {listed} cannot be read and is not counted"
        warnings.warn(text, DamageWarning, stacklevel=4)
    same_test = [entry for entry in ledger.entries if entry["test_hash"] == verdict["test_hash"]]
    counted = list(dict.fromkeys(_identity(entry) for entry in same_test))
    if _identity(verdict) in counted:
        return counted.index(_identity(verdict)) + 1
    _append(path, sealed({**verdict, "time": now()}))
    return len(counted) + 1


def _identity(entry: dict[str, Any]) -> tuple[str, str]:
    return entry["run"], entry["fingerprint"]


def _append(path: Path, entry: dict[str, Any]) -> None:
    """Add a line and sync it; a torn last line is ended first, so that it swallows nothing."""
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _entry(line: bytes) -> dict[str, Any] | None:
    """Return the verdict on a line, or None where it holds none."""
    try:
        parsed: object = parse_json(line)
    except ValueError:
        return None
    if not isinstance(parsed, dict):
        return None
    entry = cast(dict[str, Any], parsed)
    if not is_sealed(entry, unsealed_version=UNSEALED_VERSION):
        return None
    return entry if all(isinstance(entry.get(name), str) for name in ("test_hash", "run", "fingerprint")) else None
