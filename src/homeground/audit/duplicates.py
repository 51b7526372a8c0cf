"""Texts that occur more than once: nearly the same, and the same text with different labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from homeground.audit.audited import AuditedExamples, text_identity
from homeground.audit.near_duplicates import NearDuplicates, near_duplicates
from homeground.data.examples import Example
from homeground.data.leakage import rows_learned
from homeground.results.audit import ConflictRecord, NearDuplicatesRecord, TextPair
from homeground.shelf import Derived

ALMOST_EQUAL = 0.7
"""Similarity from which near-duplicates are hardly two texts: one edited word in a long sentence, or an added one."""

MAX_PAIRS_SHOWN = 20
MAX_CONFLICTS_SHOWN = 20

LEARNED_FROM = ("train", "validation")


def near_duplicate_texts(audited: AuditedExamples) -> tuple[NearDuplicatesRecord, NearDuplicates]:
    """Return the near-duplicates among the texts that differ, as a record and as places in ``first_of_text``."""
    first: list[int] = audited.first_of_text.tolist()
    found = near_duplicates(Derived(len(first), lambda place: audited.texts[first[place]]))
    almost = found.pairs[found.similarity >= ALMOST_EQUAL]
    crossing = {pair for pair in map(tuple, almost.tolist()) if _crosses(audited, first, pair)}
    other = {pair for pair in map(tuple, almost.tolist()) if _labels_differ(audited, first, pair)}
    tested = {place for pair in crossing for place in pair if audited.splits[first[place]] == "test"}
    order = sorted(
        range(len(found.pairs)),
        key=lambda each: (tuple(found.pairs[each].tolist()) not in crossing | other, -found.similarity[each]),
    )
    record = NearDuplicatesRecord(
        texts=len(np.unique(found.pairs)),
        almost_equal=len(np.unique(almost)),
        clusters=len(np.unique(found.clusters_from()[found.pairs[:, 0]])),
        not_compared=found.left_out,
        test_in_training=len(tested),
        other_label=len(other),
        pairs=tuple(_pair(audited, first, found, each) for each in order[:MAX_PAIRS_SHOWN]),
    )
    return record, found


def _pair(audited: AuditedExamples, first: list[int], found: NearDuplicates, number: int) -> TextPair:
    one, two = (first[place] for place in found.pairs[number].tolist())
    labels = (audited.label(one), audited.label(two))
    return TextPair(
        rows=(audited.examples[one].row, audited.examples[two].row),
        splits=(audited.splits[one], audited.splits[two]),
        texts=(audited.shown(one), audited.shown(two)),
        similarity=round(float(found.similarity[number]), 3),
        labels=None if labels[0] is None or labels[1] is None else (labels[0], labels[1]),
    )


def _crosses(audited: AuditedExamples, first: list[int], pair: tuple[int, ...]) -> bool:
    """Tell whether one of two texts is tested and the other learned from."""
    splits = {audited.splits[first[place]] for place in pair}
    return "test" in splits and bool(splits & set(LEARNED_FROM))


def _labels_differ(audited: AuditedExamples, first: list[int], pair: tuple[int, ...]) -> bool:
    """Tell whether two texts have different labels; scores of pairs vary by nature."""
    one, two = (audited.examples[first[place]].labels for place in pair)
    return one is not None and two is not None and set(one) != set(two)


def test_in_training(parts: Mapping[str, Sequence[Example]]) -> set[int]:
    """Return the rows of test examples with a text that is learned from or chooses, its words in the same order."""
    learned = [example for name in LEARNED_FROM for example in parts.get(name, ())]
    return rows_learned(parts.get("test", ()), learned)


def conflicts(audited: AuditedExamples) -> tuple[tuple[ConflictRecord, ...], int]:
    """Return texts that occur with different labels or scores, the most frequent first, and the number of all rows."""
    first: dict[int | tuple[int, ...], int] = {}
    repeated: dict[int, list[int]] = defaultdict(list)
    for place, example in enumerate(audited.examples):
        if example.labels is None and example.score is None:
            continue
        earlier = first.setdefault(text_identity(example), place)
        if earlier != place:
            repeated[earlier].append(place)
    groups = [[earlier, *later] for earlier, later in repeated.items()]
    groups = [each for each in groups if len({audited.label(place) for place in each}) > 1]
    groups.sort(key=len, reverse=True)
    records = tuple(
        ConflictRecord(
            text=audited.shown(each[0]),
            rows=tuple(audited.examples[place].row for place in each[:MAX_CONFLICTS_SHOWN]),
            splits=tuple(audited.splits[place] for place in each[:MAX_CONFLICTS_SHOWN]),
            labels=tuple(audited.label(place) or "" for place in each[:MAX_CONFLICTS_SHOWN]),
        )
        for each in groups[:MAX_CONFLICTS_SHOWN]
    )
    return records, sum(map(len, groups))
