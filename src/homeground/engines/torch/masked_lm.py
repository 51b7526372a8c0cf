"""A masked language model whose head sees the masked positions only.

The head maps every position to the whole vocabulary, which is most of the work and most of the memory, and nine in ten
positions are asked nothing. A hook on the body hands the head the last hidden states of the masked positions alone, as
one text of that length: the heads of encoders work on each position by itself. Whether that of an architecture does is
tried when it is opened; where not, the head sees everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax
from transformers import AutoModelForMaskedLM, PreTrainedModel

from homeground.engines.model import Batch, Outputs
from homeground.engines.torch.encoder import TorchHead
from homeground.engines.torch.losses import IGNORED
from homeground.engines.torch.model import Network, Tensors
from homeground.engines.torch.pooling import Pooler

NUMBERS_AT_ONCE = 1 << 25
"""Logits that are held at once while measuring, 128 MiB in float32."""

TOLERANCE = 1e-4
"""How far the logits of both ways may lie apart, relative to the largest; they agree to rounding or not at all."""


class MaskedLMNetwork(Network):
    """A masked language model as transformers builds it; its output are the logits of the masked positions."""

    auto_class = AutoModelForMaskedLM
    output = "logits"

    def __init__(self, body: PreTrainedModel, pooler: Pooler, *, new: frozenset[str] = frozenset()) -> None:
        super().__init__(body, pooler, new=new)
        self._masked: Tensor | None = None
        self.body.base_model.register_forward_hook(self._select)
        self.gathers = self._agrees()
        """Whether the head sees the masked positions only."""

    def forward(self, batch: Tensors) -> Tensor:
        """Return the logits ``(masked, vocabulary)`` in float32 where ``labels (items, length)`` are not ignored."""
        masked = batch["labels"] != IGNORED
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

    def probe(self) -> dict[str, Tensor]:
        """Return the smallest batch that passes through everything an output depends on."""
        ones = torch.ones((1, 4), dtype=torch.long)
        return {"input_ids": ones, "attention_mask": ones, "labels": ones}

    def make_head(self) -> TorchMaskedHead:
        """Return the head over the whole vocabulary."""
        return TorchMaskedHead(self)

    def _select(self, _module: nn.Module, _inputs: object, outputs: Any) -> Any:
        """Put the masked positions in the place of all of them, as one text."""
        if self._masked is None:
            return outputs
        chosen = outputs[0][self._masked][None]
        if isinstance(outputs, tuple):
            return (chosen, *outputs[1:])
        outputs["last_hidden_state"] = chosen
        return outputs

    def parts(self, batch: Tensors) -> Iterator[Tensors]:
        """Yield items of a batch, as many as keep their logits within bounds."""
        most = max(1, NUMBERS_AT_ONCE // int(self.body.config.vocab_size))
        masked = (batch["labels"] != IGNORED).sum(1).cumsum(0).tolist()
        start = done = 0
        for item in range(1, len(masked) + 1):
            if item == len(masked) or masked[item] - done > most:
                yield {name: values[start:item] for name, values in batch.items()}
                start, done = item, masked[item - 1]

    @torch.no_grad()
    def _agrees(self) -> bool:
        """Tell whether gathering before the head gives what the whole head gives."""
        was = self.body.training
        self.body.eval()
        vocabulary = int(self.body.config.vocab_size)
        ids = torch.arange(16).reshape(2, 8) % max(vocabulary - 8, 1) + min(7, vocabulary - 1)
        batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        labels = torch.where(ids % 3 == 0, ids, IGNORED)
        outcomes: list[Tensor | None] = []
        for self.gathers in (True, False):
            try:
                outcomes.append(self({**batch, "labels": labels}))
            except (RuntimeError, ValueError, IndexError, TypeError, KeyError):
                outcomes.append(None)
        self.body.train(was)
        gathered, whole = outcomes
        if gathered is None or whole is None or gathered.shape != whole.shape:
            return False
        return bool((gathered - whole).abs().max() <= TOLERANCE * whole.abs().max().clamp(min=1.0))


class TorchMaskedHead(TorchHead):
    """The head of a masked language model."""

    def __init__(self, network: MaskedLMNetwork) -> None:
        super().__init__(network)
        self._masked_lm = network
        self.is_new = bool(network.new)

    def fill(self, batch: Batch, count: int) -> Outputs:
        """Return the likeliest tokens of every masked position; see the protocol."""
        most = min(count, int(self._masked_lm.body.config.vocab_size))
        return self._masked_lm.measure(lambda tensors: self._likeliest(tensors, most), batch)

    def _likeliest(self, batch: Tensors, count: int) -> dict[str, Tensor]:
        network = self._masked_lm
        tops = [log_softmax(network(part), dim=-1).topk(count, dim=-1) for part in network.parts(batch)]
        return {
            "ids": torch.cat([top.indices for top in tops]),
            "log_probabilities": torch.cat([top.values for top in tops]),
        }


def _judge(logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return the log probability of the labels that are not ignored, and whether each was the first choice."""
    expected = labels[labels != IGNORED]
    log_probabilities = log_softmax(logits, dim=-1).gather(1, expected[:, None])[:, 0]
    return {"log_probabilities": log_probabilities, "first": logits.argmax(-1) == expected}
