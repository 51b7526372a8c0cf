"""Temperatures and thresholds against other ways to the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import binomtest
from sklearn.metrics import log_loss

from homeground.statistics.calibration import (
    TEMPERATURES,
    exact_interval,
    examples_needed,
    find_threshold,
    fit_temperature,
    log_loss_at,
    lower_bound,
    without_mistake,
)


def answers(count: int = 400, *, sureness: float = 3.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return logits that are ``sureness`` times as far apart as the labels drawn from them justify."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (count, 4))
    labels = np.array([random.choice(4, p=row) for row in softmax(logits, axis=1)])
    return logits * sureness, labels


@pytest.mark.parametrize("sureness", [0.3, 1.0, 3.0])
def test_the_temperature_is_that_of_a_fine_grid_and_of_lbfgs(sureness: float) -> None:
    logits, labels = answers(sureness=sureness)
    found = fit_temperature(logits, labels)
    grid = np.exp(np.linspace(np.log(0.05), np.log(20), 4001))
    assert found == pytest.approx(grid[np.argmin([log_loss_at(t, logits, labels) for t in grid])], rel=2e-3)
    inverse = torch.ones(1, dtype=torch.float64, requires_grad=True)
    descent = torch.optim.LBFGS([inverse], max_iter=200, tolerance_change=1e-14, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        descent.zero_grad()
        loss = torch.nn.functional.cross_entropy(torch.from_numpy(logits) * inverse, torch.from_numpy(labels))
        loss.backward()
        return loss

    descent.step(closure)  # pyright: ignore[reportArgumentType]
    assert found == pytest.approx(1 / float(inverse.detach()), rel=1e-5)
    assert found == pytest.approx(sureness, rel=0.25)


def test_several_labels_are_calibrated_yes_by_no() -> None:
    random = np.random.default_rng(1)
    logits = random.normal(0, 2, (300, 3))
    labels = (random.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(np.int64)
    found = fit_temperature(4 * logits, labels)
    inverse = np.linspace(0.1, 0.5, 4001)
    losses = [
        torch.nn.functional.binary_cross_entropy_with_logits(
            torch.from_numpy(4 * logits * each), torch.from_numpy(labels.astype(float))
        ).item()
        for each in inverse
    ]
    assert found == pytest.approx(1 / inverse[np.argmin(losses)], rel=2e-3)
    assert log_loss_at(found, 4 * logits, labels) == pytest.approx(min(losses), rel=1e-6)


def test_the_loss_is_that_of_scikit_learn_and_stays_finite_for_huge_logits() -> None:
    logits, labels = answers()
    assert log_loss_at(2.0, logits, labels) == pytest.approx(log_loss(labels, softmax(logits / 2, axis=1)), rel=1e-9)
    assert np.isfinite(log_loss_at(0.05, logits * 1e4, labels))


def test_where_the_loss_falls_up_to_an_end_that_end_is_the_temperature() -> None:
    logits, labels = answers(50)
    right = 5 * np.eye(4)[labels]
    assert without_mistake(right, labels)
    assert fit_temperature(right, labels) == TEMPERATURES[0]
    wrong = 5 * np.eye(4)[(labels + 1) % 4]
    assert not without_mistake(wrong, labels)
    assert fit_temperature(wrong, labels) == TEMPERATURES[1]
    assert not without_mistake(np.zeros_like(logits), labels)


@pytest.mark.parametrize(("right", "answered"), [(0, 7), (3, 7), (7, 7), (58, 59), (950, 1000)])
def test_intervals_are_those_of_the_exact_binomial_test(right: int, answered: int) -> None:
    test = binomtest(right, answered, alternative="greater").proportion_ci(0.95, method="exact")
    assert float(lower_bound(right, answered)) == pytest.approx(test.low, abs=1e-9)
    both = binomtest(right, answered).proportion_ci(0.95, method="exact")
    assert exact_interval(right, answered) == pytest.approx((both.low, both.high), abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_the_threshold_is_the_lowest_that_a_loop_over_all_would_find(seed: int) -> None:
    random = np.random.default_rng(seed)
    sure = random.uniform(0.3, 1, 300).round(2)  # rounded, so that there are ties
    right = (random.random(300) < sure**0.3).astype(np.int64)
    best = None
    for threshold in np.unique(sure):
        inside = sure >= threshold
        bound = binomtest(int(right[inside].sum()), int(inside.sum()), alternative="greater").proportion_ci(0.95)
        if bound.low >= 0.9:
            best = (threshold, inside.sum(), right[inside].sum())
            break
    found = find_threshold(sure, right, 0.9)
    assert (found and (found.confidence, found.answered, found.right)) == best


def test_a_share_that_was_only_seen_is_not_yet_shown() -> None:
    sure, right = np.linspace(0.5, 1, 58), np.ones(58)
    assert find_threshold(sure, right, 0.95) is None
    assert examples_needed(sure, right, 0.95) == 59
    assert find_threshold(np.append(sure, 0.4), np.ones(59), 0.95) is not None
    assert find_threshold(np.array([]), np.array([]), 0.95) is None


def test_so_many_more_examples_are_needed_as_would_do() -> None:
    right = np.array([1] * 39 + [0])
    sure = np.full(40, 0.9)
    needed = examples_needed(sure, right, 0.95)
    assert needed is not None
    times = np.ceil(needed / 40).astype(int)
    assert find_threshold(np.tile(sure, times), np.tile(right, times), 0.95) is not None
    assert find_threshold(np.tile(sure, times - 2), np.tile(right, times - 2), 0.95) is None
    assert examples_needed(np.full(40, 0.9), np.array([1] * 36 + [0] * 4), 0.95) is None


def test_the_precision_promised_is_kept_where_the_confident_are_right_more_often() -> None:
    random = np.random.default_rng(0)
    broken = 0
    for _ in range(200):
        sure = 0.5 + 0.5 * random.beta(6, 0.8, 300)
        found = find_threshold(sure, random.random(300) < sure, 0.95)
        if found:
            truth = 0.5 + 0.5 * random.beta(6, 0.8, 5000)
            broken += truth[truth >= found.confidence].mean() < 0.95
    assert broken <= 20
