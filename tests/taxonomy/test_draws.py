"""Pairs of a taxonomy: scores from the tree, no text in two splits, no pair twice, nothing unrelated that is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from homeground.data.units import text_key
from homeground.errors import DataError
from homeground.taxonomy import draws as taxonomy_pairs
from homeground.taxonomy.draws import COUNTS, SCORES, Pairing, ScoredPair, draw_pairs
from homeground.taxonomy.hard_negatives import hard_negatives
from homeground.taxonomy.splits import held_out_depth, split_concepts
from homeground.taxonomy.taxonomy import Concept, Taxonomy, grow, make_concept

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}


def forest(branches: int = 4, groups: int = 6, members: int = 4, *, names: int = 10**6) -> Taxonomy:
    """Branches of groups of concepts, each group's first concept above another two; ``names`` limits the names used."""
    parents: list[tuple[int, ...]] = []
    concepts: list[Concept] = []
    titles: list[str] = []

    def grown(title: str, *above: int) -> int:
        titles.append(title)
        parents.append(above)
        return len(parents) - 1

    for b in range(branches):
        branch = grown(f"branch {b}")
        for g in range(groups):
            group = grown(f"group {b}.{g}", branch)
            first = len(parents)
            for m in range(members):
                node = grown(f"title {b}x{g}x{m}", first if m in (1, 2) else group)
                number = len(concepts)
                title = f"title {number % names}"
                others = [f"other {number % names}", f"name {(7 * number) % names}"]
                concepts.append(
                    make_concept(title, others, f"It is {number % names} of all." if number % 3 else "", node)
                )
    return grow(concepts, titles, parents, circle=lambda _: DataError("circle"))


def pairing(depth: int = 2, *, scores: dict[str, float] | None = None, **counts: int) -> Pairing:
    return Pairing(depth, {**COUNTS, **counts}, {**SCORES, **(scores or {})})


def drawn(
    taxonomy: Taxonomy, *, seed: int = 0, hard: list[tuple[int, int]] | None = None, **counts: int
) -> list[ScoredPair]:
    return draw_pairs(taxonomy, taxonomy.concepts, pairing(**counts), seed=seed, hard_negatives=hard or []).pairs


def both(pair: ScoredPair) -> frozenset[str]:
    return frozenset((text_key(pair.text_1), text_key(pair.text_2)))


def by_text(taxonomy: Taxonomy) -> dict[str, Concept]:
    return {text: each for each in taxonomy.concepts for text in (each.title, *each.alternatives, each.description)}


@settings(deadline=None, max_examples=40)
@given(
    branches=st.integers(3, 5),
    groups=st.integers(5, 9),
    members=st.integers(1, 4),
    names=st.integers(10, 200),
    seed=st.integers(0, 5),
    depth=st.integers(2, 3),
)
def test_no_text_and_no_group_is_in_two_splits(
    branches: int, groups: int, members: int, names: int, seed: int, depth: int
) -> None:
    taxonomy = forest(branches, groups, members, names=names)
    # The validation split is small: with fewer than 13 groups an even walk may leave it none.
    assume(len({taxonomy.unit(each.node, depth) for each in taxonomy.concepts}) >= 13)
    splits = split_concepts(taxonomy, depth=depth, seed=seed, shares=SHARES)
    units = Counter(
        unit for part in splits.concepts.values() for unit in {taxonomy.unit(each.node, depth) for each in part}
    )
    assert set(units.values()) <= {1}
    where: dict[str, str] = {}
    for split, concepts in splits.concepts.items():
        for pair in draw_pairs(taxonomy, concepts, pairing(depth, stranger=0), seed=seed).pairs:
            for key in both(pair):
                assert where.setdefault(key, split) == split
    kept = sum(len(part) for part in splits.concepts.values())
    assert kept + splits.dropped["concepts"] == len(taxonomy.concepts)


def test_a_text_in_two_splits_stays_where_it_is_a_title_and_is_counted() -> None:
    taxonomy = forest(4, 10)
    concepts = [
        *taxonomy.concepts[:-1],
        make_concept(taxonomy.concepts[0].title, [], "", taxonomy.concepts[-1].node),
    ]
    for place in range(1, len(concepts) - 1):
        concepts[place] = make_concept(
            concepts[place].title, [taxonomy.concepts[0].title], taxonomy.concepts[1].description, concepts[place].node
        )
    shared = replace(taxonomy, concepts=tuple(concepts))
    for seed in range(20):
        splits = split_concepts(shared, depth=2, seed=seed, shares=SHARES)
        home = next(split for split, part in splits.concepts.items() if concepts[0] in part)
        outside = [each for split, part in splits.concepts.items() if split != home for each in part]
        assert all(not each.alternatives for each in outside)
        assert all(
            each.alternatives
            for each in splits.concepts[home]
            if each.node not in (concepts[0].node, concepts[-1].node)
        )
        assert splits.dropped["alternatives"] == len(outside)
        assert splits.dropped["concepts"] == sum(len(part) for part in splits.concepts.values()) * -1 + len(concepts)
        assert len({bool(each.description) for each in outside}) <= 2
        assert taxonomy.concepts[0].title in splits.examples


