"""A taxonomy is split: whole branches or groups are held out, and no text is left in two splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from homeground.data.units import MIN_UNITS
from homeground.errors import DataError
from homeground.randomness import generator
from homeground.taxonomy.taxonomy import Concept, Taxonomy


@dataclass(frozen=True)
class ConceptSplits:
    """The concepts of every split; ``dropped`` counts what was removed to keep their texts apart, with ``examples``."""

    concepts: dict[str, list[Concept]]
    dropped: dict[str, int]
    examples: tuple[str, ...]


def held_out_depth(taxonomy: Taxonomy, test: float) -> int:
    """Return the depth whose groups are held out: the shallowest where the share ``test`` is enough for a verdict.

    Where none has so many groups, it is the depth with the most. Depths do not count at which half of the concepts or
    more would be groups of their own: then nothing would be held out but single concepts.
    """
    counts: dict[int, int] = {}
    for depth in range(1, max(taxonomy.depths[concept.node] for concept in taxonomy.concepts) + 1):
        units = [taxonomy.unit(concept.node, depth) for concept in taxonomy.concepts]
        singles = sum(unit == concept.node for unit, concept in zip(units, taxonomy.concepts, strict=True))
        if depth > 1 and 2 * singles >= len(units):
            break
        counts[depth] = len(set(units))
        if counts[depth] * test >= MIN_UNITS:
            return depth
    return max(counts, key=lambda depth: (counts[depth], -depth))


def split_concepts(taxonomy: Taxonomy, *, depth: int, seed: int, shares: Mapping[str, float]) -> ConceptSplits:
    """Return the concepts of every split, whole groups of one depth together, drawn from every branch alike.

    ``shares`` maps a split to its share of the groups; the first takes what is left by rounding. A text in two splits
    stays where it is a title, or else came first; in the other the alternative, the description, or the concept of that
    title is dropped.

    Raises:
        DataError: a split with a share gets no group.
    """
    units = [taxonomy.unit(concept.node, depth) for concept in taxonomy.concepts]
    by_branch: dict[int, dict[int, None]] = {}
    for unit in units:
        by_branch.setdefault(taxonomy.branch(unit), {})[unit] = None
    random = generator(seed, "groups")
    # Branch after branch, each shuffled, so that equal steps through the list take from every branch; branches of one
    # group are shuffled together, or the order of the file would say which of them are held out.
    several = [list(groups) for groups in by_branch.values() if len(groups) > 1]
    single = [group for groups in by_branch.values() if len(groups) == 1 for group in groups]
    ordered = [group for groups in [*several, single] for group in random.permutation(groups).tolist()]
    names = list(shares)
    chosen = dict.fromkeys(ordered, names[0])
    begin = 0.0
    for name in names[1:]:
        groups = [group for place, group in enumerate(ordered) if _falls_into(place, begin, shares[name])]
        chosen |= dict.fromkeys(groups, name)
        begin += shares[name]
    if empty := [name for name in names if shares[name] and name not in chosen.values()]:
        raise DataError(
            f"no group is left for {' and '.join(empty)}: only {len(ordered)} groups stand at depth {depth}; "
            "hold out groups of a deeper level with --hold-out, or raise the shares"
        )
    return _without_shared_texts(taxonomy.concepts, [chosen[unit] for unit in units], names)


def _falls_into(place: int, begin: float, share: float) -> bool:
    """Tell whether a place of the list is given to the split with ``[begin, begin + share)`` of all.

    The fractional parts of the multiples of the golden ratio fill [0, 1) evenly at every length (Weyl), so that any run
    of neighbours, such as a branch, gives to every split its share.
    """
    golden = 0.6180339887498949
    return begin <= (place * golden) % 1.0 < begin + share


def _without_shared_texts(concepts: Sequence[Concept], where: Sequence[str], names: Sequence[str]) -> ConceptSplits:
    """Return the concepts of every split without the texts that another split keeps."""
    homes: dict[str, str] = {}
    for concept, split in zip(concepts, where, strict=True):
        homes.setdefault(concept.keys[0], split)
    for concept, split in zip(concepts, where, strict=True):
        for key in (*concept.keys[1:], concept.description_key):
            homes.setdefault(key, split)
    split_up: dict[str, list[Concept]] = {name: [] for name in names}
    dropped = Counter[str]()
    examples: dict[str, None] = {}
    for concept, split in zip(concepts, where, strict=True):
        if homes[concept.keys[0]] != split:
            dropped["concepts"] += 1
            examples[concept.title] = None
            continue
        elsewhere = {key for key in (*concept.keys, concept.description_key) if key and homes[key] != split}
        kept = concept.without(elsewhere) if elsewhere else concept
        dropped["alternatives"] += len(concept.alternatives) - len(kept.alternatives)
        dropped["descriptions"] += concept.description != kept.description
        examples |= dict.fromkeys(name for name in concept.alternatives if name not in kept.alternatives)
        split_up[split].append(kept)
    return ConceptSplits(
        split_up, {kind: dropped[kind] for kind in ("concepts", "alternatives", "descriptions")}, tuple(examples)[:5]
    )
