"""The luck of training: the same recipe again, with other seeds, on the same splits and the same test.

    for every further seed: train, merge and calibrate as the recipe says, measure, write seeds/<number>/
    the run itself is training 1, and its model is the one that is kept

Only the training's own choices follow from the further seeds: the order of the batches, the dropout and the masks that
are learned from. Splits, folds, measured masks and resamples stay those of the run's seed, and so does a new head.
A training whose predictions are written is not repeated.
"""

from __future__ import annotations

from pathlib import Path

from homeground.engines.model import Model
from homeground.errors import TrainingFailed
from homeground.experiment.head import NewHead
from homeground.experiment.preparation import Prepared
from homeground.experiment.training_run import (
    PREDICTIONS,
    Listener,
    Note,
    calibrate,
    cross_fit,
    fit,
    keep_general,
    measure_calibrated,
)
from homeground.results.run import Run
from homeground.storage import read_array, write_array
from homeground.tasks.task import Measured

FOLDER = "seeds"


def learn_seeds(
    run: Run, ready: Prepared, base: Model, before: Measured, tell: Listener, head: NewHead | None
) -> list[Measured]:
    """Return what the trainings after the first score on the test; nothing where no ``--seeds`` was asked for.

    Cross-fitted, a further training is one of every fold.

    Raises:
        TrainingFailed: a loss was not finite. Leaving that training out would flatter the recipe.
    """
    measured: list[Measured] = []
    for number in range(2, ready.recipe.evaluation.seeds + 1):
        home = run.folder / FOLDER / str(number)
        if not (home / PREDICTIONS).is_file():
            seed = ready.recipe.seed + number - 1
            tell(Note(f"training {number} of {ready.recipe.evaluation.seeds}, with seed {seed}"))
            try:
                after = _train(seed, home, ready, base, before, tell, head)
            except TrainingFailed as error:
                raise TrainingFailed(f"training {number}, with seed {seed}: {error}") from error
            write_array(home / PREDICTIONS, after.predictions)
        run.remove_checkpoints(home)
        measured.append(ready.task.measure(ready.test_rows, read_array(home / PREDICTIONS)))
    if measured:
        tell(Note(f"the model that is kept, with seed {ready.recipe.seed}"))
    return measured


def _train(
    seed: int, home: Path, ready: Prepared, base: Model, before: Measured, tell: Listener, head: NewHead | None
) -> Measured:
    if ready.corpus.folds is not None:
        # Laid out like a run of its own: folds/1/ and so on.
        return cross_fit(Run(home), ready, before, tell, seed=seed)[1].after
    tuned, _ = fit(ready, home, before, tell, ready.lesson, head, seed=seed)
    merged = keep_general(ready, base, tuned, tell, ready.lesson)
    model = merged.model if merged else tuned
    return measure_calibrated(model, ready, calibrate(ready, model, tell, ready.lesson)).after
