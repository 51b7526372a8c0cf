"""Rows 1 and 2: killed before any call that changes a file, the same command comes to the same result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.faults.conftest import COMMANDS, EVERYTHING, Row, Unbroken, Zygote, outcome, points

KINDS = list(COMMANDS) if EVERYTHING else ["folds"]
STEPS = {"labels": 1, "folds": 2, "ablation": 8, "chain": 12}
"""At each call of the first, and of the others at one of two or three: they share most of what they write."""


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_any_file_call_a_run_comes_to_the_same_result(
    kind: str,
    unbroken: Callable[[str], Unbroken],
    zygote: Zygote,
    workplace: Callable[[], Path],
    row: Callable[[str], Row],
) -> None:
    expected, tried = outcome(unbroken(kind).folder), row(f"2 killed at every file call, {kind}")
    for point in points(unbroken(kind).calls, few=6, step=STEPS.get(kind, 3)):
        folder = workplace()
        killed = zygote(kind, folder, kill_at=point)
        assert killed["status"] == -9
        again = zygote(kind, folder)
        found = outcome(folder)
        differing = {name for name in {*found, *expected} if found.get(name) != expected.get(name)}
        held = again["status"] == 0 and not differing
        tried(f"call {point}", held, f"{again['status']} {sorted(differing)} {again['output']}")


@pytest.mark.skipif(not EVERYTHING, reason="by make faults")
@pytest.mark.timeout(3000)
def test_killed_thirty_times_a_run_comes_to_the_same_result(
    unbroken: Callable[[str], Unbroken], zygote: Zygote, workplace: Callable[[], Path], row: Callable[[str], Row]
) -> None:
    folder, tried = workplace(), row("27 one run killed thirty times")
    random = np.random.default_rng(0)
    for kill in range(30):
        # Later ones come later, so that the run gets on; what is made before the first step takes 40 calls.
        point = int(random.integers(10, 60 + 6 * kill))
        tried(f"kill {kill} at call {point}", zygote("folds", folder, kill_at=point)["status"] in (-9, 0))
    tried("at last", zygote("folds", folder)["status"] == 0)
    tried("the result", outcome(folder) == outcome(unbroken("folds").folder))
