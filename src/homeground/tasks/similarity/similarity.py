"""Similarity: a siamese encoder learns from scored pairs, or from pairs and triplets that belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize as sklearn_normalize

from homeground.data.examples import Example
from homeground.data.tokens.tokenized import TextTokens, Tokenized
from homeground.statistics import correlation
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

COSINE_LIMIT = 1 - 1e-5
NO_TEXT = -1
"""In the place of a negative that a pair does not have; the ranking loss leaves such a candidate out."""

PAIR_STATISTICS = 10
"""Columns of ``correlation.pair_statistics``; the statistics of the ranks follow them."""

MOST_TITLES, LONGEST_TITLE = 8, 40
"""Texts a heat map is given when the user names none, and the characters each may have."""

ANCHORS_AT_ONCE = 1024
"""Anchors ranked at once, so that memory does not grow with their number."""

SCORED_METRICS: dict[str, Metric] = {
    "pearson": correlation.pearson,
    "spearman": lambda sums: correlation.pearson(sums[..., PAIR_STATISTICS:]),
    "mse": correlation.mse,
    "mae": correlation.mae,
    "mape": correlation.mape,
}


def angular_similarity(cosine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``1 - arccos(cosine) / pi``, in [0, 1]: 0.5 for unrelated texts, 1 for the same (Cer et al. 2018).

    The cosine is clipped to ±(1 - 1e-5), as in training, so that the largest value is 0.9986.

    >>> angular_similarity(np.array([0.0])).tolist()
    [0.5]
    """
    return 1 - np.arccos(np.clip(cosine, -COSINE_LIMIT, COSINE_LIMIT)) / np.pi


def similarity(
    embeddings_1: NDArray[np.floating[Any]], embeddings_2: NDArray[np.floating[Any]], kind: str
) -> NDArray[np.float64]:
    """Return the similarity of embeddings row by row, shape ``(texts,)``; ``kind`` is "angular" or "cosine"."""
    first, second = np.asarray(embeddings_1, np.float64), np.asarray(embeddings_2, np.float64)
    norms = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    cosine = (first * second).sum(-1) / np.maximum(norms, 1e-12)
    return angular_similarity(cosine) if kind == "angular" else cosine


@dataclass(frozen=True)
class PairRows:
    """Tokenized pairs: distinct texts tokenized once, and which of them stand on each side.

    ``sides (pairs, 2 or more)`` indexes ``texts``: the pair, then its negatives, ``NO_TEXT`` where it has fewer than
    others; ``scores (pairs,)`` is NaN where pairs have none.
    """

    texts: Tokenized
    sides: NDArray[np.int64]
    scores: NDArray[np.float64]
    padding: int

    @property
    def truncated(self) -> int:
        """Distinct texts that lost tokens to the maximum length."""
        return self.texts.truncated

    @property
    def passes(self) -> int:
        """Everything is measured once."""
        return 1

    def lengths(self, occasion: Occasion) -> NDArray[np.int64]:
        """Trained are pairs, as long as their longest side; measured are distinct texts."""
        return self.texts.lengths[_filled(self.sides)].max(1) if occasion == "training" else self.texts.lengths


