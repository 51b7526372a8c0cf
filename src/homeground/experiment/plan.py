"""The plan: every training that a recipe asks for, in the order in which they are carried out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from homeground.data.shares import Share
from homeground.experiment.search import Trial, draw_trials
from homeground.experiment.setup import Setup
from homeground.experiment.splits import TrainingSplit

Kind = Literal["fold", "trial", "share", "seed", "kept"]


@dataclass(frozen=True)
class PlannedTraining:
    """One training.

    ``folder`` is relative to the run's. ``seed`` is that of the training alone. A training that is not ``tested`` is
    judged on validation only; ``merged`` and ``calibrated`` say what follows it where the recipe asks for that.
    """

    kind: Kind
    folder: Path
    settings: Trial
    seed: int
    number: int = 0
    fold: int | None = None
    share: Share | None = None
    tested: bool = True
    merged: bool = True
    calibrated: bool = True

    def split(self, setup: Setup) -> TrainingSplit:
        """Return what it learns from."""
        if self.fold is not None:
            return setup.splits.fold(self.fold)
        return setup.splits.kept if self.share is None else setup.splits.share(self.share)


def plan(setup: Setup) -> list[PlannedTraining]:
    """Return the trainings of a recipe: folds, trials, shares, further seeds, and last the model that is kept.

    With a search the best trial's training becomes that of the model that is kept, so that it is not made again.
    """
    recipe, folds = setup.recipe, range(setup.corpus.number_of_folds)
    own, *_ = trials = draw_trials(recipe)
    planned = _folds(Path(), folds, own, recipe.seed)
    if recipe.search.search:
        planned += [
            PlannedTraining(
                "trial",
                Path(f"search/{number}"),
                trial,
                recipe.seed,
                number,
                tested=False,
                merged=False,
                calibrated=False,
            )
            for number, trial in enumerate(trials, start=1)
        ]
    planned += [
        PlannedTraining(
            "share", Path(f"learning-curve/{share.per_cent}"), own, recipe.seed, share=share, calibrated=False
        )
        for share in setup.splits.shares
        if share.left_out is None
    ]
    for number in range(2, recipe.evaluation.seeds + 1):
        folder, seed = Path(f"seeds/{number}"), recipe.seed + number - 1
        if folds:
            planned += _folds(folder, folds, own, seed, number)
        else:
            planned.append(PlannedTraining("seed", folder, own, seed, number))
    # Cross-fitted, the model that is kept learned from all examples, so nothing is left to test it on.
    return [*planned, PlannedTraining("kept", Path(), own, recipe.seed, tested=not folds)]


def _folds(folder: Path, folds: Sequence[int], settings: Trial, seed: int, number: int = 1) -> list[PlannedTraining]:
    """Return the trainings of a cross-fitting; their folders count from 1."""
    return [PlannedTraining("fold", folder / f"folds/{fold + 1}", settings, seed, number, fold=fold) for fold in folds]
