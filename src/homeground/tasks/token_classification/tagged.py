"""Texts with their tags, one for every word: from marked spans to the tags that a model learns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from homeground.data.annotations.annotated import AnnotatedText, Span
from homeground.data.annotations.running_text import cut_into_words
from homeground.data.annotations.windows import WordTokens
from homeground.data.examples import Example
from homeground.statistics.entities import OUTSIDE
from homeground.tasks.task import Occasion

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TaggedText(Example):
    """A text with the places of its words, a tag for each (IOB2), and its spans as the file has them.

    ``unexpressed`` are the types of the spans that tags cannot express: they share a word with the span before them.
    ``widened`` counts the spans that begin or end inside a word and are learned as whole words.
    """

    words: tuple[tuple[int, int], ...] = ()
    tags: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    unexpressed: tuple[str, ...] = ()
    widened: int = 0


def tagged(annotated: AnnotatedText, group: str | None) -> TaggedText:
    """Return an annotated text with tags for its words."""
    words = annotated.words or cut_into_words(annotated.text)
    tags = [OUTSIDE] * len(words)
    unexpressed: list[str] = []
    widened = 0
    for span in annotated.spans:
        inside = [place for place, (start, end) in enumerate(words) if start < span.end and end > span.start]
        if not inside or tags[inside[0]] != OUTSIDE:
            unexpressed.append(span.label)
            continue
        widened += (words[inside[0]][0], words[inside[-1]][1]) != (span.start, span.end)
        for place in inside:
            tags[place] = f"I-{span.label}"
        tags[inside[0]] = f"B-{span.label}"
    return TaggedText(
        annotated.row,
        (annotated.text,),
        group=group,
        words=words,
        tags=tuple(tags),
        spans=annotated.spans,
        unexpressed=tuple(unexpressed),
        widened=widened,
    )


def as_tagged(examples: Sequence[Example]) -> list[TaggedText]:
    """Return the examples, all of which this task has read."""
    return [example for example in examples if isinstance(example, TaggedText)]


def types_in(examples: Iterable[Example]) -> Counter[str]:
    """Return how often each type is marked in some examples."""
    return Counter(span.label for example in examples if isinstance(example, TaggedText) for span in example.spans)


@dataclass(frozen=True)
class TaggedRows:
    """Tokenized texts with the tags of their words.

    Items are windows. ``gold (words,)`` are the places of the gold tags, of which those from the number of the task's
    labels on do not occur in training; ``inside (tags,)`` are the tags that go on with each. ``beyond (texts, types)``
    counts the gold entities that tags cannot express; ``width`` is the most words that a text of any split has.
    """

    tokens: WordTokens
    gold: Ints
    inside: Ints
    beyond: Ints
    width: int
    truncated: int = field(default=0, init=False)
    passes: int = field(default=1, init=False)

    @property
    def labels(self) -> Ints:
        """The gold tags of the tokens that decide, window by window."""
        tokens = self.tokens.in_order
        gold = self.gold[self.tokens.word[tokens]]
        return np.where(self.tokens.begins_word[tokens], gold, self.inside[gold])

    def label_places(self, items: Ints) -> Ints:
        """Return the places in ``labels`` of the words that some windows decide, window by window."""
        return self.tokens.decided_in(items)

    def lengths(self, occasion: Occasion) -> Ints:
        """Tokens of every window, the same on every occasion."""
        return self.tokens.lengths
