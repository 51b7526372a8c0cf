"""Near-duplicates: texts that share most of their short runs of characters, such as copies with a word edited.

    runs        every run of RUN_CHARACTERS characters of a text (of two in scripts without spaces), hashed
    signature   the smallest value of the runs under each of many hash functions (MinHash, Broder 1997): two texts agree
                in one of them with the probability of their Jaccard similarity |A ∩ B| / |A ∪ B|
    candidates  texts that agree in all values of one band of their signature, and in enough bytes of the whole of it
    verified    candidates whose exact Jaccard similarity is at least MIN_SIMILARITY

Texts that are equal are no near-duplicates: the caller gives every text once.
"""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from homeground.errors import UsageError
from homeground.tasks.classification.bag_of_words import TEXTS_LOOKED_AT, unspaced

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]

MIN_SIMILARITY = 0.4
"""Jaccard similarity from which two texts are near-duplicates. One edited word of a headline leaves 0.4 or more in
99.5% of the cases, two edited words in 91%; of 32 million pairs of different headlines 44 reach it."""

RUN_CHARACTERS = 4
RUN_CHARACTERS_UNSPACED = 2

SIGNING_THREADS = 2
"""Threads that compute signatures; with more, most of their time goes to waiting for Python's lock."""

MAX_CHARACTERS_OF_A_TEXT = 20_000
CHARACTERS_AT_ONCE = 500_000

MANY_TEXTS = 200_000
"""Texts from which bands are narrower nets: with shorter ones, texts that have little in common become candidates."""

BANDS, ROWS_OF_A_BAND = 42, 3
BANDS_OF_MANY, ROWS_OF_A_BAND_OF_MANY = 31, 4
"""Values are 126 and 124. A pair of similarity s is a candidate with the probability 1 - (1 - s**rows)**bands: of 0.4
0.94, of 0.5 0.996; and in large sets of 0.5 0.86, of 0.6 0.99."""

NEIGHBOURS_COMPARED = 3
"""Texts of the same band with which each is compared: a thousand texts of one template make 3,000 candidates."""

MIN_ESTIMATE = 0.25
"""Share of the bytes of two signatures that must agree: of a pair of similarity 0.4 it is below this in one of 3,000
cases (a standard deviation is 0.044)."""

PAIRS_AT_ONCE, CHARACTERS_COMPARED_AT_ONCE = 20_000, 4_000_000
MAX_CANDIDATES = 500_000
"""Candidates that are verified: a million rows of one template take no longer than a million different ones."""

_HASH_BASE, _MIXER = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)


@dataclass(frozen=True)
class NearDuplicates:
    """Pairs of ``count`` texts that are near-duplicates, the most similar first.

    ``pairs (pairs, 2)`` are places of the texts, the lower first; ``similarity (pairs,)`` is from ``MIN_SIMILARITY``
    to 1. ``left_out`` counts candidates that were not compared, because there were too many.
    """

    count: int
    pairs: Ints
    similarity: NDArray[np.float64]
    left_out: int = 0

    def clusters_from(self, similarity: float = MIN_SIMILARITY) -> Ints:
        """Return the cluster of every text, ``(texts,)``: what pairs of at least this similarity link."""
        first, second = self.pairs[self.similarity >= similarity].T
        graph = coo_array((np.ones(len(first), np.bool_), (first, second)), shape=(self.count, self.count))
        return connected_components(graph, directed=False)[1].astype(np.int64)


