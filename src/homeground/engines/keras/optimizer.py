"""Adam and AdamW as torch computes them, on TensorFlow's own fused kernel, with a state that is plain arrays.

Keras' optimizer computes each weight's update in about ten operations over its whole size, and adds epsilon before the
bias of the second moment is taken out. The kernel does all in one, and with ``epsilon * sqrt(1 - beta2^step)`` in place
of epsilon it gives torch's formula (Kingma & Ba 2015; Loshchilov & Hutter 2019 for the decay).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from homeground.engines.keras.framework import tf

if TYPE_CHECKING:
    from homeground.recipe.sections import TrainingSettings

Tensor = Any


class KerasAdam:
    """Adam with or without decoupled weight decay, over TensorFlow variables by name."""

    def __init__(self, variables: Mapping[str, Any], training: TrainingSettings) -> None:
        self._variables = dict(variables)
        self._training = training
        self._means = {name: tf.Variable(tf.zeros_like(each)) for name, each in self._variables.items()}
        self._squares = {name: tf.Variable(tf.zeros_like(each)) for name, each in self._variables.items()}
        self._steps = tf.Variable(0.0)
        self._apply = tf.function(self._clip_and_update, autograph=False)

    def apply(self, gradients: list[Tensor], learning_rate: float, loss: Tensor) -> float:
        """Clip the gradients, in the order of the variables, and update by them; return their norm before clipping.

        Where that norm or the loss is not finite, nothing is updated.
        """
        return float(self._apply(gradients, tf.constant(learning_rate, tf.float32), loss))

    def _clip_and_update(self, gradients: list[Tensor], rate: Tensor, loss: Tensor) -> Tensor:
        training = self._training
        gradients, norm = clip(
            gradients, norm=training.max_grad_norm, norm_per_weight=training.max_grad_norm_per_weight
        )
        finite = tf.math.is_finite(norm) & tf.math.is_finite(loss)
        tf.cond(finite, lambda: self._update(gradients, rate), lambda: tf.constant(False))
        return norm

    def _update(self, gradients: list[Tensor], rate: Tensor) -> Tensor:
        training, step = self._training, self._steps.assign_add(1.0)
        first = tf.pow(tf.constant(training.adam_beta1, tf.float32), step)
        second = tf.pow(tf.constant(training.adam_beta2, tf.float32), step)
        epsilon = training.adam_epsilon * tf.sqrt(1 - second)
        decays = training.optimizer == "adamw" and training.weight_decay > 0
        for (name, each), gradient in zip(self._variables.items(), gradients, strict=True):
            if decays and len(each.shape) > 1:
                each.assign(each * (1 - rate * training.weight_decay))
            tf.raw_ops.ResourceApplyAdam(
                var=each.handle,
                m=self._means[name].handle,
                v=self._squares[name].handle,
                beta1_power=first,
                beta2_power=second,
                lr=rate,
                beta1=training.adam_beta1,
                beta2=training.adam_beta2,
                epsilon=epsilon,
                grad=gradient,
            )
        return tf.constant(True)

    def state(self) -> dict[str, NDArray[np.float32]]:
        """Return the state as flat arrays, ``<weight>|<entry>``, by torch's names of the entries."""
        step = np.asarray(self._steps.numpy(), np.float32)
        state: dict[str, NDArray[np.float32]] = {}
        for name in self._variables:
            state[f"{name}|step"] = step
            state[f"{name}|exp_avg"] = self._means[name].numpy()
            state[f"{name}|exp_avg_sq"] = self._squares[name].numpy()
        return state

    def restore(self, state: Mapping[str, NDArray[np.float32]]) -> None:
        """Put back what ``state`` returned, bit for bit."""
        for name in self._variables:
            self._means[name].assign(state[f"{name}|exp_avg"])
            self._squares[name].assign(state[f"{name}|exp_avg_sq"])
            self._steps.assign(float(state[f"{name}|step"]))


def clip(gradients: list[Tensor], *, norm: float | None, norm_per_weight: float | None) -> tuple[list[Tensor], Tensor]:
    """Return clipped gradients, and their global norm as it was before.

    ``norm_per_weight`` bounds the norm of each weight's own gradient (Keras' ``clipnorm``), then ``norm`` that of all
    (Keras' ``global_clipnorm``).
    """
    before = tf.linalg.global_norm(gradients)
    if norm_per_weight is not None:
        gradients = [tf.clip_by_norm(each, norm_per_weight) for each in gradients]
    if norm is not None:
        gradients, _ = tf.clip_by_global_norm(gradients, norm)
    return gradients, before
