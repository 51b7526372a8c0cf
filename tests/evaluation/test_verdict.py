"""From an interval to a word and a sentence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from homeground.evaluation.verdict import Baseline, Figures, domain_verdict, general_verdict
from homeground.statistics.bootstrap import Interval
from homeground.statistics.paired_shares import ShareChange
from homeground.tasks.task import RareClass

GROUPS = Figures("pearson", 0.771, 0.856, 1503, example="test pair", unit="group")
ALONE = Figures("accuracy", 0.8, 0.81, 400)


def interval(low, high, *, units=61, effective=None, **fields):
    value = (low + high) / 2
    error = (high - low) / 3.92
    return Interval(
        value, low, high, 0.95, error, units, effective or float(units), 1.0, 10_000, fields.get("undefined", 0)
    )


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.07, 0.1, "HELPED"), (-0.1, -0.07, "HURT"), (-0.01, 0.1, "NO EVIDENCE"), (0.0, 0.1, "NO EVIDENCE")],
)
def test_the_interval_alone_decides(low, high, word):
    verdict = domain_verdict(interval(low, high), GROUPS)
    assert verdict.word == word and verdict.sentence.startswith(f"{word}: ")


def test_the_sentence_gives_the_figures_it_rests_on():
    assert domain_verdict(interval(0.07, 0.1), GROUPS).sentence == (
        "HELPED: pearson 0.771 before and 0.856 after on 1,503 test pairs from 61 independent groups, a difference of "
        "+0.085 (95% interval +0.070 to +0.100, positive is better)."
    )


def test_an_end_close_to_nothing_does_not_read_as_nothing():
    assert "+0.0002 to" in domain_verdict(interval(0.0002, 0.1), GROUPS).sentence


def test_no_evidence_names_what_would_have_been_found():
    verdict = domain_verdict(interval(-0.0196, 0.0196, units=1000), ALONE)
    assert verdict.smallest_detectable == pytest.approx(0.02804, abs=1e-4)
    assert "the interval contains 0; a true difference of 0.028 would be found 4 times in 5" in verdict.sentence


def test_fewer_than_thirty_units_are_too_few_whatever_the_interval():
    verdict = domain_verdict(interval(0.07, 0.1, units=29), replace(GROUPS, examples=290))
    assert (verdict.word, verdict.needed) == ("TOO FEW", 30)
    assert "there are 29 independent groups; at least 30 groups (about 300 test pairs) are needed" in verdict.sentence
    assert domain_verdict(interval(0.07, 0.1, units=30), GROUPS).word == "HELPED"
    assert "there is 1 independent group;" in domain_verdict(interval(0.07, 0.1, units=1), GROUPS).sentence


def test_a_few_units_that_hold_nearly_everything_are_too_few():
    verdict = domain_verdict(interval(0.07, 0.1, units=60, effective=4.0), GROUPS)
    assert (verdict.word, verdict.needed) == ("TOO FEW", 150)
    assert "a few of the 60 groups hold most of the test pairs" in verdict.sentence


def test_a_test_set_that_holds_nothing_to_measure_is_too_small():
    empty = replace(interval(0.0, 0.0, units=60), effective_units=0.0)
    verdict = domain_verdict(empty, replace(GROUPS, metric="entity F1", example="test sentence"))
    assert (verdict.word, verdict.needed) == ("TOO FEW", None)
    assert "there is nothing in the test sentences that entity F1 could be measured on" in verdict.sentence


def test_fewer_degrees_of_freedom_make_the_smallest_detectable_effect_larger():
    plain = domain_verdict(interval(-0.1, 0.1), GROUPS)
    heavy = domain_verdict(replace(interval(-0.1, 0.1), degrees=5.0), GROUPS)
    assert heavy.smallest_detectable > 1.1 * plain.smallest_detectable


def test_a_metric_that_most_resamples_lack_gives_no_verdict():
    verdict = domain_verdict(interval(0.07, 0.1, undefined=500), GROUPS)
    assert verdict.word == "TOO FEW" and "in 5% of the resamples pearson could not be computed" in verdict.sentence
    undefined = interval(np.nan, np.nan, undefined=10_000)
    verdict = domain_verdict(undefined, GROUPS)
    assert verdict.word == "NO EVIDENCE" and "pearson could not be computed" in verdict.sentence


def test_five_discordant_examples_show_nothing_and_six_may():
    better = interval(0.001, 0.02, units=400)
    assert domain_verdict(better, ALONE, discordant=5).word == "NO EVIDENCE"
    assert "differ on 5 test examples only" in domain_verdict(better, ALONE, discordant=5).sentence
    assert domain_verdict(better, ALONE, discordant=6).word == "HELPED"


def test_a_leak_blocks_helped_but_not_hurt():
    leaked = domain_verdict(interval(0.07, 0.1), GROUPS, overlap=3)
    assert leaked.word == "NO EVIDENCE"
    assert "3 test pairs with their labels are in the training data too" in leaked.sentence
    assert domain_verdict(interval(-0.1, -0.07), GROUPS, overlap=3).word == "HURT"


def test_a_model_that_is_the_checkpoint_did_not_help_whatever_its_sisters_did():
    kept = domain_verdict(interval(0.07, 0.1), GROUPS, unchanged=True, folds=5)
    assert kept.word == "NO EVIDENCE" and "the model is the checkpoint" in kept.sentence
    assert domain_verdict(interval(-0.1, -0.07), GROUPS, unchanged=True, folds=5).word == "HURT"


def test_what_the_first_model_learned_from_blocks_hurt_but_not_helped():
    leaked = domain_verdict(interval(-0.1, -0.07), GROUPS, overlap_before=2)
    assert leaked.word == "NO EVIDENCE"
    assert "2 test pairs are in the training data of the first model" in leaked.sentence
    assert domain_verdict(interval(0.07, 0.1), GROUPS, overlap_before=2).word == "HELPED"


def test_models_that_do_not_differ_at_all_answer_alike():
    verdict = domain_verdict(interval(0.0, 0.0), GROUPS)
    assert verdict.word == "NO EVIDENCE"
    assert "the two models answer alike" in verdict.sentence and "would be found" not in verdict.sentence


def test_below_the_baseline_is_stated_beside_helped():
    below = Baseline("tf-idf cosine", 0.86, interval(-0.02, 0.01))
    verdict = domain_verdict(interval(0.07, 0.1), GROUPS, baseline=below)
    assert verdict.word == "HELPED" and verdict.below_baseline
    assert "BELOW BASELINE: tf-idf cosine alone has pearson 0.860" in verdict.sentence
    above = Baseline("tf-idf cosine", 0.7, interval(0.01, 0.2))
    verdict = domain_verdict(interval(0.07, 0.1), GROUPS, baseline=above)
    assert not verdict.below_baseline and "BASELINE" not in verdict.sentence


def test_a_baseline_that_cannot_be_compared_is_not_beaten():
    unknown = Baseline("tf-idf cosine", np.nan, interval(np.nan, np.nan))
    assert domain_verdict(interval(0.07, 0.1), GROUPS, baseline=unknown).below_baseline


def test_reuse_and_cross_fitting_are_stated():
    sentence = domain_verdict(interval(0.07, 0.1), GROUPS, verdict_number=7, folds=5).sentence
    assert "verdict no. 7 on this test set" in sentence and "5-fold cross-fitting" in sentence
    assert "verdict no." not in domain_verdict(interval(0.07, 0.1), GROUPS).sentence


def test_the_word_can_be_narrowed():
    verdict = domain_verdict(interval(0.07, 0.1), GROUPS, at="at predicting masked words")
    assert verdict.word == "HELPED" and verdict.sentence.startswith("HELPED at predicting masked words: ")
    unclear = domain_verdict(interval(-0.1, 0.1), GROUPS, at="at predicting masked words")
    assert unclear.sentence.startswith("NO EVIDENCE: ")


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (-0.009, 0.01, "KEPT"),
        (0.02, 0.03, "KEPT"),
        (-0.03, -0.011, "FORGOT"),
        (-0.03, 0.005, "UNDECIDED"),
        (-0.01, 0.01, "UNDECIDED"),
        (-0.03, -0.01, "UNDECIDED"),
    ],
)
def test_general_ability_is_judged_against_the_margin(low, high, word):
    assert general_verdict(interval(low, high, units=1400), 0.01, GROUPS, name="stsb.csv").word == word


def test_undecided_names_the_size_that_would_decide():
    # The standard error is 0.01 on 1,000 units; the margin wants (1.96 + 0.84) of them: 1000 * 2.8².
    verdict = general_verdict(
        interval(-0.0196, 0.0196, units=1000), 0.01, replace(ALONE, examples=1000), name="stsb.csv"
    )
    assert verdict.needed == pytest.approx(7850, abs=5)
    assert f"about {verdict.needed:,} test examples would decide" in verdict.sentence


def test_undecided_at_the_margin_itself_wants_more_than_there_is():
    # The set is large enough to show the margin; the difference lies next to it.
    verdict = general_verdict(interval(-0.0125, -0.0095, units=1000), 0.01, GROUPS, name="stsb.csv")
    assert verdict.word == "UNDECIDED" and verdict.needed > 1000
    exactly = general_verdict(interval(-0.012, -0.008, units=1000), 0.01, GROUPS, name="stsb.csv")
    assert exactly.needed is None or exactly.needed > 1_000_000


def test_general_ability_on_too_few_units_is_not_judged():
    verdict = general_verdict(interval(0.0, 0.01, units=12), 0.01, GROUPS, name="stsb.csv")
    assert (verdict.word, verdict.needed) == ("TOO FEW", 30)


def test_few_changes_on_few_texts_do_not_show_that_nothing_was_lost():
    low, high = ShareChange(0, 0, 40, 0).interval()
    unchanged = replace(interval(low, high, units=40), standard_error=0.0)
    verdict = general_verdict(
        unchanged, 0.01, replace(ALONE, examples=40), name="reviews.csv", change=ShareChange(0, 0, 40, 0)
    )
    assert (verdict.word, verdict.needed) == ("UNDECIDED", 381)
    assert "no test example changed, but 40 test examples are too few to exclude it" in verdict.sentence
    assert verdict.sentence.endswith("about 381 test examples would decide.")
    few = general_verdict(unchanged, 0.01, ALONE, name="reviews.csv", change=ShareChange(1, 0, 40, 1))
    assert "only 1 test example changed" in few.sentence


def test_a_share_that_lost_more_than_the_margin_has_no_size_that_would_keep_it():
    lost = ShareChange(10, 20, 200, 30)
    low, high = lost.interval()
    verdict = general_verdict(interval(low, high, units=200), 0.01, ALONE, name="reviews.csv", change=lost)
    assert verdict.word == "UNDECIDED"
    assert verdict.needed == general_verdict(interval(low, high, units=200), 0.01, ALONE, name="reviews.csv").needed


def test_an_undefined_difference_is_undecided():
    unknown = interval(np.nan, np.nan, units=1000, undefined=10_000)
    assert general_verdict(unknown, 0.01, GROUPS, name="stsb.csv").word == "UNDECIDED"


def test_a_class_that_counts_like_the_others_must_be_there_often_enough() -> None:
    alone = Figures("Macro F1", 0.5, 0.6, 61, example="test text", unit="test text")
    rare = replace(alone, too_rare=RareClass("sport", units=2, needed=3))
    verdict = domain_verdict(interval(0.07, 0.1), rare)
    assert (verdict.word, verdict.needed) == ("TOO FEW", 92)
    assert 'the class "sport" counts as much as any other and occurs in 2 test texts only' in verdict.sentence
    assert "every class needs 3, so about 92 test texts of this kind" in verdict.sentence
    assert domain_verdict(interval(0.07, 0.1), alone).word == "HELPED"
    assert general_verdict(interval(0.0, 0.01), 0.01, rare, name="reviews.csv").word == "TOO FEW"
