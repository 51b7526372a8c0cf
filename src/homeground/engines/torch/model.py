"""A model on PyTorch: a network, its loss and its optimizer behind the protocol of a model."""

from __future__ import annotations

import contextlib
import math
import re
import shutil
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from homeground.engines.model import Batch, HeadVariant, Model, Outputs, StepResult, Trainable
from homeground.engines.torch.classifier import ClassifierNetwork
from homeground.engines.torch.encoder import EncoderNetwork
from homeground.engines.torch.losses import LOSSES
from homeground.engines.torch.masked_lm import MaskedLMNetwork
from homeground.engines.torch.merging import interpolated
from homeground.engines.torch.microbatches import accumulate, slices
from homeground.engines.torch.optimizer import clip, open_optimizer, optimizer_tensors, restore_optimizer
from homeground.engines.torch.precision import autocast, choose_device, choose_precision
from homeground.randomness import key
from homeground.recipe.sections import Training


@contextlib.contextmanager
def _failures_as_os_errors() -> Generator[None]:
    """Turn the error of safetensors' own kind, e.g. for a full disk, into the OSError it stands for."""
    try:
        yield
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else 0, str(error)) from error


class Network(Protocol):
    """What a model computes with: a torch module that turns a batch into one tensor, called ``output`` outside."""

    output: str
    body: Any

    def __call__(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the output for a batch, items along the first axis."""
        ...

    def answers(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what is made of a batch when it is measured, by name."""
        ...

    def probe(self) -> dict[str, Tensor]:
        """Return a small batch that passes through everything the output depends on."""
        ...

    def save(self, folder: Path) -> None:
        """Write the weights in the Hugging Face layout."""
        ...

    def restore(self, folder: Path) -> None:
        """Take the weights from what ``save`` wrote."""
        ...


class TorchModel:
    """A network that is trained in the recipe's precision and measured in float32."""

    def __init__(
        self, network: Any, *, loss: str | None, training: Training | None, seed: int, trainable: Trainable = "all"
    ) -> None:
        self.device = choose_device()
        self._module: nn.Module = network.to(self.device)
        self.network: Network = network
        self._loss = LOSSES[loss] if loss else None
        self._training = training
        self._seed = seed
        self.precision = choose_precision(training.precision, self.device) if training else "fp32"
        if training:
            if trainable == "head":
                self._masked_lm.freeze_body()
            self._freeze_unused()
            self._optimizer = open_optimizer(self._trainable, training)

    @property
    def body(self) -> Any:
        """The transformers model inside."""
        return self.network.body

    def train_step(self, batch: Batch, denominator: float, learning_rate: float, step: int) -> StepResult:
        """Learn from one global batch; see the protocol."""
        training = self._training
        assert training is not None
        assert self._loss is not None
        self._module.train()
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        loss = accumulate(
            lambda part: self._compute(part, self.precision),
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
        """Return the network's answers by their names, in evaluation mode and float32."""
        self._module.eval()
        with autocast("fp32", self.device):
            return {name: found.cpu().numpy() for name, found in self.network.answers(self._to_device(batch)).items()}

    @torch.inference_mode()
    def fill(self, batch: Batch, count: int) -> Outputs:
        """Return the likeliest tokens of every masked place; see the protocol."""
        self._module.eval()
        found = self._masked_lm.fill(self._to_device(batch), count)
        return {name: values.cpu().numpy() for name, values in found.items()}

    @torch.inference_mode()
    def loss(self, batch: Batch, denominator: float) -> float:
        """Return the loss of one batch in evaluation mode and float32."""
        assert self._loss is not None
        self._module.eval()
        tensors = self._to_device(batch)
        size = self._training.microbatch_size if self._training else None
        outputs = torch.cat([self._compute(part, "fp32") for part in slices(tensors, size)])
        return float(self._loss.terms(outputs, tensors)) / denominator

    def save(self, folder: Path, *, with_optimizer: bool = False) -> None:
        """Write the weights in the Hugging Face layout.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        with _failures_as_os_errors():
            self.network.save(folder)
            if with_optimizer:
                save_file(optimizer_tensors(self._optimizer, self._trainable), folder / "optimizer.safetensors")
        for weights in folder.rglob("*.safetensors"):
            # safetensors lets only the owner read what it writes; let others, as far as they may read the settings.
            shutil.copymode(folder / "config.json", weights)

    def restore(self, folder: Path) -> None:
        """Take the weights, and the optimizer's state where there is one, from what ``save`` wrote."""
        self.network.restore(folder)
        if (folder / "optimizer.safetensors").is_file() and self._training:
            restore_optimizer(self._optimizer, self._trainable, load_file(folder / "optimizer.safetensors"))

    def merged(self, base: Model, weight: float) -> TorchModel:
        """Return a model between ``base`` (weight 0) and this one (weight 1), to be measured and saved."""
        assert isinstance(base, TorchModel)
        network = interpolated(base._module, self._module, weight)
        return TorchModel(network, loss=None, training=None, seed=0)

    def as_encoder(self) -> TorchModel:
        """Return the same weights as a sentence encoder, to be measured only."""
        if isinstance(self.network, EncoderNetwork):
            return self
        network: Any = self.network
        return TorchModel(EncoderNetwork(network.body.base_model, network.pooler), loss=None, training=None, seed=0)

    @property
    def has_head(self) -> bool:
        """Whether the head came with the checkpoint, so that nothing is to be fitted."""
        return not isinstance(self.network, ClassifierNetwork | MaskedLMNetwork) or self.network.has_head

    @torch.inference_mode()
    def features(self, batch: Batch) -> Outputs:
        """Return ``head``, what enters the head, and ``mean``, the mean of the last hidden states of the tokens."""
        self._module.eval()
        found = self._classifier.features(self._to_device(batch))
        return {name: values.cpu().numpy() for name, values in found.items()}

    def head_variants(self, vectors: NDArray[np.float32]) -> list[HeadVariant]:
        """Return the ways the head may be set for the vectors ``(items, dimensions)`` that enter it in training."""
        return self._classifier.head_variants(vectors)

    def head_features(self, vectors: NDArray[np.float32], variant: HeadVariant) -> NDArray[np.float32]:
        """Return what the head's last linear map gets, for vectors that enter the head."""
        tensor = torch.from_numpy(np.ascontiguousarray(vectors)).to(self.device)
        return self._classifier.head_features(tensor, variant).cpu().numpy()

    def set_head(self, variant: HeadVariant, weight: NDArray[np.float64], bias: NDArray[np.float64]) -> None:
        """Set a head to a variant, its last linear map to ``weight (classes, dimensions)`` and ``bias (classes,)``."""
        self._classifier.set_head(variant, weight, bias)

    @torch.inference_mode()
    def scale_logits(self, factor: float) -> bool:
        """Multiply every logit by a factor, by the weights of the last linear map; False where that cannot be."""
        self._module.eval()
        probe = {name: values.to(self.device) for name, values in self.network.probe().items()}
        return self._classifier.scale_logits(factor, lambda: self._compute(probe, "fp32"))

    def describe(self) -> dict[str, str]:
        """Return device, precision and threads."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"
        return {"device": name, "precision": self.precision, "threads": str(torch.get_num_threads())}

    @property
    def _classifier(self) -> ClassifierNetwork:
        assert isinstance(self.network, ClassifierNetwork)
        return self.network

    @property
    def _masked_lm(self) -> MaskedLMNetwork:
        assert isinstance(self.network, MaskedLMNetwork)
        return self.network

    def _compute(self, batch: Mapping[str, Tensor], precision: str) -> Tensor:
        with autocast(precision, self.device):
            return self.network(batch)

    def _to_device(self, batch: Batch) -> dict[str, Tensor]:
        return {name: torch.from_numpy(np.ascontiguousarray(values)).to(self.device) for name, values in batch.items()}

    @property
    def _trainable(self) -> list[tuple[str, nn.Parameter]]:
        return [(name, parameter) for name, parameter in self._module.named_parameters() if parameter.requires_grad]

    def _freeze_unused(self) -> None:
        """Freeze what a probe step gives no gradient, such as a pooler layer the embedding never passes through."""
        self._module.eval()
        probe = {name: values.to(self.device) for name, values in self.network.probe().items()}
        self._compute(probe, "fp32").sum().backward()
        for _, parameter in self._trainable:
            parameter.requires_grad_(parameter.grad is not None)
            parameter.grad = None
