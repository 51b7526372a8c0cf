"""Splits that keep units whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeground.data.splitting import cross_fit_folds, most_frequent, ordered_split, score_bands, split_units
from homeground.errors import DataError, UsageError


def singles(count, name="single"):
    """Return columns of pairs that share nothing."""
    return [f"{name} {number}" for number in range(count)], [f"{name} other {number}" for number in range(count)]


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


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 5)), min_size=1, max_size=60))
def test_the_stratum_of_a_unit_is_its_most_frequent_label(drawn):
    units = np.unique([unit for unit, _ in drawn], return_inverse=True)[1]
    labels = np.array([label for _, label in drawn])
    table = np.zeros((units.max() + 1, 6), int)
    np.add.at(table, (units, labels), 1)
    assert most_frequent(units, labels).tolist() == table.argmax(axis=1).tolist()


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
