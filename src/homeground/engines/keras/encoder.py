"""A sentence encoder on Keras: body and pooler, embeddings out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from homeground.engines.keras.architectures import EncoderShape, Shapes
from homeground.engines.keras.encoder_layers import Pass
from homeground.engines.keras.framework import tf
from homeground.engines.keras.model import KerasModel
from homeground.engines.keras.network import Tensors, TransformerNetwork
from homeground.engines.keras.pooling import KerasPooler
from homeground.engines.keras.weights import Arrays, Variables
from homeground.engines.model import Head
from homeground.engines.sentence_modules import read_dense_weights, write_steps

Tensor = Any


class KerasEncoderNetwork(TransformerNetwork):
    """A siamese encoder: every side of a pair goes through the same weights, all sides in one forward pass."""

    output = "embeddings"
    transformers_class = "Model"

    @classmethod
    def head_weights(cls, shape: EncoderShape, classes: int) -> Shapes:
        """Return none: the pooler's weights are in the folders of the sentence encoder."""
        return {}

    def forward(self, batch: Tensors, how: Pass) -> Tensor:
        """Return embeddings ``(items, texts, dimensions)`` of token ids ``(items, texts, length)``."""
        size = tf.shape(batch["input_ids"])
        ids, mask = (tf.reshape(batch[name], (-1, size[2])) for name in ("input_ids", "attention_mask"))
        vectors = self.parts.pooler(self.encoder(ids, mask, None, how), mask, how)
        return tf.reshape(vectors, (size[0], size[1], vectors.shape[-1]))

    def make_head(self) -> Head:
        """Return the head, which adds nothing to the pooler."""
        return KerasHead(self)

    @property
    def variables(self) -> Variables:
        """The weights of body and pooler."""
        return {**super().variables, **{name: each.value for name, each in self.parts.pooler.variables.items()}}

    def save(self, folder: Path) -> None:
        """Write the weights as sentence-transformers and transformers read them."""
        super().save(folder)
        write_steps(self.parts.pooler.steps, folder, dimensions=self.parts.shape.hidden)

    def restore(self, folder: Path) -> None:
        """Load the weights from what ``save`` wrote."""
        super().restore(folder)
        for number, layer in enumerate(read_dense_weights(folder, len(self.parts.pooler.steps.dense))):
            for name, value in layer.items():
                self.parts.pooler.variables[f"dense.{number}.{name}"].assign(value)

    def with_values(self, values: Arrays) -> TransformerNetwork:
        """Return a network like this one with weights of its own, those of the pooler included."""
        steps = self.parts.pooler.steps
        dense = tuple(
            replace(layer, weight=values[f"dense.{number}.weight"], bias=values.get(f"dense.{number}.bias"))
            for number, layer in enumerate(steps.dense)
        )
        body = super().with_values(values)
        return KerasEncoderNetwork(replace(body.parts, pooler=KerasPooler(replace(steps, dense=dense))))


class KerasHead:
    """The head of an encoder, which is never new; the other heads add what their models alone can do."""

    is_new = False

    def __init__(self, network: TransformerNetwork) -> None:
        self._network = network

    def as_encoder(self) -> KerasModel:
        """Return a sentence encoder that shares the weights of the body, to be measured only."""
        return KerasModel(KerasEncoderNetwork(self._network.parts))
