"""When to stop, and which weights were the best."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Best:
    """The best value seen so far, the step it was seen at, and the evaluations without improvement since."""

    value: float | None = None
    step: int | None = None
    waited: int = 0


def judge(best: Best, value: float, step: int, *, greater_is_better: bool, min_delta: float) -> Best:
    """Return the new best after one evaluation; a change of at most ``min_delta`` is no improvement.

    >>> judge(Best(0.80, 10, 0), 0.85, 20, greater_is_better=True, min_delta=0.0)
    Best(value=0.85, step=20, waited=0)
    >>> judge(Best(0.80, 10, 0), 0.80, 20, greater_is_better=True, min_delta=0.0)
    Best(value=0.8, step=10, waited=1)
    """
    if math.isnan(value):
        return Best(best.value, best.step, best.waited + 1)
    gain = math.inf if best.value is None else (value - best.value) * (1 if greater_is_better else -1)
    return Best(value, step, 0) if gain > min_delta else Best(best.value, best.step, best.waited + 1)
