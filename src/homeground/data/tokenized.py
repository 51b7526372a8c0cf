"""Texts as token ids: a flat array and where each text begins; and a cache, so that a text is tokenized once."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import chain
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from homeground.data.tables import shown
from homeground.errors import UsageError
from homeground.memory import in_parts

TEXTS_AT_ONCE = 4096
"""Texts given to the tokenizer at once: what it returns for a text takes 20 times the memory of the token ids."""

IGNORED_LABEL = -100
"""The label of a token that is not to be predicted, as the Hub writes it."""

HEAD_PARTS = 4
"""Of the room for a text that is too long, one part in so many is for its head, the rest for its tail (after Sun et al.
2019, How to fine-tune BERT for text classification, who keep 128 and 382 of 510)."""

Scalar = TypeVar("Scalar", bound=np.generic)

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

Text = TypeVar("Text", str, tuple[str, ...])
"""A single text, or the texts of a pair."""


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
        items = order[start : start + batch_size]
        yield items
        _ON_ITEMS.get()(len(items))


_ON_ITEMS: ContextVar[Callable[[int], None]] = ContextVar("on_items", default=lambda _: None)


@contextmanager
def counted(on_items: Callable[[int], None]) -> Generator[None]:
    """Call ``on_items`` with the number of items of every batch that is computed longest first, whoever asked for it.

    Models are measured in a dozen places that know nothing of each other; progress is the only one that wants them all.
    """
    token = _ON_ITEMS.set(on_items)
    try:
        yield
    finally:
        _ON_ITEMS.reset(token)


def map_longest_first(
    lengths: NDArray[np.int64], batch_size: int, compute: Callable[[NDArray[np.int64]], NDArray[Scalar]]
) -> NDArray[Scalar]:
    """Return the results of ``compute`` for all items in their own order, computed in batches, the longest first.

    ``compute`` gets the indices of one batch, or of half of one that does not fit into memory, and returns an array
    whose first axis is its items; shape and type of the rest are those of the first batch. Without items it is not
    called, and the result has the shape ``(0, 0)``.

    >>> map_longest_first(np.array([1, 3, 2]), 2, lambda items: items * 10).tolist()
    [0, 10, 20]
    """
    results: NDArray[Any] = np.empty((0, 0), np.float32)
    for number, batch in enumerate(batches_longest_first(lengths, batch_size)):
        for items, values in in_parts(batch, compute):
            if number == 0 and not len(results):
                results = np.empty((len(lengths), *values.shape[1:]), values.dtype)
            results[items] = values
    return results


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


def require_characters(texts: Iterable[str]) -> None:
    """Raise UsageError for a text with half a surrogate pair, as a shell hands on bytes that are not UTF-8."""
    for text in texts:
        if not text.isascii() and _LONE_SURROGATE.search(text):
            raise UsageError(
                f"the text {shown(text)} holds bytes that are not UTF-8, or half a character; write it in UTF-8, or "
                "put it into a file and name its --encoding"
            )


def special_tokens(tokenizer: Tokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the ids of the special tokens before and after a text."""
    special = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    content = min(set(tokenizer.get_vocab(with_added_tokens=True).values()) - special)
    encoded = tokenizer.encode(tokenizer.id_to_token(content) or "a", add_special_tokens=True)
    inside = [place for place, is_special in enumerate(encoded.special_tokens_mask) if not is_special]
    if inside:
        return tuple(encoded.ids[: inside[0]]), tuple(encoded.ids[inside[-1] + 1 :])
    half = len(encoded.ids) // 2
    return tuple(encoded.ids[:half]), tuple(encoded.ids[half:])


def tokenize(texts: Sequence[str], tokenizer: Tokenizer) -> Tokenized:
    """Tokenize texts, special tokens included, cut to the maximum length that the tokenizer has."""
    return _encode(texts, tokenizer).tokenized()


def tokenize_sequences(
    texts: Sequence[tuple[str, ...]], tokenizer: Tokenizer, *, truncation: str = "head"
) -> Sequences:
    """Tokenize single texts or pairs, special tokens included, cut to the maximum length that the tokenizer has.

    Of pairs the longer text is cut first. ``head_and_tail`` keeps both ends of a single text that is too long.
    """
    if _are_pairs(texts):
        return _encode(texts, tokenizer).sequences()
    encode = _encode_ends if truncation == "head_and_tail" else _encode
    return encode([parts[0] for parts in texts], tokenizer).sequences()


class TextTokens:
    """The tokens of texts for one tokenizer: a text is tokenized once, however many sets it is in.

    The results are equal, array by array, to those of `tokenize` and `tokenize_sequences`. Kept are the token ids of
    every distinct text as one array, and a dictionary from texts to their places in it. ``padding`` is the id that
    fills up a batch. The tokenizer's maximum length must not change.
    """

    def __init__(self, tokenizer: Tokenizer, padding: int) -> None:
        self.tokenizer, self.padding = tokenizer, padding
        self._texts = _Cache[str](lambda texts: _encode(texts, tokenizer))
        self._ends = _Cache[str](lambda texts: _encode_ends(texts, tokenizer))
        self._pairs = _Cache[tuple[str, ...]](lambda pairs: _encode(pairs, tokenizer))

    def tokenize(self, texts: Sequence[str]) -> Tokenized:
        """Return the tokens of texts."""
        return self._texts.encode(texts).tokenized()

    def tokenize_sequences(self, texts: Sequence[tuple[str, ...]], *, truncation: str = "head") -> Sequences:
        """Return the tokens of single texts or pairs."""
        if _are_pairs(texts):
            return self._pairs.encode(texts).sequences()
        cache = self._ends if truncation == "head_and_tail" else self._texts
        return cache.encode([parts[0] for parts in texts]).sequences()