def near_duplicates(texts: Sequence[str]) -> NearDuplicates:
    """Return the pairs of near-duplicates among texts, none of which is given twice.

    Of long texts the first ``MAX_CHARACTERS_OF_A_TEXT`` characters count; case and runs of spaces do not.

    >>> near_duplicates(["how do I top up my card?", "how do I top up a card?", "where is it"]).pairs.tolist()
    [[0, 1]]
    """
    length = RUN_CHARACTERS_UNSPACED if unspaced(texts[:: max(len(texts) // TEXTS_LOOKED_AT, 1)]) else RUN_CHARACTERS
    keys, signatures = _signatures(texts, length)
    pairs, left_out = _candidates(keys, signatures)
    similarity = np.concatenate([np.zeros(0), *(_similarity(texts, some, length) for some in _batches(pairs, texts))])
    order = np.argsort(-similarity, kind="stable")
    order = order[similarity[order] >= MIN_SIMILARITY]
    pairs, similarity = pairs[order], similarity[order]
    return NearDuplicates(len(texts), pairs, similarity, left_out)


def _signatures(texts: Sequence[str], length: int) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    """Return of every text a 32-bit hash of every band of its signature, and one byte of each of its values.

    Their shapes are ``(bands, texts)`` and ``(texts, values)``.
    """
    bands, rows = (BANDS, ROWS_OF_A_BAND) if len(texts) <= MANY_TEXTS else (BANDS_OF_MANY, ROWS_OF_A_BAND_OF_MANY)
    keys = np.empty((bands, len(texts)), np.uint32)
    signatures = np.empty((len(texts), bands * rows), np.uint8)
    hashing = _min_hash()
    multipliers = (np.random.default_rng(0).integers(0, 2**63, rows).astype(np.uint64) << np.uint64(1)) | np.uint64(1)

    def sign(start: int, some: list[str]) -> None:
        runs, offsets = _runs(some, length)
        matrix = hashing.digest_matrix_from_flat_token_hashes(runs, offsets.astype(np.uint64), bands * rows, 0)
        values = np.array(matrix.to_rows(), np.uint64).reshape(len(some), bands, rows)
        keys[:, start : start + len(some)] = (_mixed((values * multipliers).sum(2)) >> np.uint64(32)).T
        signatures[start : start + len(some)] = _mixed(values).reshape(len(some), -1) & np.uint64(0xFF)

    # Texts are read by one thread; what is computed of them lets go of Python's lock for most of its time.
    with ThreadPoolExecutor(SIGNING_THREADS) as pool:
        waiting: deque[Future[None]] = deque()
        for start, some in _portions(texts):
            waiting.append(pool.submit(sign, start, some))
            if len(waiting) > SIGNING_THREADS:
                waiting.popleft().result()
        for each in waiting:
            each.result()
    return keys, signatures


def _min_hash() -> Any:
    """Return rensa's MinHash; a machine that predicts only has no need of it.

    Raises:
        UsageError: rensa is not installed.
    """
    try:
        return importlib.import_module("rensa").RMinHash
    except ImportError:
        raise UsageError(
            "near-duplicates are looked for with rensa, which is not installed; install it with: pip install rensa"
        ) from None


def _portions(texts: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the texts in portions of a bounded number of characters, each with the place of its first text."""
    start = characters = 0
    some: list[str] = []
    for place, text in enumerate(texts):
        some.append(text[:MAX_CHARACTERS_OF_A_TEXT])
        characters += len(some[-1])
        if characters >= CHARACTERS_AT_ONCE:
            yield start, some
            start, characters, some = place + 1, 0, []
    if some:
        yield start, some


def _runs(texts: Sequence[str], length: int) -> tuple[Hashes, Ints]:
    """Return the hashes of the runs of all texts, flat, and where each text begins and ends, ``(texts + 1,)``.

    A text is read with a space before and behind it, and padded where it is shorter than a run, so each has one run at
    least.
    """
    plain = [" " + " ".join(text[:MAX_CHARACTERS_OF_A_TEXT].casefold().split()) + " " for text in texts]
    plain = [text.ljust(length) for text in plain]
    codes = np.frombuffer("".join(plain).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    ends = np.cumsum([len(text) for text in plain])
    count = len(codes) - length + 1
    hashes = np.zeros(count, np.uint64)
    for place in range(length):
        hashes = hashes * _HASH_BASE + codes[place : place + count]
    # A run that begins in the last characters of a text would reach into the next one.
    inside = np.ones(count, np.bool_)
    for back in range(1, length):
        inside[ends[:-1] - back] = False
    offsets = np.concatenate([[0], ends - (length - 1) * np.arange(1, len(texts) + 1)])
    return _mixed(hashes[inside]), offsets


def _mixed(hashes: Hashes) -> Hashes:
    hashes = (hashes ^ (hashes >> np.uint64(32))) * _MIXER
    return hashes ^ (hashes >> np.uint64(32))


def _candidates(keys: NDArray[np.uint32], signatures: NDArray[np.uint8]) -> tuple[Ints, int]:
    """Return pairs of texts that are likely similar, ``(pairs, 2)``, the lower place first, and how many were left out.

    They agree in a band; where there are too many, those stay that agree in the most bytes of their signatures.
    """
    count = keys.shape[1]
    codes = np.zeros(0, np.int64)
    left_out = 0
    for band in keys:
        order = np.argsort(band, kind="stable")
        ordered = band[order]
        found = [codes]
        for distance in range(1, NEIGHBOURS_COMPARED + 1):
            same = np.flatnonzero(ordered[distance:] == ordered[:-distance])
            # The order is stable, so the first of two equal ones is the lower place.
            found.append(_alike(order[same], order[same + distance], signatures) if len(same) else codes[:0])
        codes = np.unique(np.concatenate(found))
        if len(codes) > MAX_CANDIDATES:
            left_out += len(codes) - MAX_CANDIDATES
            agreement = _agreement(codes // count, codes % count, signatures)
            codes = np.sort(codes[np.argsort(-agreement, kind="stable")[:MAX_CANDIDATES]])
    return np.stack([codes // max(count, 1), codes % max(count, 1)], axis=1), left_out


def _alike(first: Ints, second: Ints, signatures: NDArray[np.uint8]) -> Ints:
    """Return the codes of those pairs whose signatures agree in enough bytes."""
    alike = _agreement(first, second, signatures) >= MIN_ESTIMATE
    return first[alike] * len(signatures) + second[alike]


def _agreement(first: Ints, second: Ints, signatures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the share of equal bytes in the signatures of both texts of every pair, ``(pairs,)``."""
    parts = [
        (signatures[first[start : start + PAIRS_AT_ONCE]] == signatures[second[start : start + PAIRS_AT_ONCE]]).mean(1)
        for start in range(0, len(first), PAIRS_AT_ONCE)
    ]
    return np.concatenate([np.zeros(0), *parts])


def _batches(pairs: Ints, texts: Sequence[str]) -> Iterator[Ints]:
    """Yield the pairs in batches of a bounded number, and a bounded number of characters."""
    start, characters = 0, 0
    for number, (one, two) in enumerate(pairs.tolist()):
        characters += sum(min(len(texts[place]), MAX_CHARACTERS_OF_A_TEXT) for place in (one, two))
        if characters >= CHARACTERS_COMPARED_AT_ONCE or number + 1 - start >= PAIRS_AT_ONCE:
            yield pairs[start : number + 1]
            start, characters = number + 1, 0
    if start < len(pairs):
        yield pairs[start:]


def _similarity(texts: Sequence[str], pairs: Ints, length: int) -> NDArray[np.float64]:
    """Return the exact Jaccard similarity of the runs of both texts of every pair, ``(pairs,)``."""
    used, place = np.unique(pairs, return_inverse=True)
    place = place.reshape(pairs.shape)
    runs, offsets = _runs([texts[int(each)] for each in used], length)
    owner = np.repeat(np.arange(len(used), dtype=np.uint64), np.diff(offsets))
    # 24 bits for the text and 40 of the hash: of 20,000 pairs no run of one text meets another by chance.
    distinct = np.unique((owner << np.uint64(40)) | (runs >> np.uint64(24)))
    starts = np.searchsorted(distinct, np.arange(len(used) + 1, dtype=np.uint64) << np.uint64(40))
    sizes = np.diff(starts)
    values = distinct & np.uint64((1 << 40) - 1)
    first, second = (_flat(values, starts, place[:, side]) for side in (0, 1))
    both = np.sort(np.concatenate([first, second]))
    shared_codes = both[1:][both[1:] == both[:-1]]
    shared = np.bincount((shared_codes >> np.uint64(40)).astype(np.int64), minlength=len(pairs))
    return shared / (sizes[place].sum(1) - shared)


def _flat(values: Hashes, starts: Ints, chosen: Ints) -> Hashes:
    """Return the distinct runs of the chosen texts one after the other, each marked by the number of its pair."""
    sizes = (starts[1:] - starts[:-1])[chosen]
    begins = np.cumsum(sizes) - sizes
    inner = np.arange(sizes.sum()) - np.repeat(begins, sizes)
    pair = np.repeat(np.arange(len(chosen), dtype=np.uint64), sizes)
    return (pair << np.uint64(40)) | values[np.repeat(starts[chosen], sizes) + inner]
