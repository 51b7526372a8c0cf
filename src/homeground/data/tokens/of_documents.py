"""The tokens of documents: whole texts, uncut and without special tokens, with the words that they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from homeground.data.segmentation import word_spans, word_starts
from homeground.data.tokens.tokenized import portions

Ints = NDArray[np.int64]

NumberedText = tuple[int, str]
"""The number of a row, and its text."""

CHARACTERS_AT_ONCE = 1 << 20
"""Characters given to the tokenizer at once."""


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

    @classmethod
    def of(cls, ids: NDArray[Any], marks: NDArray[np.bool_], counts: Ints) -> TokenizedDocuments:
        """Return the tokens of documents with the counts of ``Piece``."""
        starts = np.concatenate([[0], np.cumsum(counts[:, 1], dtype=np.int64)])
        return cls(ids, marks, starts, words=counts[:, 2], characters=counts[:, 3], rows=counts[:, 0])

    def places(self, rows: Sequence[int]) -> Ints:
        """Return where the documents of some rows are."""
        return np.searchsorted(self.rows, np.asarray(rows, np.int64))


@dataclass(frozen=True)
class Piece:
    """The tokens of some documents in a row, flat; ``counts (documents, 4)``: row, tokens, words, characters."""

    ids: NDArray[np.int32]
    word_starts: NDArray[np.bool_]
    counts: Ints


def without_limit(tokenizer: Tokenizer) -> Tokenizer:
    """Return a copy of a tokenizer that cuts and pads nothing."""
    plain = Tokenizer.from_str(tokenizer.to_str())
    plain.no_truncation()
    plain.no_padding()
    return plain


def length(text: NumberedText) -> int:
    """Return the characters of a text."""
    return len(text[1])


def pieces(texts: Iterable[NumberedText], tokenizer: Tokenizer) -> Iterator[Piece]:
    """Tokenize texts some at a time."""
    for some in portions(texts, CHARACTERS_AT_ONCE, length):
        yield _piece(some, tokenizer)


def _piece(texts: list[NumberedText], tokenizer: Tokenizer) -> Piece:
    encodings = tokenizer.encode_batch([content for _, content in texts], add_special_tokens=False)
    spans = [word_spans(content) for _, content in texts]
    marks = [word_starts(words, encoding.offsets) for words, encoding in zip(spans, encodings, strict=True)]
    counts = [
        (row, len(encoding.ids), len(words), len(content))
        for (row, content), encoding, words in zip(texts, encodings, spans, strict=True)
    ]
    ids = np.concatenate([np.array(encoding.ids, np.int32) for encoding in encodings])
    return Piece(ids, np.concatenate(marks), np.array(counts, np.int64))


def tokenized_in_memory(texts: Iterable[NumberedText], tokenizer: Tokenizer) -> TokenizedDocuments:
    """Return the tokens of texts."""
    every = list(pieces(texts, tokenizer))
    ids = np.concatenate([piece.ids for piece in every])
    marks = np.concatenate([piece.word_starts for piece in every])
    return TokenizedDocuments.of(ids, marks, np.concatenate([piece.counts for piece in every]))
