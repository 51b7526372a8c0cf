"""The gradient of one global batch, computed in slices that fit into memory.

The result does not depend on the slices while dropout is 0; with dropout each slice has masks of its own, keyed by
(seed, step, slice), so that it is exact for the recorded size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from homeground.engines.slicing import slices
from homeground.engines.torch.losses import Loss

Encode = Callable[[Mapping[str, Tensor]], Tensor]
Slice = Mapping[str, Tensor]


def accumulate(
    encode: Encode, loss: Loss, batch: Slice, denominator: float, *, size: int | None, seeds: Callable[[int], int]
) -> Tensor:
    """Add the gradient of one global batch to the parameters and return its loss.

    ``encode`` maps a slice to what the loss takes, items along the first axis; ``seeds`` gives a slice's dropout seed.
    A loss that does not decompose over items has its embeddings cached: they are computed without a graph, the loss is
    differentiated by them, and each slice is computed again to carry its share back (Gao et al. 2021).
    """
    parts = list(slices(batch, size))
    if loss.decomposes or len(parts) == 1:
        total = torch.zeros((), device=batch["input_ids"].device)
        for number, part in enumerate(parts):
            torch.manual_seed(seeds(number))
            value = loss.terms(encode(part), part) / denominator
            value.backward()
            total += value.detach()
        return total
    with torch.no_grad():
        cached = []
        for number, part in enumerate(parts):
            torch.manual_seed(seeds(number))
            cached.append(encode(part))
    embeddings = torch.cat(cached).requires_grad_()
    value = loss.terms(embeddings, batch) / denominator
    value.backward()
    assert embeddings.grad is not None
    for number, (part, gradient) in enumerate(zip(parts, embeddings.grad.split([len(c) for c in cached]), strict=True)):
        torch.manual_seed(seeds(number))
        encode(part).backward(gradient)
    return value.detach()
