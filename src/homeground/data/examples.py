"""Examples: what a task makes of the rows of a table, and what it had to set aside."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from homeground.data.units import text_key


@dataclass(frozen=True, slots=True)
class Example:
    """One example: its texts, its score or its labels where it has any, and the group the file puts it in.

    ``row`` counts the data rows of its file from 1. ``labels`` are the names of one label, or of any number of them.
    ``written`` is the score as the file has it, where ``score`` is that on the scale of the similarity.
    """

    row: int
    texts: tuple[str, ...]
    score: float | None = None
    group: str | None = None
    labels: tuple[str, ...] | None = None
    written: float | None = None

    @property
    def digests(self) -> tuple[int, ...]:
        """The hash of each of its texts."""
        return tuple(digest([text]) for text in self.texts)

    @property
    def digest(self) -> int:
        """The hash of all its texts, whatever their order."""
        return digest(self.texts)

    @property
    def learned_digest(self) -> int:
        """The hash of the texts that make it the same example for a model: of a triplet the first two."""
        # That these belong together is what is learned, whatever stands against them.
        return digest(self.texts[:2])


@dataclass(frozen=True)
class Examples:
    """The examples of one file; ``set_aside`` maps a reason to the rows it befell."""

    examples: list[Example]
    set_aside: dict[str, list[int]] = field(default_factory=lambda: {})


def digest(texts: Iterable[str]) -> int:
    """Return a 64-bit hash of a text or an unordered pair of texts, the same for what counts as the same text."""
    joined = "\x1f".join(sorted(text_key(text) for text in texts))
    return int.from_bytes(hashlib.blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def example_digest(example: Example) -> int:
    """Return a 64-bit hash of an example as it is learned from: its texts, with their labels where it has any."""
    texts = example.learned_digest
    if example.labels is None:
        return texts
    labelled = f"{texts:016x}\x1f" + "\x1f".join(sorted(example.labels))
    return int.from_bytes(hashlib.blake2b(labelled.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def text_hashes(examples: Sequence[Example]) -> NDArray[np.uint64]:
    """Return the sorted hashes of every text and of every example as a whole, as a run stores what it learned from."""
    hashes = {example.learned_digest for example in examples} | {example_digest(example) for example in examples}
    hashes |= {each for example in examples for each in example.digests}
    return np.array(sorted(hashes), np.uint64)


def set_hash(examples: Sequence[Example]) -> str:
    """Return a hash that names a set of examples for the ledger of verdicts, whatever their order and the loss."""
    lines = sorted(f"{example_digest(example):016x} {_written(example)}" for example in examples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _written(example: Example) -> float | None:
    return example.score if example.written is None else example.written
