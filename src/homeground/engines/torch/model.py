"""A model on PyTorch: a network, its loss and its optimizer behind the protocol of a model."""

from __future__ import annotations

import hashlib
import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from homeground.engines.model import Batch, Head, Outputs, StepResult, Trainable
from homeground.engines.slicing import slices
from homeground.engines.tensors import failures_as_os_errors
from homeground.engines.torch.arithmetic import CountedOperations, matrix_peak
from homeground.engines.torch.dropout import keyed_dropout
from homeground.engines.torch.frozen import freeze
from homeground.engines.torch.lora import Adapters, KeptAdapters
from homeground.engines.torch.losses import LOSSES
from homeground.engines.torch.microbatches import Together, accumulate
from homeground.engines.torch.networks.network import Network, Tensors, to_device
from homeground.engines.torch.optimizer import clip, open_optimizer, optimizer_tensors, restore_optimizer
from homeground.engines.torch.parallel import current_group, pack, unpack
from homeground.engines.torch.precision import autocast, choose_device, choose_precision
from homeground.engines.torch.rows import Gradients, keep_rows
from homeground.errors import UsageError
from homeground.memory import in_one_go
from homeground.randomness import key

if TYPE_CHECKING:
    from homeground.recipe.sections import TrainingSettings

LEARNED = "learned.safetensors"
"""In a snapshot of a training with adapters: these, and what learns beside them."""


