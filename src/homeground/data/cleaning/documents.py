"""Documents whose texts are cleaned as they are read: what is learned from, while what is measured stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from homeground.data.cleaning.cleaner import Cleaner
from homeground.data.documents import Document, Source
from homeground.data.examples import Example


@dataclass
class CleanedSource(Source):
    """One column of texts in a file, read row by row and cleaned; ``emptied`` are rows of which nothing is left."""

    cleaner: Cleaner = field(default_factory=Cleaner)
    emptied: list[int] = field(default_factory=list[int])

    @classmethod
    def of(cls, source: Source, cleaner: Cleaner) -> CleanedSource:
        """Return a source cleaned; its texts are gone through once."""
        cleaned = cls(source.table, source.column, cleaner=cleaner)
        for row, content in source.texts():
            text = cleaner.clean(content)
            if text.strip():
                cleaned.register(row, text)
            else:
                cleaned.emptied.append(row)
        return cleaned

    def texts(self) -> Iterator[tuple[int, str]]:
        """Yield the number and the cleaned text of every row that has one."""
        for row, content in super().texts():
            text = self.cleaner.clean(content)
            if text.strip():
                yield row, text


class CleanedDocuments:
    """Documents as they are learned from; every source is cleaned once, however many trainings read it."""

    def __init__(self, cleaner: Cleaner) -> None:
        self._cleaner = cleaner
        self._sources: dict[int, tuple[Source, CleanedSource]] = {}

    def __call__(self, examples: Sequence[Example]) -> Sequence[Example]:
        """Return the documents with cleaned texts, without those of which nothing is left."""
        if not self._cleaner:
            return examples
        cleaned: list[Example] = []
        for example in examples:
            assert isinstance(example, Document)
            assert example.source is not None
            source = self._cleaned(example.source)
            if example.row not in source.emptied:
                cleaned.append(replace(example, source=source))
        return cleaned

    def _cleaned(self, source: Source) -> CleanedSource:
        if id(source) not in self._sources:
            self._sources[id(source)] = source, CleanedSource.of(source, self._cleaner)
        return self._sources[id(source)][1]
