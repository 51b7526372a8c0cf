"""A network: a transformers model that turns a batch into one tensor, and how it is saved and measured."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from homeground.checkpoint import Checkpoint
from homeground.engines.model import Batch, Head, Outputs
from homeground.engines.torch.networks.pooling import Pooler

Tensors = Mapping[str, Tensor]


class Network(nn.Module, ABC):
    """What a model computes with: a transformers model, called its body, that turns a batch into one tensor.

    ``pooler`` makes embeddings of the body's last hidden states; ``new`` names the weights of the body that the
    checkpoint did not have.
    """

    auto_class: ClassVar[Any]
    """The class of transformers that opens the body."""

    output: ClassVar[str]
    """The name of the tensor in what ``predict`` returns."""

    head_learns: ClassVar[bool] = False
    """Whether the head is trained in full beside adapters even where the checkpoint had it."""

    peft_task: ClassVar[str | None] = None
    """What peft calls the task of an adapter."""

    probe_shape: ClassVar[tuple[int, ...]] = (1, 4)
    """The shape of the token ids of the smallest batch: one item of four tokens."""

    def __init__(self, body: PreTrainedModel, pooler: Pooler, *, new: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self.body = body
        self.pooler = pooler
        self.new = new

    @classmethod
    def head_settings(
        cls, checkpoint: Checkpoint, labels: Sequence[str], loss: str | None
    ) -> tuple[dict[str, object], bool]:
        """Return what the head sets in config.json, and whether it must be fitted even where its shape fits."""
        return {}, False

    @abstractmethod
    def forward(self, batch: Tensors) -> Tensor:
        """Return the output for a batch, items along the first axis."""

    @abstractmethod
    def make_head(self) -> Head:
        """Return the head, whose methods compute with the weights of this network."""

    def outputs(self, batch: Tensors) -> dict[str, Tensor]:
        """Return what ``predict`` returns for a batch, by name."""
        return {self.output: self(batch)}

    def save(self, folder: Path) -> None:
        """Write the weights in the Hugging Face layout."""
        self.body.save_pretrained(folder, safe_serialization=True)

    def restore(self, folder: Path) -> None:
        """Load the weights from what ``save`` wrote."""
        saved = type(self.body).from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False
        )
        self.body.load_state_dict(saved.state_dict())

    def freeze_body(self) -> None:
        """Let only the weights learn that the checkpoint did not have."""
        for name, parameter in self.body.named_parameters():
            parameter.requires_grad_(name in self.new)

    @torch.inference_mode()
    def measure(self, compute: Callable[[Tensors], Tensors], batch: Batch) -> Outputs:
        """Return the arrays that ``compute`` makes of a batch, in evaluation mode and float32."""
        self.eval()
        tensors = compute(to_device(batch, self.body.device))
        return {name: values.cpu().numpy() for name, values in tensors.items()}

    def probe(self) -> Tensor:
        """Return the output for the smallest batch that passes through everything the output depends on."""
        ones = torch.ones(self.probe_shape, dtype=torch.long, device=self.body.device)
        return self({"input_ids": ones, "attention_mask": ones, "labels": ones})


def to_device(batch: Batch, device: torch.device) -> dict[str, Tensor]:
    """Return the arrays of a batch as tensors on a device."""
    return {name: torch.from_numpy(np.ascontiguousarray(values)).to(device) for name, values in batch.items()}
