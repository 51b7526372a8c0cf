"""From an interval to a word and a sentence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from homeground.evaluation.verdict import Figures, domain_verdict, general_verdict
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
    assert domain_verdict(interval(low, high), GROUPS).word == word


def test_no_evidence_comes_with_what_would_have_been_found():
    verdict = domain_verdict(interval(-0.0196, 0.0196, units=1000), ALONE)
    assert verdict.smallest_detectable == pytest.approx(0.02804, abs=1e-4)
    assert verdict.reason == ""


def test_fewer_than_thirty_units_are_too_few_whatever_the_interval():
    verdict = domain_verdict(interval(0.07, 0.1, units=29), replace(GROUPS, examples=290))
    assert (verdict.word, verdict.needed) == ("TOO FEW", 30)
    assert "there are 29 independent groups; at least 30 groups (about 300 test pairs) are needed" in verdict.reason
    assert domain_verdict(interval(0.07, 0.1, units=30), GROUPS).word == "HELPED"
    assert "there is 1 independent group;" in domain_verdict(interval(0.07, 0.1, units=1), GROUPS).reason


def test_a_few_units_that_hold_nearly_everything_are_too_few():
    verdict = domain_verdict(interval(0.07, 0.1, units=60, effective=4.0), GROUPS)
    assert (verdict.word, verdict.needed) == ("TOO FEW", 150)
    assert "a few of the 60 groups hold most of the test pairs" in verdict.reason


def test_a_test_set_that_holds_nothing_to_measure_is_too_small():
    empty = replace(interval(0.0, 0.0, units=60), effective_units=0.0)
    verdict = domain_verdict(empty, replace(GROUPS, metric="entity F1", example="test sentence"))
    assert (verdict.word, verdict.needed) == ("TOO FEW", None)
    assert "there is nothing in the test sentences that entity F1 could be measured on" in verdict.reason


def test_fewer_degrees_of_freedom_make_the_smallest_detectable_effect_larger():
    plain = domain_verdict(interval(-0.1, 0.1), GROUPS)
    heavy = domain_verdict(replace(interval(-0.1, 0.1), degrees=5.0), GROUPS)
    assert heavy.smallest_detectable > 1.1 * plain.smallest_detectable


def test_a_metric_that_most_resamples_lack_gives_no_verdict():
    verdict = domain_verdict(interval(0.07, 0.1, undefined=500), GROUPS)
    assert verdict.word == "TOO FEW" and "in 5% of the resamples pearson could not be computed" in verdict.reason
    undefined = interval(np.nan, np.nan, undefined=10_000)
    verdict = domain_verdict(undefined, GROUPS)
    assert verdict.word == "NO EVIDENCE" and "pearson could not be computed" in verdict.reason


def test_five_discordant_examples_show_nothing_and_six_may():
    better = interval(0.001, 0.02, units=400)
    assert domain_verdict(better, ALONE, discordant=5).word == "NO EVIDENCE"
    assert "on only 5 test examples" in domain_verdict(better, ALONE, discordant=5).reason
    assert domain_verdict(better, ALONE, discordant=6).word == "HELPED"


def test_a_leak_blocks_helped_but_not_hurt():
    leaked = domain_verdict(interval(0.07, 0.1), GROUPS, overlap=3)
    assert leaked.word == "NO EVIDENCE"
    assert leaked.reason == "the model after learned from 3 test pairs, so its lead may be memory"
    assert domain_verdict(interval(-0.1, -0.07), GROUPS, overlap=3).word == "HURT"


def test_a_model_that_is_the_checkpoint_did_not_help_whatever_its_sisters_did():
    for ends, changed in (((0.07, 0.1), "improved"), ((-0.1, -0.07), "got worse")):
        kept = domain_verdict(interval(*ends), GROUPS, unchanged=True)
        assert kept.word == "NO EVIDENCE" and "the model is the checkpoint" in kept.reason
        assert kept.reason.endswith(f"only the models of the other folds {changed}")


def test_what_the_first_model_learned_from_blocks_hurt_but_not_helped():
    leaked = domain_verdict(interval(-0.1, -0.07), GROUPS, overlap_before=2)
    assert leaked.word == "NO EVIDENCE"
    assert leaked.reason == "the model before learned from 2 test pairs, so its lead may be memory"
    assert domain_verdict(interval(0.07, 0.1), GROUPS, overlap_before=2).word == "HELPED"


def test_models_that_are_scored_alike_everywhere_have_no_detectable_difference():
    verdict = domain_verdict(interval(0.0, 0.0), GROUPS)
    assert verdict.word == "NO EVIDENCE" and np.isnan(verdict.smallest_detectable)
    assert verdict.reason == "the two scores are the same, and no group is scored differently"


def test_too_few_units_say_nothing_of_what_would_be_found():
    assert np.isnan(domain_verdict(interval(0.07, 0.1, units=29), GROUPS).smallest_detectable)


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
    assert general_verdict(interval(low, high, units=1400), 0.01, GROUPS).word == word


def test_undecided_names_the_size_that_would_decide():
    # The standard error is 0.01 on 1,000 units; the margin wants (1.96 + 0.84) of them: 1000 * 2.8².
    verdict = general_verdict(interval(-0.0196, 0.0196, units=1000), 0.01, replace(ALONE, examples=1000))
    assert verdict.needed == pytest.approx(7850, abs=5)
    assert f"about {verdict.needed:,} test examples would decide" in verdict.reason


def test_undecided_at_the_margin_itself_wants_more_than_there_is():
    # The set is large enough to show the margin; the difference lies next to it.
    verdict = general_verdict(interval(-0.0125, -0.0095, units=1000), 0.01, GROUPS)
    assert verdict.word == "UNDECIDED" and verdict.needed > 1000
    exactly = general_verdict(interval(-0.012, -0.008, units=1000), 0.01, GROUPS)
    assert exactly.needed is None or exactly.needed > 1_000_000


def test_general_ability_on_too_few_units_is_not_judged():
    verdict = general_verdict(interval(0.0, 0.01, units=12), 0.01, GROUPS)
    assert (verdict.word, verdict.needed) == ("TOO FEW", 30)


def test_few_changes_on_few_texts_do_not_show_that_nothing_was_lost():
    low, high = ShareChange(0, 0, 40, 0).interval()
    unchanged = replace(interval(low, high, units=40), standard_error=0.0)
    verdict = general_verdict(unchanged, 0.01, replace(ALONE, examples=40), change=ShareChange(0, 0, 40, 0))
    assert (verdict.word, verdict.needed) == ("UNDECIDED", 381)
    assert "no test example changed, but 40 test examples are too few to exclude a loss" in verdict.reason
    assert verdict.reason.endswith("about 381 test examples would decide")
    few = general_verdict(unchanged, 0.01, ALONE, change=ShareChange(1, 0, 40, 1))
    assert "only 1 test example changed" in few.reason


def test_a_share_that_lost_more_than_the_margin_has_no_size_that_would_keep_it():
    lost = ShareChange(10, 20, 200, 30)
    low, high = lost.interval()
    verdict = general_verdict(interval(low, high, units=200), 0.01, ALONE, change=lost)
    assert verdict.word == "UNDECIDED"
    assert verdict.needed == general_verdict(interval(low, high, units=200), 0.01, ALONE).needed


def test_an_undefined_difference_is_undecided():
    unknown = interval(np.nan, np.nan, units=1000, undefined=10_000)
    verdict = general_verdict(unknown, 0.01, replace(GROUPS, before=np.nan))
    assert verdict.word == "UNDECIDED"
    assert verdict.reason == "pearson could not be computed, as where all scores are the same"


def test_what_was_learned_from_is_not_kept() -> None:
    learned = general_verdict(interval(0.0, 0.01, units=1400), 0.01, GROUPS, seen=1)
    assert learned.word == "UNDECIDED"
    assert learned.reason == "1 test pair of it was learned from, so keeping them shows nothing"


def test_a_class_that_counts_like_the_others_must_be_there_often_enough() -> None:
    alone = Figures("Macro F1", 0.5, 0.6, 61, example="test text", unit="test text")
    rare = replace(alone, too_rare=RareClass("sport", units=2, needed=3))
    verdict = domain_verdict(interval(0.07, 0.1), rare)
    assert (verdict.word, verdict.needed) == ("TOO FEW", 92)
    assert 'the class "sport" counts as much as any other and occurs in 2 test texts only' in verdict.reason
    assert "every class needs 3, so about 92 test texts of this kind" in verdict.reason
    assert domain_verdict(interval(0.07, 0.1), alone).word == "HELPED"
    assert general_verdict(interval(0.0, 0.01), 0.01, rare).word == "TOO FEW"
