"""Pooling with NumPy is that of the torch engine."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from homeground.engines.exported.pooling import embed
from homeground.engines.sentence_modules import DenseLayer, EmbeddingSteps
from homeground.engines.torch.networks.pooling import open_pooler


@pytest.mark.parametrize("mode", ["mean", "cls", "max"])
@pytest.mark.parametrize("activation", ["identity", "tanh", "relu", "gelu", "sigmoid"])
@pytest.mark.parametrize("bias", [True, False])
def test_embeddings_are_those_of_torch(mode: str, activation: str, bias: bool) -> None:
    random = np.random.default_rng(0)
    hidden = random.normal(size=(3, 5, 8)).astype(np.float32) * 3
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]])
    weight = random.normal(size=(6, 8)).astype(np.float32)
    dense = DenseLayer(weight, random.normal(size=6).astype(np.float32) if bias else None, activation)
    for steps in (EmbeddingSteps(mode, (dense,), normalize=False), EmbeddingSteps(mode, (dense,), normalize=True)):
        with torch.inference_mode():
            expected = open_pooler(steps)(torch.from_numpy(hidden), torch.from_numpy(mask)).numpy()
        np.testing.assert_allclose(embed(hidden, mask, steps), expected, atol=5e-6)
