"""Texts with entities that a tiny encoder can learn to find, in the shape of JSON Lines with words and tags."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.checkpoints import WORDS

EVERY_WORD = [word for word in WORDS.replace("##", "").split() if word not in ("data", "scientist")]
SHUFFLED = [str(word) for word in np.random.default_rng(0).permutation(EVERY_WORD)]
KINDS = {"JOB": SHUFFLED[:24], "PLACE": SHUFFLED[24:48]}
FILLERS = SHUFFLED[48:]
"""Which words are entities is drawn by chance, so that a linear map of frozen vectors cannot tell all of them."""


def tagged_texts(count: int, *, seed: int = 0) -> list[tuple[list[str], list[str]]]:
    """Return words and tags: entities of one word, and "data scientist", a JOB of two, with other words between."""
    random = np.random.default_rng(seed)
    texts: list[tuple[list[str], list[str]]] = []
    for _ in range(count):
        words: list[str] = []
        tags: list[str] = []
        for _ in range(random.integers(2, 5)):
            filler = [str(word) for word in random.choice(FILLERS, random.integers(1, 3))]
            words, tags = [*words, *filler], [*tags, *["O"] * len(filler)]
            if random.random() < 0.2:
                words, tags = [*words, "data", "scientist"], [*tags, "B-JOB", "I-JOB"]
                continue
            kind = str(random.choice(list(KINDS)))
            words, tags = [*words, str(random.choice(KINDS[kind]))], [*tags, f"B-{kind}"]
        # The number makes texts differ, so that they are independent.
        texts.append(([*words, str(random.integers(10**6))], [*tags, "O"]))
    return texts


def write_tagged(path: Path, texts: list[tuple[list[str], list[str]]]) -> Path:
    """Write texts as JSON Lines with ``tokens`` and ``tags``."""
    lines = [json.dumps({"tokens": words, "tags": tags}) for words, tags in texts]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
