"""The protocol of a model: nothing above this line knows the framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from homeground.checkpoint import Checkpoint
from homeground.recipe.sections import Encoder, Training

Trainable = Literal["all", "head"]

Batch = Mapping[str, NDArray[Any]]
"""Arrays by the Hub's own names, the items of the batch along the first axis."""

Outputs = Mapping[str, NDArray[Any]]
"""What a model says of a batch, e.g. ``embeddings (items, texts, dimensions)`` in float32."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """One optimizer step: the loss per item before the step, the gradient's global norm before clipping."""

    loss: float
    gradient_norm: float
    finite: bool


@dataclass(frozen=True)
class HeadVariant:
    """One way the inner part of a head may be set before its last linear map is fitted.

    ``inner`` holds the weights to set, by name, and is empty where they stay as they are.
    """

    name: str
    inner: Mapping[str, NDArray[np.float32]]


class Model(Protocol):
    """One model on one engine."""

    def train_step(self, batch: Batch, denominator: float, learning_rate: float, step: int) -> StepResult:
        """Learn from one global batch: the sum of its loss terms over ``denominator``.

        Where the loss or the gradient is not finite nothing is updated and ``finite`` is False.
        """
        ...

    def predict(self, batch: Batch) -> Outputs:
        """Return what the model says, in evaluation mode and float32."""
        ...

    def fill(self, batch: Batch, count: int) -> Outputs:
        """Return of a masked language model ``ids`` and ``log_probabilities (masked, count)``, the likeliest first.

        Masked places are those whose label is not ignored (-100), item by item.
        """
        ...

    def loss(self, batch: Batch, denominator: float) -> float:
        """Return the loss of one batch in evaluation mode and float32."""
        ...

    def save(self, folder: Path, *, with_optimizer: bool = False) -> None:
        """Write the weights in the Hugging Face layout, with the optimizer's state beside them if asked."""
        ...

    def restore(self, folder: Path) -> None:
        """Take the weights, and the optimizer's state where the folder holds it, from what ``save`` wrote."""
        ...

    def merged(self, base: Model, weight: float) -> Model:
        """Return a model between ``base`` (weight 0) and this one (weight 1), to be measured and saved.

        Every floating weight is interpolated, norms and head included.

        Raises:
            CheckpointError: the two models do not have the same weights.
        """
        ...

    def as_encoder(self) -> Model:
        """Return the same body as a sentence encoder, to be measured only."""
        ...

    @property
    def has_head(self) -> bool:
        """Whether the head came with the checkpoint, so that nothing is to be fitted."""
        ...

    def features(self, batch: Batch) -> Outputs:
        """Return ``head``, what enters the head, and ``mean``, the mean of the tokens' last hidden states."""
        ...

    def head_variants(self, vectors: NDArray[np.float32]) -> list[HeadVariant]:
        """Return the ways the head may be set for the vectors ``(items, dimensions)`` that enter it in training."""
        ...

    def head_features(self, vectors: NDArray[np.float32], variant: HeadVariant) -> NDArray[np.float32]:
        """Return what the head's last linear map gets, for vectors that enter the head."""
        ...

    def set_head(self, variant: HeadVariant, weight: NDArray[np.float64], bias: NDArray[np.float64]) -> None:
        """Set a head to a variant, its last linear map to ``weight (classes, dimensions)`` and ``bias (classes,)``."""
        ...

    def scale_logits(self, factor: float) -> bool:
        """Multiply every logit by a factor above 0, by the weights of the head's last linear map.

        False, and nothing changed, where that map does not give the logits alone.
        """
        ...

    def describe(self) -> dict[str, str]:
        """Return how it computes, for the record: device, precision, threads."""
        ...


class Engine(Protocol):
    """What the package of an engine offers."""

    def open_model(
        self,
        checkpoint: Checkpoint,
        *,
        head: str,
        loss: str | None = None,
        encoder: Encoder | None = None,
        training: Training | None = None,
        seed: int = 0,
        labels: Sequence[str] = (),
        trainable: Trainable = "all",
    ) -> Model:
        """Open a checkpoint with a head; without ``training`` it can be measured but not trained.

        ``labels`` are the classes of a classifier, those of the checkpoint where none are given; ``trainable`` says
        whether all weights learn, or only those of a head that the checkpoint did not have.
        """
        ...

    def describe_hardware(self) -> dict[str, str]:
        """Return device, threads and arithmetic, by name."""
        ...
