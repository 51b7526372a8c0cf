"""An exported model beside the model that it was made from: outputs, scores and speed on the same batches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from homeground.data.tokens.tokenized import batches_longest_first, map_longest_first
from homeground.engines.model import Batch, Model, Outputs
from homeground.evaluation.evaluation_set import EvaluationSet
from homeground.statistics.classification import DECISION_THRESHOLD
from homeground.tasks.task import Measurement

Floats = NDArray[np.float64]

TIMED_ROUNDS = 7
"""How often both models are timed in turn; the median of the ratios counts."""

SECONDS_A_ROUND = 1.0
"""About how long the model itself is timed for in a round."""

MAX_TIMED_ITEMS = 512
"""Test items that are timed at most."""


@dataclass(frozen=True)
class Parity:
    """How far the outputs of two models differ.

    ``largest`` is the largest absolute difference of a value in ``outputs``: probabilities, log probabilities, or the
    components of embeddings of length 1. ``equal`` is the share of equal predictions, None of embeddings, which predict
    nothing by themselves; ``lowest_cosine`` is that of the two embeddings of a text, None of other models.
    """

    outputs: str
    largest: float
    equal: float | None
    lowest_cosine: float | None
    compared: int


@dataclass(frozen=True)
class Speed:
    """How much faster the exported model is: the median of ratios of time, and their quartiles."""

    ratio: float
    low: float
    high: float
    rounds: int
    batch_size: int
    items: int
    tokens: float
    """The mean number of tokens of a timed item."""


@dataclass(frozen=True)
class SideBySide:
    """What both models score on a test, and how far their outputs differ."""

    model: Measurement
    exported: Measurement
    parity: Parity


@dataclass
class _Tally:
    outputs: str = ""
    largest: float = 0.0
    equal: int = 0
    compared: int = 0
    lowest_cosine: float | None = None
    reduced: tuple[list[NDArray[Any]], list[NDArray[Any]]] = field(default_factory=lambda: ([], []))
    items: list[NDArray[np.int64]] = field(default_factory=list[NDArray[np.int64]])

    def add(self, one: Outputs, other: Outputs, *, several: bool) -> None:
        """Count how far the outputs for a batch differ."""
        if "embeddings" in one:
            self.outputs = "embeddings"
            first, second = (_unit_vectors(each["embeddings"]) for each in (one, other))
            cosine = float((first * second).sum(axis=-1).min(initial=1.0))
            self.lowest_cosine = min(cosine, 1.0 if self.lowest_cosine is None else self.lowest_cosine)
            equal = np.zeros(0)
        elif "log_probabilities" in one:
            self.outputs = "log probabilities"
            first, second = (each["log_probabilities"].astype(np.float64) for each in (one, other))
            equal = one["first"] == other["first"]
        else:
            self.outputs = "probabilities"
            as_probabilities = expit if several else lambda logits: softmax(logits, axis=-1)
            first, second = (np.asarray(as_probabilities(each["logits"].astype(np.float64))) for each in (one, other))
            if several:
                equal = ((first >= DECISION_THRESHOLD) == (second >= DECISION_THRESHOLD)).all(axis=-1)
            else:
                equal = first.argmax(axis=-1) == second.argmax(axis=-1)
        self.equal += int(equal.sum())
        self.compared += int(np.prod(first.shape[:-1])) if self.outputs == "embeddings" else len(equal)
        difference = np.abs(first - second).max(initial=0.0)
        # A value that is not finite agrees with nothing.
        self.largest = max(self.largest, float(np.nan_to_num(difference, nan=np.inf)))

    def parity(self) -> Parity:
        """Return what was counted."""
        equal = None if self.outputs == "embeddings" else self.equal / max(self.compared, 1)
        return Parity(self.outputs, self.largest, equal, self.lowest_cosine, self.compared)


def measure_both(test: EvaluationSet, model: Model, exported: Model, *, several: bool) -> SideBySide:
    """Return what a model and its export score on a test, from the same batches, and how far their outputs differ.

    ``several`` says that a text may have several labels, whose probabilities are then independent.
    """
    task, rows, tally = test.task, test.rows, _Tally()
    models = _measured(test, model, exported)

    def compare(items: NDArray[np.int64]) -> NDArray[np.int64]:
        batch, _ = task.collate(rows, items, "measuring")
        outputs = [each.predict(batch) for each in models]
        tally.add(outputs[0], outputs[1], several=several)
        for kept, each in zip(tally.reduced, outputs, strict=True):
            kept.append(task.reduce(batch, each))
        tally.items.append(items)
        return items

    map_longest_first(rows.lengths("measuring"), test.batch_size, compare)
    order = np.argsort(np.concatenate(tally.items))
    first, second = (task.measure(rows, task.score(rows, np.concatenate(each)[order])) for each in tally.reduced)
    return SideBySide(first, second, tally.parity())


def compare_speed(test: EvaluationSet, model: Model, exported: Model) -> Speed:
    """Return how much faster an export is than its model, both timed in turn on the same batches of the test."""
    models, lengths = _measured(test, model, exported), test.rows.lengths("measuring")
    places = np.unique(np.linspace(0, len(lengths) - 1, min(len(lengths), MAX_TIMED_ITEMS)).astype(np.int64))
    parts = [places[part] for part in batches_longest_first(lengths[places], test.batch_size)]
    batches = [test.task.collate(test.rows, part, "measuring")[0] for part in parts]
    for each in models:
        each.predict(batches[-1])
    pace = _seconds(models[0], batches[-1:])
    # From the middle of the lengths outwards, as many as fit into a round.
    count = int(np.clip(SECONDS_A_ROUND / max(pace, 1e-6), 1, len(batches)))
    start = (len(batches) - count) // 2
    batches, timed = batches[start : start + count], np.concatenate(parts[start : start + count])
    for each in models:  # the first batch of a shape is slower, and counts for neither
        _seconds(each, batches)
    ratios: list[float] = []
    for _ in range(TIMED_ROUNDS):
        own, others = (_seconds(each, batches) for each in models)
        ratios.append(own / others)
    low, ratio, high = np.quantile(ratios, (0.25, 0.5, 0.75)).tolist()
    return Speed(ratio, low, high, TIMED_ROUNDS, test.batch_size, len(timed), float(lengths[timed].mean()))


def _measured(test: EvaluationSet, *models: Model) -> list[Model]:
    """Return the models as the test measures them: those of similarities by their embeddings."""
    if test.task.info.frozen_method == "embeddings":
        return [model.head.as_encoder() for model in models]
    return list(models)


def _seconds(model: Model, batches: Sequence[Batch]) -> float:
    began = time.perf_counter()
    for batch in batches:
        model.predict(batch)
    return time.perf_counter() - began


def _unit_vectors(embeddings: NDArray[Any]) -> Floats:
    vectors = embeddings.astype(np.float64)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
