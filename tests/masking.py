"""Documents whose words are of one topic each, so that a tiny model learns in seconds to fill in their masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from homeground.tasks.mlm.blocks import IGNORED
from homeground.tasks.task import Batch
from tests.conftest import TOPICS

FAST: dict[str, Any] = {
    "epochs": 4,
    "learning_rate": 5e-3,
    "cross_fit": 0,
    "test": 0.4,
    "bootstrap_draws": 400,
    "mask_draws": 1,
    "precision": "fp32",
}


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


def write_documents(path: Path, count: int, *, seed: int = 0) -> Path:
    """Write documents as JSON Lines with a column ``text``, and return the path."""
    lines = [json.dumps({"text": text}) + "\n" for text in documents(count, seed=seed)]
    path.write_text("".join(lines), encoding="utf-8")
    return path


class Knowing:
    """A stand-in for a model: it gives every token the log probability that a table says, and a default."""

    def __init__(self, known: dict[int, float], otherwise: float = -5.0) -> None:
        self.known = known
        self.otherwise = otherwise
        self.batches: list[Batch] = []
        self.head = self

    def predict(self, batch: Batch) -> Batch:
        """Return the table's log probability of every label."""
        self.batches.append(batch)
        labels = batch["labels"][batch["labels"] != IGNORED].tolist()
        return {"log_probabilities": np.array([self.known.get(label, self.otherwise) for label in labels])}

    def fill(self, batch: Batch, count: int) -> Batch:
        """Return the table's likeliest tokens for every masked place."""
        places = int((batch["labels"] != IGNORED).sum())
        best = sorted(self.known, key=lambda token: -self.known[token])[:count]
        sure = np.array([[self.known[token] for token in best]] * places)
        return {"ids": np.array([best] * places), "log_probabilities": sure}
