"""The protocols of a task, and the types their methods speak in.

A task is made in two steps. A ``TaskSpec`` follows from the columns of a table: it reads rows. Once the examples are
split it becomes a ``Task``, which knows labels and tokens. What is special to one task is data on its ``info``, or a
small optional protocol such as ``HasClasses``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from homeground.checkpoint import Checkpoint
from homeground.data.examples import Example, Examples
from homeground.data.tables import Table
from homeground.data.tokens.tokenized import TextTokens

if TYPE_CHECKING:
    from homeground.recipe.recipe import Recipe

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Batch = Mapping[str, NDArray[Any]]
Occasion = Literal["training", "measuring"]
Metric = Callable[[Floats], Floats]
"""From sums of sufficient statistics ``(..., k)`` to values ``(...)``."""

Encode = Callable[[list[str]], NDArray[np.float32]]
"""From texts to their embeddings ``(texts, dimensions)``."""


class Rows(Protocol):
    """Tokenized examples; what they hold is the task's own business, and there may be more or fewer than examples."""

    @property
    def truncated(self) -> int:
        """Texts that lost tokens to the maximum length."""
        ...

    @property
    def passes(self) -> int:
        """How often what is learned from once is measured, e.g. with several draws of masks."""
        ...

    def lengths(self, occasion: Occasion) -> Ints:
        """Tokens of every item that is batched on this occasion, shape ``(items,)``."""
        ...


@dataclass(frozen=True)
class TokenizedExamples:
    """Some examples and, for a task that asks for them, the rows they are tokenized to."""

    examples: Sequence[Example]
    rows: Any = None


@dataclass(frozen=True)
class Use:
    """What an adapted model can be used for, in words.

    Where its ``metric`` is hardly better than that of the best baseline, ``otherwise`` says what remains.
    """

    text: str
    metric: str
    otherwise: str


@dataclass(frozen=True)
class TaskInfo:
    """What is particular to a task, as data; ``description`` says in one sentence how the file was read.

    ``head`` and ``loss`` are names that every engine knows; ``head_purpose`` ends "a trained head for …".
    ``frozen_method`` is what a checkpoint without such a head can be measured by before any training: its embeddings as
    they are, or a regression fitted to its frozen vectors of texts or of words; None where a head must be trained
    first. ``example`` is what a test example is called, in the singular. ``margin`` is the loss of the primary metric
    on a general set that still counts as KEPT. ``loss_metric`` is the metric that is the loss itself, so that it need
    not be computed twice. ``notes`` are sentences for the user. ``defaults`` are values of recipe sections that suit
    the task better than the recipe's own. ``saved_settings`` is what a saved model must know, for homeground.json, and
    ``model_files`` names what is saved beside the weights (see experiment/saving.py). ``verdict_scope`` narrows HELPED
    and HURT where the test says nothing of the use, which ``use`` then describes. ``instead`` says for each baseline
    what to do where the model is not shown to beat it.
    """

    name: str
    head: str
    loss: str
    example: str
    primary_metric: str
    metric_names: tuple[str, ...]
    columns: Mapping[str, str]
    description: str
    head_purpose: str = "this task"
    frozen_method: Literal["embeddings", "regression", "word regression"] | None = None
    margin: float = 0.01
    loss_metric: str | None = None
    in_batch_negatives: bool = False
    one_label: bool = False
    """Whether every text has exactly one label, so that a model may abstain."""
    calibrates: bool = False
    """Whether the probabilities of labels are set right on validation by a temperature."""
    notes: tuple[str, ...] = ()
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    saved_settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    model_files: tuple[str, ...] = ()
    scale: str = ""
    """The scale of the predictions, and below the metrics that compare two models on one scale only."""
    scale_metrics: tuple[str, ...] = ()
    cuts_blocks: bool = False
    """Whether texts are cut into blocks whose length decides what is masked: two models are compared on the same."""
    usual_length: int | None = None
    """Tokens of a text where nothing else is asked for; None for as many as the checkpoint reads."""
    cleaning: Literal["texts", "in place", "training"] = "texts"
    """Whether all texts are cleaned, only by steps that move no character, or only those that are learned from."""
    verdict_scope: str = ""
    use: Use | None = None
    instead: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Measurement:
    """What a model scored on some examples.

    ``predictions`` is one number an example, or one row of numbers; ``statistics (examples, k)`` are the sufficient
    statistics from whose (weighted) sums every metric follows, the first of which is the size of an example; ``scores``
    are the metrics over all examples.
    """

    predictions: Floats
    statistics: Floats
    scores: dict[str, float]


def defined_scores(metrics: Mapping[str, Metric], statistics: Floats) -> dict[str, float]:
    """Return the metrics of all examples, from their statistics ``(examples, k)``, without those that are not defined.

    Not defined is, for example, a percentage of scores that are all 0.
    """
    sums = statistics.sum(0)
    scores = {name: float(metric(sums)) for name, metric in metrics.items()}
    return {name: score for name, score in scores.items() if np.isfinite(score)}


