"""Entities: which spans a row of tags means, and how many of them are found, from sums of statistics per text.

Tags are those of IOB2: ``B-TYPE`` begins an entity, ``I-TYPE`` goes on with it, ``O`` is outside. A tagger may give an
``I-`` that goes on with nothing. Read strictly, it is no part of any entity (seqeval's mode "strict" with its scheme
IOB2). Read as papers have done since CoNLL-2000, it begins one (Tjong Kim Sang and Buchholz's conlleval, seqeval's
default mode). The gold tags are legal, so that they mean the same in both.

The statistics of a text are, in this order: its gold entities; its words and how many of them have the right tag; and
for every type the entities found, the gold ones, and the predicted ones, all read strictly; and then for every type the
entities found and the predicted ones as conlleval reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OUTSIDE = "O"
SIZE, WORDS, RIGHT_WORDS, FIRST_TYPE = range(4)
"""The columns of the statistics; those of the types begin at the last."""

HITS, GOLD, PREDICTED, CONLL_HITS, CONLL_PREDICTED = range(5)
"""The blocks of columns from ``FIRST_TYPE`` on, each of one column a type."""


class Entity(NamedTuple):
    """The words ``[start, end)`` of a text, and the place of their type."""

    start: int
    end: int
    type: int


class Tags(NamedTuple):
    """The tags of a model, in the order of its logits: which of them begin an entity, and the type of each.

    ``types`` are the names of the types in order; ``type_of (tags,)`` are their places, -1 outside of any.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    type_of: Ints
    begins: NDArray[np.bool_]

    @classmethod
    def of(cls, names: Sequence[str]) -> Tags:
        """Return what tags mean; names that begin with neither ``B-`` nor ``I-`` are outside.

        >>> Tags.of(["O", "B-city", "I-city"]).types
        ('city',)
        """
        types = tuple(dict.fromkeys(name[2:] for name in names if name[:2] in ("B-", "I-")))
        type_of = [types.index(name[2:]) if name[:2] in ("B-", "I-") else -1 for name in names]
        return cls(tuple(names), types, np.array(type_of, np.int64), np.array([name[:2] == "B-" for name in names]))

    @property
    def outside(self) -> int:
        """The place of the tag for no entity."""
        return int(np.flatnonzero(self.type_of < 0)[0])

    @property
    def inside(self) -> Ints:
        """For every tag the place of the one that goes on with its type, or with being outside."""
        places = {name: place for place, name in enumerate(self.names)}
        return np.array([places.get(f"I-{name[2:]}", place) for place, name in enumerate(self.names)], np.int64)

    def entities(self, tags: Ints, *, strict: bool) -> Iterator[Entity]:
        """Yield the entities of a row of tags, given by their places; see the top of the file for ``strict``.

        >>> tags = Tags.of(["O", "B-city", "I-city"])
        >>> [list(tags.entities(np.array([2, 0, 1, 2]), strict=strict)) for strict in (True, False)]
        [[Entity(start=2, end=4, type=0)], [Entity(start=0, end=1, type=0), Entity(start=2, end=4, type=0)]]
        """
        start, inside = 0, -1
        kinds, begin = self.type_of[tags].tolist(), self.begins[tags].tolist()
        for place, (kind, begins) in enumerate(zip(kinds, begin, strict=True)):
            if inside >= 0 and (begins or kind != inside):
                yield Entity(start, place, inside)
                inside = -1
            if kind >= 0 and inside < 0 and (begins or not strict):
                start, inside = place, kind
        if inside >= 0:
            yield Entity(start, len(tags), inside)


def statistics_of(gold: Sequence[Ints], predicted: Sequence[Ints], tags: Tags, *, beyond: Ints) -> Floats:
    """Return the statistics of texts, ``(texts, 3 + 5 types)``, from the places of their gold and predicted tags.

    ``beyond (texts, types)`` counts further gold entities that no tags can express, as where one ends inside a word:
    nobody finds them.
    """
    types = len(tags.types)
    statistics = np.zeros((len(gold), FIRST_TYPE + 5 * types))
    blocks = statistics[:, FIRST_TYPE:].reshape(len(gold), 5, types)
    blocks[:, GOLD] = beyond
    for row, (true, given) in enumerate(zip(gold, predicted, strict=True)):
        statistics[row, WORDS], statistics[row, RIGHT_WORDS] = len(true), np.count_nonzero(true == given)
        present = set(tags.entities(true, strict=True))
        for entity in present:
            blocks[row, GOLD, entity.type] += 1
        for strict, hits, counted in ((True, HITS, PREDICTED), (False, CONLL_HITS, CONLL_PREDICTED)):
            for entity in tags.entities(given, strict=strict):
                blocks[row, counted, entity.type] += 1
                blocks[row, hits, entity.type] += entity in present
    statistics[:, SIZE] = blocks[:, GOLD].sum(axis=1)
    return statistics


def metrics(types: int) -> dict[str, Callable[[Floats], Floats]]:
    """Return every metric by name, as a function of summed statistics ``(..., 3 + 5 types)`` for so many types.

    All are in [0, 1], over all types together (micro averages), and NaN where there is no gold entity.
    """

    def block(sums: Floats, number: int) -> Floats:
        first = FIRST_TYPE + number * types
        return sums[..., first : first + types].sum(axis=-1)

    return {
        "entity_f1": lambda sums: _f1(block(sums, HITS), block(sums, GOLD), block(sums, PREDICTED)),
        "entity_precision": lambda sums: _ratio(block(sums, HITS), block(sums, PREDICTED), block(sums, GOLD)),
        "entity_recall": lambda sums: _ratio(block(sums, HITS), block(sums, GOLD), block(sums, GOLD)),
        "conlleval_f1": lambda sums: _f1(block(sums, CONLL_HITS), block(sums, GOLD), block(sums, CONLL_PREDICTED)),
        "word_accuracy": lambda sums: _ratio(sums[..., RIGHT_WORDS], sums[..., WORDS], sums[..., WORDS]),
    }


def f1_of_type(place: int, types: int) -> Callable[[Floats], Floats]:
    """Return the strict F1 of one type as a function of summed statistics ``(..., 3 + 5 types)``."""
    hits, gold, predicted = (FIRST_TYPE + block * types + place for block in (HITS, GOLD, PREDICTED))
    return lambda sums: _f1(sums[..., hits], sums[..., gold], sums[..., predicted])


def _f1(hits: Floats, gold: Floats, predicted: Floats) -> Floats:
    """Return 2 hits / (gold + predicted) (van Rijsbergen 1979, Information Retrieval), NaN without gold entities."""
    return _ratio(2 * hits, gold + predicted, gold)


def _ratio(part: Floats, whole: Floats, needed: Floats) -> Floats:
    """Return the quotient, 0 where the denominator is 0, as seqeval has it; NaN where what is ``needed`` is 0."""
    quotient = np.divide(part, whole, out=np.zeros(np.shape(whole)), where=whole > 0)
    return np.where(needed > 0, quotient, np.nan)
