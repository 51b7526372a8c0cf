"""A taxonomy: groups of concepts under branches, and the scored pairs that follow from where two texts stand in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from homeground.data.linking import text_key
from homeground.errors import DataError
from homeground.randomness import generator

RELATIONS = {"alternative": 0.9, "sibling": 0.7, "stranger": 0.5}
"""Scores on the angular scale: other names of one concept, concepts of one group, and of other branches (unrelated)."""


@dataclass(frozen=True, slots=True)
class Concept:
    """One concept: its name, its other names, its group, and the branch the group belongs to."""

    title: str
    alternatives: tuple[str, ...]
    group: str
    branch: str


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """Two texts, how alike they are, and the groups their concepts stand in."""

    text_1: str
    text_2: str
    similarity: float
    relation: str
    group: str


def split_groups(concepts: Sequence[Concept], *, seed: int, shares: Mapping[str, float]) -> dict[str, list[Concept]]:
    """Return the concepts of every split, whole groups together, groups drawn from every branch alike.

    ``shares`` maps a split to its share of the groups; the first takes what is left by rounding.
    """
    by_branch: dict[str, list[str]] = defaultdict(list)
    for concept in concepts:
        if concept.group not in by_branch[concept.branch]:
            by_branch[concept.branch].append(concept.group)
    random = generator(seed, "groups")
    # Branch after branch, each shuffled, so that equal steps through the list take from every branch.
    ordered = [group for groups in by_branch.values() for group in random.permutation(groups).tolist()]
    names = list(shares)
    chosen = dict.fromkeys(ordered, names[0])
    begin = 0.0
    for name in names[1:]:
        taken = [group for place, group in enumerate(ordered) if _falls(place, begin, shares[name])]
        chosen |= dict.fromkeys(taken, name)
        begin += shares[name]
    return {name: [concept for concept in concepts if chosen[concept.group] == name] for name in names}


def _falls(place: int, begin: float, share: float) -> bool:
    """Tell whether a place of an even walk through the list falls into ``[begin, begin + share)`` of every whole."""
    golden = 0.6180339887498949  # fractional parts of its multiples fill [0, 1) evenly, and differently for every run
    return begin <= (place * golden) % 1.0 < begin + share


def scored_pairs(concepts: Sequence[Concept], *, seed: int, siblings: int = 2, strangers: int = 2) -> list[ScoredPair]:
    """Return pairs of every concept's title: with its other names, with siblings, and with strangers.

    Drawn among ``concepts`` alone, so pairs made inside each split share no text across splits. Strangers stand in
    another branch. No pair is given twice, whichever way round.

    Raises:
        DataError: the concepts stand in one branch only, so that nothing is unrelated.
    """
    by_group: dict[str, list[Concept]] = defaultdict(list)
    for concept in concepts:
        by_group[concept.group].append(concept)
    if len({concept.branch for concept in concepts}) < 2:
        raise DataError("all concepts stand in one branch; unrelated pairs need at least two")
    pairs: dict[frozenset[str], ScoredPair] = {}
    for number, concept in enumerate(concepts):
        random = generator(seed, "pairs", number)
        family = [other for other in by_group[concept.group] if other.title != concept.title]
        others = [concepts[place] for place in random.permutation(len(concepts))[: 8 * strangers].tolist()]
        far = [other for other in others if other.branch != concept.branch][:strangers]
        near = [family[place] for place in random.permutation(len(family))[:siblings].tolist()]
        named: Iterable[tuple[str, str]] = [
            *(("alternative", name) for name in concept.alternatives),
            *(("sibling", other.title) for other in near),
            *(("stranger", other.title) for other in far),
        ]
        for relation, text in named:
            both = frozenset((text_key(concept.title), text_key(text)))
            if len(both) == 2:
                pair = ScoredPair(concept.title, text, RELATIONS[relation], relation, concept.group)
                pairs.setdefault(both, pair)
    return list(pairs.values())
