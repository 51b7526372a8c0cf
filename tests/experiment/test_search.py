"""A search chooses on validation, repeats no finished trial, and asks the test set once."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import FAST, PAIR_HEADER, topic_pairs
from tests.runs import Broken, broken_at, read_lines, recorder

import homeground
from homeground.errors import TrainingFailed, UsageError
from homeground.experiment.plan import PlannedTraining, Trial
from homeground.experiment.search import best_settings, search
from homeground.recipe.recipe import make_recipe
from homeground.results.run import Run
from homeground.results.scores import SearchRecord

TRIALS = [Trial(1e-5, 2.0), Trial(3e-5, 1.0), Trial(1e-4, 2.0), Trial(3e-4, 1.0)]
PLANNED = [
    PlannedTraining("trial", Path(f"search/{number}"), trial, seed=0, number=number)
    for number, trial in enumerate(TRIALS, start=1)
]


class Trainings:
    """Stands for the training: leaves checkpoints and metrics, takes ten seconds a trial, and has its scores given."""

    def __init__(self, scores: Sequence[float | BaseException]) -> None:
        self.scores = dict(zip(TRIALS, scores, strict=False))
        self.made: list[Trial] = []
        self.now = 0.0

    def __call__(self, planned: PlannedTraining, folder: Path) -> float:
        trial = planned.settings
        self.made.append(trial)
        self.now += 10
        (folder / "checkpoints").mkdir(parents=True)
        (folder / "checkpoints" / "weights").write_text(str(trial))
        (folder / "metrics.jsonl").write_text(str(trial))
        score = self.scores[trial]
        if isinstance(score, BaseException):
            raise score
        return score

    def search(self, folder: Path, *, greater_is_better: bool = True, minutes: float | None = None) -> SearchRecord:
        return search(
            PLANNED[: len(self.scores)],
            Run(folder),
            self,
            metric="validation/pearson",
            greater_is_better=greater_is_better,
            minutes=minutes,
            clock=lambda: self.now,
        )


@pytest.mark.parametrize(
    ("scores", "greater_is_better", "chosen"),
    [
        ([0.5, 0.7, 0.6], True, 2),
        ([0.5, 0.7, 0.6], False, 1),
        ([0.5, 0.5, 0.5], True, 1),
        ([TrainingFailed("step 3: the loss is nan; …"), 0.1, 0.2], True, 3),
        ([math.nan, 0.2, 0.1], True, 2),
    ],
)
def test_the_best_on_validation_is_chosen_and_its_training_kept(
    tmp_path: Path, scores: list[float | Exception], greater_is_better: bool, chosen: int
) -> None:
    record = Trainings(scores).search(tmp_path, greater_is_better=greater_is_better)
    best = best_settings(record)
    assert record.chosen == chosen
    assert best == TRIALS[chosen - 1]
    assert (tmp_path / "checkpoints" / "weights").read_text() == str(best)
    assert (tmp_path / "metrics.jsonl").read_text() == str(best)
    assert not list(tmp_path.glob("search/*/checkpoints"))
    assert json.loads(json.dumps(record.to_json(), allow_nan=False))["trials"][1]["epochs"] == 1.0


def test_failures_are_recorded_and_where_all_fail_the_search_fails(tmp_path: Path) -> None:
    failures = [TrainingFailed("step 3: the loss is nan"), math.nan]
    with pytest.raises(TrainingFailed, match="none of the 2 trials of the search can be used; trial 1: step 3: the"):
        Trainings(failures).search(tmp_path / "run")
    failed = [json.loads((tmp_path / f"run/search/{number}/trial.json").read_text())["failed"] for number in (1, 2)]
    assert failed == ["step 3: the loss is nan", "validation/pearson is not defined"]
    assert not list(tmp_path.rglob("checkpoints"))


@pytest.mark.parametrize(("minutes", "made"), [(0.1, 1), (10 / 60, 1), (0.2, 2), (0.5, 3), (5, 4)])
def test_no_trial_begins_once_the_minutes_are_over(tmp_path: Path, minutes: float, made: int) -> None:
    trainings = Trainings([0.5, 0.6, 0.7, 0.8])
    record = trainings.search(tmp_path, minutes=minutes)
    assert len(trainings.made) == len(record.trials) == made
    assert record.chosen == made
    assert record.stopped_because == ("all trials are done" if made == 4 else f"{minutes:g} minutes were over")
    # What it found is what it finds again, without another training.
    assert trainings.search(tmp_path, minutes=minutes) == record
    assert len(trainings.made) == made


@pytest.mark.parametrize("broken", [1, 2, 3, 4])
def test_a_broken_search_repeats_no_finished_trial_and_ends_as_the_unbroken(tmp_path: Path, broken: int) -> None:
    scores = [0.5, 0.8, 0.6, 0.7]
    unbroken = Trainings(scores).search(tmp_path / "unbroken")
    stopped = [KeyboardInterrupt() if number == broken else score for number, score in enumerate(scores, start=1)]
    first, second = Trainings(stopped), Trainings(scores)
    with pytest.raises(KeyboardInterrupt):
        first.search(tmp_path / "broken")
    remove_what_a_kill_leaves(tmp_path / "broken" / "search" / str(broken))
    assert second.search(tmp_path / "broken") == unbroken
    assert second.made == TRIALS[broken - 1 :]
    assert (tmp_path / "broken/checkpoints/weights").read_text() == str(TRIALS[1])


def remove_what_a_kill_leaves(folder: Path) -> None:
    """Remove the checkpoints of a trial: the stand-in cannot go on from them as a training does."""
    (folder / "checkpoints" / "weights").unlink()
    (folder / "checkpoints").rmdir()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"search": 1}, "2 or more trials"),
        ({"search_minutes": 5}, "add --search N"),
        ({"search": 3, "search_rates": "0,1e-3"}, "above 0"),
        ({"search": 3, "search_rates": "1e-3,1e-5"}, "LOW below HIGH"),
        ({"search": -1}, "--search"),
    ],
)
def test_settings_that_search_nothing_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_recipe({"data": "pairs.csv"}, **settings)


SEARCH = {**FAST, "learning_rate": 1e-9, "search": 3, "search_rates": "1e-3,5e-3"}
"""Settings whose own learning rate teaches nothing, and a search over some that do."""


def test_a_search_finds_the_rate_that_the_recipe_lacks_and_asks_the_test_once(
    pairs_csv: Path, encoder: Path, tmp_path: Path
) -> None:
    run = homeground.adapt(pairs_csv, checkpoint=str(encoder), out=str(tmp_path / "run"), **SEARCH)
    search_record, scores = run.scores["search"], run.scores
    chosen = search_record["trials"][search_record["chosen"] - 1]
    assert search_record["chosen"] > 1 and search_record["metric"] == "validation/pearson"
    assert search_record["trials"][0]["learning_rate"] == 1e-9
    assert chosen["score"] == max(trial["score"] for trial in search_record["trials"])
    assert scores["verdict"] == "HELPED"
    assert scores["test_set"]["verdict_number"] == 1 and len(read_lines(tmp_path / "ledger.jsonl")) == 1
    assert scores["training"]["learning_rate"] == chosen["learning_rate"]
    assert scores["training"]["epochs"] == chosen["epochs"]
    # What was kept is the training of the chosen trial; the recipe stays as it was.
    rows = read_lines(run.folder / "metrics.jsonl")
    measured = [row["validation/pearson"] for row in rows if "train/loss" not in row]
    assert max(measured) == chosen["score"]
    assert tomllib.loads((run.folder / "recipe.toml").read_text())["training"]["learning_rate"] == 1e-9
    assert f"at most {chosen['learning_rate']:g}, selected on validation from 3 trials" in (
        run.model_folder / "README.md"
    ).read_text(encoding="utf-8")
    assert not list(run.folder.rglob("checkpoints"))
    homeground.load(run)

    # Broken in a trial, then in the last lines of the story: nothing that is finished is trained again.
    out, events = str(tmp_path / "elsewhere" / "run"), list[str]()
    for place in ("trial 2 of 3: learning", "measuring after"):
        with pytest.raises(Broken):
            homeground.adapt(pairs_csv, checkpoint=str(encoder), out=out, on_event=broken_at(place, events), **SEARCH)
        events.append("again")
    place = len(events)
    again = homeground.adapt(pairs_csv, checkpoint=str(encoder), out=out, on_event=recorder(events), **SEARCH)
    assert sum(text.startswith("trial 1 of 3: learning") for text in events) == 1
    assert "Step" not in events[place:]
    assert again.scores["after"] == scores["after"]
    untimed = [{**trial, "seconds": None} for trial in again.scores["search"]["trials"]]
    assert untimed == [{**trial, "seconds": None} for trial in search_record["trials"]]


def test_a_trial_that_diverges_gives_way_to_one_that_does_not(pairs_csv: Path, encoder: Path, tmp_path: Path) -> None:
    settings = {**SEARCH, "learning_rate": 1e38, "epochs": 1, "search": 2}
    run = homeground.adapt(pairs_csv, checkpoint=str(encoder), out=str(tmp_path / "run"), **settings)
    first, second = run.scores["search"]["trials"]
    assert first["score"] is None and "the loss is nan" in first["failed"]
    assert second["failed"] is None and run.scores["search"]["chosen"] == 2
    assert "failed (step 2)" in run.report_path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("pairs", "settings", "message"),
    [
        (90, {}, "--search 3 chooses on a validation split, and these 90 examples are cross-fitted"),
        (500, {"validation": 0}, "there is none; give --validation"),
        (500, {"validation": 0, "keep": "last"}, "there is none; give --validation"),
        (500, {"monitor": "train/epoch_loss"}, "--monitor train/epoch_loss is not"),
    ],
)
def test_a_search_without_validation_is_refused_before_the_start(
    pairs: int, settings: dict[str, Any], message: str, write_csv: Callable[..., Path], encoder: Path, tmp_path: Path
) -> None:
    data = write_csv("some.csv", PAIR_HEADER, topic_pairs(pairs))
    with pytest.raises(UsageError, match=message):
        homeground.adapt(data, checkpoint=str(encoder), out=str(tmp_path / "run"), **{**SEARCH, **settings})
    assert not (tmp_path / "run").exists()
