"""From token vectors to one embedding, by the steps that the checkpoint names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from homeground.engines.keras.encoder_layers import ACTIVATIONS, Pass
from homeground.engines.keras.framework import ops, tf
from homeground.engines.keras.weights import Variables, variable
from homeground.engines.sentence_modules import EmbeddingSteps

Tensor = Any

SMALLEST_NORM = 1e-12
"""What a vector is divided by at least when it is normalized, as in torch."""


def pool(hidden: Tensor, mask: Tensor, mode: str) -> Tensor:
    """Return embeddings ``(texts, size)`` in float32 of token vectors ``(texts, length, size)``, padding left out.

    ``mean`` averages the tokens, ``cls`` takes the first, ``max`` the largest value of each dimension.
    """
    hidden = ops.cast(hidden, "float32")
    if mode == "cls":
        return hidden[:, 0]
    inside = ops.cast(mask, "float32")[:, :, None]
    if mode == "max":
        return tf.reduce_max(tf.where(inside > 0, hidden, tf.float32.min), 1)
    return tf.reduce_sum(hidden * inside, 1) / tf.maximum(tf.reduce_sum(inside, 1), 1e-9)


class KerasPooler:
    """Pooling, dense layers and normalization, in the order of the checkpoint's modules.json."""

    def __init__(self, steps: EmbeddingSteps) -> None:
        self._steps = steps
        self.variables: Variables = {}
        for number, layer in enumerate(steps.dense):
            self.variables[f"dense.{number}.weight"] = variable(f"dense.{number}.weight", layer.weight)
            if layer.bias is not None:
                self.variables[f"dense.{number}.bias"] = variable(f"dense.{number}.bias", layer.bias)

    def __call__(self, hidden: Tensor, mask: Tensor, how: Pass) -> Tensor:
        """Return embeddings ``(texts, size)`` in float32."""
        vectors = pool(hidden, mask, self._steps.mode)
        for number, layer in enumerate(self._steps.dense):
            vectors = ops.cast(how.linear(vectors, self.variables, f"dense.{number}"), "float32")
            if layer.activation != "identity":
                vectors = ACTIVATIONS[layer.activation](vectors)
        return normalize(vectors) if self._steps.normalize else vectors

    @property
    def steps(self) -> EmbeddingSteps:
        """The steps with the weights as they are now, to be written."""
        dense = [
            replace(
                layer,
                weight=self.variables[f"dense.{number}.weight"].numpy(),
                bias=None if layer.bias is None else self.variables[f"dense.{number}.bias"].numpy(),
            )
            for number, layer in enumerate(self._steps.dense)
        ]
        return replace(self._steps, dense=tuple(dense))


def normalize(vectors: Tensor) -> Tensor:
    """Return vectors of length 1 along the last axis."""
    return vectors / tf.maximum(tf.norm(vectors, axis=-1, keepdims=True), SMALLEST_NORM)
