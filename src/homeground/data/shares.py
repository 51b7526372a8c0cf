"""Shares of the training examples, each inside the next larger one, for the question how much data is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeground.data.corpus import FEWEST_EXAMPLES, Part, link, strata
from homeground.data.examples import Example
from homeground.data.units import numbered
from homeground.randomness import generator

SHARES = (5, 10, 25, 50)
"""Per cent of the training examples; all of them is the run itself."""


@dataclass(frozen=True)
class Share:
    """A share of the training examples, in the order they had; ``left_out`` says why nothing can be learned from it."""

    per_cent: int
    part: Part
    left_out: str | None


def nested_shares(examples: Sequence[Example], *, seed: int, per_cents: Sequence[int] = SHARES) -> list[Share]:
    """Return shares of training examples, each inside the next larger one.

    Units stay whole, and score bands or labels are spread as in all examples, as far as whole units allow. Every label
    has an example in every share, so the smallest shares of many classes hold more than their per cent; one that so
    becomes as large as the next is left out.
    """
    units = numbered(link(examples).units.tolist())
    order = _order(units, strata(examples), [example.labels or () for example in examples], seed)
    sizes = np.bincount(units)[order]
    filled = np.cumsum(sizes)
    least = _covering(order, units, [example.labels or () for example in examples])
    shares: list[Share] = []
    above = len(examples)
    for per_cent in sorted(per_cents, reverse=True):
        nearest = int(np.abs(filled - per_cent / 100 * len(examples)).argmin()) + 1
        chosen = np.isin(units, order[: max(nearest, least)])
        part = [example for example, taken in zip(examples, chosen, strict=True) if taken]
        shares.append(Share(per_cent, Part(part, link(part)), _left_out(len(part), above)))
        above = len(part)
    return shares[::-1]


def _left_out(count: int, above: int) -> str | None:
    if count < FEWEST_EXAMPLES:
        return f"holds {count} examples; fewer than {FEWEST_EXAMPLES} teach nothing"
    if count >= above:
        return "would be as large as the next larger one, since every label and every unit has to be whole"
    return None


def _order(
    units: NDArray[np.int64], bands: NDArray[np.int64] | None, labels: Sequence[tuple[str, ...]], seed: int
) -> NDArray[np.int64]:
    """Return the units so that every beginning holds the strata in proportion, and the first of them every label.

    Each stratum is shuffled and laid out evenly from 0 to 1, from a random first place (systematic sampling).
    """
    count = int(units.max()) + 1
    bands = np.zeros_like(units) if bands is None else bands
    table = np.zeros((count, int(bands.max()) + 1), np.int64)
    np.add.at(table, (units, bands), 1)
    stratum = table.argmax(axis=1)
    random = generator(seed, "shares")
    places = np.zeros(count)
    for band in range(table.shape[1]):
        members = random.permutation(np.flatnonzero(stratum == band))
        places[members] = (np.arange(len(members)) + random.random()) / max(len(members), 1)
    order = np.argsort(places, kind="stable")
    first = _new_labels(order, units, labels)
    return np.concatenate([order[first], order[~first]])


def _covering(order: NDArray[np.int64], units: NDArray[np.int64], labels: Sequence[tuple[str, ...]]) -> int:
    """Return how many of the first units it takes to hold every label, at least 1."""
    return max(1, int(_new_labels(order, units, labels).sum()))


def _new_labels(
    order: NDArray[np.int64], units: NDArray[np.int64], labels: Sequence[tuple[str, ...]]
) -> NDArray[np.bool_]:
    """Tell of every unit in its order whether it holds a label that none before it held."""
    held: list[set[str]] = [set() for _ in order]
    for unit, own in zip(units.tolist(), labels, strict=True):
        held[unit].update(own)
    seen: set[str] = set()
    new = np.zeros(len(order), bool)
    for place, unit in enumerate(order.tolist()):
        new[place] = bool(held[unit] - seen)
        seen |= held[unit]
    return new
