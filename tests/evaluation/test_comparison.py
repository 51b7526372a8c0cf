"""From two measurements to what scores.json says."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from tests.conftest import topic_pairs

from homeground.data.corpus import Part, link
from homeground.data.examples import Example
from homeground.errors import DataError
from homeground.evaluation.comparison import METRIC_NAMES, Resampling, judge, judge_general
from homeground.evaluation.evaluate import evaluate
from homeground.evaluation.general import GeneralSet
from homeground.statistics.masked import METRICS as MASKED_METRICS
from homeground.tasks.similarity import PairRows, Similarity
from homeground.tasks.task import Measured

TASK = Similarity({"text_1": "a", "text_2": "b", "similarity": "c"}, "angular_mse", "pearson")
EXAMPLES = [Example(number, pair[:2], pair[2]) for number, pair in enumerate(topic_pairs(120), start=1)]
TEST = Part(EXAMPLES, link(EXAMPLES))
DRAWS = Resampling(seed=0, draws=300)
GOLD = np.array([example.score for example in EXAMPLES])
NOISE = np.random.default_rng(0).normal(size=len(GOLD))


def measured(predictions: np.ndarray) -> Measured:
    nothing: Any = None
    return TASK.measure(PairRows(nothing, np.zeros((len(GOLD), 2), np.int64), GOLD, 0), predictions)


CONSTANT, ROUGH, FINE = (measured(given) for given in (np.full(len(GOLD), 0.5), GOLD + NOISE, GOLD + NOISE / 20))


def general_set(seen: int) -> GeneralSet:
    nothing: Any = None
    return GeneralSet("general.csv", TASK, nothing, TEST.units, 32, seen)


def test_a_better_model_helped_and_a_worse_one_hurt() -> None:
    assert judge(TASK, TEST, ROUGH, FINE, DRAWS)["verdict"] == "HELPED"
    assert judge(TASK, TEST, FINE, ROUGH, DRAWS)["verdict"] == "HURT"


@pytest.mark.parametrize(("before", "after"), [(CONSTANT, FINE), (FINE, CONSTANT), (CONSTANT, CONSTANT)])
def test_a_model_that_always_says_the_same_gives_no_verdict_and_no_crash(before: Measured, after: Measured) -> None:
    scores = judge(TASK, TEST, before, after, DRAWS, baselines={"TF-IDF": CONSTANT})
    assert scores["verdict"] == "NO EVIDENCE"
    assert "could not be computed" in scores["sentence"]
    assert scores["difference"]["value"] is None
    assert ("pearson" in scores["before"], "pearson" in scores["after"]) == (before is FINE, after is FINE)
    general = judge_general(general_set(0), before, after, DRAWS, margin=0.01)
    assert general["verdict"] == "UNDECIDED"
    assert (general["before"] is None, general["after"] is None) == (before is CONSTANT, after is CONSTANT)
    json.dumps([scores, general], allow_nan=False)


def test_general_ability_that_was_trained_for_is_not_kept() -> None:
    assert judge_general(general_set(0), ROUGH, FINE, DRAWS, margin=0.01)["verdict"] == "KEPT"
    seen = judge_general(general_set(3), ROUGH, FINE, DRAWS, margin=0.01)
    assert (seen["verdict"], seen["seen_in_training"]) == ("UNDECIDED", 3)
    assert "3 examples of general.csv were learned from" in seen["sentence"]
    assert judge_general(general_set(3), FINE, ROUGH, DRAWS, margin=0.01)["verdict"] == "FORGOT"


def test_one_lucky_training_does_not_make_a_recipe_that_helped() -> None:
    alone = judge(TASK, TEST, ROUGH, FINE, DRAWS, baselines={"TF-IDF": ROUGH})
    assert (alone["verdict"], alone["below_baseline"], alone["seeds"]) == ("HELPED", False, None)
    unlucky = [measured(GOLD + NOISE * (2 + place)) for place in range(4)]
    scores = judge(TASK, TEST, ROUGH, FINE, DRAWS, baselines={"TF-IDF": ROUGH}, others=unlucky)
    assert (scores["verdict"], scores["below_baseline"]) == ("NO EVIDENCE", True)
    assert (scores["after"], scores["differences"]) == (alone["after"], alone["differences"])
    saved = scores["seeds"]["saved_model"]
    assert (saved["low"], saved["high"]) == (alone["difference"]["low"], alone["difference"]["high"])
    assert scores["smallest_detectable"] > alone["smallest_detectable"]
    json.dumps(scores, allow_nan=False)


def test_a_training_whose_score_is_not_defined_gives_no_verdict_and_no_crash() -> None:
    scores = judge(TASK, TEST, ROUGH, FINE, DRAWS, others=[FINE, CONSTANT])
    assert scores["verdict"] == "NO EVIDENCE"
    assert "could not be computed" in scores["sentence"]
    assert scores["seeds"]["mean"] is None
    assert scores["seeds"]["trainings"][2] == {"seed": 2, "score": None, "difference": None}
    json.dumps(scores, allow_nan=False)


def test_sentences_have_words_for_every_metric_of_masked_words() -> None:
    assert {*MASKED_METRICS, "word_loss"} <= set(METRIC_NAMES)


class Nothing:
    """Rows without an item."""

    def lengths(self, occasion: str) -> Any:
        return np.zeros(0, np.int64)


def test_nothing_to_measure_is_told() -> None:
    unused: Any = None
    rows: Any = Nothing()
    with pytest.raises(DataError, match="nothing can be measured"):
        evaluate(unused, unused, rows, batch_size=2)
