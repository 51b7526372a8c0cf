"""What tags can be had without a pretrained model: the usual tag of a word, and a linear model on its shape."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from homeground.data.examples import link
from homeground.statistics.entities import OUTSIDE
from homeground.tasks.token_classification.tagged import TaggedText

FEATURES = 2**18
"""Columns that the features of words are hashed into."""

STRENGTHS = (0.03, 0.3, 3.0)
"""Values of C among which a third of the training texts chooses."""

HELD_OUT = 3
"""One unit in so many chooses."""

LONGEST_AFFIX = 4
"""Characters of the beginnings and ends of words that are features."""

MAX_STEPS = 2000


def frequent_tags(train: Sequence[TaggedText], test: Sequence[TaggedText]) -> list[list[str]]:
    """Return for every word the tag that it has most often in training, outside for a word that is not there."""
    counts: dict[str, Counter[str]] = {}
    for text in train:
        for word, tag in zip(_words(text), text.tags, strict=True):
            counts.setdefault(word.lower(), Counter())[tag] += 1
    usual = {word: max(sorted(tags), key=tags.__getitem__) for word, tags in counts.items()}
    return [[usual.get(word.lower(), OUTSIDE) for word in _words(text)] for text in test]


def linear_tags(train: Sequence[TaggedText], test: Sequence[TaggedText]) -> list[list[str]]:
    """Return the tags that a linear support vector machine gives each word by itself.

    Its features are the word, its first and last characters, its shape (``Xx-00``), the same of the words beside it,
    and the word pairs with these; features are hashed. C is chosen by the accuracy on a third of the units of training.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    features, asked = _features(train), _features(test)
    tags = np.array([tag for text in train for tag in text.tags])
    if len(set(tags.tolist())) < 2:
        return [[str(tags[0])] * len(text.words) for text in test]
    unit = np.repeat(link(train).units, [len(text.words) for text in train])
    chooses = unit % HELD_OUT == 0

    def fitted(strength: float, rows: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return LinearSVC(C=strength, max_iter=MAX_STEPS, random_state=0).fit(features[rows], tags[rows])

    strength = STRENGTHS[1]
    if len(set(tags[~chooses].tolist())) > 1 and chooses.any():
        strength = max(STRENGTHS, key=lambda each: fitted(each, ~chooses).score(features[chooses], tags[chooses]))
    given = fitted(strength, np.full(len(tags), fill_value=True)).predict(asked) if asked.shape[0] else np.empty(0, str)
    ends = np.cumsum([len(text.words) for text in test])
    return [part.tolist() for part in np.split(given, ends[:-1])]


def _features(texts: Sequence[TaggedText]) -> Any:
    from sklearn.feature_extraction import FeatureHasher

    rows = (row for text in texts for row in _rows(_words(text)))
    return FeatureHasher(FEATURES, input_type="string", alternate_sign=False).transform(rows)


def _rows(words: Sequence[str]) -> Iterator[list[str]]:
    around = ["<", *words, ">"]
    own = [_describe(word) for word in around]
    for place in range(1, len(words) + 1):
        before, word, after = around[place - 1 : place + 2]
        yield [
            *own[place],
            *(f"-1 {each}" for each in own[place - 1]),
            *(f"+1 {each}" for each in own[place + 1]),
            f"-1,0 {before.lower()} {word.lower()}",
            f"0,+1 {word.lower()} {after.lower()}",
            "first" if place == 1 else "later",
        ]


def _describe(word: str) -> list[str]:
    """Return the features of one word.

    >>> _describe("Rex-7")[:3]
    ['word rex-7', 'shape Xx-0', '^ r']
    """
    lower = word.lower()
    shape = re.sub(r"(.)\1+", r"\1", "".join(_kind(letter) for letter in word))
    sizes = range(1, min(LONGEST_AFFIX, len(word)) + 1)
    return [
        f"word {lower}",
        f"shape {shape}",
        *(f"^ {lower[:size]}" for size in sizes),
        *(f"$ {lower[-size:]}" for size in sizes),
    ]


def _kind(letter: str) -> str:
    if letter.isdigit():
        return "0"
    if letter.isalpha():
        return "X" if letter.isupper() else "x"
    return letter


def _words(text: TaggedText) -> list[str]:
    return [text.texts[0][start:end] for start, end in text.words]
