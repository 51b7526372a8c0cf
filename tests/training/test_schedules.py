"""The learning rates are those of transformers, one step ahead, and some are counted by hand."""

from __future__ import annotations

import pytest
import torch
from transformers import get_scheduler

from homeground.training.schedules import learning_rate

THEIRS = {"linear": "linear", "constant": "constant_with_warmup", "cosine": "cosine"}


def rates(total: int, schedule: str, warmup_ratio: float) -> list[float]:
    return [
        learning_rate(step, total=total, highest=2e-5, schedule=schedule, warmup_ratio=warmup_ratio)
        for step in range(total)
    ]


@pytest.mark.parametrize("schedule", THEIRS)
@pytest.mark.parametrize(("total", "ratio", "warmup"), [(40, 0.1, 4), (7, 0.5, 4), (10, 0.0, 0), (70, 0.1, 7)])
def test_rates_are_those_of_transformers_without_its_step_of_rate_zero(
    schedule: str, total: int, ratio: float, warmup: int
) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2e-5)
    # Their schedule begins with a rate of 0, which learns nothing: ours is theirs of one more step, the first left out.
    theirs = get_scheduler(THEIRS[schedule], optimizer, num_warmup_steps=warmup + 1, num_training_steps=total + 1)
    expected = []
    for _ in range(total):
        optimizer.step()
        theirs.step()
        expected.append(theirs.get_last_lr()[0])
    assert rates(total, schedule, ratio) == pytest.approx(expected, rel=1e-12, abs=1e-20)


def test_the_rate_rises_to_its_highest_and_falls_to_none() -> None:
    rates_of_steps = [
        learning_rate(step, total=10, highest=1.0, schedule="linear", warmup_ratio=0.2) for step in range(11)
    ]
    assert rates_of_steps == pytest.approx([1 / 3, 2 / 3, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0])


def test_half_way_down_the_cosine_is_half() -> None:
    assert learning_rate(6, total=10, highest=1.0, schedule="cosine", warmup_ratio=0.2) == pytest.approx(0.5)


def test_no_step_has_a_rate_of_zero() -> None:
    for schedule in THEIRS:
        for ratio in (0.0, 0.1, 1.0):
            assert min(rates(12, schedule, ratio)) > 0
