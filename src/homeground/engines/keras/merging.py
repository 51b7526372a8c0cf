"""Models between two others, by linear interpolation of their weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.engines.keras.model import KerasModel
from homeground.engines.model import Model
from homeground.errors import CheckpointError

Floats = NDArray[np.floating[Any]]
HALF_WAY = 0.5


def merge(base: Model, tuned: Model, weight: float) -> KerasModel:
    """Return a model between ``base`` (weight 0) and ``tuned`` (weight 1), to be measured and saved.

    Every weight is interpolated, norms and heads included (Wortsman et al. 2022, Robust fine-tuning of zero-shot
    models, CVPR).

    Raises:
        CheckpointError: the two do not have the same weights.
    """
    assert isinstance(base, KerasModel)
    assert isinstance(tuned, KerasModel)
    first, second = ({name: each.numpy() for name, each in model.network.variables.items()} for model in (base, tuned))
    if {name: value.shape for name, value in first.items()} != {name: value.shape for name, value in second.items()}:
        raise CheckpointError("the two models have different weights; only models of one architecture can be merged")
    values = {name: _between(first[name], second[name], np.float32(weight)) for name in first}
    return KerasModel(tuned.network.with_values(values))


def _between(first: Floats, second: Floats, weight: np.float32) -> Floats:
    """Return ``(1 - weight) * first + weight * second``, exact at both ends, as torch's lerp."""
    distance = second - first
    if weight < HALF_WAY:
        return first + weight * distance
    return second - np.float32(1 - weight) * distance
