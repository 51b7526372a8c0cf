from __future__ import annotations

from typing import Any

from homeground.reports.terminal import score_lines

NOTHING = {"value": None, "low": None, "high": None}


def test_a_metric_that_could_not_be_computed_leaves_its_place_empty() -> None:
    general = {"metric": "pearson", "before": None, "after": 0.5, "difference": NOTHING}
    scores: dict[str, Any] = {
        "primary_metric": "pearson",
        "before": {"mse": 0.25},
        "after": {"pearson": 0.75, "mse": 0.125},
        "baselines": {"TF-IDF": {"mse": 0.5}},
        "difference": NOTHING,
        "differences": {"mse": {"value": 0.125, "low": 0.1, "high": 0.15}},
        "general": general,
    }
    lines = [line.split() for line in score_lines(scores)]
    assert ["pearson", "0.750"] in lines
    assert ["mse", "(lower", "is", "better)", "0.250", "0.125", "+0.125", "(+0.100", "to", "+0.150)", "0.500"] in lines
    assert ["general", "pearson", "0.500"] in lines
