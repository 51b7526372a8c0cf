"""Which examples belong together: the units that are independent of each other, and the nodes that are resampled.

A unit is what is independent of everything else: an example, a group the user named, or all pairs that share a text.
Units go to a split whole and are what the bootstrap resamples.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Container, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from homeground.errors import DataError

Ints = NDArray[np.int64]

HUB_PAIRS = 5
"""A text used in more pairs than this links nothing: through hubs, all pairs become one component."""

LARGEST_COMPONENT = 0.1
"""The share of the pairs above which a component of linked pairs leaves too few units to split or resample."""


@dataclass(frozen=True)
class Hub:
    """A text used in so many pairs that it links none of them."""

    text: str
    pairs: int


@dataclass(frozen=True)
class PairUnits:
    """What is independent among pairs.

    ``units (pairs,)`` numbers the unit of every pair from 0. ``nodes (pairs, 2)`` numbers what is resampled: a pair
    depends on both its nodes, which are twice its unit where none of its texts occurs in another unit; nodes are units
    where the number is below the count of units, texts of their own above it.
    """

    units: Ints
    nodes: Ints
    rule: Literal["group", "text", "shared text", "text_1"]
    hubs: tuple[Hub, ...]
    recurring_text_2: int

    @property
    def independent(self) -> int:
        """How many units a verdict can rest on: of distinct first and distinct second nodes the fewer."""
        return min((len(np.unique(side)) for side in self.nodes.T), default=0)


def text_key(text: str) -> str:
    """Return what near-duplicates of a text have in common: equal keys mean one text for linking and leaks.

    The text is put into Unicode's NFKC form and casefolded; punctuation and invisible characters go, digits, symbols
    and accents stay, and words are sorted. So case, width, spacing, punctuation and word order do not tell two texts
    apart. One changed, added or missing word does: paraphrases and edited copies are not found.

    >>> text_key("Data  scientist, senior"), text_key("SENIOR data-scientist")
    ('data scientist senior', 'data scientist senior')
    >>> text_key("Level 1") == text_key("Level 2")
    False
    """
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    words = sorted("".join(_visible(letter) for letter in plain).split())
    # A text of punctuation alone, such as a smiley, is told from others by itself.
    return " ".join(words) if words else " ".join(plain.split())


def link_texts(texts: Sequence[str], *, groups: Sequence[Hashable] | None = None) -> Ints:
    """Return the unit of every text, shape ``(texts,)``: its group if groups are given, else its near-duplicates.

    Groups that hold the same text are one unit: kept apart, one would give away the other.

    >>> link_texts(["Good.", "bad", "good"]).tolist()
    [0, 1, 0]
    """
    return link_same([text_key(text) for text in texts], groups=groups)


def link_same(keys: Sequence[Hashable], *, groups: Sequence[Hashable] | None = None) -> Ints:
    """Return the unit of every text, as ``link_texts`` does, from keys that are equal for the same text."""
    if groups is None:
        return numbered(keys)
    return _components([(("group", group), key) for group, key in zip(groups, keys, strict=True)])


def link_pairs(
    text_1: Sequence[str],
    text_2: Sequence[str],
    *,
    groups: Sequence[Hashable] | None = None,
    groups_2: Sequence[Hashable] | None = None,
) -> PairUnits:
    """Return what is independent among pairs of texts.

    The unit of a pair is its group if groups are given; groups that hold the same pair are one unit. Otherwise pairs
    that share a text (by ``text_key``) are linked and a unit is what is linked, except that texts used in more than
    ``HUB_PAIRS`` pairs link nothing. Where a unit would still hold more than ``LARGEST_COMPONENT`` of the pairs (and
    more than ``HUB_PAIRS``), it is the pairs with the same ``text_1``, and those of the same two texts. ``groups_2``
    names the group of ``text_2`` where it may be another than the pair's, as in pairs between two branches of a
    taxonomy.

    Raises DataError where the columns differ in length or ``groups_2`` comes without ``groups``.

    >>> linked = link_pairs(["a", "A ", "c"], ["x", "y", "z"])
    >>> linked.units.tolist(), linked.rule
    ([0, 0, 1], 'shared text')
    """
    lengths = {len(column) for column in (text_1, text_2, groups, groups_2) if column is not None}
    if len(lengths) > 1:
        raise DataError(f"the columns of the pairs hold {sorted(lengths)} values; expected one length for all.")
    if groups_2 is not None and groups is None:
        raise DataError("the group of text_2 is given without that of text_1; name both groups, or neither.")
    first, second = [text_key(text) for text in text_1], [text_key(text) for text in text_2]
    hubs = _hubs(first, second, text_1, text_2)
    rule: Literal["group", "shared text", "text_1"] = "group"
    if groups is not None:
        keys = zip(groups, first, second, strict=True)
        units = _components([(("group", group), frozenset((one, two))) for group, one, two in keys])
    else:
        both = list(zip(first, second, strict=True))
        rule, units = "shared text", _components([_links(pair, hubs) for pair in both])
        if np.bincount(units).max(initial=0) > max(LARGEST_COMPONENT * len(units), HUB_PAIRS):
            rule, units = "text_1", _components([(pair[0], frozenset(pair)) for pair in both])
    if groups is not None and groups_2 is not None:
        nodes = numbered([*groups, *groups_2]).reshape(2, -1).T
    else:
        nodes = _nodes(first, second, units, by_text=rule == "shared text")
    recurring = _recurring(first, second, units)
    listed = tuple(Hub(text, pairs) for text, pairs in hubs.values())
    return PairUnits(units, nodes, rule, listed, len(recurring & set(second)))


MEANT = "#%"
"""Punctuation, by Unicode, that tells names and amounts apart: C# from C, 50% from 50."""


