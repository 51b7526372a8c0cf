"""The learning rate of every step, as a pure function of the step."""

from __future__ import annotations

import math


def learning_rate(step: int, *, total: int, highest: float, schedule: str, warmup_ratio: float) -> float:
    """Return the learning rate of a step, counted from 0: a linear rise, then linear, constant or cosine.

    The rise begins at ``highest / (warmup + 1)``, so that no step is spent on a rate of 0; ``linear`` and ``cosine``
    reach 0 at ``total``, which is no step any more.

    >>> [round(learning_rate(s, total=4, highest=1.0, schedule="linear", warmup_ratio=0.0), 2) for s in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    """
    # The nudge keeps 70 * 0.1 = 7.000000000000001 from asking for an eighth step.
    warmup = math.ceil(total * warmup_ratio - 1e-9)
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    if schedule == "constant":
        return highest
    passed = (step - warmup) / max(1, total - warmup)
    return highest * (1 - passed if schedule == "linear" else 0.5 * (1 + math.cos(math.pi * passed)))
