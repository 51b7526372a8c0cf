"""The losses, as sums of per-item terms: the caller divides by a denominator counted once over the global batch.

Each takes embeddings ``(pairs, sides, dimensions)`` or logits ``(items, classes)`` in float32 and the batch's
tensors, and returns a scalar. A loss that decomposes over pairs may be computed a microbatch at a time; one that does
not needs the embeddings of the whole batch at once (microbatches.py caches them).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cosine_similarity, log_softmax, normalize

from homeground.data.tokens.tokenized import IGNORED_LABEL

COSINE_LIMIT = 1 - 1e-5
"""Cosines are clipped to ±this before arccos, whose gradient is infinite at ±1."""

INVERSE_TEMPERATURE = 20.0
"""Factor of the cosines in the ranking losses, the value in the papers of both."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss and whether it decomposes over the items of a batch."""

    terms: Callable[[Tensor, Mapping[str, Tensor]], Tensor]
    decomposes: bool


def angular_similarity(cosine: Tensor) -> Tensor:
    """Return ``1 - arccos(cosine) / pi``, in [0, 1]; 0.5 for orthogonal vectors (Cer et al. 2018, section 5)."""
    return 1 - torch.arccos(cosine.clamp(-COSINE_LIMIT, COSINE_LIMIT)) / torch.pi


def angular_mse(embeddings: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Return the summed squared error of the angular similarity against the pairs' scores."""
    cosine = cosine_similarity(embeddings[:, 0], embeddings[:, 1])
    return (angular_similarity(cosine) - batch["scores"]).square().sum()


def cosine_mse(embeddings: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Return the summed squared error of the cosine against the pairs' scores (Reimers & Gurevych 2019)."""
    return (cosine_similarity(embeddings[:, 0], embeddings[:, 1]) - batch["scores"]).square().sum()


def cosent(embeddings: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Return ``log(1 + sum exp(20 (cos_j - cos_i)))`` over pairs i scored above pairs j (Su 2022, CoSENT)."""
    cosine = INVERSE_TEMPERATURE * cosine_similarity(embeddings[:, 0], embeddings[:, 1])
    above = batch["scores"][:, None] > batch["scores"][None, :]
    gaps = (cosine[None, :] - cosine[:, None])[above]
    return torch.logsumexp(torch.cat([gaps.new_zeros(1), gaps]), 0)


def multiple_negatives_ranking(embeddings: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Return the summed cross-entropy of finding each anchor's positive among all other texts (Henderson et al. 2017).

    The candidates are the positives and, where there are any, the negatives of the whole batch. A candidate that is the
    anchor's own positive again, another positive of the same anchor, or the anchor itself is left out: it is no
    negative. So is one whose id is below 0, which fills the place of a negative that a pair does not have.
    """
    count = len(embeddings)
    anchors, positives = normalize(embeddings[:, 0], dim=-1), normalize(embeddings[:, 1], dim=-1)
    negatives = normalize(embeddings[:, 2:].flatten(0, 1), dim=-1)
    logits = INVERSE_TEMPERATURE * anchors @ torch.cat([positives, negatives]).T
    text_ids = batch["text_ids"]
    same_anchor = text_ids[:, None, 0] == text_ids[None, :, 0]
    candidates = torch.cat([text_ids[:, 1], text_ids[:, 2:].flatten()])
    no_negative = (text_ids[:, 1, None] == candidates[None, :]) | (text_ids[:, 0, None] == candidates[None, :])
    no_negative[:, :count] |= same_anchor
    no_negative |= candidates < 0
    positive = torch.eye(count, len(candidates), dtype=torch.bool, device=logits.device)
    logits = logits.masked_fill(no_negative & ~positive, -torch.inf)
    return torch.nn.functional.cross_entropy(logits, torch.arange(count, device=logits.device), reduction="sum")


def cross_entropy(logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Return the summed cross-entropy of logits ``(items, classes)`` against targets of the same shape.

    The targets carry smoothing (Szegedy et al. 2016, arXiv 1512.00567) and class weights, so that the sum over the
    items' class weights is torch's own ``CrossEntropyLoss``.
    """
    return -(batch["targets"] * log_softmax(logits, dim=-1)).sum()


def binary_cross_entropy(logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Return the summed cross-entropy of the yes or no of every label, ``(items, classes)``, each with its weight."""
    return binary_cross_entropy_with_logits(logits, batch["targets"], weight=batch["weights"], reduction="sum")


def masked_cross_entropy(logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Return the summed cross-entropy of logits ``(masked, vocabulary)`` against the labels of the masked tokens."""
    labels = batch["labels"]
    return torch.nn.functional.cross_entropy(logits, labels[labels != IGNORED_LABEL], reduction="sum")


def token_cross_entropy(logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Return the summed cross-entropy of logits ``(labelled, classes)`` against the labels of tokens, each weighted.

    ``token_weights`` are ``(items, length)`` as the labels are.
    """
    learned = batch["labels"] != IGNORED_LABEL
    terms = torch.nn.functional.cross_entropy(logits, batch["labels"][learned], reduction="none")
    return (terms * batch["token_weights"][learned]).sum()


LOSSES = {
    "angular_mse": Loss(angular_mse, decomposes=True),
    "cosine_mse": Loss(cosine_mse, decomposes=True),
    "cosent": Loss(cosent, decomposes=False),
    "cross_entropy": Loss(cross_entropy, decomposes=True),
    "binary_cross_entropy": Loss(binary_cross_entropy, decomposes=True),
    "masked_cross_entropy": Loss(masked_cross_entropy, decomposes=True),
    "token_cross_entropy": Loss(token_cross_entropy, decomposes=True),
    "multiple_negatives_ranking": Loss(multiple_negatives_ranking, decomposes=False),
}
