"""The graph of a model as it is exported: token ids in; token vectors and, with a head, logits out."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from homeground.engines.torch.networks.masked_lm import MaskedLMNetwork
from homeground.engines.torch.networks.network import Network
from homeground.errors import UsageError

SAMPLE_SHAPE = (3, 7)
"""Texts and tokens of the batch that a graph is traced with; both may be any number afterwards."""

SAMPLE_POSITIONS = (1, 2, 8, 15)
"""Masked positions in that batch, counted over all its tokens."""


class ExportedGraph(PreTrainedModel):
    """The body of a network whose last hidden states are an output, too.

    With ``positions``, numbers of tokens over the whole batch, the head computes these alone: it maps each to the whole
    vocabulary, which is most of the work.
    """

    # What the body inside computes attention with is its own business.
    _supports_sdpa = _supports_flash_attn = _supports_flex_attn = _supports_attention_backend = True

    def __init__(self, body: PreTrainedModel, *, has_head: bool) -> None:
        super().__init__(body.config)
        self.body = body
        self.has_head = has_head

    def forward(self, positions: Tensor | None = None, **inputs: Tensor) -> dict[str, Tensor]:
        """Return ``last_hidden_state (texts, length, dimensions)`` and ``logits``."""
        captured: list[Tensor] = []

        def capture(_module: nn.Module, _inputs: object, outputs: Any) -> Any:
            hidden = outputs[0]
            captured.append(hidden)
            if positions is not None:
                outputs["last_hidden_state"] = hidden.reshape(-1, hidden.shape[-1])[positions][None]
            return outputs

        hook = self.body.base_model.register_forward_hook(capture)
        try:
            outputs = self.body(**inputs)
        finally:
            hook.remove()
        named = {"last_hidden_state": captured[0]}
        if self.has_head:
            named["logits"] = outputs.logits if positions is None else outputs.logits[0]
        return named


def graph_of(network: Network, head: str) -> tuple[ExportedGraph, dict[str, Tensor]]:
    """Return the graph of a network with that head, in evaluation mode, and a batch to trace it with.

    Raises:
        UsageError: the head of this architecture does not compute positions by themselves.
    """
    body = network.body
    ids = torch.arange(SAMPLE_SHAPE[0] * SAMPLE_SHAPE[1]).reshape(SAMPLE_SHAPE) % int(body.config.vocab_size)
    mask = torch.ones_like(ids)
    mask[0, 5:] = 0
    sample = {"input_ids": ids, "attention_mask": mask}
    if isinstance(network, MaskedLMNetwork):
        if not network.gathers:
            raise UsageError(
                f"the head of {type(body).__name__} computes no masked position by itself, which an export needs; "
                "predict with the run itself"
            )
        sample["positions"] = torch.tensor(SAMPLE_POSITIONS)
    elif head == "sequence_classification" and _takes_types(body):
        sample["token_type_ids"] = torch.zeros_like(ids)
    return ExportedGraph(body, has_head=head != "encoder").eval(), sample


def _takes_types(body: PreTrainedModel) -> bool:
    types = int(getattr(body.config, "type_vocab_size", 0) or 0)
    return types > 1 and "token_type_ids" in inspect.signature(body.forward).parameters
