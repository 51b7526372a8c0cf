"""The gradient of one global batch, computed in slices that fit into memory.

The result does not depend on the slices while dropout is 0; with dropout each slice has masks of its own, keyed by
(seed, step, slice), so that it is exact for the recorded size.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from homeground.engines.slicing import shares, slices
from homeground.engines.torch.losses import Loss
from homeground.engines.torch.parallel import BROKEN, NO_MEMORY, WELL, Group
from homeground.errors import ProcessLost
from homeground.memory import is_memory_error

Computed = TypeVar("Computed")
Encode = Callable[[Mapping[str, Tensor], int], Tensor]
Slice = Mapping[str, Tensor]


def accumulate(
    encode: Encode, loss: Loss, batch: Slice, denominator: float, *, size: int | None, seeds: Callable[[int], int]
) -> Tensor:
    """Add the gradient of one global batch to the parameters and return its loss.

    ``encode`` maps a slice and the seed of its dropout to what the loss takes, items along the first axis; ``seeds``
    gives the seed of a slice by its number.
    A loss that does not decompose over items has its embeddings cached: they are computed without a graph, the loss is
    differentiated by them, and each slice is computed again to carry its share back (Gao et al. 2021).
    """
    parts = list(slices(batch, size))
    if loss.decomposes or len(parts) == 1:
        total = torch.zeros((), device=batch["input_ids"].device)
        for number, part in enumerate(parts):
            value = loss.terms(encode(part, seeds(number)), part) / denominator
            value.backward()
            total += value.detach()
        return total
    with torch.no_grad():
        cached = []
        for number, part in enumerate(parts):
            cached.append(encode(part, seeds(number)))
    embeddings = torch.cat(cached).requires_grad_()
    value = loss.terms(embeddings, batch) / denominator
    value.backward()
    assert embeddings.grad is not None
    for number, (part, gradient) in enumerate(zip(parts, embeddings.grad.split([len(c) for c in cached]), strict=True)):
        encode(part, seeds(number)).backward(gradient)
    return value.detach()


@dataclass(frozen=True)
class Together:
    """A gradient that several processes compute together: ``slices`` of the batch, added up in one fixed order."""

    slices: int
    parameters: Sequence[nn.Parameter]
    group: Group | None

    def accumulate(
        self,
        encode: Encode,
        loss: Loss,
        batch: Slice,
        denominator: float,
        *,
        size: int | None,
        seeds: Callable[[int], int],
    ) -> Tensor:
        """Set the gradient of one global batch and return its loss, as ``accumulate`` does, in every process.

        The bits do not depend on the number of processes: the masks of dropout are keyed by the number of a slice in
        the whole batch, and gradients of slices, and of halves of all slices, are added pair by pair.
        """
        parts: list[list[tuple[int, Slice]]] = []
        number = 0
        for share in shares(batch, self.slices):
            cut = list(slices(share, size)) if len(share["input_ids"]) else []
            parts.append(list(enumerate(cut, start=number)))
            number += len(cut)
        own = parts[self._first : self._first + self.slices // (self.group.size if self.group else 1)]
        given: list[Tensor] | None = None
        value = torch.zeros((), device=batch["input_ids"].device)
        if not loss.decomposes:
            value, given = self._through_embeddings(encode, loss, batch, denominator, parts, own, seeds)

        def add_up() -> tuple[Tensor, Tensor]:
            total = _tree_sum(self._gradients(own, encode, loss, denominator, seeds, given))
            return total, total if self.group is None else torch.empty_like(total)

        total, room = self._all_well(add_up)
        if self.group is not None:
            self.group.add(total, room)
        self._set(total[:-1])
        return total[-1] if loss.decomposes else value

    @property
    def _first(self) -> int:
        """The number of the first slice of this process."""
        return 0 if self.group is None else self.group.rank * (self.slices // self.group.size)

    def _gradients(
        self,
        own: Sequence[Sequence[tuple[int, Slice]]],
        encode: Encode,
        loss: Loss,
        denominator: float,
        seeds: Callable[[int], int],
        given: Sequence[Tensor] | None,
    ) -> Iterable[Tensor]:
        """Yield the gradient of every slice of this process, flat, with its share of the loss as the last number."""
        places = iter(given or ())
        for share in own:
            for parameter in self.parameters:
                parameter.grad = None
            value = torch.zeros((), device=self.parameters[0].device)
            for number, part in share:
                if given is not None:
                    encode(part, seeds(number)).backward(next(places))
                    continue
                terms = loss.terms(encode(part, seeds(number)), part) / denominator
                terms.backward()
                value = value + terms.detach()
            gradients = (torch.zeros_like(each) if each.grad is None else each.grad for each in self.parameters)
            yield torch.cat([*(each.reshape(-1) for each in gradients), value.reshape(1)])

    def _through_embeddings(
        self,
        encode: Encode,
        loss: Loss,
        batch: Slice,
        denominator: float,
        parts: Sequence[Sequence[tuple[int, Slice]]],
        own: Sequence[Sequence[tuple[int, Slice]]],
        seeds: Callable[[int], int],
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the loss of the embeddings of all slices, and its gradients by those of this process."""

        def embed() -> Tensor:
            embeddings: list[Tensor] = []
            with torch.no_grad():
                for number, part in (each for share in own for each in share):
                    embeddings.append(encode(part, seeds(number)))
            return torch.cat(embeddings) if embeddings else torch.empty(0)

        mine = self._all_well(embed)
        counts = [len(part["input_ids"]) for share in parts for _, part in share]
        shared = [mine] if self.group is None else self.group.share(mine)

        def differentiate() -> tuple[Tensor, Tensor]:
            everything = torch.cat(shared).requires_grad_()
            value = loss.terms(everything, batch) / denominator
            value.backward()
            assert everything.grad is not None
            return value.detach(), everything.grad

        value, by_embeddings = self._all_well(differentiate)
        gradients = list(by_embeddings.split(counts))
        first = sum(len(share) for share in parts[: self._first])
        return value, gradients[first : first + sum(map(len, own))]

    def _all_well(self, compute: Callable[[], Computed]) -> Computed:
        """Return what is computed, once all processes have come so far; a failure of one is one of all."""
        try:
            computed = compute()
        except BaseException as error:
            if self.group is not None:
                with contextlib.suppress(ProcessLost):  # the error itself says more; of memory all say the same
                    self.group.agree(NO_MEMORY if is_memory_error(error) else BROKEN)
            raise
        if self.group is not None:
            self.group.agree(WELL)
        return computed

    def _set(self, flat: Tensor) -> None:
        """Make the flat gradient that of the parameters."""
        sizes = [parameter.numel() for parameter in self.parameters]
        for parameter, gradient in zip(self.parameters, flat.split(sizes), strict=True):
            parameter.grad = gradient.reshape(parameter.shape)


def _tree_sum(values: Iterable[Tensor]) -> Tensor:
    """Return the sum of a power of two of tensors: of neighbours, then of the sums of neighbours, and so on.

    At most one sum of every height is in memory.
    """
    waiting: list[tuple[int, Tensor]] = []
    for value in values:
        height = 0
        while waiting and waiting[-1][0] == height:
            value = waiting.pop()[1] + value
            height += 1
        waiting.append((height, value))
    ((_, total),) = waiting
    return total
