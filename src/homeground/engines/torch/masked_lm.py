"""A masked language model whose head sees the masked positions only.

The head maps every position to the whole vocabulary, which is most of the work and most of the memory, and nine in ten
positions are asked nothing. A hook on the body hands the head the last hidden states of the masked positions alone, as
one text of that length: the heads of encoders work on each position by itself. Whether that of an architecture does is
tried when it is opened; where not, the head sees everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax
from transformers import PreTrainedModel

from homeground.engines.torch.encoder import restore_body
from homeground.engines.torch.losses import IGNORED
from homeground.engines.torch.pooling import Pooler

NUMBERS_AT_ONCE = 1 << 25
"""Logits that are held at once while measuring, 128 MiB in float32."""

TOLERANCE = 1e-4
"""How far the logits of both ways may lie apart, relative to the largest; they agree to rounding or not at all."""


class MaskedLMNetwork(nn.Module):
    """A masked language model as transformers builds it; its output are the logits of the masked positions."""

    output = "logits"

    def __init__(self, body: PreTrainedModel, pooler: Pooler, *, new: frozenset[str]) -> None:
        super().__init__()
        self.body: Any = body
        self.pooler = pooler
        self.new = new
        """Names of the weights that the checkpoint did not have."""
        self._masked: Tensor | None = None
        self.body.base_model.register_forward_hook(self._select)
        self.gathers = self._agrees()
        """Whether the head sees the masked positions only."""

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the logits ``(masked, vocabulary)`` in float32 where ``labels (items, length)`` are not ignored."""
        masked = batch["labels"] != IGNORED
        self._masked = masked if self.gathers else None
        try:
            logits = self.body(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        finally:
            self._masked = None
        return (logits[0] if self.gathers else logits[masked]).float()

    def answers(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the log probability of every label, ``(masked,)``, and whether it was the first choice."""
        parts = [self._judged(self(part), part) for part in self._parts(batch)]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def fill(self, batch: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
        """Return ids and log probabilities ``(masked, count)`` of the likeliest tokens, the likeliest first."""
        most = min(count, int(self.body.config.vocab_size))
        found = [log_softmax(self(part), dim=-1).topk(most, dim=-1) for part in self._parts(batch)]
        return {
            "ids": torch.cat([each.indices for each in found]),
            "log_probabilities": torch.cat([each.values for each in found]),
        }

    def probe(self) -> dict[str, Tensor]:
        """Return the smallest batch that passes through everything an output depends on."""
        ones = torch.ones((1, 4), dtype=torch.long)
        return {"input_ids": ones, "attention_mask": ones, "labels": ones}

    def save(self, folder: Path) -> None:
        """Write the weights as transformers reads them."""
        self.body.save_pretrained(folder, safe_serialization=True)

    def restore(self, folder: Path) -> None:
        """Take the weights from what ``save`` wrote."""
        restore_body(self.body, folder)

    @property
    def has_head(self) -> bool:
        """Whether the checkpoint came with a trained head."""
        return not self.new

    def freeze_body(self) -> None:
        """Let only the weights learn that the checkpoint did not have."""
        for name, parameter in self.body.named_parameters():
            parameter.requires_grad_(name in self.new)

    def _select(self, _module: nn.Module, _given: Any, outputs: Any) -> Any:
        """Put the masked positions in the place of all of them, as one text."""
        if self._masked is None:
            return outputs
        chosen = outputs[0][self._masked][None]
        if isinstance(outputs, tuple):
            return (chosen, *outputs[1:])
        outputs["last_hidden_state"] = chosen
        return outputs

    def _parts(self, batch: Mapping[str, Tensor]) -> Iterator[Mapping[str, Tensor]]:
        """Yield items of a batch, as many as keep their logits within bounds."""
        most = max(1, NUMBERS_AT_ONCE // int(self.body.config.vocab_size))
        masked = (batch["labels"] != IGNORED).sum(1).cumsum(0).tolist()
        start = done = 0
        for item in range(1, len(masked) + 1):
            if item == len(masked) or masked[item] - done > most:
                yield {name: values[start:item] for name, values in batch.items()}
                start, done = item, masked[item - 1]

    @staticmethod
    def _judged(logits: Tensor, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        labels = batch["labels"][batch["labels"] != IGNORED]
        given = log_softmax(logits, dim=-1).gather(1, labels[:, None])[:, 0]
        return {"log_probabilities": given, "first": logits.argmax(-1) == labels}

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
