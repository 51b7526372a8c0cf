"""What a report shows of masked words: sentences with a blank, and the words whose prediction changed most."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from homeground.data.documents import Source
from homeground.data.segmentation import word_spans
from homeground.data.tokens.tokenized import IGNORED_LABEL
from homeground.memory import in_parts
from homeground.randomness import generator
from homeground.tasks.mlm.blocks import MaskedRows, Vocabulary
from homeground.tasks.task import Batch, MeasuredModel

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MAX_BLANKS = 8
"""Sentences shown."""

TOKENS_SHOWN = 5
"""Tokens shown for a blank, of either side."""

MAX_DOCUMENTS = 200
"""Documents that sentences are taken from."""

MAX_SENTENCES = 120
"""Sentences tried, at most ``SENTENCES_A_DOCUMENT`` from one document."""

SENTENCES_A_DOCUMENT = 3
WORDS_TRIED = 4
"""Words tried in a sentence."""

MIN_WORDS, MAX_WORDS = 6, 30
"""Words of a sentence, so that there is something to tell from and little to read."""

LETTERS_OF_PROSE = 0.85
"""The share of letters, spaces left out, from which a line is a sentence."""

CHARACTERS_READ = 20_000
"""Characters of a document in which sentences are looked for."""

MIN_LETTERS = 4
"""Letters of a word that may be a blank: shorter ones are words of every domain. Not asked of other scripts."""

MAX_BLOCKS = 300
"""Blocks in which words are looked at."""

MIN_MASKED_TOKENS = 3
"""Masked tokens of a word from which it is listed."""

MAX_IMPROVED, MAX_WORSE = 20, 10
"""Words listed."""

BLOCKS_AT_ONCE = 32

SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*|\n+")


class Collate(Protocol):
    """What makes a batch of items, their measured masks in it."""

    def __call__(self, items: Ints) -> Batch:
        """Return the batch of some items of the test rows."""
        ...


@dataclass(frozen=True)
class Blank:
    """A sentence and the place of one word in it, in characters and in tokens."""

    row: int
    sentence: str
    start: int
    end: int
    ids: Ints
    place: int

    @property
    def word(self) -> str:
        """The word that is missing."""
        return self.sentence[self.start : self.end]


def find_blanks(source: Source, numbers: Sequence[int], rows: MaskedRows, *, seed: int) -> list[Blank]:
    """Return sentences of some documents, each with words that are a single token.

    ``numbers`` are the rows of the documents in their file; a bounded sample of them is read, keyed by the seed.
    """
    sample = set(generator(seed, "blanks").permutation(np.array(numbers, np.int64))[:MAX_DOCUMENTS].tolist())
    texts = [(row, text[:CHARACTERS_READ]) for row, text in source.texts() if row in sample]
    tokenizer = Tokenizer.from_str(rows.tokenizer.to_str())
    tokenizer.no_truncation()
    blanks: list[Blank] = []
    sentences = 0
    for row, text in texts:
        random = generator(seed, "blank", row)
        for sentence in _sentences(text, random):
            found = _words(row, sentence, tokenizer, rows.room, rows.vocabulary)
            order = random.permutation(len(found))[:WORDS_TRIED]
            blanks += [found[place] for place in order.tolist()]
            sentences += 1
        if sentences >= MAX_SENTENCES:
            break
    return blanks


def show_blanks(
    blanks: Sequence[Blank], rows: MaskedRows, before: MeasuredModel, after: MeasuredModel
) -> list[dict[str, Any]]:
    """Return the blanks whose prediction changed most, one a document and a word, with what either side fills in."""
    if not blanks:
        return []
    sides, vocabulary = {"before": before, "after": after}, rows.vocabulary
    sure = {name: _sure(model, blanks, vocabulary) for name, model in sides.items()}
    # By the probability itself: from one in a million to one in a thousand is a large step that shows nothing.
    order = np.argsort(-np.abs(np.exp(sure["after"]) - np.exp(sure["before"])), kind="stable")
    chosen: list[int] = []
    used: set[Any] = set()
    for place in order.tolist():
        own = {blanks[place].row, blanks[place].word.lower()}
        if len(chosen) < MAX_BLANKS and not own & used:
            chosen.append(place)
            used |= own
    picked = [blanks[place] for place in chosen]
    likeliest = {name: _likeliest(model, picked, vocabulary) for name, model in sides.items()}
    return [
        {
            "row": blank.row,
            "left": blank.sentence[: blank.start],
            "word": blank.word,
            "right": blank.sentence[blank.end :],
            **{
                name: {
                    "probability": round(float(np.exp(sure[name][place])), 6),
                    "likeliest": _answers(likeliest[name], line, rows.tokenizer),
                }
                for name in sides
            },
        }
        for line, (place, blank) in enumerate(zip(chosen, picked, strict=True))
    ]


def compare_words(
    rows: MaskedRows, collate: Collate, before: MeasuredModel, after: MeasuredModel, *, seed: int
) -> dict[str, Any]:
    """Return the words whose mean loss, in nats, fell most and those where it rose most, on a sample of the blocks.

    A masked token counts for the whole word that it is a part of.
    """
    blocks = np.sort(generator(seed, "words").permutation(len(rows.blocks))[:MAX_BLOCKS])
    sums: dict[str, Floats] = {}
    masked = 0

    def losses(first: int, some: Ints) -> tuple[Ints, list[Floats]]:
        batch = collate(some + first)
        both = [-model.predict(batch)["log_probabilities"].astype(np.float64) for model in (before, after)]
        return batch["labels"], both

    for draw in range(rows.draws):
        for start in range(0, len(blocks), BLOCKS_AT_ONCE):
            batches = in_parts(blocks[start : start + BLOCKS_AT_ONCE], partial(losses, draw * len(rows.blocks)))
            for some, (labels, sides) in batches:
                words = _masked_words(rows, some, labels)
                masked += len(words)
                for word, one, other in zip(words, *sides, strict=True):
                    if word:
                        sums[word] = sums.get(word, np.zeros(3)) + np.array([1.0, one, other])
    return {"blocks": len(blocks), "masked": masked, **_ranked(sums)}


def _ranked(sums: Mapping[str, Floats]) -> dict[str, Any]:
    means = {word: (int(n), one / n, other / n) for word, (n, one, other) in sums.items() if n >= MIN_MASKED_TOKENS}
    order = sorted(means, key=lambda word: (means[word][2] - means[word][1], word))
    improved = [word for word in order if means[word][2] < means[word][1]][:MAX_IMPROVED]
    worse = [word for word in reversed(order) if means[word][2] > means[word][1]][:MAX_WORSE]

    def line(word: str) -> dict[str, Any]:
        count, one, other = means[word]
        return {"word": word, "count": count, "before": round(float(one), 6), "after": round(float(other), 6)}

    return {"words": len(means), "improved": [line(word) for word in improved], "worse": [line(word) for word in worse]}


def _masked_words(rows: MaskedRows, blocks: Ints, labels: Ints) -> list[str]:
    """Return the word of every masked token, item by item, in lower case; empty where it is no word of letters."""
    first = len(rows.vocabulary.prefix)
    words: list[str] = []
    for block, own in zip(blocks.tolist(), labels, strict=True):
        ids, marks = rows.content(block)
        begins = np.flatnonzero(marks)
        number = np.cumsum(marks) - 1
        bounds = np.append(begins, len(ids))
        for place in (np.flatnonzero(own != IGNORED_LABEL) - first).tolist():
            start, end = bounds[number[place]], bounds[number[place] + 1]
            words.append(_shown(rows.tokenizer.decode(ids[start:end].tolist(), skip_special_tokens=False)))
    return words


def _shown(word: str) -> str:
    """Return a word as it is listed; of words with fewer than three letters only those of other scripts than ours."""
    plain = word.strip().lower()
    long = len(plain) >= 3 or not plain.isascii()
    return plain if long and plain[:1].isalpha() and "\ufffd" not in plain else ""


def _sentences(text: str, random: np.random.Generator) -> list[str]:
    """Return a few sentences of a text, in a random order, none too short or too long."""
    found = [sentence.strip() for sentence in SENTENCE_END.split(text)]
    fitting = [each for each in found if 2 * MIN_WORDS <= len(each) <= 12 * MAX_WORDS and _prose(each)]
    chosen: list[str] = []
    for place in random.permutation(len(fitting)).tolist():
        words = sum(fitting[place][start].isalnum() for start, _ in word_spans(fitting[place]))
        if MIN_WORDS <= words <= MAX_WORDS:
            chosen.append(fitting[place])
        if len(chosen) == SENTENCES_A_DOCUMENT:
            break
    return chosen


def _prose(sentence: str) -> bool:
    """Tell a sentence from an address, a table or code, by the share of letters in what is not space."""
    marks = [letter for letter in sentence if not letter.isspace()]
    return sum(letter.isalpha() for letter in marks) >= LETTERS_OF_PROSE * len(marks)


def _words(row: int, sentence: str, tokenizer: Tokenizer, room: int, vocabulary: Vocabulary) -> list[Blank]:
    """Return the words of a sentence that may be blanks: long enough, of letters, and one known token each."""
    encoding = tokenizer.encode(sentence, add_special_tokens=False)
    if len(encoding.ids) > room:
        return []
    ids = np.array(encoding.ids, np.int64)
    # A token may begin with the space before its word.
    tokens = {
        (end - len(sentence[start:end].lstrip()), end): place
        for place, ((start, end), known) in enumerate(
            zip(encoding.offsets, vocabulary.knows(ids).tolist(), strict=True)
        )
        if known
    }
    return [
        Blank(row, sentence, start, end, ids, tokens[start, end])
        for start, end in word_spans(sentence)
        if (start, end) in tokens and _may_be_blank(sentence[start:end])
    ]


def _may_be_blank(word: str) -> bool:
    return word.isalpha() and (len(word) >= MIN_LETTERS or not word.isascii())


def _batch(blanks: Sequence[Blank], vocabulary: Vocabulary) -> dict[str, Ints]:
    contents = [blank.ids.copy() for blank in blanks]
    labels = [np.full(len(blank.ids), IGNORED_LABEL, np.int64) for blank in blanks]
    for blank, ids, own in zip(blanks, contents, labels, strict=True):
        own[blank.place] = ids[blank.place]
        ids[blank.place] = vocabulary.mask
    return vocabulary.batch(contents, labels)


def _sure(model: MeasuredModel, blanks: Sequence[Blank], vocabulary: Vocabulary) -> Floats:
    """Return the log probability of the missing word of every blank."""

    def sure(some: Ints) -> NDArray[Any]:
        return model.predict(_batch([blanks[place] for place in some.tolist()], vocabulary))["log_probabilities"]

    places = np.arange(len(blanks))
    starts = range(0, len(blanks), BLOCKS_AT_ONCE)
    parts = [part for start in starts for _, part in in_parts(places[start : start + BLOCKS_AT_ONCE], sure)]
    return np.concatenate(parts).astype(np.float64)


def _likeliest(model: MeasuredModel, blanks: Sequence[Blank], vocabulary: Vocabulary) -> Batch:
    """Return the likeliest tokens of every blank, as ``MaskedHead.fill`` has them."""

    def fill(some: Ints) -> Batch:
        return model.fill(_batch([blanks[place] for place in some.tolist()], vocabulary), TOKENS_SHOWN)

    parts = [part for _, part in in_parts(np.arange(len(blanks)), fill)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _answers(found: Batch, line: int, tokenizer: Tokenizer) -> list[dict[str, Any]]:
    ids, sure = found["ids"][line].tolist(), np.exp(found["log_probabilities"][line].astype(np.float64)).tolist()
    return [
        {"token": tokenizer.decode([token], skip_special_tokens=False).strip(), "probability": round(p, 6)}
        for token, p in zip(ids, sure, strict=True)
    ]
