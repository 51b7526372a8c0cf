"""What is said of scores: a headline, short lines, one paragraph, and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from homeground.results.advice import advice
from homeground.results.parts import GeneralRecord
from homeground.results.scores import Scores
from homeground.results.summary import gate_failures, general_line, headline, judgement_lines, prose, summary_lines

HELPED: dict[str, Any] = {
    "task": "classification",
    "primary_metric": "accuracy",
    "verdict": "HELPED",
    "before": {"accuracy": 0.749},
    "after": {"accuracy": 0.92},
    "baselines": {"TF-IDF": {"accuracy": 0.857}},
    "difference": {"value": 0.171, "low": 0.151, "high": 0.192},
    "baseline_difference": {
        "name": "TF-IDF",
        "instead": "Use TF-IDF",
        "value": 0.063,
        "low": 0.045,
        "high": 0.081,
    },
    "smallest_detectable": 0.0294,
    "test_examples": 2000,
    "test_units": 2000,
    "unit": "text",
    "example": "test text",
}


def against(low: float, high: float) -> dict[str, Any]:
    """Return a difference from the baseline."""
    value = round((low + high) / 2, 6)
    return {"baseline_difference": {**HELPED["baseline_difference"], "value": value, "low": low, "high": high}}


GENERAL: dict[str, Any] = {
    "name": "sts.csv",
    "metric": "pearson",
    "before": 0.911,
    "after": 0.885,
    "difference": {"value": -0.027, "low": -0.04, "high": -0.015},
    "verdict": "FORGOT",
    "margin": 0.01,
}
NO_BASELINE: dict[str, Any] = {"baseline_difference": None}
TOO_FEW: dict[str, Any] = {
    "verdict": "TOO FEW",
    "reason": "there are 12 independent test texts; at least 30 test texts are needed",
    "difference": {"value": 0.171},
    "baseline_difference": {"name": "TF-IDF", "value": 0.063},
    "smallest_detectable": None,
    "units_needed": 30,
    "test_examples": 12,
    "test_units": 12,
}


def scores(**changes: Any) -> Scores:
    return Scores.model_validate({**HELPED, **changes})


def text(topic: str, **changes: Any) -> str:
    return dict(summary_lines(scores(**changes))).get(topic, "")


def test_each_line_gives_its_figures() -> None:
    assert dict(summary_lines(scores())) == {
        "result": "Accuracy 0.749 before and 0.920 after, a difference of +0.171 (95% interval +0.151 to +0.192)",
        "test": "2,000 test texts; a true difference of 0.029 is found 4 times in 5",
        "baseline": "the adapted model beats the best baseline, TF-IDF (0.857), by +0.063 (95% interval +0.045 to "
        "+0.081)",
    }


def test_the_paragraph_is_the_headline_and_the_lines() -> None:
    lines = [line for _, line in judgement_lines(scores())]
    assert prose(scores()).startswith(f"HELPED: {lines[0]}. {lines[1]}. The adapted model beats the best")


def test_a_word_is_narrowed_only_where_something_is_claimed() -> None:
    narrow = {"scope": "at predicting masked words"}
    assert headline(scores(**narrow)) == "HELPED at predicting masked words"
    assert headline(scores(**narrow, verdict="NO EVIDENCE")) == "NO EVIDENCE"


def test_the_units_are_named_by_what_made_them() -> None:
    pairs = {"test_examples": 1461, "example": "test pair"}
    assert text("test", **pairs, test_units=54, unit="group").startswith("1,461 test pairs in 54 independent groups;")
    assert text("test", **pairs, test_units=1460, unit="text").startswith(
        "1,461 test pairs, 1,460 of them independent;"
    )
    assert text("test", **pairs, test_units=1, unit="shared text").startswith("1,461 test pairs in 1 independent unit;")


def test_an_end_close_to_nothing_does_not_read_as_nothing_and_nothing_has_no_sign() -> None:
    assert "+0.0002 to +0.1000" in text("result", difference={"value": 0.05, "low": 0.0002, "high": 0.1})
    assert "a difference of 0.000 (95% interval -0.010 to +0.010)" in text(
        "result", difference={"value": -0.0, "low": -0.01, "high": 0.01}
    )


def test_where_lower_is_better_the_sign_is_explained() -> None:
    losses = {"primary_metric": "masked_loss", "before": {"masked_loss": 6.3}, "after": {"masked_loss": 4.2}}
    assert "positive is better" in text("result", **losses, **NO_BASELINE)


def test_too_few_units_give_no_interval_anywhere_and_no_number_that_does_not_exist() -> None:
    said = prose(scores(**TOO_FEW))
    assert "interval +" not in said and "nan" not in said.lower() and "inf" not in said.lower()
    assert "a difference of +0.171 (no interval)" in said and "12 independent test texts" in said
    assert "The best simple method is TF-IDF (0.857)" in said


def test_a_score_that_is_not_defined_is_said_to_be_so() -> None:
    said = text("result", before={}, difference={"value": None})
    assert said == "Accuracy not defined before and 0.920 after, a difference that could not be computed"


@pytest.mark.parametrize(
    ("standing", "ends", "phrase"),
    [
        ("BEATS", (0.01, 0.03), "the adapted model beats the best baseline, TF-IDF (0.857), by +0.020"),
        (
            "NOT SHOWN",
            (-0.005, 0.015),
            "the adapted model is not shown to beat the best baseline, TF-IDF (0.857): +0.005",
        ),
        ("BELOW", (-0.05, -0.01), "the adapted model is below the best baseline, TF-IDF (0.857), by -0.030"),
    ],
)
def test_only_below_is_called_below(standing: str, ends: tuple[float, float], phrase: str) -> None:
    assert scores(**against(*ends)).baseline_standing == standing
    line = text("baseline", **against(*ends))
    assert line.startswith(phrase) and ("below" in line) == (standing == "BELOW")


def test_the_gate_says_what_closed_it() -> None:
    assert gate_failures(scores()) == []
    assert gate_failures(scores(**NO_BASELINE)) == []
    assert gate_failures(scores(**against(-0.01, 0.02))) == [
        "the adapted model is not shown to beat the baseline TF-IDF"
    ]
    assert gate_failures(scores(**against(-0.03, -0.01), general=GENERAL)) == [
        "the adapted model is below the baseline TF-IDF",
        "general ability is FORGOT",
    ]
    assert gate_failures(scores(**TOO_FEW)) == ["the verdict is TOO FEW"]


LOST = {"difference": {"value": -0.1, "low": -0.2, "high": -0.05}}
UNCLEAR = {"difference": {"value": 0.0, "low": -0.2, "high": 0.2}}
BEHIND = {**against(-0.03, -0.01), "before": {"accuracy": 0.7}}
HEAD = {"head": {"variant": "first token"}}


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({}, "Use the adapted model for texts of this domain; what it does outside it was not measured."),
        ({"general": {**GENERAL, "verdict": "KEPT"}}, "Use the adapted model: it is better in this domain and as good"),
        ({"general": GENERAL}, "Use the adapted model for texts of this domain only, or adapt again with --keep-gen"),
        ({"general": GENERAL, "merging": {"weight": 0.4}}, "Use the adapted model for texts of this domain only; keep"),
        ({"use": "Use it to fill in words."}, "Use it to fill in words."),
        (BEHIND, "Use TF-IDF: it is better than the adapted model and costs less."),
        (against(-0.01, 0.02), "Use TF-IDF: it is not shown to be worse than the adapted model"),
        ({"verdict": "NO EVIDENCE", **UNCLEAR, **BEHIND}, "Use TF-IDF: it is better than the adapted model"),
        (
            {"verdict": "NO EVIDENCE", **UNCLEAR},
            "Keep the original checkpoint: there is no evidence that adapting improved it.",
        ),
        (
            {"verdict": "NO EVIDENCE", **UNCLEAR, **HEAD},
            "Keep the original checkpoint, with the head that was fitted to it",
        ),
        ({"verdict": "NO EVIDENCE"}, "Test again on new texts; until then, keep the original checkpoint."),
        ({"verdict": "HURT", **LOST}, "Keep the original checkpoint: adapting made it worse. A lower learning rate"),
        ({"verdict": "HURT", **LOST, **BEHIND}, "Use TF-IDF: it is better than the adapted model"),
        (
            TOO_FEW,
            "Do not decide on this test: collect more texts, or put a larger share of them into the test (--test",
        ),
    ],
)
def test_what_to_do_follows_from_what_was_shown(changes: dict[str, Any], start: str) -> None:
    assert advice(scores(**changes)).startswith(start)


def test_cross_fitted_data_is_not_told_to_test_on_a_larger_share() -> None:
    said = advice(scores(**TOO_FEW, cross_fit=5))
    assert said == "Do not decide on this test: collect more texts. The test needs at least 30 independent ones."


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (
            {},
            "FORGOT: Pearson correlation 0.911 before and 0.885 after, "
            "a difference of -0.027 (95% interval -0.040 to -0.015); "
            "the loss is larger than 0.010",
        ),
        (
            {
                "verdict": "UNDECIDED",
                "difference": {"value": -0.01, "low": -0.03, "high": 0.01},
                "before": 0.895,
                "reason": "about 900 pairs would decide",
            },
            "UNDECIDED: Pearson correlation 0.895 before and 0.885 after, "
            "a difference of -0.010 (95% interval -0.030 to +0.010); "
            "a loss of 0.010 is neither shown nor excluded; about 900 pairs would decide",
        ),
        (
            {
                "verdict": "UNDECIDED",
                "difference": {"value": 0.0, "low": -0.001, "high": 0.001},
                "before": 0.885,
                "reason": "3 pairs of it were learned from, so keeping them shows nothing",
            },
            "UNDECIDED: Pearson correlation 0.885 before and 0.885 after, "
            "a difference of 0.000 (95% interval -0.001 to +0.001); "
            "3 pairs of it were learned from, so keeping them shows nothing",
        ),
        (
            {"verdict": "TOO FEW", "difference": {"value": -0.027}, "reason": "there are 12 independent pairs"},
            "TOO FEW: Pearson correlation 0.911 before and 0.885 after, a difference of -0.027 (no interval); "
            "there are 12 independent pairs",
        ),
        (
            {"verdict": "UNDECIDED", "difference": {}, "before": None, "reason": "Pearson could not be computed"},
            "UNDECIDED: Pearson could not be computed",
        ),
    ],
)
def test_general_ability_is_one_line_with_its_figures_and_what_decides(changed: dict[str, Any], line: str) -> None:
    assert general_line(GeneralRecord.model_validate({**GENERAL, **changed})) == line


def test_the_speed_of_a_training_is_said_where_its_share_of_the_machine_was_measured() -> None:
    short = Scores(**HELPED, training={"items_per_second": 212.4})
    assert "speed" not in {line.topic for line in summary_lines(short)}
    long = Scores(**HELPED, training={"items_per_second": 212.4, "matrix_share": 0.463})
    said = {line.topic: line.text for line in summary_lines(long)}["speed"]
    assert said == "212 examples a second, 46% of the machine's peak in multiplying matrices"
