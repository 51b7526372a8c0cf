"""Texts as token ids: a flat array and where each text begins; a text is tokenized once, however many sets it is in."""

from __future__ import annotations

import hashlib
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
from homeground.shelf import GrowingArray

TEXTS_AT_ONCE = 4096
"""Texts given to the tokenizer at once: what it returns for a text takes 20 times the memory of the token ids."""

IGNORED_LABEL = -100
"""The label of a token that is not to be predicted, as the Hub writes it."""

HEAD_PARTS = 4
"""Of the room for a text that is too long, one part in so many is for its head, the rest for its tail (after Sun et al.
2019, How to fine-tune BERT for text classification, who keep 128 and 382 of 510)."""

Scalar = TypeVar("Scalar", bound=np.generic)
Item = TypeVar("Item")

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

Text = TypeVar("Text", str, tuple[str, ...])
"""A single text, or the texts of a pair."""


@dataclass(frozen=True)
class Tokenized:
    """Token ids of many texts.

    ``ids`` is flat, int32, of many texts mapped from a file; text ``i`` is ``lengths[i]`` of them from ``starts[i]``,
    and several texts may have the same. ``truncated`` counts the texts that lost tokens to the maximum length.
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    truncated: int

    def __len__(self) -> int:
        return len(self.starts)

    def flat(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where in ``ids`` the tokens of some texts are, one text after the other."""
        lengths = self.lengths[indices]
        begins = np.cumsum(lengths) - lengths
        return np.arange(lengths.sum()) + np.repeat(self.starts[indices] - begins, lengths)

    def pad(self, indices: NDArray[np.int64], padding: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return ``(input_ids, attention_mask)`` of some texts, each ``indices.shape + (longest,)``.

        >>> texts = Tokenized(np.array([5, 6, 7], np.int32), np.array([0, 1]), np.array([1, 2]), 0)
        >>> texts.pad(np.array([0, 1]), padding=9)[0].tolist()
        [[5, 9], [6, 7]]
        """
        flat = indices.reshape(-1)
        lengths = self.lengths[flat]
        mask = np.arange(lengths.max(initial=1)) < lengths[:, None]
        input_ids = np.full(mask.shape, padding, np.int64)
        input_ids[mask] = self.ids[self.flat(flat)]
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
            types = np.zeros(mask.shape, np.int64)
            types[mask > 0] = self.types[self.tokens.flat(items)]
            batch["token_type_ids"] = types
        return batch


def portions(texts: Iterable[Item], characters: int, length: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Yield texts in portions of so many characters or more; the last may have fewer."""
    waiting: list[Item] = []
    size = 0
    for text in texts:
        waiting.append(text)
        size += length(text)
        if size >= characters:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


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
    return TextTokens(tokenizer, 0).tokenize(texts)


def tokenize_sequences(texts: Sequence[Sequence[str]], tokenizer: Tokenizer, *, truncation: str = "head") -> Sequences:
    """Tokenize single texts or pairs, special tokens included, cut to the maximum length that the tokenizer has.

    Of pairs the longer text is cut first. ``head_and_tail`` keeps both ends of a single text that is too long.
    """
    return TextTokens(tokenizer, 0).tokenize_sequences(texts, truncation=truncation)


class TextTokens:
    """The tokens of texts for one tokenizer: a text is tokenized once, however many sets it is in.

    Kept are the token ids of every distinct text, of many in a file, and a dictionary from hashes of the texts to their
    places. ``padding`` is the id that fills up a batch. The tokenizer's maximum length must not change.
    """

    def __init__(self, tokenizer: Tokenizer, padding: int) -> None:
        self.tokenizer, self.padding = tokenizer, padding
        self._texts = _Cache[str](lambda texts: _encode(texts, tokenizer))
        self._ends = _Cache[str](lambda texts: _encode_ends(texts, tokenizer))
        self._pairs = _Cache[tuple[str, ...]](lambda pairs: _encode(pairs, tokenizer))

    def tokenize(self, texts: Iterable[str]) -> Tokenized:
        """Return the tokens of texts."""
        return self._texts.sequences(self._texts.places(texts)).tokens

    def tokenize_distinct(self, texts: Iterable[str]) -> tuple[Tokenized, NDArray[np.int64]]:
        """Return the tokens of the distinct texts in order of appearance, and which of these every text is."""
        places = self._texts.places(texts)
        distinct, first, which = np.unique(places, return_index=True, return_inverse=True)
        order = np.argsort(first)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        return self._texts.sequences(distinct[order]).tokens, rank[which]

    def tokenize_sequences(self, texts: Sequence[Sequence[str]], *, truncation: str = "head") -> Sequences:
        """Return the tokens of single texts or pairs."""
        if len(texts) and len(texts[0]) == 2:
            return self._pairs.sequences(self._pairs.places(map(tuple, texts)))
        cache = self._ends if truncation == "head_and_tail" else self._texts
        return cache.sequences(cache.places(parts[0] for parts in texts))


@dataclass(frozen=True)
class _Encoded:
    """Flat token ids, the tokens of every text, the flat types of pairs, and which texts were cut."""

    ids: NDArray[np.int32]
    lengths: NDArray[np.int64]
    types: NDArray[np.int8] | None
    is_cut: NDArray[np.bool_]


class _Cache(Generic[Text]):
    """What a function encoded so far, and the place of every text in it."""

    def __init__(self, encode: Callable[[Sequence[Text]], _Encoded]) -> None:
        self._encode = encode
        self._clear()

    def _clear(self) -> None:
        self._ids, self._types = GrowingArray(np.dtype(np.int32)), GrowingArray(np.dtype(np.int8))
        self._lengths, self._is_cut = GrowingArray(np.dtype(np.int64)), GrowingArray(np.dtype(np.bool_))
        self._places: dict[bytes, int] = {}

    def places(self, texts: Iterable[Text]) -> NDArray[np.int64]:
        """Return the place of every text, ``(texts,)``; only those that are new are given to the function."""
        places: list[int] = []
        new: dict[bytes, int] = {}
        waiting: list[Text] = []
        for text in texts:
            key = _key(text)
            place = self._places.get(key, -1)
            if place < 0 and (place := new.get(key, -1)) < 0:
                place = new[key] = len(self._places) + len(new)
                waiting.append(text)
            places.append(place)
            if len(waiting) == TEXTS_AT_ONCE:
                self._add(waiting, new)
                waiting, new = [], {}
        if waiting:
            self._add(waiting, new)
        return np.array(places, np.int64)

    def sequences(self, places: NDArray[np.int64]) -> Sequences:
        """Return the texts at some places, in their order; a place may occur several times."""
        lengths = self._lengths.array()
        starts = np.cumsum(lengths) - lengths
        cut = int(self._is_cut.array()[places].sum())
        types = self._types.array() if len(self._types) else None
        return Sequences(Tokenized(self._ids.array(), starts[places], lengths[places], cut), types)

    def _add(self, texts: Sequence[Text], new: dict[bytes, int]) -> None:
        part = self._encode(texts)
        try:
            self._ids.add(part.ids)
            self._lengths.add(part.lengths)
            self._is_cut.add(part.is_cut)
            if part.types is not None:
                self._types.add(part.types)
            self._places |= new
        except BaseException:  # the arrays may differ in length by now
            self._clear()
            raise


def _key(text: str | tuple[str, ...]) -> bytes:
    """Return a hash of a text, or of the texts of a pair: kept instead of them, it takes an eighth of the memory."""
    hashed = hashlib.blake2b(digest_size=16)
    for part in (text,) if isinstance(text, str) else text:
        content = part.encode("utf-8", "surrogatepass")
        hashed.update(len(content).to_bytes(8, "little"))
        hashed.update(content)
    return hashed.digest()


def _encode(texts: Sequence[Text], tokenizer: Tokenizer) -> _Encoded:
    """Encode texts or pairs, cut by the tokenizer; of pairs the types are kept."""
    encodings = tokenizer.encode_batch_fast(list(texts))
    return _Encoded(
        np.fromiter(chain.from_iterable(each.ids for each in encodings), np.int32),
        np.array([len(each) for each in encodings], np.int64),
        None if isinstance(texts[0], str) else np.fromiter(chain.from_iterable(e.type_ids for e in encodings), np.int8),
        np.array([bool(each.overflowing) for each in encodings], np.bool_),
    )


def _encode_ends(texts: Sequence[str], tokenizer: Tokenizer) -> _Encoded:
    """Encode texts so that those that are too long keep their head and their tail between the special tokens."""
    truncation = tokenizer.truncation
    assert truncation is not None
    longest = int(truncation["max_length"])
    tokenizer.no_truncation()
    try:
        ends = [_both_ends(encoding, longest) for encoding in tokenizer.encode_batch_fast(list(texts))]
    finally:
        tokenizer.enable_truncation(longest)
    lengths = np.array([len(ids) for ids, _ in ends], np.int64)
    is_cut = np.array([cut for _, cut in ends], np.bool_)
    return _Encoded(np.concatenate([np.empty(0, np.int32), *(ids for ids, _ in ends)]), lengths, None, is_cut)


def _both_ends(encoding: Encoding, longest: int) -> tuple[NDArray[np.int32], bool]:
    ids = np.asarray(encoding.ids, np.int32)
    is_cut = len(ids) > longest
    if is_cut:
        content = np.flatnonzero(np.asarray(encoding.special_tokens_mask) == 0)
        first, last = int(content[0]), int(content[-1]) + 1
        room = longest - first - (len(ids) - last)
        head = room // HEAD_PARTS
        ids = np.concatenate([ids[: first + head], ids[last - (room - head) :]])
    return ids, is_cut
