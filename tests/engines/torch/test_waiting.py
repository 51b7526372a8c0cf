"""Threads that wait for each other leave the cores to others, unless the environment says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="PyTorch for Linux comes with the OpenMP of GCC")
@pytest.mark.parametrize(("given", "spins"), [(None, "0"), ("active", "30000000000")])
def test_waiting_threads_sleep_unless_the_environment_says_otherwise(given: str | None, spins: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment |= {"OMP_DISPLAY_ENV": "verbose"} | ({} if given is None else {"OMP_WAIT_POLICY": given})
    code = "from homeground.engines import open_engine; open_engine('torch')"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    # OpenMP itself says what it has read; scikit-learn, too, may have loaded one of its own.
    assert f"GOMP_SPINCOUNT = '{spins}'" in done.stderr
