"""A sentence encoder: body and pooler, embeddings out."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor
from transformers import AutoModel, PreTrainedModel

from homeground.engines.sentence_modules import read_dense_weights, write_steps
from homeground.engines.torch.model import TorchModel
from homeground.engines.torch.networks.network import Network, Tensors
from homeground.engines.torch.networks.pooling import steps_of


class EncoderNetwork(Network):
    """A siamese encoder: every side of a pair goes through the same weights, all sides in one forward pass."""

    auto_class = AutoModel
    output = "embeddings"
    peft_task = "FEATURE_EXTRACTION"
    probe_shape = (1, 2, 4)

    def forward(self, batch: Tensors) -> Tensor:
        """Return embeddings ``(items, texts, dimensions)`` of token ids ``(items, texts, length)``."""
        input_ids, mask = batch["input_ids"], batch["attention_mask"]
        items, texts, length = input_ids.shape
        mask = mask.reshape(items * texts, length)
        outputs = self.body(input_ids=input_ids.reshape(items * texts, length), attention_mask=mask)
        return self.pooler(outputs.last_hidden_state, mask).reshape(items, texts, -1)

    def make_head(self) -> TorchHead:
        """Return the head, which adds nothing to the pooler."""
        return TorchHead(self)

    def save(self, folder: Path) -> None:
        """Write the weights as sentence-transformers and transformers read them."""
        super().save(folder)
        write_steps(steps_of(self.pooler), folder, dimensions=int(self.body.config.hidden_size))

    def restore(self, folder: Path) -> None:
        """Load the weights from what ``save`` wrote."""
        super().restore(folder)
        saved = read_dense_weights(folder, len(self.pooler.linears))
        for linear, weights in zip(self.pooler.linears, saved, strict=True):
            linear.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})


class TorchHead:
    """The head of an encoder, which is never new; the other heads add what their models alone can do."""

    is_new = False

    def __init__(self, network: Network) -> None:
        self._network = network

    def as_encoder(self) -> TorchModel:
        """Return a sentence encoder that shares the weights of the body, to be measured only."""
        body = cast(PreTrainedModel, self._network.body.base_model)
        return TorchModel(EncoderNetwork(body, self._network.pooler))
