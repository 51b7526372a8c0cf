"""Cheap baselines: what simple methods predict for the test examples from the same training examples."""

from __future__ import annotations

import numpy as np

from homeground.experiment.cross_fitting import FROZEN, fold_folder
from homeground.experiment.head import frozen_predictions
from homeground.experiment.setup import Setup
from homeground.experiment.training_run import BaselineModel
from homeground.results.run import Run
from homeground.storage import read_array
from homeground.tasks.task import Floats


def baseline_predictions(run: Run, setup: Setup, before: BaselineModel) -> dict[str, Floats]:
    """Return what cheap methods predict for the test examples, fold by fold where these are cross-fitted."""
    corpus, task, test = setup.corpus, setup.task, setup.test_examples
    if corpus.folds is None:
        return task.baselines(setup.splits.kept.train, test) | frozen_predictions(setup.test, before.model, before.head)
    assembled: dict[str, Floats] = {}
    for fold in range(corpus.number_of_folds):
        predictions = task.baselines(setup.splits.fold(fold).train, test)
        frozen = fold_folder(run.folder, fold) / FROZEN
        if frozen.is_file():
            predictions["frozen embeddings"] = read_array(frozen)
        held_out = corpus.folds == fold
        for name, values in predictions.items():
            assembled.setdefault(name, np.full_like(values, np.nan))[held_out] = values[held_out]
    return assembled
