"""A classifier in use: texts to labels with probabilities, from a run, a model folder or a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from tokenizers import Tokenizer

from homeground.checkpoint import Checkpoint, classes_of, load_tokenizer, padding_id, read_settings
from homeground.data.tokenized import Sequences, require_characters, tokenize_sequences
from homeground.engines import open_engine
from homeground.engines.model import Model, classifier_head
from homeground.errors import UsageError

BATCH_SIZE = 64
THRESHOLD = 0.5
JOINING = (";", "|", ",")
"""What may stand between the labels of one text in a file."""

Text = str | tuple[str, str]


class Classifier:
    """Gives texts labels; the same text gets the same probabilities whatever it is predicted with.

    Where the model learned pairs, each text is a pair ``(first, second)``. Texts longer than the model reads are cut as
    in training, which ``truncated`` counts over all calls.
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
        """The confidence from which it answers, None where it always does."""

    @cached_property
    def _model(self) -> Model:
        return open_engine(self._engine).open_model(self.checkpoint, head="sequence_classification")

    def predict_proba(self, texts: Sequence[Text], *, batch_size: int = BATCH_SIZE) -> NDArray[np.float64]:
        """Return the probability of every label for every text, ``(texts, classes)``.

        Rows sum to 1, but where a text may have several labels each label has a probability of its own.
        """
        rows = self._rows(texts)
        order = np.argsort(-rows.tokens.lengths, kind="stable")
        logits = np.empty((len(order), len(self.classes_)))
        for start in range(0, len(order), batch_size):
            items = order[start : start + batch_size]
            logits[items] = self._model.predict(rows.pad(items, self._padding))["logits"]
        return np.asarray(expit(logits) if self.several else softmax(logits, axis=1), np.float64)

    def embed(self, texts: Sequence[Text], *, batch_size: int = BATCH_SIZE) -> NDArray[np.float32]:
        """Return the mean of the token vectors of every text, ``(texts, dimensions)``: like texts, like vectors."""
        rows = self._rows(texts)
        order = np.argsort(-rows.tokens.lengths, kind="stable")
        head = classifier_head(self._model)
        parts: list[NDArray[np.float32]] = []
        for start in range(0, len(order), batch_size):
            items = order[start : start + batch_size]
            parts.append(head.features(rows.pad(items, self._padding))["mean"])
        return np.concatenate(parts)[np.argsort(order)] if parts else np.empty((0, 0), np.float32)

    def abstains(self, probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell of rows of ``predict_proba`` for which texts no label is sure enough, ``(texts,)``."""
        if self.threshold is None:
            return np.zeros(len(probabilities), np.bool_)
        return probabilities.max(axis=1) < self.threshold

    def predict(self, texts: Sequence[Text], *, batch_size: int = BATCH_SIZE) -> list[Any]:
        """Return the most probable label of every text, or the list of those that are likelier than not.

        None stands for a text whose label is not sure enough, where the model was adapted to a target precision.
        """
        probabilities = self.predict_proba(texts, batch_size=batch_size)
        if self.several:
            return [[self.classes_[place] for place in np.flatnonzero(row >= THRESHOLD)] for row in probabilities]
        unsure = self.abstains(probabilities)
        return [
            None if out else self.classes_[place] for place, out in zip(probabilities.argmax(1), unsure, strict=True)
        ]

    def _rows(self, texts: Sequence[Text]) -> Sequences:
        """Tokenize texts, or pairs of texts."""
        if isinstance(texts, str):
            raise UsageError("predict takes a list of texts; got one text; write predict([text])")
        sequences = [(text,) if isinstance(text, str) else tuple(text) for text in texts]
        if {len(own) for own in sequences} - {1, 2} or len({len(own) for own in sequences}) > 1:
            raise UsageError("predict takes a list of texts, or a list of pairs of texts; got a mixture")
        require_characters(side for own in sequences for side in own)
        rows = tokenize_sequences(sequences, self._tokenizer, truncation=self._truncation)
        self.truncated += rows.tokens.truncated
        return rows


def joined(chosen: Sequence[str], classes: Sequence[str]) -> str | list[str]:
    """Return several labels as one value of a file, joined by the first of ``JOINING`` that no class holds.

    Where every one of them stands in some class, the labels stay a list.

    >>> joined(["a", "b"], ["a", "b"]), joined(["a", "b;c"], ["a", "b;c"]), joined(["a;b"], ["a;b", "c|d", "e,f"])
    ('a;b', 'a|b;c', ['a;b'])
    """
    mark = next((mark for mark in JOINING if not any(mark in name for name in classes)), None)
    return list(chosen) if mark is None else mark.join(chosen)


def _threshold(settings: Mapping[str, Any]) -> float | None:
    """Return the confidence from which a saved model answers."""
    kept = settings.get("abstain")
    threshold = kept.get("threshold") if isinstance(kept, Mapping) else None
    return float(threshold) if isinstance(threshold, int | float) else None