def _visible(letter: str) -> str:
    category = unicodedata.category(letter)
    # Soft hyphens, joiners and byte order marks (Cf) stand inside words; punctuation and spaces between them.
    return "" if category == "Cf" else " " if category[0] in "PZC" and letter not in MEANT else letter


def numbered(values: Iterable[Hashable]) -> Ints:
    """Number equal values alike, from 0, in order of first appearance."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], dtype=np.int64)


def _hubs(
    first: list[str], second: list[str], text_1: Sequence[str], text_2: Sequence[str]
) -> dict[str, tuple[str, int]]:
    """Return key -> (the text as first written, pairs that use it) for every hub, the most used first."""
    pairs = Counter(key for both in zip(first, second, strict=True) for key in dict.fromkeys(both))
    written = dict(zip(reversed([*first, *second]), reversed([*text_1, *text_2]), strict=True))
    return {key: (written[key], count) for key, count in pairs.most_common() if count > HUB_PAIRS}


def _links(pair: tuple[str, str], hubs: Container[str]) -> list[Hashable]:
    """Return what links a pair to others: its texts that are no hubs, and the two texts as a whole.

    The same two texts stay together whichever way round: split apart, one would give away the other.
    """
    return [*(key for key in pair if key not in hubs), frozenset(pair)]


def _components(keys: Sequence[Sequence[Hashable]]) -> Ints:
    """Return the connected component of every pair, pairs being linked by the keys they share."""
    pairs = [pair for pair, own in enumerate(keys) for _ in own]
    places = numbered(key for own in keys for key in own) + len(keys)
    size = len(keys) + len(places)
    links = coo_array((np.ones(len(pairs)), (pairs, places)), shape=(size, size))
    return numbered(connected_components(links, directed=False)[1][: len(keys)].tolist())


def _recurring(first: list[str], second: list[str], units: Ints) -> set[str]:
    """Return the texts that occur in more than one unit."""
    where: dict[str, set[int]] = defaultdict(set)
    for one, two, unit in zip(first, second, units.tolist(), strict=True):
        where[one].add(unit)
        where[two].add(unit)
    return {key for key, found in where.items() if len(found) > 1}


def _nodes(first: list[str], second: list[str], units: Ints, *, by_text: bool) -> Ints:
    """Return the two nodes of every pair: its unit, and the node of a text that other units hold too, if it has one.

    Such a text is the unit in which it is a ``text_1``, where that is one unit, else a node of its own. With
    ``by_text`` only hubs recur, on either side, and no unit owns a hub.
    """
    recurring = _recurring(first, second, units)
    owners: dict[str, set[int]] = defaultdict(set)
    for one, unit in zip(first, units.tolist(), strict=True):
        owners[one].add(unit)
    own: dict[str, int] = {}
    next_node = int(units.max(initial=-1)) + 1

    def node(key: str, unit: int) -> int:
        if key not in recurring:
            return unit
        if not by_text and len(owners[key]) == 1:
            return next(iter(owners[key]))
        return own.setdefault(key, next_node + len(own))

    nodes = np.empty((len(units), 2), dtype=np.int64)
    for pair, (one, two, unit) in enumerate(zip(first, second, units.tolist(), strict=True)):
        of_one, of_two = node(one, unit) if by_text else unit, node(two, unit)
        nodes[pair] = (of_one, of_two) if of_two != unit else (unit, of_one)
    return nodes
