"""Documents: texts that stay in their file, so that a corpus may be larger than memory; and their tokens, once.

A document knows the hash of its text and where it came from. Its tokens are those of the whole text, with no special
tokens and nothing cut; of a large corpus they lie in a file of their own that is mapped into memory and found again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from tokenizers import Tokenizer

from homeground.data.examples import Example
from homeground.data.segmentation import segmenter_versions, word_spans, word_starts
from homeground.data.streams import HELD
from homeground.data.tables import Table, text
from homeground.storage import new_folder, read_array, write_array, written_to

Ints = NDArray[np.int64]

VERSION = 2
"""Of the way texts become tokens and words; tokens of another version are made anew."""

CHUNK = 1 << 20
"""Characters tokenized at once."""

KEPT_DAYS = 30
"""Tokens that nobody asked for in so many days are removed when new ones are written."""

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class TokenizedDocuments:
    """The tokens of all documents of a source, one after the other.

    ``ids`` and ``word_starts (tokens,)`` are flat; document ``i`` is ``starts[i]:starts[i + 1]``. ``words`` and
    ``characters (documents,)`` count those of the text; ``places`` finds a document by its row.
    """

    ids: NDArray[Any]
    word_starts: NDArray[np.bool_]
    starts: Ints
    words: Ints
    characters: Ints
    rows: Ints

    def places(self, rows: Sequence[int]) -> Ints:
        """Return where the documents of some rows are."""
        return np.searchsorted(self.rows, np.asarray(rows, np.int64))


@dataclass
class Source:
    """One column of texts in a file, gone through row by row."""

    table: Table
    column: str
    fingerprint: Any = field(default_factory=hashlib.sha256)
    control: int = 0
    """Texts with control characters."""
    _tokenized: dict[str, TokenizedDocuments] = field(default_factory=lambda: {})

    def texts(self) -> Iterator[tuple[int, str]]:
        """Yield the number and the text of every row that holds one."""
        for row in self.table.rows:
            found = text(self.table, row, self.column)
            if found.strip():
                yield row.number, found

    def text(self, row: int) -> str:
        """Return the text of one row, which is looked for from the beginning."""
        return next(found for number, found in self.texts() if number == row)

    def noted(self, row: int, found: str) -> None:
        """Take note of a text that was read, so that a corpus is known by what it holds, and in which rows."""
        self.fingerprint.update(f"{row} {len(found)}\n".encode())
        self.fingerprint.update(found.encode("utf-8", "surrogatepass"))
        self.control += CONTROL.search(found) is not None

    def tokenized(self, tokenizer: Tokenizer) -> TokenizedDocuments:
        """Return the tokens of all texts, made once for every tokenizer."""
        plain = _plain(tokenizer)
        made_by = f"{VERSION} {version('tokenizers')} {segmenter_versions()}"
        named = hashlib.sha256(f"{made_by}\n{self.fingerprint.hexdigest()}\n{plain.to_str()}".encode()).hexdigest()
        if named not in self._tokenized:
            large = self.table.size > HELD
            self._tokenized[named] = _stored(self, plain, named) if large else _in_memory(self, plain)
        return self._tokenized[named]


@dataclass(frozen=True, slots=True)
class Document(Example):
    """One text of a source; ``texts`` is empty, because it stays where it is."""

    key: int = 0
    source: Source | None = None

    @property
    def digests(self) -> tuple[int, ...]:
        """The hash of its text."""
        return (self.key,)

    @property
    def digest(self) -> int:
        """The hash of its text."""
        return self.key

    @property
    def learned_digest(self) -> int:
        """The hash of its text."""
        return self.key


def with_texts(examples: Sequence[Example]) -> Iterator[tuple[Example, tuple[str, ...]]]:
    """Yield the examples of one file with their texts; those of documents are read anew from their source."""
    first = examples[0] if examples else None
    if not (isinstance(first, Document) and first.source is not None):
        return ((example, example.texts) for example in examples)
    wanted = {example.row: example for example in examples}
    return ((wanted[row], (found,)) for row, found in first.source.texts() if row in wanted)


def cache_folder() -> Path:
    """Return the folder of tokens that are found again: HOMEGROUND_CACHE, else the user's own cache."""
    told = os.environ.get("HOMEGROUND_CACHE")
    return Path(told) if told else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "homeground"


