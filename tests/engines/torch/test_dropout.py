"""Dropout drops as many numbers as PyTorch's does, scales what it keeps, and gives back the gradient of just that."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.classifying import lively
from torch import Tensor, nn
from torch.nn import functional

from homeground.checkpoint import open_checkpoint
from homeground.engines import open_engine
from homeground.engines.torch.dropout import PROBABILITY_STEPS, keyed_dropout
from homeground.randomness import key
from homeground.recipe.sections import EncoderSettings, TrainingSettings

CPU = torch.device("cpu")


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_a_number_is_dropped_with_the_probability_that_is_asked_for(probability: float) -> None:
    count = 1_000_003
    with keyed_dropout(1, CPU):
        values = functional.dropout(torch.ones(count), probability)
    dropped = int((values == 0).sum())
    assert abs(dropped - count * probability) < 4 * math.sqrt(count * probability * (1 - probability))
    kept = 1 - round(probability * PROBABILITY_STEPS) / PROBABILITY_STEPS
    assert set(values.tolist()) == {0.0, float(torch.tensor(1 / kept))}
    # Neighbours, whose bits come from one draw, know nothing of each other.
    zeros = (values == 0).double().numpy()
    for distance in (1, 2, 3, 4, 8):
        assert abs(np.corrcoef(zeros[:-distance], zeros[distance:])[0, 1]) < 5 / math.sqrt(count)


def test_the_gradient_is_that_of_what_was_kept() -> None:
    values = torch.randn(64, 33, requires_grad=True)
    with keyed_dropout(1, CPU):
        dropped = functional.dropout(values, 0.25)
    dropped.backward(torch.full_like(dropped, 3.0))
    assert values.grad is not None
    torch.testing.assert_close(values.grad, torch.where(dropped == 0, 0.0, 4 / 3) * 3)


def test_what_is_not_to_be_dropped_is_left_alone() -> None:
    values = torch.randn(8)
    with keyed_dropout(1, CPU):
        assert torch.equal(functional.dropout(values, 0.0), values)
        assert torch.equal(functional.dropout(values, 0.5, training=False), values)
        assert torch.equal(functional.dropout(values, 1.0), torch.zeros(8))
        assert torch.equal(nn.Dropout(0.5).eval()(values), values)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["none", "booleans", "numbers"])
def test_weights_of_attention_are_those_of_pytorch_where_they_are_kept(kind: str, dtype: torch.dtype) -> None:
    random = torch.Generator().manual_seed(0)
    query, key = (torch.randn(2, 3, 40, 8, generator=random).to(dtype) for _ in range(2))
    seen = torch.rand(2, 1, 40, 40, generator=random) < 0.8
    mask = {"none": None, "booleans": seen, "numbers": torch.where(seen, 0.0, -1e9).to(dtype)}[kind]
    # With the unit matrix as values, attention returns its weights.
    unit = torch.eye(40, dtype=dtype).expand(2, 3, 40, 40)
    expected = functional.scaled_dot_product_attention(query, key, unit, attn_mask=mask, scale=0.3)
    with keyed_dropout(1, CPU):
        weights = functional.scaled_dot_product_attention(query, key, unit, attn_mask=mask, dropout_p=0.25, scale=0.3)
    kept = weights != 0
    share = float((kept | (expected == 0)).double().mean()) - float((expected == 0).double().mean())
    assert abs(share / float((expected != 0).double().mean()) - 0.75) < 0.03
    tolerance = 1e-6 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(weights[kept], expected[kept] / 0.75, rtol=tolerance, atol=tolerance)


def test_a_query_that_sees_nothing_gives_numbers() -> None:
    values = torch.randn(1, 1, 4, 8)
    with keyed_dropout(1, CPU):
        seen = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
        assert (
            functional.scaled_dot_product_attention(values, values, values, attn_mask=seen, dropout_p=0.5)
            .isfinite()
            .all()
        )


def stepped(folder: Path, *, seed: int = 0, **training: Any) -> Tensor:
    """Return the weights after two steps with dropout."""
    model = open_engine("torch").open_model(
        open_checkpoint(str(folder)),
        head="sequence_classification",
        loss="cross_entropy",
        labels=["a", "b"],
        encoder=EncoderSettings(dropout=0.3),
        training=TrainingSettings(precision="fp32", **training),
        seed=seed,
    )
    batch = {
        "input_ids": np.arange(5, 37).reshape(4, 8),
        "attention_mask": np.ones((4, 8), np.int64),
        "targets": np.eye(2, dtype=np.float32)[[0, 1, 0, 1]],
    }
    for step in range(2):
        assert model.train_step(batch, 4.0, 1e-3, step).finite
    return torch.cat([parameter.detach().flatten() for parameter in model.network.parameters()])  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta", "mpnet", "electra", "modernbert"])
def test_of_every_architecture_pytorch_draws_no_mask(kind: str, tmp_path: Path) -> None:
    folder = lively(tmp_path / kind, kind)
    first = stepped(folder)
    after = torch.get_rng_state()
    torch.manual_seed(key(0, "dropout", 1, 0) % 2**63)
    assert torch.equal(torch.get_rng_state(), after)
    torch.rand(17)  # whatever else is drawn in between
    assert torch.equal(stepped(folder), first)
    assert not torch.equal(stepped(folder, seed=1), first)


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    folder = lively(tmp_path / "bert", "bert")
    plain = stepped(folder, speedups="none")
    assert torch.equal(stepped(folder, speedups="embeddings"), plain)
    assert torch.equal(stepped(folder, speedups="dropout"), stepped(folder))
    assert not torch.equal(stepped(folder), plain)
