"""What a test set can show: the smallest difference it would find, and the size that finds a given one.

Both follow from the standard error of the difference: a true difference of (t(1 - a/2) + t(power)) standard errors
comes out with an interval above 0 in ``power`` of the cases (Bloom 1995, Minimum Detectable Effects, Evaluation Review
19(5)). Student's t with units - 1 degrees of freedom becomes the normal distribution where units are many.
"""

from __future__ import annotations

import math

from scipy.special import stdtrit  # pyright: ignore[reportMissingTypeStubs]

MOST_UNITS = 10_000_000
"""Beyond this many units the answer is that no test set will tell."""


def smallest_detectable(
    standard_error: float, units: float, *, degrees: float = math.inf, power: float = 0.8, level: float = 0.95
) -> float:
    """Return the true difference, in the units of the metric, that the interval would lie above 0 for at this power.

    ``units`` may be an effective number; the standard error may have fewer ``degrees`` of freedom than they give. NaN
    where there are fewer than 2 units or the standard error is not known.

    >>> round(smallest_detectable(0.01, 1000), 4)
    0.028
    """
    if units < 2:
        return math.nan
    return _multiple(min(units - 1, degrees), power, level) * standard_error


def units_needed(
    effect: float, *, standard_error: float, units: float, power: float = 0.8, level: float = 0.95
) -> int | None:
    """Return how many units of the same kind would show a true difference of ``effect``, or None beyond 10 million.

    The standard error, measured on ``units`` units, shrinks with the square root of their number.

    >>> units_needed(0.02, standard_error=0.01, units=100)
    199
    """
    spread = standard_error * math.sqrt(units)
    if not (effect > 0 and math.isfinite(spread)):
        return None
    needed = 2.0
    # A fixed point: each pass takes the degrees of freedom of the size before, and t falls as the size grows.
    for _ in range(50):
        needed = max(2.0, (_multiple(max(needed - 1, 1), power, level) * spread / effect) ** 2)
        if needed > MOST_UNITS:
            return None
    return math.ceil(needed)


def _multiple(degrees: float, power: float, level: float) -> float:
    return float(stdtrit(degrees, (1 + level) / 2)) + float(stdtrit(degrees, power))
