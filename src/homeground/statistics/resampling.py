"""Which test examples are resampled together, and how often each counts in a draw.

An example depends on one or two nodes: its unit (a document, a group, itself) and, for a pair of texts, the node of
a text that other units hold too. Nodes are drawn with replacement from one pool, and an example counts as often as the
product of how often its distinct nodes were drawn: where nothing is shared this is the plain bootstrap, where units are
shared the cluster bootstrap, else the pigeonhole bootstrap.

    Owen (2007), The pigeonhole bootstrap, Annals of Applied Statistics 1(2)
    Owen & Eckles (2012), Bootstrapping data arrays of arbitrary order, Annals of Applied Statistics 6(3)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array  # pyright: ignore[reportMissingTypeStubs]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NUMBERS_AT_ONCE = 4_000_000
"""How many weights or counts are held at once, about 32 MB."""


@dataclass(frozen=True)
class Layout:
    """Cells of examples that share both nodes, and so always get the same weight."""

    cell_of: Ints  # (examples,)
    nodes: Ints  # (cells, 2), numbered from 0 to count - 1
    count: int
    units: int

    @property
    def crossed(self) -> NDArray[np.bool_]:
        """Which cells depend on two nodes, shape ``(cells,)``."""
        return self.nodes[:, 0] != self.nodes[:, 1]

    def sum(self, statistics: Floats) -> Floats:
        """Return statistics ``(..., examples, k)`` summed over the examples of every cell, ``(..., cells, k)``."""
        examples = len(self.cell_of)
        adds = csr_array((np.ones(examples), (self.cell_of, np.arange(examples))), shape=(len(self.nodes), examples))
        beside = np.moveaxis(statistics, -2, 0)
        return np.moveaxis((adds @ beside.reshape(examples, -1)).reshape(-1, *beside.shape[1:]), 0, -2)

    def at_nodes(self, values: Floats) -> Floats:
        """Return values ``(sets, cells)`` summed over the cells that touch a node, ``(sets, nodes)``."""
        crossed = self.crossed
        found = np.empty((len(values), self.count))
        for place, own in enumerate(values):
            found[place] = np.bincount(self.nodes[:, 0], own, self.count)
            found[place] += np.bincount(self.nodes[crossed, 1], own[crossed], self.count)
        return found

    def effective_units(self, sizes: Floats) -> Floats:
        """Return how many units of equal size would say as much, shape ``(sets,)``, from sizes ``(sets, cells)``.

        1 / (sum of squared shares), the lesser of both sides (Kish 1965, Survey Sampling), so that a few units that
        hold nearly everything count as few.
        """
        found = np.empty((2, len(sizes)))
        for side in (0, 1):
            for place, own in enumerate(sizes):
                held = np.bincount(self.nodes[:, side], own, self.count)
                found[side, place] = held.sum() ** 2 / max(float((held**2).sum()), 1e-300)
        return found.min(axis=0)


def arrange(nodes: ArrayLike) -> Layout:
    """Return the layout of examples with nodes of shape ``(examples,)`` or ``(examples, 2)``.

    >>> arrange([7, 7, 8]).sum(np.array([[1.0], [2.0], [4.0]])).tolist()
    [[3.0], [4.0]]
    """
    both = _two_nodes(np.asarray(nodes, dtype=np.int64))
    if not len(both):
        return Layout(np.zeros(0, np.int64), both, 0, 0)
    pairs, cell_of = np.unique(both, axis=0, return_inverse=True)
    names, numbered = np.unique(pairs, return_inverse=True)
    return Layout(cell_of.ravel(), numbered.reshape(-1, 2), len(names), independent_units(both))


def independent_units(nodes: ArrayLike) -> int:
    """Return how many independent units the nodes amount to.

    The fewer of distinct first and distinct second nodes: the number of units where nothing is shared between them,
    but where every pair has a text from a small pool the size of the pool: ten texts met a thousand times are ten
    texts.

    >>> independent_units([0, 0, 1, 1]), independent_units([[0, 9], [1, 9], [2, 9]])
    (2, 1)
    """
    both = _two_nodes(np.asarray(nodes, dtype=np.int64))
    return min(len(np.unique(both[:, side])) for side in (0, 1))


def draw_weights(layout: Layout, draws: int, random: np.random.Generator) -> Iterator[Floats]:
    """Yield the weights of the cells, shape ``(some draws, cells)``, until there were ``draws``."""
    crossed = np.flatnonzero(layout.crossed)
    block = max(1, NUMBERS_AT_ONCE // max(layout.count, len(layout.nodes)))
    for start in range(0, draws, block):
        rows = min(block, draws - start)
        picked = random.integers(layout.count, size=(rows, layout.count)) + layout.count * np.arange(rows)[:, None]
        times = np.bincount(picked.ravel(), minlength=rows * layout.count).reshape(rows, layout.count)
        weights = times[:, layout.nodes[:, 0]].astype(np.float64)
        weights[:, crossed] *= times[:, layout.nodes[crossed, 1]]
        yield weights


def _two_nodes(nodes: Ints) -> Ints:
    """Return nodes as ``(examples, 2)``, where a second node met in one unit only is replaced by that unit.

    A test split holds some of the pairs: a text that recurs in the whole data may stand in one unit of it.
    """
    if nodes.ndim == 1:
        return np.stack([nodes, nodes], axis=1)
    first, second = nodes[:, 0], nodes[:, 1]
    names, number = np.unique(second, return_inverse=True)
    lowest = np.full(len(names), np.iinfo(np.int64).max)
    highest = np.full(len(names), np.iinfo(np.int64).min)
    np.minimum.at(lowest, number, first)
    np.maximum.at(highest, number, first)
    nested = (lowest == highest) & ~np.isin(names, first)
    return np.stack([first, np.where(nested[number], first, second)], axis=1)
