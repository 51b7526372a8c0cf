"""From a safe local checkpoint to a model on Keras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from homeground.checkpoint import Checkpoint
from homeground.engines.keras.architectures import read_shape
from homeground.engines.keras.classifiers import KerasClassifierNetwork, KerasTokenClassifierNetwork
from homeground.engines.keras.encoder import KerasEncoderNetwork
from homeground.engines.keras.masked_lm import KerasMaskedLMNetwork
from homeground.engines.keras.model import KerasModel
from homeground.engines.keras.network import Parts, TransformerNetwork
from homeground.engines.keras.pooling import KerasPooler
from homeground.engines.keras.saved_model.network import open_saved_model
from homeground.engines.keras.saved_model.program import require_harmless
from homeground.engines.keras.weights import arrays_of, open_weights, read_weight_file
from homeground.engines.model import Trainable
from homeground.engines.sentence_modules import read_steps
from homeground.engines.tensors import refuse_not_finite

if TYPE_CHECKING:
    from homeground.recipe.sections import EncoderSettings, TrainingSettings

KERAS_NETWORKS: dict[str, type[TransformerNetwork]] = {
    "encoder": KerasEncoderNetwork,
    "masked_lm": KerasMaskedLMNetwork,
    "sequence_classification": KerasClassifierNetwork,
    "token_classification": KerasTokenClassifierNetwork,
}
"""By the name of the head."""


def require_supported(checkpoint: Checkpoint) -> None:
    """Raise CheckpointError where the architecture, or a setting of it, is not one that this engine computes."""
    if checkpoint.is_saved_model:
        require_harmless(checkpoint)
    else:
        read_shape(checkpoint)


def open_model(
    checkpoint: Checkpoint,
    *,
    head: str,
    loss: str | None = None,
    encoder: EncoderSettings | None = None,
    training: TrainingSettings | None = None,
    seed: int = 0,
    labels: Sequence[str] = (),
    trainable: Trainable = "all",
) -> KerasModel:
    """Open a checkpoint with a head; without ``training`` it can be measured but not trained.

    ``head`` is one of ``KERAS_NETWORKS``; a classifier has ``labels``, or those of the checkpoint. A head for other
    labels than the checkpoint's is new, as is one for masked words where the checkpoint lacks it; with
    ``trainable="head"`` only the weights of such a head are trained.

    Raises:
        CheckpointError: the architecture or a setting of it is not one that this engine computes, or the weights do not
            fit the config or are not finite.
    """
    if checkpoint.is_saved_model:
        return open_saved_model(checkpoint, head=head, loss=loss, encoder=encoder, training=training, seed=seed)
    kind = KERAS_NETWORKS[head]
    shape = read_shape(checkpoint, dropout=encoder.dropout if encoder else None)
    settings, refit = kind.head_settings(checkpoint, labels, loss)
    names = settings.get("id2label")
    file = read_weight_file(checkpoint.folder, shape.architecture)
    shape = replace(shape, tied=file.ties(shape.architecture, tied=shape.tied))
    head_weights = kind.head_weights(shape, len(names) if isinstance(names, dict) else 0)
    weights = open_weights(checkpoint, file, shape, head_weights, refit=refit)
    pooler = KerasPooler(read_steps(checkpoint, encoder.pooling if encoder else "auto"))
    refuse_not_finite(checkpoint, arrays_of(weights.variables | pooler.variables).items())
    network = kind(Parts(shape, weights, pooler, {**checkpoint.config, **settings, "tie_word_embeddings": shape.tied}))
    return KerasModel(network, loss=loss, training=training, seed=seed, trainable=trainable)
