"""A masked language model on Keras, whose head computes the masked positions only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from homeground.data.tokens.tokenized import IGNORED_LABEL
from homeground.engines.keras.architectures import EncoderShape, Shapes, linear_weights, norm_weights
from homeground.engines.keras.encoder import KerasHead
from homeground.engines.keras.encoder_layers import Pass, masked_logits
from homeground.engines.keras.framework import tf
from homeground.engines.keras.network import Tensors, TransformerNetwork
from homeground.engines.keras.traced import Traced
from homeground.engines.model import Batch, Head, Outputs
from homeground.engines.slicing import by_masked_tokens

Tensor = Any


class KerasMaskedLMNetwork(TransformerNetwork):
    """A masked language model; its output is the logits of the masked positions."""

    output = "logits"
    transformers_class = "ForMaskedLM"

    @classmethod
    def head_weights(cls, shape: EncoderShape, classes: int) -> Shapes:
        """Return the shapes of the map, the norm and the bias, and of the decoder where it has weights of its own."""
        head = shape.architecture.masked_head
        shapes = linear_weights(head.dense, shape.hidden, shape.hidden) | norm_weights(head.norm, shape.hidden)
        shapes[head.bias] = (shape.vocabulary,)
        return shapes if shape.tied else {**shapes, head.decoder: (shape.vocabulary, shape.hidden)}

    def forward(self, batch: Tensors, how: Pass) -> Tensor:
        """Return the logits ``(masked, vocabulary)`` in float32 where ``labels (items, length)`` are not ignored."""
        rows = tf.boolean_mask(self.hidden(batch, how), batch["labels"] != IGNORED_LABEL)
        return masked_logits(rows, self.parts.shape, self.variables, how)

    def outputs(self, batch: Tensors) -> dict[str, Tensor]:
        """Return the log probability of every label, ``(masked,)``, and whether it was the first choice."""
        logits = self.forward(batch, Pass())
        expected = tf.boolean_mask(batch["labels"], batch["labels"] != IGNORED_LABEL)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=expected, logits=logits)
        first = tf.argmax(logits, -1, output_type=expected.dtype) == expected
        return {"log_probabilities": -losses, "first": first}

    def divide(self, batch: Batch) -> Iterator[Batch]:
        """Yield parts whose logits are in memory at once."""
        yield from by_masked_tokens(batch, self.parts.shape.vocabulary)

    def make_head(self) -> Head:
        """Return the head over the whole vocabulary."""
        return KerasMaskedHead(self)


class KerasMaskedHead(KerasHead):
    """The head of a masked language model."""

    def __init__(self, network: KerasMaskedLMNetwork) -> None:
        super().__init__(network)
        self._masked_lm = network
        self._log_probabilities = Traced(lambda batch: tf.nn.log_softmax(network.forward(batch, Pass())))
        self.is_new = bool(network.new)

    def fill(self, batch: Batch, count: int) -> Outputs:
        """Return the likeliest tokens of every masked position; see the protocol."""
        count = min(count, self._masked_lm.parts.shape.vocabulary)
        tops = [tf.math.top_k(self._log_probabilities(part), count) for part in self._masked_lm.divide(batch)]
        return {
            "ids": np.concatenate([top.indices.numpy() for top in tops]),
            "log_probabilities": np.concatenate([top.values.numpy() for top in tops]),
        }
