"""Scored pairs are drawn from a taxonomy: how similar two texts are follows from the places of their concepts.

Nothing grows faster than the number of concepts: candidates are drawn by their places in a depth-first walk, in which
all concepts below a node are side by side, and never listed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from homeground.errors import DataError
from homeground.randomness import generator
from homeground.taxonomy.taxonomy import Concept, Taxonomy

COUNTS = {"alternative": 2, "description": 1, "parent": 1, "sibling": 1, "cousin": 1, "stranger": 2}
"""Pairs of every concept by relation, as far as it has so many; a few are drawn from both sides."""

SCORES: dict[str, float | None] = {
    "alternative": 0.9,
    "description": 1.0,
    "parent": None,
    "sibling": None,
    "cousin": None,
    "stranger": 0.5,
    "hard_negative": 0.5,
}
"""Scores on the angular scale; None follows from the tree, between a stranger's score and an alternative's."""

MAX_SHUFFLED = 1000
"""Candidates up to which all are shuffled to draw a few; of more they are drawn one by one, in constant time."""

DRAWS_PER_PAIR = 32
"""Draws for each pair that is wanted, since some candidates are in the same branch or share a name."""


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """Two texts, how similar they are, in [0, 1], their relation, and the group of the first one's concept."""

    text_1: str
    text_2: str
    similarity: float
    relation: str
    group: str


@dataclass(frozen=True)
class DrawnPairs:
    """Pairs, none of them twice, and how many draws were rejected.

    ``homonyms``: both concepts have a name in common. ``namesakes``: the two texts also belong to concepts that are
    closer to each other.
    """

    pairs: list[ScoredPair]
    homonyms: int
    namesakes: int


@dataclass(frozen=True)
class Pairing:
    """Pairs of a concept by relation and their scores; ``depth`` is that of the groups named with every pair."""

    depth: int
    counts: Mapping[str, int]
    scores: Mapping[str, float | None]

    def score(self, taxonomy: Taxonomy, relation: str, one: Concept, two: Concept) -> float:
        """Return the score of a pair: that of its relation, or the one that follows from the tree.

        ``stranger + (alternative - stranger) * closeness``, to four digits: another name of the same concept is as
        close as two names get, a stranger as far.
        """
        fixed = self.scores.get(relation)
        if fixed is not None:
            return fixed
        low, high = self.scores["stranger"] or 0.0, self.scores["alternative"] or 0.0
        return round(low + (high - low) * taxonomy.closeness(one.node, two.node), 4)


def draw_pairs(
    taxonomy: Taxonomy,
    concepts: Sequence[Concept],
    pairing: Pairing,
    *,
    seed: int,
    hard_negatives: Iterable[tuple[int, int]] = (),
) -> DrawnPairs:
    """Return pairs of every concept's title: with its other names, its description, and other concepts' titles.

    Drawn among ``concepts`` alone, so pairs drawn inside each split share no text across splits. Strangers have no node
    above them in common; for every description that of a stranger is drawn too, so that being a description says
    nothing about the score. Concepts with a name in common make no pair, nor do texts that also belong to concepts
    closer to each other, wherever in the taxonomy. ``hard_negatives`` are places of concepts. No pair comes twice,
    whichever way round. Time and memory grow with the number of concepts.

    Raises:
        DataError: the concepts are in one branch only, so that nothing is unrelated.
    """
    if pairing.counts.get("stranger") and len({taxonomy.branch(concept.node) for concept in concepts}) < 2:
        raise DataError(
            "all concepts stand in one branch; unrelated pairs need at least two (--hold-out a deeper level, or a "
            "--branch-depth below a root that holds everything; --count stranger=0 goes without)"
        )
    draw = _Draw(taxonomy, concepts, pairing, seed)
    pairs: list[ScoredPair] = []
    drawn: set[tuple[str, str]] = set()
    hard: dict[int, list[int]] = defaultdict(list)
    for one, two in hard_negatives:
        hard[one].append(two)
    for number, concept in enumerate(concepts):
        group = taxonomy.names[taxonomy.unit(concept.node, pairing.depth)]
        for relation, text, key, other in draw.partners(number, hard.get(number, ())):
            title = concept.keys[0]
            both = (title, key) if title < key else (key, title)
            if title != key and both not in drawn:
                drawn.add(both)
                score = pairing.score(taxonomy, relation, concept, other)
                pairs.append(ScoredPair(concept.title, text, score, relation, group))
    return DrawnPairs(pairs, draw.homonyms, draw.namesakes)


Partner = tuple[str, str, str, Concept]
"""A relation, the text that stands in it to a title, the text's key, and the text's concept."""


