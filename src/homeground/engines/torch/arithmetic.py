"""How many operations the products of matrices in a training step are, and how many the machine can do in a second.

Their share of a second is what is known as the utilization of model FLOPs (Chowdhery et al. 2022, PaLM, appendix B).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear, scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from torch.utils.benchmark import Timer

PEAK_MATRIX_SIZES = {"cpu": (512, 1024, 2048), "cuda": (8192,)}
"""Rows and columns of the matrices whose products show what a device can do."""

PEAK_SECONDS = 0.1
"""How long the product of each size is repeated."""


class CountedOperations(TorchFunctionMode):
    """Counts the operations of products of matrices, with those of their gradients: a multiply-add is two.

    The gradient of a product is a product for each factor that needs one. Computing anew what was not kept, sums,
    activations and the optimizer do not count.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if (count := COUNTS.get(func)) is not None:
            self.count += count(result, *args[:3])
        return result


def _of_product(result: Tensor, left: Tensor, right: Tensor, *_: Any) -> int:
    """Count a product of matrices ``(..., n)`` with an inner dimension of n, or a linear map."""
    return 2 * result.numel() * left.shape[-1] * (1 + left.requires_grad + right.requires_grad)


def _of_attention(result: Tensor, query: Tensor, key: Tensor, value: Tensor) -> int:
    """Count the two products of attention ``(..., queries, dimensions)``: scores of the keys, sums of the values."""
    forward = 2 * (query.numel() + result.numel()) * key.shape[-2]
    return forward * (1 + 2 * any(each.requires_grad for each in (query, key, value)))


COUNTS: Mapping[Callable[..., Any], Callable[..., int]] = {
    linear: _of_product,
    scaled_dot_product_attention: _of_attention,
    **dict.fromkeys((torch.matmul, torch.bmm, torch.mm, Tensor.matmul, Tensor.__matmul__, Tensor.bmm), _of_product),
}


@functools.cache
def matrix_peak(precision: str, device: str, threads: int) -> float:
    """Return how many operations a second the device does in the fastest of several products of large matrices.

    ``precision`` is that of a training, ``threads`` how many of the processor's take part.
    """
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    fastest = 0.0
    for size in PEAK_MATRIX_SIZES.get(device, PEAK_MATRIX_SIZES["cpu"]):
        matrix = torch.full((size, size), 0.5, dtype=dtype, device=device)  # not random, which others may count on
        multiply = functools.partial(torch.mm, matrix, matrix)
        timer = Timer("multiply()", globals={"multiply": multiply}, num_threads=threads)
        timer.timeit(2)
        fastest = max(fastest, 2 * size**3 / min(timer.blocked_autorange(min_run_time=PEAK_SECONDS).times))
    return fastest
