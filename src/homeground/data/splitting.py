"""Which split each unit goes to: a pure function of the units, the seed and the version of the algorithm.

So the same data is split the same way in every run, and nothing that belongs together straddles two splits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homeground.data.units import numbered
from homeground.errors import DataError, UsageError
from homeground.randomness import generator

Ints = NDArray[np.int64]

Names = NDArray[np.str_]
"""The split of every example, "train", "validation" or "test", shape ``(examples,)``."""

MAX_TEST_SHARE = 0.4
"""The share of the data above which the test split takes no more for the sake of ``at_least_test``."""

SPLIT_VERSIONS = (1,)


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
    first and gets at least ``at_least_test`` examples, as far as that is no more than ``MAX_TEST_SHARE`` of them; then
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
    labels = np.zeros(examples, dtype=np.int64) if strata is None else numbered(np.asarray(strata).tolist())
    order = _stratified_order(unit_of, labels, seed, version)
    wanted_test = max(1, round(test * examples), min(at_least_test, int(MAX_TEST_SHARE * examples)))
    chosen_test = _take(order, sizes, wanted_test, leave=wanted_splits - 1) if test else []
    in_test = set(chosen_test)
    rest = [unit for unit in order if unit not in in_test]
    chosen_validation = _take(rest, sizes, max(1, round(validation * examples)), leave=1) if validation else []
    names = np.full(len(sizes), "train", dtype="<U10")
    names[chosen_test] = "test"
    names[chosen_validation] = "validation"
    if len(set(names.tolist())) < wanted_splits:
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
    # The largest units first, each into the fold that has the fewest examples so far.
    for unit in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold_of[unit] = np.argmin(filled)
        filled[fold_of[unit]] += sizes[unit]
    return fold_of[unit_of]


def most_frequent(unit_of: Ints, labels: Ints) -> Ints:
    """Return the most frequent label of every unit, of equally frequent ones the smallest, shape ``(units,)``.

    Both numberings begin at 0, and every unit has an example. No table of units by labels is made: of a million units
    and hundreds of labels it would not fit into memory.
    """
    width = int(labels.max(initial=0)) + 1
    pairs, counts = np.unique(unit_of * width + labels, return_counts=True)
    units, their_labels = pairs // width, pairs % width
    order = np.lexsort((their_labels, -counts, units))
    first = np.unique(units[order], return_index=True)[1]
    return their_labels[order][first]


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
    stratum = most_frequent(unit_of, labels)
    lonely = set(unit_of[np.bincount(labels)[labels] == 1].tolist())
    shuffled = generator(seed, "split", version).permutation(len(stratum))
    ordered: list[int] = shuffled[np.argsort(stratum[shuffled], kind="stable")].tolist()
    return [unit for unit in ordered if unit not in lonely]


def _take(order: list[int], sizes: Ints, wanted: int, *, leave: int) -> list[int]:
    """Choose whole units of about ``wanted`` examples, evenly along the order, leaving at least ``leave`` units.

    A unit is taken when that brings what is taken nearer to the share due so far; what is missing at the end is filled
    by the units whose size fits best, unless they hold more than twice what is missing.
    """
    ordered = sizes[order]
    total = int(ordered.sum())
    chosen: list[int] = []
    seen = taken = 0
    for place, size in enumerate(ordered.tolist()):
        seen += size
        if wanted * seen / total - taken >= size / 2 and len(order) - len(chosen) > leave:
            chosen.append(place)
            taken += size
    # How far each unit is from what is missing; one that is chosen is out of the question.
    is_chosen = np.zeros(len(order), np.bool_)
    is_chosen[chosen] = True
    while taken < wanted and len(order) - len(chosen) > leave:
        distance = np.where(is_chosen, np.inf, np.abs(ordered - (wanted - taken)))
        best = int(distance.argmin())
        if chosen and ordered[best] > 2 * (wanted - taken):
            break
        chosen.append(best)
        is_chosen[best] = True
        taken += int(ordered[best])
    return [order[place] for place in chosen]
