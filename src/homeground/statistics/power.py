"""The power of a test set: the smallest difference it detects, and the size that detects a given difference.

Both follow from the standard error of the difference: for a true difference of (t(1 - a/2) + t(power)) standard errors
the interval of level 1 - a is above 0 with the probability ``power`` (Bloom 1995, Minimum Detectable Effects,
Evaluation Review 19(5)). t are quantiles of Student's t with units - 1 degrees of freedom.

A standard error that was estimated is too small about as often as too large, and often much too small where a few units
dominate the difference. What a test set is said to detect rests on an upper bound of the standard error instead.
"""

from __future__ import annotations

import math

from scipy.special import chdtri, stdtrit

CONFIDENCE_IN_ERROR = 0.8
"""The probability that the true standard error is below the bound that a detectable difference rests on."""

MOST_UNITS = 10_000_000
"""Test sets of more units are not proposed: the difference counts as undetectable."""


def smallest_detectable(
    standard_error: float, units: float, *, degrees: float = math.inf, power: float = 0.8, level: float = 0.95
) -> float:
    """Return the true difference, on the scale of the metric, that is detected with this power at least.

    Detected means that the interval is above 0. ``units`` may be an effective number. ``degrees`` are the degrees of
    freedom of the standard error; the fewer, the less exactly it is known, and by default it is exact. NaN with fewer
    than 2 units, or where the standard error is NaN.

    >>> round(smallest_detectable(0.01, 1000), 4), round(smallest_detectable(0.01, 1000, degrees=20), 4)
    (0.028, 0.0345)
    """
    if units < 2:
        return math.nan
    return _multiple(min(units - 1, degrees), power, level) * upper_error(standard_error, degrees)


def upper_error(standard_error: float, degrees: float) -> float:
    """Return an upper bound of an estimated standard error, by the chi-squared distribution of its square.

    >>> round(upper_error(1.0, 20), 3), upper_error(1.0, math.inf)
    (1.171, 1.0)
    """
    if not (math.isfinite(degrees) and degrees > 0):
        return standard_error
    return standard_error * math.sqrt(degrees / float(chdtri(degrees, CONFIDENCE_IN_ERROR)))


def units_needed(
    effect: float, *, standard_error: float, units: float, power: float = 0.8, level: float = 0.95
) -> int | None:
    """Return how many units of the same kind detect a true difference of ``effect``; None beyond 10 million.

    The standard error, measured on ``units`` units, shrinks with the square root of their number.

    >>> units_needed(0.02, standard_error=0.01, units=100)
    199
    """
    spread = standard_error * math.sqrt(units)
    if not (effect > 0 and math.isfinite(spread)):
        return None
    needed = 2.0
    # A fixed-point iteration: each pass takes the degrees of freedom of the size before, and t falls as it grows.
    for _ in range(50):
        needed = max(2.0, (_multiple(max(needed - 1, 1), power, level) * spread / effect) ** 2)
        if needed > MOST_UNITS:
            return None
    return math.ceil(needed)


def _multiple(degrees: float, power: float, level: float) -> float:
    return float(stdtrit(degrees, (1 + level) / 2)) + float(stdtrit(degrees, power))
