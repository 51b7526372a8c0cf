"""The learning rate of every step, as a pure function of the step."""

from __future__ import annotations

import math


def learning_rate(step: int, *, total: int, highest: float, schedule: str, warmup_ratio: float) -> float:
    """Return the learning rate of a step, counted from 0: a linear rise, then linear, constant or cosine.

    ``linear`` and ``cosine`` reach 0 at ``total``.

    >>> [round(learning_rate(s, total=4, highest=1.0, schedule="linear", warmup_ratio=0.0), 2) for s in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    """
    warmup = math.ceil(total * warmup_ratio)
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    if schedule == "constant":
        return highest
    passed = (step - warmup) / max(1, total - warmup)
    return highest * (1 - passed if schedule == "linear" else 0.5 * (1 + math.cos(math.pi * passed)))
