"""Texts become token ids once, cut where the tokenizer was told, padded where a batch needs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeground.checkpoint import load_tokenizer, open_checkpoint
from homeground.data.tokenized import Tokenized, tokenize


@pytest.fixture(scope="module")
def tokenizer(encoder: Path) -> Any:
    return load_tokenizer(open_checkpoint(str(encoder)), max_length=6)


def test_every_text_is_what_the_tokenizer_says_and_stands_where_it_begins(tokenizer: Any) -> None:
    texts = ["bank", "", "old town road", "bank"]
    tokenized = tokenize(texts, tokenizer)
    assert len(tokenized) == 4
    for place, text in enumerate(texts):
        ids = tokenizer.encode(text).ids
        assert tokenized.ids[tokenized.starts[place] : tokenized.starts[place + 1]].tolist() == ids
        assert tokenized.lengths[place] == len(ids)


def test_texts_that_lose_tokens_are_counted(tokenizer: Any) -> None:
    four = "bank money loan card"  # six tokens with the two special ones
    tokenized = tokenize([four, four + " bill", four + " bill pay credit river data", "bank"], tokenizer)
    assert tokenized.lengths.tolist() == [6, 6, 6, 3]
    assert tokenized.truncated == 2


def test_no_texts_are_no_tokens(tokenizer: Any) -> None:
    assert (len(tokenize([], tokenizer)), tokenize([], tokenizer).truncated) == (0, 0)


def test_padding_is_as_wide_as_the_longest_text_of_the_batch() -> None:
    tokenized = Tokenized(np.array([1, 2, 3, 4, 5, 6], np.int32), np.array([0, 1, 3, 6]), 0)
    input_ids, mask = tokenized.pad(np.array([[0, 1], [1, 0]]), padding=9)
    assert input_ids.tolist() == [[[1, 9], [2, 3]], [[2, 3], [1, 9]]]
    assert mask.tolist() == [[[1, 0], [1, 1]], [[1, 1], [1, 0]]]
    assert (input_ids.dtype, mask.dtype) == (np.int64, np.int64)


@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=20), data=st.data())
def test_what_the_mask_shows_is_the_text(lengths: list[int], data: Any) -> None:
    starts = np.concatenate([[0], np.cumsum(lengths)])
    tokenized = Tokenized(np.arange(starts[-1], dtype=np.int32), starts, 0)
    chosen = data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=8))
    input_ids, mask = tokenized.pad(np.array(chosen), padding=-1)
    assert input_ids.shape == (len(chosen), max(lengths[text] for text in chosen))
    for row, text in enumerate(chosen):
        assert input_ids[row][mask[row] == 1].tolist() == list(range(starts[text], starts[text + 1]))
        assert (input_ids[row][mask[row] == 0] == -1).all()
