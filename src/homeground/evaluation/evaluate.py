"""What a model scores on a set of examples, and what it makes of single texts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from homeground.data.tokens.tokenized import Tokenized, map_longest_first
from homeground.engines.model import Batch, Model
from homeground.errors import DataError
from homeground.memory import in_slices_that_fit
from homeground.tasks.task import Measurable, Measurement, Rows


def evaluate(model: Model, task: Measurable, rows: Rows, *, batch_size: int) -> Measurement:
    """Return what a model scores; outputs are reduced batch by batch, so that memory does not follow the logits."""
    lengths = rows.lengths("measuring")
    if not len(lengths):
        raise DataError("nothing can be measured: none of the texts holds a word that the tokenizer knows")

    def reduced(items: NDArray[np.int64]) -> NDArray[np.float64]:
        batch, _ = task.collate(rows, items, "measuring")
        return task.reduce(batch, model.predict(batch))

    return task.measure(rows, task.score(rows, map_longest_first(lengths, batch_size, reduced)))


def mean_loss(model: Model, task: Measurable, rows: Rows, *, batch_size: int) -> float:
    """Return the mean training loss over all examples, in evaluation mode, in batches of the training's own size."""
    items = np.arange(len(rows.lengths("training")))
    total = 0.0
    microbatch: int | None = None
    for start in range(0, len(items), batch_size):
        part = items[start : start + batch_size]
        batch, denominator = task.collate(rows, part, "training")

        def loss(size: int | None, batch: Batch = batch, denominator: float = denominator) -> float:
            return model.loss(batch, denominator, microbatch=size)

        value, microbatch = in_slices_that_fit(loss, microbatch, at_first=len(part))
        total += value * len(part)
    return total / len(items)


def embed(model: Model, texts: Tokenized, *, padding: int, batch_size: int) -> NDArray[np.float32]:
    """Return the embedding of every text, ``(texts, dimensions)``, whatever else is in its batch."""

    def embeddings(items: NDArray[np.int64]) -> NDArray[np.float32]:
        input_ids, mask = texts.pad(items[:, None], padding)
        return model.predict({"input_ids": input_ids, "attention_mask": mask})["embeddings"][:, 0]

    return map_longest_first(texts.lengths, batch_size, embeddings)
