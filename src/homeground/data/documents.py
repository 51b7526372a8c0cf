"""Documents: texts that stay in their file, so that a corpus may be larger than memory; and their tokens, once.

A document has the hash of its text and its source. Its tokens are those of the whole text, without special tokens and
uncut; those of a large corpus are in files (tokens/token_files.py).
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tokenizers import Tokenizer

from homeground.data.examples import HASH_BYTES, Example
from homeground.data.segmentation import ScriptCount
from homeground.data.streams import MAX_BYTES_IN_MEMORY
from homeground.data.tables import Table, text
from homeground.data.tokens.of_documents import TokenizedDocuments, tokenized_in_memory, without_limit
from homeground.data.tokens.token_files import TokenFiles, add_text

CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Search:
    """What came of searching a source for the documents of some ``rows`` of ``origin``: which text holds which.

    ``pairs`` are flat, the row of a document and then the row of the text that holds it.
    """

    origin: Source | None
    rows: frozenset[int]
    pairs: array[int]


@dataclass
class Source:
    """One column of texts in a file, read row by row."""

    table: Table
    column: str
    fingerprint: Any = field(default_factory=hashlib.sha256)
    """Hash of all texts and their rows, by which their tokens are found again."""
    control: int = 0
    """Texts with control characters."""
    scripts: ScriptCount = field(default_factory=ScriptCount)
    """Letters of the texts, of languages without spaces apart."""
    searches: list[Search] = field(default_factory=list[Search])
    """What the texts were searched for."""
    _tokenized: dict[str, TokenizedDocuments] = field(default_factory=dict[str, TokenizedDocuments])

    def texts(self) -> Iterator[tuple[int, str]]:
        """Yield the number and the text of every row that has one."""
        for row in self.table.rows:
            content = text(self.table, row, self.column)
            if content.strip():
                yield row.number, content

    def text(self, row: int) -> str:
        """Return the text of one row; the file is read from its beginning."""
        return next(content for number, content in self.texts() if number == row)

    def register(self, row: int, content: str) -> None:
        """Add a text that was read to the fingerprint and the counts; every text once, in the order of the file."""
        add_text(self.fingerprint, row, content)
        self.scripts.add(content)
        self.control += CONTROL_CHARACTERS.search(content) is not None

    def tokenized(self, tokenizer: Tokenizer) -> TokenizedDocuments:
        """Return the tokens of all texts, computed once for every tokenizer."""
        plain = without_limit(tokenizer)
        key = plain.to_str()
        if key not in self._tokenized:
            files = self.token_files(plain)
            self._tokenized[key] = tokenized_in_memory(self.texts(), plain) if files is None else files.read()
        return self._tokenized[key]

    def token_files(self, tokenizer: Tokenizer) -> TokenFiles | None:
        """Return the files of the tokens of a large corpus; None where they are kept in memory."""
        if self.table.size <= MAX_BYTES_IN_MEMORY:
            return None
        return TokenFiles(self.texts, self.fingerprint.hexdigest(), without_limit(tokenizer))


@dataclass(frozen=True, slots=True)
class Document(Example):
    """One text of a source with its hashes ``key`` and ``ordered_key``, that of its words in their order.

    ``texts`` is empty, because the text stays in its file.
    """

    key: int = 0
    source: Source | None = None
    ordered_key: int = 0

    def __post_init__(self) -> None:
        hashes = b"".join(each.to_bytes(HASH_BYTES, "little") for each in (self.key, self.ordered_key))
        object.__setattr__(self, "_hashes", hashes)


def sources_of(examples: Iterable[Example]) -> list[Source]:
    """Return the sources of documents, each once."""
    found = {
        id(each.source): each.source for each in examples if isinstance(each, Document) and each.source is not None
    }
    return list(found.values())


def with_texts(examples: Sequence[Example]) -> Iterator[tuple[Example, Sequence[str]]]:
    """Yield the examples of one file with their texts; those of documents are read anew from their source."""
    first = examples[0] if examples else None
    if not (isinstance(first, Document) and first.source is not None):
        return ((example, example.texts) for example in examples)
    wanted = {example.row: example for example in examples}
    return ((wanted[row], (content,)) for row, content in first.source.texts() if row in wanted)
