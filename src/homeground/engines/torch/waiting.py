"""How threads wait for each other: they sleep, or look again for a moment first where the cores are free.

A step is a thousand operations, after each of which the threads wait for the slowest; to wake one takes as long as a
small operation. By default OpenMP looks again for milliseconds, and where another program needs the core it looks for
as long as that program has it. What is computed does not depend on it.
"""

import os
import time
from pathlib import Path

from homeground.processes.children import named_threads

LOOKS_AGAIN = 3000
"""How often a thread looks again before it sleeps, about a tenth of a millisecond."""

LOAD = Path("/proc/loadavg")
"""The fourth number is that of the threads that run or wait for a core, on the whole machine (proc(5))."""

LOOKS, SECONDS_BETWEEN_LOOKS = 5, 0.002
"""At what other programs do before PyTorch is loaded."""


def variables(usable_cores: int) -> dict[str, str]:
    """Return the variables that say how threads wait, read as PyTorch is loaded; none where the environment says it."""
    if "OMP_WAIT_POLICY" in os.environ:
        return {}
    chosen = {"OMP_WAIT_POLICY": "PASSIVE"}
    if "GOMP_SPINCOUNT" not in os.environ and _cores_are_free(usable_cores):
        chosen["GOMP_SPINCOUNT"] = str(LOOKS_AGAIN)
    return chosen


def _cores_are_free(usable_cores: int) -> bool:
    """Return whether a core is free for every thread; False where the system does not tell."""
    try:
        looks: list[int] = []
        for _ in range(LOOKS):
            looks.append(_others_that_run())
            time.sleep(SECONDS_BETWEEN_LOOKS)
    except (OSError, ValueError, LookupError):
        return False
    return sorted(looks)[LOOKS // 2] + (named_threads() or usable_cores) <= usable_cores


def _others_that_run() -> int:
    """Return how many threads of other programs run or wait for a core; OSError where the system does not tell."""
    return int(LOAD.read_text(encoding="ascii").split()[3].partition("/")[0]) - 1
