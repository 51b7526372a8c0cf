"""The forward pass of the encoders, on Keras operations: token ids in, one vector for every token out.

Training may multiply in bfloat16: as torch's autocast does, linear maps and attention take and give bfloat16, while
embeddings, residual sums, normalizations and softmax are in float32. Measuring is in float32 throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from homeground.engines.keras.architectures import EncoderShape, MaskedHeadNames
from homeground.engines.keras.framework import keras, ops, tf
from homeground.engines.keras.weights import Variables

Tensor = Any

MASKED_SCORE = -1e9
"""What is added to the attention scores of padding, so that its share is 0 in float32."""


def _gelu_exact(values: Tensor) -> Tensor:
    return ops.gelu(values, approximate=False)


def _gelu_tanh(values: Tensor) -> Tensor:
    return ops.gelu(values, approximate=True)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": _gelu_exact,
    "gelu_new": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "relu": ops.relu,
    "silu": ops.silu,
    "swish": ops.silu,
    "tanh": ops.tanh,
    "sigmoid": ops.sigmoid,
}
"""By the names of the Hub."""


@dataclass(frozen=True)
class Pass:
    """How one forward pass computes: the arithmetic of its linear maps, and its dropout while training.

    ``random`` is Keras' generator, whose state is set by step and slice, and None where nothing is dropped.
    """

    dtype: str = "float32"
    random: Any = None

    def drop(self, values: Tensor, rate: float) -> Tensor:
        """Return the values in float32, in training with a share of them set to 0 and the rest scaled up.

        In bfloat16 a number between 0 and 1 has 8 bits, too few for a share of 0.1.
        """
        values = ops.cast(values, "float32")
        if self.random is None or rate == 0:
            return values
        return keras.random.dropout(values, rate, seed=self.random)

    def linear(self, values: Tensor, weights: Variables, name: str) -> Tensor:
        """Return ``values (rows, in)`` times ``weight (out, in)`` transposed, plus the bias, in this arithmetic."""
        product = tf.matmul(
            ops.cast(values, self.dtype), ops.cast(weights[f"{name}.weight"], self.dtype), transpose_b=True
        )
        bias = weights.get(f"{name}.bias")
        return product if bias is None else tf.nn.bias_add(product, ops.cast(bias, self.dtype))


def normalize_layer(values: Tensor, weights: Variables, name: str, epsilon: float) -> Tensor:
    """Return the layer normalization (Ba et al. 2016) of ``values (rows, size)`` in float32."""
    values = ops.cast(values, "float32")
    mean = tf.reduce_mean(values, -1, keepdims=True)
    centred = values - mean
    variance = tf.reduce_mean(tf.square(centred), -1, keepdims=True)
    scaled = centred * tf.math.rsqrt(variance + epsilon)
    return scaled * ops.convert_to_tensor(weights[f"{name}.weight"]) + ops.convert_to_tensor(weights[f"{name}.bias"])


class TransformerEncoder:
    """A stack of post-norm transformer layers over the weights of a checkpoint."""

    def __init__(self, shape: EncoderShape, weights: Variables) -> None:
        self.shape = shape
        self._weights = weights
        self._activation = ACTIVATIONS[shape.activation]

    def __call__(self, ids: Tensor, mask: Tensor, types: Tensor | None, how: Pass) -> Tensor:
        """Return the last hidden states ``(texts, length, hidden)`` in float32 of ids and mask ``(texts, length)``."""
        shape = self.shape
        texts, length = tf.shape(ids)[0], tf.shape(ids)[1]
        rows = self._embed(ids, types, how)
        bias = (1.0 - ops.cast(mask, "float32"))[:, None, None, :] * MASKED_SCORE
        for number in range(shape.layers):
            rows = self._layer(rows, bias, (texts, length), f"{shape.architecture.stack}.{number}", how)
        return tf.reshape(rows, (texts, length, shape.hidden))

    def _embed(self, ids: Tensor, types: Tensor | None, how: Pass) -> Tensor:
        """Return the embeddings of all tokens as ``(rows, hidden)``."""
        shape, weights = self.shape, self._weights
        words = tf.gather(ops.convert_to_tensor(weights["embeddings.word_embeddings.weight"]), ids)
        places = ops.convert_to_tensor(weights["embeddings.position_embeddings.weight"])
        if shape.architecture.counts_from_padding:
            inside = tf.cast(tf.not_equal(ids, shape.padding), tf.int32)
            vectors = words + tf.gather(places, tf.cumsum(inside, 1) * inside + shape.padding)
        else:
            vectors = words + places[: tf.shape(ids)[1]][None]
        if shape.architecture.has_types:
            table = ops.convert_to_tensor(weights["embeddings.token_type_embeddings.weight"])
            vectors += table[0] if types is None else tf.gather(table, types)
        rows = tf.reshape(vectors, (-1, shape.hidden))
        return how.drop(normalize_layer(rows, weights, "embeddings.LayerNorm", shape.epsilon), shape.dropout)

    def _layer(self, rows: Tensor, bias: Tensor, size: tuple[Tensor, Tensor], place: str, how: Pass) -> Tensor:
        shape, weights, names = self.shape, self._weights, self.shape.architecture.layer
        context = self._attend(rows, bias, size, place, how)
        rate = shape.dropout if shape.architecture.drops_attention_output else 0.0
        attended = how.drop(how.linear(context, weights, f"{place}.{names.attention_output}"), rate)
        rows = normalize_layer(rows + attended, weights, f"{place}.{names.attention_norm}", shape.epsilon)
        inner = self._activation(how.linear(rows, weights, f"{place}.{names.up}"))
        outer = how.drop(how.linear(inner, weights, f"{place}.{names.down}"), shape.dropout)
        return normalize_layer(rows + outer, weights, f"{place}.{names.output_norm}", shape.epsilon)

    def _attend(self, rows: Tensor, bias: Tensor, size: tuple[Tensor, Tensor], place: str, how: Pass) -> Tensor:
        """Return the context ``(rows, hidden)`` that every token takes from the tokens of its text."""
        shape, names = self.shape, self.shape.architecture.layer
        (texts, length), width = size, shape.hidden // shape.heads

        def by_head(name: str) -> Tensor:
            vectors = how.linear(rows, self._weights, f"{place}.{name}")
            return tf.transpose(tf.reshape(vectors, (texts, length, shape.heads, width)), (0, 2, 1, 3))

        query, key, value = by_head(names.query), by_head(names.key), by_head(names.value)
        scores = tf.matmul(query * (width**-0.5), key, transpose_b=True)
        shares = how.drop(tf.nn.softmax(ops.cast(scores, "float32") + bias), shape.attention_dropout)
        context = tf.matmul(ops.cast(shares, how.dtype), value)
        return tf.reshape(tf.transpose(context, (0, 2, 1, 3)), (-1, shape.hidden))


def masked_logits(rows: Tensor, shape: EncoderShape, weights: Variables, how: Pass) -> Tensor:
    """Return the logits ``(rows, vocabulary)`` in float32 of the masked-LM head for ``rows (rows, hidden)``."""
    head: MaskedHeadNames = shape.architecture.masked_head
    activation = ACTIVATIONS[head.activation or shape.activation]
    inner = activation(how.linear(rows, weights, head.dense))
    inner = normalize_layer(inner, weights, head.norm, shape.epsilon)
    table = weights["embeddings.word_embeddings.weight"] if shape.tied else weights[head.decoder]
    product = tf.matmul(ops.cast(inner, how.dtype), ops.cast(table, how.dtype), transpose_b=True)
    return ops.cast(product, "float32") + ops.convert_to_tensor(weights[head.bias])
