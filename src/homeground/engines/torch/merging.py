"""Models between two others, by linear interpolation of their weights."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

from homeground.engines.model import Model
from homeground.engines.torch.model import TorchModel
from homeground.errors import CheckpointError

Module = TypeVar("Module", bound=nn.Module)


def merge(base: Model, tuned: Model, weight: float) -> TorchModel:
    """Return a model between ``base`` (weight 0) and ``tuned`` (weight 1), to be measured and saved."""
    assert isinstance(base, TorchModel)
    assert isinstance(tuned, TorchModel)
    merged = TorchModel(interpolate(base.network, tuned.network, weight))
    merged.keep_adapters_of(tuned, weight)
    return merged


@torch.no_grad()
def interpolate(base: nn.Module, tuned: Module, weight: float) -> Module:
    """Return a copy of ``tuned`` whose every weight is ``(1 - weight) * base + weight * tuned``, in float32.

    All floating parameters are interpolated, norms and heads included, and shared ones once (Wortsman et al. 2022,
    Robust fine-tuning of zero-shot models, CVPR).

    Raises:
        CheckpointError: the two do not have the same weights, differ in what cannot be interpolated, or carry running
            statistics, which belong to the weights they were gathered with.
    """
    first, second = dict(base.named_parameters()), dict(tuned.named_parameters())
    shapes = {name: value.shape for name, value in first.items()}
    if shapes != {name: value.shape for name, value in second.items()}:
        raise CheckpointError("the two models have different weights; only models of one architecture can be merged")
    for name, buffer in tuned.named_buffers():
        if "running_" in name:
            raise CheckpointError(f"the model keeps running statistics ({name}), which cannot be interpolated")
        if not torch.equal(buffer, base.get_buffer(name)):
            raise CheckpointError(f"the two models differ in {name}, which is no weight and cannot be interpolated")
    merged = copy.deepcopy(tuned)
    for name, value in merged.named_parameters():
        if value.is_floating_point():
            value.copy_(torch.lerp(first[name], second[name], weight))
        elif not torch.equal(value, first[name]):
            raise CheckpointError(f"the two models differ in {name}, which holds no fractions to interpolate")
    return merged
