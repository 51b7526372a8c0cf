"""The variance between training runs: the same recipe again, with other seeds, on the same splits and the same test.

    for every further seed: train, merge and calibrate as the recipe says, measure, write seeds/<number>/
    the run itself is training 1, and its model is the one that is kept

Only the training's own choices follow from the further seeds: the order of the batches, the dropout and the masks that
are learned from. Splits, folds, measured masks and resamples stay those of the run's seed, and so does a new head.
A training whose predictions are written is not repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from homeground.errors import TrainingFailed
from homeground.experiment.cross_fitting import PREDICTIONS, cross_fit
from homeground.experiment.plan import PlannedTraining
from homeground.experiment.setup import Setup
from homeground.experiment.training_run import BaselineModel, train_one
from homeground.results.run import Run
from homeground.storage import is_closed, read_array, write_array, write_manifest
from homeground.tasks.task import Measurement
from homeground.training.events import Notice, OnEvent

FOLDER = "seeds"


def train_further_seeds(
    run: Run, setup: Setup, planned: Sequence[PlannedTraining], before: BaselineModel, on_event: OnEvent
) -> list[Measurement]:
    """Return what the trainings after the first score on the test; nothing where none is planned.

    Cross-fitted, a further training is one of every fold.

    Raises:
        TrainingFailed: a loss was not finite. Leaving that training out would flatter the recipe.
    """
    measured: list[Measurement] = []
    for number, group in groupby(planned, key=lambda training: training.number):
        trainings = list(group)
        seed, folder = trainings[0].seed, run.folder / FOLDER / str(number)
        if not is_closed(folder, lambda text: on_event(Notice(text))):
            on_event(Notice(f"training {number} of {setup.recipe.evaluation.seeds}, with seed {seed}"))
            try:
                if setup.corpus.folds is not None:
                    after = cross_fit(run, setup, trainings, before.measurement, on_event).tested.measurement
                else:
                    after = train_one(setup, trainings[0], folder, on_event, before=before).after
            except TrainingFailed as error:
                raise TrainingFailed(f"training {number}, with seed {seed}: {error}") from error
            write_array(folder / PREDICTIONS, after.predictions)
            write_manifest(folder, [PREDICTIONS])
        run.remove_checkpoints(folder)
        measured.append(setup.test.measure_predictions(read_array(folder / PREDICTIONS)))
    if measured:
        on_event(Notice(f"the model that is kept, with seed {setup.recipe.seed}"))
    return measured
