"""Row 4: a disk that is full, or takes nothing, ends in exit code 74, and the same command goes on afterwards."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from homeground import storage
from homeground.cli import run
from tests.faults.conftest import COMMANDS, COMMON, EVERYTHING, Row, Unbroken, Zygote, outcome, points

ERRORS = {"full": errno.ENOSPC, "broken": errno.EIO, "read-only": errno.EROFS}


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("kind", ["labels", "folds", "search", "pairs"] if EVERYTHING else ["labels"])
def test_a_failing_write_ends_with_74_and_nothing_is_lost(
    kind: str,
    unbroken: Callable[[str], Unbroken],
    zygote: Zygote,
    workplace: Callable[[], Path],
    row: Callable[[str], Row],
) -> None:
    expected, tried = outcome(unbroken(kind).folder), row(f"4 failing writes, {kind}")
    for place, point in enumerate(points(unbroken(kind).calls, few=5, step=5)):
        folder, (name, number) = workplace(), list(ERRORS.items())[place % len(ERRORS)]
        failed = zygote(kind, folder, fail_at=point, error=number)
        again = zygote(kind, folder)
        held = failed["status"] in (74, 0) and "Traceback" not in failed["output"]
        held = held and (failed["status"] == 0 or "could not be written" in failed["output"])
        held = held and again["status"] == 0 and outcome(folder) == expected
        tried(f"{name} at call {point}", held, f"{failed} {again}")


def test_too_little_space_is_told_before_the_start(
    workplace: Callable[[], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    row: Callable[[str], Row],
) -> None:
    folder, tried = workplace(), row("4 too little space before the start")
    monkeypatch.chdir(folder)
    usage = shutil.disk_usage(folder)
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    code = run([*COMMANDS["labels"], *COMMON, "--out", "runs/run"])
    output = capsys.readouterr().err
    tried("exit code", code == 74, str(code))
    tried("sentence", "MB on the disk, and 0 MB are free" in output and "--out" in output, output)
    tried("nothing is trained", not (folder / "runs/run/checkpoints").exists())
