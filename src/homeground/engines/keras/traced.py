"""Functions of a batch that TensorFlow traces once, whatever the shapes of the batches that follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from homeground.engines.keras.framework import tf
from homeground.engines.model import Batch, Outputs


class Traced:
    """A function of the arrays of a batch and some scalars; only other names or types of arrays are traced anew."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._traced: dict[tuple[object, ...], Any] = {}

    def __call__(self, batch: Batch, *scalars: float, state: object = None) -> Any:
        """Return what the function returns; ``state`` is whatever else it depends on, such as a dropout rate."""
        arrays = {name: np.asarray(values) for name, values in batch.items()}
        kinds = tuple((name, values.dtype.str, values.ndim) for name, values in sorted(arrays.items()))
        if (kinds, state) not in self._traced:
            shapes = {name: tf.TensorSpec([None] * values.ndim, values.dtype) for name, values in arrays.items()}
            signature = [shapes, *(tf.TensorSpec([], tf.float32) for _ in scalars)]
            self._traced[kinds, state] = tf.function(self._function, input_signature=signature, autograph=False)
        tensors = {name: tf.constant(values) for name, values in arrays.items()}
        return self._traced[kinds, state](tensors, *(tf.constant(each, tf.float32) for each in scalars))


def to_arrays(tensors: Mapping[str, Any]) -> Outputs:
    """Return tensors as NumPy arrays."""
    return {name: values.numpy() for name, values in tensors.items()}
