"""The protocols of a model, its head and an engine: nothing above this line knows the framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from homeground.checkpoint import Checkpoint
from homeground.errors import CheckpointError

if TYPE_CHECKING:
    from homeground.recipe.sections import EncoderSettings, TrainingSettings

Trainable = Literal["all", "head"]

Batch = Mapping[str, NDArray[Any]]
"""Arrays by the Hub's own names, the items of the batch along the first axis."""

Outputs = Mapping[str, NDArray[Any]]
"""What a model returns for a batch, e.g. ``embeddings (items, texts, dimensions)`` in float32."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """One optimizer step: the loss per item before the step, the gradient's global norm before clipping.

    ``operations`` are those of the products of matrices that this process computed; 0 where they are not counted.
    """

    loss: float
    gradient_norm: float
    finite: bool
    operations: int = 0


@dataclass(frozen=True)
class HeadVariant:
    """One way to set the inner part of a head before its last linear map is fitted.

    ``inner`` holds the weights to set, by name, and is empty where they stay as they are.
    """

    name: str
    inner: Mapping[str, NDArray[np.float32]]


class Model(Protocol):
    """One model on one engine."""

    @property
    def head(self) -> Head:
        """The head, which offers what models of its kind alone can do."""
        ...

    def train_step(
        self, batch: Batch, denominator: float, learning_rate: float, step: int, *, microbatch: int | None = None
    ) -> StepResult:
        """Learn from one global batch: the sum of its loss terms over ``denominator``.

        It is computed in slices of at most ``microbatch`` items, by default as the recipe says. Where the loss or the
        gradient is not finite nothing is updated and ``finite`` is False; where memory runs out while the gradient is
        computed nothing is updated either, and the step can be taken again with smaller slices.

        Raises OutOfMemory where the weights cannot be updated.
        """
        ...

    def predict(self, batch: Batch) -> Outputs:
        """Return the outputs for a batch, in evaluation mode and float32."""
        ...

    def loss(self, batch: Batch, denominator: float, *, microbatch: int | None = None) -> float:
        """Return the loss of one batch in evaluation mode and float32, computed in slices as a step is."""
        ...

    def save(self, folder: Path, *, with_optimizer: bool = False) -> None:
        """Write the weights in the Hugging Face layout, with the optimizer's state beside them on request."""
        ...

    def restore(self, folder: Path) -> None:
        """Load the weights, and the optimizer's state where the folder holds it, from what ``save`` wrote."""
        ...

    def describe(self) -> dict[str, str]:
        """Return how the model computes, for the record: device, precision, threads."""
        ...


@runtime_checkable
class KnowsPeak(Protocol):
    """A model that can tell how fast its device multiplies matrices."""

    def matrix_peak(self) -> float:
        """Return how many operations a second the device does in a product of large matrices, as a step computes."""
        ...


@runtime_checkable
class KeepsAdapters(Protocol):
    """A model that can learn with adapters, whose products its weights hold."""

    def save_adapters(self, folder: Path, *, checkpoint: str) -> None:
        """Write the adapters that it learned with, and what was trained beside them, in the layout of peft.

        ``checkpoint`` is the name of the model that they are made for.
        """
        ...


class Head(Protocol):
    """What is on top of the body; each kind of model has a head of its own."""

    @property
    def is_new(self) -> bool:
        """Whether the checkpoint did not have this head, so that it must be fitted before it is of use."""
        ...

    def as_encoder(self) -> Model:
        """Return a sentence encoder that shares the weights of the body, to be measured only."""
        ...