@dataclass(frozen=True)
class RareClass:
    """A class that too few independent test units have for an interval that rests on it: ``units`` of ``needed``."""

    label: str
    units: int
    needed: int


@dataclass(frozen=True)
class MeasuredModel:
    """One side of a comparison, for what the report shows of it.

    ``predict`` returns the outputs for a batch, ``fill`` the likeliest tokens of every masked position; ``encode`` is
    the model as an encoder; ``intervals`` maps metrics to the ends of their intervals, all from the same resamples of
    the test examples; ``units (examples,)`` numbers the independent unit of each of these.
    """

    measurement: Measurement
    predict: Callable[[Batch], Batch]
    fill: Callable[[Batch, int], Batch]
    encode: Encode
    intervals: Callable[[Sequence[Metric]], list[tuple[float | None, float | None]]]
    units: Ints


class Measurable(Protocol):
    """What a model is asked for, and what follows from its outputs."""

    @property
    def info(self) -> TaskInfo:
        """What is particular to the task."""
        ...

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Every metric by name, as a function of summed statistics."""
        ...

    def collate(
        self, rows: Any, items: Ints, occasion: Occasion, *, epoch: int = 0, seed: int = 0
    ) -> tuple[Batch, float]:
        """Return a padded batch of some items and the loss's denominator over it.

        In training ``epoch``, from 0, and ``seed`` decide what is random, such as masks; what is measured never does.
        """
        ...

    def reduce(self, batch: Batch, outputs: Batch) -> NDArray[Any]:
        """Return what is kept of a batch's outputs, items along the first axis, so that no logits pile up."""
        ...

    def score(self, rows: Any, reduced: NDArray[Any]) -> Floats:
        """Return one prediction an example from the reduced outputs of all items in their order."""
        ...

    def measure(self, rows: Any, predictions: Floats) -> Measurement:
        """Return the metrics of predictions, with the statistics they follow from."""
        ...


class Task(Measurable, Protocol):
    """What is learned and measured, once the examples are split and the checkpoint is known."""

    @property
    def labels(self) -> Sequence[str]:
        """The classes of the model; empty where nothing is classified."""
        ...

    def tokenize(self, examples: Sequence[Example], tokens: TextTokens) -> Rows:
        """Tokenize examples once."""
        ...

    def for_examples(self, examples: Sequence[Example], *, to_choose: bool = False) -> Task:
        """Return the task as other examples are measured, e.g. macro F1 over the classes that these have.

        With ``to_choose`` it may be measured more cheaply than what decides.
        """
        ...

    def baselines(self, train: TokenizedExamples, test: TokenizedExamples) -> dict[str, Floats]:
        """Return what cheap methods predict for the test examples, by name."""
        ...

    def report_details(
        self, test: TokenizedExamples, titles: Sequence[str] | None, before: MeasuredModel, after: MeasuredModel
    ) -> dict[str, Any]:
        """Return what scores.json holds for this task alone, e.g. ``{"heat_map": …}``, as values for JSON."""
        ...

    def example_line(self, example: Example, before: Any, after: Any) -> dict[str, Any]:
        """Return the fields of one example in examples.jsonl, with the two predictions for it."""
        ...


class TaskSpec(Protocol):
    """What follows from the columns of a table: how its rows are read."""

    @property
    def info(self) -> TaskInfo:
        """What is particular to the task, as far as the columns tell."""
        ...

    def read(self, table: Table) -> Examples:
        """Return the examples of a table, each with its row, and the rows that were skipped, with the reason."""
        ...

    def with_splits(self, splits: Mapping[str, Sequence[Example]], checkpoint: Checkpoint | None) -> Task:
        """Return the task for the examples of "train", "validation" and "test", such as with their labels.

        ``checkpoint`` is the one to be adapted; None where several are compared on the examples.

        Raises:
            DataError: the examples cannot be learned from.
            CheckpointError: the checkpoint lacks what the task needs.
        """
        ...

    def with_saved_settings(self, settings: Mapping[str, Any]) -> TaskSpec:
        """Return the spec as a saved model with these settings (of homeground.json) is measured."""
        ...

    def for_model(self, checkpoint: Checkpoint, examples: Sequence[Example]) -> Task:
        """Return the task as a model that is finished is measured on some examples.

        Raises:
            CheckpointError: the model does not do this task.
            DataError: the examples do not suit the model.
        """
        ...


