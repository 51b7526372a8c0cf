"""What counts as better, and how long nothing was."""

from __future__ import annotations

import math

import pytest

from homeground.training.early_stopping import Best, judge


def judged(values: list[float], *, greater: bool = True, min_delta: float = 0.0) -> Best:
    best = Best()
    for step, value in enumerate(values, start=1):
        best = judge(best, value, step, greater_is_better=greater, min_delta=min_delta)
    return best


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        ([0.5], {}, Best(0.5, 1, 0)),
        ([0.5, 0.6, 0.6, 0.55], {}, Best(0.6, 2, 2)),
        ([0.5, 0.4, 0.45], {"greater": False}, Best(0.4, 2, 1)),
        ([-0.5, -0.4], {}, Best(-0.4, 2, 0)),
        ([0.5, 0.5625], {"min_delta": 0.0625}, Best(0.5, 1, 1)),
        ([0.5, 0.5625, 0.625], {"min_delta": 0.0625}, Best(0.625, 3, 0)),
        ([math.nan], {}, Best(None, None, 1)),
        ([math.nan, 0.1], {}, Best(0.1, 2, 0)),
        ([0.3, math.nan, math.nan], {}, Best(0.3, 1, 2)),
    ],
)
def test_the_best_is_kept_until_it_is_beaten(values: list[float], options: dict, expected: Best) -> None:
    assert judged(values, **options) == expected