@dataclass(frozen=True)
class _Encoded:
    """Flat token ids, the tokens of every text, the flat types of pairs, and which texts were cut."""

    ids: NDArray[np.int32]
    lengths: NDArray[np.int64]
    types: NDArray[np.int8] | None
    is_cut: NDArray[np.bool_]

    @classmethod
    def join(cls, parts: Sequence[_Encoded]) -> _Encoded:
        """Return the texts of several encodings, one after the other; no parts are no texts."""
        types = [part.types for part in parts if part.types is not None]
        return cls(
            np.concatenate([np.empty(0, np.int32), *(part.ids for part in parts)]),
            np.concatenate([np.empty(0, np.int64), *(part.lengths for part in parts)]),
            np.concatenate(types) if types else None,
            np.concatenate([np.empty(0, np.bool_), *(part.is_cut for part in parts)]),
        )

    def tokenized(self) -> Tokenized:
        return Tokenized(self.ids, np.append(0, np.cumsum(self.lengths)), int(self.is_cut.sum()))

    def sequences(self) -> Sequences:
        return Sequences(self.tokenized(), self.types)

    def take(self, places: NDArray[np.int64]) -> _Encoded:
        """Return the texts at some places, in their order; a place may occur several times."""
        lengths = self.lengths[places]
        # A token of the result is as far from its text's start as it is here.
        here, there = np.cumsum(self.lengths) - self.lengths, np.cumsum(lengths) - lengths
        tokens = np.arange(lengths.sum()) + np.repeat(here[places] - there, lengths)
        types = None if self.types is None else self.types[tokens]
        return _Encoded(self.ids[tokens], lengths, types, self.is_cut[places])


class _Cache(Generic[Text]):
    """What a function encoded so far, and the place of every text in it."""

    def __init__(self, encode: Callable[[Sequence[Text]], _Encoded]) -> None:
        self._encode = encode
        self._encoded = _Encoded.join([])
        self._places: dict[Text, int] = {}

    def encode(self, texts: Sequence[Text]) -> _Encoded:
        """Return texts encoded; only those that are new are given to the function."""
        new = [text for text in dict.fromkeys(texts) if text not in self._places]
        if new:
            self._encoded = _Encoded.join([self._encoded, self._encode(new)])
            self._places |= {text: place for place, text in enumerate(new, start=len(self._places))}
        return self._encoded.take(np.array([self._places[text] for text in texts], np.int64))


def _are_pairs(texts: Sequence[tuple[str, ...]]) -> bool:
    return bool(texts) and len(texts[0]) == 2


def _batches(texts: Sequence[Text], tokenizer: Tokenizer) -> Iterator[list[Encoding]]:
    for begin in range(0, len(texts), TEXTS_AT_ONCE):
        yield tokenizer.encode_batch_fast(list(texts[begin : begin + TEXTS_AT_ONCE]))


def _encode(texts: Sequence[Text], tokenizer: Tokenizer) -> _Encoded:
    """Encode texts or pairs, cut by the tokenizer; of pairs the types are kept."""
    paired = bool(texts) and not isinstance(texts[0], str)
    return _Encoded.join(
        [
            _Encoded(
                np.fromiter(chain.from_iterable(each.ids for each in encodings), np.int32),
                np.array([len(each) for each in encodings], np.int64),
                np.fromiter(chain.from_iterable(each.type_ids for each in encodings), np.int8) if paired else None,
                np.array([bool(each.overflowing) for each in encodings], np.bool_),
            )
            for encodings in _batches(texts, tokenizer)
        ]
    )


def _encode_ends(texts: Sequence[str], tokenizer: Tokenizer) -> _Encoded:
    """Encode texts so that those that are too long keep their head and their tail between the special tokens."""
    truncation = tokenizer.truncation
    assert truncation is not None
    longest = int(truncation["max_length"])
    tokenizer.no_truncation()
    try:
        parts = [_both_ends(encoding, longest) for encodings in _batches(texts, tokenizer) for encoding in encodings]
    finally:
        tokenizer.enable_truncation(longest)
    return _Encoded.join(parts)


def _both_ends(encoding: Encoding, longest: int) -> _Encoded:
    ids = np.asarray(encoding.ids, np.int32)
    is_cut = len(ids) > longest
    if is_cut:
        content = np.flatnonzero(np.asarray(encoding.special_tokens_mask) == 0)
        first, last = int(content[0]), int(content[-1]) + 1
        room = longest - first - (len(ids) - last)
        head = room // HEAD_PARTS
        ids = np.concatenate([ids[: first + head], ids[last - (room - head) :]])
    return _Encoded(ids, np.array([len(ids)], np.int64), None, np.array([is_cut]))
