"""From the measurements of two models, or of several trainings, to a verdict and to what scores.json holds of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.evaluation_sets import labelled_texts, scored_pairs

from homeground.evaluation.comparison import (
    Circumstances,
    GeneralComparison,
    PairedComparison,
    judge,
    judge_general,
)
from homeground.results.parts import TestSetRecord
from homeground.results.scores import Judgement
from homeground.results.summary import prose
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


def sentence_of(comparison: PairedComparison, **fields: Any) -> str:
    """Return what is said of a comparison in scores.json."""
    return prose(Judgement(**judgement_fields(comparison), **fields))


def judgement(before: Measurement, *afters: Measurement, baseline: Measurement | None = None) -> dict[str, Any]:
    """Return what scores.json holds of a comparison, read back from JSON that has no NaN."""
    comparison = judge(TEST, before, afters, None if baseline is None else {"TF-IDF": baseline})
    record = Judgement(**judgement_fields(comparison), sentence=sentence_of(comparison))
    return {**json.loads(json.dumps(record.to_json(), allow_nan=False)), "baseline_standing": record.baseline_standing}


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
    assert "3 test pairs of it were learned from" in seen.sentence and "of pairs.csv." in seen.sentence
    assert general(FINE, ROUGH, seen=3).verdict.word == "FORGOT"


def test_the_baseline_is_the_best_of_several_by_the_deciding_metric() -> None:
    comparison = judge(TEST, ROUGH, [FINE], {"poor": ROUGH, "undefined": CONSTANT, "good": FINE})
    assert comparison.best_baseline is not None
    assert (comparison.best_baseline.name, comparison.best_baseline.score) == ("good", FINE.scores["pearson"])
    errors = scored_pairs(120, metric="mse")
    assert judge(errors, ROUGH, [FINE], {"poor": ROUGH, "good": FINE}).best_baseline.name == "good"


def test_one_lucky_training_does_not_make_a_recipe_that_helped() -> None:
    alone = judgement(ROUGH, FINE, baseline=ROUGH)
    assert (alone["verdict"], alone["baseline_standing"], alone["seeds"]) == ("HELPED", "BEATS", None)
    unlucky = [TEST.measure_predictions(GOLD + NOISE * (2 + place)) for place in range(4)]
    scores = judgement(ROUGH, FINE, *unlucky, baseline=ROUGH)
    assert (scores["verdict"], scores["baseline_standing"]) == ("NO EVIDENCE", "NOT SHOWN")
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
        (
            Circumstances(overlap=3),
            "NO EVIDENCE",
            "he model after learned from 3 test pairs, so its lead may be memory",
        ),
        (Circumstances(overlap_before=3), "HELPED", "before and"),
        (Circumstances(unchanged=True), "NO EVIDENCE", "the model is the checkpoint"),
        (Circumstances(sides=("of the first", "of the second")), "HELPED", " of the first and "),
    ],
)
def test_what_a_verdict_must_take_into_account_reaches_it(circumstances: Circumstances, word: str, phrase: str) -> None:
    comparison = judge(TEST, ROUGH, [FINE], circumstances=circumstances)
    assert (comparison.verdict.word, phrase in sentence_of(comparison)) == (word, True)


def test_reuse_of_the_test_and_cross_fitting_are_said() -> None:
    comparison = judge(TEST, ROUGH, [FINE])
    said = sentence_of(comparison, test_set=TestSetRecord(hash="", verdict_number=7), cross_fit=5)
    assert "verdict no. 7 on this test set" in said and "(5-fold cross-fitting)" in said
    assert "verdict no." not in sentence_of(comparison)


def test_what_the_first_model_learned_from_is_no_lead() -> None:
    verdict = judge(TEST, FINE, [ROUGH], circumstances=Circumstances(overlap_before=3)).verdict
    assert verdict.word == "NO EVIDENCE"
    assert verdict.reason == "the model before learned from 3 test pairs, so its lead may be memory"


def test_the_sentence_names_the_units_by_what_made_them_and_narrows_the_word_as_the_task_says() -> None:
    assert "120 test pairs; a true difference" in sentence_of(judge(TEST, ROUGH, [FINE]))
    halves = np.arange(120) // 2
    groups = replace(TEST, units=replace(TEST.units, rule="group", units=halves, nodes=np.stack([halves, halves], 1)))
    assert "120 test pairs in 60 independent groups" in sentence_of(judge(groups, ROUGH, [FINE]))
    task: Any = replace(TEST.task, info=replace(TEST.task.info, verdict_scope="at pairs"))  # pyright: ignore
    assert sentence_of(judge(replace(TEST, task=task), ROUGH, [FINE])).startswith("HELPED at pairs: ")
    assert sentence_of(judge(replace(TEST, task=task), ROUGH, [ROUGH])).startswith("NO EVIDENCE: ")


def test_a_gain_of_five_texts_is_no_evidence_even_over_trainings_on_average() -> None:
    texts = labelled_texts({"cat": 60, "dog": 40}, metric="accuracy")
    labels = texts.rows.labels

    def wrong_on(count: int) -> Measurement:
        answers = np.where(np.arange(len(labels)) < count, 1 - labels, labels)
        return texts.measure_predictions(np.eye(2)[answers])

    better = [wrong_on(count) for count in (1, 0)]
    alone = judge(texts, wrong_on(5), better[1:])
    assert alone.interval.low == 0 < alone.interval.high
    assert (alone.verdict.word, "on only 5 test texts" in alone.verdict.reason) == ("NO EVIDENCE", True)
    assert judge(texts, wrong_on(6), better[1:]).verdict.word == "HELPED"
    # 5 and 4 texts are 4 on average, rounded down.
    verdict = judge(texts, wrong_on(5), better).verdict
    assert (verdict.word, "on only 4 test texts on average" in verdict.reason) == ("NO EVIDENCE", True)


def test_several_trainings_are_named_with_their_mean_and_their_spread() -> None:
    afters = [TEST.measure_predictions(GOLD + NOISE / divisor) for divisor in (15, 20, 25)]
    scores = [after.scores["pearson"] for after in afters]
    sentence = sentence_of(judge(TEST, ROUGH, afters))
    assert (
        f"{np.mean(scores):.3f} after (mean of 3 trainings, standard deviation {np.std(scores, ddof=1):.3f}),"
        in sentence
    )


def test_sentences_have_words_for_every_metric_of_masked_words() -> None:
    assert {*MASKED_METRICS, "word_loss"} <= set(METRICS)
