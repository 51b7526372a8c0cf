"""Token classification: every word of a text is given a tag, and the tags mean spans with a type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.data.annotations.windows import decide, read_words
from homeground.data.examples import Example
from homeground.data.tokens.tokenized import IGNORED_LABEL, TextTokens
from homeground.statistics import entities as formulas
from homeground.statistics.entities import OUTSIDE, Tags
from homeground.tasks.task import (
    Batch,
    MeasuredModel,
    Measurement,
    Metric,
    Occasion,
    TaskInfo,
    TokenizedExamples,
    defined_scores,
)
from homeground.tasks.token_classification.baselines import frequent_tags, linear_tags
from homeground.tasks.token_classification.details import entity_details, marked
from homeground.tasks.token_classification.tagged import TaggedRows, as_tagged

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NO_WORD = -1.0
"""What fills a row of predictions behind the last word of its text."""


@dataclass(frozen=True)
class TokenClassification:
    """A tag for every word, decided by the strict F1 of the entities that the tags mean.

    ``labels`` are the tags of the model, ``O`` and two for every type of the training examples; ``unseen`` are the tags
    of types that validation or test examples have and training does not. A row of predictions holds the place of the
    tag of each of ``width`` words, and then the probability of each.
    """

    info: TaskInfo
    labels: tuple[str, ...]
    unseen: tuple[str, ...]
    width: int
    several: bool = False
    balanced: bool = False

    @cached_property
    def tags(self) -> Tags:
        """What the tags mean, those unseen in training included."""
        return Tags.of((*self.labels, *self.unseen))

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Every metric by name, as a function of summed statistics."""
        return formulas.metrics(len(self.tags.types))

    def for_examples(self, examples: Sequence[Example], *, to_choose: bool = False) -> TokenClassification:
        """Return the task itself: its metrics count entities, whatever types the examples have."""
        return self

    def tokenize(self, examples: Sequence[Example], tokens: TextTokens) -> TaggedRows:
        """Tokenize every text, a long one in several windows."""
        texts = as_tagged(examples)
        places = {name: place for place, name in enumerate(self.tags.names)}
        gold = np.array([places[name] for each in texts for name in each.tags], np.int64)
        beyond = np.zeros((len(texts), len(self.tags.types)), np.int64)
        for row, each in enumerate(texts):
            for name in each.unexpressed:
                beyond[row, self.tags.types.index(name)] += 1
        words = read_words(
            [each.texts[0] for each in texts], [each.words for each in texts], tokens.tokenizer, tokens.padding
        )
        return TaggedRows(
            words, gold, self.tags.inside, beyond, max([self.width, *(len(each.words) for each in texts)])
        )

    def collate(
        self, rows: TaggedRows, items: Ints, occasion: Occasion, *, epoch: int = 0, seed: int = 0
    ) -> tuple[Batch, float]:
        """Return a padded batch ``(items, length)``, and the number of words that are decided in it.

        ``deciding_tokens`` is 1 where a token decides a word. To learn from, ``labels`` are the tags of all tokens of
        the words that are decided here, and ``token_weights`` let every word weigh 1, however many tokens it has. A
        word of a type that training lacks is not learned.
        """
        padded, places = rows.tokens.pad(items)
        batch: dict[str, NDArray[Any]] = {**padded}
        if occasion == "measuring":
            return batch, float(padded["deciding_tokens"].sum())
        word = rows.tokens.word[places]
        labels = np.where(rows.tokens.begins_word[places], rows.gold[word], self.tags.inside[rows.gold[word]])
        learned = (places >= 0) & (labels < len(self.labels))
        batch["labels"] = np.where(learned, labels, IGNORED_LABEL)
        batch["token_weights"] = np.where(learned, 1 / np.maximum(rows.tokens.tokens_of_word[word], 1), 0.0).astype(
            np.float32
        )
        return batch, max(float(batch["token_weights"].sum(dtype=np.float64)), 1e-12)

    def reduce(self, batch: Batch, outputs: Batch) -> NDArray[Any]:
        """Return for every item its decided words in order, each with the place of its tag and its probability."""
        return decide(outputs["logits"], batch["deciding_tokens"])

    def score(self, rows: TaggedRows, reduced: NDArray[Any]) -> Floats:
        """Return tags and probabilities of the words of every text, ``(texts, 2 width)``."""
        of_words = rows.tokens.decisions(reduced, outside=self.tags.outside, inside=self.tags.inside)
        return self.as_predictions(rows.tokens.by_text(of_words), rows.width)

    def as_predictions(self, texts: Sequence[Floats], width: int) -> Floats:
        """Return predictions ``(texts, 2 width)`` from the tags and probabilities ``(words, 2)`` of every text."""
        predictions = np.full((len(texts), 2, width), NO_WORD)
        for row, values in enumerate(texts):
            predictions[row, :, : len(values)] = values.T
        return predictions.reshape(len(texts), 2 * width)

    def measure(self, rows: TaggedRows, predictions: Floats) -> Measurement:
        """Return the metrics of predictions ``(texts, 2 width)``, with the statistics they follow from."""
        gold = rows.tokens.by_text(rows.gold)
        given = predicted_tags(predictions, [len(each) for each in gold])
        statistics = formulas.statistics_of(gold, given, self.tags, beyond=rows.beyond)
        return Measurement(predictions, statistics, defined_scores(self.metrics, statistics))

    def baselines(self, train: TokenizedExamples, test: TokenizedExamples) -> dict[str, Floats]:
        """Return what the most frequent tag of each word, and a linear tagger on its shape, predict for the test."""
        learned, asked = as_tagged(train.examples), as_tagged(test.examples)
        width = max([self.width, *(len(each.words) for each in asked)])
        places = {name: place for place, name in enumerate(self.labels)}
        predictions: dict[str, Floats] = {}
        for name, tag in (("most frequent tag", frequent_tags), ("linear tagger", linear_tags)):
            texts = [
                np.array([(places.get(each, places[OUTSIDE]), 1.0) for each in tags], np.float64).reshape(-1, 2)
                for tags in tag(learned, asked)
            ]
            predictions[name] = self.as_predictions(texts, width)
        return predictions

    def report_details(
        self, test: TokenizedExamples, titles: Sequence[str] | None, before: MeasuredModel, after: MeasuredModel
    ) -> dict[str, Any]:
        """Return scores per type with intervals, the kinds of errors, and texts with what changed in them."""
        return entity_details(self.tags, as_tagged(test.examples), before, after)

    def example_line(self, example: Example, before: Floats, after: Floats) -> dict[str, Any]:
        """Return a text with its entities, and those that were predicted before and after."""
        (text,) = as_tagged([example])
        sides = {"before": before, "after": after}
        return {
            "text": text.texts[0],
            "entities": [[span.start, span.end, span.label] for span in text.spans],
            **{name: marked(self.tags, text, side) for name, side in sides.items()},
        }


def predicted_tags(predictions: Floats, words: Sequence[int]) -> list[Ints]:
    """Return the tags in predictions ``(texts, 2 width)`` of texts with so many words each."""
    return [row[:count].astype(np.int64) for row, count in zip(predictions, words, strict=True)]
