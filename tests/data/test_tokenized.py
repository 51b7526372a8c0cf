"""Texts become token ids once, cut where the tokenizer was told, padded where a batch needs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeground import shelf
from homeground.checkpoint import load_tokenizer, open_checkpoint
from homeground.data.tokens import tokenized as module
from homeground.data.tokens.tokenized import (
    Sequences,
    TextTokens,
    Tokenized,
    map_longest_first,
    tokenize,
    tokenize_sequences,
)

TEXTS = ["bank", "", "old town road", "bank money loan card bill pay credit", "a bus to the city by the river, good"]


def assert_equal(one: Tokenized | Sequences, other: Tokenized | Sequences) -> None:
    """Check that every text has the same tokens, of the same type, wherever they are held."""
    if isinstance(one, Tokenized):
        one, other = Sequences(one, None), Sequences(cast(Tokenized, other), None)
    other = cast(Sequences, other)
    assert one.tokens.truncated == other.tokens.truncated
    assert one.tokens.ids.dtype == other.tokens.ids.dtype
    assert ids_and_types(one) == ids_and_types(other)


def ids_and_types(rows: Sequences) -> list[tuple[list[int], list[int] | None]]:
    """Return the ids of every text, and their types where there are any."""
    places = (rows.tokens.flat(np.array([place])) for place in range(len(rows)))
    return [(rows.tokens.ids[own].tolist(), None if rows.types is None else rows.types[own].tolist()) for own in places]


@pytest.fixture(scope="module")
def tokenizer(encoder: Path) -> Any:
    return load_tokenizer(open_checkpoint(str(encoder)), max_length=6)


def test_every_text_is_what_the_tokenizer_says_and_stands_where_it_begins(tokenizer: Any) -> None:
    texts = ["bank", "", "old town road", "bank"]
    tokenized = tokenize(texts, tokenizer)
    assert len(tokenized) == 4
    for place, text in enumerate(texts):
        ids = tokenizer.encode(text).ids
        assert tokenized.ids[tokenized.flat(np.array([place]))].tolist() == ids
        assert tokenized.lengths[place] == len(ids)


def test_texts_that_lose_tokens_are_counted(tokenizer: Any) -> None:
    four = "bank money loan card"  # six tokens with the two special ones
    tokenized = tokenize([four, four + " bill", four + " bill pay credit river data", "bank"], tokenizer)
    assert tokenized.lengths.tolist() == [6, 6, 6, 3]
    assert tokenized.truncated == 2


def test_no_texts_are_no_tokens(tokenizer: Any) -> None:
    assert (len(tokenize([], tokenizer)), tokenize([], tokenizer).truncated) == (0, 0)
    assert len(TextTokens(tokenizer, 0).tokenize([])) == len(tokenize_sequences([], tokenizer)) == 0


def test_a_large_set_is_tokenized_in_pieces(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tokenize(TEXTS, tokenizer)
    monkeypatch.setattr(module, "TEXTS_AT_ONCE", 2)
    assert_equal(tokenize(TEXTS, tokenizer), whole)


def test_pairs_are_one_sequence_with_the_types_of_the_tokenizer(tokenizer: Any) -> None:
    pairs = [("bank", "money loan"), ("loan", "bank money loan card bill")]
    sequences = tokenize_sequences(pairs, tokenizer)
    encodings = [tokenizer.encode(*pair) for pair in pairs]
    assert sequences.tokens.ids.tolist() == [each for encoding in encodings for each in encoding.ids]
    assert sequences.types is not None
    assert sequences.types.tolist() == [each for encoding in encodings for each in encoding.type_ids]
    assert sequences.tokens.truncated == 1


def test_head_and_tail_keep_both_ends_of_a_long_text(tokenizer: Any) -> None:
    words = ["bank", "money", "loan", "card", "account", "bill", "pay", "credit"]
    sequences = tokenize_sequences([(" ".join(words),), ("bank",)], tokenizer, truncation="head_and_tail")
    # Of the six tokens two are special; of the four that are left one is the head's, three are the tail's.
    wanted = [tokenizer.token_to_id(each) for each in ("[CLS]", "bank", "bill", "pay", "credit", "[SEP]")]
    assert sequences.tokens.ids[:6].tolist() == wanted
    assert (sequences.tokens.lengths.tolist(), sequences.tokens.truncated) == ([6, 3], 1)
    assert tokenizer.truncation["max_length"] == 6


# The cache


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_cached_tokens_of_any_subset_are_those_of_plain_tokenizing(tokenizer: Any, data: Any) -> None:
    cache = TextTokens(tokenizer, padding=0)
    for _ in range(4):
        texts = data.draw(st.lists(st.sampled_from(TEXTS), max_size=8))
        assert_equal(cache.tokenize(texts), tokenize(texts, tokenizer))
        truncation = data.draw(st.sampled_from(["head", "head_and_tail"]))
        for rows in ([(text,) for text in texts], [(text, text[:9]) for text in texts]):
            plain = tokenize_sequences(rows, tokenizer, truncation=truncation)
            assert_equal(cache.tokenize_sequences(rows, truncation=truncation), plain)


def test_a_text_is_tokenized_once_for_all_sets_it_is_in(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    given_texts: list[str] = []
    encode = module._encode
    monkeypatch.setattr(module, "_encode", lambda texts, by: given_texts.extend(texts) or encode(texts, by))
    cache = TextTokens(tokenizer, padding=0)
    for texts in (TEXTS[:3], TEXTS, TEXTS[::-1], TEXTS[1:2] * 3):
        cache.tokenize(texts)
        cache.tokenize_sequences([(text,) for text in texts])
    assert sorted(given_texts) == sorted(TEXTS)


# Padding


def test_padding_is_as_wide_as_the_longest_text_of_the_batch() -> None:
    tokenized = Tokenized(np.array([1, 2, 3, 4, 5, 6], np.int32), np.array([0, 1, 3]), np.array([1, 2, 3]), 0)
    input_ids, mask = tokenized.pad(np.array([[0, 1], [1, 0]]), padding=9)
    assert input_ids.tolist() == [[[1, 9], [2, 3]], [[2, 3], [1, 9]]]
    assert mask.tolist() == [[[1, 0], [1, 1]], [[1, 1], [1, 0]]]
    assert (input_ids.dtype, mask.dtype) == (np.int64, np.int64)


@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=20), data=st.data())
def test_what_the_mask_shows_is_the_text(lengths: list[int], data: Any) -> None:
    starts = np.concatenate([[0], np.cumsum(lengths)])
    tokenized = Tokenized(np.arange(starts[-1], dtype=np.int32), starts[:-1], np.array(lengths), 0)
    chosen = data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=8))
    input_ids, mask = tokenized.pad(np.array(chosen), padding=-1)
    assert input_ids.shape == (len(chosen), max(lengths[text] for text in chosen))
    for row, text in enumerate(chosen):
        assert input_ids[row][mask[row] == 1].tolist() == list(range(starts[text], starts[text + 1]))
        assert (input_ids[row][mask[row] == 0] == -1).all()


@given(lengths=st.lists(st.integers(0, 9), max_size=20), batch_size=st.integers(1, 7))
def test_results_come_back_in_the_order_of_the_items_whatever_the_batches(lengths: list[int], batch_size: int) -> None:
    batches: list[list[int]] = []

    def compute(items: np.ndarray) -> np.ndarray:
        batches.append(items.tolist())
        return np.stack([items, items**2], axis=1).astype(np.float32)

    results = map_longest_first(np.array(lengths, np.int64), batch_size, compute)
    computed = [item for batch in batches for item in batch]
    # The longest first, and items of equal length in their own order.
    assert computed == sorted(range(len(lengths)), key=lambda item: -lengths[item])
    assert [len(batch) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    assert results.dtype == np.float32
    if lengths:
        assert results.tolist() == [[item, item**2] for item in range(len(lengths))]
    else:
        assert results.shape == (0, 0)


def test_results_may_be_objects() -> None:
    def compute(items: np.ndarray) -> np.ndarray:
        results = np.empty(len(items), np.object_)
        for line, item in enumerate(items.tolist()):
            results[line] = list(range(item))
        return results

    assert map_longest_first(np.array([1, 3, 2]), 2, compute).tolist() == [[], [0], [0, 1]]


# Many texts


def test_tokens_of_many_texts_are_in_a_file_and_the_same(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(text, text[:9]) for text in TEXTS]
    plain = [tokenize(TEXTS, tokenizer), tokenize_sequences(rows, tokenizer)]
    monkeypatch.setattr(shelf, "BYTES_IN_MEMORY", 8)
    monkeypatch.setattr(module, "TEXTS_AT_ONCE", 2)
    cache = TextTokens(tokenizer, padding=0)
    first = cache.tokenize(TEXTS[:3])
    assert_equal(cache.tokenize(TEXTS), plain[0])
    assert_equal(cache.tokenize_sequences(rows), plain[1])
    assert isinstance(first.ids, np.memmap)
    assert_equal(first, tokenize(TEXTS[:3], tokenizer))  # what was returned stays as it was when more is added


def test_both_ends_of_many_texts_are_added_together(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An array for each text made the cost grow with the square of their number."""
    added: list[int] = []
    add = shelf.GrowingArray.add
    monkeypatch.setattr(shelf.GrowingArray, "add", lambda self, values: added.append(len(values)) or add(self, values))
    rows = [(f"bank money {number}",) for number in range(module.TEXTS_AT_ONCE + 1)]
    assert len(tokenize_sequences(rows, tokenizer, truncation="head_and_tail")) == len(rows)
    assert len(added) == 2 * 3  # ids, lengths and what was cut, for each time the tokenizer is called


def test_distinct_texts_are_those_that_differ_in_order_of_appearance(tokenizer: Any) -> None:
    cache = TextTokens(tokenizer, padding=0)
    cache.tokenize(TEXTS[::-1])
    distinct, which = cache.tokenize_distinct(["bank", "old town road", "bank", "Bank"])
    assert_equal(distinct, tokenize(["bank", "old town road", "Bank"], tokenizer))
    assert which.tolist() == [0, 1, 0, 2]
