"""From a safe local checkpoint to a model."""

from __future__ import annotations

import torch
from transformers import AutoConfig, AutoModel, PreTrainedModel, logging

from homeground.checkpoint import Checkpoint
from homeground.engines.torch.model import EncoderModel
from homeground.engines.torch.pooling import open_pooler
from homeground.errors import CheckpointError
from homeground.recipe import Encoder, Training

DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout")
"""Where the configurations of different architectures keep their dropout."""

logging.set_verbosity_error()
logging.disable_progress_bar()


def open_model(
    checkpoint: Checkpoint,
    *,
    head: str,
    loss: str | None = None,
    encoder: Encoder | None = None,
    training: Training | None = None,
    seed: int = 0,
) -> EncoderModel:
    """Open a checkpoint as a sentence encoder; without ``training`` it can be measured but not trained.

    Raises:
        CheckpointError: transformers does not know the architecture, or the weights do not fit the config.
    """
    assert head == "encoder", head
    encoder = encoder or Encoder()
    body = _open_body(checkpoint, encoder)
    return EncoderModel(body, open_pooler(checkpoint, encoder.pooling), loss=loss, training=training, seed=seed)


def _open_body(checkpoint: Checkpoint, encoder: Encoder) -> PreTrainedModel:
    """Load the transformer body in float32, every weight present and nothing newly initialized but an unused pooler."""
    torch.manual_seed(0)
    try:
        config = AutoConfig.from_pretrained(checkpoint.folder, local_files_only=True, trust_remote_code=False)
        own = {name: getattr(config, name) for name in DROPOUTS if hasattr(config, name)}
        if encoder.dropout is not None:
            config.update(dict.fromkeys(own, encoder.dropout))
        body, report = AutoModel.from_pretrained(
            checkpoint.folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise CheckpointError(f"{checkpoint.name}: transformers could not open it ({reason})") from error
    missing = sorted(name for name in report["missing_keys"] if "pooler" not in name)
    if missing:
        raise CheckpointError(
            f"{checkpoint.name}: {len(missing)} weights are missing, e.g. {missing[0]}; they do not fit config.json"
        )
    # The setting is the training's; what is saved keeps the checkpoint's own.
    body.config.update(own)
    return body
