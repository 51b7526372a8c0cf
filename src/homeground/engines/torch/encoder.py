"""A sentence encoder: body and pooler, embeddings out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from homeground.engines.torch.pooling import Pooler, save_pooler


class EncoderNetwork(nn.Module):
    """A siamese encoder: every side of a pair goes through the same weights, all sides in one forward pass."""

    output = "embeddings"

    def __init__(self, body: PreTrainedModel, pooler: Pooler) -> None:
        super().__init__()
        self.body: Any = body
        self.pooler = pooler

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return embeddings ``(items, texts, dimensions)`` of token ids ``(items, texts, length)``."""
        input_ids, mask = batch["input_ids"], batch["attention_mask"]
        items, texts, length = input_ids.shape
        mask = mask.reshape(items * texts, length)
        outputs: Any = self.body(input_ids=input_ids.reshape(items * texts, length), attention_mask=mask)
        return self.pooler(outputs.last_hidden_state, mask).reshape(items, texts, -1)

    def answers(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the output by its name."""
        return {self.output: self(batch)}

    def probe(self) -> dict[str, Tensor]:
        """Return the smallest batch that passes through everything an output depends on."""
        ones = torch.ones((1, 2, 4), dtype=torch.long)
        return {"input_ids": ones, "attention_mask": ones}

    def save(self, folder: Path) -> None:
        """Write the weights as sentence-transformers and transformers read them."""
        self.body.save_pretrained(folder, safe_serialization=True)
        save_pooler(self.pooler, folder, dimensions=int(self.body.config.hidden_size))

    def restore(self, folder: Path) -> None:
        """Take the weights from what ``save`` wrote."""
        restore_body(self.body, folder)
        for index, linear in enumerate(self.pooler.linears, start=2):
            weights = load_file(folder / f"{index}_Dense" / "model.safetensors")
            linear.load_state_dict({name.removeprefix("linear."): value for name, value in weights.items()})


def restore_body(body: Any, folder: Path) -> None:
    """Take the weights of a transformers model from the folder it was saved in."""
    saved = type(body).from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False
    )
    body.load_state_dict(saved.state_dict())
