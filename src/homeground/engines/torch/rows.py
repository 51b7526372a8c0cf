"""Gradients of embeddings as rows: those of the tokens that a batch holds, of many thousands.

As PyTorch has it by default, the gradient of an embedding is zero but for these rows, and as large as the embedding,
which in a small model is half of all parameters: it is allocated, zeroed, read for its norm, clipped and freed in every
step. Here the norm and the clipping see the rows alone, which are then put into room that is kept from step to step, so
that the optimizer computes what it always did.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

MIN_ROWS = 2048
"""Rows of an embedding from which on its gradient is kept as rows; positions and types have fewer."""


def keep_rows(network: nn.Module) -> None:
    """Let the large embeddings of a network have gradients of rows, but for those that another layer shares."""
    holders = Counter(
        id(parameter)
        for module in network.modules()
        for parameter in module.parameters(recurse=False)
        if parameter.requires_grad
    )
    for module in network.modules():
        if isinstance(module, nn.Embedding) and holders[id(module.weight)] == 1 and module.num_embeddings >= MIN_ROWS:
            module.sparse = True


@dataclass
class Gradients:
    """The gradients of a step: what they hold besides zeros, and how the optimizer gets them.

    After ``collect`` one enters ``whole``, or leaves the gradients alone.
    """

    _room: dict[nn.Parameter, Tensor] = field(default_factory=dict)
    _rows: dict[nn.Parameter, Tensor] = field(default_factory=dict)
    _values: dict[nn.Parameter, Tensor] = field(default_factory=dict)

    def collect(self, parameters: Sequence[nn.Parameter]) -> list[Tensor]:
        """Return what the gradients of parameters hold, to be clipped in place: of embeddings the rows alone."""
        self._rows, self._values = {}, {}
        collected = []
        for parameter in parameters:
            gradient = parameter.grad
            if gradient is None:
                continue
            if gradient.is_sparse:
                gradient = gradient.coalesce()
                self._rows[parameter] = gradient.indices()[0]
                gradient = self._values[parameter] = gradient.values()
            collected.append(gradient)
        return collected

    @contextlib.contextmanager
    def whole(self) -> Generator[None]:
        """Let the parameters have whole gradients, zero but for the rows, while the context lasts."""
        with torch.no_grad():
            for parameter, rows in self._rows.items():
                if parameter not in self._room:
                    self._room[parameter] = torch.zeros_like(parameter)
                parameter.grad = self._room[parameter].index_copy_(0, rows, self._values[parameter])
        try:
            yield
        finally:
            for parameter, rows in self._rows.items():
                self._room[parameter].index_fill_(0, rows, 0.0)
            self._rows, self._values = {}, {}
