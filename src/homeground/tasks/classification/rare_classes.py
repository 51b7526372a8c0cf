"""Which classes too few independent texts have for an interval that rests on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.statistics.calibration import exact_interval
from homeground.tasks.task import RareClass

FEWEST_OF_A_CLASS = 3
"""With fewer units of a class the interval of macro F1 over it held the truth too seldom: see docs/evidence.md."""


def too_rare(classes: Sequence[str], true: NDArray[Any], units: NDArray[np.int64]) -> RareClass | None:
    """Return the rarest of the classes that some example has, None where enough units have it.

    ``true (examples, classes)`` says with 0 and 1 which classes an example has.

    >>> too_rare(["a", "b"], np.eye(2)[[0] * 30 + [1] * 2], np.arange(32))
    RareClass(label='b', units=2, needed=3)
    """
    found = zip(units_of_classes(true, units).tolist(), classes, strict=True)
    fewest, label = min(((own, label) for own, label in found if own), default=(FEWEST_OF_A_CLASS, ""))
    return RareClass(label, fewest, FEWEST_OF_A_CLASS) if fewest < FEWEST_OF_A_CLASS else None


def units_of_classes(true: NDArray[Any], units: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many units have each class, shape ``(classes,)``, from labels as 0 and 1 ``(examples, classes)``.

    >>> units_of_classes(np.array([[1, 0], [1, 0], [1, 1]]), np.array([7, 7, 8])).tolist()
    [2, 1]
    """
    found = [len(np.unique(units[own > 0])) for own in true.T]
    return np.array(found, np.int64)


def interval_of_f1(
    found: float, wrong: float, resampled: tuple[float | None, float | None]
) -> tuple[float | None, float | None]:
    """Return the interval of the F1 of a class: the resampled one, as wide as the exact one at least, inside [0, 1].

    ``found`` texts have the class and are given it, ``wrong`` have it or are given it; of dependent texts both are
    effective numbers. Where nothing was wrong, every resample says the same and its interval has no width. F1 is 2 J /
    (1 + J) with J the share found / (found + wrong), so the interval of Clopper & Pearson of that share gives one of
    F1, exact for texts that are independent.

    >>> [round(end or 0, 3) for end in interval_of_f1(10, 0, (1.0, 1.0))]
    [0.818, 1.0]
    """
    low, high = (2 * share / (1 + share) for share in exact_interval(found, found + wrong))
    if resampled[0] is None or resampled[1] is None:
        return None, None
    return max(min(low, resampled[0]), 0.0), min(max(high, resampled[1]), 1.0)
