"""A sentence encoder on PyTorch: body, pooler, loss and optimizer behind the protocol of a model."""

from __future__ import annotations

import contextlib
import math
import re
import shutil
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from homeground.engines.model import Batch, Outputs, StepResult
from homeground.engines.torch.losses import LOSSES
from homeground.engines.torch.microbatches import accumulate, slices
from homeground.engines.torch.optimizer import clip, open_optimizer, optimizer_tensors, restore_optimizer
from homeground.engines.torch.pooling import Pooler, save_pooler
from homeground.engines.torch.precision import autocast, choose_device, choose_precision
from homeground.randomness import key
from homeground.recipe import Training


@contextlib.contextmanager
def _failures_as_os_errors() -> Generator[None]:
    """Turn the error of safetensors' own kind, e.g. for a full disk, into the OSError it stands for."""
    try:
        yield
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else 0, str(error)) from error


class EncoderModel:
    """A siamese encoder: every side of a pair goes through the same weights, all sides in one forward pass."""

    def __init__(
        self, body: PreTrainedModel, pooler: Pooler, *, loss: str | None, training: Training | None, seed: int
    ) -> None:
        self.device = choose_device()
        self.body: Any = body.to(self.device)  # pyright: ignore[reportArgumentType]
        self.pooler = pooler.to(self.device)
        self._loss = LOSSES[loss] if loss else None
        self._training = training
        self._seed = seed
        self.precision = choose_precision(training.precision, self.device) if training else "fp32"
        if training:
            self._freeze_unused()
            self._optimizer = open_optimizer(self._trainable, training)

    def train_step(self, batch: Batch, denominator: float, learning_rate: float, step: int) -> StepResult:
        """Learn from one global batch; see the protocol."""
        training = self._training
        assert training is not None
        assert self._loss is not None
        self.body.train()
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        loss = accumulate(
            lambda part: self._encode(part, self.precision),
            self._loss,
            self._to_device(batch),
            denominator,
            size=training.microbatch_size,
            seeds=lambda number: key(self._seed, "dropout", step, number) % 2**63,
        )
        norm = clip(
            (parameter for _, parameter in self._trainable),
            norm=training.max_grad_norm,
            norm_per_weight=training.max_grad_norm_per_weight,
        )
        result = StepResult(float(loss), norm, finite=math.isfinite(float(loss)) and math.isfinite(norm))
        if result.finite:
            self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return result

    @torch.inference_mode()
    def predict(self, batch: Batch) -> Outputs:
        """Return ``embeddings (items, texts, dimensions)`` in evaluation mode and float32."""
        self.body.eval()
        return {"embeddings": self._encode(self._to_device(batch), "fp32").cpu().numpy()}

    @torch.inference_mode()
    def loss(self, batch: Batch, denominator: float) -> float:
        """Return the loss of one batch in evaluation mode and float32."""
        assert self._loss is not None
        self.body.eval()
        tensors = self._to_device(batch)
        size = self._training.microbatch_size if self._training else None
        embeddings = torch.cat([self._encode(part, "fp32") for part in slices(tensors, size)])
        return float(self._loss.terms(embeddings, tensors)) / denominator

    def save(self, folder: Path, *, with_optimizer: bool = False) -> None:
        """Write the weights as sentence-transformers and transformers read them.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        with _failures_as_os_errors():
            self.body.save_pretrained(folder)
            save_pooler(self.pooler, folder, dimensions=int(self.body.config.hidden_size))
            if with_optimizer:
                save_file(optimizer_tensors(self._optimizer, self._trainable), folder / "optimizer.safetensors")
        for weights in folder.rglob("*.safetensors"):
            # safetensors lets only the owner read what it writes; let others, as far as they may read the settings.
            shutil.copymode(folder / "config.json", weights)

    def restore(self, folder: Path) -> None:
        """Take the weights, and the optimizer's state where there is one, from what ``save`` wrote."""
        saved = type(self.body).from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False
        )
        self.body.load_state_dict(saved.state_dict())
        for index, linear in enumerate(self.pooler.linears, start=2):
            weights = load_file(folder / f"{index}_Dense" / "model.safetensors")
            linear.load_state_dict({name.removeprefix("linear."): value for name, value in weights.items()})
        if (folder / "optimizer.safetensors").is_file() and self._training:
            restore_optimizer(self._optimizer, self._trainable, load_file(folder / "optimizer.safetensors"))

    def describe(self) -> dict[str, str]:
        """Return device, precision and threads."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"
        return {"device": name, "precision": self.precision, "threads": str(torch.get_num_threads())}

    def _encode(self, batch: Mapping[str, Tensor], precision: str) -> Tensor:
        """Return embeddings ``(items, texts, dimensions)`` of token ids ``(items, texts, length)``."""
        input_ids, mask = batch["input_ids"], batch["attention_mask"]
        items, texts, length = input_ids.shape
        mask = mask.reshape(items * texts, length)
        with autocast(precision, self.device):
            outputs: Any = self.body(input_ids=input_ids.reshape(items * texts, length), attention_mask=mask)
        return self.pooler(outputs.last_hidden_state, mask).reshape(items, texts, -1)

    def _to_device(self, batch: Batch) -> dict[str, Tensor]:
        return {name: torch.from_numpy(np.ascontiguousarray(values)).to(self.device) for name, values in batch.items()}

    @property
    def _trainable(self) -> list[tuple[str, nn.Parameter]]:
        named = [("body." + name, parameter) for name, parameter in self.body.named_parameters()]
        named += [("pooler." + name, parameter) for name, parameter in self.pooler.named_parameters()]
        return [(name, parameter) for name, parameter in named if parameter.requires_grad]

    def _freeze_unused(self) -> None:
        """Freeze what a probe step gives no gradient, such as a pooler layer the embedding never passes through."""
        ones = torch.ones((1, 2, 4), dtype=torch.long, device=self.device)
        self.body.eval()
        self._encode({"input_ids": ones, "attention_mask": ones}, "fp32").sum().backward()
        for _, parameter in self._trainable:
            parameter.requires_grad_(parameter.grad is not None)
            parameter.grad = None
