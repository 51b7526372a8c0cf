"""Which test examples are resampled together, and with which weight each enters a draw.

An example depends on one or two nodes: its unit (a document, a group, itself) and, for a pair of texts, the node of a
text that other units contain too. Nodes are drawn with replacement from one pool, and the weight of an example is the
product of the counts of its distinct nodes. Without shared nodes this is the ordinary bootstrap, with several examples
a unit the cluster bootstrap, and with two nodes an example the pigeonhole bootstrap.

    Owen (2007), The pigeonhole bootstrap, Annals of Applied Statistics 1(2)
    Owen & Eckles (2012), Bootstrapping data arrays of arbitrary order, Annals of Applied Statistics 6(3)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NUMBERS_AT_ONCE = 4_000_000
"""Weights in memory at once, 8 bytes each: about 32 MB."""


@dataclass(frozen=True)
class Layout:
    """Which cell and which nodes every example belongs to; the examples of a cell share both nodes, so their weight."""

    cell_of: Ints
    """The cell of every example, shape ``(examples,)``."""
    nodes: Ints
    """The two nodes of every cell, shape ``(cells, 2)``, numbers from 0 to count - 1; the same twice where it has one.
    """
    count: int
    """The number of nodes, from which is drawn."""
    units: int
    """The number of independent units, see ``independent_units``."""

    @property
    def crossed(self) -> NDArray[np.bool_]:
        """Which cells depend on two nodes, shape ``(cells,)``."""
        return self.nodes[:, 0] != self.nodes[:, 1]

    def sum(self, statistics: Floats) -> Floats:
        """Return statistics ``(..., examples, k)`` summed over the examples of every cell, ``(..., cells, k)``."""
        examples = len(self.cell_of)
        # A sparse matrix of ones sums rows faster than np.add.at, whatever the number of columns.
        adds = csr_array((np.ones(examples), (self.cell_of, np.arange(examples))), shape=(len(self.nodes), examples))
        rows = np.moveaxis(statistics, -2, 0)
        return np.moveaxis((adds @ rows.reshape(examples, -1)).reshape(-1, *rows.shape[1:]), 0, -2)

    def at_nodes(self, values: Floats) -> Floats:
        """Return values ``(sets, cells)`` summed over the cells that touch a node, ``(sets, nodes)``."""
        crossed = self.crossed
        sums = np.empty((len(values), self.count))
        for place, of_set in enumerate(values):
            sums[place] = np.bincount(self.nodes[:, 0], of_set, self.count)
            sums[place] += np.bincount(self.nodes[crossed, 1], of_set[crossed], self.count)
        return sums

    def effective_units(self, sizes: Floats) -> Floats:
        """Return the effective number of units, shape ``(sets,)``, from the sizes of the cells, ``(sets, cells)``.

        (sum of sizes)^2 / (sum of squared sizes) over the units, the smaller of both sides (Kish 1965, Survey
        Sampling): the number of units of equal size that would be worth as much, so that a few units with nearly all
        the examples count as few.
        """
        effective = np.empty((2, len(sizes)))
        for side in (0, 1):
            for place, of_set in enumerate(sizes):
                totals = np.bincount(self.nodes[:, side], of_set, self.count)
                effective[side, place] = totals.sum() ** 2 / max(float((totals**2).sum()), 1e-300)
        return effective.min(axis=0)


def arrange(nodes: ArrayLike) -> Layout:
    """Return the layout of examples with nodes of shape ``(examples,)`` or ``(examples, 2)``.

    >>> arrange([7, 7, 8]).sum(np.array([[1.0], [2.0], [4.0]])).tolist()
    [[3.0], [4.0]]
    """
    both = _two_nodes(np.asarray(nodes, dtype=np.int64))
    if not len(both):
        return Layout(np.zeros(0, np.int64), both, 0, 0)
    pairs, cell_of = np.unique(both, axis=0, return_inverse=True)
    names, numbers = np.unique(pairs, return_inverse=True)
    return Layout(cell_of.ravel(), numbers.reshape(-1, 2), len(names), independent_units(both))


def independent_units(nodes: ArrayLike) -> int:
    """Return the number of independent units.

    The smaller of the numbers of distinct first and distinct second nodes. That is the number of units where they
    share no text, and the size of the pool where every pair has a text from a small pool: ten texts that occur a
    thousand times are ten units.

    >>> independent_units([0, 0, 1, 1]), independent_units([[0, 9], [1, 9], [2, 9]])
    (2, 1)
    """
    both = _two_nodes(np.asarray(nodes, dtype=np.int64))
    return min(len(np.unique(both[:, side])) for side in (0, 1))


def draw_weights(layout: Layout, draws: int, random: np.random.Generator) -> Iterator[Floats]:
    """Yield the weights of the cells in blocks of shape ``(rows, cells)``, ``draws`` rows in all."""
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
    """Return nodes as ``(examples, 2)``, where a second node that occurs in one unit only is replaced by that unit.

    A test split contains only some of the pairs: a text that recurs in the whole data may occur in one unit of it.
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
