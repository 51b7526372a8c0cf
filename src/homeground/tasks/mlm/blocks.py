"""Documents cut into blocks: what is masked, learned from and measured, item by item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from homeground.checkpoint import unknown_ids
from homeground.data.tokens.of_documents import TokenizedDocuments
from homeground.data.tokens.tokenized import IGNORED_LABEL, special_tokens
from homeground.randomness import generator
from homeground.tasks.task import Occasion

Ints = NDArray[np.int64]

SHORT_TEXT_TOKENS = 8
"""A text of fewer tokens says little about a word that is missing in it."""


@dataclass(frozen=True)
class Vocabulary:
    """What a tokenizer adds to a text, what hides a token, and what may stand in its place."""

    mask: int
    padding: int
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    replacements: Ints
    unknown: Ints
    """The ids that stand for what the tokenizer does not know; they are neither masked nor asked for."""

    @classmethod
    def of(cls, tokenizer: Tokenizer, *, mask: int, padding: int) -> Vocabulary:
        """Return the vocabulary of a tokenizer; no special token is a replacement."""
        added = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
        unknown = unknown_ids(tokenizer)
        ids = sorted(set(tokenizer.get_vocab(with_added_tokens=True).values()) - added - set(unknown.tolist()))
        replacements = np.array(ids, np.int64)
        around = special_tokens(tokenizer)
        return cls(mask, padding, *around, replacements, unknown)

    def knows(self, ids: Ints) -> NDArray[np.bool_]:
        """Tell which of some ids are known tokens, in the shape of ``ids``."""
        return ~np.isin(ids, self.unknown)

    def batch(self, contents: Sequence[Ints], labels: Sequence[Ints]) -> dict[str, Ints]:
        """Return token ids without special tokens, and a label each, as a padded batch ``(items, length)``."""
        prefix = len(self.prefix)
        longest = max(len(ids) for ids in contents) + prefix + len(self.suffix)
        input_ids = np.full((len(contents), longest), self.padding, np.int64)
        attention, targets = np.zeros_like(input_ids), np.full_like(input_ids, IGNORED_LABEL)
        for line, (ids, own) in enumerate(zip(contents, labels, strict=True)):
            whole = (*self.prefix, *ids.tolist(), *self.suffix)
            input_ids[line, : len(whole)] = whole
            attention[line, : len(whole)] = 1
            targets[line, prefix : prefix + len(ids)] = own
        return {"input_ids": input_ids, "attention_mask": attention, "labels": targets}


@dataclass(frozen=True)
class MaskedRows:
    """Documents cut into blocks, none of the text lost.

    ``blocks (blocks, 2)`` are places in ``tokens``; ``owner (blocks,)`` is the document of each. Items to learn from
    are blocks; items to measure are the blocks once for each of ``draws``, and once more with the tutorials' masks
    where ``tutorial`` is set.
    """

    tokens: TokenizedDocuments
    blocks: Ints
    owner: Ints
    places: Ints
    vocabulary: Vocabulary
    tokenizer: Tokenizer
    draws: int
    tutorial: bool
    truncated: int

    @property
    def room(self) -> int:
        """The most tokens of a text that are read at once, without special tokens."""
        truncation = self.tokenizer.truncation
        assert truncation is not None
        return int(truncation["max_length"]) - len(self.vocabulary.prefix) - len(self.vocabulary.suffix)

    @property
    def documents(self) -> int:
        """How many documents there are."""
        return len(self.places)

    @property
    def passes(self) -> int:
        """How often every block is measured."""
        return self.draws + int(self.tutorial)

    @cached_property
    def short(self) -> int:
        """Documents of fewer tokens than can say much."""
        return int((self.lengths_of_documents < SHORT_TEXT_TOKENS).sum())

    @property
    def bounds(self) -> tuple[Ints, Ints]:
        """Where the tokens of every document begin and end."""
        return self.tokens.starts[self.places], self.tokens.starts[self.places + 1]

    @property
    def lengths_of_documents(self) -> Ints:
        """Tokens of every document, shape ``(documents,)``."""
        return self.bounds[1] - self.bounds[0]

    def lengths(self, occasion: Occasion) -> Ints:
        """Tokens of every item, special tokens included."""
        own = self.blocks[:, 1] - self.blocks[:, 0] + len(self.vocabulary.prefix) + len(self.vocabulary.suffix)
        return own if occasion == "training" else np.tile(own, self.passes)

    def some(self, count: int, *, seed: int) -> MaskedRows:
        """Return the rows with at most ``count`` of their blocks, drawn at random."""
        drawn = np.sort(generator(seed, "some blocks").permutation(len(self.blocks))[:count])
        return replace(self, blocks=self.blocks[drawn], owner=self.owner[drawn])

    def content(self, block: int) -> tuple[Ints, NDArray[np.bool_]]:
        """Return the ids of a block, and which of them begin a word."""
        start, end = self.blocks[block]
        marks = np.array(self.tokens.word_starts[start:end])
        marks[:1] = True
        return np.asarray(self.tokens.ids[start:end], np.int64), marks


def cut(starts: Ints, ends: Ints, room: int, *, whole: bool) -> tuple[Ints, Ints, int]:
    """Cut documents into blocks of at most ``room`` tokens; with ``whole`` each is one block and may lose its end.

    Returns the blocks ``(blocks, 2)``, the document of each, and how many documents lost tokens. The blocks of a
    document differ by at most one token in length, so that none is a scrap.

    >>> blocks, owner, lost = cut(np.array([0, 5]), np.array([5, 6]), 2, whole=False)
    >>> blocks.tolist(), owner.tolist(), lost
    ([[0, 2], [2, 4], [4, 5], [5, 6]], [0, 0, 0, 1], 0)
    """
    lengths = ends - starts
    if whole:
        kept = np.stack([starts, starts + np.minimum(lengths, room)], axis=1)
        filled = np.flatnonzero(lengths)
        return kept[filled], filled, int((lengths > room).sum())
    pieces = -(-lengths // room)
    owner = np.repeat(np.arange(len(lengths)), pieces)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    size, larger = lengths // np.maximum(pieces, 1), lengths % np.maximum(pieces, 1)
    begin = starts[owner] + number * size[owner] + np.minimum(number, larger[owner])
    end = begin + size[owner] + (number < larger[owner])
    return np.stack([begin, end], axis=1), owner, 0