class TorchModel:
    """A network that is trained in the recipe's precision and measured in float32."""

    def __init__(
        self,
        network: Network,
        *,
        loss: str | None = None,
        training: TrainingSettings | None = None,
        seed: int = 0,
        trainable: Trainable = "all",
    ) -> None:
        self.device = choose_device()
        self._network = network.to(self.device)
        self._head = network.make_head()
        self._adapters: Adapters | None = None
        self.kept_adapters: KeptAdapters | None = None
        """Those of a model that learned with some, from which this one was merged."""
        self._loss, self._loss_name = LOSSES[loss] if loss else None, loss
        self._training = training
        self._seed, self._which = seed, trainable
        self.precision = choose_precision(training.precision, self.device) if training else "fp32"
        if training:
            if trainable == "head":
                network.freeze_body()
            elif training.lora is not None:
                self._adapters = Adapters(
                    network.body, training.lora, new=network.new, head_learns=network.head_learns, seed=seed
                )
                network.pooler.requires_grad_(False)
            elif training.freeze != "none":
                freeze(network.body, training.freeze)
            if not self._list_trainable():
                raise UsageError(f"--freeze {training.freeze}: nothing is left to be trained; leave some weights free")
            self._freeze_unused()
            self._trainable = self._list_trainable()
            if training.speedups in ("all", "embeddings") and training.slices == 1 and self.device.type == "cpu":
                keep_rows(network)
            self._gradients = Gradients()
            self._optimizer = open_optimizer(self._trainable, training)

    @property
    def network(self) -> Network:
        """The network as it is measured and saved: its weights hold what adapters have learned."""
        if self._adapters is not None:
            self._adapters.merge()
        return self._network

    @property
    def head(self) -> Head:
        """The head of the network as it is measured."""
        if self._adapters is not None:
            self._adapters.merge()
        return self._head

    @property
    def body(self) -> PreTrainedModel:
        """The transformers model inside."""
        return self.network.body

    def train_step(
        self, batch: Batch, denominator: float, learning_rate: float, step: int, *, microbatch: int | None = None
    ) -> StepResult:
        """Learn from one global batch; see the protocol."""
        group = current_group()
        if group is not None:
            if group.model is not self:
                group.announce(("model", self._to_bytes()))
                group.model = self
            group.announce(("step", dict(batch), denominator, learning_rate, step, microbatch))
        return self.take_step(batch, denominator, learning_rate, step, microbatch)

    def take_step(
        self, batch: Batch, denominator: float, learning_rate: float, step: int, microbatch: int | None
    ) -> StepResult:
        """Learn from one global batch, together with all other processes, which do the same."""
        training = self._training
        assert training is not None
        assert self._loss is not None
        if self._adapters is not None:
            self._adapters.insert()
        self._network.train()
        self._optimizer.zero_grad(set_to_none=True)  # of a step for which memory ran out
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        group, trainable = current_group(), [parameter for _, parameter in self._trainable]
        alone = training.slices == 1 and group is None
        learn = accumulate if alone else Together(training.slices, trainable, group).accumulate
        with CountedOperations() as operations:
            loss = learn(
                self._compute_to_learn,
                self._loss,
                to_device(batch, self.device),
                denominator,
                size=microbatch or training.microbatch_size,
                seeds=lambda number: key(self._seed, "dropout", step, number) % 2**63,
            )
        norm = clip(
            self._gradients.collect(trainable),
            norm=training.max_grad_norm,
            norm_per_weight=training.max_grad_norm_per_weight,
        )
        finite = math.isfinite(float(loss)) and math.isfinite(norm)
        result = StepResult(float(loss), norm, finite, operations.count)
        if result.finite:
            with in_one_go(), self._gradients.whole():
                self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return result

    def predict(self, batch: Batch) -> Outputs:
        """Return the network's outputs by their names, in evaluation mode and float32."""
        return self.network.measure(self.network.outputs, batch)

    @torch.inference_mode()
    def loss(self, batch: Batch, denominator: float, *, microbatch: int | None = None) -> float:
        """Return the loss of one batch in evaluation mode and float32."""
        assert self._loss is not None
        self.network.eval()
        tensors = to_device(batch, self.device)
        size = microbatch or (self._training.microbatch_size if self._training else None)
        outputs = torch.cat([self._compute(part, "fp32") for part in slices(tensors, size)])
        return float(self._loss.terms(outputs, tensors)) / denominator

    def save(self, folder: Path, *, with_optimizer: bool = False) -> None:
        """Write the weights in the Hugging Face layout.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        group = current_group()
        if group is not None and group.model is self and with_optimizer:
            group.announce(("compare",))
            self.compare_weights()
        with failures_as_os_errors():
            if with_optimizer and self._adapters is not None:
                self._network.body.config.save_pretrained(folder)
                learned = {name: parameter.detach().contiguous() for name, parameter in self._trainable}
                save_file(learned, folder / LEARNED)
            else:
                self.network.save(folder)
            if with_optimizer:
                save_file(optimizer_tensors(self._optimizer, self._trainable), folder / "optimizer.safetensors")
        for weights in folder.rglob("*.safetensors"):
            # safetensors lets only the owner read what it writes; let others, as far as they may read the settings.
            shutil.copymode(folder / "config.json", weights)

    def restore(self, folder: Path) -> None:
        """Load the weights, and the optimizer's state where there is one, from what ``save`` wrote."""
        if (group := current_group()) is not None:
            group.model = None  # the others get it anew
        if self._adapters is not None:
            self._adapters.take_out()
        if (folder / LEARNED).is_file():
            self._set_learned(load_file(folder / LEARNED))
        else:
            self._network.restore(folder)
        if (folder / "optimizer.safetensors").is_file() and self._training:
            restore_optimizer(self._optimizer, self._trainable, load_file(folder / "optimizer.safetensors"))

    @classmethod
    def from_bytes(cls, content: bytes) -> TorchModel:
        """Return the model that the leading process holds, with the state of its optimizer."""
        network, loss, training, seed, trainable, learned, state = unpack(content)
        model = cls(network, loss=loss, training=training, seed=seed, trainable=trainable)
        if learned:
            model._set_learned(learned)
        if state:
            restore_optimizer(model._optimizer, model._trainable, state)
        return model

    def _to_bytes(self) -> bytes:
        state = optimizer_tensors(self._optimizer, self._trainable) if self._optimizer.state else {}
        learned: dict[str, Tensor] = {}
        if self._adapters is not None:
            self._adapters.take_out()
            learned = {name: parameter.detach() for name, parameter in self._trainable}
        return pack((self._network, self._loss_name, self._training, self._seed, self._which, learned, state))

    @torch.no_grad()
    def _set_learned(self, values: Tensors) -> None:
        """Set what learns to the values of a snapshot."""
        for name, parameter in self._trainable:
            parameter.copy_(values[name])

    def compare_weights(self) -> None:
        """Compare the weights of all processes, bit for bit.

        Raises RuntimeError where they differ, which would be a fault of ours or of the machine.
        """
        group = current_group()
        assert group is not None
        hashed = hashlib.sha256()
        for _, parameter in self._trainable:
            hashed.update(parameter.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
        if len(set(group.share(hashed.hexdigest()))) > 1:
            raise RuntimeError("the weights of the processes differ")

    def save_adapters(self, folder: Path, *, checkpoint: str) -> None:
        """Write the adapters in peft's layout; see the protocol."""
        kept = self.kept_adapters if self._adapters is None else self._adapters.kept()
        assert kept is not None
        with failures_as_os_errors():
            kept.save(folder, self.body, task=self._network.peft_task, checkpoint=checkpoint)

    def keep_adapters_of(self, other: TorchModel, weight: float) -> None:
        """Keep the adapters of another model, of which this one has a share ``weight`` in its weights."""
        self.kept_adapters = None if other._adapters is None else other._adapters.kept(weight)

    def matrix_peak(self) -> float:
        """Return how many operations a second products of large matrices have on this device; see the protocol."""
        return matrix_peak(self.precision, self.device.type, torch.get_num_threads())

    def describe(self) -> dict[str, str]:
        """Return device, precision and threads, and how many parameters are trained."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"
        how = {"device": name, "precision": self.precision, "threads": str(torch.get_num_threads())}
        if self._training is None:
            return how
        trained = sum(parameter.numel() for _, parameter in self._trainable)
        every = {id(each): each.numel() for each in self._network.parameters()}
        every |= {id(each): each.numel() for _, each in self._trainable}
        how |= {"trained_parameters": str(trained), "parameters": str(sum(every.values()))}
        if self._adapters is not None:
            how |= {"lora": str(self._adapters.settings), "adapted": ", ".join(self._adapters.kinds)}
        return how

    def _compute_to_learn(self, batch: Tensors, seed: int) -> Tensor:
        assert self._training is not None
        with keyed_dropout(seed, self.device, plain=self._training.speedups not in ("all", "dropout")):
            return self._compute(batch, self.precision)

    def _compute(self, batch: Tensors, precision: str) -> Tensor:
        with autocast(precision, self.device):
            outputs = self._network(batch)
        return outputs.float()  # the loss is one of float32, whatever the layers compute in

    def _list_trainable(self) -> list[tuple[str, nn.Parameter]]:
        return [(name, parameter) for name, parameter in self._network.named_parameters() if parameter.requires_grad]

    def _freeze_unused(self) -> None:
        """Freeze what a probe step gives no gradient, such as a pooler layer the embedding never passes through."""
        self._network.eval()
        self._network.probe().sum().backward()
        for _, parameter in self._list_trainable():
            parameter.requires_grad_(parameter.grad is not None)
            parameter.grad = None
        if self._adapters is not None:
            self._adapters.drop_unused()
