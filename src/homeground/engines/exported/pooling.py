"""From token vectors to one embedding with NumPy: pooling, then dense layers and normalization, in float32."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit

from homeground.engines.sentence_modules import EmbeddingSteps

Floats = NDArray[np.float32]

FEWEST_TOKENS = 1e-9
SHORTEST_LENGTH = 1e-12
"""The least that a number of tokens, or a length, is divided by, as in torch."""

ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "identity": lambda values: values,
    "tanh": np.tanh,
    "relu": lambda values: np.maximum(values, 0),
    "gelu": lambda values: values * 0.5 * (1 + erf(values / np.sqrt(np.float32(2)))),
    "sigmoid": expit,
}


def pool(hidden: Floats, attention_mask: NDArray[np.int64], mode: str) -> Floats:
    """Return embeddings ``(texts, dimensions)`` of token vectors ``(texts, length, dimensions)``, padding left out.

    >>> pool(np.array([[[1, 2], [3, 4]]], np.float32), np.array([[1, 0]]), "mean").tolist()
    [[1.0, 2.0]]
    """
    if mode == "cls":
        return hidden[:, 0]
    mask = attention_mask[..., None].astype(np.float32)
    if mode == "max":
        return np.where(mask > 0, hidden, -np.inf).max(axis=1).astype(np.float32)
    return (hidden * mask).sum(axis=1) / np.maximum(mask.sum(axis=1), FEWEST_TOKENS)


def embed(hidden: Floats, attention_mask: NDArray[np.int64], steps: EmbeddingSteps) -> Floats:
    """Return the embeddings ``(texts, dimensions)`` that the steps of a sentence encoder make of token vectors."""
    embeddings = pool(hidden, attention_mask, steps.mode)
    for layer in steps.dense:
        values = embeddings @ layer.weight.T
        embeddings = ACTIVATIONS[layer.activation](values if layer.bias is None else values + layer.bias)
    if steps.normalize:
        embeddings = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), SHORTEST_LENGTH)
    return embeddings.astype(np.float32)
