"""Colours can be read and positions lie where they should."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from homeground.reports.bars import bar, number_line
from homeground.reports.charts import line_chart, reliability_chart, ticks
from homeground.reports.colours import contrast, diverging, sequential
from homeground.results.parts import IntervalRecord

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
    line = number_line(IntervalRecord(value=value, low=low, high=high), band=(-0.02, 0.02))

    assert line is not None
    assert line.band is not None
    assert 0 < line.low <= line.value <= line.high < 100
    assert 0 < line.band[0] < line.zero < line.band[1] < 100
    assert (line.low > line.zero) == (low > 0)


def test_a_number_line_without_numbers_is_not_drawn() -> None:
    assert number_line(IntervalRecord(value=0.1, low=None, high=0.2)) is None


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.79, 0.86), (-3e-6, 2e-5), (0, 123_456), (5, 5.0001)])
def test_ticks_are_few_and_lie_inside(low: float, high: float) -> None:
    marks = ticks(low, high)

    assert 2 <= len(marks) <= 8
    assert low - 1e-9 <= marks[0] < marks[-1] <= high + 1e-9


@pytest.mark.parametrize("points", [[(1, 0.5)], [(0, 0.0)], [(1, 2.0), (2, 2.0)], [(s, 1 / s) for s in range(1, 999)]])
def test_a_line_stays_inside_its_chart(points: list[tuple[float, float]]) -> None:
    chart = line_chart("loss", {"loss": ("train", points)}, best_step=1)

    assert chart.dashed is not None
    for place in chart.lines[0].path.split():
        x, y = map(float, place.split(","))
        assert chart.x.start <= x <= chart.x.end
        assert chart.y.end <= y <= chart.y.start


def test_a_line_that_hardly_moves_has_short_labels() -> None:
    chart = line_chart("loss", {"loss": ("after", [(1, 0.766662), (2, 0.766619)])})

    assert max(len(text) for _, text in chart.y.ticks) <= 6
    assert len(chart.y.ticks) >= 2


def test_a_bar_stays_between_nothing_and_the_whole_width() -> None:
    whole = bar(1.2, -0.1, 1.4)
    assert whole is not None
    assert (whole.value, whole.ends) == (100.0, (0.0, 100.0))
    assert bar(None, 0.1, 0.2) is None
    half = bar(0.5, None, 0.9)
    assert half is not None
    assert half.ends is None


@pytest.mark.parametrize("points", [[(0.95, 1.0, 3)], [(0.5, 0.0, 1), (0.9, 0.8, 99)], [(1.0, 1.0, 5)]])
def test_a_reliability_diagram_is_square_and_holds_its_dots(points: list[tuple[float, float, float]]) -> None:
    chart = reliability_chart({"before": [], "after": points})

    assert chart.x.end - chart.x.start == chart.y.start - chart.y.end
    assert len(chart.lines[1].dots) == len(points)
    for dot in chart.lines[1].dots:
        assert chart.x.start <= dot.x <= chart.x.end
        assert chart.y.end <= dot.y <= chart.y.start
        assert dot.radius < 14
    for (x, text), (y, same) in zip(chart.x.ticks, chart.y.ticks, strict=True):
        assert text == same
        assert x - chart.x.start == pytest.approx(chart.y.start - y), "the diagonal is where both agree"
    assert (chart.x.ticks[0][0], chart.x.ticks[-1][0]) == (chart.x.start, chart.x.end)
