"""Documents whose words are of one topic each, so that a tiny model learns in seconds to fill in their masks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from homeground.checkpoint import load_tokenizer, open_checkpoint, padding_id
from homeground.data.tokens.tokenized import IGNORED_LABEL, TextTokens
from homeground.tasks.mlm.blocks import MaskedRows
from homeground.tasks.mlm.mlm import MaskedLanguageModelling
from homeground.tasks.task import Batch
from tests.conftest import TOPICS
from tests.reading import open_task, write_lines

FAST: dict[str, Any] = {
    "audit": False,
    "epochs": 4,
    "learning_rate": 5e-3,
    "cross_fit": 0,
    "test": 0.4,
    "bootstrap_draws": 400,
    "mask_draws": 1,
    "precision": "fp32",
}

TEXTS = [
    "the bank and the river",
    "a good teacher of law in a small town by the road",
    "bad news",
    "The card, the loan: pay the bill!",
]
"""Four documents of different lengths."""


def documents(count: int, *, seed: int = 0) -> list[str]:
    """Return documents of three sentences, each of eight words of one topic between small words."""
    random = np.random.default_rng(seed)
    names = list(TOPICS)
    texts: list[str] = []
    for _ in range(count):
        topic = TOPICS[names[random.integers(len(names))]]
        sentences = [" ".join(f"the {word}" for word in random.choice(topic, 8)).capitalize() for _ in range(3)]
        texts.append(". ".join(sentences) + ".")
    return texts


def write_texts(path: Path, texts: Iterable[str]) -> Path:
    """Write texts as JSON Lines with a column ``text``, and return the path."""
    return write_lines(path, ({"text": text} for text in texts))


def write_documents(path: Path, count: int, *, seed: int = 0) -> Path:
    """Write documents as JSON Lines with a column ``text``, and return the path."""
    return write_texts(path, documents(count, seed=seed))


def masked_rows(
    path: Path, checkpoint_folder: Path, *, length: int = 16, **settings: object
) -> tuple[MaskedLanguageModelling, MaskedRows]:
    """Return the task of masked words in a file of texts, and the blocks of ``length`` tokens of its documents."""
    spec, table = open_task(path, **settings)
    checkpoint = open_checkpoint(str(checkpoint_folder))
    tokenizer = load_tokenizer(checkpoint, max_length=length)
    task = spec.with_splits({}, checkpoint)
    return task, task.tokenize(spec.read(table).examples, TextTokens(tokenizer, padding_id(checkpoint, tokenizer)))


class TableModel:
    """A stand-in for a model: it gives every token the log probability that a table has, or else a default."""

    def __init__(self, log_probabilities: Mapping[int, float], default: float = -5.0) -> None:
        self.log_probabilities = log_probabilities
        self.default = default
        self.batches: list[Batch] = []

    def predict(self, batch: Batch) -> Batch:
        """Return the table's log probability of every label."""
        self.batches.append(batch)
        labels = batch["labels"][batch["labels"] != IGNORED_LABEL].tolist()
        return {"log_probabilities": np.array([self.log_probabilities.get(label, self.default) for label in labels])}

    def fill(self, batch: Batch, count: int) -> Batch:
        """Return the table's likeliest tokens for every masked place."""
        places = int((batch["labels"] != IGNORED_LABEL).sum())
        best = sorted(self.log_probabilities, key=lambda token: -self.log_probabilities[token])[:count]
        sure = np.array([[self.log_probabilities[token] for token in best]] * places)
        return {"ids": np.array([best] * places), "log_probabilities": sure}
