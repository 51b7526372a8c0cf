"""Weights that stay as they are in training."""

from __future__ import annotations

from typing import Literal, cast

from torch import nn
from transformers import PreTrainedModel

from homeground.errors import UsageError


def freeze(model: PreTrainedModel, what: Literal["embeddings", "body"] | int) -> None:
    """Freeze the embeddings, these and so many of the lowest layers, or all but the head.

    Raises:
        UsageError: the model has not so many layers, or keeps its embeddings elsewhere.
    """
    body = model.base_model
    if what == "body":
        _freeze(body)
        return
    embeddings = getattr(body, "embeddings", None)
    if not isinstance(embeddings, nn.Module):
        raise UsageError(f"--freeze {what}: the {model.config.model_type} architecture has no embeddings of this name")
    _freeze(embeddings)
    if isinstance(what, int):
        layers = _layers(body, cast(int, model.config.num_hidden_layers))
        if what > len(layers):
            raise UsageError(f"--freeze {what}: the checkpoint has {len(layers)} layers; expected at most so many")
        for layer in list(layers)[:what]:
            _freeze(layer)


def _layers(body: nn.Module, count: int) -> nn.ModuleList:
    """Return the list of the layers, of which the settings know the number."""
    lists = (each for each in body.modules() if isinstance(each, nn.ModuleList) and len(each) == count)
    if (found := next(lists, None)) is None:
        raise UsageError("--freeze: the layers of this architecture cannot be told apart; freeze embeddings or body")
    return found


def _freeze(module: nn.Module) -> None:
    for parameter in module.parameters():
        parameter.requires_grad = False
