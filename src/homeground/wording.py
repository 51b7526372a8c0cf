"""Numbers, counts and intervals as the text a reader sees."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

LARGE = 1_000_000
"""From here on digits say less than their number."""

NOTHING = "–"
"""What stands where a number is missing or not defined."""


def number(value: Any, decimals: int = 3) -> str:
    """Return a number with fixed decimals and a true minus sign; what is not a finite number becomes a dash.

    From a million on, three digits and the power of ten are enough.

    >>> number(0.7714), number(-0.5, 2), number(None), number(float("nan")), number(800571252.46)
    ('0.771', '−0.50', '–', '–', '8.01e8')
    """
    if not is_number(value):
        return NOTHING
    text = (
        f"{abs(value):,.{decimals}f}"
        if abs(value) < LARGE
        else f"{abs(value):.2e}".replace("e+0", "e").replace("+", "")
    )
    return f"−{text}" if value < 0 and float(text.replace(",", "")) else text


def signed(value: Any, decimals: int = 3) -> str:
    """Return a number with its sign always written, except for zero.

    >>> signed(0.085), signed(-0.012), signed(0.0001)
    ('+0.085', '−0.012', '0.000')
    """
    text = number(value, decimals)
    return f"+{text}" if text[0].isdigit() and text.strip("0.,") else text


def interval(difference: Mapping[str, Any], decimals: int = 3) -> str:
    """Return the ends of an interval: ``+0.070 to +0.100``; a dash when it has none.

    >>> interval({"low": -0.01, "high": 0.02})
    '−0.010 to +0.020'
    """
    low, high = difference.get("low"), difference.get("high")
    if not (is_number(low) and is_number(high)):
        return NOTHING
    return f"{signed(low, decimals)} to {signed(high, decimals)}"


def count(value: Any, noun: str = "", plural: str = "") -> str:
    """Return a whole number with thousands set apart, and its noun in the right number.

    >>> count(1503, "pair"), count(1, "pair"), count(2, "entry", "entries"), count(None, "pair")
    ('1,503 pairs', '1 pair', '2 entries', '– pairs')
    """
    text = f"{int(value):,}" if is_number(value) else NOTHING
    if not noun:
        return text
    return f"{text} {noun if text == '1' else plural or noun + 's'}"


def power(value: Any) -> str:
    """Return a number that may be tiny, such as a learning rate, as a person would write it.

    >>> power(3.1e-05), power(0.0001), power(0.002), power(None)
    ('3.1e−5', '1e−4', '0.002', '–')
    """
    if not is_number(value) or value == 0 or abs(value) >= 0.001:
        return f"{value:g}" if is_number(value) else NOTHING
    digits, exponent = f"{value:.3e}".split("e-")
    return f"{digits.rstrip('0').rstrip('.')}e−{int(exponent)}"


def percent(fraction: Any) -> str:
    """Return a fraction as a whole percentage.

    >>> percent(0.95)
    '95%'
    """
    return f"{round(100 * fraction)}%" if is_number(fraction) else NOTHING


def duration(seconds: Any) -> str:
    """Return a length of time in the two units a person would use.

    >>> duration(42.2), duration(210), duration(7400)
    ('42 s', '3 min 30 s', '2 h 3 min')
    """
    if not is_number(seconds):
        return NOTHING
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(in_bytes: Any) -> str:
    """Return a file size in the unit that keeps it short.

    >>> size(512), size(83_500), size(90_900_000)
    ('512 B', '83.5 kB', '90.9 MB')
    """
    if not is_number(in_bytes):
        return NOTHING
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if in_bytes >= scale:
            return f"{in_bytes / scale:.1f} {unit}"
    return f"{int(in_bytes)} B"


def shorten(text: Any, length: int) -> str:
    """Return the text in at most ``length`` characters, a cut marked by an ellipsis.

    >>> shorten("data scientist", 6)
    'data …'
    """
    whole = " ".join(str(text).split())
    return whole if len(whole) <= length else whole[: length - 1] + "…"


def is_number(value: Any) -> TypeGuard[float]:
    """Say whether the value is a finite number; True and False are not numbers here."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
