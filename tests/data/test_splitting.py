"""Units of pairs, and splits that keep them whole."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from homeground.data.splitting import (
    Hub,
    cross_fit_folds,
    link_pairs,
    link_texts,
    ordered_split,
    score_bands,
    split_units,
    text_key,
)
from homeground.errors import DataError, UsageError

ESCO = Path("/work/shared/data/esco/training_pairs.csv")


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
    "other", [("level 1", "level 2"), ("café", "cafe"), ("C++", "C"), ("!!!", "???"), ("护士", "医生")]
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


def test_bands_cover_the_whole_range():
    assert score_bands([0, 0.2, 0.4, 0.6, 0.8, 1.0]).tolist() == [0, 1, 2, 3, 4, 4]


def test_a_split_is_the_same_for_the_same_seed_and_another_for_another():
    units = np.arange(1000) // 2
    assert np.array_equal(split_units(units, seed=1), split_units(units, seed=1))
    assert not np.array_equal(split_units(units, seed=1), split_units(units, seed=2))


def test_large_sets_are_split_eighty_ten_ten():
    splits = split_units(np.arange(10_000), seed=0)
    assert [int((splits == name).sum()) for name in ("train", "validation", "test")] == [8000, 1000, 1000]


@pytest.mark.parametrize(("examples", "expected"), [(900, 200), (500, 200), (400, 160), (98, 39), (10, 4)])
def test_the_test_split_comes_first_but_takes_two_fifths_at_most(examples, expected):
    assert (split_units(np.arange(examples), seed=0) == "test").sum() == expected


@pytest.mark.parametrize("seed", range(5))
def test_units_of_very_different_size_stay_whole_and_near_the_shares(seed):
    random = np.random.default_rng(seed)
    units = np.repeat(np.arange(300), np.ceil(np.exp(random.normal(1, 1, 300))).astype(int))
    splits = split_units(units, seed=seed)
    for unit in range(300):
        assert len(set(splits[units == unit])) == 1
    share = {name: np.mean(splits == name) for name in ("train", "validation", "test")}
    assert (splits == "test").sum() >= 190
    assert share["train"] > 0.6 and share["validation"] == pytest.approx(0.1, abs=0.03)


def test_a_unit_too_large_for_a_split_stays_in_train():
    units = np.repeat(np.arange(601), [400, *[1] * 600])
    for seed in range(20):
        splits = split_units(units, seed=seed)
        assert splits[0] == "train"
        assert (splits == "test").sum() == 200


def test_every_unit_is_as_likely_to_be_tested_as_any_other():
    tested = sum((split_units(np.arange(50), seed=seed, at_least_test=0) == "test").astype(int) for seed in range(400))
    assert tested.sum() == 400 * 5
    # Binomial(400, 0.1): mean 40, standard deviation 6.
    assert tested.min() > 15 and tested.max() < 65


def test_strata_are_spread_in_proportion():
    strata = np.repeat([0, 1, 2], [700, 250, 50])
    splits = split_units(np.arange(1000), seed=3, strata=strata)
    for name, share in [("test", 0.2), ("validation", 0.1)]:
        assert np.bincount(strata[splits == name]) == pytest.approx(share * np.array([700, 250, 50]), abs=2)


def test_a_stratum_with_a_single_example_stays_in_train():
    strata = np.array([7] + [0] * 30)
    assert all(split_units(np.arange(31), seed=seed, strata=strata)[0] == "train" for seed in range(50))


def test_a_share_of_nothing_is_a_split_not_wanted():
    assert set(split_units(np.arange(20), seed=0, test=0)) == {"train", "validation"}
    assert set(split_units(np.arange(20), seed=0, validation=0, test=0)) == {"train"}


def test_too_few_units_are_refused_and_three_are_enough():
    with pytest.raises(DataError, match="60 examples make 2 independent units, too few for 3 splits"):
        split_units(np.repeat([0, 1], 30), seed=0)
    assert set(split_units(np.repeat([0, 1, 2], [100, 10, 5]), seed=0)) == {"train", "validation", "test"}


def test_strata_that_occur_once_cannot_fill_the_splits():
    with pytest.raises(DataError, match="leave a split empty"):
        split_units(np.arange(5), seed=0, strata=np.arange(5))


def test_shares_and_versions_that_cannot_be_followed_are_refused():
    with pytest.raises(UsageError, match="below 1"):
        split_units(np.arange(20), seed=0, validation=0.5, test=0.5)
    with pytest.raises(UsageError, match="split version 2 is not known; known: 1"):
        split_units(np.arange(20), seed=0, version=2)


def test_rows_in_order_are_train_then_validation_then_test():
    assert ordered_split(10).tolist() == ["train"] * 8 + ["validation", "test"]
    assert ordered_split(10, train_size=6).tolist() == ["train"] * 6 + ["validation"] * 2 + ["test"] * 2
    assert ordered_split(10, train_size=7, test=0).tolist() == ["train"] * 7 + ["validation"] * 3


@pytest.mark.parametrize(
    ("train_size", "empty"), [(10, "validation"), (12, "validation"), (0, "train"), (9, "validation")]
)
def test_rows_in_order_that_leave_a_split_empty_are_refused(train_size, empty):
    with pytest.raises(DataError, match=f"leave 0 for {empty}"):
        ordered_split(10, train_size=train_size)


def test_folds_hold_whole_units_and_are_even():
    units = np.repeat(np.arange(40), np.arange(1, 41))
    folds = cross_fit_folds(units, 5, seed=0)
    assert all(len(set(folds[units == unit])) == 1 for unit in range(40))
    assert np.ptp(np.bincount(folds)) <= 2
    pairs = np.repeat(np.arange(40), 2)
    assert not np.array_equal(cross_fit_folds(pairs, 5, seed=0), cross_fit_folds(pairs, 5, seed=1))


def test_folds_need_units_to_fill_them():
    with pytest.raises(DataError, match="2 independent units cannot fill 5 folds"):
        cross_fit_folds([0, 0, 1], 5, seed=0)
    with pytest.raises(UsageError, match="at least 2"):
        cross_fit_folds([0, 0, 1], 1, seed=0)
