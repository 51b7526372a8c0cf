"""The curve of merge weights in the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.reports.sample_run import write_sample_run

from homeground.reports.report import render
from homeground.results.record import read_run


def interval(value: float, width: float) -> dict[str, Any]:
    return {"value": value, "low": value - width, "high": value + width, "level": 0.95}


def curve(chosen: float) -> dict[str, Any]:
    points = [
        {
            "weight": step / 10,
            "domain": {"score": 0.77 + 0.009 * step, **interval(0.009 * step, 0.012 * step / 10)},
            "general": {"score": 0.87 - 0.0002 * step**2, **interval(-0.0002 * step**2, 0.006 * step / 10)},
        }
        for step in range(11)
    ]
    return {
        "weight": chosen,
        "kept": chosen > 0,
        "budget": 0.005,
        "domain_metric": "pearson",
        "general_metric": "pearson",
        "domain_examples": 310,
        "general_examples": 750,
        "points": points,
    }


def page(folder: Path, chosen: float) -> str:
    write_sample_run(folder, change=lambda files: files["scores.json"].update(merging=curve(chosen)))
    return render(read_run(folder))


def test_the_report_shows_every_weight_and_which_was_chosen(tmp_path: Path) -> None:
    html = page(tmp_path, 0.5)
    assert "The saved weights are 50% of the way" in html
    assert html.count('<circle class="dot after') >= 11
    assert html.count('class="dot after chosen"') == 1
    assert "+0.090" in html and "−0.020" in html


def test_the_report_says_where_nothing_was_kept(tmp_path: Path) -> None:
    assert "<strong>nothing was merged</strong>" in page(tmp_path, 0.0)


def test_the_reason_why_nothing_was_kept_is_the_true_one(tmp_path: Path) -> None:
    def cheap(files: dict[str, Any]) -> None:
        files["scores.json"].update(merging=curve(0.0) | {"budget": 0.5})

    write_sample_run(tmp_path / "cheap", change=cheap)
    html = render(read_run(tmp_path / "cheap"))
    assert "with an allowed loss of general ability improved the domain" in html
    assert "lost more general ability than is allowed" not in html


def test_a_run_without_merging_has_no_such_section(tmp_path: Path) -> None:
    write_sample_run(tmp_path)
    assert 'id="merging"' not in render(read_run(tmp_path))
