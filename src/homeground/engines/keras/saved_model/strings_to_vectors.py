"""The function of a SavedModel that turns strings into vectors, however the SavedModel offers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from homeground.checkpoint import Checkpoint
from homeground.engines.keras.framework import tf
from homeground.errors import CheckpointError
from homeground.wording import shorten

Tensor = Any
Embed = Callable[[Tensor], Tensor]

PROBE = ("a probe", "text")
SIGNATURES = ("serving_default", "default")
"""The signatures that are taken where the object itself cannot be called."""

OUTPUTS = ("outputs", "default", "output_0", "sentence_embedding", "embeddings")
"""The names of the vectors where there are several outputs."""

VECTOR_AXES = 2
MAX_REASON_CHARACTERS = 120


def find_function(loaded: Any, checkpoint: Checkpoint) -> Embed:
    """Return the function from strings ``(texts,)`` to vectors ``(texts, dimensions)``.

    The object itself is called where it can be, else its signature for serving.

    Raises:
        CheckpointError: it takes no strings or gives no vectors.
    """
    problems: list[str] = []
    for name, function in _candidates(loaded).items():
        try:
            vectors = function(tf.constant(list(PROBE)))
        except Exception as error:  # what a graph raises depends on its operations
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            problems.append(f"{name}: {shorten(reason, MAX_REASON_CHARACTERS)}")
            continue
        if len(vectors.shape) == VECTOR_AXES and vectors.shape[0] == len(PROBE) and vectors.dtype.is_floating:
            return function
        problems.append(f"{name}: gives {vectors.dtype.name} {tuple(vectors.shape)} for {len(PROBE)} texts")
    raise CheckpointError(
        f'"{checkpoint.name}" does not turn a list of strings into one vector each '
        f"({'; '.join(problems) or 'it can not be called and has no signature'})"
    )


def _candidates(loaded: Any) -> dict[str, Embed]:
    """Return the functions that may be it, the likeliest first."""
    candidates: dict[str, Embed] = {}
    if callable(loaded):
        candidates["__call__"] = lambda texts: _vectors(loaded(texts))
    signatures: Mapping[str, Any] = getattr(loaded, "signatures", {})
    names = [*(name for name in SIGNATURES if name in signatures), *(n for n in signatures if n not in SIGNATURES)]
    for name in names:
        candidates[f"signature {name}"] = _of_signature(signatures[name])
    return candidates


def _of_signature(signature: Any) -> Embed:
    """Return a signature as a function of its one argument."""

    def embed(texts: Tensor) -> Tensor:
        arguments = list(signature.structured_input_signature[1])
        if len(arguments) != 1:
            raise ValueError(f"takes {len(arguments)} arguments, expected one with the strings")
        return _vectors(signature(**{arguments[0]: texts}))

    return embed


def _vectors(outputs: Any) -> Tensor:
    """Return the vectors among outputs: the only one, or one with a usual name."""
    if not isinstance(outputs, Mapping):
        return outputs
    named = cast(Mapping[str, Any], outputs)
    if len(named) == 1:
        return next(iter(named.values()))
    known = [name for name in OUTPUTS if name in named]
    if not known:
        raise ValueError(f"gives {', '.join(named)}, expected one of {', '.join(OUTPUTS)}")
    return named[known[0]]


def variables_of(embed: Embed) -> dict[str, Any]:
    """Return the trainable variables that the vectors have a gradient by, in the order in which they are read.

    Their names are made unique by that place. A SavedModel need not say which of its variables are trained; a gradient
    tape sees them. Those behind a stopped gradient stay as they are.
    """
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(embed(tf.constant(list(PROBE))))
    watched = [each for each in tape.watched_variables() if each.dtype.is_floating]
    gradients = tape.gradient(total, watched)
    learned = [each for each, gradient in zip(watched, gradients, strict=True) if gradient is not None]
    return {f"{place:04d}:{each.name}": each for place, each in enumerate(learned)}
