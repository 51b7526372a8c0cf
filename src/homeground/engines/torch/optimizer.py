"""Adam and AdamW, gradient clipping, and the optimizer's state as plain tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from homeground.recipe.sections import TrainingSettings

Named = list[tuple[str, nn.Parameter]]


def open_optimizer(parameters: Named, training: TrainingSettings) -> torch.optim.Optimizer:
    """Return the fused optimizer the recipe asks for; biases and normalization weights (one axis) do not decay."""
    weights = [parameter for _, parameter in parameters if parameter.ndim > 1]
    rest = [parameter for _, parameter in parameters if parameter.ndim <= 1]
    betas = (training.adam_beta1, training.adam_beta2)
    if training.optimizer == "adam":
        return torch.optim.Adam(weights + rest, lr=0.0, betas=betas, eps=training.adam_epsilon, fused=True)
    groups = [{"params": weights, "weight_decay": training.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=0.0, betas=betas, eps=training.adam_epsilon, fused=True)


def clip(gradients: Sequence[Tensor], *, norm: float | None, norm_per_weight: float | None) -> float:
    """Clip gradients in place and return their global norm as it was before.

    ``norm_per_weight`` bounds the norm of each weight's own gradient (Keras' ``clipnorm``), then ``norm`` that of all.
    """
    before = total = nn.utils.get_total_norm(gradients)
    if norm_per_weight is not None:
        for gradient in gradients:
            _scale_down([gradient], nn.utils.get_total_norm([gradient]), norm_per_weight)
        total = nn.utils.get_total_norm(gradients)
    if norm is not None:
        _scale_down(gradients, total, norm)
    return float(before)


def _scale_down(gradients: Sequence[Tensor], norm: Tensor, largest: float) -> None:
    """Scale gradients of a norm, as ``torch.nn.utils.clip_grad_norm_`` does, where it is above the largest allowed."""
    factor = largest / (norm + 1e-6)
    if factor < 1:
        for gradient in gradients:
            gradient.mul_(factor)


def optimizer_tensors(optimizer: torch.optim.Optimizer, parameters: Named) -> dict[str, Tensor]:
    """Return the state as flat tensors, ``<parameter>|<entry>``, so that no pickle is needed to store it."""
    state = {}
    for name, parameter in parameters:
        for entry, value in optimizer.state.get(parameter, {}).items():
            state[f"{name}|{entry}"] = value.detach().clone()
    return state


def restore_optimizer(optimizer: torch.optim.Optimizer, parameters: Named, state: dict[str, Tensor]) -> None:
    """Put back what ``optimizer_tensors`` took out, bit for bit."""
    by_name = dict(parameters)
    optimizer.state.clear()
    for key, value in state.items():
        name, entry = key.rsplit("|", 1)
        parameter = by_name[name]
        # Adam's step counter stays where the fused kernel wants it: on the parameter's device, in float32.
        optimizer.state[parameter][entry] = value.to(parameter.device)
