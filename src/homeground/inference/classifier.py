"""A model in use: texts to labels with probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from homeground.checkpoint import Checkpoint, classes_of, read_settings
from homeground.data.tokens.tokenized import Sequences, tokenize_sequences
from homeground.engines import open_engine
from homeground.engines.model import Model, classifier_head, require_trained_head
from homeground.errors import UsageError, nearest
from homeground.inference.model_in_use import BATCH_SIZE, ModelInUse, listed_labels
from homeground.inference.texts import OneText, Texts, is_missing, read_texts, require_top
from homeground.statistics import classification as formulas
from homeground.statistics.classification import DECISION_THRESHOLD

SEPARATORS = (";", "|", ",")
"""Separators of the labels of one text in a file, the preferred one first."""

Text = str | tuple[str, str]


class Classifier(ModelInUse):
    """Predicts labels of texts; the probabilities of a text do not depend on the other texts of a call.

    For a model of pairs, each text is a pair ``(first, second)``. A missing text (None, NaN, or white space alone) gets
    no label (None) and probabilities of NaN, as it does in files. Texts longer than the model reads are cut as in
    training; ``truncated`` is their number over all calls.
    """

    def __init__(self, checkpoint: Checkpoint, *, engine: str = "torch") -> None:
        super().__init__(checkpoint, engine=engine)
        self.classes_: list[str] = classes_of(checkpoint)
        """The labels, in the order of the columns of ``predict_proba``."""
        self.several = checkpoint.config.get("problem_type") == "multi_label_classification"
        """Whether a text may have any number of labels."""
        settings = read_settings(checkpoint.folder / "homeground.json")
        self._truncation = str(settings.get("truncation", "head"))
        self.threshold = _threshold(settings)
        """The lowest probability with which a label is predicted; None where every text gets a label."""

    @cached_property
    def _model(self) -> Model:
        model = open_engine(self._engine).open_model(self.checkpoint, head="sequence_classification")
        require_trained_head(model, self.checkpoint, "labels")
        return model

    def predict_proba(
        self,
        texts: str | Iterable[OneText],
        *,
        batch_size: int = BATCH_SIZE,
        show_progress_bar: bool | None = False,
    ) -> NDArray[np.float64]:
        """Return the probability of every label for every text, ``(texts, classes)``; for one text ``(classes,)``.

        Rows sum to 1; where a text may have several labels, the probabilities of its labels are independent.

        Raises:
            UsageError: it is no text and no list of texts.
        """
        read = read_texts(texts, "predict_proba", pairs=True)
        return read.spread(self._probabilities(read, batch_size, show_progress_bar=show_progress_bar))

    def figures(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the probabilities of texts."""
        return self.predict_proba(texts)

    def embed(self, texts: Iterable[OneText], *, batch_size: int = BATCH_SIZE) -> NDArray[np.float32]:
        """Return the mean of the token vectors of every text, ``(texts, dimensions)``; similar texts are close."""
        read = read_texts(texts, "embed", pairs=True)
        rows = self._tokenized(read)
        head = classifier_head(self._model)
        return read.spread(
            self._map(
                rows.tokens.lengths, batch_size, lambda items: head.features(rows.pad(items, self._padding))["mean"]
            )
        )

    def abstains(self, probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return for rows of ``predict_proba`` whether no label is probable enough to be predicted, ``(texts,)``."""
        if self.threshold is None:
            return np.zeros(probabilities.shape[:-1], np.bool_)
        return probabilities.max(axis=-1) < self.threshold

    def confidence(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return for rows of ``predict_proba`` the probability that the prediction is right, ``(texts,)``.

        It is the probability of the predicted label; where a text may have several labels, that of the least certain
        decision whether a label applies.
        """
        if self.several:
            return np.maximum(probabilities, 1 - probabilities).min(axis=-1)
        return probabilities.max(axis=-1)

    def predict(
        self,
        texts: str | Iterable[OneText],
        *,
        top: int | None = None,
        batch_size: int = BATCH_SIZE,
        show_progress_bar: bool | None = False,
    ) -> Any:
        """Return the most probable label of every text, or the list of those with a probability of at least 0.5.

        The result for a text is None where its label is not probable enough for the target precision of the model. With
        ``top`` it is a list of the so many most probable labels, each with its probability. The result for one text is
        not in a list.

        Raises:
            UsageError: it is no text and no list of texts, or ``top`` is below 1.
        """
        require_top(top)
        read = read_texts(texts, "predict", pairs=True)
        probabilities = self._probabilities(read, batch_size, show_progress_bar=show_progress_bar)
        if top is not None:
            return read.spread_list([self.ranked(row, top) for row in probabilities])
        abstained = self.abstains(probabilities)
        return read.spread_list(
            [None if abstains else self._label(row) for row, abstains in zip(probabilities, abstained, strict=True)]
        )

    def ranked(self, probabilities: NDArray[np.float64], top: int | None = None) -> list[tuple[str, float]]:
        """Return the labels of a row of ``predict_proba``, the most probable first, with their probabilities."""
        order = np.argsort(-probabilities, kind="stable")[:top].tolist()
        return [(self.classes_[place], float(probabilities[place])) for place in order]

    def score(self, texts: Iterable[OneText], labels: Iterable[Any], *, batch_size: int = BATCH_SIZE) -> float:
        """Return the accuracy on texts whose labels are known, or macro F1 where a text may have several labels.

        Every text counts with its most probable label, those that ``predict`` abstains from included, as in
        ``evaluate``. A label that the model does not know counts as wrong. Pairs of texts and labels of which either is
        missing are left out.

        Raises:
            UsageError: texts and labels differ in number, or none of the labels is one of the model's.
        """
        read = read_texts(texts, "score", pairs=True)
        names = [self._names(each) for each in labels]
        if len(names) != len(read.items):
            raise UsageError(f"score takes a label for every text; got {len(read.items)} texts and {len(names)} labels")
        known = [name for each in names for name in each or () if name in self.classes_]
        kept = [at for at, item in enumerate(read.items) if item is not None and names[at] is not None]
        if not known or not kept:
            first = next((name for each in names for name in each or ()), "")
            raise UsageError(
                f'score: no text has one of the model\'s labels, e.g. "{first}"; {nearest(first, self.classes_)}'
            )
        read = Texts([read.items[at] for at in kept], single=False)
        probabilities = self._probabilities(read, batch_size)
        gold = [names[at] or () for at in kept]
        if not self.several:
            best = [self.classes_[place] for place in probabilities.argmax(axis=1)]
            return float(np.mean([own == (label,) for own, label in zip(gold, best, strict=True)]))
        # As in evaluate: the mean over the labels that occur in the test, those that the model does not know included.
        classes = [*self.classes_, *dict.fromkeys(name for own in gold for name in own if name not in self.classes_)]
        truth = np.array([[name in own for name in classes] for own in gold], np.int64)
        unknown = np.zeros((len(gold), len(classes) - len(self.classes_)))
        sums = formulas.statistics(np.hstack([probabilities, unknown]), truth).sum(axis=0)
        return float(formulas.macro_f1(sums, len(classes), np.flatnonzero(truth.any(axis=0)).tolist()))

    def _facts(self) -> dict[str, str]:
        several = {"several": "True"} if self.several else {}
        threshold = {} if self.threshold is None else {"threshold": f"{self.threshold:.4g}"}
        return {"labels": listed_labels(self.classes_), **several, **threshold}

    def _probabilities(
        self, texts: Texts, batch_size: int, *, show_progress_bar: bool | None = False
    ) -> NDArray[np.float64]:
        """Return the probabilities ``(texts that are not missing, classes)``."""
        rows = self._tokenized(texts)

        def predict(items: NDArray[np.int64]) -> NDArray[np.float32]:
            return self._model.predict(rows.pad(items, self._padding))["logits"]

        logits = self._map(rows.tokens.lengths, batch_size, predict, show_progress_bar=show_progress_bar)
        logits = logits.reshape(-1, len(self.classes_)).astype(np.float64)
        return np.asarray(expit(logits) if self.several else softmax(logits, axis=1), np.float64)

    def _label(self, probabilities: NDArray[np.float64]) -> str | list[str]:
        if self.several:
            return [self.classes_[place] for place in np.flatnonzero(probabilities >= DECISION_THRESHOLD)]
        return self.classes_[int(probabilities.argmax())]

    def _names(self, given: Any) -> tuple[str, ...] | None:
        """Return the names of the labels of one text, None where it has none; a number is named as JSON writes it."""
        if is_missing(given) or (isinstance(given, str) and not given.strip()):
            return None
        if isinstance(given, list | tuple | set | frozenset | np.ndarray):
            several = tuple(dict.fromkeys(_name(each) for each in cast(Iterable[Any], given)))
            if not self.several and len(several) != 1:
                raise UsageError(
                    f"score: the model gives one label a text; got {len(several)}: {listed_labels(several)}"
                )
            return several
        return (_name(given),)

    def _tokenized(self, texts: Texts) -> Sequences:
        rows = tokenize_sequences(texts.sides, self._tokenizer, truncation=self._truncation)
        self.truncated += rows.tokens.truncated
        return rows


def joined(labels: Sequence[str], classes: Sequence[str]) -> str | list[str]:
    """Return several labels as one value of a file, separated by the first of ``SEPARATORS`` that no class contains.

    Where each of them is part of some class, the labels stay a list.

    >>> joined(["a", "b"], ["a", "b"]), joined(["a", "b;c"], ["a", "b;c"]), joined(["a;b"], ["a;b", "c|d", "e,f"])
    ('a;b', 'a|b;c', ['a;b'])
    """
    separator = next((each for each in SEPARATORS if not any(each in name for name in classes)), None)
    return list(labels) if separator is None else separator.join(labels)


def _name(label: Any) -> str:
    """Return the name of a label: that of True is "true", as a column of booleans is read.

    >>> _name("spam"), _name(True), _name(3)
    ('spam', 'true', '3')
    """
    return str(label).lower() if isinstance(label, bool | np.bool_) else str(label)


def _threshold(settings: Mapping[str, Any]) -> float | None:
    """Return the lowest probability with which a saved model predicts a label."""
    abstain = settings.get("abstain")
    threshold = abstain.get("threshold") if isinstance(abstain, Mapping) else None
    return float(threshold) if isinstance(threshold, int | float) else None