class _Draw:
    """The concepts of one split, indexed for drawing: by node, by family (the same parent), and by depth-first walk."""

    def __init__(self, taxonomy: Taxonomy, concepts: Sequence[Concept], pairing: Pairing, seed: int) -> None:
        self.homonyms = self.namesakes = 0
        self._taxonomy, self._concepts, self._pairing, self._seed = taxonomy, concepts, pairing, seed
        self._by_node = {concept.node: number for number, concept in enumerate(concepts)}
        self._families: dict[int, list[int]] = defaultdict(list)
        self._place_in_family: list[int] = []
        for number, concept in enumerate(concepts):
            family = self._families[self._parent(concept)]
            self._place_in_family.append(len(family))
            family.append(number)
        # The concepts in the order of the walk, and the step of each; all below a node are one slice of it.
        self._walk = sorted(range(len(concepts)), key=lambda number: taxonomy.spans[concepts[number].node][0])
        self._steps = [taxonomy.spans[concepts[number].node][0] for number in self._walk]

    def partners(self, number: int, hard: Sequence[int]) -> Iterator[Partner]:
        """Yield everything that makes a pair with the title of one concept."""
        concept, counts = self._concepts[number], self._pairing.counts
        random = generator(self._seed, "pairs", number)
        described = min(counts.get("description", 0), 1 if concept.description else 0)
        strangers = self._strangers(random, concept, counts.get("stranger", 0), described)
        siblings = self._siblings(random, number, counts.get("sibling", 0))
        cousins = self._cousins(random, concept, counts.get("cousin", 0))
        names = zip(concept.alternatives, concept.keys[1:], strict=True)
        for name, key in list(names)[: counts.get("alternative", 0)]:
            yield "alternative", name, key, concept
        if described:
            yield "description", concept.description, concept.description_key, concept
        above = self._by_node.get(self._parent(concept))
        if above is not None and counts.get("parent") and self._distinct(concept, self._concepts[above]):
            yield _titled("parent", self._concepts[above])
        yield from (_titled("sibling", other) for other in siblings)
        yield from (_titled("cousin", other) for other in cousins)
        yield from strangers
        yield from (_titled("hard_negative", self._concepts[other]) for other in hard)

    def _strangers(self, random: np.random.Generator, concept: Concept, wanted: int, described: int) -> list[Partner]:
        """Return titles of concepts that have no node above them in common with this one, and a description."""
        titles: list[Partner] = []
        descriptions: list[Partner] = []
        branch = self._taxonomy.branch(concept.node)
        for place in some(random, len(self._concepts), DRAWS_PER_PAIR * wanted) if wanted else ():
            other = self._concepts[place]
            if len(titles) >= wanted and len(descriptions) >= described:
                break
            if self._taxonomy.branch(other.node) == branch or self._taxonomy.common_depth(concept.node, other.node):
                continue
            if len(titles) < wanted:
                if self._distinct(concept, other):
                    titles.append(_titled("stranger", other))
            elif other.description and self._distinct(concept, other, other.description_key):
                descriptions.append(("stranger", other.description, other.description_key, other))
        return titles + descriptions

    def _siblings(self, random: np.random.Generator, number: int, wanted: int) -> list[Concept]:
        """Return concepts with the same parent; branches are no siblings."""
        concept = self._concepts[number]
        family, place_of_concept = self._families[self._parent(concept)], self._place_in_family[number]
        if self._parent(concept) < 0:
            return []
        # Of the family without the concept itself: places from its own on are one further.
        places = some(random, len(family) - 1, DRAWS_PER_PAIR * wanted)
        others = (self._concepts[family[place + (place >= place_of_concept)]] for place in places)
        return _first(wanted, (other for other in others if self._distinct(concept, other)))

    def _cousins(self, random: np.random.Generator, concept: Concept, wanted: int) -> list[Concept]:
        """Return concepts whose deepest common node with this one is above its parent, equally many at any depth."""
        way = self._taxonomy.way(concept.node)
        cousins: list[Concept] = []
        levels = some(random, len(way) - 2, len(way)) if wanted else []
        for level in levels:
            if len(cousins) >= wanted:
                break
            # The slice of the walk below the node of this level, without the node itself and without the inner slice
            # below the next node on the way to the concept: places from the inner slice on are moved behind it.
            low, high = self._slice_below(way[level])
            inner, outer = self._slice_below(way[level + 1])
            low += low < high and self._steps[low] == self._taxonomy.spans[way[level]][0]
            places = some(random, high - low - (outer - inner), DRAWS_PER_PAIR * wanted)
            at = (low + place if low + place < inner else low + place + outer - inner for place in places)
            others = (self._concepts[self._walk[place]] for place in at)
            cousins += _first(-(-wanted // len(levels)), (other for other in others if self._distinct(concept, other)))
        return cousins[:wanted]

    def _slice_below(self, node: int) -> tuple[int, int]:
        first, after = self._taxonomy.spans[node]
        return bisect_left(self._steps, first), bisect_left(self._steps, after)

    def _parent(self, concept: Concept) -> int:
        above = self._taxonomy.parents[concept.node]
        return above[0] if above else -1

    def _distinct(self, one: Concept, two: Concept, key: str | None = None) -> bool:
        """Tell whether a title and a text of another concept (its title without ``key``) mean only these two.

        What does not is counted.
        """
        if one.shares_a_name(two):
            self.homonyms += 1
            return False
        is_rejected = self._taxonomy.have_closer_namesakes(one, two, two.keys[0] if key is None else key)
        self.namesakes += is_rejected
        return not is_rejected


def some(random: np.random.Generator, count: int, wanted: int) -> list[int]:
    """Return up to ``wanted`` different numbers below ``count``, in random order."""
    if count <= 1:
        return list(range(min(count, wanted)))
    if count <= MAX_SHUFFLED:
        return random.permutation(count)[:wanted].tolist()
    return list(dict.fromkeys(random.integers(count, size=wanted).tolist()))


def _first(wanted: int, concepts: Iterator[Concept]) -> list[Concept]:
    return list(islice(concepts, wanted))


def _titled(relation: str, concept: Concept) -> Partner:
    return relation, concept.title, concept.keys[0], concept
