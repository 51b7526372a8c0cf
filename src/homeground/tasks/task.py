"""The protocol of a task, and the types its methods speak in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from homeground.checkpoint import Checkpoint
from homeground.data.examples import Example, Examples
from homeground.data.tables import Table
from homeground.data.units import PairUnits

Batch = Mapping[str, NDArray[Any]]
Occasion = Literal["training", "measuring"]
Metric = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From sums of sufficient statistics ``(..., k)`` to values ``(...)``."""

Encode = Callable[[list[str]], NDArray[np.float32]]
"""From texts to their embeddings ``(texts, dimensions)``."""


class Rows(Protocol):
    """Tokenized examples; what they hold is the task's own business, and there may be more or fewer than examples."""

    @property
    def truncated(self) -> int:
        """Texts that lost tokens to the maximum length."""
        ...

    def lengths(self, occasion: Occasion) -> NDArray[np.int64]:
        """Tokens of every item that is batched on this occasion, shape ``(items,)``."""
        ...


@dataclass(frozen=True)
class Measured:
    """What a model scored on some examples.

    ``predictions`` is one number an example, or one row of probabilities; ``statistics (examples, k)`` are the
    sufficient statistics from whose (weighted) sums every metric follows; ``scores`` are the metrics over all examples.
    """

    predictions: NDArray[np.float64]
    statistics: NDArray[np.float64]
    scores: dict[str, float]


@dataclass(frozen=True)
class Split:
    """The examples of a split; ``rows`` gives what they are tokenized to, for a task that asks."""

    examples: Sequence[Example]
    rows: Callable[[], Any] = lambda: None


@dataclass(frozen=True)
class RareClass:
    """A class that too few independent test units have for an interval that rests on it: ``units`` of ``needed``."""

    label: str
    units: int
    needed: int


class Answering(Protocol):
    """A model as a task may ask it, batch by batch; see ``engines.model``."""

    def predict(self, batch: Batch) -> Batch:
        """Return what the model says of a batch."""
        ...

    def fill(self, batch: Batch, count: int) -> Batch:
        """Return the likeliest tokens of every masked place."""
        ...


@dataclass(frozen=True)
class Side:
    """One side of a comparison, for what is shown of it: what was measured, the model, and intervals.

    ``encode`` is the model as an encoder; ``intervals`` maps metrics to the ends of their intervals, all from the same
    resamples of the test examples; ``units (examples,)`` numbers the independent unit of every one of these.
    """

    measured: Measured
    model: Answering
    encode: Encode
    intervals: Callable[[Sequence[Metric]], list[tuple[float | None, float | None]]]
    units: NDArray[np.int64]


class Measurable(Protocol):
    """What is asked of a model, and what follows from its answers."""

    @property
    def name(self) -> str:
        """The name in the recipe and on the command line."""
        ...

    @property
    def head(self) -> str:
        """What stands on the body, e.g. "encoder"."""
        ...

    @property
    def noun(self) -> str:
        """What a test example is called, in the singular, e.g. "test pair"."""
        ...

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Every metric by name, as a function of summed statistics."""
        ...

    @property
    def greater_is_better(self) -> Mapping[str, bool]:
        """Which metrics are better the greater they are."""
        ...

    @property
    def primary_metric(self) -> str:
        """The one metric that decides, fixed before training."""
        ...

    @property
    def margin(self) -> float:
        """The loss of the deciding metric on a general set that still counts as KEPT, where nothing else is said."""
        ...

    def collate(
        self, rows: Any, items: NDArray[np.int64], occasion: Occasion, *, epoch: int = 0
    ) -> tuple[Batch, float]:
        """Return a padded batch of some items and the loss's denominator over it.

        ``epoch`` counts from 0; what is masked in training may differ from one to the next.
        """
        ...

    def reduce(self, batch: Batch, outputs: Batch) -> NDArray[Any]:
        """Return what is kept of a batch's outputs, items along the first axis, so that no logits pile up."""
        ...

    def score(self, rows: Any, reduced: NDArray[Any]) -> NDArray[np.float64]:
        """Return one prediction an example from the reduced outputs of all items in their order."""
        ...

    def measure(self, rows: Any, predictions: NDArray[np.float64]) -> Measured:
        """Return the metrics of predictions, with the statistics they follow from."""
        ...

    def discordant(self, before: Measured, after: Measured) -> int | None:
        """Return how many examples only one side got right, where that decides; else None."""
        ...

    def too_rare(self, metric: str, measured: Measured, units: PairUnits) -> RareClass | None:
        """Return the rarest class, where each counts alike for a metric and that one has too few test units."""
        ...


class Task(Measurable, Protocol):
    """What is learned: which columns are read, how text becomes a batch, what is measured."""

    @property
    def loss(self) -> str:
        """The name of the loss, known to every engine."""
        ...

    @property
    def in_batch_negatives(self) -> bool:
        """Whether the other examples of a batch are what is learned from, so that batches must stay mixed."""
        ...

    @property
    def loss_metric(self) -> str | None:
        """The metric that is the loss itself, so that it need not be computed twice; None where there is none."""
        ...

    @property
    def columns(self) -> Mapping[str, str]:
        """Which column of the file plays which part."""
        ...

    @property
    def labels(self) -> Sequence[str]:
        """The classes of the model, known once the task is settled; empty where nothing is classified."""
        ...

    @property
    def remarks(self) -> Sequence[str]:
        """What the user should know of the examples, a sentence each; known once the task is settled."""
        ...

    def settled(self, parts: Mapping[str, Sequence[Example]], checkpoint: Checkpoint | None) -> Task:
        """Return the task with what it takes from the splits ("train", "validation", "test") and from the checkpoint.

        Such as its labels, which a checkpoint may know already in the order of its logits; None where there is none
        yet.
        """
        ...

    def on(self, examples: Sequence[Example], *, choosing: bool = False) -> Task:
        """Return the task as it is measured on some examples, e.g. macro F1 over the classes that these have.

        With ``choosing`` it may be measured more cheaply than what decides.
        """
        ...

    def trained_with(self, seed: int) -> Task:
        """Return the task with another seed for what is random in its training; what is measured stays."""
        ...

    def settings(self) -> dict[str, Any]:
        """Return what a saved model must know of its task, for homeground.json."""
        ...

    def understood(self) -> str:
        """Say in one sentence how the file was understood."""
        ...

    def read(self, table: Table) -> Examples:
        """Return the examples of a table, each with its row, and what was set aside and why."""
        ...

    def tokenize(self, examples: Sequence[Example], tokenizer: Tokenizer, padding: int) -> Rows:
        """Tokenize examples once."""
        ...

    def line(self, example: Example, before: Any, after: Any) -> dict[str, Any]:
        """Return what examples.jsonl says of one example and the two predictions for it."""
        ...

    def baselines(self, train: Split, test: Split) -> dict[str, NDArray[np.float64]]:
        """Return what cheap methods predict for the test examples, by name."""
        ...

    def exhibits(self, test: Split, titles: list[str] | None, before: Side, after: Side) -> dict[str, Any]:
        """Return what the report shows besides the scores, e.g. ``{"heat_map": …}``, as values for JSON."""
        ...
