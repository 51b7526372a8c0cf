"""Classification: a text, or a pair of texts, is given one label of several, or any number of labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from tokenizers import Tokenizer

from homeground.checkpoint import Checkpoint, classes_of
from homeground.data.examples import Example, Examples
from homeground.data.tables import Table, group, text
from homeground.data.tokenized import Sequences, tokenize_sequences
from homeground.data.units import PairUnits
from homeground.errors import DataError, UsageError, nearest
from homeground.recipe.recipe import Recipe
from homeground.statistics import classification as formulas
from homeground.tasks.classification.bag_of_words import label_frequencies, tf_idf
from homeground.tasks.classification.labels import (
    LabelReader,
    find_label_columns,
    in_natural_order,
    refuse_no_labels,
    remarks_on,
)
from homeground.tasks.classification.rare_classes import FEWEST_OF_A_CLASS, interval_of_f1, too_rare, units_of_classes
from homeground.tasks.task import Batch, Measured, Metric, Occasion, RareClass, Side, Split

LOSSES = ("cross_entropy", "binary_cross_entropy")


@dataclass(frozen=True)
class LabelledRows:
    """Tokenized examples with their labels.

    ``labels`` are class numbers ``(examples,)``, or 0 and 1 of shape ``(examples, classes)`` where there may be several
    a text. Classes from ``len(task.labels)`` on do not occur in training.
    """

    texts: Sequences
    labels: NDArray[np.int64]
    padding: int

    @property
    def truncated(self) -> int:
        """Texts that lost tokens to the maximum length."""
        return self.texts.tokens.truncated

    def lengths(self, occasion: Occasion) -> NDArray[np.int64]:
        """Tokens of every example, the same on every occasion."""
        return self.texts.tokens.lengths


@dataclass(frozen=True)
class Classification:
    """One label of several for every text, decided by accuracy; or any number of labels, decided by macro F1.

    ``labels`` are the classes of the model, those of the training examples; ``unseen`` are labels of validation or test
    examples that training has none of. ``tested`` are the places among both of the labels that the test examples have:
    macro F1 is the mean over these. ``weights`` weigh the classes in the loss: all of a class where each text has one
    label, its positives where it may have several.
    """

    columns: Mapping[str, str]
    loss: str
    primary_metric: str
    delimiter: str | None = None
    class_weights: Literal["none", "balanced"] = "none"
    label_smoothing: float = 0.0
    truncation: Literal["head", "head_and_tail"] = "head"
    labels: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    tested: tuple[int, ...] | None = None
    weights: tuple[float, ...] = ()
    remarks: tuple[str, ...] = ()
    name: str = "classification"
    head: str = "sequence_classification"
    pipeline_tag: str = "text-classification"
    in_batch_negatives: bool = False
    margin: float = 0.01

    @classmethod
    def for_table(cls, table: Table, recipe: Recipe) -> Classification:
        """Return the task for the columns of a table; lists, or a delimiter, make several labels a text.

        Raises:
            DataError: text or label cannot be told.
            UsageError: the loss, the metric or the truncation does not go with the columns.
        """
        columns = find_label_columns(table, recipe)
        delimiter = recipe.columns.label_delimiter
        several = delimiter is not None or any(isinstance(row.values[columns["label"]], list) for row in table.rows)
        loss = recipe.training.loss
        if loss == "auto":
            loss = "binary_cross_entropy" if several else "cross_entropy"
        if loss not in LOSSES:
            raise UsageError(f"--loss {loss} is not for labelled texts; {nearest(loss, LOSSES)}")
        if several and loss == "cross_entropy":
            raise UsageError(
                f'--loss cross_entropy learns one label a text; column "{columns["label"]}" of {table.path} holds '
                "several; use --loss binary_cross_entropy"
            )
        if recipe.encoder.truncation == "head_and_tail" and "text_1" in columns:
            raise UsageError("--truncation head_and_tail is for single texts; of pairs the longer text loses its end")
        metrics = formulas.metrics(2, loss == "binary_cross_entropy")
        metric = recipe.evaluation.primary_metric or ("accuracy" if loss == "cross_entropy" else "macro_f1")
        if metric not in metrics:
            raise UsageError(f'--primary-metric "{metric}" is not measured on this data; {nearest(metric, metrics)}')
        training = recipe.training
        return cls(
            columns,
            loss,
            metric,
            delimiter,
            training.class_weights,
            training.label_smoothing,
            recipe.encoder.truncation,
        )

    @property
    def several(self) -> bool:
        """Whether a text may have any number of labels."""
        return self.loss == "binary_cross_entropy"

    @property
    def noun(self) -> str:
        """A test example is a text or a pair."""
        return "test text" if "text" in self.columns else "test pair"

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Every metric by name, as a function of summed statistics; labels unseen in training are classes too."""
        return formulas.metrics(len(self.labels) + len(self.unseen), self.several, tested=self.tested)

    @property
    def greater_is_better(self) -> Mapping[str, bool]:
        """Which metrics are better the greater they are."""
        return formulas.GREATER_IS_BETTER

    @property
    def loss_metric(self) -> str | None:
        """The log loss, where that is what is minimized."""
        plain = self.loss == "cross_entropy" and not self.label_smoothing and self.class_weights == "none"
        return "log_loss" if plain else None

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The columns of the texts, side by side."""
        return tuple(self.columns[part] for part in ("text", "text_1", "text_2") if part in self.columns)

    def on(self, examples: Sequence[Example], *, choosing: bool = False) -> Classification:
        """Return the task whose macro F1 is the mean over the classes that some examples have."""
        given = {name for example in examples for name in example.labels or ()}
        return replace(self, tested=_places(given, (*self.labels, *self.unseen)))

    def trained_with(self, seed: int) -> Classification:
        """Return the task as it is: nothing of it is random."""
        return self

    def settings(self) -> dict[str, Any]:
        """Return what a saved model must know besides its config: the task and how long texts are cut."""
        return {"task": self.name, "truncation": self.truncation}

    def understood(self) -> str:
        """Say in one sentence how the file was understood."""
        texts = " and ".join(f'"{column}"' for column in self.text_columns)
        what = "labelled texts" if "text" in self.columns else "labelled pairs of texts"
        many = "any number of labels a text" if self.several else "one label a text"
        named = f" ({len(self.labels)} classes)" if self.labels else ""
        kept = f', kept together by "{self.columns["group"]}"' if "group" in self.columns else ""
        return f'{what}, {texts}, {many} in "{self.columns["label"]}"{named}{kept}'

    def read(self, table: Table) -> Examples:
        """Return the examples of a table; rows with an empty text or without a label are set aside and named."""
        labels = LabelReader(table, self.columns["label"], self.delimiter)
        aside: dict[str, list[int]] = {}
        examples: list[Example] = []
        for row in table.rows:
            texts = tuple(text(table, row, column) for column in self.text_columns)
            names = labels.read(row)
            if names is None or not all(side.strip() for side in texts):
                aside.setdefault("no label" if names is None else "empty text", []).append(row.number)
                continue
            own = group(table, row, self.columns.get("group"))
            examples.append(Example(row.number, texts, group=own, labels=names))
        refuse_no_labels(table, self.columns, [example.labels or () for example in examples])
        return Examples(examples, aside)

    def settled(self, parts: Mapping[str, Sequence[Example]], checkpoint: Checkpoint | None) -> Classification:
        """Return the task with the labels of the training examples, their weights, and what to know about them.

        Where these are the very classes of the checkpoint, they stay in its order, so that its head can stay.

        Raises:
            DataError: the training examples have fewer than two labels.
        """
        counts = {
            split: Counter(name for example in examples for name in example.labels or ())
            for split, examples in parts.items()
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
        remarks = remarks_on(counts, labels)
        return replace(
            self,
            labels=tuple(labels),
            unseen=tuple(unseen),
            tested=_places(counts["test"], (*labels, *unseen)),
            weights=self._weights([counts["train"][name] for name in labels], len(parts["train"])),
            remarks=tuple(remarks),
        )

    def for_labels(self, labels: Sequence[str], examples: Sequence[Example]) -> Classification:
        """Return the task for a model that has these labels already; others in the examples count as wrong.

        Raises:
            DataError: the examples have none of the labels.
        """
        given = {name for example in examples for name in example.labels or ()}
        if not given & set(labels):
            raise DataError(
                f"the examples have the labels {_listed(in_natural_order(given))}, the model knows "
                f"{_listed(labels)}; none of them is the same"
            )
        unseen = in_natural_order(given - set(labels))
        return replace(
            self,
            labels=tuple(labels),
            unseen=tuple(unseen),
            tested=_places(given, (*labels, *unseen)),
            weights=(1.0,) * len(labels),
        )

    def tokenize(self, examples: Sequence[Example], tokenizer: Tokenizer, padding: int) -> LabelledRows:
        """Tokenize every example once, a pair as one sequence."""
        texts = tokenize_sequences([example.texts for example in examples], tokenizer, truncation=self.truncation)
        places = {name: place for place, name in enumerate((*self.labels, *self.unseen))}
        named = [[places[name] for name in example.labels or ()] for example in examples]
        if not self.several:
            return LabelledRows(texts, np.array([places[0] for places in named], np.int64), padding)
        labels = np.zeros((len(examples), len(places)), np.int64)
        for row, own in enumerate(named):
            labels[row, np.array(own, np.int64)] = 1
        return LabelledRows(texts, labels, padding)

    def collate(
        self, rows: LabelledRows, items: NDArray[np.int64], occasion: Occasion, *, epoch: int = 0
    ) -> tuple[Batch, float]:
        """Return a padded batch ``(items, length)``; to learn from, with targets and weights ``(items, classes)``.

        The targets are smoothed labels. The denominator is the sum of the items' class weights; where a text may have
        several labels, the number of labels that could be given.
        """
        batch: dict[str, NDArray[Any]] = {**rows.texts.pad(items, rows.padding)}
        if occasion == "measuring":
            return batch, float(len(items))
        classes, smoothing = len(self.labels), self.label_smoothing
        weights = np.asarray(self.weights)
        if self.several:
            given = rows.labels[items, :classes]
            targets = given * (1 - smoothing) + smoothing / 2
            batch["weights"] = np.where(given > 0, weights, 1.0).astype(np.float32)
            denominator = float(given.size)
        else:
            known = np.eye(classes + len(self.unseen))[rows.labels[items], :classes]
            # A label that training has none of has no place in the loss.
            inside = known.sum(1, keepdims=True)
            targets = (known * (1 - smoothing) + inside * smoothing / classes) * weights
            denominator = max(float((known * weights).sum()), 1e-12)
        batch["targets"] = targets.astype(np.float32)
        return batch, denominator

    def reduce(self, batch: Batch, outputs: Batch) -> NDArray[np.float64]:
        """Return the probabilities ``(items, classes)``, computed in float64 from the logits."""
        logits = outputs["logits"].astype(np.float64)
        return np.asarray(expit(logits) if self.several else softmax(logits, axis=1))

    def score(self, rows: LabelledRows, reduced: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probabilities as they are, ``(examples, classes)``."""
        return reduced

    def measure(self, rows: LabelledRows, predictions: NDArray[np.float64]) -> Measured:
        """Return the metrics of probabilities ``(examples, classes)``, with the statistics they follow from."""
        probabilities = self._with_unseen(predictions)
        statistics = formulas.statistics(probabilities, rows.labels)
        sums = statistics.sum(0)
        scores = {name: float(metric(sums)) for name, metric in self.metrics.items()}
        area = formulas.roc_auc(probabilities, rows.labels)
        scores |= {} if area is None else {"roc_auc": area}
        return Measured(predictions, statistics, {name: value for name, value in scores.items() if np.isfinite(value)})

    def discordant(self, before: Measured, after: Measured) -> int | None:
        """Return how many examples only one side got right, where accuracy decides."""
        if self.primary_metric != "accuracy":
            return None
        return int((before.statistics[:, formulas.RIGHT] != after.statistics[:, formulas.RIGHT]).sum())

    def too_rare(self, metric: str, measured: Measured, units: PairUnits) -> RareClass | None:
        """Return the rarest class of the examples where macro F1 is asked for and too few units have that class."""
        classes = (*self.labels, *self.unseen)
        if metric != "macro_f1":
            return None
        first = formulas.FOUND + len(classes)
        return too_rare(classes, measured.statistics[:, first : first + len(classes)], units.units)

    def line(self, example: Example, before: NDArray[np.float64], after: NDArray[np.float64]) -> dict[str, Any]:
        """Return the texts and labels of one example, and what was predicted before and after."""
        names = ("text",) if len(example.texts) == 1 else ("text_1", "text_2")
        given: Any = list(example.labels or ()) if self.several else (example.labels or ("",))[0]
        sides = {"before": self._said(before), "after": self._said(after)}
        return {**dict(zip(names, example.texts, strict=True)), "label": given, **sides}

    def baselines(self, train: Split, test: Split) -> dict[str, NDArray[np.float64]]:
        """Return what the label frequencies and TF-IDF with logistic regression predict for the test examples."""
        truth = self._indicators(train.examples)
        texts, asked = ([" ".join(example.texts) for example in part.examples] for part in (train, test))
        return {
            "majority class": label_frequencies(truth, len(asked)),
            "TF-IDF": tf_idf(texts, truth, asked, several=self.several),
        }

    def exhibits(self, test: Split, titles: list[str] | None, before: Side, after: Side) -> dict[str, Any]:
        """Return classes, confusion matrices, scores per class with intervals, reliability and McNemar's test."""
        classes = [*self.labels, *self.unseen]
        truth = self._truth(test.examples)
        sides = {"before": before, "after": after}
        given = {name: self._with_unseen(side.measured.predictions) for name, side in sides.items()}
        right = {name: formulas.correct(values, truth) for name, values in given.items()}
        matrices = None
        if not self.several:
            matrices = {name: formulas.confusion(v, truth, len(classes)).tolist() for name, v in given.items()}
        return {
            "classes": classes,
            "confusion": matrices,
            "per_class": {name: self._per_class(given[name], truth, side) for name, side in sides.items()},
            "reliability": {name: formulas.reliability(values, truth) for name, values in given.items()},
            "mcnemar": asdict(formulas.mcnemar(right["before"], right["after"])),
        }

    def _per_class(self, given: NDArray[np.float64], truth: NDArray[np.int64], side: Side) -> list[dict[str, Any]]:
        found, classes = formulas.per_class(given, truth), given.shape[1]
        intervals = side.intervals([formulas.f1_of_class(place, classes) for place in range(classes)])
        held = units_of_classes(np.eye(classes)[truth] if truth.ndim == 1 else truth, side.units)
        sums = side.measured.statistics.sum(0)[formulas.FOUND :][: 3 * classes].reshape(3, classes)
        wrong = sums[1] + sums[2] - 2 * sums[0]
        intervals = [
            interval_of_f1(int(sums[0, place]), int(wrong[place]), each)
            if held[place] >= FEWEST_OF_A_CLASS
            else (None, None)
            for place, each in enumerate(intervals)
        ]
        return [
            {
                "label": label,
                "precision": float(found.precision[place]),
                "recall": float(found.recall[place]),
                "f1": float(found.f1[place]),
                "support": int(found.support[place]),
                "low": intervals[place][0],
                "high": intervals[place][1],
            }
            for place, label in enumerate((*self.labels, *self.unseen))
        ]

    def _truth(self, examples: Sequence[Example]) -> NDArray[np.int64]:
        several = self._indicators(examples, every=True)
        return several if self.several else several.argmax(1)

    def _indicators(self, examples: Sequence[Example], *, every: bool = False) -> NDArray[np.int64]:
        """Return labels as 0 and 1, ``(examples, classes)``; with ``every`` those unseen in training too."""
        places = {name: place for place, name in enumerate((*self.labels, *(self.unseen if every else ())))}
        given = np.zeros((len(examples), len(places)), np.int64)
        for row, example in enumerate(examples):
            own = [places[name] for name in example.labels or () if name in places]
            given[row, np.array(own, np.int64)] = 1
        return given

    def _with_unseen(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add the labels that no model knows, with probability 0."""
        return np.pad(probabilities, ((0, 0), (0, len(self.unseen))))

    def _said(self, probabilities: NDArray[np.float64]) -> dict[str, Any]:
        if not self.several:
            best = int(probabilities.argmax())
            return {"label": self.labels[best], "probability": round(float(probabilities[best]), 6)}
        chosen = probabilities >= formulas.THRESHOLD
        sure = float(np.where(chosen, probabilities, 1 - probabilities).prod())
        names = [name for name, given in zip(self.labels, chosen, strict=True) if given]
        return {"label": names, "probability": round(sure, 6)}

    def _weights(self, counts: Sequence[int], examples: int) -> tuple[float, ...]:
        """Return the weight of every class: alike, or so that each class (each yes and no) weighs as much in all."""
        if self.class_weights == "none":
            return (1.0,) * len(counts)
        if self.several:
            return tuple(max(examples - count, 1) / count for count in counts)
        return tuple(sum(counts) / (len(counts) * count) for count in counts)


def _places(given: Container[str], classes: Sequence[str]) -> tuple[int, ...] | None:
    """Return the places of the classes that are given to some example, None where no example has a label."""
    return tuple(place for place, name in enumerate(classes) if name in given) or None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names[:6]) + (", …" if len(names) > 6 else "")
