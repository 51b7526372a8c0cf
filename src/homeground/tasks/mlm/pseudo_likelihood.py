"""Whole words filled in piece by piece: a loss per word that may be compared across tokenizers.

The loss of a masked token depends on how a tokenizer cuts words, so it cannot be compared between two of them. Here a
word is what the text says, with the same text around it for every model; its pieces are filled in from left to right,
each with the pieces after it hidden (Kauf & Ivanova 2023, A better way to do masked language model scoring, ACL), and
the word's loss is the sum over its pieces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from homeground.data.documents import Document
from homeground.data.segmentation import word_spans
from homeground.data.tokens.tokenized import IGNORED_LABEL
from homeground.randomness import generator
from homeground.statistics.masked import ratio
from homeground.tasks.mlm.blocks import Vocabulary
from homeground.tasks.task import Batch, Measurement, Metric, Occasion, TaskInfo

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CONTEXT_CHARACTERS = 120
"""Characters of the text that are shown before and after a word, to the next end of a word."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a document: its place among the documents, the text around it, and where in it the word stands."""

    document: int
    text: str
    start: int
    end: int


def draw_words(documents: Sequence[Document], count: int, *, seed: int) -> list[Word]:
    """Return up to ``count`` words of documents of one source, each as likely as any other, with a letter or digit.

    The same documents give the same words, whatever the tokenizer.
    """
    if not documents or documents[0].source is None:
        return []
    places = {document.row: place for place, document in enumerate(documents)}
    found: list[tuple[int, Word]] = []
    for row, text in documents[0].source.texts():
        if row not in places:
            continue
        spans = [span for span in word_spans(text) if any(letter.isalnum() for letter in text[slice(*span)])]
        drawn = generator(seed, "words", row).integers(2**62, size=len(spans)).tolist()
        # Only the smallest numbers can be among the first; so memory does not follow the text.
        lowest = sorted(zip(drawn, range(len(spans)), strict=True))[:count]
        found += [(number, _word(text, spans, place, places[row])) for number, place in lowest]
        if len(found) > 4 * count:
            found = sorted(found, key=_number)[:count]
    return [word for _, word in sorted(found, key=_number)[:count]]


def _number(drawn: tuple[int, Word]) -> int:
    return drawn[0]


def _word(text: str, spans: list[tuple[int, int]], place: int, document: int) -> Word:
    start, end = spans[place]
    first = next((one for one, _ in spans if one >= start - CONTEXT_CHARACTERS), start)
    last = next((other for _, other in reversed(spans) if other <= end + CONTEXT_CHARACTERS), end)
    return Word(document, text[first:last], start - first, end - first)


@dataclass(frozen=True)
class WordRows:
    """Words tokenized with the text around them; an item is one piece of one word.

    ``ids`` are those of every word's text, special tokens included; ``pieces (words, 2)`` says which of them are the
    word's; ``known (words,)`` tells the words of which the tokenizer knows every piece.
    """

    ids: list[Ints]
    pieces: Ints
    known: NDArray[np.bool_]
    owner: Ints
    documents: int
    vocabulary: Vocabulary

    @property
    def truncated(self) -> int:
        """Words are shown with some of the text around them; none is cut itself."""
        return 0

    @property
    def short(self) -> int:
        """Short documents are not counted: a word is what is asked for."""
        return 0

    @property
    def items(self) -> Ints:
        """Word and piece of every item, ``(items, 2)``; words not wholly known have none."""
        counts = np.where(self.known, self.pieces[:, 1] - self.pieces[:, 0], 0)
        words = np.repeat(np.arange(len(counts)), counts)
        first = np.repeat(np.cumsum(counts) - counts, counts)
        return np.stack([words, self.pieces[words, 0] + np.arange(len(words)) - first], axis=1)

    @property
    def asked(self) -> Ints:
        """The documents of which a word is asked, in order."""
        return np.unique(self.owner[self.known])

    def of_asked(self) -> WordRows:
        """Return the rows whose documents are only those of which a word is asked."""
        asked = self.asked
        return replace(self, owner=np.searchsorted(asked, self.owner), documents=len(asked))

    def only(self, words: NDArray[np.bool_]) -> WordRows:
        """Return the rows with only some of the words known."""
        return replace(self, known=self.known & words)

    @property
    def passes(self) -> int:
        """Everything is measured once."""
        return 1

    def lengths(self, occasion: Occasion) -> Ints:
        """Tokens of every item."""
        return np.array([len(own) for own in self.ids], np.int64)[self.items[:, 0]]


WORD_COLUMNS = 2
"""Columns of what is summed for a document: its words that were asked for, and their loss."""


def word_line(before: Floats, after: Floats) -> dict[str, Any]:
    """Return how many words of a document were asked for, and their mean loss before and after; None without any."""
    sides = {"before": before, "after": after}
    return {"words": int(before[0])} | {
        name: round(float(side[1] / side[0]), 6) if side[0] else None for name, side in sides.items()
    }


