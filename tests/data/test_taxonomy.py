"""Pairs of a taxonomy: no pair twice, no group in two splits, strangers from elsewhere, the same every time."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeground.data.linking import text_key
from homeground.data.taxonomy import RELATIONS, Concept, ScoredPair, scored_pairs, split_groups
from homeground.errors import DataError

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}


def taxonomy(branches: int = 5, groups: int = 8, members: int = 4) -> list[Concept]:
    return [
        Concept(f"title{b}x{g}x{m}", (f"other{b}x{g}x{m}", f"name{b}x{g}x{m}"), f"group {b}.{g}", f"branch {b}")
        for b in range(branches)
        for g in range(groups)
        for m in range(members)
    ]


def by_title(concepts: list[Concept]) -> dict[str, Concept]:
    return {concept.title: concept for concept in concepts}


def both(pair: ScoredPair) -> frozenset[str]:
    return frozenset((text_key(pair.text_1), text_key(pair.text_2)))


@given(branches=st.integers(2, 5), groups=st.integers(1, 9), members=st.integers(1, 4), seed=st.integers(0, 5))
def test_no_group_and_no_text_is_in_two_splits(branches: int, groups: int, members: int, seed: int) -> None:
    concepts = taxonomy(branches, groups, members)
    splits = split_groups(concepts, seed=seed, shares=SHARES)
    where = Counter(group for part in splits.values() for group in {concept.group for concept in part})
    assert set(where.values()) == {1}
    assert sorted(c.title for part in splits.values() for c in part) == sorted(c.title for c in concepts)


def test_splits_get_their_shares_from_every_branch_alike() -> None:
    concepts = taxonomy(branches=4, groups=25)
    splits = split_groups(concepts, seed=0, shares=SHARES)
    for name, share in SHARES.items():
        assert len(splits[name]) == pytest.approx(share * len(concepts), rel=0.1)
        for count in Counter(concept.branch for concept in splits[name]).values():
            assert count == pytest.approx(share * len(concepts) / 4, rel=0.45)


def test_no_pair_comes_twice_whichever_way_round() -> None:
    pairs = scored_pairs(taxonomy(), seed=0)
    assert max(Counter(map(both, pairs)).values()) == 1
    assert all(len(both(pair)) == 2 for pair in pairs)


def test_two_names_that_read_the_same_make_no_pair() -> None:
    concepts = [Concept("Data Scientist", ("data scientist!", "analyst"), "1", "a"), Concept("nurse", (), "2", "b")]
    texts = {(pair.text_1, pair.text_2) for pair in scored_pairs(concepts, seed=0)}
    assert ("Data Scientist", "data scientist!") not in texts
    assert ("Data Scientist", "analyst") in texts


def test_the_score_follows_from_where_the_two_stand() -> None:
    concepts = taxonomy()
    known = by_title(concepts)
    pairs = scored_pairs(concepts, seed=0)
    for pair in pairs:
        first, second = known[pair.text_1], known.get(pair.text_2)
        if pair.relation == "alternative":
            assert pair.text_2 in first.alternatives
        else:
            assert second is not None
            assert (first.group == second.group) == (pair.relation == "sibling")
            assert (first.branch != second.branch) == (pair.relation == "stranger")
        assert pair.similarity == RELATIONS[pair.relation]
        assert pair.group == first.group
    assert {pair.relation for pair in pairs} == set(RELATIONS)
    assert 1 >= RELATIONS["alternative"] > RELATIONS["sibling"] > RELATIONS["stranger"] == 0.5


def test_every_title_meets_as_many_as_asked() -> None:
    concepts = taxonomy()
    counts = Counter(pair.relation for pair in scored_pairs(concepts, seed=0, siblings=1, strangers=3))
    assert counts["alternative"] == 2 * len(concepts)
    # A few are drawn from both sides and count once.
    assert 0.6 * len(concepts) <= counts["sibling"] <= len(concepts)
    assert 2.8 * len(concepts) <= counts["stranger"] <= 3 * len(concepts)


def test_the_same_seed_makes_the_same_pairs_and_another_makes_others() -> None:
    concepts = taxonomy()
    assert scored_pairs(concepts, seed=0) == scored_pairs(concepts, seed=0)
    assert scored_pairs(concepts, seed=0) != scored_pairs(concepts, seed=1)
    assert split_groups(concepts, seed=0, shares=SHARES) == split_groups(concepts, seed=0, shares=SHARES)
    assert split_groups(concepts, seed=0, shares=SHARES) != split_groups(concepts, seed=1, shares=SHARES)


def test_one_branch_alone_has_no_strangers() -> None:
    with pytest.raises(DataError, match="one branch"):
        scored_pairs(taxonomy(branches=1), seed=0)
