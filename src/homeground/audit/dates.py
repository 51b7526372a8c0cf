"""Dates in a column, as numbers that put rows in order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Order = Literal["day first", "month first"]

_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2}))?(?:[T ](\d{1,2}):(\d{2}).*)?")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?:[T ](\d{1,2}):(\d{2}).*)?")

LAST_HOUR, LAST_MINUTE = 23, 59
MINUTES_OF_A_DAY = 1440


def parse_times(values: Sequence[object]) -> NDArray[np.float64]:
    """Return the day of every value, with the time of day as a fraction, NaN for what is no date, ``(values,)``.

    Where the year comes last, the day or the month may come first; the values tell which, because no month is the
    thirteenth. Where they do not, those with slashes or dashes are no dates, and those with points have the day first.

    >>> parse_times(["2024-1-5 6:00", "x"]).tolist(), parse_times(["1/2/2024", "1/31/2024"]).tolist()
    ([738890.25, nan], [738887.0, 738916.0])
    """
    texts = [str(value).strip() for value in values]
    parsed = {order: np.array([_parse(text, order) for text in texts]) for order in ("day first", "month first")}
    read = {order: int((~np.isnan(times)).sum()) for order, times in parsed.items()}
    if read["day first"] != read["month first"]:
        return parsed["day first" if read["day first"] > read["month first"] else "month first"]
    ambiguous = np.array([bool(match) and match[2] != "." for match in map(_YEAR_LAST.fullmatch, texts)], np.bool_)
    return np.where(ambiguous, np.nan, parsed["day first"])


def _parse(text: str, order: Order) -> float:
    if match := _YEAR_FIRST.fullmatch(text):
        year, month, day, hour, minute = match.groups()
    elif match := _YEAR_LAST.fullmatch(text):
        first, _, second, year, hour, minute = match.groups()
        day, month = (first, second) if order == "day first" else (second, first)
    else:
        return np.nan
    try:
        days = date(int(year), int(month), int(day or 1)).toordinal()
    except ValueError:  # such as the 30th of February
        return np.nan
    if hour is None:
        return float(days)
    if int(hour) > LAST_HOUR or int(minute) > LAST_MINUTE:
        return np.nan
    return days + (60 * int(hour) + int(minute)) / MINUTES_OF_A_DAY