def word_loss(sums: Floats) -> Floats:
    """Return the mean loss of a word, in nats."""
    return ratio(sums[..., 1], sums[..., 0])


WORD_INFO = TaskInfo(
    name="mlm",
    head="masked_lm",
    head_purpose="masked words",
    loss="",
    example="test document",
    primary_metric="word_loss",
    metric_names=("word_loss",),
    columns=MappingProxyType({}),
    description="words of plain texts, filled in piece by piece",
    margin=0.05,
)


@dataclass(frozen=True)
class PseudoLikelihood:
    """What a masked language model makes of whole words: see the module."""

    info: TaskInfo = WORD_INFO

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """The one metric."""
        return {"word_loss": word_loss}

    def tokenize(
        self, words: Sequence[Word], tokenizer: Tokenizer, *, documents: int, mask: int, padding: int, longest: int
    ) -> WordRows:
        """Tokenize words with the text around them; of too many tokens the farthest from the word are left out."""
        vocabulary = Vocabulary.of(tokenizer, mask=mask, padding=padding)
        plain = Tokenizer.from_str(tokenizer.to_str())
        plain.no_truncation()
        room = longest - len(vocabulary.prefix) - len(vocabulary.suffix)
        encodings = plain.encode_batch([word.text for word in words], add_special_tokens=False)
        ids: list[Ints] = []
        pieces: list[tuple[int, int]] = []
        known: list[bool] = []
        for word, encoding in zip(words, encodings, strict=True):
            own, place = _shown(word, encoding, room)
            ids.append(np.array([*vocabulary.prefix, *own, *vocabulary.suffix], np.int64))
            pieces.append((place[0] + len(vocabulary.prefix), place[1] + len(vocabulary.prefix)))
            inside = own[slice(*place)]
            known.append(len(inside) > 0 and bool(vocabulary.knows(np.array(inside)).all()))
        owner = np.array([word.document for word in words], np.int64)
        return WordRows(
            ids, np.array(pieces, np.int64).reshape(-1, 2), np.array(known, np.bool_), owner, documents, vocabulary
        )

    def collate(
        self, rows: WordRows, items: Ints, occasion: Occasion, *, epoch: int = 0, seed: int = 0
    ) -> tuple[Batch, float]:
        """Return texts ``(items, length)`` in which a piece is asked for, it and the word's later pieces hidden."""
        chosen = rows.items[items]
        longest = max(len(rows.ids[word]) for word in chosen[:, 0])
        input_ids = np.full((len(items), longest), rows.vocabulary.padding, np.int64)
        attention = np.zeros((len(items), longest), np.int64)
        labels = np.full((len(items), longest), IGNORED_LABEL, np.int64)
        for line, (word, piece) in enumerate(chosen.tolist()):
            own = rows.ids[word]
            input_ids[line, : len(own)] = own
            attention[line, : len(own)] = 1
            labels[line, piece] = own[piece]
            input_ids[line, piece : rows.pieces[word, 1]] = rows.vocabulary.mask
        return {"input_ids": input_ids, "attention_mask": attention, "labels": labels}, float(len(items))

    def reduce(self, batch: Batch, outputs: Batch) -> Floats:
        """Return the loss of every item, ``(items,)``."""
        return -outputs["log_probabilities"].astype(np.float64)

    def score(self, rows: WordRows, reduced: Floats) -> Floats:
        """Return the number and the summed loss of the words of every document, ``(documents, 2)``."""
        words = rows.items[:, 0]
        losses = np.bincount(rows.owner[words], reduced, rows.documents)
        counts = np.bincount(rows.owner[rows.known], minlength=rows.documents)
        return np.stack([counts, losses], axis=1).astype(np.float64)

    def measure(self, rows: WordRows, predictions: Floats) -> Measurement:
        """Return the loss per word with the sums it follows from."""
        return Measurement(predictions, predictions, {"word_loss": float(word_loss(predictions.sum(0)))})


def _shown(word: Word, encoding: Encoding, room: int) -> tuple[list[int], tuple[int, int]]:
    """Return the tokens of a word's text, at most ``room``, and which of them are the word's.

    None are where a token holds letters of a neighbour too, as in Chinese it may: then the word cannot be asked alone.
    """
    offsets = encoding.offsets
    own = [place for place, (_, end) in enumerate(offsets) if word.start < end <= word.end]
    # A token may begin with the space before its word.
    whole = own and not word.text[offsets[own[0]][0] : word.start].strip() and offsets[own[-1]][1] == word.end
    if not whole:
        return encoding.ids[:room], (0, 0)
    first, last = own[0], own[-1] + 1
    spare = max(0, room - (last - first))
    begin = max(0, min(first - spare // 2, len(encoding.ids) - room))
    return encoding.ids[begin : begin + room], (first - begin, min(last - begin, room))
