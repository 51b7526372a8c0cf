"""Texts as token ids, tokenized once: a flat array and where each text begins."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from homeground.data.tables import shown
from homeground.errors import UsageError

Scalar = TypeVar("Scalar", bound=np.generic)

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Tokenized:
    """Token ids of many texts.

    ``ids`` is flat, int32; text ``i`` is ``ids[starts[i]:starts[i + 1]]``. ``truncated`` counts the texts that lost
    tokens to the maximum length.
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    truncated: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of every text, shape ``(texts,)``."""
        return np.diff(self.starts)

    def pad(self, indices: NDArray[np.int64], padding: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return ``(input_ids, attention_mask)`` of some texts, each ``indices.shape + (longest,)``.

        >>> texts = Tokenized(np.array([5, 6, 7], np.int32), np.array([0, 1, 3]), 0)
        >>> texts.pad(np.array([0, 1]), padding=9)[0].tolist()
        [[5, 9], [6, 7]]
        """
        flat = indices.reshape(-1)
        lengths = self.lengths[flat]
        mask = np.arange(lengths.max(initial=1)) < lengths[:, None]
        input_ids = np.full(mask.shape, padding, np.int64)
        input_ids[mask] = np.concatenate([self.ids[self.starts[i] : self.starts[i + 1]] for i in flat])
        shape = (*indices.shape, mask.shape[1])
        return input_ids.reshape(shape), mask.astype(np.int64).reshape(shape)


def batches_longest_first(lengths: NDArray[np.int64], batch_size: int) -> Iterator[NDArray[np.int64]]:
    """Yield the indices of batches of items of similar ``lengths (items,)``, the longest first.

    So little is padded, and a batch that does not fit into memory fails at once. Items of equal length keep their
    order; the last batch may be smaller.
    """
    order = np.argsort(-lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def map_longest_first(
    lengths: NDArray[np.int64], batch_size: int, compute: Callable[[NDArray[np.int64]], NDArray[Scalar]]
) -> NDArray[Scalar]:
    """Return the results of ``compute`` for all items in their own order, computed in batches, the longest first.

    ``compute`` gets the indices of one batch and returns an array whose first axis is its items; shape and type of the
    rest are those of the first batch. Without items it is not called, and the result has the shape ``(0, 0)``.

    >>> map_longest_first(np.array([1, 3, 2]), 2, lambda items: items * 10).tolist()
    [0, 10, 20]
    """
    results: NDArray[Any] = np.empty((0, 0), np.float32)
    for number, items in enumerate(batches_longest_first(lengths, batch_size)):
        values = compute(items)
        if number == 0:
            results = np.empty((len(lengths), *values.shape[1:]), values.dtype)
        results[items] = values
    return results


def require_characters(texts: Iterable[str]) -> None:
    """Raise UsageError for a text with half a surrogate pair, as a shell hands on bytes that are not UTF-8."""
    for text in texts:
        if not text.isascii() and _LONE_SURROGATE.search(text):
            raise UsageError(
                f"the text {shown(text)} holds bytes that are not UTF-8, or half a character; write it in UTF-8, or "
                "put it into a file and name its --encoding"
            )


def tokenize(texts: Sequence[str], tokenizer: Tokenizer) -> Tokenized:
    """Tokenize texts once, special tokens included, cut to the length the tokenizer was told."""
    encodings = tokenizer.encode_batch_fast(list(texts))
    ids = [np.asarray(encoding.ids, np.int32) for encoding in encodings]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in ids], dtype=np.int64)])
    flat = np.concatenate(ids) if ids else np.empty(0, np.int32)
    return Tokenized(flat, starts, truncated=sum(bool(encoding.overflowing) for encoding in encodings))


@dataclass(frozen=True)
class Sequences:
    """Token ids of texts or pairs, each as one sequence; ``types`` is flat like the ids, 1 in second texts of pairs."""

    tokens: Tokenized
    types: NDArray[np.int8] | None

    def __len__(self) -> int:
        return len(self.tokens)

    def pad(self, items: NDArray[np.int64], padding: int) -> dict[str, NDArray[np.int64]]:
        """Return ``input_ids``, ``attention_mask`` and, for pairs, ``token_type_ids``, each ``(items, longest)``."""
        input_ids, mask = self.tokens.pad(items, padding)
        batch = {"input_ids": input_ids, "attention_mask": mask}
        if self.types is not None:
            starts = self.tokens.starts
            types = np.zeros(mask.shape, np.int64)
            types[mask > 0] = np.concatenate([self.types[starts[i] : starts[i + 1]] for i in items])
            batch["token_type_ids"] = types
        return batch


HEAD_SHARE = 4
"""Of the room for a text that is too long, one part in so many is for its head, the rest for its tail (after Sun et al.
2019, How to fine-tune BERT for text classification, who keep 128 and 382 of 510)."""


def tokenize_sequences(
    texts: Sequence[tuple[str, ...]], tokenizer: Tokenizer, *, truncation: str = "head"
) -> Sequences:
    """Tokenize single texts or pairs, special tokens included, cut to the length the tokenizer was told.

    Of pairs the longer text is cut first. ``head_and_tail`` keeps both ends of a single text that is too long.
    """
    paired = bool(texts) and len(texts[0]) == 2
    if truncation == "head_and_tail" and not paired:
        return Sequences(_ends(tokenizer, [own[0] for own in texts]), None)
    if not paired:
        return Sequences(tokenize([own[0] for own in texts], tokenizer), None)
    encodings = tokenizer.encode_batch([(own[0], own[1]) for own in texts])
    starts = np.concatenate([[0], np.cumsum([len(encoding.ids) for encoding in encodings], dtype=np.int64)])
    ids = np.concatenate([np.asarray(encoding.ids, np.int32) for encoding in encodings])
    types = np.concatenate([np.asarray(encoding.type_ids, np.int8) for encoding in encodings])
    return Sequences(Tokenized(ids, starts, sum(bool(encoding.overflowing) for encoding in encodings)), types)


def _ends(tokenizer: Tokenizer, texts: Sequence[str]) -> Tokenized:
    """Tokenize texts so that those that are too long keep their head and their tail between the special tokens."""
    room = tokenizer.truncation
    assert room is not None
    longest = int(room["max_length"])
    tokenizer.no_truncation()
    encodings = tokenizer.encode_batch(list(texts))
    tokenizer.enable_truncation(longest)
    rows: list[NDArray[np.int32]] = []
    for encoding in encodings:
        ids = np.asarray(encoding.ids, np.int32)
        if len(ids) > longest:
            content = np.flatnonzero(np.asarray(encoding.special_tokens_mask) == 0)
            first, last = int(content[0]), int(content[-1]) + 1
            left = longest - first - (len(ids) - last)
            tail = left - left // HEAD_SHARE
            ids = np.concatenate([ids[: first + left // HEAD_SHARE], ids[last - tail :]])
        rows.append(ids)
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
    flat = np.concatenate(rows) if rows else np.empty(0, np.int32)
    return Tokenized(flat, starts, sum(len(encoding.ids) > longest for encoding in encodings))
