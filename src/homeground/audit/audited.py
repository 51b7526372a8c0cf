"""The examples that are audited: those of every split, with their texts in memory, of documents a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from homeground.data.documents import Document, with_texts
from homeground.data.examples import Example
from homeground.randomness import generator
from homeground.shelf import Derived
from homeground.wording import shorten

Ints = NDArray[np.int64]

MAX_DOCUMENTS = 50_000
"""Documents that are audited, those of every split in proportion; examples of other kinds are all in memory anyway."""

MAX_CHARACTERS_OF_A_DOCUMENT, MAX_CHARACTERS_OF_DOCUMENTS = 20_000, 50_000_000
"""Characters of a document that are audited, fewer where there are many: a corpus may be larger than memory."""

MAX_CHARACTERS_SHOWN = 300


@dataclass(frozen=True)
class AuditedExamples:
    """Examples of all splits, one after the other.

    ``splits`` and ``texts`` have one entry an example; the texts of a pair are joined by a line break in ``texts``.
    Those of a large table are read when they are asked for, and are best gone through in order.
    """

    examples: list[Example]
    splits: list[str]
    texts: Sequence[str]

    @classmethod
    def of(cls, parts: Mapping[str, Sequence[Example]]) -> AuditedExamples:
        """Return the examples of every split, of many documents a sample that is drawn evenly from the file."""
        total = sum(map(len, parts.values()))
        limit = min(MAX_CHARACTERS_OF_A_DOCUMENT, MAX_CHARACTERS_OF_DOCUMENTS // max(min(total, MAX_DOCUMENTS), 1))
        examples: list[Example] = []
        splits: list[str] = []
        documents: list[str] = []
        for split, part in parts.items():
            if not (part and isinstance(part[0], Document)):
                examples += part
                splits += [split] * len(part)
                continue
            wanted = part
            if total > MAX_DOCUMENTS:
                places = np.linspace(0, len(part) - 1, max(MAX_DOCUMENTS * len(part) // total, 1)).round()
                wanted = [part[place] for place in np.unique(places.astype(np.int64)).tolist()]
            for example, own in islice(with_texts(wanted), len(wanted)):
                examples.append(example)
                splits.append(split)
                documents.append(own[0][:limit])
        texts = documents or Derived(len(examples), partial(_joined, examples))
        return cls(examples, splits, texts)

    def __len__(self) -> int:
        return len(self.examples)

    @cached_property
    def first_of_text(self) -> Ints:
        """The places of the first example of every text that differs (``text_identity``) from all before it."""
        every = np.fromiter((each for example in self.examples for each in example.ordered_digests), np.uint64)
        counts = np.fromiter((len(example.ordered_digests) for example in self.examples), np.int64)
        # Without dictionaries, which would take more memory than the examples of a large table.
        width = int(counts.max(initial=1))
        rows = np.zeros((len(counts), width), np.uint64)
        rows[np.arange(width) < counts[:, None]] = every
        order = np.lexsort(rows.T[::-1])
        ordered = rows[order]
        differs = np.append(True, (ordered[1:] != ordered[:-1]).any(1))[: len(order)]
        return np.sort(order[differs])  # the order is stable: of equal rows the first comes first

    def sample(self, count: int, *, purpose: str) -> Ints:
        """Return the places of at most ``count`` examples, drawn at random, in order."""
        if len(self) <= count:
            return np.arange(len(self), dtype=np.int64)
        return np.sort(generator(0, "audit", purpose).permutation(len(self))[:count])

    def label(self, place: int) -> str | None:
        """Return the labels of an example as one text, or its score; None where it has neither."""
        example = self.examples[place]
        if example.labels is not None:
            return ", ".join(example.labels)
        score = example.score if example.written is None else example.written
        return None if score is None else f"{score:g}"

    def shown(self, place: int) -> str:
        """Return the beginning of a text."""
        return shorten(self.texts[place], MAX_CHARACTERS_SHOWN)


def _joined(examples: Sequence[Example], place: int) -> str:
    texts = examples[place].texts
    return texts[0] if len(texts) == 1 else "\n".join(texts)


def text_identity(example: Example) -> int | tuple[int, ...]:
    """Return what examples with the same text, or with the same texts in the same order, have in common.

    Case and punctuation do not count; the order of words does.
    """
    digests = example.ordered_digests
    return digests[0] if len(digests) == 1 else digests
