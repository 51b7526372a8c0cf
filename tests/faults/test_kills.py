"""Rows 1 and 2: killed before any call that changes a file, the same command comes to the same result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import COMMANDS, EVERYTHING, Row, Zygote, outcome, points

KINDS = list(COMMANDS) if EVERYTHING else ["folds"]
STEPS = {"labels": 1, "folds": 1}
"""At each call of these, and of the others at one of three: they share most of what they write."""


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_any_file_call_a_run_comes_to_the_same_result(
    kind: str, zygote: Zygote, workplace: Callable[[], Path], row: Callable[[str], Row]
) -> None:
    unbroken = workplace()
    ended = zygote(kind, unbroken)
    assert ended["status"] == 0, ended["output"]
    expected, tried = outcome(unbroken), row(f"2 killed at every file call, {kind}")
    for point in points(ended["calls"], few=6, step=STEPS.get(kind, 3)):
        folder = workplace()
        killed = zygote(kind, folder, kill_at=point)
        assert killed["status"] == -9
        again = zygote(kind, folder)
        found = outcome(folder)
        differing = {name for name in {*found, *expected} if found.get(name) != expected.get(name)}
        held = again["status"] == 0 and not differing
        tried(f"call {point}", held, f"{again['status']} {sorted(differing)} {again['output']}")
