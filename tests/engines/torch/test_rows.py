"""Gradients of embeddings as rows change nothing of what the optimizer computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests import checkpoints
from torch import Tensor, nn

from homeground.checkpoint import open_checkpoint
from homeground.engines import open_engine
from homeground.engines.torch.model import TorchModel
from homeground.engines.torch.rows import Gradients, keep_rows
from homeground.recipe.sections import EncoderSettings, TrainingSettings


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the embeddings of a tiny checkpoint count as large ones."""
    monkeypatch.setattr("homeground.engines.torch.rows.MIN_ROWS", 100)


def trained(folder: Path, speedups: str, *, max_grad_norm: float | None, microbatch: int | None = None) -> TorchModel:
    """Return a classifier after six steps on batches with repeated tokens, some of them in one of three batches."""
    model = open_engine("torch").open_model(
        open_checkpoint(str(folder)),
        head="sequence_classification",
        loss="cross_entropy",
        labels=["a", "b"],
        encoder=EncoderSettings(dropout=0.0),
        training=TrainingSettings(
            precision="fp32",
            weight_decay=0.1,
            max_grad_norm=max_grad_norm,
            speedups=speedups,  # type: ignore[arg-type]
        ),
    )
    assert isinstance(model, TorchModel)
    for step in range(6):
        random = np.random.default_rng(step % 3)
        ids = random.integers(5, 40, (6, 8)) + 35 * (step % 3)
        targets = np.eye(2, dtype=np.float32)[np.arange(6) % 2]
        batch = {"input_ids": ids, "attention_mask": np.ones_like(ids), "targets": targets}
        assert model.train_step(batch, 6.0, 1e-3, step, microbatch=microbatch).finite
    return model


def values(model: TorchModel) -> list[Tensor]:
    return [parameter.detach() for parameter in model.network.parameters()]


@pytest.mark.parametrize("microbatch", [None, 2])
def test_the_weights_are_those_of_whole_gradients(encoder: Path, microbatch: int | None) -> None:
    whole, rows = (trained(encoder, name, max_grad_norm=None, microbatch=microbatch) for name in ("none", "embeddings"))
    embedding = rows.body.get_input_embeddings()
    assert isinstance(embedding, nn.Embedding)
    assert embedding.sparse
    for one, other in zip(values(whole), values(rows), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def test_clipped_the_weights_are_the_same_to_rounding(encoder: Path) -> None:
    whole, rows = (trained(encoder, name, max_grad_norm=0.01) for name in ("none", "embeddings"))
    for one, other in zip(values(whole), values(rows), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def test_rows_that_a_batch_lacks_go_on_by_their_momentum_as_adam_has_it() -> None:
    torch.manual_seed(0)
    networks = [nn.Embedding(100, 4) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    keep_rows(networks[1])
    optimizers = [torch.optim.AdamW(each.parameters(), lr=0.01, weight_decay=0.1) for each in networks]
    gradients = Gradients()
    for step in range(5):
        tokens = torch.tensor([3, 3, 7] if step == 0 else [9, step])
        for number, (network, optimizer) in enumerate(zip(networks, optimizers, strict=True)):
            optimizer.zero_grad()
            network(tokens).square().sum().backward()
            if number == 0:
                optimizer.step()
                continue
            assert sum(len(each) for each in gradients.collect([network.weight])) == len(set(tokens.tolist()))
            with gradients.whole():
                optimizer.step()
        assert torch.equal(networks[0].weight, networks[1].weight)


def test_an_embedding_that_gives_the_words_as_well_is_left_alone(tmp_path: Path) -> None:
    folder = checkpoints.bert(tmp_path / "bert")
    model = open_engine("torch").open_model(
        open_checkpoint(str(folder)), head="masked_lm", loss="masked_cross_entropy", training=TrainingSettings()
    )
    assert isinstance(model, TorchModel)
    embedding = model.body.get_input_embeddings()
    assert embedding.weight is model.body.get_output_embeddings().weight  # type: ignore[union-attr]
    assert not embedding.sparse
