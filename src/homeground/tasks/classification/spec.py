"""What a table of labelled texts is, and how it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from homeground.checkpoint import Checkpoint, classes_of
from homeground.data.columns import USUAL_NAMES, notes_on_columns
from homeground.data.examples import Example, Examples
from homeground.data.streams import shelf_for
from homeground.data.tables import Table, column_parts, group, has_columns, text
from homeground.errors import CheckpointError, DataError, UsageError, nearest
from homeground.statistics import classification as formulas
from homeground.tasks.classification.classification import Classification, class_places
from homeground.tasks.classification.label_checks import learning_problem, note_on_missing_texts, notes_on_labels
from homeground.tasks.classification.labels import LabelReader, find_label_columns, in_natural_order
from homeground.tasks.primary_metric import primary_metric
from homeground.tasks.task import Task, TaskInfo, TaskSpec

if TYPE_CHECKING:
    from homeground.recipe.recipe import Recipe

LOSSES = ("cross_entropy", "binary_cross_entropy")
INSTEAD = {
    "TF-IDF": "Use TF-IDF with its linear classifier",
    "frozen embeddings": "Use a linear classifier on the embeddings of the checkpoint",
    "majority class": "Use no model yet, but look at the labels and collect more texts; to answer the most frequent "
    "label always is as good as it gets so far",
}
"""What to do where the adapted model is not shown to beat a baseline."""

DEFAULTS: dict[str, dict[str, Any]] = {"training": {"epochs": 3, "learning_rate": 5e-5}}


@dataclass(frozen=True)
class ClassificationSpec:
    """Labelled texts, or pairs of texts, as a table holds them: one label each, or any number of labels.

    ``flags`` are the columns of 0 and 1 where each is a class; ``notes`` are sentences on the columns.
    """

    columns: Mapping[str, str]
    loss: str
    primary_metric: str
    delimiter: str | None = None
    class_weights: Literal["none", "balanced"] = "none"
    label_smoothing: float = 0.0
    truncation: Literal["head", "head_and_tail"] = "head"
    flags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def for_table(cls, table: Table, recipe: Recipe) -> ClassificationSpec:
        """Return the spec for the columns of a table; lists, or a delimiter, make several labels a text.

        Raises:
            DataError: text or label cannot be determined.
            UsageError: the loss, the metric or the truncation does not go with the columns.
        """
        columns = find_label_columns(table, recipe)
        delimiter, label = recipe.columns.label_delimiter, columns["label"]
        flags = parts if len(parts := column_parts(table, label)) > 1 else ()
        several = bool(delimiter or flags)
        several = several or (
            not table.holds_text_only and any(isinstance(row.values[label], list) for row in table.rows)
        )
        loss = recipe.training.loss
        if loss == "auto":
            loss = "binary_cross_entropy" if several else "cross_entropy"
        if loss not in LOSSES:
            raise UsageError(f"--loss {loss} is not for labelled texts; {nearest(loss, LOSSES)}")
        if several and loss == "cross_entropy":
            raise UsageError(
                f'{table.path}: column "{label}" holds several labels, and --loss cross_entropy learns one '
                "label a text; write one label a text, or learn several with --loss binary_cross_entropy"
            )
        if recipe.encoder.truncation == "head_and_tail" and "text_1" in columns:
            raise UsageError("--truncation head_and_tail is for single texts; of pairs the longer text loses its end")
        metrics = formulas.metrics(2, loss == "binary_cross_entropy")
        default = "accuracy" if loss == "cross_entropy" else "macro_f1"
        metric = primary_metric(recipe.evaluation.primary_metric, default, metrics)
        training = recipe.training
        return cls(
            columns,
            loss,
            metric,
            delimiter,
            training.class_weights,
            training.label_smoothing,
            recipe.encoder.truncation,
            flags,
            notes_on_columns(table, columns),
        )

    @property
    def several(self) -> bool:
        """Whether a text may have any number of labels."""
        return self.loss == "binary_cross_entropy"

    @property
    def info(self) -> TaskInfo:
        """What is particular to classification."""
        plain = self.loss == "cross_entropy" and not self.label_smoothing and self.class_weights == "none"
        return TaskInfo(
            name="classification",
            head="sequence_classification",
            head_purpose="labels",
            frozen_method="regression",
            loss=self.loss,
            example="test text" if "text" in self.columns else "test pair",
            primary_metric=self.primary_metric,
            metric_names=tuple(formulas.metrics(2, self.several)),
            columns=self.columns,
            description=self.description(),
            notes=self.notes,
            loss_metric="log_loss" if plain else None,
            one_label=not self.several,
            calibrates=True,
            defaults=DEFAULTS,
            saved_settings={"task": "classification", "truncation": self.truncation},
            model_files=("tokenizer_limit",),
            instead=INSTEAD,
        )

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The columns of the texts, side by side."""
        return tuple(self.columns[part] for part in ("text", "text_1", "text_2") if part in self.columns)

    def description(self, classes: int = 0) -> str:
        """Return in one sentence how the file was read, with the number of classes once that is known."""
        texts = " and ".join(f'"{column}"' for column in self.text_columns)
        what = "labelled texts" if "text" in self.columns else "labelled pairs of texts"
        many = "any number of labels a text" if self.several else "one label a text"
        named = f" ({classes} classes)" if classes else ""
        kept = f', kept together by "{self.columns["group"]}"' if "group" in self.columns else ""
        where = f"{len(self.flags)} columns of 0 and 1" if self.flags else f'"{self.columns["label"]}"'
        return f"{what}, {texts}, {many} in {where}{named}{kept}"

    def read(self, table: Table) -> Examples:
        """Return the examples of a table; rows with an empty text or without a label are skipped and named."""
        labels = LabelReader(table, self.columns["label"], self.delimiter, several=self.several)
        skipped: dict[str, list[int]] = {}
        examples: list[Example] = []
        shelf = shelf_for(table)
        for row in table.rows:
            texts = tuple(text(table, row, column) for column in self.text_columns)
            names = labels.read(row)
            if names is None or not all(side.strip() for side in texts):
                skipped.setdefault("no label" if names is None else "empty text", []).append(row.number)
                continue
            own = group(table, row, self.columns.get("group"))
            examples.append(Example(row.number, texts, group=own, labels=names).put_on(shelf))
        labels.refuse_vectors()
        problem = learning_problem(table, self.columns, [example.labels or () for example in examples])
        return Examples(examples, skipped, problem)

    def with_splits(self, splits: Mapping[str, Sequence[Example]], checkpoint: Checkpoint | None) -> Classification:
        """Return the task with the labels of the training examples, their weights, and notes about them.

        Where these are the very classes of the checkpoint, they stay in its order, so that its head can stay.

        Raises:
            DataError: the training examples have fewer than two labels, or the test has none of them.
        """
        counts = {
            split: Counter(name for example in examples for name in example.labels or ())
            for split, examples in splits.items()
        }
        labels = in_natural_order(counts["train"])
        if len(labels) < 2:
            raise DataError(
                f'every training example has the label "{"".join(labels)}"; expected at least 2 labels; take more '
                "examples, or another split"
            )
        classes = [] if checkpoint is None else classes_of(checkpoint)
        labels = classes if set(classes) == set(labels) else labels
        unseen = in_natural_order({*counts["validation"], *counts["test"]} - set(labels))
        weights = self._weights([counts["train"][name] for name in labels], len(splits["train"]))
        _refuse_other_labels(counts, labels)
        every = {id(example): example for examples in splits.values() for example in examples}
        notes = (
            *self.notes,
            *notes_on_labels(counts, labels, self.columns["label"], self.flags),
            *note_on_missing_texts(every.values()),
        )
        return self._task(labels, unseen, counts["test"], weights=weights, notes=notes)

    def with_saved_settings(self, settings: Mapping[str, Any]) -> ClassificationSpec:
        """Return the spec with texts cut as the saved model's training cut them."""
        return replace(self, truncation=settings.get("truncation", self.truncation))

    def for_model(self, checkpoint: Checkpoint, examples: Sequence[Example]) -> Classification:
        """Return the task for a model that has its labels already; others in the examples count as wrong.

        Raises:
            CheckpointError: the model gives no labels.
            DataError: the examples have none of its labels, or several a text where the model gives one.
        """
        classes = classes_of(checkpoint)
        if not classes:
            raise CheckpointError(
                f'"{checkpoint.name}" gives no labels, so there is nothing to measure on labelled texts; adapt it '
                "first, or name a run that classifies"
            )
        several = checkpoint.config.get("problem_type") == "multi_label_classification"
        if self.several and not several:
            raise DataError("one side has one label a text, the other several; compare like with like")
        spec = self
        if several and not self.several:
            spec = replace(self, loss="binary_cross_entropy", primary_metric="macro_f1")
        return spec.for_labels(classes, examples)

    def for_labels(self, labels: Sequence[str], examples: Sequence[Example]) -> Classification:
        """Return the task for labels that are fixed; others in the examples count as wrong.

        Raises:
            DataError: the examples have none of the labels.
        """
        names = {name for example in examples for name in example.labels or ()}
        if not names & set(labels):
            raise DataError(
                f"the examples have the labels {_listed(in_natural_order(names))}, the model knows "
                f"{_listed(labels)}; none of them is the same"
            )
        unseen = in_natural_order(names - set(labels))
        return self._task(labels, unseen, names, weights=(1.0,) * len(labels))

    @property
    def reads_scored_pairs(self) -> bool:
        """A general set may be scored pairs, too."""
        return True

    def general_spec(self, table: Table, recipe: Recipe) -> ClassificationSpec | None:
        """Return the spec of a general set of labelled texts for this domain; None where the table has no labels.

        Columns are those of the domain where the table has them, else those with usual names.
        """
        names = {column.strip().lower() for column in table.columns}
        if not has_columns(table, self.columns["label"]) and not names & set(USUAL_NAMES["label"]):
            return None
        own = {role: name for role, name in self.columns.items() if has_columns(table, name) and role != "group"}
        columns = {**own, "label_delimiter": recipe.columns.label_delimiter}
        return ClassificationSpec.for_table(table, recipe.with_sections(columns=columns, training={"loss": self.loss}))

    def general_task(
        self, general: TaskSpec, task: Task, checkpoint: Checkpoint, examples: Sequence[Example], path: str
    ) -> Classification:
        """Return the task that measures a general set with the labels of the domain.

        Raises:
            DataError: the set has other labels.
        """
        assert isinstance(general, ClassificationSpec)
        measured = general.for_labels(task.labels, examples)
        if measured.unseen:
            unknown = ", ".join(f'"{label}"' for label in measured.unseen[:5])
            raise DataError(f"{path}: holds the labels {unknown}, which the domain has not; expected only its own")
        return measured

    def _task(
        self,
        labels: Sequence[str],
        unseen: Sequence[str],
        tested: Iterable[str],
        *,
        weights: tuple[float, ...],
        notes: tuple[str, ...] = (),
    ) -> Classification:
        info = replace(self.info, description=self.description(len(labels)), notes=notes)
        return Classification(
            info,
            self.several,
            tuple(labels),
            tuple(unseen),
            tested=class_places(set(tested), (*labels, *unseen)),
            weights=weights,
            label_smoothing=self.label_smoothing,
            truncation=self.truncation,
            balanced=self.class_weights == "balanced",
        )

    def _weights(self, counts: Sequence[int], examples: int) -> tuple[float, ...]:
        """Return the weight of every class: alike, or so that each class (each yes and no) weighs as much in all."""
        if self.class_weights == "none":
            return (1.0,) * len(counts)
        if self.several:
            return tuple(max(examples - count, 1) / count for count in counts)
        return tuple(sum(counts) / (len(counts) * count) for count in counts)


def _refuse_other_labels(counts: Mapping[str, Counter[str]], labels: Sequence[str]) -> None:
    """Refuse a test of other labels than those of train: nothing of it could be right."""
    if counts["test"] and not set(counts["test"]) & set(labels):
        raise DataError(
            f"the test examples have the labels {_listed(in_natural_order(counts['test']))}, the training examples "
            f"{_listed(labels)}; none of them is the same; write them in one way"
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names[:6]) + (", …" if len(names) > 6 else "")