def test_splits_get_their_shares_from_every_branch_alike() -> None:
    taxonomy = forest(branches=4, groups=25)
    splits = split_concepts(taxonomy, depth=2, seed=0, shares=SHARES)
    for name, share in SHARES.items():
        assert len(splits.concepts[name]) == pytest.approx(share * len(taxonomy.concepts), rel=0.1)
        for count in Counter(taxonomy.branch(each.node) for each in splits.concepts[name]).values():
            assert count == pytest.approx(share * len(taxonomy.concepts) / 4, rel=0.45)


def test_another_seed_holds_out_other_branches_where_whole_branches_are_held_out() -> None:
    taxonomy = forest(branches=20, groups=2)
    held_out = {
        frozenset(
            taxonomy.branch(each.node)
            for each in split_concepts(taxonomy, depth=1, seed=seed, shares=SHARES).concepts["test"]
        )
        for seed in range(8)
    }
    assert {len(branches) for branches in held_out} == {3}
    assert len(held_out) >= 7
    assert len(frozenset.union(*held_out)) >= 12


def test_the_shallowest_depth_with_enough_groups_for_a_verdict_is_held_out() -> None:
    assert held_out_depth(forest(branches=160, groups=2), 0.2) == 1
    assert held_out_depth(forest(branches=4, groups=40), 0.2) == 2
    # Deeper, most concepts would be groups of their own.
    assert held_out_depth(forest(branches=4, groups=6), 0.2) == 2
    flat = [make_concept(str(node), [], "", node) for node in range(9)]
    assert held_out_depth(grow(flat, [str(n) for n in range(9)], [()] * 9, circle=lambda _: DataError("")), 0.2) == 1


def test_too_few_groups_for_a_split_are_refused() -> None:
    with pytest.raises(DataError, match=r"no group is left for .*: only 2 groups stand at depth 1.*--hold-out"):
        split_concepts(forest(branches=2), depth=1, seed=0, shares=SHARES)


def test_every_relation_is_what_it_says_and_scored_by_the_tree() -> None:
    taxonomy = forest()
    known = by_text(taxonomy)
    pairs = drawn(taxonomy)
    for pair in pairs:
        one, two = known[pair.text_1], known[pair.text_2]
        above, closeness = taxonomy.parents[one.node][0], taxonomy.closeness(one.node, two.node)
        assert pair.text_1 == one.title
        assert pair.group == taxonomy.names[taxonomy.unit(one.node, 2)]
        if pair.relation in ("alternative", "description"):
            assert one is two
            assert pair.text_2 in (one.alternatives if pair.relation == "alternative" else (one.description,))
            assert pair.similarity == SCORES[pair.relation]
            continue
        assert pair.similarity == round(0.5 + 0.4 * closeness, 4)
        common = taxonomy.common_depth(one.node, two.node)
        if pair.relation == "parent":
            assert two.node == above
        elif pair.relation == "sibling":
            assert taxonomy.parents[two.node][0] == above
        elif pair.relation == "cousin":
            assert 0 < common < taxonomy.depths[above]
        else:
            assert common == 0
    assert {pair.relation for pair in pairs} == set(COUNTS)
    # Two at depth 3 of one group at depth 2: 0.5 + 0.4 * 2 * 2 / (3 + 3).
    assert {pair.similarity for pair in pairs if pair.relation == "sibling"} == {0.7667, 0.8}


