"""A SavedModel as a siamese sentence encoder: the same loop, losses and optimizer as for any other encoder.

What is saved is a SavedModel again. It cannot be turned into the layout of the Hub: its operations are its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeground.checkpoint import SAVED_MODEL_SETTINGS, Checkpoint
from homeground.checkpoint.saved_model import PADDING_ID
from homeground.engines.keras.encoder_layers import Pass
from homeground.engines.keras.framework import tf
from homeground.engines.keras.model import KerasModel
from homeground.engines.keras.network import KerasNetwork, Tensors
from homeground.engines.keras.saved_model.program import CheckedProgram
from homeground.engines.keras.saved_model.strings_to_vectors import find_function, variables_of
from homeground.engines.keras.weights import Arrays, Variables
from homeground.engines.model import Head
from homeground.engines.tensors import refuse_not_finite
from homeground.errors import CheckpointError, UsageError

if TYPE_CHECKING:
    from homeground.recipe.sections import EncoderSettings, TrainingSettings

Tensor = Any

BYTES_PER_VALUE = 256


class SavedModelNetwork(KerasNetwork):
    """A SavedModel that embeds every side of a pair."""

    output = "embeddings"
    takes_bf16 = False

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._program, self._loaded = _load(checkpoint, checkpoint.folder)
        self._embed = find_function(self._loaded, checkpoint)
        self.problem = "it has no trainable variable"
        """Why it cannot be adapted, where it has no variables."""
        try:
            self._variables = variables_of(self._embed)
        except LookupError as error:  # an operation without a gradient
            self._variables: Variables = {}
            self.problem = f"no gradient can be computed through it ({str(error).splitlines()[0]})"
        _refuse_other_types(checkpoint, self._variables)
        # A byte of text for every id, and nothing for the id that pads.
        self._bytes = tf.constant([bytes([value]) for value in range(BYTES_PER_VALUE)] + [b""])
        assert self._bytes.shape[0] == PADDING_ID + 1

    @property
    def variables(self) -> Variables:
        """The trainable variables that the vectors depend on."""
        return self._variables

    def forward(self, batch: Tensors, how: Pass) -> Tensor:
        """Return embeddings ``(items, texts, dimensions)`` of bytes ``(items, texts, length)``."""
        ids = batch["input_ids"]
        texts = tf.strings.reduce_join(tf.gather(self._bytes, ids), -1)
        # A text that was cut may end within a character.
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore")
        vectors = tf.cast(self._embed(tf.reshape(texts, (-1,))), tf.float32)
        size = tf.shape(ids)
        return tf.reshape(vectors, (size[0], size[1], tf.shape(vectors)[1]))

    def make_head(self) -> Head:
        """Return the head, which adds nothing."""
        return SavedModelHead(self)

    def save(self, folder: Path) -> None:
        """Write a SavedModel with the signatures of the one it was, and a config.json that says what it is."""
        signatures = dict(getattr(self._loaded, "signatures", {})) or None
        tf.saved_model.save(self._loaded, str(folder), signatures=signatures)
        settings = json.dumps(SAVED_MODEL_SETTINGS, indent=2)
        (folder / "config.json").write_text(settings + "\n", encoding="utf-8")

    def restore(self, folder: Path) -> None:
        """Load the variables from what ``save`` wrote."""
        _program, saved = _load(self.checkpoint, folder)
        values = variables_of(find_function(saved, self.checkpoint))
        if list(values) != list(self._variables):
            raise CheckpointError(f"{folder}: has other variables than {self.checkpoint.name}")
        for name, each in self._variables.items():
            each.assign(values[name])

    def with_values(self, values: Arrays) -> SavedModelNetwork:
        """Return the SavedModel loaded once more, its variables set to ``values``."""
        network = SavedModelNetwork(self.checkpoint)
        for name, each in network.variables.items():
            each.assign(values[name])
        return network


class SavedModelHead:
    """The head of a SavedModel, which is never new."""

    is_new = False

    def __init__(self, network: SavedModelNetwork) -> None:
        self._network = network

    def as_encoder(self) -> KerasModel:
        """Return the same encoder, to be measured only."""
        return KerasModel(self._network)


def open_saved_model(
    checkpoint: Checkpoint,
    *,
    head: str,
    loss: str | None,
    encoder: EncoderSettings | None,
    training: TrainingSettings | None,
    seed: int,
) -> KerasModel:
    """Open a SavedModel as a sentence encoder; without ``training`` it can be measured but not trained.

    Raises:
        CheckpointError: it would run operations that are not allowed, does not turn strings into vectors, holds weights
            that are no numbers or, to be trained, none at all.
        UsageError: a setting that a SavedModel cannot follow.
    """
    if head != "encoder":
        raise CheckpointError(
            f'"{checkpoint.name}" is a SavedModel, which gives vectors of texts and nothing else; adapt it to pairs '
            "(--task similarity), or name another checkpoint"
        )
    _refuse_settings(encoder, training)
    network = SavedModelNetwork(checkpoint)
    if training and not network.variables:
        raise CheckpointError(f'"{checkpoint.name}" can be used and measured, but not adapted: {network.problem}')
    refuse_not_finite(checkpoint, ((name, each.numpy()) for name, each in network.variables.items()))
    return KerasModel(network, loss=loss, training=training, seed=seed)


def _refuse_other_types(checkpoint: Checkpoint, variables: Variables) -> None:
    """Refuse variables in another arithmetic than the optimizer's."""
    others = sorted({each.dtype.name for each in variables.values()} - {"float32"})
    if others:
        raise CheckpointError(
            f'"{checkpoint.name}" has trainable variables of {", ".join(others)}, and only float32 is adapted here; '
            "save it with variables of float32"
        )


def _refuse_settings(encoder: EncoderSettings | None, training: TrainingSettings | None) -> None:
    """Refuse settings of what a SavedModel does inside, where nothing can be set."""
    given = {
        "--pooling": encoder is not None and encoder.pooling != "auto",
        "--dropout": encoder is not None and encoder.dropout is not None,
        "--precision bf16": training is not None and training.precision == "bf16",
    }
    for flag, is_given in given.items():
        if is_given:
            raise UsageError(f"{flag} cannot be set inside a SavedModel, which computes as it was saved; leave it out")


def _load(checkpoint: Checkpoint, folder: Path) -> tuple[CheckedProgram, Any]:
    """Load what of a SavedModel is harmless; its files must last as long as it is used."""
    program = CheckedProgram(checkpoint, folder)
    try:
        return program, tf.saved_model.load(str(program.folder))
    except Exception as error:  # what a damaged file raises depends on where it is damaged
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(f'"{checkpoint.name}": TensorFlow could not load it ({reason})') from error
