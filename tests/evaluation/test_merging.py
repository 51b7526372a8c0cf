"""Which merge weight is chosen."""

from __future__ import annotations

import math

import pytest

from homeground.evaluation.merging import Point, choose
from homeground.statistics.bootstrap import Interval


def point(weight: float, domain: float, general: float) -> Point:
    gained, lost = (Interval(value, value, value, 0.95, 0.0, 50, 50.0, 1.0, 400, 0) for value in (domain, general))
    return Point(weight, 0.7 + domain, 0.9 + general, gained, lost)


BASE = point(0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("points", "chosen"),
    [
        ([BASE, point(0.5, 0.02, -0.004), point(1.0, 0.05, -0.02)], 0.5),
        ([BASE, point(0.5, 0.02, -0.004), point(1.0, 0.02, -0.005)], 1.0),  # of equal gains the greatest weight
        ([BASE, point(0.5, 0.02, -0.006), point(1.0, 0.05, -0.02)], 0.0),
        ([BASE, point(0.5, -0.01, 0.01), point(1.0, -0.02, 0.02)], 0.0),
        ([BASE, point(0.5, 0.02, math.nan), point(1.0, math.nan, 0.0)], 0.0),
        ([BASE, point(0.5, 0.02, 0.0), point(1.0, math.nan, 0.0)], 0.5),
    ],
)
def test_the_greatest_gain_within_the_budget_is_chosen(points: list[Point], chosen: float) -> None:
    assert choose(points, budget=0.005).weight == chosen


def test_what_is_not_defined_is_written_as_null() -> None:
    record = point(0.5, math.nan, 0.0).record()
    assert record["domain"]["score"] is None and record["domain"]["value"] is None