def _plain(tokenizer: Tokenizer) -> Tokenizer:
    """Return the tokenizer without a limit."""
    plain = Tokenizer.from_str(tokenizer.to_str())
    plain.no_truncation()
    plain.no_padding()
    return plain


@dataclass(frozen=True)
class _Piece:
    """The tokens of some documents in a row, flat, and what is counted of each document."""

    ids: NDArray[np.int32]
    word_starts: NDArray[np.bool_]
    counts: Ints
    """Of every document: row, tokens, words, characters."""


def _pieces(source: Source, tokenizer: Tokenizer) -> Iterator[_Piece]:
    """Tokenize texts some at a time, in parallel inside the tokenizers library."""
    held: list[tuple[int, str]] = []
    size = 0
    for found in source.texts():
        held.append(found)
        size += len(found[1])
        if size >= CHUNK:
            yield _piece(held, tokenizer)
            held, size = [], 0
    if held:
        yield _piece(held, tokenizer)


def _piece(held: list[tuple[int, str]], tokenizer: Tokenizer) -> _Piece:
    encodings = tokenizer.encode_batch([found for _, found in held], add_special_tokens=False)
    spans = [word_spans(found) for _, found in held]
    marks = [word_starts(own, encoding.offsets) for own, encoding in zip(spans, encodings, strict=True)]
    counts = [
        (row, len(encoding.ids), len(own), len(found))
        for (row, found), encoding, own in zip(held, encodings, spans, strict=True)
    ]
    ids = np.concatenate([np.array(encoding.ids, np.int32) for encoding in encodings])
    return _Piece(ids, np.concatenate(marks), np.array(counts, np.int64))


def _in_memory(source: Source, tokenizer: Tokenizer) -> TokenizedDocuments:
    pieces = list(_pieces(source, tokenizer))
    ids = np.concatenate([piece.ids for piece in pieces])
    marks = np.concatenate([piece.word_starts for piece in pieces])
    return _assembled(ids, marks, np.concatenate([piece.counts for piece in pieces]))


def _stored(source: Source, tokenizer: Tokenizer, named: str) -> TokenizedDocuments:
    """Return the tokens from the user's cache, where they are written first if they are not there."""
    folder = cache_folder() / "tokens" / named[:32]
    with _written_alone(folder):
        if not (folder / "manifest.json").is_file():
            _remove_old(folder.parent)
            with new_folder(folder) as temporary:
                _write(temporary, source, tokenizer)
        os.utime(folder)
    ids = np.memmap(folder / "ids.bin", np.int32, "r")
    marks = np.memmap(folder / "word_starts.bin", np.bool_, "r")
    return _assembled(ids, marks, read_array(folder / "counts.npy"))


@contextlib.contextmanager
def _written_alone(folder: Path) -> Generator[None]:
    """Wait while another process writes the same tokens: then they are found, not made twice."""
    with written_to(folder, "set HOMEGROUND_CACHE to a folder that can be written"):
        lock = FileLock(folder.parent.with_name("locks") / folder.name)
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _write(folder: Path, source: Source, tokenizer: Tokenizer) -> None:
    counts: list[Ints] = []
    with (folder / "ids.bin").open("wb") as ids, (folder / "word_starts.bin").open("wb") as marks:
        for piece in _pieces(source, tokenizer):
            ids.write(piece.ids.tobytes())
            marks.write(piece.word_starts.tobytes())
            counts.append(piece.counts)
    write_array(folder / "counts.npy", np.concatenate(counts))


def _assembled(ids: NDArray[Any], marks: NDArray[np.bool_], counts: Ints) -> TokenizedDocuments:
    starts = np.concatenate([[0], np.cumsum(counts[:, 1], dtype=np.int64)])
    return TokenizedDocuments(ids, marks, starts, words=counts[:, 2], characters=counts[:, 3], rows=counts[:, 0])


def _remove_old(folder: Path) -> None:
    oldest = time.time() - KEPT_DAYS * 86400
    for place in folder.iterdir() if folder.is_dir() else ():
        if place.is_dir() and place.stat().st_mtime < oldest:
            shutil.rmtree(place, ignore_errors=True)
