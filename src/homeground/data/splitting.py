"""Which examples belong together, and which split each of them goes to.

A unit is what is independent of everything else: an example, a group the user named, or all pairs that share a text.
Units go to a split whole and are what the bootstrap resamples. Splits are a pure function of the units, the seed and
the version of the algorithm, so that the same data is split the same way in every run.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homeground.errors import DataError, UsageError
from homeground.randomness import generator

Ints = NDArray[np.int64]
Names = NDArray[np.str_]

HUB_PAIRS = 5
"""A text used in more pairs than this links nothing: through hubs, all pairs become one component."""

LARGEST_COMPONENT = 0.1
"""The share of the pairs above which a component of linked pairs leaves too few units to split or resample."""

LARGEST_TEST = 0.4
"""The share of the data above which the test split takes no more for the sake of ``at_least_test``."""

SPLIT_VERSIONS = (1,)


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
    rule: Literal["group", "shared text", "text_1"]
    hubs: tuple[Hub, ...]
    recurring_text_2: int


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

    >>> link_texts(["Good.", "bad", "good"]).tolist()
    [0, 1, 0]
    """
    return _numbered([text_key(text) for text in texts] if groups is None else groups)


def link_pairs(
    text_1: Sequence[str],
    text_2: Sequence[str],
    *,
    groups: Sequence[Hashable] | None = None,
    groups_2: Sequence[Hashable] | None = None,
) -> PairUnits:
    """Return what is independent among pairs of texts.

    The unit of a pair is its group if groups are given. Otherwise pairs that share a text (by ``text_key``) are linked
    and a unit is what is linked, except that texts used in more than ``HUB_PAIRS`` pairs link nothing. Where a unit
    would still hold more than ``LARGEST_COMPONENT`` of the pairs (and more than ``HUB_PAIRS``), it is the pairs with
    the same ``text_1``. ``groups_2`` names the group of ``text_2`` where it may be another than the pair's, as in
    pairs between two branches of a taxonomy.

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
        units = _numbered(groups)
    else:
        rule, units = "shared text", _components(first, second, hubs)
        if np.bincount(units).max(initial=0) > max(LARGEST_COMPONENT * len(units), HUB_PAIRS):
            rule, units = "text_1", _numbered(first)
    if groups is not None and groups_2 is not None:
        nodes = _numbered([*groups, *groups_2]).reshape(2, -1).T
    else:
        nodes = _nodes(first, second, units, by_text=rule == "shared text")
    recurring = _recurring(first, second, units)
    listed = tuple(Hub(text, pairs) for text, pairs in hubs.values())
    return PairUnits(units, nodes, rule, listed, len(recurring & set(second)))


def score_bands(scores: ArrayLike, *, bands: int = 5) -> Ints:
    """Return the band of every score in [0, 1], shape ``(pairs,)``, as strata for ``split_units``.

    >>> score_bands([0.0, 0.19, 0.2, 1.0]).tolist()
    [0, 0, 1, 4]
    """
    # The nudge keeps 0.6 * 5 = 3.0000000000000004 and 0.2 * 5 on one side of their edge.
    placed = np.floor(np.asarray(scores, dtype=np.float64) * bands + 1e-9)
    return np.clip(placed, 0, bands - 1).astype(np.int64)


def split_units(
    units: ArrayLike,
    *,
    seed: int,
    validation: float = 0.1,
    test: float = 0.1,
    at_least_test: int = 200,
    strata: ArrayLike | None = None,
    version: int = 1,
) -> Names:
    """Return "train", "validation" or "test" for every example, shape ``(examples,)``; units stay whole.

    ``units (examples,)`` are integers; ``validation`` and ``test`` are shares of the examples. The test split is drawn
    first and gets at least ``at_least_test`` examples, as far as that is no more than ``LARGEST_TEST`` of them; then
    validation, then train. ``strata (examples,)``, integers, are spread over the splits in proportion as far as whole
    units allow; a stratum with a single example stays in train. A share of 0 means that the split is not wanted.

    Raises DataError where there are too few units for a wanted split, UsageError for shares or a version that cannot
    be followed.

    >>> splits = split_units(range(1000), seed=0)
    >>> {name: int((splits == name).sum()) for name in ("train", "validation", "test")}
    {'train': 700, 'validation': 100, 'test': 200}
    """
    _check_shares(validation, test)
    if version not in SPLIT_VERSIONS:
        raise UsageError(f"split version {version} is not known; known: {', '.join(map(str, SPLIT_VERSIONS))}.")
    _, unit_of, sizes = np.unique(np.asarray(units), return_inverse=True, return_counts=True)
    examples, wanted_splits = int(sizes.sum()), 1 + (validation > 0) + (test > 0)
    if len(sizes) < wanted_splits:
        raise DataError(
            f"{examples} examples make {len(sizes)} independent units, too few for {wanted_splits} splits that share "
            "none; give more data, a finer group column, or the splits as files."
        )
    labels = np.zeros(examples, dtype=np.int64) if strata is None else _numbered(np.asarray(strata).tolist())
    order = _stratified_order(unit_of, labels, seed, version)
    wanted_test = max(1, round(test * examples), min(at_least_test, int(LARGEST_TEST * examples)))
    chosen_test = _take(order, sizes, wanted_test, leave=wanted_splits - 1) if test else []
    in_test = set(chosen_test)
    rest = [unit for unit in order if unit not in in_test]
    chosen_validation = _take(rest, sizes, max(1, round(validation * examples)), leave=1) if validation else []
    names = np.full(len(sizes), "train", dtype="<U10")
    names[chosen_test] = "test"
    names[chosen_validation] = "validation"
    if len(np.unique(names)) < wanted_splits:
        raise DataError(
            f"{examples} examples in {len(sizes)} independent units leave a split empty, because examples whose "
            "stratum occurs once stay in train; give more data, or the splits as files."
        )
    return names[unit_of]


def ordered_split(examples: int, *, train_size: int | None = None, validation: float = 0.1, test: float = 0.1) -> Names:
    """Return the splits of rows taken in order: first train, then validation, then test, shape ``(examples,)``.

    With ``train_size`` the first that many rows are for training and the rest is shared out as ``validation`` to
    ``test``. Rows that belong together may end in different splits: order is all that counts here.

    Raises DataError where a wanted split would be empty, UsageError for shares that cannot be followed.

    >>> ordered_split(5, train_size=3, test=0.1, validation=0.1).tolist()
    ['train', 'train', 'train', 'validation', 'test']
    """
    _check_shares(validation, test)
    if train_size is None:
        in_validation, in_test = round(validation * examples), round(test * examples)
    else:
        share = validation / (validation + test) if validation + test else 0.0
        in_validation = round(share * (examples - train_size))
        in_test = examples - train_size - in_validation
    in_train = examples - in_validation - in_test
    counts = {"train": in_train, "validation": in_validation, "test": in_test}
    wanted = {"train": 1.0, "validation": validation, "test": test}
    for name, count in counts.items():
        if count < 0 or (count == 0 and wanted[name] > 0):
            raise DataError(
                f"{examples} rows in order leave {max(count, 0)} for {name}; give more rows, or another --train-size."
            )
    return np.repeat(np.array(list(counts), dtype="<U10"), list(counts.values()))


def cross_fit_folds(units: ArrayLike, folds: int, *, seed: int) -> Ints:
    """Return the fold, 0 to folds - 1, of every example, shape ``(examples,)``; units stay whole, folds even in size.

    Raises DataError where there are fewer units than folds, UsageError for fewer than 2 folds.

    >>> folds = cross_fit_folds([0, 0, 1, 1, 2, 2], 3, seed=0)
    >>> np.bincount(folds).tolist()
    [2, 2, 2]
    """
    if folds < 2:
        raise UsageError(f"{folds} folds cannot leave one out; expected at least 2.")
    _, unit_of, sizes = np.unique(np.asarray(units), return_inverse=True, return_counts=True)
    if len(sizes) < folds:
        raise DataError(f"{len(sizes)} independent units cannot fill {folds} folds; ask for fewer, or give more data.")
    shuffled = generator(seed, "folds", folds).permutation(len(sizes))
    fold_of, filled = np.zeros(len(sizes), dtype=np.int64), np.zeros(folds, dtype=np.int64)
    for unit in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold_of[unit] = np.argmin(filled)
        filled[fold_of[unit]] += sizes[unit]
    return fold_of[unit_of]


def _visible(letter: str) -> str:
    category = unicodedata.category(letter)
    # Soft hyphens, joiners and byte order marks (Cf) stand inside words; punctuation and spaces between them.
    return "" if category == "Cf" else " " if category[0] in "PZC" else letter


def _numbered(values: Iterable[Hashable]) -> Ints:
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


def _components(first: list[str], second: list[str], hubs: dict[str, tuple[str, int]]) -> Ints:
    """Return the connected component of every pair, pairs being linked by the texts that are no hubs."""
    parent = list(range(len(first)))

    def root(pair: int) -> int:
        while parent[pair] != pair:
            parent[pair] = parent[parent[pair]]
            pair = parent[pair]
        return pair

    seen: dict[str, int] = {}
    for pair, both in enumerate(zip(first, second, strict=True)):
        for key in both:
            if key not in hubs:
                parent[root(pair)] = root(seen.setdefault(key, pair))
    return _numbered(root(pair) for pair in range(len(first)))


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


def _check_shares(validation: float, test: float) -> None:
    if not (validation >= 0 and test >= 0 and validation + test < 1):
        raise UsageError(
            f"validation {validation} and test {test} leave nothing to train on, or are no shares; expected two "
            "numbers from 0 whose sum is below 1."
        )


def _stratified_order(unit_of: Ints, labels: Ints, seed: int, version: int) -> list[int]:
    """Return the units that may leave train, stratum after stratum, shuffled inside each.

    The stratum of a unit is its most frequent label. Units with a label that occurs once are left out: they stay in
    train.
    """
    table = np.zeros((unit_of.max(initial=-1) + 1, labels.max(initial=-1) + 1), dtype=np.int64)
    np.add.at(table, (unit_of, labels), 1)
    stratum = table.argmax(axis=1)
    lonely = set(unit_of[np.bincount(labels)[labels] == 1].tolist())
    shuffled = generator(seed, "split", version).permutation(len(table))
    ordered: list[int] = shuffled[np.argsort(stratum[shuffled], kind="stable")].tolist()
    return [unit for unit in ordered if unit not in lonely]


def _take(order: list[int], sizes: Ints, wanted: int, *, leave: int) -> list[int]:
    """Choose whole units of about ``wanted`` examples, evenly along the order, leaving at least ``leave`` units.

    A unit is taken when that brings what is taken nearer to the share due so far; what is missing at the end is filled
    by the units whose size fits best, unless they hold more than twice what is missing.
    """
    total = int(sizes[order].sum())
    chosen: dict[int, None] = {}
    seen = taken = 0
    for unit in order:
        size = int(sizes[unit])
        seen += size
        if wanted * seen / total - taken >= size / 2 and len(order) - len(chosen) > leave:
            chosen[unit] = None
            taken += size
    while taken < wanted and len(order) - len(chosen) > leave:
        spare = [unit for unit in order if unit not in chosen]
        fitting = {unit: abs(int(sizes[unit]) - (wanted - taken)) for unit in spare}
        best = min(fitting, key=fitting.__getitem__)
        if chosen and sizes[best] > 2 * (wanted - taken):
            break
        chosen[best] = None
        taken += int(sizes[best])
    return list(chosen)
