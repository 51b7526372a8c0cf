"""Leak checks: what a model has learned from (contamination), and what it must not learn from.

seen in training   examples and texts are compared by their hashes, which a run stores with its model
left out           a text that is learned from is removed where it is one of a list, or where the words of one of
                   them occur in it side by side
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homeground.data.documents import with_texts
from homeground.data.examples import Example, Examples, digest
from homeground.data.streams import open_rows
from homeground.data.units import sorted_unique

MIN_WORDS_INSIDE = 5
"""Words from which a text is looked for inside others too; fewer occur side by side by chance."""

WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
"""A word or, in Chinese and Japanese, a character."""

Words = tuple[str, ...]


@dataclass(frozen=True)
class TrainingHashes:
    """The sorted 64-bit hashes of every text and of every example as a whole that a model has learned from.

    They are what a run stores as training_texts.npy beside its model.
    """

    hashes: NDArray[np.uint64]

    @classmethod
    def of(cls, examples: Iterable[Example]) -> TrainingHashes:
        """Return the hashes of examples that are learned from."""
        hashes = (
            each for example in examples for each in (*example.digests, example.learned_digest, example.labelled_digest)
        )
        return cls(sorted_unique(np.fromiter(hashes, np.uint64)))

    def __or__(self, other: TrainingHashes) -> TrainingHashes:
        return TrainingHashes(sorted_unique(np.concatenate([self.hashes, other.hashes])))

    def seen(self, examples: Sequence[Example]) -> NDArray[np.bool_]:
        """Tell which examples were learned from, labels included, shape ``(examples,)``."""
        return self._contain(each.labelled_digest for each in examples)

    def seen_texts(self, examples: Sequence[Example]) -> NDArray[np.bool_]:
        """Tell of which examples at least one text was learned from, with any label or score, ``(examples,)``."""
        if not examples:
            return np.zeros(0, np.bool_)
        texts = self._contain(each for example in examples for each in example.digests)
        ends = np.cumsum([len(example.digests) for example in examples])
        return np.logical_or.reduceat(texts, np.concatenate([[0], ends[:-1]]))

    def _contain(self, hashes: Iterable[int]) -> NDArray[np.bool_]:
        wanted = np.fromiter(hashes, np.uint64)
        if not len(self.hashes):
            return np.zeros(len(wanted), np.bool_)
        places = np.searchsorted(self.hashes, wanted)
        return self.hashes[np.minimum(places, len(self.hashes) - 1)] == wanted


@dataclass(frozen=True)
class Contamination:
    """What a model has seen of a test set: ``rows`` of the test examples that it learned from, labels included.

    ``texts`` counts the other test examples of which an earlier run learned a text, with another label or score.
    """

    rows: tuple[int, ...]
    texts: int

    @classmethod
    def of(cls, test: Sequence[Example], learned: TrainingHashes, earlier: TrainingHashes) -> Contamination:
        """Return what of a test set is among ``learned``, which includes that of ``earlier`` runs."""
        seen = learned.seen(test)
        rows = tuple(example.row for example, is_seen in zip(test, seen, strict=True) if is_seen)
        return cls(rows, int((earlier.seen_texts(test) & ~seen).sum()))


def text_hashes(examples: Iterable[Example]) -> NDArray[np.uint64]:
    """Return the sorted hashes of every text and of every example as a whole, as a run stores what it learned from."""
    return TrainingHashes.of(examples).hashes


def seen_before(examples: Sequence[Example], hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell of every example whether a model that learned from examples with these hashes saw it, labels included."""
    return TrainingHashes(hashes).seen(examples)


@dataclass(frozen=True)
class LeftOutTexts:
    """The texts of a file that must not be learned from.

    ``whole`` are their hashes; ``inside`` maps the first ``MIN_WORDS_INSIDE`` words of a text to the words of all texts
    that begin with them; ``oddities`` say what is odd about the file.
    """

    name: str
    sha256: str
    whole: frozenset[int]
    inside: Mapping[Words, frozenset[Words]]
    oddities: tuple[str, ...] = ()

    def match(self, text: str, text_digest: int) -> bool:
        """Tell whether a text with this hash is one of them, or has the words of one inside."""
        if text_digest in self.whole:
            return True
        words = split_words(text) if self.inside else ()
        return any(
            words[place : place + len(part)] == part
            for place in range(len(words) - MIN_WORDS_INSIDE + 1)
            for part in self.inside.get(words[place : place + MIN_WORDS_INSIDE], ())
        )

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
        return Examples(kept, {**examples.set_aside, self.reason: rows})

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
    whole: set[int] = set()
    inside: defaultdict[Words, set[Words]] = defaultdict(set)
    for row in table.rows:
        for text in row.values.values():
            if isinstance(text, str) and text.strip():
                whole.add(digest([text]))
                words = split_words(text)
                if len(words) >= MIN_WORDS_INSIDE:
                    inside[words[:MIN_WORDS_INSIDE]].add(words)
    by_beginning = {beginning: frozenset(texts) for beginning, texts in inside.items()}
    return LeftOutTexts(Path(path).name, table.sha256, frozenset(whole), by_beginning, table.notes)


def split_words(text: str) -> Words:
    """Return the words of a text in one form, whatever its case, width, spacing and punctuation.

    >>> split_words("Don't  PANIC, 你好!")
    ('don', 't', 'panic', '你', '好')
    """
    return tuple(WORD.findall(unicodedata.normalize("NFKC", text).casefold()))
