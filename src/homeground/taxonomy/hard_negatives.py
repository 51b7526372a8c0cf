"""Hard negatives: texts that an encoder takes for similar, though nothing in the taxonomy joins their concepts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from homeground.randomness import generator
from homeground.taxonomy.taxonomy import Concept, Taxonomy

CONCEPTS_AT_ONCE = 512
"""Concepts compared at once; with MAX_POOL it bounds the memory (40 MB)."""

MAX_POOL = 20_000
"""Concepts that every other is compared with: all up to so many, else a sample, so that the time grows linearly."""


def hard_negatives(
    taxonomy: Taxonomy, concepts: Sequence[Concept], embeddings: NDArray[np.float32], *, wanted: int, seed: int
) -> list[tuple[int, int]]:
    """Return for every concept up to ``wanted`` others whose titles are nearest by cosine, as pairs of places.

    ``embeddings (concepts, dimensions)`` are of the titles. Concepts are admissible that have no node above them and no
    name in common, nor titles of other concepts that have. Exact up to ``MAX_POOL`` concepts; of more, the nearest in a
    sample of so many.
    """
    count = len(concepts)
    vectors = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    pool = np.arange(count)
    if count > MAX_POOL:
        pool = np.sort(generator(seed, "hard negatives").choice(count, MAX_POOL, replace=False))
    branches = np.array([taxonomy.branch(concept.node) for concept in concepts])
    pairs: list[tuple[int, int]] = []
    for begin in range(0, count, CONCEPTS_AT_ONCE):
        rows = slice(begin, begin + CONCEPTS_AT_ONCE)
        near = vectors[rows] @ vectors[pool].T
        near[branches[rows][:, None] == branches[pool]] = -np.inf
        for place, row in enumerate(near, start=begin):
            pairs += [(place, other) for other in _nearest(taxonomy, concepts, place, row, pool, wanted)]
    return pairs


def _nearest(
    taxonomy: Taxonomy,
    concepts: Sequence[Concept],
    place: int,
    near: NDArray[np.float32],
    pool: NDArray[np.int64],
    wanted: int,
) -> list[int]:
    """Return the nearest admissible ones of the pool; all of it is sorted only where the first few do not suffice.

    ``near (pool,)`` are the cosines of one concept with the pool, -inf in its own branch.
    """
    few = min(4 * wanted + 16, len(near))
    concept = concepts[place]
    for candidates in (np.argpartition(-near, few - 1)[:few], np.arange(len(near))):
        ordered = candidates[np.argsort(-near[candidates], kind="stable")]
        others = pool[ordered[np.isfinite(near[ordered])]].tolist()
        kept = [
            other
            for other in others
            if not taxonomy.common_depth(concept.node, concepts[other].node)
            and not concept.shares_a_name(concepts[other])
            and not taxonomy.have_closer_namesakes(concept, concepts[other], concepts[other].keys[0])
        ][:wanted]
        if len(kept) == wanted:
            return kept
    return kept
