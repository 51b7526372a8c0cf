"""The plan lists every training that a run carries out, and no other; what is tried follows from the seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from tests.experiment.conftest import KINDS
from tests.runs import read_lines

from homeground.data.shares import SHARES_PER_CENT
from homeground.experiment.plan import PlannedTraining, Trial, draw_trials, plan
from homeground.experiment.setup import Setup
from homeground.recipe.recipe import Recipe, make_recipe
from homeground.results.run import Run

SmallRun = Callable[[str], tuple[Setup, Run]]

FOLDERS: dict[str, list[str]] = {
    "plain": [],
    "cross-fitted": [
        f"{seed}folds/{fold}" for seed in ("", *(f"seeds/{number}/" for number in (2, 3, 4, 5))) for fold in (1, 2)
    ],
    "search": ["search/1", "search/2", "search/3"],
    "learning curve": [f"learning-curve/{share}" for share in SHARES_PER_CENT[1:]],
    "everything": [
        *("search/1", "search/2"),
        *(f"learning-curve/{share}" for share in SHARES_PER_CENT[1:]),
        *(f"seeds/{number}" for number in (2, 3, 4, 5)),
    ],
}
"""The folders of the trainings beside that of the model that is kept, in the order of the plan.

The smallest share of either learning curve is too small to learn from.
"""


def folders(planned: list[PlannedTraining]) -> list[str]:
    return [training.folder.as_posix() for training in planned]


@pytest.mark.parametrize("kind", KINDS)
def test_every_training_of_a_run_is_planned_and_every_planned_one_carried_out(kind: str, small_run: SmallRun) -> None:
    setup, run = small_run(kind)
    planned = folders(plan(setup))
    assert planned == [*FOLDERS[kind], "."]
    left = [path.parent.relative_to(run.folder).as_posix() for path in run.folder.rglob("metrics.jsonl")]
    assert sorted(left) == sorted(planned)


def test_the_trainings_of_a_run_go_by_the_settings_that_are_planned(small_run: SmallRun) -> None:
    setup, run = small_run("search")
    trials = [training for training in plan(setup) if training.kind == "trial"]
    assert len({training.settings for training in trials}) == 3
    for training in trials:
        lines = read_lines(run.folder / training.folder / "metrics.jsonl")
        rates = [line["train/learning_rate"] for line in lines if "train/learning_rate" in line]
        # The warm-up of a few steps ends at the highest rate.
        assert max(rates) == pytest.approx(training.settings.learning_rate, rel=0.05)
        assert lines[-1]["epoch"] == training.settings.epochs


def test_what_follows_a_training_is_what_its_result_is_for(small_run: SmallRun) -> None:
    def follow(training: PlannedTraining) -> tuple[bool, bool, bool]:
        return training.tested, training.merged, training.calibrated

    crossed = plan(small_run("cross-fitted")[0])
    assert {follow(training) for training in crossed[:-1]} == {(True, True, True)}
    # Cross-fitted, the model that is kept learned from every test example.
    assert follow(crossed[-1]) == (False, True, True)
    by_kind = {training.kind: follow(training) for training in plan(small_run("everything")[0])}
    assert by_kind == {
        "trial": (False, False, False),
        "share": (True, True, True),
        "seed": (True, True, True),
        "kept": (True, True, True),
    }


def test_only_further_seeds_have_another_seed_and_folds_share_it(small_run: SmallRun) -> None:
    crossed = plan(small_run("cross-fitted")[0])
    assert [(training.seed, training.number, training.fold) for training in crossed[:-1]] == [
        (number - 1, number, fold) for number in (1, 2, 3, 4, 5) for fold in (0, 1)
    ]
    planned = plan(small_run("everything")[0])
    assert [training.seed for training in planned] == [0, 0, 0, 0, 0, 1, 2, 3, 4, 0]
    assert [training.kind for training in planned].count("kept") == 1 and planned[-1].kind == "kept"


def test_a_training_learns_from_its_own_part_of_the_examples(small_run: SmallRun) -> None:
    setup, _ = small_run("cross-fitted")
    for training in plan(setup):
        expected = setup.splits.kept if training.fold is None else setup.splits.fold(training.fold)
        assert training.split(setup) is expected
    setup, _ = small_run("learning curve")
    small, *shares = setup.splits.shares
    assert small.left_out is not None
    counts = [len(training.split(setup).train.examples) for training in plan(setup)]
    assert counts == [*(len(share.part) for share in shares), len(setup.corpus.train)]


def recipe(**settings: Any) -> Recipe:
    return make_recipe({"data": "pairs.csv"}, **settings)


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
