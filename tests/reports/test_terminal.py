from __future__ import annotations

import pytest

from homeground.reports.terminal import score_lines
from homeground.results.parts import DecidingDifference, GeneralRecord, IntervalRecord
from homeground.results.scores import Scores


def test_a_metric_that_could_not_be_computed_leaves_its_place_empty() -> None:
    scores = Scores(
        primary_metric="pearson",
        before={"mse": 0.25},
        after={"pearson": 0.75, "mse": 0.125},
        baselines={"TF-IDF": {"mse": 0.5}},
        difference=DecidingDifference(),
        differences={"mse": IntervalRecord(value=0.125, low=0.1, high=0.15)},
    )
    lines = [line.split() for line in score_lines(scores, GeneralRecord(metric="pearson", before=None, after=0.5))]
    assert ["pearson", "0.750"] in lines
    assert ["mse", "(lower", "is", "better)", "0.250", "0.125", "+0.125", "(+0.100", "to", "+0.150)", "0.500"] in lines
    assert ["general", "pearson", "0.500"] in lines


def test_a_table_that_is_too_wide_for_the_terminal_is_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    baselines = {"majority class": {"accuracy": 0.25}, "TF-IDF": {"accuracy": 0.5}, "frozen embeddings": {}}
    scores = Scores.model_validate(
        {
            "primary_metric": "accuracy",
            "before": {"accuracy": 0.5, "log_loss": 1.0},
            "after": {"accuracy": 0.75, "log_loss": 0.5},
            "difference": {"metric": "accuracy", "value": 0.25, "low": 0.125, "high": 0.375},
            "baselines": baselines,
        }
    )
    whole = score_lines(scores)
    assert len(whole) == 3 and "frozen embeddings" in whole[0]
    monkeypatch.setenv("COLUMNS", "80")
    lines = score_lines(scores)
    assert max(map(len, lines)) <= 80 < max(map(len, whole))
    assert lines.index("") == 3 and len(lines) == 7
    assert lines[1].endswith("+0.250 (+0.125 to +0.375)") and lines[5].split() == ["accuracy", "0.250", "0.500"]
    monkeypatch.setenv("COLUMNS", "3")
    assert len(score_lines(scores)) == 6 * 3 + 5