@dataclass(frozen=True)
class Similarity:
    """A siamese encoder on pairs of texts.

    Scored pairs are measured by the Pearson correlation of predicted and given similarity; pairs without scores by the
    mean reciprocal rank of each anchor's positive among all positives (and negatives) of the set.
    """

    info: TaskInfo
    scored: bool
    kind: str
    """How two embeddings are compared: "angular" or "cosine"."""
    labels: tuple[str, ...] = ()

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Every metric by name, as a function of summed statistics."""
        return SCORED_METRICS if self.scored else correlation.RETRIEVAL_METRICS

    def for_examples(self, examples: Sequence[Example], *, to_choose: bool = False) -> Similarity:
        """Return the task itself: it is measured alike on any examples."""
        return self

    def tokenize(self, examples: Sequence[Example], tokens: TextTokens) -> PairRows:
        """Tokenize every distinct text once."""
        counts = np.array([len(example.texts) for example in examples], np.int64)
        texts, which = tokens.tokenize_distinct(text for example in examples for text in example.texts)
        sides = np.full((len(counts), int(counts.max(initial=2))), NO_TEXT, np.int64)
        sides[np.arange(sides.shape[1]) < counts[:, None]] = which
        scores = [np.nan if example.score is None else example.score for example in examples]
        return PairRows(texts, sides, np.array(scores, np.float64), tokens.padding)

    def collate(
        self, rows: PairRows, items: NDArray[np.int64], occasion: Occasion, *, epoch: int = 0, seed: int = 0
    ) -> tuple[Batch, float]:
        """Return pairs ``(pairs, sides, length)`` to learn from, or texts ``(texts, 1, length)`` to measure."""
        sides = rows.sides[items] if occasion == "training" else items[:, None]
        sides = sides[:, (sides != NO_TEXT).any(0)]
        input_ids, attention_mask = rows.texts.pad(_filled(sides), rows.padding)
        batch: dict[str, NDArray[Any]] = {"input_ids": input_ids, "attention_mask": attention_mask}
        if occasion == "training":
            batch["text_ids"] = sides
            batch["scores"] = rows.scores[items].astype(np.float32)
        return batch, 1.0 if self.info.loss == "cosent" else float(len(items))

    def reduce(self, batch: Batch, outputs: Batch) -> NDArray[np.float32]:
        """Keep the embedding of every text, ``(texts, dimensions)``."""
        return outputs["embeddings"][:, 0]

    def score(self, rows: PairRows, reduced: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the similarity of every pair, or the reciprocal rank of every anchor's positive, ``(pairs,)``."""
        if self.scored:
            return similarity(reduced[rows.sides[:, 0]], reduced[rows.sides[:, 1]], self.kind)
        return _reciprocal_ranks(reduced, rows.sides)

    def measure(self, rows: PairRows, predictions: NDArray[np.float64]) -> Measurement:
        """Return the metrics of predictions, ``(pairs,)``, with the statistics they follow from."""
        if self.scored:
            values = correlation.pair_statistics(predictions, rows.scores)
            statistics = np.hstack([values, correlation.rank_statistics(predictions, rows.scores)])
        else:
            statistics = correlation.retrieval_statistics(predictions)
        return Measurement(predictions, statistics, defined_scores(self.metrics, statistics))

    def example_line(self, example: Example, before: Any, after: Any) -> dict[str, Any]:
        """Return the texts of one example, its score where it has one, and the two predictions."""
        names = ("text_1", "text_2") if self.scored else ("anchor", "positive")
        score = {} if example.score is None else {"similarity": example.score}
        negatives = example.texts[2:]
        negative = {"negative": negatives[0] if len(negatives) == 1 else list(negatives)} if negatives else {}
        predictions = {"before": round(float(before), 6), "after": round(float(after), 6)}
        return {**dict(zip(names, example.texts[:2], strict=True)), **negative, **score, **predictions}

    def baselines(self, train: TokenizedExamples, test: TokenizedExamples) -> dict[str, NDArray[np.float64]]:
        """Return what TF-IDF over character 1- to 4-grams, weighted on the training texts, predicts for the test."""
        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
        vectorizer.fit(sorted({side for example in train.examples for side in example.texts}))
        places: dict[str, int] = {}
        sides = _sides([example.texts for example in test.examples], places)
        vectors: Any = vectorizer.transform(list(places))
        if not self.scored:
            return {"TF-IDF": _reciprocal_ranks(vectors, sides)}
        cosine = np.asarray(vectors[sides[:, 0]].multiply(vectors[sides[:, 1]]).sum(1), np.float64).ravel()
        return {"TF-IDF": angular_similarity(cosine) if self.kind == "angular" else cosine}

    def report_details(
        self, test: TokenizedExamples, titles: Sequence[str] | None, before: MeasuredModel, after: MeasuredModel
    ) -> dict[str, Any]:
        """Return the similarities of some titles with each other, before and after."""
        titles = list(titles or pick_titles(test.examples))
        if len(titles) < 2:
            return {"heat_map": None}
        matrices = {
            name: similarity_matrix(side.encode(titles), self.kind)
            for name, side in (("before", before), ("after", after))
        }
        return {"heat_map": {"titles": titles, **{name: m.round(6).tolist() for name, m in matrices.items()}}}


