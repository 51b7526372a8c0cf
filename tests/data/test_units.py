"""Units of pairs: what belongs together, and what is resampled."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from homeground.data.units import Hub, link_pairs, link_texts, text_key
from homeground.errors import DataError

ESCO = Path(__file__).parents[3] / "shared" / "data" / "esco" / "training_pairs.csv"


def singles(count, name="single"):
    """Return columns of pairs that share nothing."""
    return [f"{name} {number}" for number in range(count)], [f"{name} other {number}" for number in range(count)]


@pytest.mark.parametrize(
    "same",
    [
        ("Nurse", "nurse"),
        ("data  scientist", "data\nscientist "),
        ("ＡＢＣ", "abc"),
        ("Nurse, senior", "senior nurse."),
        ("co\u00adoperate", "cooperate"),
        ("café", "cafe\u0301"),
        ("STRASSE", "straße"),
    ],
)
def test_near_duplicates_have_one_key(same):
    assert text_key(same[0]) == text_key(same[1])


@pytest.mark.parametrize(
    "other",
    [
        ("level 1", "level 2"),
        ("café", "cafe"),
        ("C++", "C"),
        ("C#", "C"),
        ("C#", "C++"),
        ("50%", "50"),
        ("!!!", "???"),
        ("护士", "医生"),
    ],
)
def test_digits_accents_symbols_and_other_scripts_tell_texts_apart(other):
    assert text_key(other[0]) != text_key(other[1])


def test_texts_are_units_by_near_duplicates_or_by_group():
    assert link_texts(["Good!", "bad", "good"]).tolist() == [0, 1, 0]
    assert link_texts(["a", "b", "c"], groups=["x", "y", "x"]).tolist() == [0, 1, 0]


def test_pairs_are_linked_through_shared_texts_on_either_side():
    more_1, more_2 = singles(40)
    linked = link_pairs(["a", "c", "B.", "e", *more_1], ["b", "a", "d", "f", *more_2])
    assert linked.rule == "shared text"
    assert linked.units[:4].tolist() == [0, 0, 0, 1]
    assert linked.recurring_text_2 == 0
    assert np.array_equal(linked.nodes[:, 0], linked.units) and np.array_equal(linked.nodes[:, 1], linked.units)


def test_hubs_link_nothing_and_are_listed_with_their_counts():
    more_1, more_2 = singles(80)
    linked = link_pairs([*(f"title {n}" for n in range(7)), *more_1], [*["Data Scientist"] * 7, *more_2])
    assert linked.hubs == (Hub("Data Scientist", 7),)
    assert len(set(linked.units.tolist())) == 87
    assert linked.recurring_text_2 == 1
    # The hub is one node that its seven pairs share beside their own units.
    assert linked.nodes[:7, 0].tolist() == linked.units[:7].tolist()
    assert len(set(linked.nodes[:7, 1].tolist())) == 1
    assert linked.nodes[0, 1] not in linked.units


def test_a_hub_on_the_first_side_is_shared_as_well():
    more_1, more_2 = singles(80)
    linked = link_pairs([*["hub"] * 7, *more_1], [*(f"title {n}" for n in range(7)), *more_2])
    assert linked.nodes[:7, 0].tolist() == linked.units[:7].tolist()
    assert len(set(linked.nodes[:7, 1].tolist())) == 1


def test_a_text_in_five_pairs_still_links_them():
    more_1, more_2 = singles(80)
    linked = link_pairs([*(f"title {n}" for n in range(5)), *more_1], [*["shared"] * 5, *more_2])
    assert len(set(linked.units[:5].tolist())) == 1
    assert linked.hubs == ()


def test_a_text_paired_with_itself_counts_one_pair():
    more_1, more_2 = singles(80)
    linked = link_pairs([*["same"] * 3, *more_1], [*["same"] * 3, *more_2])
    assert linked.hubs == ()
    assert linked.units[:3].tolist() == [0, 0, 0]


def test_a_component_of_everything_falls_back_to_the_first_text():
    # A chain: each second text is the first text of the next pair.
    texts = [f"text {number}" for number in range(21)]
    linked = link_pairs(texts[:-1], texts[1:])
    assert linked.rule == "text_1"
    assert linked.units.tolist() == list(range(20))
    assert linked.recurring_text_2 == 19
    # A recurring second text is the unit it heads; the last one recurs nowhere and belongs to its pair.
    assert linked.nodes[:, 1].tolist() == [*range(1, 20), 19]


def test_a_second_text_that_heads_no_unit_is_a_node_of_its_own():
    first = [f"title {number}" for number in range(20) for _ in range(3)]
    second = [f"skill {(number * 7 + turn) % 25}" for number in range(20) for turn in range(3)]
    linked = link_pairs(first, second)
    assert linked.rule == "text_1"
    crossed = linked.nodes[:, 1] != linked.units
    assert crossed.any() and linked.nodes[crossed, 1].min() >= 20


def test_a_handful_of_linked_pairs_is_no_component_of_everything():
    linked = link_pairs(["a", "a", "b"], ["x", "y", "y"])
    assert linked.rule == "shared text"
    assert linked.units.tolist() == [0, 0, 0]


def test_groups_decide_and_the_second_group_is_the_second_node():
    linked = link_pairs(["a", "b", "c"], ["b", "x", "y"], groups=["G", "G", "H"])
    assert linked.rule == "group"
    assert linked.nodes.tolist() == [[0, 0], [0, 0], [1, 1]]
    linked = link_pairs(["a", "b", "c"], ["x", "y", "z"], groups=["G", "G", "H"], groups_2=["G", "H", "K"])
    assert linked.nodes.tolist() == [[0, 0], [0, 1], [1, 2]]
    with pytest.raises(DataError, match="name both groups"):
        link_pairs(["a"], ["b"], groups_2=["G"])


def test_a_second_text_that_other_groups_hold_is_crossed():
    linked = link_pairs(["a", "b", "c"], ["b", "x", "x"], groups=["G", "H", "K"])
    # "b" is a first text of H; "x" heads no group.
    assert linked.nodes.tolist() == [[0, 1], [1, 3], [2, 3]]
    assert linked.recurring_text_2 == 2


def test_columns_of_different_length_are_refused():
    with pytest.raises(DataError, match=r"hold \[1, 2\] values"):
        link_pairs(["a", "b"], ["c"])


def test_the_tutorial_pairs_do_not_become_one_unit():
    if not ESCO.exists():
        pytest.skip("the ESCO pairs are not on this machine")
    with ESCO.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    linked = link_pairs([row["base"] for row in rows], [row["ref"] for row in rows])
    assert np.bincount(linked.units).max() <= max(5, 0.1 * len(rows)) or linked.rule == "text_1"
    assert len(set(linked.units.tolist())) >= 10


def test_the_same_two_texts_stay_together_even_where_both_are_hubs_or_turned_round():
    hubs = [("a", f"x{number}") for number in range(8)] + [("b", f"y{number}") for number in range(8)]
    pairs = [*hubs, ("a", "b"), ("b", "a"), ("a", "b")]
    linked = link_pairs([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    assert len(set(linked.units[-3:].tolist())) == 1


def test_groups_that_hold_the_same_pair_or_text_are_one_unit():
    # The pair of G stands in H too, the other way round and written otherwise; K shares but one of its texts.
    groups = ["G", "G", "H", "H", "K"]
    linked = link_pairs(["a", "b", "X.", "c", "a"], ["x", "y", "A", "z", "w"], groups=groups)
    assert linked.rule == "group"
    assert linked.units.tolist() == [0, 0, 0, 0, 1]
    assert link_texts(["a", "b", "A!", "c", "d"], groups=["G", "G", "H", "H", "K"]).tolist() == [0, 0, 0, 0, 1]
