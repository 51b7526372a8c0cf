"""Slices change nothing while dropout is 0, and the same slices give the same gradient bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from homeground.checkpoint import open_checkpoint
from homeground.engines.slicing import slices
from homeground.engines.torch.dropout import keyed_dropout
from homeground.engines.torch.loading import open_model
from homeground.engines.torch.losses import LOSSES
from homeground.engines.torch.microbatches import Encode, accumulate
from homeground.recipe.sections import EncoderSettings, TrainingSettings

PAIRS = 8
OF_PAIRS = ("angular_mse", "cosine_mse", "cosent", "multiple_negatives_ranking")


def open_(encoder: Path, loss: str, dropout: float) -> Any:
    training = TrainingSettings(precision="fp32")
    return open_model(
        open_checkpoint(str(encoder)),
        head="encoder",
        loss=loss,
        encoder=EncoderSettings(dropout=dropout),
        training=training,
    )


def batch() -> dict[str, Tensor]:
    random = np.random.default_rng(0)
    lengths = random.integers(3, 13, (PAIRS, 2))
    mask = np.arange(12) < lengths[..., None]
    ids = np.where(mask, random.integers(5, 150, mask.shape), 0)
    return {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy(mask.astype(np.int64)),
        "scores": torch.from_numpy(random.random(PAIRS).astype(np.float32)),
        "text_ids": torch.arange(2 * PAIRS).reshape(PAIRS, 2),
    }


def encoding(model: Any) -> Encode:
    def encode(part: Mapping[str, Tensor], seed: int) -> Tensor:
        with keyed_dropout(seed, torch.device("cpu")):
            return model.network(part)

    return encode


def gradient(model: Any, loss: str, size: int | None, *, seed: int = 0) -> tuple[float, Tensor]:
    model.body.train()
    model.body.zero_grad()
    value = accumulate(encoding(model), LOSSES[loss], batch(), 8.0, size=size, seeds=lambda n: seed + n)
    gradients = [parameter.grad.flatten() for parameter in model.body.parameters() if parameter.grad is not None]
    return float(value), torch.cat(gradients)


@pytest.mark.parametrize("loss", OF_PAIRS)
def test_without_dropout_the_gradient_does_not_depend_on_the_slices(encoder: Path, loss: str) -> None:
    model = open_(encoder, loss, 0.0)
    whole_loss, whole = gradient(model, loss, None)
    assert float(whole.norm()) > 1e-3
    for size in (1, 3, PAIRS, 100):
        sliced_loss, sliced = gradient(model, loss, size)
        assert sliced_loss == pytest.approx(whole_loss, rel=1e-6)
        assert float((sliced - whole).norm() / whole.norm()) < 1e-6


@pytest.mark.parametrize("loss", OF_PAIRS)
@pytest.mark.parametrize("size", [3, None])
def test_with_dropout_the_same_slices_give_the_same_gradient_to_the_bit(
    encoder: Path, loss: str, size: int | None
) -> None:
    model = open_(encoder, loss, 0.3)
    first_loss, first = gradient(model, loss, size)
    torch.rand(17)  # whatever else was drawn in between
    again_loss, again = gradient(model, loss, size)
    assert first_loss == again_loss
    assert torch.equal(first, again)
    assert not torch.equal(gradient(model, loss, size, seed=100)[1], first)


def test_a_cached_gradient_is_of_the_very_masks_the_loss_was_computed_with(encoder: Path) -> None:
    model = open_(encoder, "cosent", 0.3)
    _, cached = gradient(model, "cosent", 3)
    # The same by one graph over all slices, each with its own seed.
    model.body.zero_grad()
    parts = []
    for number, part in enumerate(slices(batch(), 3)):
        parts.append(encoding(model)(part, number))
    (LOSSES["cosent"].terms(torch.cat(parts), batch()) / 8.0).backward()
    gradients = [parameter.grad.flatten() for parameter in model.body.parameters() if parameter.grad is not None]
    assert float((torch.cat(gradients) - cached).norm() / cached.norm()) < 1e-6


def test_slices_are_cut_to_their_own_longest_text_and_lose_nothing() -> None:
    whole = batch()
    parts = list(slices(whole, 3))
    assert [len(part["input_ids"]) for part in parts] == [3, 3, 2]
    for part in parts:
        assert part["attention_mask"].any(dim=0).any(dim=0).all()
    assert sum(int(part["attention_mask"].sum()) for part in parts) == int(whole["attention_mask"].sum())
    assert torch.equal(torch.cat([part["scores"] for part in parts]), whole["scores"])
