"""A masked language model whose head computes the masked positions only.

The head maps every position to the whole vocabulary, which is most of the work and most of the memory, and nine in ten
positions have no label. A hook on the body gives the head the last hidden states of the masked positions alone, as one
text of that length: the heads of encoders compute each position by itself. Whether that of an architecture does is
tested when the model is opened; where it does not, the head computes all positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax
from transformers import AutoModelForMaskedLM, PreTrainedModel

from homeground.data.tokens.tokenized import IGNORED_LABEL
from homeground.engines.model import Batch, Outputs
from homeground.engines.slicing import by_masked_tokens
from homeground.engines.torch.networks.encoder import TorchHead
from homeground.engines.torch.networks.network import Network, Tensors
from homeground.engines.torch.networks.pooling import Pooler

RELATIVE_TOLERANCE = 1e-4
"""How much the logits of both ways may differ, relative to the largest; they agree to rounding or not at all."""


class MaskedLMNetwork(Network):
    """A masked language model as transformers builds it; its output is the logits of the masked positions."""

    auto_class = AutoModelForMaskedLM
    output = "logits"

    def __init__(self, body: PreTrainedModel, pooler: Pooler, *, new: frozenset[str] = frozenset()) -> None:
        super().__init__(body, pooler, new=new)
        self._masked: Tensor | None = None
        self.body.base_model.register_forward_hook(self._select)
        self.gathers = self._agrees()
        """Whether the head computes the masked positions only."""

    def forward(self, batch: Tensors) -> Tensor:
        """Return the logits ``(masked, vocabulary)`` in float32 where ``labels (items, length)`` are not ignored."""
        masked = batch["labels"] != IGNORED_LABEL
        self._masked = masked if self.gathers else None
        try:
            logits = self.body(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        finally:
            self._masked = None
        return (logits[0] if self.gathers else logits[masked]).float()

    def outputs(self, batch: Tensors) -> dict[str, Tensor]:
        """Return the log probability of every label, ``(masked,)``, and whether it was the first choice."""
        parts = [_judge(self(part), part["labels"]) for part in self.parts(batch)]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def make_head(self) -> TorchMaskedHead:
        """Return the head over the whole vocabulary."""
        return TorchMaskedHead(self)

    def _select(self, _module: nn.Module, _inputs: object, outputs: Any) -> Any:
        """Replace the hidden states of a batch by those of its masked positions, as one text."""
        if self._masked is None:
            return outputs
        chosen = outputs[0][self._masked][None]
        if isinstance(outputs, tuple):
            return (chosen, *outputs[1:])
        outputs["last_hidden_state"] = chosen
        return outputs

    def parts(self, batch: Tensors) -> Iterator[Tensors]:
        """Yield parts whose logits are in memory at once."""
        yield from by_masked_tokens(batch, int(self.body.config.vocab_size))

    @torch.no_grad()
    def _agrees(self) -> bool:
        """Return whether the head gives the same logits for the masked positions alone as for all positions."""
        was_training = self.body.training
        self.body.eval()
        vocabulary = int(self.body.config.vocab_size)
        ids = torch.arange(16).reshape(2, 8) % max(vocabulary - 8, 1) + min(7, vocabulary - 1)
        batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        labels = torch.where(ids % 3 == 0, ids, IGNORED_LABEL)
        outcomes: list[Tensor | None] = []
        for self.gathers in (True, False):
            try:
                outcomes.append(self({**batch, "labels": labels}))
            except (RuntimeError, ValueError, IndexError, TypeError, KeyError):
                outcomes.append(None)
        self.body.train(was_training)
        gathered, whole = outcomes
        if gathered is None or whole is None or gathered.shape != whole.shape:
            return False
        return bool((gathered - whole).abs().max() <= RELATIVE_TOLERANCE * whole.abs().max().clamp(min=1.0))


class TorchMaskedHead(TorchHead):
    """The head of a masked language model."""

    def __init__(self, network: MaskedLMNetwork) -> None:
        super().__init__(network)
        self._masked_lm = network
        self.is_new = bool(network.new)

    def fill(self, batch: Batch, count: int) -> Outputs:
        """Return the likeliest tokens of every masked position; see the protocol."""
        count = min(count, int(self._masked_lm.body.config.vocab_size))
        return self._masked_lm.measure(lambda tensors: self._likeliest(tensors, count), batch)

    def _likeliest(self, batch: Tensors, count: int) -> dict[str, Tensor]:
        network = self._masked_lm
        tops = [log_softmax(network(part), dim=-1).topk(count, dim=-1) for part in network.parts(batch)]
        return {
            "ids": torch.cat([top.indices for top in tops]),
            "log_probabilities": torch.cat([top.values for top in tops]),
        }


def _judge(logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return the log probability of the labels that are not ignored, and whether each was the first choice."""
    expected = labels[labels != IGNORED_LABEL]
    log_probabilities = log_softmax(logits, dim=-1).gather(1, expected[:, None])[:, 0]
    return {"log_probabilities": log_probabilities, "first": logits.argmax(-1) == expected}
