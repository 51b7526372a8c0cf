"""The protocol of a model: nothing above this line knows the framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from homeground.checkpoint import Checkpoint
from homeground.recipe import Encoder, Training

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

    def loss(self, batch: Batch, denominator: float) -> float:
        """Return the loss of one batch in evaluation mode and float32."""
        ...

    def save(self, folder: Path, *, with_optimizer: bool = False) -> None:
        """Write the weights in the Hugging Face layout, with the optimizer's state beside them if asked."""
        ...

    def restore(self, folder: Path) -> None:
        """Take the weights, and the optimizer's state where the folder holds it, from what ``save`` wrote."""
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
    ) -> Model:
        """Open a checkpoint with a head; without ``training`` it can be measured but not trained."""
        ...

    def describe_hardware(self) -> dict[str, str]:
        """Return device, threads and arithmetic, by name."""
        ...
