"""A tree of concepts: how near two stand, by hand and by what must hold of any tree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeground.errors import DataError
from homeground.taxonomy.taxonomy import Concept, Taxonomy, grow, homonyms, make_concept

#   0 health          5 food
#   ├ 1 nursing       └ 6 baking
#   │  ├ 2 ward nurse     └ 7 baker
#   │  └ 3 midwife
#   └ 4 dentist
PARENTS = [(), (0,), (1,), (1,), (0,), (), (5,), (6,)]
NAMES = ["health", "nursing", "ward nurse", "midwife", "dentist", "food", "baking", "baker"]


def tree(parents: list[tuple[int, ...]] | None = None, **options: int) -> Taxonomy:
    above = PARENTS if parents is None else parents
    names = [NAMES[node] if node < len(NAMES) else str(node) for node in range(len(above))]
    concepts = [make_concept(name, [], "", node) for node, name in enumerate(names)]
    return grow(concepts, names, above, circle=lambda nodes: DataError(f"circle {nodes}"), **options)


def above_or_itself(taxonomy: Taxonomy, node: int) -> set[int]:
    return {node}.union(*(above_or_itself(taxonomy, parent) for parent in taxonomy.parents[node]))


@pytest.mark.parametrize(
    ("one", "two", "closeness"),
    [
        (2, 3, 2 * 2 / (3 + 3)),  # siblings, below nursing at depth 2
        (2, 4, 2 * 1 / (3 + 2)),  # cousins, below health at depth 1
        (2, 1, 2 * 2 / (3 + 2)),  # a concept and its parent
        (2, 0, 2 * 1 / (3 + 1)),
        (2, 7, 0),  # of two branches
        (0, 5, 0),
        (2, 2, 1),
    ],
)
def test_closeness_is_that_of_wu_and_palmer(one: int, two: int, closeness: float) -> None:
    assert tree().closeness(one, two) == pytest.approx(closeness)
    assert tree().closeness(two, one) == pytest.approx(closeness)


@given(st.lists(st.lists(st.integers(0, 60), max_size=3), min_size=1, max_size=60), st.data())
def test_closeness_is_symmetric_between_0_and_1_and_1_only_for_the_same(
    above: list[list[int]], data: st.DataObject
) -> None:
    parents = [tuple({node % place for node in nodes} if place else ()) for place, nodes in enumerate(above)]
    taxonomy = tree(parents)
    one, two = (data.draw(st.integers(0, len(parents) - 1)) for _ in range(2))
    assert taxonomy.closeness(one, two) == taxonomy.closeness(two, one)
    assert 0 <= taxonomy.closeness(one, two) <= 1
    shared = above_or_itself(taxonomy, one) & above_or_itself(taxonomy, two)
    assert taxonomy.common_depth(one, two) == max((taxonomy.depths[node] for node in shared), default=0)
    assert (taxonomy.closeness(one, two) == 1) == (one == two)
    assert len(taxonomy.way(one)) == taxonomy.depths[one]
    first, after = taxonomy.spans[one]
    below = {node for node in range(len(parents)) if one in taxonomy.way(node)}
    assert below == {node for node, (place, _) in enumerate(taxonomy.spans) if first <= place < after}


def test_of_several_parents_the_deepest_is_in_the_tree_and_all_count() -> None:
    taxonomy = tree([*PARENTS, (5, 1)])  # below food and below nursing
    assert taxonomy.way(8) == [0, 1, 8]
    assert taxonomy.closeness(8, 2) == pytest.approx(2 * 2 / (3 + 3))
    assert taxonomy.closeness(8, 7) == pytest.approx(2 * 1 / (3 + 3))
    assert any("below several" in note for note in taxonomy.notes)


def test_branches_may_stand_below_a_root_that_is_left_out() -> None:
    rooted = [(), *(tuple(parent + 1 for parent in above) or (0,) for above in PARENTS)]
    taxonomy = tree(rooted, branch_depth=2)
    assert taxonomy.closeness(3, 8) == 0
    assert taxonomy.closeness(3, 4) == pytest.approx(2 * 2 / (3 + 3))
    assert len(taxonomy.concepts) == len(PARENTS)
    assert any("above the branches" in note for note in taxonomy.notes)
    with pytest.raises(DataError, match="the deepest at 4"):
        tree(rooted, branch_depth=5)


def test_parents_in_a_circle_are_refused_wherever_it_begins() -> None:
    with pytest.raises(DataError, match=r"circle \[1, 2\]|circle \[2, 1\]"):
        tree([(), (2,), (1,), (2,)])
    with pytest.raises(DataError, match=r"circle \[0\]"):
        tree([(0,)])


def test_a_deep_tree_is_no_trouble() -> None:
    deep = tree([(), *((node,) for node in range(5000))])
    assert deep.depths[-1] == 5001
    assert deep.spans[0] == (0, 5001)


def test_names_that_read_alike_are_one_and_homonyms_are_told() -> None:
    concept = make_concept("Data Scientist", ["data scientist!", " analyst ", "Analyst", ""], " text ", 0)
    assert concept.alternatives == ("analyst",)
    assert concept.description == "text"
    concepts: list[Concept] = [
        concept,
        make_concept("ANALYST", [], "", 1),
        make_concept("数据科学家", ["ANALYST "], "", 2),
    ]
    assert list(homonyms(concepts)) == ["ANALYST"]
    assert concepts[0].shares_a_name(concepts[2])
