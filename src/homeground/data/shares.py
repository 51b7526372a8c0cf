"""Shares of the training examples, each inside the next larger one, for the question how much data is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeground.data.corpus import MIN_EXAMPLES, strata
from homeground.data.examples import Example, Part
from homeground.data.splitting import most_frequent
from homeground.randomness import generator

SHARES_PER_CENT = (5, 10, 25, 50)
"""Shares of the training examples that are learned from; all of them is the run itself."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Share:
    """A share of the training examples, in the order they had; ``left_out`` says why nothing can be learned from it."""

    per_cent: int
    part: Part
    left_out: str | None


def nested_shares(examples: Sequence[Example], *, seed: int, per_cents: Sequence[int] = SHARES_PER_CENT) -> list[Share]:
    """Return shares of training examples, each inside the next larger one.

    Units stay whole, and score bands or labels are spread as in all examples, as far as whole units allow. Every label
    has an example in every share, so the smallest shares of many classes hold more than their per cent; one that so
    becomes as large as the next is left out.
    """
    units = Part.of(examples).units.units
    order, covering = _order(units, examples, seed)
    cumulated = np.cumsum(np.bincount(units)[order])
    shares: list[Share] = []
    above = len(examples)
    for per_cent in sorted(per_cents, reverse=True):
        nearest = int(np.abs(cumulated - per_cent / 100 * len(examples)).argmin()) + 1
        is_inside = np.isin(units, order[: max(nearest, covering)])
        part = Part.of(example for example, inside in zip(examples, is_inside, strict=True) if inside)
        shares.append(Share(per_cent, part, _left_out(len(part), above)))
        above = len(part)
    return shares[::-1]


def _left_out(count: int, above: int) -> str | None:
    if count < MIN_EXAMPLES:
        return f"holds {count} examples; fewer than {MIN_EXAMPLES} teach nothing"
    if count >= above:
        return "would be as large as the next larger one, since every label and every unit has to be whole"
    return None


def _order(units: Ints, examples: Sequence[Example], seed: int) -> tuple[Ints, int]:
    """Return the units in order, and how many of the first it takes to have every label, at least 1.

    Every beginning of the order has the strata in proportion: each stratum is shuffled and laid out evenly from 0 to 1,
    from a random first place (systematic sampling). The units that bring a label which none before them has come first.
    """
    bands = strata(examples)
    bands = np.zeros_like(units) if bands is None else bands
    stratum = most_frequent(units, bands)
    random = generator(seed, "shares")
    places = np.zeros(len(stratum))
    for band in range(int(bands.max()) + 1):
        members = random.permutation(np.flatnonzero(stratum == band))
        places[members] = (np.arange(len(members)) + random.random()) / max(len(members), 1)
    order = np.argsort(places, kind="stable")
    labels: list[set[str]] = [set() for _ in order]
    for unit, example in zip(units.tolist(), examples, strict=True):
        labels[unit].update(example.labels or ())
    seen: set[str] = set()
    is_new = np.zeros(len(order), bool)
    for place, unit in enumerate(order.tolist()):
        is_new[place] = not labels[unit] <= seen
        seen |= labels[unit]
    # Taken first, the units with a new label have all labels among them, whatever comes between them in the order.
    return np.concatenate([order[is_new], order[~is_new]]), max(1, int(is_new.sum()))
