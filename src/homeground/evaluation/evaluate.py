"""What a model scores on a set of examples, and what it makes of single texts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.data.tokenized import Tokenized
from homeground.engines.model import Model
from homeground.errors import DataError
from homeground.tasks.task import Measurable, Measurement, Rows


def evaluate(model: Model, task: Measurable, rows: Rows, *, batch_size: int) -> Measurement:
    """Return what a model scores; outputs are reduced batch by batch, so that memory does not follow the logits."""
    lengths = rows.lengths("measuring")
    if not len(lengths):
        raise DataError("nothing can be measured: none of the texts holds a word that the tokenizer knows")
    order = np.argsort(-lengths, kind="stable")
    parts: list[NDArray[Any]] = []
    for start in range(0, len(order), batch_size):
        batch, _ = task.collate(rows, order[start : start + batch_size], "measuring")
        parts.append(task.reduce(batch, model.predict(batch)))
    reduced = np.concatenate(parts)
    in_order = np.empty_like(reduced)
    in_order[order] = reduced
    return task.measure(rows, task.score(rows, in_order))


def mean_loss(model: Model, task: Measurable, rows: Rows, *, batch_size: int) -> float:
    """Return the mean training loss over all examples, in evaluation mode, in batches of the training's own size."""
    items = np.arange(len(rows.lengths("training")))
    total = 0.0
    for start in range(0, len(items), batch_size):
        batch, denominator = task.collate(rows, items[start : start + batch_size], "training")
        total += model.loss(batch, denominator) * len(items[start : start + batch_size])
    return total / len(items)


def embed(model: Model, texts: Tokenized, *, padding: int, batch_size: int) -> NDArray[np.float32]:
    """Return the embedding of every text, ``(texts, dimensions)``, whatever else is in its batch."""
    order = np.argsort(-texts.lengths, kind="stable")
    parts: list[NDArray[np.float32]] = []
    for start in range(0, len(order), batch_size):
        input_ids, mask = texts.pad(order[start : start + batch_size, None], padding)
        parts.append(model.predict({"input_ids": input_ids, "attention_mask": mask})["embeddings"][:, 0])
    embeddings = np.concatenate(parts) if parts else np.empty((0, 0), np.float32)
    in_order = np.empty_like(embeddings)
    in_order[order] = embeddings
    return in_order
