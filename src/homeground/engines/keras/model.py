"""A model on Keras and TensorFlow: a network, its loss and its optimizer behind the protocol of a model."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load_file, save_file

from homeground.engines.keras.encoder_layers import Pass
from homeground.engines.keras.framework import keras, tf
from homeground.engines.keras.losses import KERAS_LOSSES
from homeground.engines.keras.network import KerasNetwork
from homeground.engines.keras.optimizer import KerasAdam
from homeground.engines.keras.precision import choose_precision, describe_device
from homeground.engines.keras.traced import Traced, to_arrays
from homeground.engines.model import Batch, Outputs, StepResult, Trainable
from homeground.engines.slicing import slices
from homeground.engines.tensors import failures_as_os_errors
from homeground.memory import in_one_go
from homeground.randomness import key

if TYPE_CHECKING:
    from homeground.recipe.sections import TrainingSettings

Tensor = Any

ARITHMETIC = {"fp32": "float32", "bf16": "bfloat16"}
HALF_OF_A_KEY_BITS = 32


class KerasModel:
    """A network that is trained in the recipe's precision and measured in float32."""

    def __init__(
        self,
        network: KerasNetwork,
        *,
        loss: str | None = None,
        training: TrainingSettings | None = None,
        seed: int = 0,
        trainable: Trainable = "all",
    ) -> None:
        self.network = network
        self.head = network.make_head()
        self.precision = choose_precision(training.precision) if training and network.takes_bf16 else "fp32"
        self._loss = KERAS_LOSSES[loss] if loss else None
        self._training = training
        self._seed = seed
        self._predict = Traced(network.outputs)
        self._evaluate = Traced(lambda batch: network.forward(batch, Pass()))
        if training:
            trained = {
                name: each for name, each in network.variables.items() if trainable == "all" or name in network.new
            }
            self._weights = list(trained.values())
            self._optimizer = KerasAdam(trained, training)
            self._random = keras.random.SeedGenerator(0)
            self._gradients = Traced(self._differentiate)
            self._encode = Traced(lambda batch: network.forward(batch, self._pass()))
            self._carry_back = Traced(self._differentiate_by)
            self._by_embeddings = Traced(self._differentiate_embeddings)

    def train_step(
        self, batch: Batch, denominator: float, learning_rate: float, step: int, *, microbatch: int | None = None
    ) -> StepResult:
        """Learn from one global batch; see the protocol."""
        training, loss = self._training, self._loss
        assert training is not None
        assert loss is not None
        parts = list(slices(batch, microbatch or training.microbatch_size))
        if loss.decomposes or len(parts) == 1:
            value, gradients = self._add_up(parts, denominator, step)
        else:
            value, gradients = self._through_cache(parts, batch, denominator, step)
        with in_one_go():
            norm = self._optimizer.apply(gradients, learning_rate, value)
        total = float(value)
        return StepResult(total, norm, finite=math.isfinite(total) and math.isfinite(norm))

    def predict(self, batch: Batch) -> Outputs:
        """Return the network's outputs by their names, in evaluation mode and float32."""
        parts = [to_arrays(self._predict(part)) for part in self.network.divide(batch)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def loss(self, batch: Batch, denominator: float, *, microbatch: int | None = None) -> float:
        """Return the loss of one batch in evaluation mode and float32."""
        assert self._loss is not None
        size = microbatch or (self._training.microbatch_size if self._training else None)
        outputs = tf.concat([self._evaluate(part) for part in slices(batch, size)], 0)
        tensors = {name: tf.constant(np.asarray(values)) for name, values in batch.items()}
        return float(self._loss.terms(outputs, tensors)) / denominator

    def save(self, folder: Path, *, with_optimizer: bool = False) -> None:
        """Write the weights in the Hugging Face layout.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        with failures_as_os_errors():
            self.network.save(folder)
            if with_optimizer:
                save_file(self._optimizer.state(), folder / "optimizer.safetensors")
        for weights in folder.rglob("*.safetensors"):
            # safetensors lets only the owner read what it writes; let others, as far as they may read the settings.
            shutil.copymode(folder / "config.json", weights)

    def restore(self, folder: Path) -> None:
        """Load the weights, and the optimizer's state where there is one, from what ``save`` wrote."""
        self.network.restore(folder)
        if (folder / "optimizer.safetensors").is_file() and self._training:
            self._optimizer.restore(load_file(folder / "optimizer.safetensors"))

    def describe(self) -> dict[str, str]:
        """Return device, precision and threads."""
        return {**describe_device(), "precision": self.precision}

    def _pass(self) -> Pass:
        """Return how a forward pass of training computes."""
        return Pass(ARITHMETIC[self.precision], self._random)

    def _seed_dropout(self, step: int, number: int) -> None:
        """Set the state of the dropout by seed, step and slice, so that it is the same whenever that is computed."""
        drawn = key(self._seed, "dropout", step, number)
        halves = [drawn >> shift & (2**HALF_OF_A_KEY_BITS - 1) for shift in (0, HALF_OF_A_KEY_BITS)]
        self._random.state.assign(np.array(halves, np.uint32))

    def _add_up(self, parts: list[Batch], denominator: float, step: int) -> tuple[Tensor, list[Tensor]]:
        """Return loss and gradients as sums over slices."""
        total, gradients = None, None
        for number, part in enumerate(parts):
            self._seed_dropout(step, number)
            value, added = self._gradients(part, denominator, state=self.network.head_dropout)
            total = value if total is None else total + value
            gradients = added if gradients is None else [a + b for a, b in zip(gradients, added, strict=True)]
        assert total is not None
        assert gradients is not None
        return total, gradients

    def _through_cache(
        self, parts: list[Batch], batch: Batch, denominator: float, step: int
    ) -> tuple[Tensor, list[Tensor]]:
        """Return loss and gradients of a loss that needs all embeddings at once (Gao et al. 2021).

        They are computed without a gradient, the loss is differentiated by them, and each slice is computed again to
        carry its share back.
        """
        embeddings: list[Tensor] = []
        for number, part in enumerate(parts):
            self._seed_dropout(step, number)
            embeddings.append(self._encode(part))
        value, shares = self._by_embeddings({**batch, "embeddings": tf.concat(embeddings, 0).numpy()}, denominator)
        gradients, start = None, 0
        for number, part in enumerate(parts):
            share = shares[start : start + len(part["input_ids"])]
            start += len(share)
            self._seed_dropout(step, number)
            added = self._carry_back({**part, "share": share.numpy()})
            gradients = added if gradients is None else [a + b for a, b in zip(gradients, added, strict=True)]
        assert gradients is not None
        return value, gradients

    def _differentiate(self, batch: Mapping[str, Tensor], denominator: Tensor) -> tuple[Tensor, list[Tensor]]:
        assert self._loss is not None
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._weights)
            value = self._loss.terms(self.network.forward(batch, self._pass()), batch) / denominator
        return value, self._of_weights(tape, value)

    def _differentiate_embeddings(self, batch: Mapping[str, Tensor], denominator: Tensor) -> tuple[Tensor, Tensor]:
        assert self._loss is not None
        with tf.GradientTape() as tape:
            tape.watch(batch["embeddings"])
            value = self._loss.terms(batch["embeddings"], batch) / denominator
        return value, tape.gradient(value, batch["embeddings"])

    def _differentiate_by(self, batch: Mapping[str, Tensor]) -> list[Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._weights)
            value = tf.reduce_sum(self.network.forward(batch, self._pass()) * batch["share"])
        return self._of_weights(tape, value)

    def _of_weights(self, tape: Any, value: Tensor) -> list[Tensor]:
        """Return the gradients by the trained weights; that of an embedding table is spread over its rows."""
        return [tf.convert_to_tensor(each) for each in tape.gradient(value, self._weights)]
