"""Near-duplicates against a comparison of all pairs, and their recall on planted copies."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeground.audit import near_duplicates as module
from homeground.audit.near_duplicates import MIN_SIMILARITY, near_duplicates
from tests.audit.corpora import edited

WORDS = [f"{first}{second}{third}" for first in "bdfgklmn" for second in "aeiou" for third in ("rt", "nd", "mp", "st")]


def texts(count: int, *, seed: int = 0) -> list[str]:
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, 10)) for _ in range(count)]


def jaccard(one: str, two: str, length: int = 4) -> float:
    first, second = (
        {f" {text} "[place : place + length] for place in range(len(text) + 3 - length)} for text in (one, two)
    )
    return len(first & second) / len(first | second)


def test_pairs_and_similarities_are_those_of_comparing_all_with_all():
    base = texts(60)
    every = base + [edited(text, 1 + number % 5, seed=number) for number, text in enumerate(base[:40])]
    expected = {
        (one, two): jaccard(every[one], every[two])
        for one, two in combinations(range(len(every)), 2)
        if jaccard(every[one], every[two]) >= MIN_SIMILARITY
    }
    found = near_duplicates(every)
    pairs = {(one, two): value for (one, two), value in zip(found.pairs.tolist(), found.similarity, strict=True)}
    assert set(pairs) <= set(expected)
    certain = {pair for pair, value in expected.items() if value >= 0.5}
    assert certain <= set(pairs)
    assert all(abs(pairs[pair] - expected[pair]) < 1e-12 for pair in pairs)
    assert np.all(np.diff(found.similarity) <= 0)


@pytest.mark.parametrize(("words", "recall"), [(1, 0.98), (2, 0.85)])
@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_planted_copies_are_found(share: float, words: int, recall: float):
    base = texts(3000, seed=1)
    copied = np.random.default_rng(2).choice(len(base), round(share * len(base)), replace=False).tolist()
    every = base + [edited(base[place], words, seed=place) for place in copied]
    found = set(map(tuple, near_duplicates(every).pairs.tolist()))
    planted = [(place, len(base) + number) for number, place in enumerate(copied)]
    assert np.mean([pair in found for pair in planted]) >= recall
    # What is found and was not planted is similar all the same: every pair is compared exactly.
    others = [pair for pair in found if pair not in set(planted)]
    assert all(jaccard(every[one], every[two]) >= MIN_SIMILARITY for one, two in others)


def test_chinese_is_compared_by_two_characters():
    every = ["这家店的牛肉面味道很好下次还会再来", "这家店的牛肉面味道不错下次还会再来", "送餐太慢了打电话也没有人接"]
    assert near_duplicates(every).pairs.tolist() == [[0, 1]]


def test_clusters_link_what_pairs_link():
    every = ["the quick brown fox jumps over it", "the quick brown fox jumps over her", "nothing of the kind at all"]
    clusters = near_duplicates(every).clusters_from()
    assert clusters[0] == clusters[1] != clusters[2]
    assert len(set(near_duplicates(every).clusters_from(0.99).tolist())) == 3


@pytest.mark.parametrize("every", [[], ["alone"], ["", " ", "a"], ["\ud800 lone surrogate", "😀", "x" * 50_000]])
def test_odd_texts_have_no_near_duplicates(every: list[str]):
    found = near_duplicates(every)
    assert found.count == len(every)
    assert found.pairs.shape[1] == 2


def test_many_rows_of_one_template_are_bounded_and_what_is_left_out_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_CANDIDATES", 100)
    every = [f"your order number {number} has been shipped today" for number in range(400)]
    found = near_duplicates(every)
    assert len(found.pairs) <= 100
    assert found.left_out > 0


def test_large_sets_find_what_is_alike(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MANY_TEXTS", 100)
    base = texts(300, seed=3)
    every = [*base, edited(base[7], 1, seed=0)]
    assert [7, 300] in near_duplicates(every).pairs.tolist()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=8, unique=True))
def test_any_texts_can_be_compared(every: list[str]):
    found = near_duplicates(every)
    assert np.all(found.pairs[:, 0] < found.pairs[:, 1])
    assert np.all((found.similarity >= MIN_SIMILARITY) & (found.similarity <= 1))
