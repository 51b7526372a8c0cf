"""Row 25: odd environments: a command works in them, or says what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import COMMANDS, COMMON, EVERYTHING, Row

COMMAND = [sys.executable, "-m", "homeground"]
LONG = "n" * 200

PLACES = ("with spaces", "中文 🙂", 'it\'s "quoted"', LONG) if EVERYTHING else ("中文 🙂 it's",)
"""Names of folders in which everything lies."""

ENVIRONMENTS: dict[str, dict[str, str | None]] = {
    "no HOME": {"HOME": None, "XDG_CACHE_HOME": None, "HOMEGROUND_CACHE": None},
    "the C locale": {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": None},
    "an ASCII terminal": {"PYTHONIOENCODING": "ascii"},
    "an odd time zone": {"TZ": "Pacific/Kiritimati"},
    "no network": {"HTTPS_PROXY": "http://127.0.0.1:9", "HF_ENDPOINT": "http://127.0.0.1:9"},
    "a terminal of one column": {"COLUMNS": "1"},
}


def command(folder: Path, *argv: str, changes: dict[str, str | None] | None = None, **options: Any) -> tuple[int, str]:
    """Carry out a command in a process of its own, and return its exit code and what it said."""
    environment = {**os.environ, "HOMEGROUND_LANGUAGE": "en", **(changes or {})}
    environment = {name: value for name, value in environment.items() if value is not None}
    if not {"stdout", "stderr"} & options.keys():
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    ended = subprocess.run([*COMMAND, *argv], cwd=folder, env=environment, timeout=200, check=False, **options)
    return ended.returncode, (ended.stdout or b"").decode("utf-8", "replace")


ADAPT = [*COMMANDS["labels"], *COMMON, "--out", "runs/run"]


@pytest.mark.skipif(not EVERYTHING, reason="by make faults")
@pytest.mark.timeout(1200)
def test_places_with_odd_names(material: Path, tmp_path: Path, row: Callable[[str], Row]) -> None:
    tried = row("25 odd paths")
    for name in PLACES:
        place = Path(shutil.copytree(material, tmp_path / name))
        code, output = command(place, *ADAPT)
        tried(f"adapt, {name[:20]}", code == 0 and (place / "runs/run/report.html").is_file(), output)
        code, output = command(tmp_path, "predict", str(place / "runs/run"), "a bank")
        tried(f"predict, {name[:20]}", code == 0, output)


@pytest.mark.skipif(not EVERYTHING, reason="by make faults")
@pytest.mark.timeout(1200)
def test_odd_environments(workplace: Callable[[], Path], row: Callable[[str], Row]) -> None:
    tried = row("25 odd environments")
    for name in ENVIRONMENTS:
        folder = workplace()
        code, output = command(folder, *ADAPT, changes=ENVIRONMENTS[name])
        tried(name, code == 0 and "Traceback" not in output, output)


@pytest.mark.timeout(1200)
def test_closed_streams_and_readers_that_leave(workplace: Callable[[], Path], row: Callable[[str], Row]) -> None:
    tried = row("25 closed streams")
    script = " ".join(f"'{each}'" for each in (*COMMAND, *ADAPT))
    speaking = script.replace("'--quiet'", "")
    endings = ("<&-", ">&-", "2>&-", "<&- >&- 2>&-", "2> >(head -c 1 >/dev/null)", "> >(head -c 1 >/dev/null)")
    for ending in endings if EVERYTHING else endings[4:5]:
        folder = workplace()
        ended = subprocess.run(
            ["bash", "-c", f"{speaking} {ending}"], cwd=folder, capture_output=True, timeout=200, check=False
        )
        finished = (folder / "runs/run/report.html").is_file()
        tried(ending, ended.returncode == 0 and finished, f"{ended.returncode} {ended.stderr[-500:]!r}")
    folder = workplace()
    ended = subprocess.run(
        ["bash", "-c", f"{script} > /dev/full"], cwd=folder, capture_output=True, timeout=200, check=False
    )
    tried("/dev/full", ended.returncode == 74 and b"could not be written" in ended.stderr, str(ended))


@pytest.mark.skipif(not EVERYTHING, reason="by make faults")
@pytest.mark.timeout(1200)
def test_a_strict_umask_and_folders_that_take_nothing(workplace: Callable[[], Path], row: Callable[[str], Row]) -> None:
    tried = row("25 permissions")
    folder = workplace()
    code, output = command(folder, *ADAPT, umask=0o077)
    tried("umask 077", code == 0, output)
    blocked = workplace()
    (blocked / "runs").write_text("a file where the folder would be")
    code, output = command(blocked, *ADAPT)
    tried("a file in the way", code in (2, 74) and "runs" in output and "Traceback" not in output, f"{code} {output}")
    long = workplace()
    code, output = command(long, *ADAPT[:-1], "runs/" + "n" * 300)
    tried("a name too long", code in (2, 74) and "Traceback" not in output and "unexpected" not in output, output)
    if os.geteuid() != 0:
        (closed := workplace() / "closed").mkdir(mode=0o500)
        code, output = command(closed.parent, *ADAPT[:-1], "closed/run")
        tried("a folder without permission", code == 74, output)
