"""From the measurements of two models, or of several trainings, to a verdict and to what scores.json holds of it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from tests.evaluation_sets import scored_pairs

from homeground.evaluation.comparison import GeneralComparison, judge, judge_general
from homeground.results.scores import Judgement
from homeground.results.writing import general_record, judgement_fields
from homeground.statistics.glossary import METRICS
from homeground.statistics.masked import METRICS as MASKED_METRICS
from homeground.tasks.task import Measurement

TEST = scored_pairs(120)
GOLD = TEST.rows.scores
NOISE = np.random.default_rng(0).normal(size=len(GOLD))
CONSTANT, ROUGH, FINE = (
    TEST.measure_predictions(predictions) for predictions in (np.full(len(GOLD), 0.5), GOLD + NOISE, GOLD + NOISE / 20)
)


def judgement(before: Measurement, *afters: Measurement, baseline: Measurement | None = None) -> dict[str, Any]:
    """Return what scores.json holds of a comparison, read back from JSON that has no NaN."""
    comparison = judge(TEST, before, afters, None if baseline is None else {"TF-IDF": baseline})
    record = Judgement(**judgement_fields(comparison))
    return json.loads(json.dumps(record.to_json(), allow_nan=False))


def general(before: Measurement, after: Measurement, *, seen: int = 0) -> GeneralComparison:
    return judge_general(TEST, before, after, margin=0.01, seen=seen)


def test_a_better_model_helped_and_a_worse_one_hurt() -> None:
    assert judgement(ROUGH, FINE)["verdict"] == "HELPED"
    assert judgement(FINE, ROUGH)["verdict"] == "HURT"


@pytest.mark.parametrize(("before", "after"), [(CONSTANT, FINE), (FINE, CONSTANT), (CONSTANT, CONSTANT)])
def test_a_model_that_always_says_the_same_gives_no_verdict_and_no_crash(
    before: Measurement, after: Measurement
) -> None:
    scores = judgement(before, after, baseline=CONSTANT)
    assert scores["verdict"] == "NO EVIDENCE"
    assert "could not be computed" in scores["sentence"]
    assert scores["difference"]["value"] is None
    assert ("pearson" in scores["before"], "pearson" in scores["after"]) == (before is FINE, after is FINE)
    record = json.loads(json.dumps(general_record(general(before, after)).to_json(), allow_nan=False))
    assert record["verdict"] == "UNDECIDED"
    assert (record["before"] is None, record["after"] is None) == (before is CONSTANT, after is CONSTANT)


def test_general_ability_that_was_trained_for_is_not_kept() -> None:
    assert general(ROUGH, FINE).verdict.word == "KEPT"
    seen = general_record(general(ROUGH, FINE, seen=3))
    assert (seen.verdict, seen.seen_in_training) == ("UNDECIDED", 3)
    assert "3 examples of pairs.csv were learned from" in seen.sentence
    assert general(FINE, ROUGH, seen=3).verdict.word == "FORGOT"


def test_the_baseline_is_the_best_of_several_by_the_deciding_metric() -> None:
    comparison = judge(TEST, ROUGH, [FINE], {"poor": ROUGH, "undefined": CONSTANT, "good": FINE})
    assert comparison.best_baseline is not None
    assert (comparison.best_baseline.name, comparison.best_baseline.score) == ("good", FINE.scores["pearson"])
    errors = scored_pairs(120, metric="mse")
    assert judge(errors, ROUGH, [FINE], {"poor": ROUGH, "good": FINE}).best_baseline.name == "good"


def test_one_lucky_training_does_not_make_a_recipe_that_helped() -> None:
    alone = judgement(ROUGH, FINE, baseline=ROUGH)
    assert (alone["verdict"], alone["below_baseline"], alone["seeds"]) == ("HELPED", False, None)
    unlucky = [TEST.measure_predictions(GOLD + NOISE * (2 + place)) for place in range(4)]
    scores = judgement(ROUGH, FINE, *unlucky, baseline=ROUGH)
    assert (scores["verdict"], scores["below_baseline"]) == ("NO EVIDENCE", True)
    assert (scores["after"], scores["differences"]) == (alone["after"], alone["differences"])
    saved = scores["seeds"]["saved_model"]
    assert (saved["low"], saved["high"]) == (alone["difference"]["low"], alone["difference"]["high"])
    assert scores["smallest_detectable"] > alone["smallest_detectable"]


def test_a_training_whose_score_is_not_defined_gives_no_verdict_and_no_crash() -> None:
    scores = judgement(ROUGH, FINE, FINE, CONSTANT)
    assert scores["verdict"] == "NO EVIDENCE"
    assert "could not be computed" in scores["sentence"]
    assert scores["seeds"]["mean"] is None
    assert scores["seeds"]["trainings"][2] == {"seed": 2, "score": None, "difference": None}


def test_sentences_have_words_for_every_metric_of_masked_words() -> None:
    assert {*MASKED_METRICS, "word_loss"} <= set(METRICS)
