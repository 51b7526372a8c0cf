"""Texts with known faults: sentences of a small grammar, into which copies, wrong labels and shortcuts are planted."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

SUBJECTS = ("the baker", "a young doctor", "our neighbour", "the old judge", "my sister", "every driver", "one farmer")
VERBS = ("sells", "mends", "paints", "forgets", "borrows", "admires", "carries", "hides", "describes", "counts")
OBJECTS = (
    "a wooden ladder", "three red bicycles", "the broken clock", "her favourite garden", "some cold soup",
    "an empty envelope", "the tallest tower", "two grey horses", "a letter from home", "the last ticket",
)  # fmt: skip
ENDINGS = (
    "before the market opens", "because nobody else would", "in the middle of winter", "without a single word",
    "after a long conversation", "while the children sleep", "near the railway station", "for a very small price",
)  # fmt: skip
NAMES = [
    f"{first}{second}{third}" for first in "bdfgklmnprst" for second in "aeiou" for third in ("rto", "ndel", "mpin")
]
MOODS = {"good": ("gladly", "proudly", "kindly"), "bad": ("angrily", "sadly", "rudely")}


def sentences(count: int, *, seed: int = 0) -> list[tuple[str, str]]:
    """Return so many different sentences, each with its label; the label follows from one of several adverbs."""
    random = np.random.default_rng(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        label = ("good", "bad")[int(random.integers(2))]
        subject, verb, thing, ending = (
            words[int(random.integers(len(words)))] for words in (SUBJECTS, VERBS, OBJECTS, ENDINGS)
        )
        adverb = MOODS[label][int(random.integers(3))]
        names = " ".join(NAMES[place].title() for place in random.integers(len(NAMES), size=7).tolist())
        found.setdefault(f"{subject} {adverb} {verb} {thing} {ending} said {names}", label)
    return list(found.items())


def edited(text: str, words: int, *, seed: int) -> str:
    """Return a copy in which so many words are replaced by others."""
    random = np.random.default_rng(seed)
    parts = text.split()
    for place in random.choice(len(parts), words, replace=False):
        parts[place] = f"changed{random.integers(1000)}"
    return " ".join(parts)


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    """Write a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path
