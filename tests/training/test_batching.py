"""Every item once an epoch, in an order that is a function of (seed, epoch), with little padding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeground.training.batching import BATCHES_A_WINDOW, epoch_batches, steps_per_epoch, total_steps


def batches(lengths: list[int], size: int, *, seed: int = 0, epoch: int = 0, grouped: bool = True) -> list[list[int]]:
    epoch_of_batches = epoch_batches(np.array(lengths, np.int64), size, seed=seed, epoch=epoch, group_by_length=grouped)
    return [batch.tolist() for batch in epoch_of_batches]


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=400),
    size=st.integers(1, 50),
    seed=st.integers(0, 9),
    grouped=st.booleans(),
)
def test_every_item_is_in_exactly_one_batch_of_an_epoch(
    lengths: list[int], size: int, seed: int, grouped: bool
) -> None:
    drawn = batches(lengths, size, seed=seed, grouped=grouped)
    assert sorted(item for batch in drawn for item in batch) == list(range(len(lengths)))
    assert len(drawn) == steps_per_epoch(len(lengths), size)
    assert sorted(map(len, drawn))[1:] == [size] * (len(drawn) - 1)


@pytest.mark.parametrize("grouped", [True, False])
def test_the_order_follows_from_seed_and_epoch_alone(grouped: bool) -> None:
    lengths = [1 + n % 7 for n in range(100)]
    first = batches(lengths, 8, grouped=grouped)
    assert batches(lengths, 8, grouped=grouped) == first
    assert batches(lengths, 8, grouped=grouped, epoch=1) != first
    assert batches(lengths, 8, grouped=grouped, seed=1) != first


def padding(lengths: list[int], drawn: list[list[int]]) -> float:
    filled = sum(len(batch) * max(lengths[item] for item in batch) for batch in drawn)
    return 1 - sum(lengths) / filled


def test_grouping_by_length_leaves_little_padding() -> None:
    lengths = np.random.default_rng(0).integers(3, 128, 4000).tolist()
    assert padding(lengths, batches(lengths, 32, grouped=False)) > 0.4
    assert padding(lengths, batches(lengths, 32)) < 0.05


def test_lengths_are_sorted_only_inside_shuffled_windows() -> None:
    # Twice as many items as a window holds; were all sorted at once, the short ones would fill whole batches.
    size = 4
    lengths = [1] * size * BATCHES_A_WINDOW + [9] * size * BATCHES_A_WINDOW
    window_of = {}
    shuffled = [item for batch in batches(lengths, size, grouped=False) for item in batch]
    for place, item in enumerate(shuffled):
        window_of[item] = place // (size * BATCHES_A_WINDOW)
    for batch in batches(lengths, size):
        assert len({window_of[item] for item in batch}) == 1


def test_the_order_of_the_batches_does_not_follow_from_length() -> None:
    lengths = list(range(1, 1601))
    longest = [max(lengths[item] for item in batch) for batch in batches(lengths, 32)]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.5


@pytest.mark.parametrize(
    ("items", "size", "epochs", "steps"),
    [(100, 10, 1.1, 11), (100, 10, 0.01, 1), (7, 2, 2, 8), (7, 2, 2.01, 9), (30, 10, 0.1 + 0.2, 1), (1, 32, 3, 3)],
)
def test_steps_of_a_training_are_counted_without_rounding_errors(
    items: int, size: int, epochs: float, steps: int
) -> None:
    assert total_steps(items, size, epochs) == steps
