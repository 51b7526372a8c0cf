"""Examples: what a task reads from the rows of a table, each with the hashes of its texts."""

from __future__ import annotations

import hashlib
import pickle
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Self

import numpy as np

from homeground.data.units import PairUnits, link_pairs, link_same, text_key, text_keys
from homeground.errors import DataError
from homeground.shelf import Derived, Shelf

HASH_BYTES = 8

ORDERED = "\x1e"
"""Begins what is hashed of words in their order; a key never holds it, so no such hash is one of sorted words."""


@dataclass(frozen=True, slots=True)
class Example:
    """One example: its texts, its score or its labels where it has any, and the group the file puts it in.

    ``row`` counts the data rows of its file from 1. ``labels`` are the names of one label, or of any number of them.
    ``written`` is the score as the file has it, where ``score`` is that on the scale of the similarity.

    Its 64-bit hashes are computed once, when it is made, and equal for what counts as the same text (by ``text_key``):
    ``digests`` of every text, ``digest`` of all its texts in any order, ``learned_digest`` of the texts that make it
    the same example for a model, and ``labelled_digest`` of these with the labels, where it has any. Those of
    ``ordered_digests`` and ``ordered_digest`` are as ``digests`` and ``learned_digest``, of words in their order.
    """

    row: int
    texts: Sequence[str]
    score: float | None = None
    group: str | None = None
    labels: tuple[str, ...] | None = None
    written: float | None = None
    _hashes: bytes = field(init=False, repr=False, compare=False)
    """``digest`` and ``ordered_digest``, and of several texts ``learned_digest``, ``digests`` and ``ordered_digests``,
    each in ``HASH_BYTES``: numbers of their own would take several times the memory."""

    def __post_init__(self) -> None:
        if len(self.texts) == 1:
            key, in_order = text_keys(self.texts[0])
            object.__setattr__(self, "_hashes", _hash(key) + _hash(ORDERED + in_order))
            return
        keys = [text_keys(text) for text in self.texts]
        plain, in_order = [key for key, _ in keys], [ORDERED + key for _, key in keys]
        # Of a triplet the first two texts are learned from: that they belong together, whatever is put against them.
        both = [_hash_together(plain), _hash_together(in_order[:2]), _hash_together(plain[:2])]
        object.__setattr__(self, "_hashes", b"".join((*both, *map(_hash, plain), *map(_hash, in_order))))

    @property
    def digest(self) -> int:
        """The hash of all texts in any order."""
        return int.from_bytes(self._hashes[:HASH_BYTES], "little")

    @property
    def ordered_digest(self) -> int:
        """The hash of what is learned from, its words in their order."""
        return int.from_bytes(self._hashes[HASH_BYTES : 2 * HASH_BYTES], "little")

    @property
    def learned_digest(self) -> int:
        """The hash of what is learned from, whatever is put against it."""
        several = self._hashes[2 * HASH_BYTES : 3 * HASH_BYTES]
        return int.from_bytes(several, "little") if several else self.digest

    @property
    def labelled_digest(self) -> int:
        """The hash of what is learned from with its labels."""
        if self.labels is None:
            return self.learned_digest
        return _number(_hash(f"{self.learned_digest:016x}\x1f" + "\x1f".join(sorted(self.labels))))

    @property
    def digests(self) -> tuple[int, ...]:
        """The hashes of every text."""
        if len(self._hashes) == 2 * HASH_BYTES:
            return (self.digest,)
        return self._of_several[: len(self._of_several) // 2]

    @property
    def ordered_digests(self) -> tuple[int, ...]:
        """The hashes of every text, of its words in their order."""
        if len(self._hashes) == 2 * HASH_BYTES:
            return (self.ordered_digest,)
        return self._of_several[len(self._of_several) // 2 :]

    @property
    def _of_several(self) -> tuple[int, ...]:
        return struct.unpack(f"<{len(self._hashes) // HASH_BYTES - 3}Q", self._hashes[3 * HASH_BYTES :])

    @property
    def identity(self) -> tuple[int, int]:
        """Its row and its hash: a row with a list of texts makes several examples."""
        return self.row, self.digest

    def put_on(self, shelf: Shelf | None) -> Self:
        """Return it with its texts on a shelf instead of in memory, where there is one."""
        if shelf is not None:
            object.__setattr__(self, "texts", shelf.put(self.texts))
        return self


@dataclass(frozen=True)
class Examples:
    """The examples of one file; ``set_aside`` maps the reason why rows are no examples to their numbers.

    ``problem`` is why nothing can be learned from them, though they can be measured, such as that all are of one class.
    ``notes`` are sentences on what is odd in the file, such as tags against the rules of their scheme.
    """

    examples: list[Example]
    set_aside: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    problem: DataError | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """One split: its examples and the independent units among them."""

    examples: list[Example]
    units: PairUnits

    @classmethod
    def of(cls, examples: Iterable[Example]) -> Part:
        """Return a split of these examples, linked among themselves."""
        listed = list(examples)
        return cls(listed, link(listed))

    def __len__(self) -> int:
        return len(self.examples)

    def sampled(self, share: float) -> Part:
        """Return a share of the examples, evenly from the first to the last, at least one where there are any."""
        count = min(max(round(share * len(self)), 1), len(self))
        places = np.linspace(0, len(self) - 1, count).round().astype(np.int64)
        # Copied, because an example that stays keeps the memory around it from being given back.
        examples: list[Example] = pickle.loads(pickle.dumps([self.examples[place] for place in places.tolist()]))  # noqa: S301
        return Part(examples, self.units.only(places))


def digest(texts: Iterable[str]) -> int:
    """Return a 64-bit hash of a text or an unordered pair of texts, the same for what counts as the same text."""
    return _number(_hash_together([text_key(text) for text in texts]))


def text_digests(text: str) -> tuple[int, int]:
    """Return the 64-bit hash of a text as ``digest`` has it, and that of its words in their order."""
    key, in_order = text_keys(text)
    return _number(_hash(key)), _number(_hash(ORDERED + in_order))


def set_hash(examples: Iterable[Example]) -> str:
    """Return a hash that names a set of examples for the ledger of verdicts, whatever their order and the loss."""
    scores = ((each, each.score if each.written is None else each.written) for each in examples)
    lines = sorted(f"{each.labelled_digest:016x} {score}" for each, score in scores)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def link(examples: Sequence[Example]) -> PairUnits:
    """Return the independent units among examples: their groups, or the examples that share a text."""
    groups = [each.group for each in examples] if examples and examples[0].group is not None else None
    if any(len(each.digests) != 1 for each in examples):
        first, second = (Derived(len(examples), partial(_text, examples, side)) for side in (0, 1))
        return link_pairs(first, second, groups=groups, keys=(each.digests[:2] for each in examples))
    units = link_same((each.digest for each in examples), groups=groups)
    return PairUnits(units, np.stack([units, units], axis=1), "text" if groups is None else "group", (), 0)


def _text(examples: Sequence[Example], side: int, place: int) -> str:
    return examples[place].texts[side]


def _hash_together(keys: Sequence[str]) -> bytes:
    return _hash("\x1f".join(sorted(keys)))


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).digest()


def _number(hash_bytes: bytes) -> int:
    return int.from_bytes(hash_bytes, "little")
