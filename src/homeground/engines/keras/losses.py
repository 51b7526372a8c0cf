"""The losses of this engine, as sums of per-item terms: the same formulas as those of the torch engine.

Each takes embeddings ``(pairs, sides, dimensions)`` or logits ``(items, classes)`` in float32 and the arrays of the
batch, and returns a scalar. One that decomposes may be computed a slice at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from homeground.data.tokens.tokenized import IGNORED_LABEL
from homeground.engines.keras.framework import tf
from homeground.engines.keras.pooling import normalize

Tensor = Any
Tensors = Mapping[str, Tensor]

COSINE_LIMIT = 1 - 1e-5
"""Cosines are clipped to ±this before arccos, whose gradient is infinite at ±1."""

INVERSE_TEMPERATURE = 20.0
"""Factor of the cosines in the ranking losses, the value in the papers of both."""

SMALLEST_PRODUCT = 1e-8
"""What a norm counts as at least in a cosine, as in torch."""


@dataclass(frozen=True, slots=True)
class KerasLoss:
    """A loss and whether it decomposes over the items of a batch."""

    terms: Callable[[Tensor, Tensors], Tensor]
    decomposes: bool


def cosines(embeddings: Tensor) -> Tensor:
    """Return the cosine of the two sides of every pair, ``(pairs,)``."""
    first, second = embeddings[:, 0], embeddings[:, 1]
    norms = [tf.maximum(tf.norm(side, axis=-1), SMALLEST_PRODUCT) for side in (first, second)]
    return tf.reduce_sum(first * second, -1) / (norms[0] * norms[1])


def angular_mse(embeddings: Tensor, batch: Tensors) -> Tensor:
    """Return the summed squared error of ``1 - arccos(cosine) / pi`` against the scores (Cer et al. 2018)."""
    cosine = tf.clip_by_value(cosines(embeddings), -COSINE_LIMIT, COSINE_LIMIT)
    return tf.reduce_sum(tf.square(1 - tf.acos(cosine) / math.pi - batch["scores"]))


def cosine_mse(embeddings: Tensor, batch: Tensors) -> Tensor:
    """Return the summed squared error of the cosine against the pairs' scores (Reimers & Gurevych 2019)."""
    return tf.reduce_sum(tf.square(cosines(embeddings) - batch["scores"]))


def cosent(embeddings: Tensor, batch: Tensors) -> Tensor:
    """Return ``log(1 + sum exp(20 (cos_j - cos_i)))`` over pairs i scored above pairs j (Su 2022, CoSENT)."""
    cosine = INVERSE_TEMPERATURE * cosines(embeddings)
    above = batch["scores"][:, None] > batch["scores"][None, :]
    gaps = tf.boolean_mask(cosine[None, :] - cosine[:, None], above)
    return tf.reduce_logsumexp(tf.concat([tf.zeros(1), gaps], 0))


def multiple_negatives_ranking(embeddings: Tensor, batch: Tensors) -> Tensor:
    """Return the summed cross-entropy of finding each anchor's positive among all other texts (Henderson et al. 2017).

    A candidate that is the anchor's own positive again, another positive of the same anchor, or the anchor itself is
    left out, and so is one whose id is below 0: it fills the place of a negative that a pair does not have.
    """
    count = tf.shape(embeddings)[0]
    anchors, positives = normalize(embeddings[:, 0]), normalize(embeddings[:, 1])
    negatives = normalize(tf.reshape(embeddings[:, 2:], (-1, tf.shape(embeddings)[2])))
    logits = INVERSE_TEMPERATURE * tf.matmul(anchors, tf.concat([positives, negatives], 0), transpose_b=True)
    ids = batch["text_ids"]
    candidates = tf.concat([ids[:, 1], tf.reshape(ids[:, 2:], (-1,))], 0)
    no_negative = (ids[:, 1, None] == candidates[None, :]) | (ids[:, 0, None] == candidates[None, :])
    same_anchor = ids[:, None, 0] == ids[None, :, 0]
    further = tf.shape(candidates)[0] - count
    no_negative |= tf.concat([same_anchor, tf.zeros((count, further), tf.bool)], 1)
    no_negative |= (candidates < 0)[None, :]
    positive = tf.eye(count, tf.shape(candidates)[0]) > 0
    logits = tf.where(no_negative & ~positive, tf.float32.min, logits)
    return tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.range(count), logits=logits))


def cross_entropy(logits: Tensor, batch: Tensors) -> Tensor:
    """Return the summed cross-entropy of logits against targets ``(items, classes)``, which carry class weights."""
    return -tf.reduce_sum(batch["targets"] * tf.nn.log_softmax(logits))


def binary_cross_entropy(logits: Tensor, batch: Tensors) -> Tensor:
    """Return the summed cross-entropy of the yes or no of every label, ``(items, classes)``, each with its weight."""
    terms = tf.nn.sigmoid_cross_entropy_with_logits(labels=batch["targets"], logits=logits)
    return tf.reduce_sum(terms * batch["weights"])


def masked_cross_entropy(logits: Tensor, batch: Tensors) -> Tensor:
    """Return the summed cross-entropy of logits ``(masked, vocabulary)`` against the labels of the masked tokens."""
    labels = tf.boolean_mask(batch["labels"], batch["labels"] != IGNORED_LABEL)
    return tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))


def token_cross_entropy(logits: Tensor, batch: Tensors) -> Tensor:
    """Return the summed cross-entropy of logits ``(labelled, classes)`` against the labels of tokens, each weighted."""
    learned = batch["labels"] != IGNORED_LABEL
    labels, weights = tf.boolean_mask(batch["labels"], learned), tf.boolean_mask(batch["token_weights"], learned)
    terms = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return tf.reduce_sum(terms * weights)


KERAS_LOSSES = {
    "angular_mse": KerasLoss(angular_mse, decomposes=True),
    "cosine_mse": KerasLoss(cosine_mse, decomposes=True),
    "cosent": KerasLoss(cosent, decomposes=False),
    "cross_entropy": KerasLoss(cross_entropy, decomposes=True),
    "binary_cross_entropy": KerasLoss(binary_cross_entropy, decomposes=True),
    "masked_cross_entropy": KerasLoss(masked_cross_entropy, decomposes=True),
    "token_cross_entropy": KerasLoss(token_cross_entropy, decomposes=True),
    "multiple_negatives_ranking": KerasLoss(multiple_negatives_ranking, decomposes=False),
}