def test_what_stands_above_a_title_is_no_cousin_and_nobody_is_their_own_sibling() -> None:
    # Two branches in which every node is a concept, each above two others.
    parents: list[tuple[int, ...]] = [(), (), *(((node - 2) // 2,) for node in range(2, 62))]
    concepts = [make_concept(f"concept {node}", [], "", node) for node in range(len(parents))]
    taxonomy = grow(concepts, [str(node) for node in range(len(parents))], parents, circle=lambda _: DataError(""))
    found = draw_pairs(taxonomy, concepts, pairing(cousin=4, sibling=2), seed=0)
    assert found.homonyms == 0
    for pair in found.pairs:
        one, two = (int(text.split()[1]) for text in (pair.text_1, pair.text_2))
        if pair.relation == "cousin":
            assert one not in taxonomy.way(two)
            assert two not in taxonomy.way(one)
    counts = Counter(pair.relation for pair in found.pairs)
    assert counts["sibling"] == 30
    assert counts["parent"] == 60


def test_no_pair_comes_twice_and_every_title_meets_as_many_as_asked() -> None:
    taxonomy = forest(8, 8)
    pairs = drawn(taxonomy, sibling=1, stranger=3, cousin=2)
    assert max(Counter(map(both, pairs)).values()) == 1
    assert all(len(both(pair)) == 2 for pair in pairs)
    counts = Counter(pair.relation for pair in pairs)
    count = len(taxonomy.concepts)
    described = sum(bool(each.description) for each in taxonomy.concepts)
    assert counts["alternative"] == 2 * count
    assert counts["description"] == described
    # A few are drawn from both sides and count once.
    assert 0.5 * count <= counts["sibling"] <= count
    assert 1.7 * count <= counts["cousin"] <= 2 * count
    assert 0.97 * (3 * count + described) <= counts["stranger"] <= 3 * count + described


def test_a_description_tells_nothing_by_being_one() -> None:
    taxonomy = forest(8, 8)
    described = {each.description for each in taxonomy.concepts if each.description}
    scores = Counter(pair.similarity for pair in drawn(taxonomy) if pair.text_2 in described)
    assert set(scores) == {0.5, 1.0}
    assert scores[0.5] >= 0.95 * scores[1.0]


def test_scores_and_counts_can_be_set_one_by_one() -> None:
    taxonomy = forest()
    scores = {"alternative": 0.75, "sibling": 0.7, "stranger": 0.45}
    pairs = draw_pairs(taxonomy, taxonomy.concepts, pairing(scores=scores, cousin=0, description=0), seed=0).pairs
    found = {relation: {pair.similarity for pair in pairs if pair.relation == relation} for relation in SCORES}
    assert found["alternative"] == {0.75}
    assert found["sibling"] == {0.7}
    assert found["stranger"] == {0.45}
    assert found["parent"] == {round(0.45 + 0.3 * 6 / 7, 4)}
    assert found["cousin"] == found["description"] == set()


def test_a_name_that_two_concepts_share_makes_no_pair_of_them() -> None:
    taxonomy = forest(4, 4)
    shared = [
        make_concept(each.title, ["The Same"] if number % 2 else ["same, the!"], "", each.node)
        for number, each in enumerate(taxonomy.concepts)
    ]
    found = draw_pairs(replace(taxonomy, concepts=tuple(shared)), shared, pairing(), seed=0)
    assert {pair.relation for pair in found.pairs} == {"alternative"}
    assert found.homonyms > 0


def with_homonyms(taxonomy: Taxonomy) -> Taxonomy:
    """Give the first two concepts of two branches one title each way, and another concept that title as a name."""
    places = {0: "nurse", 30: "Nurse", 61: "other nurse", 1: "title 33", 64: "ward"}
    return replace(
        taxonomy,
        concepts=tuple(
            make_concept(
                places.get(number, each.title), ["nurse"] if number == 61 else [], f"Described {number}.", each.node
            )
            for number, each in enumerate(taxonomy.concepts)
        ),
    )


@pytest.mark.parametrize("split", [range(96), [*range(24), *range(36, 96)]])
def test_a_title_is_no_stranger_to_what_stands_near_its_namesake(split: Sequence[int]) -> None:
    # The second split leaves the second nurse out: what the title means in the taxonomy still counts.
    taxonomy = with_homonyms(forest())
    concepts = [taxonomy.concepts[number] for number in split]
    nodes: dict[str, list[int]] = {}
    for each in taxonomy.concepts:
        for key in (*each.keys, each.description_key):
            nodes.setdefault(key, []).append(each.node)
    met, namesakes = Counter[str](), 0
    for seed in range(10):
        found = draw_pairs(taxonomy, concepts, pairing(stranger=6, cousin=2, description=0), seed=seed)
        namesakes += found.namesakes
        for pair in found.pairs:
            ones, twos = nodes[text_key(pair.text_1)], nodes[text_key(pair.text_2)]
            closeness = max(taxonomy.closeness(one, two) for one in ones for two in twos)
            assert pair.similarity == round(0.5 + 0.4 * closeness, 4)
            met[pair.relation] += text_key("nurse") in both(pair)
    assert namesakes > 0
    assert met["stranger"] > 0
    assert met["sibling"] > 0


def test_texts_of_very_many_concepts_are_compared_with_nothing_of_the_same_kind() -> None:
    taxonomy = forest(6, 30)
    titles = ("all", "every")
    many = tuple(
        make_concept(titles[(number // 4) % 2], [], "", each.node) for number, each in enumerate(taxonomy.concepts)
    )
    assert drawn(replace(taxonomy, concepts=many)) == []


def test_a_description_of_several_concepts_is_left_out_and_counted() -> None:
    parents: list[tuple[int, ...]] = [(), (), *((node % 2,) for node in range(2, 20))]
    concepts = [
        make_concept(f"concept {node}", [], "No definition." if node % 3 else f"Number {node}.", node)
        for node in range(20)
    ]
    taxonomy = grow(concepts, [str(node) for node in range(20)], parents, circle=lambda _: DataError(""))
    assert taxonomy.notes == ("13 descriptions are left out, because several concepts have the same",)
    pairs = drawn(taxonomy)
    assert not any("definition" in pair.text_2 for pair in pairs)
    assert sum(pair.relation == "description" for pair in pairs) == 7


def test_without_alternatives_and_descriptions_there_are_still_pairs() -> None:
    taxonomy = forest()
    bare = tuple(make_concept(each.title, [], "", each.node) for each in taxonomy.concepts)
    relations = {pair.relation for pair in drawn(replace(taxonomy, concepts=bare))}
    assert relations == {"parent", "sibling", "cousin", "stranger"}


def test_the_same_seed_makes_the_same_pairs_and_another_makes_others() -> None:
    taxonomy = forest()
    assert drawn(taxonomy) == drawn(taxonomy)
    assert drawn(taxonomy) != drawn(taxonomy, seed=1)
    split = [split_concepts(taxonomy, depth=2, seed=seed, shares=SHARES) for seed in (0, 0, 1)]
    assert split[0] == split[1] != split[2]


def test_one_branch_alone_has_no_strangers() -> None:
    with pytest.raises(DataError, match=r"one branch.*stranger=0 goes without"):
        drawn(forest(branches=1))
    assert {pair.relation for pair in drawn(forest(branches=1), stranger=0)} >= {"sibling", "cousin"}


def test_many_are_drawn_without_being_shuffled_and_hold_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taxonomy_pairs, "MAX_SHUFFLED", 0)
    test_every_relation_is_what_it_says_and_scored_by_the_tree()
    test_no_pair_comes_twice_and_every_title_meets_as_many_as_asked()


def nearest(taxonomy: Taxonomy, vectors: Any, wanted: int) -> list[tuple[int, int]]:
    """Compare every concept with every other, the slow way."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found: list[tuple[int, int]] = []
    nodes: dict[str, list[int]] = {}
    for concept in taxonomy.concepts:
        for key in concept.keys:
            nodes.setdefault(key, []).append(concept.node)
    for one, concept in enumerate(taxonomy.concepts):
        far = [
            two
            for two, other in enumerate(taxonomy.concepts)
            if not concept.shares_a_name(other)
            and not any(taxonomy.common_depth(a, b) for a in nodes[concept.keys[0]] for b in nodes[other.keys[0]])
        ]
        found += [(one, two) for two in sorted(far, key=lambda two: -float(unit[one] @ unit[two]))[:wanted]]
    return found


@pytest.mark.parametrize("wanted", [1, 3, 30])
def test_hard_negatives_are_those_of_a_full_comparison(monkeypatch: pytest.MonkeyPatch, wanted: int) -> None:
    monkeypatch.setattr("homeground.taxonomy.hard_negatives.CONCEPTS_AT_ONCE", 17)
    taxonomy = forest(5, 4, names=60)
    vectors = np.random.default_rng(wanted).normal(size=(len(taxonomy.concepts), 5)).astype(np.float32)
    found = hard_negatives(taxonomy, taxonomy.concepts, vectors, wanted=wanted, seed=0)
    assert found == nearest(taxonomy, vectors, wanted)
    pairs = [pair for pair in drawn(taxonomy, hard=found, stranger=0) if pair.relation == "hard_negative"]
    assert pairs
    assert {pair.similarity for pair in pairs} == {0.5}


def test_hard_negatives_are_found_behind_many_that_share_a_name() -> None:
    taxonomy = forest(5, 4)
    alike = tuple(
        make_concept(each.title, ["the same"] if number < 60 else [], "", each.node)
        for number, each in enumerate(taxonomy.concepts)
    )
    taxonomy = replace(taxonomy, concepts=alike)
    vectors = np.random.default_rng(0).normal(size=(len(alike), 5)).astype(np.float32)
    vectors[:60, 0] += 20
    found = hard_negatives(taxonomy, alike, vectors, wanted=1, seed=0)
    assert found == nearest(taxonomy, vectors, 1)


def test_of_very_many_concepts_a_sample_is_compared_the_same_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homeground.taxonomy.hard_negatives.MAX_POOL", 30)
    taxonomy = forest(5, 4)
    vectors = np.random.default_rng(0).normal(size=(len(taxonomy.concepts), 5)).astype(np.float32)
    found, again = (hard_negatives(taxonomy, taxonomy.concepts, vectors, wanted=2, seed=0) for _ in range(2))
    assert found == again
    assert len(found) == 2 * len(taxonomy.concepts)
    assert len({two for _, two in found}) <= 30
    assert found != hard_negatives(taxonomy, taxonomy.concepts, vectors, wanted=2, seed=1)
