"""Entities and their scores, held against seqeval."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from homeground.statistics.entities import Entity, Tags, f1_of_type, metrics, statistics_of

TAGS = Tags.of(["O", "B-city", "I-city", "B-person", "I-person"])
NOTHING_BEYOND = np.zeros((1, 2), np.int64)


def legal(row: np.ndarray) -> np.ndarray:
    """Return tags as a file may have them: an inside tag that follows nothing of its type begins an entity."""
    fixed, before = row.copy(), -1
    for place, tag in enumerate(row):
        if tag in (2, 4) and before not in (tag, tag - 1):
            fixed[place] = tag - 1
        before = fixed[place]
    return fixed


@pytest.mark.parametrize("seed", range(20))
def test_scores_of_random_tags_are_those_of_seqeval(seed: int) -> None:
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 12, 50)
    gold = [legal(random.choice(5, length, p=[0.5, 0.15, 0.15, 0.1, 0.1])) for length in lengths]
    given = [np.where(random.random(len(row)) < 0.6, row, random.choice(5, len(row))) for row in gold]
    statistics = statistics_of(gold, given, TAGS, beyond=np.zeros((50, 2), np.int64))
    scores = {name: float(metric(statistics.sum(axis=0))) for name, metric in metrics(2).items()}
    names = [[[TAGS.names[tag] for tag in row] for row in rows] for rows in (gold, given)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        strict = {"mode": "strict", "scheme": IOB2}
        assert scores["entity_f1"] == pytest.approx(f1_score(*names, **strict), abs=1e-12)
        assert scores["entity_precision"] == pytest.approx(precision_score(*names, **strict), abs=1e-12)
        assert scores["entity_recall"] == pytest.approx(recall_score(*names, **strict), abs=1e-12)
        assert scores["conlleval_f1"] == pytest.approx(f1_score(*names), abs=1e-12)
        each = f1_score(*names, average=None, **strict)
    assert [float(f1_of_type(place, 2)(statistics.sum(axis=0))) for place in range(2)] == pytest.approx(each, abs=1e-12)
    right = np.concatenate(gold) == np.concatenate(given)
    assert scores["word_accuracy"] == pytest.approx(right.mean())


@pytest.mark.parametrize(
    ("tags", "strict", "as_in_papers"),
    [
        ([1, 2, 0], [(0, 2, 0)], [(0, 2, 0)]),
        ([2, 2, 0], [], [(0, 2, 0)]),
        ([1, 4, 4], [(0, 1, 0)], [(0, 1, 0), (1, 3, 1)]),
        ([1, 1, 2], [(0, 1, 0), (1, 3, 0)], [(0, 1, 0), (1, 3, 0)]),
        ([], [], []),
    ],
)
def test_an_inside_tag_that_follows_nothing_counts_only_as_papers_count(
    tags: list[int], strict: list[tuple[int, ...]], as_in_papers: list[tuple[int, ...]]
) -> None:
    row = np.array(tags, np.int64)
    assert list(TAGS.entities(row, strict=True)) == [Entity(*each) for each in strict]
    assert list(TAGS.entities(row, strict=False)) == [Entity(*each) for each in as_in_papers]


def test_what_no_tags_can_express_is_missed() -> None:
    row = np.array([1, 2, 0])
    scores = statistics_of([row], [row], TAGS, beyond=np.array([[1, 0]])).sum(axis=0)
    assert float(metrics(2)["entity_recall"](scores)) == 0.5
    assert float(metrics(2)["entity_precision"](scores)) == 1.0


def test_without_gold_entities_no_f1_is_defined() -> None:
    row = np.array([0, 0, 1])
    scores = statistics_of([row * 0], [row], TAGS, beyond=NOTHING_BEYOND).sum(axis=0)
    assert np.isnan(metrics(2)["entity_f1"](scores)) and np.isnan(metrics(2)["entity_precision"](scores))
    assert float(metrics(2)["word_accuracy"](scores)) == pytest.approx(2 / 3)
