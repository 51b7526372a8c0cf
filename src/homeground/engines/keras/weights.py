"""The tensors of a checkpoint as Keras variables, and back: the names and the layout of the Hub on disk and in memory.

In memory a weight of the encoder has no prefix (``embeddings.word_embeddings.weight``), and one of a head is called as
on disk (``classifier.weight``). On disk the encoder's names begin with ``bert.`` and the like under a head, and may
without one. Linear maps stay ``(out, in)``, so nothing is transposed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from homeground.checkpoint import Checkpoint
from homeground.checkpoint.safety import weight_files
from homeground.engines.keras.architectures import Architecture, EncoderShape, MaskedHeadNames, Shapes
from homeground.engines.keras.framework import keras
from homeground.engines.tensors import read_tensors
from homeground.errors import CheckpointError

Arrays = dict[str, NDArray[np.float32]]
Variables = dict[str, Any]
"""Keras variables by name."""

OLD_NAMES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
"""Names in files that were converted from the first TensorFlow checkpoints, as transformers reads them."""

POOLER = "pooler.dense"
WORDS = "embeddings.word_embeddings.weight"


@dataclass(frozen=True)
class WeightFile:
    """The tensors of a checkpoint by their names in memory, and whether those of the encoder had a prefix on disk."""

    tensors: Arrays
    prefixed: bool

    def ties(self, architecture: Architecture, *, tied: bool) -> bool:
        """Tell whether the decoder of masked words shares the word embeddings, where config.json says ``tied``.

        As in transformers they are not shared where the file holds both and they differ.
        """
        decoder = self.tensors.get(architecture.masked_head.decoder)
        return tied and (decoder is None or np.array_equal(decoder, self.tensors.get(WORDS, decoder)))


@dataclass(frozen=True)
class Weights:
    """The variables of a network, what else its checkpoint holds and is saved unchanged, and what was new."""

    variables: Variables
    untouched: Arrays
    prefixed: bool
    new: frozenset[str] = field(default_factory=frozenset[str])


def read_weight_file(folder: Path, architecture: Architecture) -> WeightFile:
    """Return the tensors of a folder."""
    tensors: Arrays = {}
    for path in weight_files(folder):
        tensors.update(read_tensors(path))
    prefix = architecture.prefix + "."
    names: Arrays = {}
    for name, value in tensors.items():
        for old, new in OLD_NAMES.items():
            name = name.replace(old, new)
        names[name.removeprefix(prefix)] = value
    head = architecture.masked_head
    for name, other in ((head.bias, head.decoder_bias), (WORDS, head.decoder)):
        # Shared weights may be in the file under either name, or under both.
        if name not in names and other in names:
            names[name] = names[other]
    names.pop(head.decoder_bias, None)
    return WeightFile(names, any(name.startswith(prefix) for name in tensors))


def open_weights(
    checkpoint: Checkpoint, file: WeightFile, shape: EncoderShape, head: Shapes, *, refit: bool
) -> Weights:
    """Return the variables of a network; those of a head that the checkpoint lacks are drawn anew, always alike.

    With ``refit`` all weights of the head count as new, even where their shapes fit.

    Raises:
        CheckpointError: a tensor of the encoder is missing, or has another shape than config.json says.
    """
    body, names = shape.body_weights(), shape.architecture.masked_head
    missing = sorted(set(body) - set(file.tensors))
    if missing:
        raise CheckpointError(
            f"{checkpoint.name}: {len(missing)} weights are missing, e.g. {missing[0]}; they do not fit config.json"
        )
    new = {name for name in head if (refit and not name.startswith(POOLER)) or name not in file.tensors}
    random = np.random.default_rng(0)
    variables: Variables = {}
    for name, size in (body | head).items():
        value = None if name in new else file.tensors[name]
        if value is not None and value.shape != size:
            raise CheckpointError(f"{checkpoint.name}: {name} has the shape {value.shape}, and config.json says {size}")
        if value is None:
            value = _initial(name, size, random, shape.initializer_range)
        variables[name] = variable(name, value)
    untouched = {name: value for name, value in file.tensors.items() if name not in variables and _is_kept(name, names)}
    if shape.tied:
        # Written beside the embeddings that training has changed, it would be taken for a decoder of its own.
        untouched.pop(names.decoder, None)
    return Weights(variables, untouched, file.prefixed, frozenset(new))


def _is_kept(name: str, head: MaskedHeadNames) -> bool:
    """Tell whether a tensor that the network does not use is saved with it: of the pooler or the masked-LM head."""
    return name.startswith((head.dense, head.norm, POOLER)) or name in (head.bias, head.decoder)


def _initial(name: str, shape: tuple[int, ...], random: np.random.Generator, deviation: float) -> NDArray[np.float32]:
    """Return the first values of a new weight, as transformers draws them: norms 1, biases 0, the rest normal."""
    if len(shape) > 1:
        return random.normal(0.0, deviation, shape).astype(np.float32)
    is_scale = name.endswith(("norm.weight", "Norm.weight"))
    return np.full(shape, 1.0 if is_scale else 0.0, np.float32)


def variable(name: str, value: NDArray[np.float32]) -> Any:
    """Return a Keras variable in float32."""
    return keras.Variable(np.ascontiguousarray(value), dtype="float32", name=name.replace(".", "_"))


def arrays_of(variables: Mapping[str, Any]) -> Arrays:
    """Return the values of variables."""
    return {name: each.numpy() for name, each in variables.items()}


def write_weights(weights: Weights, body: Shapes, folder: Path, architecture: Architecture, *, prefixed: bool) -> None:
    """Write model.safetensors; the encoder's names get their prefix where a head is beside it."""
    tensors = {**weights.untouched, **arrays_of(weights.variables)}
    prefix = f"{architecture.prefix}." if prefixed else ""
    named = {
        f"{prefix}{name}" if name in body or name.startswith(POOLER) else name: np.ascontiguousarray(value)
        for name, value in tensors.items()
    }
    save_file(named, folder / "model.safetensors", metadata={"format": "pt"})


def restore_weights(weights: Weights, folder: Path, architecture: Architecture) -> None:
    """Set the variables to what ``write_weights`` wrote."""
    saved = read_weight_file(folder, architecture).tensors
    for name, each in weights.variables.items():
        each.assign(saved[name])