@runtime_checkable
class ClassifierHead(Head, Protocol):
    """The head of a classifier: an inner part, which some architectures lack, and a last linear map to the logits."""

    def features(self, batch: Batch) -> Outputs:
        """Return ``head``, what enters the head, and ``mean``, the mean of the tokens' last hidden states.

        Both are ``(items, dimensions)``.
        """
        ...

    def variants(self, vectors: NDArray[np.float32]) -> list[HeadVariant]:
        """Return the ways to set the inner part for the vectors ``(items, dimensions)`` that enter it in training."""
        ...

    def variant_features(self, vectors: NDArray[np.float32], variant: HeadVariant) -> NDArray[np.float32]:
        """Return the input ``(items, dimensions)`` of the last linear map, for vectors that enter the head."""
        ...

    def set(self, variant: HeadVariant, weight: NDArray[np.float64], bias: NDArray[np.float64]) -> None:
        """Set the inner part to a variant, the last linear map to ``weight (classes, dimensions)`` and ``bias``."""
        ...

    def scale_logits(self, factor: float) -> bool:
        """Multiply every logit by a factor above 0, by the weights of the last linear map.

        Where that map alone does not determine the logits, nothing is changed and the result is False.
        """
        ...


@runtime_checkable
class MaskedHead(Head, Protocol):
    """The head of a masked language model."""

    def fill(self, batch: Batch, count: int) -> Outputs:
        """Return ``ids`` and ``log_probabilities (masked, count)`` of the likeliest tokens, the likeliest first.

        Masked positions are those whose label is not ignored (-100), item by item.
        """
        ...


def classifier_head(model: Model) -> ClassifierHead:
    """Return the head of a model that was opened as a classifier."""
    head = model.head
    assert isinstance(head, ClassifierHead)
    return head


def require_trained_head(model: Model, checkpoint: Checkpoint, purpose: str) -> None:
    """Raise CheckpointError where the head of a model was never trained: its predictions would be random."""
    if model.head.is_new:
        raise CheckpointError(
            f'"{checkpoint.name}" has no trained head for {purpose}, so its predictions would be random; adapt it '
            "first, or name a run or checkpoint that has one"
        )


class Engine(Protocol):
    """What the package of an engine offers."""

    def open_model(
        self,
        checkpoint: Checkpoint,
        *,
        head: str,
        loss: str | None = None,
        encoder: EncoderSettings | None = None,
        training: TrainingSettings | None = None,
        seed: int = 0,
        labels: Sequence[str] = (),
        trainable: Trainable = "all",
    ) -> Model:
        """Open a checkpoint with a head; without ``training`` it can be measured but not trained.

        ``labels`` are the classes of a classifier; by default those of the checkpoint. With ``trainable="head"`` only
        the weights of a head that the checkpoint did not have are trained.
        """
        ...

    def merge(self, base: Model, tuned: Model, weight: float) -> Model:
        """Return a model between ``base`` (weight 0) and ``tuned`` (weight 1), to be measured and saved.

        Every floating weight is interpolated, norms and head included; neither model is changed.

        Raises:
            CheckpointError: the two models do not have the same weights.
        """
        ...

    def require_supported(self, checkpoint: Checkpoint) -> None:
        """Raise CheckpointError where the settings of a checkpoint alone say that this engine cannot compute it."""
        ...

    def lead(
        self, processes: int, *, slices: int, threads: int | None, fingerprint: str
    ) -> AbstractContextManager[None]:
        """Learn together with others while the context lasts: with those that a launcher has started, or started here.

        ``slices`` are those of every batch, ``threads`` those of each process, ``fingerprint`` is equal in all.

        Raises:
            UsageError: the processes have other settings.
            ProcessLost: a process could not connect, or has ended.
        """
        ...

    def versions(self) -> dict[str, str]:
        """Return the versions of the libraries that the results depend on, by their names."""
        ...

    def describe_hardware(self) -> dict[str, str]:
        """Return device, threads and arithmetic, by name."""
        ...


class Exporter(Protocol):
    """What writes the models of an engine for other runtimes."""

    def export_model(
        self, model: Model, folder: Path, *, format: str, head: str, calibration: Sequence[Batch] | None = None
    ) -> dict[str, Any]:
        """Write the graph of a model into a folder, and return its ``inputs`` and the ``versions`` of libraries.

        With ``calibration``, batches of training examples, it is quantized to int8.

        Raises:
            UsageError: a library is missing, or the format cannot hold the model.
            CheckpointError: the architecture cannot be traced.
        """
        ...

    def require_exporters(self, format: str, *, int8: bool) -> None:
        """Raise UsageError where a library for an export is not installed."""
        ...
