"""Leak checks: what a model has learned from (contamination), and what it must not learn from.

seen in training   examples and texts are compared by their hashes, which a run stores with its model; a document is
                   seen, too, where a document that is learned from holds its words side by side
left out           a text that is learned from is removed where it is one of a list, or where the words of one of
                   them occur in it side by side
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homeground.data.documents import Document, Search, Source, with_texts
from homeground.data.evidence.headers import reads_like_text
from homeground.data.examples import Example, Examples, digest
from homeground.data.streams import open_rows
from homeground.data.units import sorted_unique
from homeground.storage import read_array, require_listed, write_array

MIN_WORDS_INSIDE = 5
"""Words from which a text is looked for inside others too; fewer occur side by side by chance."""

WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
"""A word or, in Chinese and Japanese, a character."""

ANY_ORDER = 0x5DEECE66D1CE4E5B
"""Marks, by exclusive or, hashes of runs before version 0.3, which did not keep the order of words."""

TRAINING_TEXTS, TRAINING_TEXTS_ORDERED = "training_texts.npy", "training_texts_ordered.npy"
"""In the folder of a run: the hashes of what it learned from."""

HASH_BASE = 0x9E3779B97F4A7C15
"""Odd, so that its powers modulo 2**64 have inverses."""

Hashes = NDArray[np.uint64]
Words = tuple[str, ...]


@dataclass(frozen=True)
class TrainingHashes:
    """The sorted 64-bit hashes of every text and of every example as a whole that a model has learned from.

    They are what a run stores beside its model: ``hashes``, for which the order of words does not count, and
    ``ordered``, for which it does.
    """

    hashes: Hashes
    ordered: Hashes

    @classmethod
    def of(cls, examples: Iterable[Example]) -> TrainingHashes:
        """Return the hashes of examples that are learned from."""
        listed = list(examples)
        hashes = (each for one in listed for each in (*one.digests, one.learned_digest, one.labelled_digest))
        return cls(sorted_unique(np.fromiter(hashes, np.uint64)), _in_order(listed))

    @classmethod
    def of_run(cls, folder: Path | None) -> TrainingHashes:
        """Return what a run stored in its folder; nothing for a checkpoint that is no run of ours.

        For a run that stored no hashes of words in their order, words in any order count. Raises DamagedFile where they
        are not as they were written: what was learned from would be unknown.
        """
        if folder is None or not require_listed(folder, TRAINING_TEXTS).is_file():
            return NOTHING_LEARNED
        hashes, in_order = read_array(folder / TRAINING_TEXTS), require_listed(folder, TRAINING_TEXTS_ORDERED)
        if in_order.is_file():
            return cls(hashes, read_array(in_order))
        return cls(hashes, sorted_unique(hashes ^ np.uint64(ANY_ORDER)))

    def write(self, folder: Path) -> None:
        """Write the hashes into the folder of a run."""
        write_array(folder / TRAINING_TEXTS_ORDERED, self.ordered)
        write_array(folder / TRAINING_TEXTS, self.hashes)

    def __or__(self, other: TrainingHashes) -> TrainingHashes:
        return TrainingHashes(
            sorted_unique(np.concatenate([self.hashes, other.hashes])),
            sorted_unique(np.concatenate([self.ordered, other.ordered])),
        )

    def seen(self, examples: Sequence[Example]) -> NDArray[np.bool_]:
        """Tell which examples were learned from, with whatever label or score, shape ``(examples,)``.

        A text was learned from where a text of the same words in the same order was, alone or in a pair; a pair where
        both its texts were one pair, either way round.
        """
        exactly = _contains(self.ordered, (each.ordered_digest for each in examples))
        return exactly | _contains(self.ordered, (each.learned_digest ^ ANY_ORDER for each in examples))

    def seen_texts(self, examples: Sequence[Example]) -> NDArray[np.bool_]:
        """Tell of which examples at least one text was learned from, its words in any order, ``(examples,)``."""
        if not examples:
            return np.zeros(0, np.bool_)
        texts = _contains(self.hashes, (each for example in examples for each in example.digests))
        ends = np.cumsum([len(example.digests) for example in examples])
        return np.logical_or.reduceat(texts, np.concatenate([[0], ends[:-1]]))


def _in_order(examples: Sequence[Example]) -> Hashes:
    """Return the sorted hashes of every text and of every example as a whole, their words in order."""
    hashes = (each for one in examples for each in (*one.ordered_digests, one.ordered_digest))
    return sorted_unique(np.fromiter(hashes, np.uint64))


NOTHING_LEARNED = TrainingHashes.of([])


def _contains(hashes: Hashes, wanted: Iterable[int]) -> NDArray[np.bool_]:
    asked = np.fromiter(wanted, np.uint64)
    if not len(hashes):
        return np.zeros(len(asked), np.bool_)
    places = np.searchsorted(hashes, asked)
    return hashes[np.minimum(places, len(hashes) - 1)] == asked


@dataclass(frozen=True)
class Contamination:
    """The rows of a test set that were learned from, by where: "train", "validation" or "earlier runs".

    ``texts`` counts the other test examples of which an earlier run learned a text, its words in any order.
    """

    seen: Mapping[str, tuple[int, ...]]
    texts: int = 0

    @property
    def rows(self) -> tuple[int, ...]:
        """All the rows, in order."""
        return tuple(sorted(set().union(*self.seen.values())))


def rows_learned(tested: Sequence[Example], learned: Sequence[Example]) -> set[int]:
    """Return the rows of the examples whose text is among those that are learned from, or inside a document of them."""
    seen = _contains(_in_order(learned), (each.ordered_digest for each in tested))
    return {each.row for each, is_seen in zip(tested, seen, strict=True) if is_seen} | rows_inside(tested, learned)


def rows_inside(
    tested: Sequence[Example], learned: Sequence[Example], folds: Mapping[int, int] | None = None
) -> set[int]:
    """Return the rows of documents whose words a document that is learned from holds side by side.

    ``folds`` maps rows to the fold that holds them out, where the documents are the same: those of one fold do not
    count. Examples that are no documents have no such rows: a short text is easily part of another.
    """
    if not (tested and learned and isinstance(tested[0], Document)):
        return set()
    sources = {id(each.source): each.source for each in learned if isinstance(each, Document)}
    asked = {example.row for example in tested}
    inside: set[int] = set()
    for key, source in sources.items():
        assert source is not None
        rows = {each.row for each in learned if isinstance(each, Document) and id(each.source) == key}
        inside |= {
            row
            for row, holder in _holders(tested, source)
            if row in asked and holder in rows and (folds is None or folds[row] != folds[holder])
        }
    return inside


def search_once(tested: Sequence[Example], learned: Sequence[Example]) -> None:
    """Search the documents that are learned from for all that are tested, so that no part of these needs a search."""
    origins = {id(each.source) for each in tested if isinstance(each, Document)}
    for origin in origins:
        rows_inside([each for each in tested if isinstance(each, Document) and id(each.source) == origin], learned)


def _holders(tested: Sequence[Example], source: Source) -> Iterator[tuple[int, int]]:
    """Yield the rows of documents with the row of a document of a source that holds their words side by side.

    The source is searched once for the same documents, since this takes longer than all else that is done to a text.
    """
    first = tested[0]
    assert isinstance(first, Document)
    rows = frozenset(example.row for example in tested)
    searches = [each for each in source.searches if each.origin is first.source and rows <= each.rows]
    if not searches:
        passages = Passages((example.row, text) for example, (text,) in with_texts(tested))
        pairs = array("q")
        for holder, text in source.texts():
            for row in passages.inside(text):
                pairs.extend((row, holder))
        searches = [Search(first.source, rows, pairs)]
        source.searches += searches
    pairs = searches[0].pairs
    return zip(pairs[::2], pairs[1::2], strict=True)


def text_hashes(examples: Iterable[Example]) -> Hashes:
    """Return the sorted hashes of every text and of every example as a whole, for which word order does not count."""
    return TrainingHashes.of(examples).hashes


class Passages:
    """Texts, numbered, that are found where their words are side by side in another text; short ones never are.

    Only hashes of words are kept: of the first ``MIN_WORDS_INSIDE`` words of every text, by which it is looked up, and
    of all of them. The hash of ``words[i:j]`` is the difference of two sums of ``hash(word) * HASH_BASE**place`` over
    ``HASH_BASE**i`` (Karp & Rabin 1987), so that a text is searched in one pass, whatever the passages' length.
    """

    def __init__(self, texts: Iterable[tuple[int, str]]) -> None:
        entries = [
            (number, len(sums) - 1, sums[MIN_WORDS_INSIDE], sums[-1])
            for number, sums in ((number, _sums(text)) for number, text in texts)
            if len(sums) > MIN_WORDS_INSIDE
        ]
        entries.sort(key=lambda entry: entry[2])
        numbers, lengths, beginnings, wholes = zip(*entries, strict=True) if entries else ((), (), (), ())
        self._numbers, self._lengths = np.array(numbers, np.int64), np.array(lengths, np.int64)
        self._beginnings, self._wholes = np.array(beginnings, np.uint64), np.array(wholes, np.uint64)

    def inside(self, text: str) -> set[int]:
        """Return the numbers of the texts whose words this text holds side by side."""
        if not len(self._numbers):
            return set()
        sums = _sums(text)
        _, inverses = _powers(len(sums))
        starts = (sums[MIN_WORDS_INSIDE:] - sums[:-MIN_WORDS_INSIDE]) * inverses[: max(len(sums) - MIN_WORDS_INSIDE, 0)]
        first, end = (np.searchsorted(self._beginnings, starts, side) for side in ("left", "right"))
        found: set[int] = set()
        for place in np.flatnonzero(end > first).tolist():
            same = slice(first[place], end[place])
            ends = np.minimum(place + self._lengths[same], len(sums) - 1)
            fits = place + self._lengths[same] == ends
            equal = (sums[ends] - sums[place]) * inverses[place] == self._wholes[same]
            found.update(self._numbers[same][fits & equal].tolist())
        return found


def _sums(text: str) -> Hashes:
    """Return the sums of the hashes of the first 0, 1, 2, … words, times the powers of ``HASH_BASE``."""
    words = split_words(text)
    hashes = np.fromiter(map(hash, words), np.int64, len(words)).view(np.uint64)
    sums = np.zeros(len(words) + 1, np.uint64)
    np.cumsum(hashes * _powers(len(words))[0][: len(words)], out=sums[1:])
    return sums


def _powers(count: int) -> tuple[Hashes, Hashes]:
    """Return at least ``count`` powers of ``HASH_BASE`` and of its inverse, modulo 2**64."""
    return _powers_up_to(1 << max(count - 1, 1).bit_length())


@cache
def _powers_up_to(count: int) -> tuple[Hashes, Hashes]:
    bases = (HASH_BASE, pow(HASH_BASE, -1, 1 << 64))
    steps = (np.append(np.uint64(1), np.full(count - 1, base, np.uint64)) for base in bases)
    powers, inverses = (np.cumprod(each, dtype=np.uint64) for each in steps)
    return powers, inverses


@dataclass(frozen=True)
class LeftOutTexts:
    """The texts of a file that must not be learned from: the hashes of all, and the longer ones as passages.

    ``oddities`` say what is odd about the file.
    """

    name: str
    sha256: str
    whole: frozenset[int]
    passages: Passages
    oddities: tuple[str, ...] = ()

    def match(self, text: str, text_digest: int) -> bool:
        """Tell whether a text with this hash is one of them, or has the words of one inside."""
        return text_digest in self.whole or bool(self.passages.inside(text))

    def remove_from(self, examples: Examples) -> Examples:
        """Return the examples of a file without those that have one of the texts, whose rows are listed instead."""
        rows = [
            example.row
            for example, texts in with_texts(examples.examples)
            if any(map(self.match, texts, example.digests))
        ]
        if not rows:
            return examples
        removed = set(rows)
        kept = [example for example in examples.examples if example.row not in removed]
        return replace(examples, examples=kept, set_aside={**examples.set_aside, self.reason: rows})

    @property
    def reason(self) -> str:
        """Why the rows that have one of the texts are skipped."""
        return f"a text of {self.name}"

    def notes(self, examples: Iterable[Examples]) -> list[str]:
        """Return what is odd about the file, a sentence each, once its texts are removed from these examples."""
        if any(self.reason in each.set_aside for each in examples):
            return [*self.oddities]
        return [*self.oddities, f"{self.name}: no text of it is in the data, so nothing is left out"]


def read_left_out(path: str) -> LeftOutTexts:
    """Return the texts in all columns of a file, of which a field of fewer than 5 words only matches as a whole.

    Raises:
        DataError: the file cannot be read.
    """
    table = open_rows(path)
    texts = [text for row in table.rows for text in row.values.values() if isinstance(text, str) and text.strip()]
    # The first line of a file without a header is a text as well.
    texts += [name for name in table.columns if reads_like_text(name)]
    whole = frozenset(digest([text]) for text in texts)
    return LeftOutTexts(Path(path).name, table.sha256, whole, Passages(enumerate(texts)), table.notes)


def split_words(text: str) -> Words:
    """Return the words of a text in one form, whatever its case, width, spacing and punctuation.

    >>> split_words("Don't  PANIC, 你好!")
    ('don', 't', 'panic', '你', '好')
    """
    return tuple(WORD.findall(unicodedata.normalize("NFKC", text).casefold()))
