"""Running text as words."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeground.data.annotations.running_text import cut_into_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't pay 3,5€!", ["Don", "'", "t", "pay", "3", ",", "5", "€", "!"]),
        ("在北京 work", ["在", "北", "京", "work"]),
        ("e\u0301te\u0301 हिन्दी", ["e\u0301te\u0301", "हिन्दी"]),
        ("東京タワー", ["東", "京", "タ", "ワ", "ー"]),
        ("ab\u00a0cd\tef\n", ["ab", "cd", "ef"]),
        ("❤\ufe0fParis", ["❤\ufe0f", "Paris"]),
        ("", []),
        ("한국어 text", ["한국어", "text"]),
    ],
)
def test_words_are_runs_of_letters_and_single_other_characters(text: str, words: list[str]) -> None:
    assert [text[start:end] for start, end in cut_into_words(text)] == words


@given(st.text())
def test_words_leave_out_white_space_alone(text: str) -> None:
    places = cut_into_words(text)
    assert all(start < end for start, end in places)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(places))
    covered = {at for start, end in places for at in range(start, end)}
    assert all(text[at].isspace() for at in range(len(text)) if at not in covered)
    assert not any(text[at].isspace() for at in covered)
