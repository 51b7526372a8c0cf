"""The search: a few learning rates and lengths are tried, and validation chooses; the test set is not asked.

    trial 1 is the recipe itself, the others are drawn from its seed
    for every trial, while there is time: train, write search/<number>/trial.json, keep the best checkpoints
    the best trial's training becomes the run's own

A trial that is written down is not repeated, so a search that was stopped goes on where it was.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from homeground.errors import TrainingFailed
from homeground.randomness import generator
from homeground.recipe.recipe import Recipe
from homeground.results.run import Run
from homeground.storage import read_json, write_bytes, write_json, written_to


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried: the highest learning rate, and the passes over the training data."""

    learning_rate: float
    epochs: float

    def __str__(self) -> str:
        return f"learning rate {self.learning_rate:g}, {self.epochs:g} epoch{'' if self.epochs == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a trial: what the weights it keeps score on validation, or why there is no score."""

    learning_rate: float
    epochs: float
    score: float | None
    failed: str | None
    seconds: float

    @property
    def trial(self) -> Trial:
        """The settings alone."""
        return Trial(self.learning_rate, self.epochs)


@dataclass(frozen=True, slots=True)
class Search:
    """All trials in their order, the number of the best of them, counted from 1, and why there were no more."""

    trials: tuple[Tried, ...]
    chosen: int
    metric: str
    stopped_because: str

    @property
    def best(self) -> Trial:
        """The settings that validation chose."""
        return self.trials[self.chosen - 1].trial

    def record(self) -> dict[str, Any]:
        """Return what scores.json says of the search."""
        return asdict(self) | {"trials": [asdict(tried) for tried in self.trials]}


Attempt = Callable[[Trial, Path], float]
"""Trains with the settings of a trial in a folder, and returns what the weights kept score on validation."""


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


def search(
    trials: Sequence[Trial],
    run: Run,
    attempt: Attempt,
    *,
    metric: str,
    greater_is_better: bool,
    minutes: float | None = None,
    say: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> Search:
    """Make the trials that are not written down yet, and bring the best one's training into the run.

    Of equal trials the first is chosen, so the recipe's own settings give way only to better ones. No trial begins once
    ``minutes`` were spent on earlier ones; of a trial that was interrupted only the last part counts as spent.

    Raises:
        TrainingFailed: every trial failed; the message is that of the first.
    """
    tried: list[Tried] = []
    stopped_because = "all trials are done"
    for number, trial in enumerate(trials, start=1):
        # Only what is written down is counted, so that a search that goes on ends where the unbroken one would have.
        if tried and minutes is not None and sum(each.seconds for each in tried) >= 60 * minutes:
            stopped_because = f"{minutes:g} minutes were over"
            break
        home = _home(run, number)
        known = home / "trial.json"
        if not known.is_file():
            say(f"trial {number} of {len(trials)}: {trial}")
            write_json(known, asdict(_try(trial, home, attempt, metric, clock)))
        tried.append(Tried(**read_json(known)))
        best = _best(tried, greater_is_better=greater_is_better)
        say(f"trial {number} of {len(trials)}: {_outcome(tried[-1], metric, best=best == number)}")
        for loser in {*range(1, number + 1)} - {best}:
            run.remove_checkpoints(_home(run, loser))
    chosen = _best(tried, greater_is_better=greater_is_better)
    if chosen is None:
        raise TrainingFailed(f"none of the {len(tried)} trials of the search can be used; trial 1: {tried[0].failed}")
    say(f"trial {chosen} is chosen: {tried[chosen - 1].trial}")
    _adopt(run, _home(run, chosen))
    return Search(tuple(tried), chosen, metric, stopped_because)


def _home(run: Run, number: int) -> Path:
    return run.folder / "search" / str(number)


def _try(trial: Trial, home: Path, attempt: Attempt, metric: str, clock: Callable[[], float]) -> Tried:
    """Make one trial; a loss that is not finite is an outcome like any other."""
    began = clock()
    score, failed = math.nan, None
    try:
        score = attempt(trial, home)
    except TrainingFailed as error:
        failed = str(error)
    if failed is None and not math.isfinite(score):
        failed = f"{metric} is not defined"
    home.mkdir(parents=True, exist_ok=True)
    seconds = round(clock() - began, 1)
    return Tried(trial.learning_rate, trial.epochs, None if failed else score, failed, seconds)


def _best(tried: Sequence[Tried], *, greater_is_better: bool) -> int | None:
    """Return the number of the best trial, from 1 and the first among equals, or None where all failed."""
    sign = 1 if greater_is_better else -1
    scores = {number: sign * each.score for number, each in enumerate(tried, start=1) if each.score is not None}
    return max(scores, key=scores.__getitem__) if scores else None


def _outcome(tried: Tried, metric: str, *, best: bool) -> str:
    if tried.score is None:
        return f"failed, {tried.failed}"
    return f"{metric} {tried.score:.4f}{' (best so far)' if best else ''}"


def _adopt(run: Run, home: Path) -> None:
    """Let the run's own training lie where it would have been made; one that was moved before is there already.

    The training then finds itself finished. Were the checkpoints lost it would be made again, with the same weights.
    """
    if (home / "checkpoints").is_dir():
        write_bytes(run.folder / "metrics.jsonl", (home / "metrics.jsonl").read_bytes())
        with written_to(run.folder):
            (home / "checkpoints").rename(run.folder / "checkpoints")
