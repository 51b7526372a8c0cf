"""Shares of the training examples lie inside each other, whole and spread as the data is."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeground.data.examples import Example
from homeground.data.shares import SHARES_PER_CENT, nested_shares


def labelled(labels: list[str], groups: list[int] | None = None) -> list[Example]:
    return [
        Example(row, (f"text {row}",), labels=(label,), group=None if groups is None else str(groups[row - 1]))
        for row, label in enumerate(labels, start=1)
    ]


def rows(examples: list[Example]) -> set[int]:
    return {example.row for example in examples}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("aabbcd"), st.integers(0, 60)), min_size=10, max_size=120), st.integers(0, 99)
)
def test_every_share_lies_inside_the_next_with_whole_units_and_every_label(
    drawn: list[tuple[str, int]], seed: int
) -> None:
    examples = labelled([label for label, _ in drawn], [group for _, group in drawn])
    shares = nested_shares(examples, seed=seed)
    assert [share.per_cent for share in shares] == list(SHARES_PER_CENT)
    inside: set[int] = set()
    for share in shares:
        own = share.part.examples
        assert inside <= rows(own) <= rows(examples)
        inside = rows(own)
        assert {example.group for example in own}.isdisjoint(
            {example.group for example in examples if example.row not in inside}
        )
        assert {example.labels for example in own} == {example.labels for example in examples}


def test_shares_have_their_size_and_spread_the_labels_as_all_examples_do() -> None:
    examples = labelled(["a"] * 600 + ["b"] * 300 + ["c"] * 100)
    shares = nested_shares(examples, seed=3)
    assert [len(share.part) for share in shares] == [50, 100, 250, 500]
    assert not any(share.left_out for share in shares)
    for share in shares:
        counts = Counter(label for example in share.part.examples for label in example.labels or ())
        for name, whole in {"a": 600, "b": 300, "c": 100}.items():
            assert abs(counts[name] - whole * share.per_cent / 100) <= 1.5


def test_scores_are_spread_by_their_bands() -> None:
    examples = [Example(row, (f"x{row}", f"y{row}"), score=(row % 5) / 5) for row in range(1, 401)]
    for share in nested_shares(examples, seed=0):
        counts = Counter(example.score for example in share.part.examples)
        assert max(counts.values()) - min(counts.values()) <= 2


def test_the_seed_decides_what_is_drawn() -> None:
    examples = labelled(["a", "b"] * 200)
    first, again, other = (nested_shares(examples, seed=seed)[0].part.examples for seed in (0, 0, 1))
    assert first == again
    assert rows(first) != rows(other)


def test_a_share_too_small_to_learn_from_is_left_out() -> None:
    shares = nested_shares(labelled(["a", "b"] * 60), seed=0)
    assert [share.left_out is None for share in shares] == [False, True, True, True]
    assert shares[0].left_out == "holds 6 examples; fewer than 10 teach nothing"


def test_a_share_that_many_labels_make_as_large_as_the_next_is_left_out() -> None:
    shares = nested_shares(labelled([f"label {place % 40}" for place in range(400)]), seed=0)
    assert [len(share.part) for share in shares] == [40, 40, 100, 200]
    assert "as large as the next" in str(shares[0].left_out)
    assert [share.left_out for share in shares[1:]] == [None, None, None]


@pytest.mark.parametrize("seed", range(5))
def test_units_of_unequal_size_come_as_near_to_the_share_as_they_can(seed: int) -> None:
    sizes = [40, 30, 20, 10, *[1] * 100]
    groups = np.repeat(np.arange(len(sizes)), sizes).tolist()
    examples = labelled(["a"] * len(groups), groups)
    for share in nested_shares(examples, seed=seed):
        assert abs(len(share.part) - share.per_cent / 100 * 200) <= 20
