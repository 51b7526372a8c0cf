"""Which examples belong together: the units that are independent of each other, and the nodes that are resampled.

A unit is what is independent of everything else: an example, a group the user named, or all pairs that share a text.
Units go to a split whole and are what the bootstrap resamples.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from homeground.errors import DataError

Ints = NDArray[np.int64]
Integer = TypeVar("Integer", np.int64, np.uint64)

MIN_UNITS = 30
"""Independent units below which there is no verdict."""

HUB_PAIRS = 5
"""A text used in more pairs than this links nothing: through hubs, all pairs become one component."""

LARGEST_COMPONENT = 0.1
"""The share of the pairs above which a component of linked pairs leaves too few units to split or resample."""

KEPT_PUNCTUATION = "#%"
"""Punctuation, by Unicode, that tells names and amounts apart: C# from C, 50% from 50."""


@dataclass(frozen=True)
class Hub:
    """A text used in so many pairs that it links none of them."""

    text: str
    pairs: int


@dataclass(frozen=True)
class PairUnits:
    """The independent units of examples.

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
    def count(self) -> int:
        """The number of units."""
        return int(self.units.max(initial=-1)) + 1

    @property
    def independent(self) -> int:
        """The number of units a verdict can rest on: of distinct first and distinct second nodes the fewer."""
        return min(int(np.count_nonzero(np.bincount(side))) for side in self.nodes.T)

    def only(self, places: Ints) -> PairUnits:
        """Return the units of some of the examples, numbered from 0 again."""
        units, nodes = self.units[places].tolist(), self.nodes[places].ravel().tolist()
        # Units are numbered first, so that nodes that are none of them come after.
        every = numbered([*units, *nodes])
        return replace(self, units=every[: len(units)], nodes=every[len(units) :].reshape(-1, 2))


class _KeptCharacters(dict[int, str | None]):
    """Maps the code of a character to what a key keeps of it, computed once for each character that occurs."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        category = unicodedata.category(character)
        # Soft hyphens, joiners and byte order marks (Cf) occur inside words; punctuation and spaces between them.
        kept = None if category == "Cf" else character
        if category != "Cf" and category[0] in "PZC" and character not in KEPT_PUNCTUATION:
            kept = " "
        self[code] = kept
        return kept


_KEPT = _KeptCharacters()


def text_key(text: str) -> str:
    """Return what near-duplicates of a text have in common: texts of equal keys are linked, and never straddle splits.

    The text is put into Unicode's NFKC form and casefolded; punctuation and invisible characters are removed, digits,
    symbols and accents stay, and words are sorted. So case, width, spacing, punctuation and word order do not tell two
    texts apart. One changed, added or missing word does: paraphrases and edited copies are not found.

    >>> text_key("Data  scientist, senior"), text_key("SENIOR data-scientist")
    ('data scientist senior', 'data scientist senior')
    >>> text_key("Level 1") == text_key("Level 2")
    False
    """
    return text_keys(text)[0]


def text_keys(text: str) -> tuple[str, str]:
    """Return the key of a text, and the same with its words in their order: what says that it is the very same text.

    >>> text_keys("We lost 3:1")[0] == text_keys("we lost 1:3")[0], text_keys("We lost 3:1")[1]
    (True, 'we lost 3 1')
    """
    if text.isascii():  # where both forms are the text itself
        plain = text.lower()
    else:
        plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    words = plain.translate(_KEPT).split()
    # The key of punctuation alone, such as a smiley, is the text itself.
    itself = "" if words else " ".join(plain.split())
    return itself or " ".join(sorted(words)), itself or " ".join(words)


def link_same(keys: Iterable[Hashable], *, groups: Iterable[Hashable] | None = None) -> Ints:
    """Return the unit of every text, shape ``(texts,)``: its group if groups are given, else the texts of its key.

    ``keys`` are equal for the same text. Groups that hold the same text are one unit: kept apart, one would give away
    the other.

    >>> link_same(["good", "bad", "good"]).tolist()
    [0, 1, 0]
    """
    texts = numbered(keys)
    return texts if groups is None else _components(_side_by_side(numbered(groups), texts))


