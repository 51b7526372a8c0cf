from __future__ import annotations

import pytest
import torch
from torch import nn

from homeground.engines.torch.merging import interpolate
from homeground.errors import CheckpointError


def tied(value: float) -> nn.Module:
    """Return two linear maps of one weight."""
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    second.weight = first.weight
    nn.init.constant_(first.weight, value)
    return nn.Sequential(first, second)


def test_a_shared_weight_is_interpolated_once_and_stays_shared() -> None:
    merged = interpolate(tied(0.0), tied(1.0), 0.3)
    weights = [linear.weight for linear in merged.children()]
    assert weights[0] is weights[1]
    assert torch.allclose(weights[0], torch.full((2, 2), 0.3))


def test_running_statistics_are_refused() -> None:
    with pytest.raises(CheckpointError, match=r"keeps running statistics \(running_mean\)"):
        interpolate(nn.BatchNorm1d(2), nn.BatchNorm1d(2), 0.5)


def test_what_is_no_weight_must_be_the_same() -> None:
    models = [nn.Linear(1, 1), nn.Linear(1, 1)]
    for value, model in enumerate(models):
        model.register_buffer("scale", torch.tensor([float(value)]))
    with pytest.raises(CheckpointError, match="differ in scale"):
        interpolate(models[0], models[1], 0.5)
