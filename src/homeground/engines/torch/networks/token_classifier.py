"""A token classifier as transformers builds it: one linear map from the last hidden state of every token."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import AutoModelForTokenClassification

from homeground.checkpoint import Checkpoint
from homeground.data.tokens.tokenized import IGNORED_LABEL
from homeground.engines.classifier_head import tag_settings
from homeground.engines.torch.networks.classifier import TorchClassifierHead, linear
from homeground.engines.torch.networks.network import Network, Tensors


class TokenClassifierNetwork(Network):
    """A classifier of tokens; its output is the logits of those that are learned or, to predict, that decide a word."""

    auto_class = AutoModelForTokenClassification
    output = "logits"
    head_learns = True
    peft_task = "TOKEN_CLS"

    @classmethod
    def head_settings(
        cls, checkpoint: Checkpoint, labels: Sequence[str], loss: str | None
    ) -> tuple[dict[str, object], bool]:
        """Return the tags for config.json, and whether they differ from those of the checkpoint."""
        return tag_settings(checkpoint, labels)

    def forward(self, batch: Tensors) -> Tensor:
        """Return the logits ``(labelled, classes)`` in float32 of the tokens whose label is not ignored."""
        return self._logits(batch)[batch["labels"] != IGNORED_LABEL]

    def outputs(self, batch: Tensors) -> dict[str, Tensor]:
        """Return the logits ``(words, classes)`` of the tokens that decide a word, item by item."""
        return {self.output: self._logits(batch)[batch["deciding_tokens"] > 0]}

    def _logits(self, batch: Tensors) -> Tensor:
        return self.body(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.float()

    def make_head(self) -> TorchTokenHead:
        """Return the head, whose last linear map gives the logits."""
        return TorchTokenHead(self)


class TorchTokenHead(TorchClassifierHead):
    """The head of a token classifier: what enters it are the vectors of the tokens that decide a word."""

    def _features(self, batch: Tensors) -> dict[str, Tensor]:
        captured: list[Tensor] = []
        hook = linear(self._body, self._family.outer).register_forward_pre_hook(
            lambda _, inputs: captured.append(inputs[0])
        )
        try:
            self._network.outputs(batch)
        finally:
            hook.remove()
        return {"head": captured[0][batch["deciding_tokens"] > 0].to(torch.float32)}
