"""Which examples make up which batch, as a pure function of (seed, epoch)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from homeground.randomness import generator

BATCHES_A_WINDOW = 50
"""Global batches in a window inside which examples are sorted by length."""


def epoch_batches(
    lengths: NDArray[np.int64], batch_size: int, *, seed: int, epoch: int, group_by_length: bool
) -> list[NDArray[np.int64]]:
    """Return the batches of one epoch as arrays of item indices; every item is in exactly one.

    With ``group_by_length`` items are sorted only inside windows of 50 shuffled batches, and the batches are shuffled
    afterwards: little padding, and no batch order that follows from length. The last, smaller batch of the shuffled
    order stays together, so that the number of steps does not depend on the grouping.
    """
    random = generator(seed, "batches", epoch)
    order = random.permutation(len(lengths))
    if not group_by_length:
        return _cut(order, batch_size)
    batches: list[NDArray[np.int64]] = []
    for start in range(0, len(order), BATCHES_A_WINDOW * batch_size):
        window = order[start : start + BATCHES_A_WINDOW * batch_size]
        batches += _cut(window[np.argsort(lengths[window], kind="stable")], batch_size)
    return [batches[place] for place in random.permutation(len(batches))]


def steps_per_epoch(items: int, batch_size: int) -> int:
    """Return how many batches an epoch has."""
    return math.ceil(items / batch_size)


def total_steps(items: int, batch_size: int, epochs: float) -> int:
    """Return the steps of a whole training; a fraction of an epoch ends after the step that completes it.

    >>> total_steps(items=100, batch_size=10, epochs=1.1), total_steps(items=100, batch_size=10, epochs=1.11)
    (11, 12)
    """
    # The nudge keeps 1.1 * 10 = 11.000000000000002 from asking for a twelfth step.
    return max(1, math.ceil(epochs * steps_per_epoch(items, batch_size) - 1e-9))


def _cut(order: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    return [order[start : start + size] for start in range(0, len(order), size)]
