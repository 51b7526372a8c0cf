"""From a safe local checkpoint to a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from transformers import AutoConfig, PreTrainedModel, logging

from homeground.checkpoint import Checkpoint
from homeground.engines.model import Trainable
from homeground.engines.torch.classifier import ClassifierNetwork
from homeground.engines.torch.encoder import EncoderNetwork
from homeground.engines.torch.masked_lm import MaskedLMNetwork
from homeground.engines.torch.model import Network, TorchModel
from homeground.engines.torch.pooling import open_pooler
from homeground.errors import CheckpointError

if TYPE_CHECKING:
    from homeground.recipe.sections import EncoderSettings, TrainingSettings

NETWORKS: dict[str, type[Network]] = {
    "encoder": EncoderNetwork,
    "masked_lm": MaskedLMNetwork,
    "sequence_classification": ClassifierNetwork,
}
"""By the name of the head."""

DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout")
"""The names of the dropout settings in the configurations of different architectures."""

HEAD_DROPOUTS = ("seq_classif_dropout", "classifier_dropout", "cls_dropout", "pooler_dropout")
"""The same for the heads of classifiers."""

logging.set_verbosity_error()
logging.disable_progress_bar()


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
) -> TorchModel:
    """Open a checkpoint with a head; without ``training`` it can be measured but not trained.

    ``head`` is one of ``NETWORKS``; a classifier has ``labels``, or those of the checkpoint. A head for other labels
    than the checkpoint's is new, as is one for masked words where the checkpoint lacks it; with ``trainable="head"``
    only the weights of such a head are trained.

    Raises:
        CheckpointError: transformers does not know the architecture, or the weights do not fit the config.
    """
    kind = NETWORKS[head]
    settings, refit = kind.head_settings(checkpoint, labels, loss)
    pooler = open_pooler(checkpoint, encoder.pooling if encoder else "auto")
    body, new = _open_body(checkpoint, kind, settings, dropout=encoder.dropout if encoder else None, refit=refit)
    return TorchModel(kind(body, pooler, new=new), loss=loss, training=training, seed=seed, trainable=trainable)


def _open_body(
    checkpoint: Checkpoint,
    kind: type[Network],
    settings: Mapping[str, object],
    *,
    dropout: float | None,
    refit: bool,
) -> tuple[PreTrainedModel, frozenset[str]]:
    """Load a transformers model in float32; return it with the names of its weights that the checkpoint lacks.

    Only a head and a pooler may be missing. With ``refit`` all weights of a head count as new even where their shapes
    fit.
    """
    headed = kind is not EncoderNetwork
    torch.manual_seed(0)
    try:
        config = AutoConfig.from_pretrained(checkpoint.folder, local_files_only=True, trust_remote_code=False)
        for name, value in settings.items():
            setattr(config, name, value)
        dropouts = (*DROPOUTS, *(HEAD_DROPOUTS if headed else ()))
        originals = {name: getattr(config, name) for name in dropouts if hasattr(config, name)}
        if dropout is not None:
            config.update(dict.fromkeys(originals, dropout))
        body, report = kind.auto_class.from_pretrained(
            checkpoint.folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=refit,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise CheckpointError(f"{checkpoint.name}: transformers could not open it ({reason})") from error
    inside = body.base_model_prefix + "." if headed else ""
    lacking = {*report["missing_keys"], *(key[0] for key in report["mismatched_keys"])}
    missing = sorted(name for name in lacking if name.startswith(inside) and "pooler" not in name)
    if missing:
        raise CheckpointError(
            f"{checkpoint.name}: {len(missing)} weights are missing, e.g. {missing[0]}; they do not fit config.json"
        )
    # The dropout is a setting of the training; what is saved keeps that of the checkpoint.
    body.config.update(originals)
    if refit:
        lacking |= {name for name, _ in body.named_parameters() if not name.startswith(inside)}
    return body, frozenset(lacking)
