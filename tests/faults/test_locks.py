"""Row 13: a second run in the same folder is refused, whoever reads meanwhile sees whole files, a dead lock is none."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import COMMANDS, COMMON, Row, Unbroken, Zygote, outcome

LOCKED = 3
ADAPT = [*COMMANDS["labels"], *COMMON, "--out", "runs/run"]
READERS = (["runs"], ["report", "runs/run"], ["predict", "runs/run", "labels.csv", "--output", "out.csv"])


def started(folder: Path) -> subprocess.Popen[bytes]:
    """Begin a run in a process of its own, and wait until it holds its folder."""
    command = [sys.executable, "-m", "homeground", *ADAPT]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (folder / "runs/run/run.json").is_file():
        assert process.poll() is None
        time.sleep(0.05)
    return process


@pytest.mark.timeout(600)
def test_a_second_run_is_refused_and_readers_see_whole_files(
    unbroken: Callable[[str], Unbroken], zygote: Zygote, workplace: Callable[[], Path], row: Callable[[str], Row]
) -> None:
    tried, folder = row("13 a second run, and readers"), workplace()
    process = started(folder)
    os.kill(process.pid, signal.SIGSTOP)  # so that it still runs when the second one begins
    second = zygote("labels", folder)
    says_who = re.search(rf"\b{process.pid}\b", second["output"]) is not None
    tried("a second run", second["status"] == LOCKED and says_who, str(second))
    fresh = zygote.ask({"argv": [*ADAPT, "--fresh"], "cwd": str(folder)})
    tried("a second run with --fresh", fresh["status"] == LOCKED, str(fresh))
    os.kill(process.pid, signal.SIGCONT)
    while process.poll() is None:
        for argv in READERS:
            answer = zygote.ask({"argv": argv, "cwd": str(folder)})
            tried(" ".join(argv), answer["status"] in (0, 2) and "unexpected" not in answer["output"], str(answer))
    tried("the run", process.returncode == 0 and outcome(folder) == outcome(unbroken("labels").folder))


@pytest.mark.timeout(600)
def test_the_lock_of_a_process_that_was_killed_is_none(
    unbroken: Callable[[str], Unbroken], zygote: Zygote, workplace: Callable[[], Path], row: Callable[[str], Row]
) -> None:
    tried, folder = row("13 the lock of a dead process"), workplace()
    process = started(folder)
    process.kill()
    process.wait()
    tried("there", any((folder / "runs").glob(".*.lock")))
    again = zygote("labels", folder)
    tried("again", again["status"] == 0 and outcome(folder) == outcome(unbroken("labels").folder), str(again))
