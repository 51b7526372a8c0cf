"""What a model of this engine computes with: the weights of a checkpoint, an encoder over them, and what is on top."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from homeground.checkpoint import Checkpoint
from homeground.engines.classifier_head import HEAD_DROPOUT_SETTINGS
from homeground.engines.keras.architectures import EncoderShape, Shapes
from homeground.engines.keras.encoder_layers import Pass, TransformerEncoder
from homeground.engines.keras.pooling import KerasPooler
from homeground.engines.keras.weights import (
    Arrays,
    Variables,
    Weights,
    restore_weights,
    variable,
    write_weights,
)
from homeground.engines.model import Batch, Head

Tensor = Any
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Parts:
    """What a network is made of; ``config`` is what it writes to config.json."""

    shape: EncoderShape
    weights: Weights
    pooler: KerasPooler
    config: dict[str, Any]


class KerasNetwork(ABC):
    """What turns a batch into one tensor: a transformer with a head, or the program of a SavedModel."""

    output: ClassVar[str]
    """The name of the tensor in what ``predict`` returns."""

    new: frozenset[str] = frozenset()
    """The names of the weights that the checkpoint did not have."""

    head_dropout: float = 0.0
    takes_bf16: bool = True

    @property
    @abstractmethod
    def variables(self) -> Variables:
        """The TensorFlow variables of all weights that take part in the output, by name."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the weights, and config.json."""

    @abstractmethod
    def restore(self, folder: Path) -> None:
        """Load the weights from what ``save`` wrote."""

    @abstractmethod
    def with_values(self, values: Arrays) -> KerasNetwork:
        """Return a network like this one with weights of its own, set to ``values``."""

    @abstractmethod
    def forward(self, batch: Tensors, how: Pass) -> Tensor:
        """Return the output for a batch, items along the first axis."""

    @abstractmethod
    def make_head(self) -> Head:
        """Return the head, whose methods compute with the weights of this network."""

    def outputs(self, batch: Tensors) -> dict[str, Tensor]:
        """Return what ``predict`` returns for a batch, by name."""
        return {self.output: self.forward(batch, Pass())}

    def divide(self, batch: Batch) -> Iterator[Batch]:
        """Yield parts of a batch that are small enough to be measured at once."""
        yield batch


class TransformerNetwork(KerasNetwork):
    """An encoder of BERT's kind and what is on top of it."""

    transformers_class: ClassVar[str]
    """The ending of the class of transformers that loads what is saved."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.encoder = TransformerEncoder(parts.shape, parts.weights.variables)
        self.head_dropout = parts.shape.head_dropout
        self.new = parts.weights.new

    @classmethod
    def head_settings(
        cls, checkpoint: Checkpoint, labels: Sequence[str], loss: str | None
    ) -> tuple[dict[str, object], bool]:
        """Return what the head sets in config.json, and whether it must be fitted even where its shape fits."""
        return {}, False

    @classmethod
    @abstractmethod
    def head_weights(cls, shape: EncoderShape, classes: int) -> Shapes:
        """Return the shapes of the head's weights by name, for a number of classes where it has some."""

    @property
    def variables(self) -> Variables:
        """The variables of all weights that take part in the output, by name."""
        return {name: each.value for name, each in self.parts.weights.variables.items()}

    def hidden(self, batch: Tensors, how: Pass) -> Tensor:
        """Return the last hidden states ``(texts, length, size)`` of a batch of single texts."""
        types = batch.get("token_type_ids") if self.parts.shape.types > 1 else None
        return self.encoder(batch["input_ids"], batch["attention_mask"], types, how)

    def remove_head_dropout(self) -> None:
        """Drop nothing in the head any more, neither here nor where the saved model is trained further."""
        self.head_dropout = 0.0
        for name in HEAD_DROPOUT_SETTINGS:
            if name in self.parts.config or name in self.parts.shape.architecture.head_dropouts:
                self.parts.config[name] = 0.0

    def save(self, folder: Path) -> None:
        """Write the weights and config.json in the layout of the Hub."""
        shape, weights = self.parts.shape, self.parts.weights
        prefixed = self.transformers_class != "Model" or weights.prefixed
        config = {
            **self.parts.config,
            "architectures": [shape.architecture.classes + self.transformers_class],
            "dtype": "float32",
        }
        config.pop("torch_dtype", None)  # the name of dtype before transformers 5
        (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        write_weights(weights, shape.body_weights(), folder, shape.architecture, prefixed=prefixed)

    def restore(self, folder: Path) -> None:
        """Load the weights from what ``save`` wrote."""
        restore_weights(self.parts.weights, folder, self.parts.shape.architecture)

    def with_values(self, values: Arrays) -> TransformerNetwork:
        """Return a network like this one with weights of its own, set to ``values``."""
        weights = self.parts.weights
        variables = {name: variable(name, values[name]) for name in weights.variables}
        return type(self)(replace(self.parts, weights=replace(weights, variables=variables)))
