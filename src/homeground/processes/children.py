"""Processes that this one starts to work for it; they end with it, however it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

THREADS = "OMP_NUM_THREADS"
"""The variable that says with how many threads a process computes."""

SECONDS_BETWEEN_LOOKS = 0.5
"""Between two looks at whether the parent is still there."""


def start_child(
    module: str,
    function: str,
    environment: Mapping[str, str],
    *,
    standard_input: str = "",
    stdout: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a process that calls a function of a module of ours; ``standard_input`` is its standard input.

    Ctrl-C in the terminal is the parent's alone. Nothing is imported from the current folder.
    """
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        f"from homeground.processes.children import end_with; end_with({os.getpid()})\n"
        f"from {module} import {function}; {function}()"
    )
    home = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryFile() as given:  # not a pipe, which the parent would have to feed
        given.write(standard_input.encode())
        given.seek(0)
        return subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            env={**os.environ, "PYTHONPATH": path, **environment},
            stdin=given,
            stdout=stdout,
        )


def end_with(parent: int) -> None:
    """End this process when its parent is gone, whatever it is doing."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def named_threads() -> int:
    """Return the number of threads that the environment asks for, else 0; of a list (``4,2``), the outermost counts."""
    asked = os.environ.get(THREADS, "").split(",")[0].strip()
    return int(asked) if asked.isdecimal() else 0


def usable_cores() -> int:
    """Return how many cores this process may use; a scheduler may have given it a part of the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
