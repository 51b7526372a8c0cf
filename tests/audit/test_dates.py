"""Dates in a column as numbers."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from homeground.audit.dates import parse_times


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-01-05", (2024, 1, 5)),
        ("2024-1-5 10:00:00", (2024, 1, 5)),
        ("2024-1-15T10:00", (2024, 1, 15)),
        ("2024/3/1", (2024, 3, 1)),
        ("2024-03", (2024, 3, 1)),
        ("1.3.2024", (2024, 3, 1)),
        ("31/12/2024", (2024, 12, 31)),
        ("12/31/2024", (2024, 12, 31)),
    ],
)
def test_the_day_of_a_date(text: str, day: tuple[int, int, int]):
    assert int(parse_times([text])[0]) == date(*day).toordinal()


@pytest.mark.parametrize("text", ["", "12", "2024-13-01", "2024-02-30", "2024-01-05 25:00", "1-2", "x", "3/4/2024"])
def test_what_is_no_date_or_may_be_two(text: str):
    assert np.isnan(parse_times([text])).all()


def test_the_values_of_a_column_tell_which_number_is_the_month():
    times = parse_times(["3/4/2024", "3/25/2024"])
    assert times.tolist() == [date(2024, 3, 4).toordinal(), date(2024, 3, 25).toordinal()]
