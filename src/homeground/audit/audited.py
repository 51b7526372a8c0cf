"""The examples that are audited: those of every split, with their texts in memory, of documents a sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from homeground.data.documents import Document, with_texts
from homeground.data.examples import Example
from homeground.randomness import generator
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
    """

    examples: list[Example]
    splits: list[str]
    texts: list[str]

    @classmethod
    def of(cls, parts: Mapping[str, Sequence[Example]]) -> AuditedExamples:
        """Return the examples of every split, of many documents a sample that is drawn evenly from the file."""
        total = sum(map(len, parts.values()))
        limit = min(MAX_CHARACTERS_OF_A_DOCUMENT, MAX_CHARACTERS_OF_DOCUMENTS // max(min(total, MAX_DOCUMENTS), 1))
        examples: list[Example] = []
        splits: list[str] = []
        texts: list[str] = []
        for split, part in parts.items():
            is_document = bool(part) and isinstance(part[0], Document)
            wanted = part
            if is_document and total > MAX_DOCUMENTS:
                places = np.linspace(0, len(part) - 1, max(MAX_DOCUMENTS * len(part) // total, 1)).round()
                wanted = [part[place] for place in np.unique(places.astype(np.int64)).tolist()]
            for example, own in islice(with_texts(wanted), len(wanted)):
                examples.append(example)
                splits.append(split)
                text = own[0] if len(own) == 1 else "\n".join(own)
                texts.append(text[:limit] if is_document else text)
        return cls(examples, splits, texts)

    def __len__(self) -> int:
        return len(self.examples)

    @cached_property
    def first_of_text(self) -> Ints:
        """The places of the first example of every text that differs (``text_identity``) from all before it."""
        seen: dict[int | tuple[int, ...], int] = {}
        for place, example in enumerate(self.examples):
            seen.setdefault(text_identity(example), place)
        return np.fromiter(seen.values(), np.int64, len(seen))

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


def text_identity(example: Example) -> int | tuple[int, ...]:
    """Return what examples with the same text, or with the same texts in the same order, have in common.

    Case and punctuation do not count; the order of words does.
    """
    digests = example.ordered_digests
    return digests[0] if len(digests) == 1 else digests


def portions(texts: Sequence[str], characters: int) -> Iterator[list[str]]:
    """Yield texts in portions of about so many characters."""
    waiting: list[str] = []
    size = 0
    for text in texts:
        waiting.append(text)
        size += len(text)
        if size >= characters:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting
