"""Units of pairs: what belongs together, and what is resampled."""

from __future__ import annotations

import csv
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from homeground.data.units import Hub, link_pairs, link_same, text_key
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


def key_by_its_definition(text):
    """Return the key of a text, put together character by character."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    letters = []
    for letter in plain:
        category = unicodedata.category(letter)
        if category != "Cf":
            letters.append(" " if category[0] in "PZC" and letter not in "#%" else letter)
    return " ".join(sorted("".join(letters).split()) or plain.split())


@settings(max_examples=500, deadline=None)
@given(
    st.text(st.characters(), max_size=40)
    | st.text(" .,!-#%\u00ad\u200d\ufb01ßİıſΣςÅe\u0301①²\ud800中😀\x00Aa9_+$", max_size=30)
)
@example("")
@example(" :-) ")
def test_a_key_is_its_definition_for_any_text(text):
    assert text_key(text) == key_by_its_definition(text)


def test_texts_are_units_by_near_duplicates_or_by_group():
    assert link_same(["good", "bad", "good"]).tolist() == [0, 1, 0]
    assert link_same(["a", "b", "c"], groups=["x", "y", "x"]).tolist() == [0, 1, 0]


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
    assert link_same(["a", "b", "a", "c", "d"], groups=["G", "G", "H", "H", "K"]).tolist() == [0, 0, 0, 0, 1]


def linked_by_hand(pairs, groups):
    """Return the component of every pair with the same group, else a shared text that is no hub, or the same texts."""
    uses = {text: sum(text in pair for pair in pairs) for pair in pairs for text in pair}
    component = list(range(len(pairs)))
    for one, first in enumerate(pairs):
        for other, second in enumerate(pairs[:one]):
            linking = {text for text in set(first) & set(second) if uses[text] <= 5}
            if set(first) == set(second) or (linking if groups is None else groups[one] == groups[other]):
                old, new = component[one], component[other]
                component = [new if each == old else each for each in component]
    return component, {text for text, count in uses.items() if count > 5}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 40)), max_size=60), st.booleans(), st.randoms())
def test_units_and_nodes_are_those_that_a_search_of_all_pairs_gives(drawn, grouped, random):
    pairs = [(letter if number < 12 else f"one {number}", f"two {number // 2}") for letter, number in drawn]
    pairs = [pair if random.random() < 0.8 else pair[::-1] for pair in pairs]
    groups = [random.randrange(20) for _ in pairs] if grouped else None
    linked = link_pairs([pair[0] for pair in pairs], [pair[1] for pair in pairs], groups=groups)
    component, hubs = linked_by_hand(pairs, groups)
    assert {hub.text for hub in linked.hubs} == hubs
    largest = max((component.count(each) for each in component), default=0)
    by_text = "text_1" if largest > max(0.1 * len(pairs), 5) else "shared text"
    assert linked.rule == ("group" if grouped else by_text)
    units = linked.units.tolist()
    if linked.rule != "text_1":
        assert np.array_equal(linked.units[:, None] == linked.units, np.equal.outer(component, component))
    where = {text: {unit for pair, unit in zip(pairs, units, strict=True) if text in pair} for text in sum(pairs, ())}
    heads = {text: {unit for pair, unit in zip(pairs, units, strict=True) if text == pair[0]} for text in where}
    text_nodes = {}

    def node(text, unit):
        """Return the unit, or the node of a text that other units hold too."""
        if len(where[text]) == 1:
            return unit
        if linked.rule != "shared text" and len(heads[text]) == 1:
            return next(iter(heads[text]))
        return text_nodes.setdefault(text, len(set(units)) + len(text_nodes))

    for pair, unit, nodes in zip(pairs, units, linked.nodes.tolist(), strict=True):
        first = node(pair[0], unit) if linked.rule == "shared text" else unit
        second = node(pair[1], unit)
        assert nodes == ([unit, first] if second == unit else [first, second])
    assert linked.recurring_text_2 == len({pair[1] for pair in pairs if len(where[pair[1]]) > 1})


def test_keys_that_are_known_already_link_as_the_texts_do():
    first, second = ["a", "b", "A.", "c"], ["x", "y", "z", "X!"]
    known = [(hash(text_key(one)), hash(text_key(two))) for one, two in zip(first, second, strict=True)]
    plain, keyed = link_pairs(first, second), link_pairs(first, second, keys=known)
    assert np.array_equal(plain.nodes, keyed.nodes) and plain.units.tolist() == keyed.units.tolist() == [0, 1, 0, 0]


def test_some_of_the_examples_have_units_numbered_from_0():
    linked = link_pairs(["a", "b", "a", "c", "d"], ["x", "y", "z", "v", "w"])
    some = linked.only(np.array([1, 3, 4]))
    assert (some.units.tolist(), some.count, some.independent) == ([0, 1, 2], 3, 3)
    assert linked.only(np.array([4, 2, 0])).units.tolist() == [0, 1, 1]
    assert np.array_equal(linked.only(np.arange(5)).nodes, linked.nodes)
