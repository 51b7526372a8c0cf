"""Row 5: a signal at any moment is saved and answered, and never lost."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import EVERYTHING, Row, Unbroken, Zygote, outcome, points

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("kind", ["labels", "folds", "seeds", "search"] if EVERYTHING else ["folds"])
def test_a_signal_at_any_file_call_ends_the_command_and_the_next_one_goes_on(
    kind: str,
    unbroken: Callable[[str], Unbroken],
    zygote: Zygote,
    workplace: Callable[[], Path],
    row: Callable[[str], Row],
) -> None:
    expected, tried = outcome(unbroken(kind).folder), row(f"5 signals at file calls, {kind}")
    for place, point in enumerate(points(unbroken(kind).calls, few=5, step=4)):
        folder, sent = workplace(), SIGNALS[place % 2]
        stopped = zygote(kind, folder, signal_at=point, signal=int(sent))
        again = zygote(kind, folder)
        held = stopped["status"] == 128 + sent and "the same command" in stopped["output"]
        held = held and again["status"] == 0 and outcome(folder) == expected
        tried(f"{sent.name} at call {point}", held, f"{stopped} {again}")