def link_pairs(
    text_1: Sequence[str],
    text_2: Sequence[str],
    *,
    groups: Sequence[Hashable] | None = None,
    groups_2: Sequence[Hashable] | None = None,
    keys: Iterable[Sequence[Hashable]] | None = None,
) -> PairUnits:
    """Return the independent units of pairs of texts.

    The unit of a pair is its group if groups are given; groups that hold the same pair are one unit. Otherwise pairs
    that share a text are linked and a unit is what is linked, except that texts used in more than ``HUB_PAIRS`` pairs
    link nothing. Where a unit would still hold more than ``LARGEST_COMPONENT`` of the pairs (and more than
    ``HUB_PAIRS``), it is the pairs with the same ``text_1``, and those of the same two texts. ``groups_2`` names the
    group of ``text_2`` where it may be another than the pair's, as in pairs between two branches of a taxonomy.

    ``keys`` are two of every pair, equal for what counts as the same text; without them they are computed by
    ``text_key``. Time and memory grow with the number of pairs.

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
    if keys is None:
        keys = ((text_key(one), text_key(two)) for one, two in zip(text_1, text_2, strict=True))
    texts = numbered(key for pair in keys for key in pair).reshape(-1, 2)
    # The same two texts are linked whichever way round and in all rules: split apart, one would give away the other.
    uses = _uses(texts)
    twins = np.unique(texts.min(axis=1) * len(uses) + texts.max(axis=1), return_inverse=True)[1]
    rule: Literal["group", "shared text", "text_1"] = "group"
    if groups is not None:
        units = _components(_side_by_side(numbered(groups), twins))
    else:
        linking = np.where(uses[texts] > HUB_PAIRS, -1, texts)
        rule, units = "shared text", _components(_side_by_side(linking, twins))
        if np.bincount(units).max(initial=0) > max(LARGEST_COMPONENT * len(units), HUB_PAIRS):
            rule, units = "text_1", _components(_side_by_side(texts[:, 0], twins))
    recurring = _unit_counts(texts.T, units, len(uses)) > 1
    if groups is not None and groups_2 is not None:
        nodes = numbered([*groups, *groups_2]).reshape(2, -1).T
    else:
        nodes = _nodes(texts, units, recurring, by_text=rule == "shared text")
    recurring_text_2 = len(sorted_unique(texts[recurring[texts[:, 1]], 1]))
    return PairUnits(units, nodes, rule, _hubs(texts, uses, text_1, text_2), recurring_text_2)


def numbered(values: Iterable[Hashable]) -> Ints:
    """Number equal values alike, from 0, in order of first appearance."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], dtype=np.int64)


def sorted_unique(values: NDArray[Integer]) -> NDArray[Integer]:
    """Return the distinct values of a flat array in order, as np.unique does in sixty times the time (NumPy 2.4).

    >>> sorted_unique(np.array([3, 1, 3])).tolist()
    [1, 3]
    """
    ordered = np.sort(values)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]


def _uses(texts: Ints) -> Ints:
    """Return how many of the pairs ``(pairs, 2)`` use each text; a text paired with itself is used once."""
    other = texts[:, 1][texts[:, 0] != texts[:, 1]]
    return np.bincount(np.concatenate([texts[:, 0], other]), minlength=int(texts.max(initial=-1)) + 1)


def _hubs(texts: Ints, uses: Ints, text_1: Sequence[str], text_2: Sequence[str]) -> tuple[Hub, ...]:
    """Return every hub as its text is first written, the most used first, of equally used the one that came first."""
    order = np.argsort(-uses, kind="stable")
    hubs = order[uses[order] > HUB_PAIRS]
    first: list[int] = np.unique(texts.T, return_index=True)[1][hubs].tolist()
    written = [text_1[place] if place < len(text_1) else text_2[place - len(text_1)] for place in first]
    return tuple(Hub(text, count) for text, count in zip(written, uses[hubs].tolist(), strict=True))


def _side_by_side(one: Ints, other: Ints) -> Ints:
    """Return two numberings of what links pairs as the columns of one, in which no number has two meanings."""
    return np.column_stack([one, other + int(one.max(initial=-1)) + 1])


def _components(links: Ints) -> Ints:
    """Return the connected component of every pair, from 0 in order of first appearance, shape ``(pairs,)``.

    ``links (pairs, any)`` are numbers; pairs that have one in common are connected, a negative number links nothing.
    """
    pairs, columns = np.nonzero(links >= 0)
    # A graph of pairs and links: its nodes are the pairs, and behind them the links.
    nodes = links[pairs, columns] + len(links)
    size = int(nodes.max(initial=len(links) - 1)) + 1
    graph = coo_array((np.ones(len(pairs), np.int8), (pairs, nodes)), shape=(size, size))
    return numbered(connected_components(graph, directed=False)[1][: len(links)].tolist())


def _unit_counts(texts: Ints, units: Ints, count: int) -> Ints:
    """Return in how many units each of ``count`` texts occurs; ``texts (any, pairs)`` or ``(pairs,)``."""
    width = int(units.max(initial=-1)) + 1
    occurrences = sorted_unique((texts * width + units).ravel())
    return np.bincount(occurrences // max(width, 1), minlength=count)


def _nodes(texts: Ints, units: Ints, recurring: NDArray[np.bool_], *, by_text: bool) -> Ints:
    """Return the two nodes of every pair: its unit, and the node of a text that other units hold too, if it has one.

    Such a text is the unit in which it is a ``text_1``, where that is one unit, else a node of its own. With
    ``by_text`` only hubs recur, on either side, and no unit owns a hub. ``recurring (texts,)`` marks the texts that
    occur in several units.
    """
    owners = np.full(len(recurring), -1, np.int64)
    if not by_text:
        owners[texts[:, 0]] = units
        owners[_unit_counts(texts[:, 0], units, len(owners)) != 1] = -1
    nodes = np.where(recurring[texts], owners[texts], units[:, None])
    if not by_text:
        nodes[:, 0] = units
    is_new = nodes < 0
    nodes[is_new] = int(units.max(initial=-1)) + 1 + numbered(texts[is_new].tolist())
    # The first node is the unit wherever one of the two is.
    turned = nodes[:, 1] == units
    nodes[turned] = nodes[turned, ::-1]
    return nodes
