"""Several processes that learn from one batch together, with the same bits for any number of them.

The first process leads: it reads, measures, saves and decides. It hands the model to the others, and every batch that
is learned from. A batch is cut into slices, as many as the recipe says; each process computes the gradients of its own,
and all of them add these up in one fixed order, a binary tree over the slices. So the sum does not depend on how many
processes there are, and every process updates its own copy of the weights in the same way.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Generator
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor

from homeground.engines.torch.precision import choose_device
from homeground.errors import ProcessLost

WELL, NO_MEMORY, BROKEN = range(3)
"""How a process fared with its slices."""


class OutOfMemoryError(MemoryError):
    """Memory ran out in one of the processes, which all of them know."""


class Group:
    """The processes; ``rank`` numbers them from 0, the leader."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self.model: object = None
        """The model of the leader that all others hold, too."""

    @property
    def leads(self) -> bool:
        """Whether this process is the leader."""
        return self.rank == 0

    def announce(self, message: object) -> None:
        """Tell the others what to do next."""
        with _noticing_the_lost():
            dist.broadcast_object_list([message], src=0)

    def hear(self) -> Any:
        """Return what the leader announces."""
        heard: list[Any] = [None]
        with _noticing_the_lost():
            dist.broadcast_object_list(heard, src=0)
        return heard[0]

    def agree(self, fared: int) -> None:
        """Compare how all processes fared, before they exchange what they have computed.

        Raises:
            OutOfMemoryError: memory ran out in one of them.
            ProcessLost: one of them failed.
        """
        worst = torch.tensor([fared])
        with _noticing_the_lost():
            dist.all_reduce(worst, dist.ReduceOp.MAX)
        if int(worst) == NO_MEMORY:
            raise OutOfMemoryError("memory ran out in one of the processes")
        if int(worst) == BROKEN:
            raise ProcessLost("one of the processes failed")

    def add(self, values: Tensor, other: Tensor) -> None:
        """Make ``values`` the sum of those of all processes, added pair by pair, then pair of pairs by pair of pairs.

        ``other`` is room for as many values, which is there before anything is exchanged.
        """
        distance = 1
        while distance < self.size:
            partner = self.rank ^ distance
            with _noticing_the_lost():
                waiting = [dist.isend(values, partner), dist.irecv(other, partner)]
                for each in waiting:
                    cast(dist.Work, each).wait()
            values += other  # the same either way round, so both partners have the same bits
            distance *= 2

    def share(self, values: Any) -> list[Any]:
        """Return what every process has, in the order of their ranks."""
        shared: list[Any] = [None] * self.size
        with _noticing_the_lost():
            dist.all_gather_object(shared, values)
        return shared


_group: Group | None = None


def current_group() -> Group | None:
    """Return the processes that this one works with; None where it works alone."""
    return _group


@contextlib.contextmanager
def working_with(group: Group) -> Generator[Group]:
    """Let the models of this process learn with a group."""
    global _group
    _group = group
    try:
        yield group
    finally:
        _group = None


def pack(value: object) -> bytes:
    """Return a value as bytes for the other processes, tensors included."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def unpack(content: bytes) -> Any:
    """Return what the leader packed; it is the same user's, so that it is trusted."""
    return torch.load(io.BytesIO(content), weights_only=False, map_location=choose_device())


@contextlib.contextmanager
def _noticing_the_lost() -> Generator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        raise ProcessLost(
            "one of the processes has ended, so all stop; the same command goes on from the last snapshot"
        ) from error
