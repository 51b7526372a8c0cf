"""Dropout on processors, with masks that are drawn many at a time.

PyTorch draws the mask of every number by itself, on one core: where matrices are multiplied in bfloat16 that takes a
fifth of a step. Here four masks come from each 64 bits of a generator that is keyed by the slice (SFC64, Doty-Humphrey
2010), and one byte is kept of each for the gradient instead of four. A number is dropped with a probability that is a
multiple of 1/65536, at most 1e-5 from the one that is asked for, and what is kept is scaled by the exact inverse.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

PROBABILITY_STEPS = 65536
"""How many probabilities of dropping a number there are: one for every value of 16 bits."""


@contextlib.contextmanager
def keyed_dropout(seed: int, device: torch.device, *, plain: bool = False) -> Generator[None]:
    """Let the masks of dropout follow from a seed; with ``plain``, or not on a processor, PyTorch draws them."""
    torch.manual_seed(seed)
    if plain or device.type != "cpu":
        yield
        return
    with _Masks(seed):
        yield


class _Masks(TorchFunctionMode):
    """Takes the place of dropout, and of attention where it drops weights, in whatever architecture calls them."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._bits = np.random.SFC64(seed)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is functional.dropout:
            return self._dropout(*args, **kwargs)
        if func is functional.scaled_dot_product_attention and kwargs.get("dropout_p", 0.0) > 0 and len(args) <= 3:
            return self._attention(*args, **kwargs)
        return func(*args, **kwargs)

    def _dropout(self, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        dropped = round(p * PROBABILITY_STEPS)
        if not training or not 0 < dropped < PROBABILITY_STEPS:
            return functional.dropout(input, p, training, inplace)
        return _Dropped.apply(
            input, self._kept(input.shape, dropped), PROBABILITY_STEPS / (PROBABILITY_STEPS - dropped)
        )

    def _kept(self, shape: torch.Size, dropped: int) -> Tensor:
        """Return which numbers are kept, each dropped with probability ``dropped / PROBABILITY_STEPS``."""
        numbers = math.prod(shape)
        bits = self._bits.random_raw(-(-numbers // 4)).view(np.int16)[:numbers]
        return torch.from_numpy(bits).ge(dropped - PROBABILITY_STEPS // 2).view(shape)

    def _attention(self, query: Tensor, key: Tensor, value: Tensor, **options: Any) -> Tensor:
        """Return scaled dot-product attention ``(..., queries, dimensions)`` with dropped weights (Vaswani 2017)."""
        mask, scale = options.get("attn_mask"), options.get("scale")
        if options.get("is_causal") or options.get("enable_gqa"):
            return functional.scaled_dot_product_attention(query, key, value, **options)
        scores = (query * (query.shape[-1] ** -0.5 if scale is None else scale)) @ key.transpose(-2, -1)
        if mask is not None:
            # Not infinity: of a query that sees no key, which is padding, the weights would not be numbers.
            scores = (
                scores.masked_fill(~mask, torch.finfo(scores.dtype).min) if mask.dtype == torch.bool else scores + mask
            )
        weights = self._dropout(scores.softmax(-1, dtype=torch.float32), options["dropout_p"])
        return weights.to(value.dtype) @ value


class _Dropped(torch.autograd.Function):
    """``input`` where it is kept, scaled, and 0 elsewhere."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, kept: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(kept)
        ctx.scale = scale
        return input * kept.to(input.dtype).mul_(scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,), (kept,) = gradients, ctx.saved_tensors
        return gradient * kept.to(gradient.dtype).mul_(ctx.scale), None, None
