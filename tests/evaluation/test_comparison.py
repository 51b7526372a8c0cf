"""From the measurements of two models, or of several trainings, to a verdict and to what scores.json holds of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.evaluation_sets import labelled_texts, scored_pairs

from homeground.evaluation.comparison import Circumstances, GeneralComparison, judge, judge_general
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


@pytest.mark.parametrize(
    ("circumstances", "word", "phrase"),
    [
        (Circumstances(), "HELPED", "before and"),
        (Circumstances(overlap=3), "NO EVIDENCE", "3 test pairs with their labels are in the training data"),
        (Circumstances(overlap_before=3), "HELPED", "before and"),
        (Circumstances(unchanged=True), "NO EVIDENCE", "the model is the checkpoint"),
        (Circumstances(verdict_number=7), "HELPED", "verdict no. 7 on this test set"),
        (Circumstances(folds=5), "HELPED", "(5-fold cross-fitting)"),
        (Circumstances(sides=("of the first", "of the second")), "HELPED", " of the first and "),
    ],
)
def test_what_a_verdict_must_take_into_account_reaches_it(circumstances: Circumstances, word: str, phrase: str) -> None:
    verdict = judge(TEST, ROUGH, [FINE], circumstances=circumstances).verdict
    assert (verdict.word, phrase in verdict.sentence) == (word, True)


def test_what_the_first_model_learned_from_is_no_lead() -> None:
    verdict = judge(TEST, FINE, [ROUGH], circumstances=Circumstances(overlap_before=3)).verdict
    assert verdict.word == "NO EVIDENCE"
    assert "3 test pairs are in the training data of the first model" in verdict.sentence


def test_the_sentence_names_the_units_by_what_made_them_and_narrows_the_word_as_the_task_says() -> None:
    assert "on 120 test pairs from 120 independent units" in judge(TEST, ROUGH, [FINE]).verdict.sentence
    groups = replace(TEST, units=replace(TEST.units, rule="group"))
    assert "on 120 test pairs from 120 independent groups" in judge(groups, ROUGH, [FINE]).verdict.sentence
    task: Any = replace(TEST.task, info=replace(TEST.task.info, verdict_scope="at pairs"))  # pyright: ignore
    narrow = judge(replace(TEST, task=task), ROUGH, [FINE]).verdict
    assert narrow.sentence.startswith("HELPED at pairs: ")


def test_a_gain_of_five_texts_is_no_evidence_even_over_trainings_on_average() -> None:
    texts = labelled_texts({"cat": 60, "dog": 40}, metric="accuracy")
    labels = texts.rows.labels

    def wrong_on(count: int) -> Measurement:
        answers = np.where(np.arange(len(labels)) < count, 1 - labels, labels)
        return texts.measure_predictions(np.eye(2)[answers])

    better = [wrong_on(count) for count in (1, 0)]
    alone = judge(texts, wrong_on(5), better[1:])
    assert alone.interval.low > 0
    assert (alone.verdict.word, "on 5 test texts only" in alone.verdict.sentence) == ("NO EVIDENCE", True)
    assert judge(texts, wrong_on(6), better[1:]).verdict.word == "HELPED"
    # 5 and 4 texts are 4 on average, rounded down.
    verdict = judge(texts, wrong_on(5), better).verdict
    assert (verdict.word, "on 4 test texts only on average" in verdict.sentence) == ("NO EVIDENCE", True)


def test_several_trainings_are_named_with_their_mean_and_their_spread() -> None:
    afters = [TEST.measure_predictions(GOLD + NOISE / divisor) for divisor in (15, 20, 25)]
    scores = [after.scores["pearson"] for after in afters]
    sentence = judge(TEST, ROUGH, afters).verdict.sentence
    assert (
        f"{np.mean(scores):.3f} after, the mean of 3 trainings that spread by {np.std(scores, ddof=1):.3f}," in sentence
    )


def test_sentences_have_words_for_every_metric_of_masked_words() -> None:
    assert {*MASKED_METRICS, "word_loss"} <= set(METRICS)
