"""Labelled texts that a tiny encoder can learn from, and tiny encoders whose vectors differ enough to learn on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.torch import load_file, save_file

from tests import checkpoints
from tests.conftest import TOPICS

EVERY_WORD = [word for words in TOPICS.values() for word in words]


def topic_texts(count: int, *, seed: int = 0, noise: int = 2) -> list[tuple[str, str]]:
    """Return texts of two words of a topic, some of any and a number, each with its topic as the label."""
    random = np.random.default_rng(seed)
    names = list(TOPICS)
    rows: list[tuple[str, str]] = []
    for _ in range(count):
        name = names[random.integers(len(names))]
        words = [*random.choice(TOPICS[name], 2), *random.choice(EVERY_WORD, noise), str(random.integers(10**6))]
        rows.append((" ".join(words), name))
    return rows


def lively(folder: Path, kind: str = "bert", **options: object) -> Path:
    """Fill ``folder`` with a tiny encoder whose weights are large enough for texts to get different vectors."""
    build = getattr(checkpoints, kind, None)
    build(folder, **options) if build else checkpoints.other(folder, kind, **options)
    weights = load_file(folder / "model.safetensors")
    for name, value in weights.items():
        if value.ndim == 2 and "position" not in name:
            weights[name] = value * 8
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
