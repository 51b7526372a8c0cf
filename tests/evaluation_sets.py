"""Small tasks and evaluation sets made in code: predictions are given as numbers, so no file and no model is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from homeground.data.corpus import link
from homeground.data.examples import Example
from homeground.data.tokens.tokenized import TextTokens
from homeground.evaluation.evaluation_set import EvaluationSet, Resampling
from homeground.tasks.classification.classification import Classification, LabelledRows
from homeground.tasks.classification.spec import ClassificationSpec
from homeground.tasks.similarity.similarity import PairRows, Similarity
from homeground.tasks.similarity.spec import SimilaritySpec
from homeground.tasks.task import Measurement
from tests.conftest import topic_pairs

NOTHING: Any = None
"""What a test does not look at."""

DRAWS = Resampling(seed=0, draws=300)


def scored_task(loss: str = "angular_mse", metric: str = "pearson") -> Similarity:
    """Return the task of scored pairs."""
    return SimilaritySpec({"text_1": "a", "text_2": "b", "similarity": "c"}, loss, metric).with_splits({}, None)


def ranking_task(metric: str = "mrr") -> Similarity:
    """Return the task of pairs that belong together."""
    columns = {"anchor": "a", "positive": "b"}
    return SimilaritySpec(columns, "multiple_negatives_ranking", metric).with_splits({}, None)


def pair_rows(sides: Sequence[Sequence[int]], scores: Iterable[float] | None = None) -> PairRows:
    """Return pairs of texts that are numbered and never tokenized."""
    gold = np.full(len(sides), np.nan) if scores is None else np.array(list(scores), np.float64)
    return PairRows(NOTHING, np.array(sides, np.int64), gold, 0)


def pair_examples(pairs: Iterable[tuple[str, str, float]]) -> list[Example]:
    """Return scored pairs as examples, one a row."""
    return [Example(row, pair[:2], pair[2]) for row, pair in enumerate(pairs, start=1)]


def scored_pairs(
    count: int = 120,
    *,
    metric: str = "pearson",
    resampling: Resampling = DRAWS,
    tokenizer: Tokenizer | None = None,
    batch_size: int = 32,
) -> EvaluationSet:
    """Return a set of scored pairs, all independent; its ``rows.scores`` are what a perfect model predicts.

    Without a tokenizer only predictions can be measured.
    """
    examples, task = pair_examples(topic_pairs(count)), scored_task(metric=metric)
    if tokenizer is None:
        rows = pair_rows([[0, 0]] * count, [example.score or 0.0 for example in examples])
    else:
        rows = task.tokenize(examples, TextTokens(tokenizer, 0))
    return EvaluationSet("pairs.csv", task, rows, link(examples), batch_size, resampling)


def ranked_pairs(count: int, *, metric: str = "mrr") -> EvaluationSet:
    """Return a set of pairs that belong together, all independent; predictions are reciprocal ranks."""
    examples = [Example(row, (f"anchor {row}", f"positive {row}")) for row in range(1, count + 1)]
    rows = pair_rows([[0, 0]] * count)
    return EvaluationSet("anchors.csv", ranking_task(metric), rows, link(examples), 32, DRAWS)


def label_spec(loss: str = "cross_entropy", metric: str = "accuracy", **settings: Any) -> ClassificationSpec:
    """Return the spec of single texts with labels."""
    return ClassificationSpec({"text": "text", "label": "label"}, loss, metric, **settings)


def labelled(labels: Iterable[str | Sequence[str]], prefix: str = "t") -> list[Example]:
    """Return a text for every label, or for every sequence of labels, the texts all different."""
    names = [(label,) if isinstance(label, str) else tuple(label) for label in labels]
    return [Example(row, (f"{prefix}{row}",), labels=labels) for row, labels in enumerate(names)]


def label_task(train: Iterable[str | Sequence[str]], **settings: Any) -> Classification:
    """Return the task of training texts with these labels, and nothing to validate or test."""
    return label_spec(**settings).with_splits({"train": labelled(train), "validation": [], "test": []}, None)


def labelled_texts(counts: Mapping[str, int], *, metric: str, resampling: Resampling = DRAWS) -> EvaluationSet:
    """Return a set with so many texts of each label, all independent."""
    examples = labelled(label for label, count in counts.items() for _ in range(count))
    task = label_spec(metric=metric).for_labels(tuple(counts), examples)
    labels = np.array([task.labels.index((example.labels or ("",))[0]) for example in examples], np.int64)
    return EvaluationSet("texts.csv", task, LabelledRows(NOTHING, labels, 0), link(examples), 32, resampling)


def measure_share_right(texts: EvaluationSet, share: float) -> Measurement:
    """Return what a model scores that labels this share of the texts, spread over all labels, as they are."""
    task: Any = texts.task
    labels, classes = texts.rows.labels, len(task.labels)
    right = np.arange(len(labels)) % 10 < 10 * share
    sure = np.eye(classes)[np.where(right, labels, (labels + 1) % classes)]
    return texts.measure_predictions(sure * 0.8 + 0.2 / classes)
