"""A learning curve: the same recipe on shares of the data, what they suggest, and what is not done twice."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.classifying import topic_texts
from tests.conftest import FAST, PAIR_HEADER, topic_pairs
from tests.runs import Broken, broken_at, recorder

import homeground
from homeground.errors import TrainingFailed, UsageError
from homeground.experiment.learning_curve import SMALL_GAIN, judge_gain
from homeground.results.run import Run
from homeground.statistics.bootstrap import Interval
from homeground.storage import read_json
from homeground.tasks.task import RareClass

CURVE = {**FAST, "epochs": 1, "learning_curve": True}


@pytest.fixture(scope="module")
def curved(tmp_path_factory: pytest.TempPathFactory, classifier: Path) -> Run:
    """A finished run with a learning curve, broken twice on its way."""
    folder = tmp_path_factory.mktemp("curved")
    data = folder / "texts.csv"
    data.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in topic_texts(700)), "utf-8")
    settings: dict[str, Any] = {**CURVE, "checkpoint": str(classifier), "out": str(folder / "run")}
    events: list[str] = []
    for place in ("learning from 25%", "measuring after"):
        with pytest.raises(Broken):
            homeground.adapt(data, on_event=broken_at(place, events), **settings)
        events.append("again")
    run = homeground.adapt(data, on_event=recorder(events), **settings)
    assert [sum(text.startswith(f"learning from {share}%") for text in events) for share in (5, 10, 25, 50)] == [
        *(1, 1),
        *(2, 1),
    ]
    assert "Step" not in events[len(events) - events[::-1].index("again") :]
    return run


def test_a_curve_has_every_share_and_goes_on_where_it_was(curved: Run) -> None:
    curve = curved.scores["learning_curve"]
    assert [point["share"] for point in curve["points"]] == [5, 10, 25, 50, 100]
    counts = [point["examples"] for point in curve["points"]]
    train = read_json(curved.folder / "data.json")["counts"]["train"]
    assert counts[-1] == train
    assert all(abs(count - train * share / 100) <= 2 for count, share in zip(counts, (5, 10, 25, 50), strict=False))
    assert curve["left_out"] == []
    assert not list(curved.folder.rglob("checkpoints"))


def test_all_of_the_data_is_the_run_itself(curved: Run) -> None:
    scores = curved.scores
    whole = scores["learning_curve"]["points"][-1]
    metric = scores["primary_metric"]
    assert whole["after"]["score"] == pytest.approx(scores["after"][metric], abs=1e-12)
    assert whole["before"]["score"] == pytest.approx(scores["before"][metric], abs=1e-12)
    assert whole["baselines"] == pytest.approx({name: own[metric] for name, own in scores["baselines"].items()})
    assert whole["after"]["low"] <= whole["after"]["score"] <= whole["after"]["high"]
    assert scores["test_set"]["verdict_number"] == 1


def test_cheap_methods_and_the_model_before_learn_from_each_share_too(curved: Run) -> None:
    points = curved.scores["learning_curve"]["points"]
    assert {name for point in points for name in point["baselines"]} == {
        *("majority class", "TF-IDF"),
        "frozen embeddings",
    }
    assert len({point["baselines"]["TF-IDF"] for point in points}) > 2
    assert len({point["before"]["score"] for point in points}) > 2


def test_the_difference_is_that_of_all_against_half(curved: Run) -> None:
    curve = curved.scores["learning_curve"]
    half, whole = curve["points"][-2:]
    assert curve["difference"]["value"] == pytest.approx(whole["after"]["score"] - half["after"]["score"], abs=1e-12)
    # One epoch over so few texts teaches little: the interval has room for nothing and for a gain worth having.
    assert curve["difference"]["low"] < 0 and curve["difference"]["high"] > SMALL_GAIN
    assert curve["suggestion"] == "INCONCLUSIVE"
    assert curve["sentence"].startswith("Inconclusive: going from half of the training data to all of it changed")


def test_the_report_shows_the_curve_and_the_sentence(curved: Run) -> None:
    page = curved.report_path.read_text(encoding="utf-8")
    assert '<section aria-labelledby="learning-curve">' in page
    assert page.count('class="spread after"') == 5
    assert curved.scores["learning_curve"]["sentence"].partition(":")[0] in page


def interval(low: float, high: float, **changes: Any) -> Interval:
    middle = (low + high) / 2
    return replace(Interval(middle, low, high, 0.95, (high - low) / 4, 200, 200.0, 1.0, 1000, 0), **changes)


@pytest.mark.parametrize(
    ("gain", "discordant", "word", "says"),
    [
        (interval(0.01, 0.05), None, "RISING", "annotate more"),
        (interval(0.01, 0.05), 40, "RISING", "by +0.030 (95% interval +0.010 to +0.050"),
        (interval(0.01, 0.05), 5, "INCONCLUSIVE", "a larger test"),
        (interval(-0.004, 0.006), 40, "FLAT", "would not help much"),
        (interval(0.001, 0.006), 40, "FLAT", "would not help much"),
        (interval(-0.2, -0.1), 40, "FLAT", "would not help much"),
        (interval(-0.02, 0.05), 40, "INCONCLUSIVE", "room both for a gain"),
        (interval(0.01, 0.05, units=29), 40, "INCONCLUSIVE", "29 independent test units are too few"),
        (interval(0.01, 0.05, effective_units=9.0), 40, "INCONCLUSIVE", "too few"),
        (interval(0.01, 0.05, value=math.nan), 40, "INCONCLUSIVE", "could not be computed"),
    ],
)
def test_the_suggestion_follows_from_the_interval(gain: Interval, discordant: int | None, word: str, says: str) -> None:
    suggestion = judge_gain(gain, "Accuracy", discordant)
    assert suggestion.word == word
    assert says in suggestion.sentence


def test_pairs_have_a_curve_too_and_small_shares_are_left_out(
    write_csv: Callable[..., Path], encoder: Path, tmp_path: Path
) -> None:
    data = write_csv("pairs.csv", PAIR_HEADER, topic_pairs(300))
    run = homeground.adapt(data, checkpoint=str(encoder), out=str(tmp_path / "run"), cross_fit=0, **CURVE)
    curve = run.scores["learning_curve"]
    assert [each["share"] for each in curve["left_out"]] == [5]
    assert "fewer than 10" in curve["left_out"][0]["reason"]
    assert [point["share"] for point in curve["points"]] == [10, 25, 50, 100]
    # The checkpoint needs no head, so that before is the same whatever is learned from.
    assert len({point["before"]["score"] for point in curve["points"]}) == 1
    assert "5% is left out" in run.report_path.read_text(encoding="utf-8")
    # With twice the pairs an epoch has twice the steps, and these pairs are learned from scratch.
    assert (curve["suggestion"] == "RISING") == (curve["difference"]["low"] > 0)
    assert curve["difference"]["value"] > 0


def test_where_nothing_is_learned_the_curve_is_flat(
    write_csv: Callable[..., Path], encoder: Path, tmp_path: Path
) -> None:
    data = write_csv("pairs.csv", PAIR_HEADER, topic_pairs(300))
    settings = {**CURVE, "cross_fit": 0, "learning_rate": 0}
    run = homeground.adapt(data, checkpoint=str(encoder), out=str(tmp_path / "run"), **settings)
    curve = run.scores["learning_curve"]
    assert len({point["after"]["score"] for point in curve["points"]}) == 1
    assert curve["difference"]["low"] == curve["difference"]["high"] == 0
    assert curve["suggestion"] == "FLAT" and curve["sentence"].startswith("Flat: ")


def test_a_share_that_diverges_is_left_out_and_the_run_goes_on(
    write_csv: Callable[..., Path], encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*_: Any, **__: Any) -> None:
        raise TrainingFailed("the loss is nan")

    monkeypatch.setattr("homeground.experiment.learning_curve.train_one", diverge)
    data = write_csv("pairs.csv", PAIR_HEADER, topic_pairs(500))
    run = homeground.adapt(data, checkpoint=str(encoder), out=str(tmp_path / "run"), **CURVE)
    curve = run.scores["learning_curve"]
    assert [each["reason"] for each in curve["left_out"]] == ["failed: the loss is nan"] * 4
    assert [point["share"] for point in curve["points"]] == [100]
    assert curve["suggestion"] == "INCONCLUSIVE" and curve["difference"] is None


def test_a_curve_of_cross_fitted_data_is_refused_before_the_start(
    write_csv: Callable[..., Path], encoder: Path, tmp_path: Path
) -> None:
    data = write_csv("few.csv", PAIR_HEADER, topic_pairs(90))
    with pytest.raises(UsageError, match=r"--learning-curve measures .* add --cross-fit 0"):
        homeground.adapt(data, checkpoint=str(encoder), out=str(tmp_path / "run"), **CURVE)
    assert not (tmp_path / "run").exists()


def test_a_run_without_a_curve_says_so(finished: Run) -> None:
    assert finished.scores["learning_curve"] is None
    assert "learning-curve" not in finished.report_path.read_text(encoding="utf-8")


def test_where_a_class_is_too_rare_nothing_is_suggested() -> None:
    suggestion = judge_gain(interval(0.01, 0.05), "Macro F1", None, RareClass("sport", units=2, needed=3))
    assert suggestion.word == "INCONCLUSIVE"
    assert 'the class "sport" occurs in 2 independent test units only, of the 3 that Macro F1 needs' in (
        suggestion.sentence
    )
