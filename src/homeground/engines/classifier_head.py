"""The head of a classifier as two linear maps with an activation between them, the same for every engine.

The head must be fitted before a model is compared, and be saved in the layout of transformers. ``inner`` takes the
vector of the first token, ``outer`` gives the logits. With suitable weights ``inner`` passes its vector through
(nearly) unchanged, and ``outer`` is then a logistic regression on the vectors of the checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from homeground.checkpoint import Checkpoint, classes_of, tags_of
from homeground.engines.model import HeadVariant

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Family:
    """The structure of an architecture's head: the names of its two linear maps and the activation between them.

    ``inner`` is empty where only the outer map is fitted.
    """

    inner: str
    activation: Literal["tanh", "relu", "gelu"]
    outer: str


FAMILIES = {
    "bert": Family("bert.pooler.dense", "tanh", "classifier"),
    "camembert": Family("classifier.dense", "tanh", "classifier.out_proj"),
    "deberta": Family("pooler.dense", "gelu", "classifier"),
    "deberta-v2": Family("pooler.dense", "gelu", "classifier"),
    "distilbert": Family("pre_classifier", "relu", "classifier"),
    "electra": Family("classifier.dense", "gelu", "classifier.out_proj"),
    "mpnet": Family("classifier.dense", "tanh", "classifier.out_proj"),
    "roberta": Family("classifier.dense", "tanh", "classifier.out_proj"),
    "xlm-roberta": Family("classifier.dense", "tanh", "classifier.out_proj"),
}
"""By model type. Of other architectures only the last linear map is fitted, on the output of the rest of the head."""

HEAD_DROPOUT_SETTINGS = ("seq_classif_dropout", "classifier_dropout", "cls_dropout")
"""The names of a classifier's own dropout in the configurations of different architectures."""

TANH_INPUT_RMS = (0.25, 1.0)
"""Root mean square deviations from the mean that vectors are scaled to before tanh: nearly linear, and saturating."""

SHIFT_MARGIN_RMS = 1.0
"""How far above 0 the smallest training value is shifted, so that relu and gelu pass every value unchanged, in root
mean square deviations of the vectors from their mean."""


def label_settings(checkpoint: Checkpoint, labels: Sequence[str], loss: str | None) -> tuple[dict[str, object], bool]:
    """Return what a classifier of texts sets in config.json, and whether that differs from what the checkpoint has."""
    before = classes_of(checkpoint)
    settings = _names_of(list(labels) or before)
    if loss:
        multi_label = loss == "binary_cross_entropy"
        settings["problem_type"] = "multi_label_classification" if multi_label else "single_label_classification"
    problem = checkpoint.config.get("problem_type") or "single_label_classification"
    return settings, (list(labels) or before) != before or problem != settings.get("problem_type", problem)


def tag_settings(checkpoint: Checkpoint, labels: Sequence[str]) -> tuple[dict[str, object], bool]:
    """Return what a classifier of tokens sets in config.json, and whether that differs from what the checkpoint has."""
    before = tags_of(checkpoint)
    return _names_of(list(labels) or before), (list(labels) or before) != before


def _names_of(labels: list[str]) -> dict[str, object]:
    return {"id2label": dict(enumerate(labels)), "label2id": {name: place for place, name in enumerate(labels)}}


def head_variants(vectors: Floats, family: Family, *, has_inner: bool) -> list[HeadVariant]:
    """Return the ways to set the inner map, for vectors ``(items, dimensions)`` of the training examples.

    ``has_inner`` tells whether the checkpoint brings weights of that map, which are then one of the ways.
    """
    if not family.inner:
        return [HeadVariant("as the architecture has it", {})]
    mean = vectors.mean(0)
    spread = float(np.sqrt(np.mean(np.square(vectors - mean, dtype=np.float64)))) or 1.0
    identity = np.eye(vectors.shape[1], dtype=np.float32)
    variants = [HeadVariant("the checkpoint's own pooler", {})] if has_inner else []
    if family.activation == "tanh":
        for rms in TANH_INPUT_RMS:
            scale = np.float32(rms / spread)
            name = f"first token, scaled by {scale:.3g}"
            variants.append(HeadVariant(name, {"weight": identity * scale, "bias": -scale * mean}))
    else:
        shift = np.maximum(-vectors.min(0), 0) + np.float32(SHIFT_MARGIN_RMS * spread)
        variants.append(HeadVariant("first token", {"weight": identity, "bias": shift}))
    return variants


def pass_inner(vectors: Floats, weight: Floats, bias: Floats, activation: str) -> Floats:
    """Return the output ``(items, dimensions)`` of the inner map and its activation for vectors that enter it."""
    return np.asarray(ACTIVATIONS[activation](vectors @ weight.T + bias), np.float32)


def _gelu(values: Floats) -> Floats:
    """Return ``x P(X <= x)`` of a standard normal X, the exact form (Hendrycks & Gimpel 2016, arXiv 1606.08415)."""
    return values * np.float32(0.5) * (1 + erf(values / np.float32(np.sqrt(2))))


def _relu(values: Floats) -> Floats:
    return np.maximum(values, 0)


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {"tanh": np.tanh, "relu": _relu, "gelu": _gelu}
