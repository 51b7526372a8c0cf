"""The plan: every training that a recipe asks for, in the order in which they are carried out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from homeground.data.shares import Share
from homeground.experiment.setup import Setup
from homeground.experiment.splits import TrainingSplit
from homeground.randomness import generator
from homeground.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried: the highest learning rate, and the passes over the training data."""

    learning_rate: float
    epochs: float

    def __str__(self) -> str:
        return f"learning rate {self.learning_rate:g}, {self.epochs:g} epoch{'' if self.epochs == 1 else 's'}"


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
        PlannedTraining("share", Path(f"learning-curve/{share.per_cent}"), own, recipe.seed, share=share)
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


def draw_trials(recipe: Recipe) -> list[Trial]:
    """Return the trials of a recipe: its own settings first, then random ones that follow from its seed.

    Learning rates are log-uniform over ``search_rates``, rounded to two digits, each from an equal stretch of its own
    so that a few of them cover the range (McKay et al. 1979); the stretch of the recipe's rate is left to it. The range
    does not follow that rate, which may be the very thing that is wrong. By default it joins what was found good for
    fine-tuning: 1e-5 to 3e-5 (RoBERTa, Liu et al. 2019), 2e-5 to 5e-5 (BERT, Devlin et al. 2019), and up to 3e-4 for
    small models (Turc et al. 2019). Epochs are whole numbers from half the recipe's up to it, so that no trial takes
    longer than the recipe itself.

    >>> from homeground.recipe.recipe import make_recipe
    >>> trials = draw_trials(make_recipe(data="pairs.csv", learning_rate=4e-5, search=3, search_rates=(1e-5, 1e-2)))
    >>> trials[0], sorted(math.floor(math.log10(trial.learning_rate)) for trial in trials[1:])
    (Trial(learning_rate=4e-05, epochs=2.0), [-4, -3])
    """
    epochs = float(recipe.training.epochs)
    lengths = sorted({*map(float, range(math.ceil(epochs / 2), math.floor(epochs) + 1)), epochs})
    drawn = [
        Trial(rate, lengths[generator(recipe.seed, "search epochs", number).integers(len(lengths))])
        for number, rate in enumerate(_draw_rates(recipe), start=2)
    ]
    return [Trial(recipe.training.learning_rate, epochs), *drawn]


def _draw_rates(recipe: Recipe) -> list[float]:
    """Return the learning rates of the trials after the first, in random order."""
    (low, high), own, trials = recipe.search.search_rates, recipe.training.learning_rate, recipe.search.search
    inside = low <= own < high
    stretches = max(trials if inside else trials - 1, 0)
    taken = math.floor(stretches * math.log(own / low, high / low)) if inside else None
    order = generator(recipe.seed, "search order").permutation(stretches)
    places = [
        (int(stretch) + generator(recipe.seed, "search rate", int(stretch)).random()) / stretches
        for stretch in order
        if stretch != taken
    ]
    return [float(f"{low * (high / low) ** place:.1e}") for place in places]
