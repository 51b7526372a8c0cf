"""A model in use: texts to labels with probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from tokenizers import Tokenizer

from homeground.checkpoint import Checkpoint, classes_of, load_tokenizer, padding_id, read_settings
from homeground.data.tokenized import Sequences, map_longest_first, require_characters, tokenize_sequences
from homeground.engines import open_engine
from homeground.engines.model import Model, classifier_head, require_trained_head
from homeground.errors import UsageError
from homeground.inference.encoder import BATCH_SIZE
from homeground.statistics.classification import DECISION_THRESHOLD

SEPARATORS = (";", "|", ",")
"""Separators of the labels of one text in a file, the preferred one first."""

Text = str | tuple[str, str]


class Classifier:
    """Predicts labels of texts; the probabilities of a text do not depend on the other texts of a call.

    For a model of pairs, each text is a pair ``(first, second)``. Texts longer than the model reads are cut as in
    training; ``truncated`` is their number over all calls.
    """

    def __init__(self, checkpoint: Checkpoint, *, engine: str = "torch") -> None:
        self.checkpoint = checkpoint
        self.truncated = 0
        self.classes_: list[str] = classes_of(checkpoint)
        """The labels, in the order of the columns of ``predict_proba``."""
        self.several = checkpoint.config.get("problem_type") == "multi_label_classification"
        """Whether a text may have any number of labels."""
        self._engine = engine
        self._tokenizer: Tokenizer = load_tokenizer(checkpoint, max_length=checkpoint.max_length)
        self._padding = padding_id(checkpoint, self._tokenizer)
        settings = read_settings(checkpoint.folder / "homeground.json")
        self._truncation = str(settings.get("truncation", "head"))
        self.threshold = _threshold(settings)
        """The lowest probability with which a label is predicted; None where every text gets a label."""

    @cached_property
    def _model(self) -> Model:
        model = open_engine(self._engine).open_model(self.checkpoint, head="sequence_classification")
        require_trained_head(model, self.checkpoint, "labels")
        return model

    def predict_proba(self, texts: Sequence[Text], *, batch_size: int = BATCH_SIZE) -> NDArray[np.float64]:
        """Return the probability of every label for every text, ``(texts, classes)``.

        Rows sum to 1; where a text may have several labels, the probabilities of its labels are independent.
        """
        rows = self._rows(texts)

        def predict(items: NDArray[np.int64]) -> NDArray[np.float32]:
            return self._model.predict(rows.pad(items, self._padding))["logits"]

        logits = map_longest_first(rows.tokens.lengths, batch_size, predict)
        logits = logits.reshape(-1, len(self.classes_)).astype(np.float64)
        return np.asarray(expit(logits) if self.several else softmax(logits, axis=1), np.float64)

    def embed(self, texts: Sequence[Text], *, batch_size: int = BATCH_SIZE) -> NDArray[np.float32]:
        """Return the mean of the token vectors of every text, ``(texts, dimensions)``; similar texts are close."""
        rows = self._rows(texts)
        head = classifier_head(self._model)
        return map_longest_first(
            rows.tokens.lengths, batch_size, lambda items: head.features(rows.pad(items, self._padding))["mean"]
        )

    def abstains(self, probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return for rows of ``predict_proba`` whether no label is probable enough to be predicted, ``(texts,)``."""
        if self.threshold is None:
            return np.zeros(len(probabilities), np.bool_)
        return probabilities.max(axis=1) < self.threshold

    def predict(self, texts: Sequence[Text], *, batch_size: int = BATCH_SIZE) -> list[Any]:
        """Return the most probable label of every text, or the list of those with a probability of at least 0.5.

        The result for a text is None where its label is not probable enough for the target precision of the model.
        """
        probabilities = self.predict_proba(texts, batch_size=batch_size)
        if self.several:
            return [
                [self.classes_[index] for index in np.flatnonzero(row >= DECISION_THRESHOLD)] for row in probabilities
            ]
        best = zip(probabilities.argmax(1), self.abstains(probabilities), strict=True)
        return [None if abstains else self.classes_[index] for index, abstains in best]

    def _rows(self, texts: Sequence[Text]) -> Sequences:
        """Tokenize texts, or pairs of texts."""
        if isinstance(texts, str):
            raise UsageError("predict takes a list of texts; got one text; write predict([text])")
        sequences = [(text,) if isinstance(text, str) else tuple(text) for text in texts]
        if {len(sequence) for sequence in sequences} not in (set(), {1}, {2}):
            raise UsageError("predict takes a list of texts, or a list of pairs of texts; got a mixture")
        require_characters(text for sequence in sequences for text in sequence)
        rows = tokenize_sequences(sequences, self._tokenizer, truncation=self._truncation)
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


def _threshold(settings: Mapping[str, Any]) -> float | None:
    """Return the lowest probability with which a saved model predicts a label."""
    abstain = settings.get("abstain")
    threshold = abstain.get("threshold") if isinstance(abstain, Mapping) else None
    return float(threshold) if isinstance(threshold, int | float) else None
