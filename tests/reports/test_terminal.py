from __future__ import annotations

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
