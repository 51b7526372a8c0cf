"""The losses are those of sentence-transformers on the same embeddings, and their gradients are finite."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers.sentence_transformer.losses import (
    CoSENTLoss,
    CosineSimilarityLoss,
    MultipleNegativesRankingLoss,
)
from torch import Tensor

from homeground.engines.torch import losses
from homeground.engines.torch.losses import LOSSES
from homeground.tasks.similarity import similarity

NO_MODEL: Any = torch.nn.Identity()


def embeddings(pairs: int, sides: int = 2, *, seed: int = 0) -> Tensor:
    values = torch.randn((pairs, sides, 16), generator=torch.Generator().manual_seed(seed))
    return values.requires_grad_()


def columns(values: Tensor) -> list[Tensor]:
    return [values[:, side] for side in range(values.shape[1])]


def scores(pairs: int, *, seed: int = 1) -> Tensor:
    # Some pairs share a score, as rounded judgements do.
    return (torch.rand(pairs, generator=torch.Generator().manual_seed(seed)) * 5).round() / 5


def same_loss_and_gradient(ours: Tensor, theirs: Tensor, values: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    [gradient] = torch.autograd.grad(ours, values, retain_graph=True)
    [expected] = torch.autograd.grad(theirs, values)
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-6)


def test_cosine_mse_is_their_cosine_similarity_loss() -> None:
    values, gold = embeddings(9), scores(9)
    theirs = CosineSimilarityLoss(NO_MODEL).compute_loss_from_embeddings(columns(values), gold)
    same_loss_and_gradient(losses.cosine_mse(values, {"scores": gold}) / 9, theirs, values)


def test_angular_mse_is_their_cosine_similarity_loss_of_the_angle() -> None:
    values, gold = embeddings(9), scores(9)

    class Angle(torch.nn.Module):
        def forward(self, cosine: Tensor) -> Tensor:
            return 1 - torch.arccos(cosine) / math.pi

    theirs = CosineSimilarityLoss(NO_MODEL, cos_score_transformation=Angle())
    expected = theirs.compute_loss_from_embeddings(columns(values), gold)
    same_loss_and_gradient(losses.angular_mse(values, {"scores": gold}) / 9, expected, values)


def test_cosent_is_their_cosent_loss() -> None:
    values, gold = embeddings(12), scores(12)
    theirs = CoSENTLoss(NO_MODEL).compute_loss_from_embeddings(columns(values), gold)
    same_loss_and_gradient(losses.cosent(values, {"scores": gold}), theirs, values)


def test_cosent_of_pairs_that_all_score_alike_is_zero() -> None:
    values = embeddings(4)
    loss = losses.cosent(values, {"scores": torch.full((4,), 0.5)})
    assert loss.item() == 0
    loss.backward()
    assert values.grad is not None
    assert not values.grad.any()


@pytest.mark.parametrize("sides", [2, 3])
def test_multiple_negatives_ranking_is_theirs_where_no_text_repeats(sides: int) -> None:
    values = embeddings(7, sides)
    theirs = MultipleNegativesRankingLoss(NO_MODEL).compute_loss_from_embeddings(columns(values), torch.zeros(7))
    ids = torch.arange(7 * sides).reshape(7, sides)
    same_loss_and_gradient(losses.multiple_negatives_ranking(values, {"text_ids": ids}) / 7, theirs, values)


def cross_entropies(values: Tensor, rows: list[tuple[int, list[int]]]) -> float:
    """Count the loss by hand from texts by number: (anchor, [positive, candidates that are no positives])."""
    unit = torch.nn.functional.normalize(values, dim=-1)
    total = 0.0
    for anchor, texts in rows:
        exponents = [math.exp(20 * float(unit[anchor] @ unit[text])) for text in texts]
        total -= math.log(exponents[0] / sum(exponents))
    return total


def test_a_positive_is_no_negative_of_a_row_that_has_it_too() -> None:
    texts = embeddings(5, 1)[:, 0].detach()
    ids = torch.tensor([[0, 1], [2, 1], [3, 4]])  # two anchors share text 1
    got = losses.multiple_negatives_ranking(texts[ids], {"text_ids": ids})
    expected = cross_entropies(texts, [(0, [1, 4]), (2, [1, 4]), (3, [4, 1, 1])])
    assert float(got) == pytest.approx(expected, rel=1e-5)


def test_another_positive_of_the_same_anchor_is_no_negative() -> None:
    texts = embeddings(6, 1)[:, 0].detach()
    ids = torch.tensor([[0, 1], [0, 2], [3, 4]])
    got = losses.multiple_negatives_ranking(texts[ids], {"text_ids": ids})
    expected = cross_entropies(texts, [(0, [1, 4]), (0, [2, 4]), (3, [4, 1, 2])])
    assert float(got) == pytest.approx(expected, rel=1e-5)


def test_the_anchor_itself_is_no_negative() -> None:
    texts = embeddings(4, 1)[:, 0].detach()
    ids = torch.tensor([[0, 1], [1, 0], [2, 3]])  # a pair in both directions
    got = losses.multiple_negatives_ranking(texts[ids], {"text_ids": ids})
    expected = cross_entropies(texts, [(0, [1, 3]), (1, [0, 3]), (2, [3, 1, 0])])
    assert float(got) == pytest.approx(expected, rel=1e-5)


def test_the_rows_own_negative_counts_unless_it_is_the_positive() -> None:
    texts = embeddings(6, 1)[:, 0].detach()
    ids = torch.tensor([[0, 1, 2], [3, 4, 1]])
    got = losses.multiple_negatives_ranking(texts[ids], {"text_ids": ids})
    expected = cross_entropies(texts, [(0, [1, 4, 2]), (3, [4, 1, 2, 1])])
    assert float(got) == pytest.approx(expected, rel=1e-5)


def test_the_place_of_a_negative_that_a_pair_does_not_have_is_no_candidate() -> None:
    texts = embeddings(5, 1)[:, 0].detach()
    ids = torch.tensor([[0, 1, 2], [3, 4, -1]])
    got = losses.multiple_negatives_ranking(texts[ids.clamp(min=0)], {"text_ids": ids})
    expected = cross_entropies(texts, [(0, [1, 4, 2]), (3, [4, 1, 2])])
    assert float(got) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["angular_mse", "cosine_mse", "cosent", "multiple_negatives_ranking"])
def test_gradients_are_finite_where_both_texts_are_the_same_or_opposite(name: str) -> None:
    values = embeddings(6).detach()
    values[0, 1] = values[0, 0]
    values[1, 1] = 3 * values[1, 0]
    values[2, 1] = -values[2, 0]
    values.requires_grad_()
    batch = {"scores": torch.tensor([1.0, 0.5, 0.0, 0.9, 0.1, 0.3]), "text_ids": torch.arange(12).reshape(6, 2)}
    LOSSES[name].terms(values, batch).backward()
    assert values.grad is not None
    assert values.grad.isfinite().all()


def test_angles_by_hand() -> None:
    cosine = torch.tensor([0.0, 0.5, -0.5, math.sqrt(0.5)])
    assert losses.angular_similarity(cosine).tolist() == pytest.approx([1 / 2, 2 / 3, 1 / 3, 3 / 4], abs=1e-6)


def test_what_is_learned_is_what_is_measured() -> None:
    cosine = np.linspace(-1, 1, 1001)
    measured = similarity.angular_similarity(cosine)
    learned = losses.angular_similarity(torch.from_numpy(cosine))
    assert losses.COSINE_LIMIT == similarity.COSINE_LIMIT
    np.testing.assert_allclose(learned.numpy(), measured, rtol=0, atol=1e-12)
    values = embeddings(50).detach()
    for kind, loss in (("angular", losses.angular_mse), ("cosine", losses.cosine_mse)):
        predicted = similarity.similarity(values[:, 0].numpy(), values[:, 1].numpy(), kind)
        expected = float(loss(values, {"scores": scores(50)}))
        assert ((predicted - scores(50).numpy()) ** 2).sum() == pytest.approx(expected, rel=1e-5)
