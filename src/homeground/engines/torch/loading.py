"""From a safe local checkpoint to a model."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

import torch
from transformers import AutoConfig, PretrainedConfig, PreTrainedModel, logging

from homeground.checkpoint import Checkpoint
from homeground.engines.model import Trainable
from homeground.engines.sentence_modules import read_steps
from homeground.engines.tensors import refuse_not_finite
from homeground.engines.torch.model import TorchModel
from homeground.engines.torch.networks.classifier import ClassifierNetwork
from homeground.engines.torch.networks.encoder import EncoderNetwork
from homeground.engines.torch.networks.masked_lm import MaskedLMNetwork
from homeground.engines.torch.networks.network import Network
from homeground.engines.torch.networks.pooling import open_pooler
from homeground.engines.torch.networks.token_classifier import TokenClassifierNetwork
from homeground.errors import CheckpointError

if TYPE_CHECKING:
    from homeground.recipe.sections import EncoderSettings, TrainingSettings

NETWORKS: dict[str, type[Network]] = {
    "encoder": EncoderNetwork,
    "masked_lm": MaskedLMNetwork,
    "sequence_classification": ClassifierNetwork,
    "token_classification": TokenClassifierNetwork,
}
"""By the name of the head."""

DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout")
"""The names of the dropout settings in the configurations of different architectures."""

HEAD_DROPOUTS = ("seq_classif_dropout", "classifier_dropout", "cls_dropout", "pooler_dropout")
"""The same for the heads of classifiers."""

SAME_TO_ROUNDING = 1e-6
"""How much hidden states that are the same may differ, relative to the largest."""

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
        CheckpointError: transformers does not know the architecture, it is no encoder of text, or the weights do not
            fit the config or are not finite.
    """
    kind = NETWORKS[head]
    settings, refit = kind.head_settings(checkpoint, labels, loss)
    pooler = open_pooler(read_steps(checkpoint, encoder.pooling if encoder else "auto"))
    body, new = _open_body(checkpoint, kind, settings, dropout=encoder.dropout if encoder else None, refit=refit)
    _refuse_unfit(checkpoint, body)
    network = kind(body, pooler, new=new)
    weights = network.state_dict().items()
    refuse_not_finite(
        checkpoint,
        ((name.removeprefix("body."), value.numpy()) for name, value in weights if value.is_floating_point()),
    )
    return TorchModel(network, loss=loss, training=training, seed=seed, trainable=trainable)


def require_supported(checkpoint: Checkpoint) -> None:
    """Raise CheckpointError for a SavedModel; what transformers knows else comes to light when it opens one."""
    if checkpoint.is_saved_model:
        raise CheckpointError(f'"{checkpoint.name}" is a SavedModel, which TensorFlow computes; add --engine keras')


def versions() -> dict[str, str]:
    """Return the versions of torch and transformers."""
    return {name: version(name) for name in ("torch", "transformers")}


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
        _refuse_other_inputs(checkpoint, kind, config)
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
    except CheckpointError:
        raise
    except Exception as error:  # each architecture raises errors of its own
        raise CheckpointError(f"{checkpoint.name}: transformers could not open it ({_reason(error)})") from error
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


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _refuse_other_inputs(checkpoint: Checkpoint, kind: type[Network], config: PretrainedConfig) -> None:
    """Refuse an architecture that does not read a text alone, before its weights are loaded."""
    found = kind.auto_class._model_mapping.get(type(config), None)
    architecture = found[0] if isinstance(found, tuple) else found
    if architecture is None:
        return
    inputs = inspect.signature(architecture.forward).parameters
    if "decoder_input_ids" in inputs or "input_ids" not in inputs:
        problem = "an encoder and a decoder" if "input_ids" in inputs else "no text for its input"
        raise CheckpointError(
            f'"{checkpoint.name}" has {problem} ({architecture.__name__}, model type "{config.model_type}"); name an '
            'encoder of text, e.g. "distilbert-base-uncased" or "minilm"'
        )


@torch.no_grad()
def _refuse_unfit(checkpoint: Checkpoint, body: PreTrainedModel) -> None:
    """Refuse a model whose tokens do not see the tokens after them, or that cannot compute at all."""
    was_training = body.training
    body.eval()
    # Two texts that differ in their last token alone.
    ids = torch.tensor([[1, 2, 3, 4], [1, 2, 3, 5]]) % int(body.config.vocab_size)
    try:
        hidden = body.base_model(input_ids=ids, attention_mask=torch.ones_like(ids))[0].float()
    except Exception as error:  # each architecture raises errors of its own
        raise CheckpointError(
            f"{checkpoint.name}: transformers could not compute with it ({_reason(error)})"
        ) from error
    finally:
        body.train(was_training)
    changes = (hidden[0] - hidden[1]).abs().amax(-1)
    if changes[:-1].max() <= SAME_TO_ROUNDING * hidden.abs().max() < changes[-1]:
        raise CheckpointError(
            f'"{checkpoint.name}" reads text from left to right only ({type(body).__name__}); name an encoder, whose '
            'tokens see the whole text, e.g. "distilbert-base-uncased" or "minilm"'
        )
