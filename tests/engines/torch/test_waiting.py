"""How threads wait for each other follows from what else runs, unless the environment says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from homeground.engines.torch import waiting

VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS")


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Say how many threads run on the machine, this one included."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    load = tmp_path / "loadavg"
    monkeypatch.setattr(waiting, "LOAD", load)

    def run(count: int) -> None:
        load.write_text(f"0.00 0.01 0.05 {count}/87 2433\n", encoding="ascii")

    return run


@pytest.mark.parametrize(
    ("threads", "count", "looks"),
    [(None, 1, True), (None, 2, False), ("2", 3, True), ("2,2", 3, True), ("4", 2, False)],
)
def test_threads_look_again_before_they_sleep_where_each_has_a_core(
    threads: str | None, count: int, looks: bool, running: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    running(count)
    if threads:
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
    chosen = waiting.variables(usable_cores=4)
    assert chosen["OMP_WAIT_POLICY"] == "PASSIVE"
    assert chosen.get("GOMP_SPINCOUNT") == (str(waiting.LOOKS_AGAIN) if looks else None)


def test_threads_sleep_where_the_system_does_not_tell_what_runs(running: Callable[[int], None]) -> None:
    assert waiting.variables(usable_cores=4) == {"OMP_WAIT_POLICY": "PASSIVE"}


def test_what_the_environment_says_of_looking_again_stays(
    running: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    running(1)
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    assert waiting.variables(usable_cores=4) == {"OMP_WAIT_POLICY": "PASSIVE"}
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert waiting.variables(usable_cores=4) == {}


@pytest.mark.skipif(sys.platform != "linux", reason="PyTorch for Linux comes with the OpenMP of GCC")
@pytest.mark.parametrize(
    ("given", "spins"),
    [
        ({"OMP_NUM_THREADS": "1000"}, "0"),  # more than there are cores
        ({"OMP_WAIT_POLICY": "active"}, "30000000000"),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
    ],
)
def test_openmp_reads_what_was_chosen(given: dict[str, str], spins: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    environment |= {"OMP_DISPLAY_ENV": "verbose", **given}
    code = "from homeground.engines import open_engine; open_engine('torch')"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    # OpenMP itself says what it has read; scikit-learn, too, may have loaded one of its own.
    assert f"GOMP_SPINCOUNT = '{spins}'" in done.stderr
