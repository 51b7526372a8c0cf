"""Colours can be read and positions lie where they should."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from homeground.reports.charts import bar, line_chart, number_line, reliability_chart, ticks
from homeground.reports.colours import contrast, diverging, sequential

STYLE = (Path(__file__).parents[2] / "src/homeground/reports/templates/style.css").read_text(encoding="utf-8")
THEMES = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in re.findall(r":root \{([^}]*)\}", STYLE)]
WORDS = ["ink", "quiet", "good", "bad", "open", "few"]
MARKS = ["before", "after"]


def test_there_is_a_light_a_dark_and_a_print_theme() -> None:
    assert len(THEMES) == 3
    assert all({*WORDS, *MARKS, "paper", "band"} <= set(theme) for theme in THEMES)


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark", "print"])
@pytest.mark.parametrize("name", WORDS)
def test_text_can_be_read_on_the_page(theme: dict[str, str], name: str) -> None:
    assert contrast(theme[name], theme["paper"]) >= 4.5


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark", "print"])
@pytest.mark.parametrize("name", MARKS)
def test_the_marks_of_charts_can_be_told_from_the_page(theme: dict[str, str], name: str) -> None:
    assert contrast(theme[name], theme["paper"]) >= 3


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark", "print"])
@pytest.mark.parametrize("name", ["good", "bad", "open", "few", "ink"])
def test_an_interval_can_be_seen_on_the_shaded_band(theme: dict[str, str], name: str) -> None:
    assert contrast(theme[name], theme["band"]) >= 3


def test_every_value_in_a_heat_map_can_be_read_on_its_cell() -> None:
    for step in range(-100, 101):
        for shade in (diverging(step / 100), sequential(abs(step) / 100)):
            assert contrast(shade.background, shade.ink) >= 4.5


def test_the_diverging_scale_is_palest_at_zero() -> None:
    white = [contrast(diverging(step / 10).background, "#ffffff") for step in range(-10, 11)]
    assert min(white) == white[10]


@pytest.mark.parametrize(
    ("value", "low", "high"), [(0.085, 0.07, 0.1), (-0.2, -0.3, -0.1), (0.0, 0.0, 0.0), (1e-9, -1e-9, 2e-9)]
)
def test_a_number_line_holds_its_interval_and_zero(value: float, low: float, high: float) -> None:
    line = number_line({"value": value, "low": low, "high": high}, band=(-0.02, 0.02))

    assert line is not None
    assert line.band_low is not None
    assert line.band_high is not None
    assert 0 < line.low <= line.value <= line.high < 100
    assert 0 < line.band_low < line.zero < line.band_high < 100
    assert (line.low > line.zero) == (low > 0)


def test_a_number_line_without_numbers_is_not_drawn() -> None:
    assert number_line({"value": 0.1, "low": None, "high": float("nan")}) is None


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.79, 0.86), (-3e-6, 2e-5), (0, 123_456), (5, 5.0001)])
def test_ticks_are_few_and_lie_inside(low: float, high: float) -> None:
    marks = ticks(low, high)

    assert 2 <= len(marks) <= 8
    assert low - 1e-9 <= marks[0] < marks[-1] <= high + 1e-9


@pytest.mark.parametrize("points", [[(1, 0.5)], [(0, 0.0)], [(1, 2.0), (2, 2.0)], [(s, 1 / s) for s in range(1, 999)]])
def test_a_line_stays_inside_its_chart(points: list[tuple[float, float]]) -> None:
    chart = line_chart("loss", {"loss": ("train", points)}, best_step=1)

    assert chart.best is not None
    for place in chart.lines[0].path.split():
        x, y = map(float, place.split(","))
        assert chart.left <= x <= chart.right
        assert chart.top <= y <= chart.bottom


def test_a_line_that_hardly_moves_has_short_labels() -> None:
    chart = line_chart("loss", {"loss": ("after", [(1, 0.766662), (2, 0.766619)])})

    assert max(len(text) for _, text in chart.y_ticks) <= 6
    assert len(chart.y_ticks) >= 2


def test_a_bar_stays_between_nothing_and_the_whole_width() -> None:
    whole = bar(1.2, -0.1, 1.4)
    assert whole is not None
    assert (whole.value, whole.low, whole.high) == (100.0, 0.0, 100.0)
    assert bar(None, 0.1, 0.2) is None
    half = bar(0.5, None, 0.9)
    assert half is not None
    assert half.low is None
    assert half.high is None


@pytest.mark.parametrize("points", [[(0.95, 1.0, 3)], [(0.5, 0.0, 1), (0.9, 0.8, 99)], [(1.0, 1.0, 5)]])
def test_a_reliability_diagram_is_square_and_holds_its_dots(points: list[tuple[float, float, float]]) -> None:
    chart = reliability_chart({"before": [], "after": points})

    assert chart.right - chart.left == chart.bottom - chart.top
    assert len(chart.lines[1].dots) == len(points)
    for x, y, radius in chart.lines[1].dots:
        assert chart.left <= x <= chart.right
        assert chart.top <= y <= chart.bottom
        assert radius < 14
    for x, y, _ in chart.ticks:
        assert x - chart.left == pytest.approx(chart.bottom - y), "the diagonal is where both agree"
    assert (chart.ticks[0][0], chart.ticks[-1][0]) == (chart.left, chart.right)
