"""Classifiers of texts and of tokens on Keras, with the heads of the Hub."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.checkpoint import Checkpoint
from homeground.data.tokens.tokenized import IGNORED_LABEL
from homeground.engines.classifier_head import (
    FAMILIES,
    Family,
    Floats,
    head_variants,
    label_settings,
    pass_inner,
    tag_settings,
)
from homeground.engines.keras.architectures import EncoderShape, Shapes, linear_weights
from homeground.engines.keras.encoder import KerasHead
from homeground.engines.keras.encoder_layers import ACTIVATIONS, Pass
from homeground.engines.keras.framework import ops, tf
from homeground.engines.keras.network import Tensors, TransformerNetwork
from homeground.engines.keras.pooling import pool
from homeground.engines.keras.traced import Traced, to_arrays
from homeground.engines.model import Batch, Head, HeadVariant, Outputs

Tensor = Any


def family_of(shape: EncoderShape) -> Family:
    """Return the structure of the head of a text classifier, its names as they are in memory."""
    prefix = shape.architecture.prefix
    family = FAMILIES[prefix]
    return Family(family.inner.removeprefix(f"{prefix}."), family.activation, family.outer)


class KerasClassifierNetwork(TransformerNetwork):
    """A classifier of texts: the vector of the first token, an inner map and its activation, an outer map."""

    output = "logits"
    transformers_class = "ForSequenceClassification"

    @classmethod
    def head_settings(
        cls, checkpoint: Checkpoint, labels: Sequence[str], loss: str | None
    ) -> tuple[dict[str, object], bool]:
        """Return labels and problem type, and whether they differ from those of the checkpoint."""
        return label_settings(checkpoint, labels, loss)

    @classmethod
    def head_weights(cls, shape: EncoderShape, classes: int) -> Shapes:
        """Return the shapes of the two maps."""
        family = family_of(shape)
        inner = linear_weights(family.inner, shape.hidden, shape.hidden)
        return inner | linear_weights(family.outer, classes, shape.hidden)

    def forward(self, batch: Tensors, how: Pass) -> Tensor:
        """Return logits ``(items, classes)`` in float32 of token ids ``(items, length)``."""
        family, weights = family_of(self.parts.shape), self.variables
        vectors = self.hidden(batch, how)[:, 0]
        if self.parts.shape.architecture.counts_from_padding:  # RoBERTa drops what enters its head, too
            vectors = how.drop(vectors, self.head_dropout)
        inner = ACTIVATIONS[family.activation](how.linear(vectors, weights, family.inner))
        return ops.cast(how.linear(how.drop(inner, self.head_dropout), weights, family.outer), "float32")

    def make_head(self) -> Head:
        """Return the head as two linear maps."""
        return KerasClassifierHead(self, family_of(self.parts.shape))


class KerasTokenClassifierNetwork(TransformerNetwork):
    """A classifier of tokens; its output is the logits of those that are learned or, to predict, that decide a word."""

    output = "logits"
    transformers_class = "ForTokenClassification"

    @classmethod
    def head_settings(
        cls, checkpoint: Checkpoint, labels: Sequence[str], loss: str | None
    ) -> tuple[dict[str, object], bool]:
        """Return the tags for config.json, and whether they differ from those of the checkpoint."""
        return tag_settings(checkpoint, labels)

    @classmethod
    def head_weights(cls, shape: EncoderShape, classes: int) -> Shapes:
        """Return the shape of the one map."""
        return linear_weights("classifier", classes, shape.hidden)

    def forward(self, batch: Tensors, how: Pass) -> Tensor:
        """Return the logits ``(labelled, classes)`` in float32 of the tokens whose label is not ignored."""
        # DistilBERT has no dropout of its own here and takes that of its layers.
        shape = self.parts.shape
        rate = self.head_dropout if shape.architecture.has_types else shape.dropout
        vectors = tf.boolean_mask(self.hidden(batch, how), batch["labels"] != IGNORED_LABEL)
        return ops.cast(how.linear(how.drop(vectors, rate), self.variables, "classifier"), "float32")

    def outputs(self, batch: Tensors) -> dict[str, Tensor]:
        """Return the logits ``(words, classes)`` of the tokens that decide a word, item by item."""
        vectors = tf.boolean_mask(self.hidden(batch, Pass()), batch["deciding_tokens"] > 0)
        return {self.output: Pass().linear(vectors, self.variables, "classifier")}

    def make_head(self) -> Head:
        """Return the head, whose last linear map gives the logits."""
        return KerasTokenHead(self, Family("", "tanh", "classifier"))


class KerasClassifierHead(KerasHead):
    """The head of a classifier: an inner map, which that of tokens lacks, an activation, and an outer map."""

    def __init__(self, network: TransformerNetwork, family: Family) -> None:
        super().__init__(network)
        self._family = family
        self._features = Traced(self._compute_features)
        self.is_new = bool(network.new)
        """Whether the checkpoint had no head for exactly these labels, or only a part of one."""

    def features(self, batch: Batch) -> Outputs:
        """Return what enters the head, ``(items, dimensions)``, and the mean of the tokens' last hidden states."""
        return to_arrays(self._features(batch))

    def _compute_features(self, batch: Tensors) -> dict[str, Tensor]:
        hidden = self._network.hidden(batch, Pass())
        return {"head": hidden[:, 0], "mean": pool(hidden, batch["attention_mask"], "mean")}

    def variants(self, vectors: Floats) -> list[HeadVariant]:
        """Return the ways to set the inner map, for vectors ``(items, dimensions)`` of the training examples."""
        inner = f"{self._family.inner}.weight"
        return head_variants(vectors, self._family, has_inner=inner not in self._network.new)

    def variant_features(self, vectors: Floats, variant: HeadVariant) -> Floats:
        """Return the input of the outer map, ``(items, dimensions)``, for vectors that enter the head."""
        if not self._family.inner:
            return vectors
        variables = self._network.variables
        weight, bias = (
            variant.inner[part] if part in variant.inner else variables[f"{self._family.inner}.{part}"].numpy()
            for part in ("weight", "bias")
        )
        return pass_inner(vectors, weight, bias, self._family.activation)

    def set(self, variant: HeadVariant, weight: NDArray[np.float64], bias: NDArray[np.float64]) -> None:
        """Set both maps of the head; ``weight (classes, dimensions)`` and ``bias (classes,)`` are those of the outer.

        The dropout of a shifted head is removed: it would drop the shift as well.
        """
        for part, value in variant.inner.items():
            self._network.variables[f"{self._family.inner}.{part}"].assign(value)
        if variant.inner and self._family.activation != "tanh":
            self._network.remove_head_dropout()
        self._assign_outer(weight, bias)

    def scale_logits(self, factor: float) -> bool:
        """Multiply weight and bias of the outer map, which alone determines the logits, by a factor."""
        outer = [self._network.variables[f"{self._family.outer}.{part}"].numpy() for part in ("weight", "bias")]
        self._assign_outer(*(value.astype(np.float64) * factor for value in outer))
        return True

    def _assign_outer(self, weight: NDArray[np.float64], bias: NDArray[np.float64]) -> None:
        for part, value in (("weight", weight), ("bias", bias)):
            self._network.variables[f"{self._family.outer}.{part}"].assign(np.asarray(value, np.float32))


class KerasTokenHead(KerasClassifierHead):
    """The head of a token classifier: what enters it are the vectors of the tokens that decide a word."""

    def _compute_features(self, batch: Tensors) -> dict[str, Tensor]:
        hidden = self._network.hidden(batch, Pass())
        return {"head": tf.boolean_mask(hidden, batch["deciding_tokens"] > 0)}