def similarity_matrix(embeddings: NDArray[np.floating[Any]], kind: str) -> NDArray[np.float64]:
    """Return the similarity of every embedding with every other, ``(texts, texts)``."""
    count = len(embeddings)
    rows, columns = np.divmod(np.arange(count * count), count)
    return similarity(embeddings[rows], embeddings[columns], kind).reshape(count, count)


def pick_titles(examples: Sequence[Example]) -> list[str]:
    """Pick up to eight short texts for a heat map: the most similar pairs, each pair of another group or text."""
    titles: list[str] = []
    groups: set[str | None] = set()
    for example in sorted(examples, key=lambda example: -(example.score or 0.0)):
        pair = example.texts[:2]
        new_group = example.group is None or example.group not in groups
        if new_group and not set(pair) & set(titles) and max(map(len, pair)) <= LONGEST_TITLE and len(set(pair)) == 2:
            titles += pair
            groups.add(example.group)
        if len(titles) == MOST_TITLES:
            break
    return titles


def _sides(texts: Sequence[Sequence[str]], places: dict[str, int]) -> NDArray[np.int64]:
    """Return the places of texts ``(pairs, sides)``, which are entered into ``places`` where they are new."""
    sides = np.full((len(texts), max(map(len, texts), default=2)), NO_TEXT, np.int64)
    for row, own in enumerate(texts):
        sides[row, : len(own)] = [places.setdefault(text, len(places)) for text in own]
    return sides


def _filled(sides: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return sides with the first text in place of one that is missing, so that there is something to compute."""
    return np.where(sides == NO_TEXT, sides[:, :1], sides)


def _reciprocal_ranks(embeddings: Any, sides: NDArray[np.int64]) -> NDArray[np.float64]:
    """Rank every anchor's positive among the distinct positives and negatives of the set, by cosine.

    ``embeddings (texts, dimensions)`` may be sparse. Other positives of the same anchor, and the anchor itself, are no
    wrong answers and are left out of its candidates.
    """
    candidates = np.unique(sides[:, 1:])
    candidates = candidates[candidates != NO_TEXT]
    positives = np.searchsorted(candidates, sides[:, 1])
    place_of = {text: place for place, text in enumerate(candidates.tolist())}
    belongs: dict[int, set[int]] = {}
    for anchor, positive in zip(sides[:, 0].tolist(), positives.tolist(), strict=True):
        itself = {place_of[anchor]} if anchor in place_of else set[int]()
        belongs.setdefault(anchor, itself).add(positive)
    vectors: Any = sklearn_normalize(embeddings)
    ranks: list[NDArray[np.float64]] = []
    for start in range(0, len(sides), ANCHORS_AT_ONCE):
        anchors, own = sides[start : start + ANCHORS_AT_ONCE, 0], positives[start : start + ANCHORS_AT_ONCE]
        product = vectors[anchors] @ vectors[candidates].T
        similarities = np.asarray(product.todense() if issparse(product) else product, np.float64)
        for place, (anchor, positive) in enumerate(zip(anchors.tolist(), own.tolist(), strict=True)):
            similarities[place, list(belongs[anchor] - {positive})] = -np.inf
        ranks.append(correlation.reciprocal_ranks(similarities, own))
    return np.concatenate(ranks)
