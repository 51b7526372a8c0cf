"""Documents: texts that stay in their file, so that a corpus may be larger than memory; and their tokens, once.

A document has the hash of its text and its source. Its tokens are those of the whole text, without special tokens and
uncut; those of a large corpus are in a file of their own, which is mapped into memory and reused by later runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
import warnings
from array import array
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from tokenizers import Tokenizer

from homeground.data.examples import HASH_BYTES, Example
from homeground.data.segmentation import ScriptCount, segmenter_versions, word_spans, word_starts
from homeground.data.streams import MAX_BYTES_IN_MEMORY
from homeground.data.tables import Table, text
from homeground.errors import DamageWarning
from homeground.storage import is_closed, new_folder, read_array, write_array, written_to

Ints = NDArray[np.int64]

TOKENS_VERSION = 2
"""Version of the way texts become tokens and words; tokens of another version are computed anew."""

CHARACTERS_AT_ONCE = 1 << 20
"""Characters given to the tokenizer at once."""

UNUSED_DAYS = 30
"""Cached tokens that no run used for so many days are removed when new ones are written."""

CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


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
        self.fingerprint.update(f"{row} {len(content)}\n".encode())
        self.fingerprint.update(content.encode("utf-8", "surrogatepass"))
        self.scripts.add(content)
        self.control += CONTROL_CHARACTERS.search(content) is not None

    def tokenized(self, tokenizer: Tokenizer) -> TokenizedDocuments:
        """Return the tokens of all texts, computed once for every tokenizer."""
        plain = _without_limit(tokenizer)
        software = f"{TOKENS_VERSION} {version('tokenizers')} {segmenter_versions()}"
        key = hashlib.sha256(f"{software}\n{self.fingerprint.hexdigest()}\n{plain.to_str()}".encode()).hexdigest()
        if key not in self._tokenized:
            is_large = self.table.size > MAX_BYTES_IN_MEMORY
            self._tokenized[key] = _cached(self, plain, key) if is_large else _in_memory(self, plain)
        return self._tokenized[key]


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


def with_texts(examples: Sequence[Example]) -> Iterator[tuple[Example, Sequence[str]]]:
    """Yield the examples of one file with their texts; those of documents are read anew from their source."""
    first = examples[0] if examples else None
    if not (isinstance(first, Document) and first.source is not None):
        return ((example, example.texts) for example in examples)
    wanted = {example.row: example for example in examples}
    return ((wanted[row], (content,)) for row, content in first.source.texts() if row in wanted)


def cache_folder() -> Path:
    """Return the folder of tokens that later runs reuse: HOMEGROUND_CACHE, else the user's own cache."""
    folder = os.environ.get("HOMEGROUND_CACHE")
    return Path(folder) if folder else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "homeground"


def _without_limit(tokenizer: Tokenizer) -> Tokenizer:
    plain = Tokenizer.from_str(tokenizer.to_str())
    plain.no_truncation()
    plain.no_padding()
    return plain


@dataclass(frozen=True)
class _Piece:
    """The tokens of some documents in a row, flat; ``counts (documents, 4)``: row, tokens, words, characters."""

    ids: NDArray[np.int32]
    word_starts: NDArray[np.bool_]
    counts: Ints


def _pieces(source: Source, tokenizer: Tokenizer) -> Iterator[_Piece]:
    """Tokenize texts some at a time, in parallel inside the tokenizers library."""
    waiting: list[tuple[int, str]] = []
    size = 0
    for row, content in source.texts():
        waiting.append((row, content))
        size += len(content)
        if size >= CHARACTERS_AT_ONCE:
            yield _piece(waiting, tokenizer)
            waiting, size = [], 0
    if waiting:
        yield _piece(waiting, tokenizer)


def _piece(texts: list[tuple[int, str]], tokenizer: Tokenizer) -> _Piece:
    encodings = tokenizer.encode_batch([content for _, content in texts], add_special_tokens=False)
    spans = [word_spans(content) for _, content in texts]
    marks = [word_starts(words, encoding.offsets) for words, encoding in zip(spans, encodings, strict=True)]
    counts = [
        (row, len(encoding.ids), len(words), len(content))
        for (row, content), encoding, words in zip(texts, encodings, spans, strict=True)
    ]
    ids = np.concatenate([np.array(encoding.ids, np.int32) for encoding in encodings])
    return _Piece(ids, np.concatenate(marks), np.array(counts, np.int64))


def _in_memory(source: Source, tokenizer: Tokenizer) -> TokenizedDocuments:
    pieces = list(_pieces(source, tokenizer))
    ids = np.concatenate([piece.ids for piece in pieces])
    marks = np.concatenate([piece.word_starts for piece in pieces])
    return _assembled(ids, marks, np.concatenate([piece.counts for piece in pieces]))


def _cached(source: Source, tokenizer: Tokenizer, key: str) -> TokenizedDocuments:
    """Return the tokens from the user's cache, where they are written first if they are not there, or not whole."""
    folder = cache_folder() / "tokens" / key[:32]
    with locked_cache(folder):
        if not is_closed(folder, lambda text: warnings.warn(text, DamageWarning, stacklevel=2)):
            with new_folder(folder) as temporary:
                _write(temporary, source, tokenizer)
    ids = np.memmap(folder / "ids.bin", np.int32, "r")
    marks = np.memmap(folder / "word_starts.bin", np.bool_, "r")
    return _assembled(ids, marks, read_array(folder / "counts.npy"))


@contextlib.contextmanager
def locked_cache(folder: Path) -> Generator[None]:
    """Wait while another process writes the same folder of the cache, so that nothing is computed twice.

    Folders beside it that were not used for ``UNUSED_DAYS`` are removed.
    """
    with written_to(folder, "set HOMEGROUND_CACHE to a folder that can be written"):
        lock = FileLock(folder.parent.with_name("locks") / folder.name)
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        if not folder.is_dir():
            _remove_old(folder.parent)
        yield
        os.utime(folder)
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
    oldest = time.time() - UNUSED_DAYS * 86400
    for place in folder.iterdir() if folder.is_dir() else ():
        if place.is_dir() and place.stat().st_mtime < oldest:
            shutil.rmtree(place, ignore_errors=True)