@dataclass(frozen=True)
class TaskType:
    """One kind of task: how its spec is made, and which settings of the recipe it reads.

    ``settings`` are the full names of settings that not every task reads; ``naming_columns`` are those of [columns]
    that only this task has, so that who names one has named the task; ``reads_texts`` says that it reads one column of
    texts, ``--text``. ``needs`` says which columns it reads, and the options that name them.
    """

    for_table: Callable[[Table, Recipe], TaskSpec]
    settings: frozenset[str]
    needs: str = "columns of its own"
    naming_columns: tuple[str, ...] = ()
    reads_texts: bool = False
    tells_by_values: bool = False
    """Whether a table is taken for this task only by what its columns hold: no name leads it astray."""
    formats: frozenset[str] = frozenset()
    """Formats of files that only this task reads."""


@runtime_checkable
class HasClasses(Protocol):
    """A task some of whose metrics are means over classes, so that a rare class counts as much as any."""

    def rare_class(self, metric: str, measurement: Measurement, units: Ints) -> RareClass | None:
        """Return the rarest class where a metric is a mean over classes and too few test units have that class."""
        ...

    def shares_of_classes(self, metric: str, measurement: Measurement) -> Floats | None:
        """Return by how much each example can move a metric that is a mean over classes, ``(examples,)``, else None."""
        ...


class RowsWithLabels(Rows, Protocol):
    """Tokenized examples that have labels, or whose words have."""

    @property
    def labels(self) -> Ints:
        """Class numbers ``(labelled,)``, or 0 and 1 ``(labelled, classes)`` where a text may have several."""
        ...

    def label_places(self, items: Ints) -> Ints:
        """Return the places in ``labels`` of what enters the head for some items, in its order."""
        ...


@runtime_checkable
class Classifies(Protocol):
    """A task whose head is a linear map to the logits of its labels."""

    @property
    def labels(self) -> Sequence[str]:
        """The classes of the model."""
        ...

    @property
    def several(self) -> bool:
        """Whether an example may have any number of labels."""
        ...

    @property
    def balanced(self) -> bool:
        """Whether every class weighs as much in all, however rare it is."""
        ...


class FittedBaseline(Protocol):
    """A cheap method that has learned, and can be kept."""

    def predict(self, examples: Sequence[Example]) -> Floats:
        """Return what it predicts for examples, as ``Task.baselines`` does."""
        ...

    def save(self, folder: Path) -> None:
        """Write it to a folder, from which ``homeground.load`` reads it."""
        ...


@runtime_checkable
class KeepsBaseline(Protocol):
    """A task one of whose baselines is worth keeping where the adapted model is not shown to beat it."""

    @property
    def kept_baseline(self) -> str:
        """The name of this baseline."""
        ...

    def fit_baseline(self, train: TokenizedExamples) -> FittedBaseline:
        """Return the baseline fitted to the training examples, as it is measured."""
        ...

    def read_baseline(self, folder: Path) -> FittedBaseline:
        """Return the baseline that was saved to a folder."""
        ...


@runtime_checkable
class HasShortTexts(Protocol):
    """A task for which texts may be too short to learn from."""

    def short_notes(self, splits: Sequence[Any]) -> list[str]:
        """Return a sentence that counts the short texts in the rows of some splits, or none."""
        ...


@runtime_checkable
class HasGeneralSets(Protocol):
    """A spec whose general set may hold examples of its own kind, not only scored pairs."""

    @property
    def reads_scored_pairs(self) -> bool:
        """Whether scored pairs, measured on the body, can be the general set too."""
        ...

    def general_spec(self, table: Table, recipe: Recipe) -> TaskSpec | None:
        """Return the spec of a general set for this domain; None where the table holds other examples."""
        ...

    def general_task(
        self, general: TaskSpec, task: Task, checkpoint: Checkpoint, examples: Sequence[Example], path: str
    ) -> Task:
        """Return the task that measures a general set as ``task`` measures the domain.

        Raises:
            DataError: the examples are not comparable with those of the domain.
        """
        ...


@runtime_checkable
class Sampled(Protocol):
    """Rows of which a random part can be learned from, where all would take long and teach little more."""

    def some(self, count: int, *, seed: int) -> Rows:
        """Return the rows with at most ``count`` of their items."""
        ...


@runtime_checkable
class FindsHead(Protocol):
    """A spec that tells from a checkpoint's settings whether it has the head that the task needs."""

    def finds_head(self, checkpoint: Checkpoint) -> bool:
        """Tell whether the checkpoint should have a trained head of this kind."""
        ...


class AskedRows(Rows, Protocol):
    """Rows that ask words of some of the documents."""

    @property
    def asked(self) -> Ints:
        """The documents of which a word is asked, in order."""
        ...

    def of_asked(self) -> AskedRows:
        """Return the rows whose documents are only those of which a word is asked."""
        ...


@runtime_checkable
class MeasuresWords(Protocol):
    """A task whose models can be compared by whole words of its documents, across tokenizers."""

    def word_rows(
        self, documents: Sequence[Example], count: int, tokens: TextTokens, *, max_length: int
    ) -> tuple[Measurable, Any]:
        """Return the task of filling in ``count`` words of the documents, and their rows (see pseudo_likelihood)."""
        ...
