"""Classification: a text, or a pair of texts, is given one label of several, or any number of labels."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from homeground.data.examples import Example, link
from homeground.data.tokens.tokenized import Sequences, TextTokens
from homeground.statistics import classification as formulas
from homeground.tasks.classification.bag_of_words import (
    BagOfWords,
    fit_bag_of_words,
    joined_texts,
    label_frequencies,
)
from homeground.tasks.classification.rare_classes import FEWEST_OF_A_CLASS, interval_of_f1, too_rare, units_of_classes
from homeground.tasks.task import (
    Batch,
    MeasuredModel,
    Measurement,
    Metric,
    Occasion,
    RareClass,
    TaskInfo,
    TokenizedExamples,
    defined_scores,
)

MAX_CLASSES_OF_MATRIX = 1000
"""The most classes whose confusions are in scores.json as a matrix: it grows with the square of their number."""


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

    @property
    def passes(self) -> int:
        """Everything is measured once."""
        return 1

    def lengths(self, occasion: Occasion) -> NDArray[np.int64]:
        """Tokens of every example, the same on every occasion."""
        return self.texts.tokens.lengths

    def label_places(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the items: each has its label."""
        return items


@dataclass(frozen=True)
class Classification:
    """One label of several for every text, decided by accuracy; or any number of labels, decided by macro F1.

    ``labels`` are the classes of the model, those of the training examples; ``unseen`` are labels of validation or test
    examples that training has none of. ``tested`` are the places among both of the labels that the test examples have:
    macro F1 is the mean over these. ``weights`` weigh the classes in the loss: all of a class where each text has one
    label, its positives where it may have ``several``; ``balanced`` says that each class weighs as much in all.
    """

    info: TaskInfo
    several: bool
    labels: tuple[str, ...]
    unseen: tuple[str, ...]
    tested: tuple[int, ...] | None
    weights: tuple[float, ...]
    label_smoothing: float = 0.0
    truncation: Literal["head", "head_and_tail"] = "head"
    balanced: bool = False

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Every metric by name, as a function of summed statistics; labels unseen in training are classes too."""
        return formulas.metrics(len(self.labels) + len(self.unseen), self.several, tested=self.tested)

    def for_examples(self, examples: Sequence[Example], *, to_choose: bool = False) -> Classification:
        """Return the task whose macro F1 is the mean over the classes that some examples have."""
        names = {name for example in examples for name in example.labels or ()}
        return replace(self, tested=class_places(names, (*self.labels, *self.unseen)))

    def tokenize(self, examples: Sequence[Example], tokens: TextTokens) -> LabelledRows:
        """Tokenize every example once, a pair as one sequence."""
        texts = tokens.tokenize_sequences([example.texts for example in examples], truncation=self.truncation)
        places = {name: place for place, name in enumerate((*self.labels, *self.unseen))}
        named = [[places[name] for name in example.labels or ()] for example in examples]
        if not self.several:
            return LabelledRows(texts, np.array([places[0] for places in named], np.int64), tokens.padding)
        labels = np.zeros((len(examples), len(places)), np.int64)
        for row, own in enumerate(named):
            labels[row, np.array(own, np.int64)] = 1
        return LabelledRows(texts, labels, tokens.padding)

    def collate(
        self, rows: LabelledRows, items: NDArray[np.int64], occasion: Occasion, *, epoch: int = 0, seed: int = 0
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

    def measure(self, rows: LabelledRows, predictions: NDArray[np.float64]) -> Measurement:
        """Return the metrics of probabilities ``(examples, classes)``, with the statistics they follow from."""
        probabilities = self._with_unseen(predictions)
        statistics = formulas.statistics(probabilities, rows.labels)
        scores = defined_scores(self.metrics, statistics)
        area = formulas.roc_auc(probabilities, rows.labels)
        scores |= {} if area is None else {"roc_auc": area}
        return Measurement(predictions, statistics, scores)

    def rare_class(self, metric: str, measurement: Measurement, units: NDArray[np.int64]) -> RareClass | None:
        """Return the rarest class of the examples where macro F1 is the metric and too few units have that class."""
        classes = (*self.labels, *self.unseen)
        if metric != "macro_f1":
            return None
        first = formulas.FIRST_CLASS_COLUMN + len(classes)
        return too_rare(classes, measurement.statistics[:, first : first + len(classes)], units)

    def shares_of_classes(self, metric: str, measurement: Measurement) -> NDArray[np.float64] | None:
        """Return by how much each example can move macro F1: the rarer its class, the more; None for other metrics."""
        if metric != "macro_f1":
            return None
        count = len(self.labels) + len(self.unseen)
        first = formulas.FIRST_CLASS_COLUMN + count
        true = measurement.statistics[:, first : first + count]
        return (true / np.maximum(true.sum(axis=0), 1)).sum(axis=1)

    def example_line(self, example: Example, before: NDArray[np.float64], after: NDArray[np.float64]) -> dict[str, Any]:
        """Return the texts and labels of one example, and what was predicted before and after."""
        names = ("text",) if len(example.texts) == 1 else ("text_1", "text_2")
        given: Any = list(example.labels or ()) if self.several else (example.labels or ("",))[0]
        sides = {"before": self._said(before), "after": self._said(after)}
        return {**dict(zip(names, example.texts, strict=True)), "label": given, **sides}

    def baselines(self, train: TokenizedExamples, test: TokenizedExamples) -> dict[str, NDArray[np.float64]]:
        """Return what the label frequencies and the classifier on words and characters predict for the test."""
        frequencies = label_frequencies(self._indicators(train.examples), len(test.examples))
        return {"majority class": frequencies, self.kept_baseline: self.fit_baseline(train).predict(test.examples)}

    @property
    def kept_baseline(self) -> str:
        """The name of the classifier on words and characters among the baselines."""
        return "TF-IDF"

    def fit_baseline(self, train: TokenizedExamples) -> BagOfWords:
        """Return the classifier on words and characters of the training examples."""
        truth, units = self._indicators(train.examples), link(train.examples).units
        return fit_bag_of_words(joined_texts(train.examples), truth, units, self.labels, several=self.several)

    def read_baseline(self, folder: Path) -> BagOfWords:
        """Return the classifier on words and characters that was saved to a folder."""
        return BagOfWords.read(folder)

    def report_details(
        self, test: TokenizedExamples, titles: Sequence[str] | None, before: MeasuredModel, after: MeasuredModel
    ) -> dict[str, Any]:
        """Return classes, confusion matrices, scores per class with intervals, reliability and McNemar's test."""
        classes = [*self.labels, *self.unseen]
        truth = self._truth(test.examples)
        sides = {"before": before, "after": after}
        given = {name: self._with_unseen(side.measurement.predictions) for name, side in sides.items()}
        right = {name: formulas.correct(values, truth) for name, values in given.items()}
        matrices = None
        if not self.several and len(classes) <= MAX_CLASSES_OF_MATRIX:
            matrices = {name: formulas.confusion(v, truth, len(classes)).tolist() for name, v in given.items()}
        return {
            "classes": classes,
            "confusion": matrices,
            "per_class": {name: self._per_class(given[name], truth, side) for name, side in sides.items()},
            "reliability": {name: formulas.reliability(values, truth) for name, values in given.items()},
            "mcnemar": asdict(formulas.mcnemar(right["before"], right["after"])),
        }

    def _per_class(
        self, given: NDArray[np.float64], truth: NDArray[np.int64], side: MeasuredModel
    ) -> list[dict[str, Any]]:
        found, classes = formulas.per_class(given, truth), given.shape[1]
        intervals = side.intervals([formulas.f1_of_class(place, classes) for place in range(classes)])
        held = units_of_classes(np.eye(classes)[truth] if truth.ndim == 1 else truth, side.units)
        hits, actual, predicted = (
            block.T for block in np.split(self._class_columns(side.measurement, classes), 3, axis=1)
        )
        for place, each in enumerate(intervals):
            concerned = (actual[place] > 0) | (predicted[place] > 0)
            # Texts of one unit count as one, as in the resamples.
            scale = len(np.unique(side.units[concerned])) / max(int(concerned.sum()), 1)
            right = float(hits[place].sum())
            wrong = float(actual[place].sum() + predicted[place].sum()) - 2 * right
            intervals[place] = (
                interval_of_f1(scale * right, scale * wrong, each) if held[place] >= FEWEST_OF_A_CLASS else (None, None)
            )
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

    def _class_columns(self, measurement: Measurement, classes: int) -> NDArray[np.float64]:
        """Return hits, true and predicted classes of every example, ``(examples, 3 classes)``."""
        return measurement.statistics[:, formulas.FIRST_CLASS_COLUMN :][:, : 3 * classes]

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
        chosen = probabilities >= formulas.DECISION_THRESHOLD
        sure = float(np.where(chosen, probabilities, 1 - probabilities).prod())
        names = [name for name, given in zip(self.labels, chosen, strict=True) if given]
        return {"label": names, "probability": round(sure, 6)}


def class_places(given: Container[str], classes: Sequence[str]) -> tuple[int, ...] | None:
    """Return the places of the classes that are given to some example, None where no example has a label."""
    return tuple(place for place, name in enumerate(classes) if name in given) or None
