"""Which examples depend on each other: the nodes they depend on, and the layout of which the interval knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeground.data.units import link_pairs
from homeground.statistics.resampling import Layout, arrange

Ints = NDArray[np.int64]

PER_UNIT = 4
"""Examples of a unit, on average, where units have several."""


@dataclass(frozen=True)
class Design:
    """Examples with the one or two nodes that each depends on, ``(examples, 2)``, and the layout of the interval."""

    nodes: Ints
    layout: Layout


def _design(nodes: Ints, linked: Ints | None = None) -> Design:
    return Design(nodes, arrange(nodes if linked is None else linked))


def independent(units: int, _: np.random.Generator) -> Design:
    """Every example is a unit."""
    return _design(np.repeat(np.arange(units)[:, None], 2, axis=1))


def equal_clusters(units: int, _: np.random.Generator) -> Design:
    """As many examples in every unit."""
    return _design(np.repeat(np.arange(units), PER_UNIT)[:, None].repeat(2, axis=1))


def unequal_clusters(units: int, random: np.random.Generator) -> Design:
    """Lognormal sizes: at 30 units the largest has about a sixth of the examples."""
    sizes = np.ceil(PER_UNIT * np.exp(random.normal(-0.7, 1.0, units))).astype(np.int64)
    return _design(np.repeat(np.arange(units), sizes)[:, None].repeat(2, axis=1))


def few_large_clusters(units: int, _: np.random.Generator) -> Design:
    """Sizes after Zipf's law: at 100 units the largest has a fifth of the examples, the first five nearly half."""
    sizes = np.ceil(units / np.arange(1, units + 1)).astype(np.int64)
    return _design(np.repeat(np.arange(units), sizes)[:, None].repeat(2, axis=1))


def hubs(units: int, random: np.random.Generator) -> Design:
    """Pairs of their own texts, but for half of them, whose second text is one of a few hubs of about six pairs."""
    few = max(units // 12, 1)
    is_hub = np.arange(units) % 2 == 0
    second = np.where(is_hub, units + random.integers(few, size=units), np.arange(units))
    return _by_texts(np.arange(units), second)


def recurring(units: int, random: np.random.Generator) -> Design:
    """Some pairs a first text, and second texts drawn from as many as there are first ones: wholly crossed."""
    first = np.repeat(np.arange(units), PER_UNIT)
    return _by_texts(first, units + random.integers(units, size=len(first)))


def dyadic(units: int, random: np.random.Generator) -> Design:
    """Pairs of groups, half of them within a group and half with another: both texts from one pool of groups."""
    first = np.repeat(np.arange(units), PER_UNIT)
    other = (first + random.integers(1, units, size=len(first))) % units
    return _design(np.stack([first, np.where(random.random(len(first)) < 0.5, first, other)], axis=1))


PLAIN: dict[str, Callable[[int, np.random.Generator], Design]] = {
    "independent": independent,
    "equal clusters": equal_clusters,
    "unequal clusters": unequal_clusters,
}
"""Designs for every kind of example."""

DESIGNS: dict[str, Callable[[int, np.random.Generator], Design]] = {
    **PLAIN,
    "few large clusters": few_large_clusters,
    "hubs": hubs,
    "recurring text_2": recurring,
    "dyadic groups": dyadic,
}
"""All designs; those after the plain ones are for pairs."""


def _by_texts(first: Ints, second: Ints) -> Design:
    """Link the pairs by their texts, as in a user's file."""
    linked = link_pairs([f"first {text}" for text in first], [f"second {text}" for text in second])
    return _design(np.stack([first, second], axis=1), linked.nodes)
