"""A search draws its trials by the seed, chooses on validation, and goes on where it was."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from homeground.errors import TrainingFailed, UsageError
from homeground.experiment.search import Search, Trial, draw_trials, search
from homeground.recipe.recipe import Recipe, make_recipe
from homeground.results.run import Run

TRIALS = [Trial(1e-5, 2.0), Trial(3e-5, 1.0), Trial(1e-4, 2.0), Trial(3e-4, 1.0)]


def recipe(**settings: Any) -> Recipe:
    return make_recipe({"data": "pairs.csv"}, **settings)


class Trainings:
    """Stands for the training: leaves checkpoints and metrics, takes ten seconds a trial, and has its scores given."""

    def __init__(self, scores: Sequence[float | BaseException]) -> None:
        self.scores = dict(zip(TRIALS, scores, strict=False))
        self.made: list[Trial] = []
        self.now = 0.0

    def __call__(self, trial: Trial, home: Path) -> float:
        self.made.append(trial)
        self.now += 10
        (home / "checkpoints").mkdir(parents=True)
        (home / "checkpoints" / "weights").write_text(str(trial))
        (home / "metrics.jsonl").write_text(str(trial))
        score = self.scores[trial]
        if isinstance(score, BaseException):
            raise score
        return score

    def search(self, folder: Path, *, greater_is_better: bool = True, minutes: float | None = None) -> Search:
        return search(
            TRIALS[: len(self.scores)],
            Run(folder),
            self,
            metric="validation/pearson",
            greater_is_better=greater_is_better,
            minutes=minutes,
            clock=lambda: self.now,
        )


def test_the_draws_follow_from_the_seed_and_the_first_is_the_recipes_own() -> None:
    wanted = recipe(search=6, learning_rate=4e-5, epochs=4)
    trials = draw_trials(wanted)
    assert trials[0] == Trial(4e-5, 4.0)
    assert trials == draw_trials(wanted)
    assert len({trial.learning_rate for trial in trials}) == 6
    others = draw_trials(recipe(search=6, learning_rate=4e-5, epochs=4, seed=1))
    assert {trial.learning_rate for trial in trials[1:]} != {trial.learning_rate for trial in others[1:]}
    assert [trial.epochs for trial in trials[1:]] != [trial.epochs for trial in others[1:]]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("own", [4e-5, 1e-9, 1e-2])
def test_a_few_draws_cover_the_range_and_take_no_longer_than_the_recipe(seed: int, own: float) -> None:
    trials = draw_trials(recipe(search=4, learning_rate=own, epochs=5, seed=seed, search_rates=(1e-5, 1e-3)))[1:]
    parts = 4 if 1e-5 <= own < 1e-3 else 3
    stretches = {math.floor(parts * math.log(trial.learning_rate / 1e-5, 100)) for trial in trials}
    taken = {math.floor(parts * math.log(own / 1e-5, 100))} if parts == 4 else set[int]()
    assert stretches == set(range(parts)) - taken
    assert {trial.epochs for trial in trials} <= {3.0, 4.0, 5.0}


def test_a_fraction_of_an_epoch_stays_what_it_is() -> None:
    assert {trial.epochs for trial in draw_trials(recipe(search=5, epochs=0.4))} == {0.4}


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
    found = Trainings(scores).search(tmp_path, greater_is_better=greater_is_better)
    assert found.chosen == chosen
    assert found.best == TRIALS[chosen - 1]
    assert (tmp_path / "checkpoints" / "weights").read_text() == str(found.best)
    assert (tmp_path / "metrics.jsonl").read_text() == str(found.best)
    assert not list(tmp_path.glob("search/*/checkpoints"))
    assert json.loads(json.dumps(found.record(), allow_nan=False))["trials"][1]["epochs"] == 1.0


def test_failures_are_told_and_where_all_fail_the_search_fails(tmp_path: Path) -> None:
    failures = [TrainingFailed("step 3: the loss is nan"), math.nan]
    with pytest.raises(TrainingFailed, match="none of the 2 trials of the search can be used; trial 1: step 3: the"):
        Trainings(failures).search(tmp_path / "run")
    failed = [json.loads((tmp_path / f"run/search/{number}/trial.json").read_text())["failed"] for number in (1, 2)]
    assert failed == ["step 3: the loss is nan", "validation/pearson is not defined"]
    assert not list(tmp_path.rglob("checkpoints"))


@pytest.mark.parametrize(("minutes", "made"), [(0.1, 1), (10 / 60, 1), (0.2, 2), (0.5, 3), (5, 4)])
def test_no_trial_begins_once_the_minutes_are_over(tmp_path: Path, minutes: float, made: int) -> None:
    trainings = Trainings([0.5, 0.6, 0.7, 0.8])
    found = trainings.search(tmp_path, minutes=minutes)
    assert len(trainings.made) == len(found.trials) == made
    assert found.chosen == made
    assert found.stopped_because == ("all trials are done" if made == 4 else f"{minutes:g} minutes were over")
    # What it found is what it finds again, without another training.
    assert trainings.search(tmp_path, minutes=minutes) == found
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


def remove_what_a_kill_leaves(home: Path) -> None:
    """The stand-in cannot go on from its checkpoint as a training does."""
    (home / "checkpoints" / "weights").unlink()
    (home / "checkpoints").rmdir()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"search": 1}, "2 trials or more"),
        ({"search_minutes": 5}, "add --search N"),
        ({"search": 3, "search_rates": "0,1e-3"}, "above 0"),
        ({"search": 3, "search_rates": "1e-3,1e-5"}, "LOW below HIGH"),
        ({"search": -1}, "--search"),
    ],
)
def test_settings_that_search_nothing_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        recipe(**settings)
