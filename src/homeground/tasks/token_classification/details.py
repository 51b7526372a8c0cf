"""What a report shows of entities: scores per type, kinds of errors, and texts with what changed in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.statistics import entities as formulas
from homeground.statistics.entities import Entity, Tags
from homeground.tasks.task import MeasuredModel
from homeground.tasks.token_classification.tagged import TaggedText

Floats = NDArray[np.float64]

MOST_CONFUSIONS = 10
MOST_TEXTS = 6
"""Texts that are shown of those where more is right after adapting, and as many of those where less is."""

ERRORS = ("boundary", "type", "boundary_and_type", "missed", "spurious")
"""The kinds of errors: an entity is found with other ends, with another type, with both; not at all; or invented."""


def entity_details(
    tags: Tags, texts: Sequence[TaggedText], before: MeasuredModel, after: MeasuredModel
) -> dict[str, Any]:
    """Return what scores.json holds for this task alone."""
    sides = {"before": before, "after": after}
    gold = [_gold(tags, text) for text in texts]
    given = {name: [_predicted(tags, text, row) for text, row in _rows(texts, side)] for name, side in sides.items()}
    errors = {name: errors_of(gold, each) for name, each in given.items()}
    for counts, confused in errors.values():
        for name in (name for text in texts for name in text.unexpressed):
            counts["missed"] += 1
            confused[tags.types.index(name), -1, "missed"] += 1
    return {
        "classes": list(tags.types),
        "per_class": {name: _per_type(tags, side) for name, side in sides.items()},
        "entities": {
            "errors": {
                name: {kind: counts[kind] for kind in ("right", *ERRORS)} for name, (counts, _) in errors.items()
            },
            "confusions": _confusions(tags, errors["before"][1], errors["after"][1]),
            "texts": _changed(tags, texts, gold, given["before"], given["after"]),
        },
    }


def marked(tags: Tags, text: TaggedText, prediction: Floats) -> list[list[Any]]:
    """Return the entities of a prediction as ``[start, end, type, probability]``, in characters.

    An inside tag that goes on with nothing begins an entity, as in ``Tagger.entities``; the probability is the mean of
    those of its words.
    """
    return [
        [text.words[each.start][0], text.words[each.end - 1][1], tags.types[each.type], round(probability, 6)]
        for each, probability in _with_probabilities(tags, text, prediction)
    ]


def errors_of(gold: Sequence[set[Entity]], given: Sequence[set[Entity]]) -> tuple[Counter[str], Counter[Any]]:
    """Return how many entities are right, and how many errors of every kind there are; and which types were confused.

    A predicted entity is held against the gold one that it overlaps most. What is confused is ``(gold type, predicted
    type, kind)``, either type -1 where there is none (after the error types of MUC-5, Chinchor & Sundheim 1993).

    >>> counts, confused = errors_of([{Entity(0, 2, 0), Entity(4, 5, 1)}], [{Entity(0, 1, 0), Entity(6, 7, 1)}])
    >>> dict(counts)
    {'right': 0, 'boundary': 1, 'spurious': 1, 'missed': 1}
    >>> sorted(confused)
    [(-1, 1, 'spurious'), (0, 0, 'boundary'), (1, -1, 'missed')]
    """
    counts: Counter[str] = Counter()
    confused: Counter[Any] = Counter()
    for true, predicted in zip(gold, given, strict=True):
        counts["right"] += len(true & predicted)
        left = set(true - predicted)
        for entity in sorted(predicted - true):
            touched = max(left, key=lambda each: (_overlap(each, entity), -each.start), default=None)
            if touched is None or not _overlap(touched, entity):
                kind, other = "spurious", -1
            else:
                left.discard(touched)
                same = touched[:2] == entity[:2], touched.type == entity.type
                kind = {(True, False): "type", (False, True): "boundary"}.get(same, "boundary_and_type")
                other = touched.type
            counts[kind] += 1
            confused[other, entity.type, kind] += 1
        for entity in left:
            counts["missed"] += 1
            confused[entity.type, -1, "missed"] += 1
    return counts, confused


def _overlap(one: Entity, other: Entity) -> int:
    return max(min(one.end, other.end) - max(one.start, other.start), 0)


def _rows(texts: Sequence[TaggedText], side: MeasuredModel) -> list[tuple[TaggedText, Floats]]:
    return list(zip(texts, side.measurement.predictions, strict=True))


def _gold(tags: Tags, text: TaggedText) -> set[Entity]:
    places = {name: place for place, name in enumerate(tags.names)}
    return set(tags.entities(np.array([places[tag] for tag in text.tags], np.int64), strict=True))


def _predicted(tags: Tags, text: TaggedText, prediction: Floats) -> set[Entity]:
    return set(tags.entities(prediction[: len(text.words)].astype(np.int64), strict=True))


def _with_probabilities(tags: Tags, text: TaggedText, prediction: Floats) -> list[tuple[Entity, float]]:
    words, width = len(text.words), len(prediction) // 2
    of_words = prediction[width : width + words]
    found = tags.entities(prediction[:words].astype(np.int64), strict=False)
    return [(each, float(of_words[each.start : each.end].mean())) for each in found]


def _per_type(tags: Tags, side: MeasuredModel) -> list[dict[str, Any]]:
    count = len(tags.types)
    sums = side.measurement.statistics.sum(axis=0)[formulas.FIRST_TYPE :].reshape(5, count)
    intervals = side.intervals([formulas.f1_of_type(place, count) for place in range(count)])
    rows: list[dict[str, Any]] = []
    for place, name in enumerate(tags.types):
        hits, gold, predicted = (float(each) for each in sums[:3, place])
        low, high = intervals[place]
        rows.append(
            {
                "label": name,
                "precision": hits / predicted if predicted else 0.0,
                "recall": hits / gold if gold else 0.0,
                "f1": 2 * hits / (gold + predicted) if gold + predicted else 0.0,
                "support": int(gold),
                "low": low,
                "high": high,
            }
        )
    return rows


def _confusions(tags: Tags, before: Counter[Any], after: Counter[Any]) -> list[dict[str, Any]]:
    """Return what is confused most often after adapting, with how often it was before."""
    names = (*tags.types, None)
    order = sorted(after, key=lambda each: (-after[each], -before[each], each))[:MOST_CONFUSIONS]
    return [
        {"gold": names[gold], "predicted": names[given], "kind": kind, "before": before[each], "after": after[each]}
        for each in order
        for gold, given, kind in [each]
    ]


def _changed(
    tags: Tags,
    texts: Sequence[TaggedText],
    gold: Sequence[set[Entity]],
    before: Sequence[set[Entity]],
    after: Sequence[set[Entity]],
) -> list[dict[str, Any]]:
    """Return the texts in which most entities became right, and those in which most became wrong."""
    gains = [
        len(true & second) - len(true & first) - (len(second - true) - len(first - true))
        for true, first, second in zip(gold, before, after, strict=True)
    ]
    order = sorted(range(len(texts)), key=lambda place: (-gains[place], place))
    chosen = [place for place in order[:MOST_TEXTS] if gains[place] > 0]
    chosen += [place for place in reversed(order[-MOST_TEXTS:]) if gains[place] < 0]
    return [
        {
            "row": texts[place].row,
            "text": texts[place].texts[0],
            "gain": gains[place],
            **{
                name: [_in_characters(tags, texts[place], each) for each in sorted(side[place])]
                for name, side in (("gold", gold), ("before", before), ("after", after))
            },
        }
        for place in chosen
    ]


def _in_characters(tags: Tags, text: TaggedText, entity: Entity) -> list[Any]:
    return [text.words[entity.start][0], text.words[entity.end - 1][1], tags.types[entity.type]]
