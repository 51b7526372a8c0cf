"""Similarity: what is in a batch, and that its scores are the textbook's."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tests.conftest import topic_pairs
from tests.evaluation_sets import NOTHING, pair_examples, pair_rows, ranking_task, scored_task

from homeground.checkpoint import load_tokenizer, open_checkpoint
from homeground.data.examples import Example
from homeground.data.tokens.tokenized import TextTokens
from homeground.tasks.similarity.similarity import pick_titles, similarity, similarity_matrix
from homeground.tasks.task import MeasuredModel, TokenizedExamples

# Batches


@pytest.fixture(scope="module")
def tokenizer(encoder: Path) -> Any:
    return load_tokenizer(open_checkpoint(str(encoder)), max_length=16)


def test_every_text_is_tokenized_once_and_batches_hold_the_sides_of_each_pair(tokenizer: Any) -> None:
    examples = [Example(1, ("bank", "old town"), 0.9), Example(2, ("old town", "bank"), 0.5)]
    task = scored_task()
    rows = task.tokenize(examples, TextTokens(tokenizer, 0))
    assert len(rows.texts) == 2
    assert rows.sides.tolist() == [[0, 1], [1, 0]]
    batch, denominator = task.collate(rows, np.array([1, 0]), "training")
    assert denominator == 2.0
    assert batch["scores"].tolist() == pytest.approx([0.5, 0.9])
    assert batch["text_ids"].tolist() == [[1, 0], [0, 1]]
    long, short = (tokenizer.encode(text).ids for text in ("old town", "bank"))
    assert batch["input_ids"][0].tolist() == [long, [*short, 0]]
    assert batch["attention_mask"][0].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    measured, _ = task.collate(rows, np.array([1]), "measuring")
    assert measured["input_ids"].tolist() == [[long]]
    assert rows.lengths("training").tolist() == [4, 4]
    assert rows.lengths("measuring").tolist() == [3, 4]


def test_pairs_with_fewer_negatives_than_others_have_no_text_in_their_place(tokenizer: Any) -> None:
    task = ranking_task()
    texts = [("bank", "town", "old road", "news"), ("old", "news"), ("news", "old")]
    rows = task.tokenize([Example(n, each) for n, each in enumerate(texts)], TextTokens(tokenizer, 0))
    assert rows.sides.tolist() == [[0, 1, 2, 3], [4, 3, -1, -1], [3, 4, -1, -1]]
    batch, _ = task.collate(rows, np.array([0, 1]), "training")
    assert batch["text_ids"].tolist() == [[0, 1, 2, 3], [4, 3, -1, -1]]
    assert batch["input_ids"][1, 2].tolist() == batch["input_ids"][1, 0].tolist()
    assert task.collate(rows, np.array([1, 2]), "training")[0]["text_ids"].tolist() == [[4, 3], [3, 4]]
    embeddings = np.eye(5, dtype=np.float32)
    embeddings[0] = [0.1, 0.5, 0.9, 0.6, 0]  # two candidates are nearer than the positive: its rank is 3
    assert task.score(rows, embeddings)[0] == pytest.approx(1 / 3)


def test_only_cosent_is_counted_by_the_batch(tokenizer: Any) -> None:
    rows = scored_task().tokenize([Example(n, ("bank", "town"), 0.5) for n in range(5)], TextTokens(tokenizer, 0))
    for loss, expected in (("angular_mse", 5.0), ("cosine_mse", 5.0), ("cosent", 1.0)):
        assert scored_task(loss).collate(rows, np.arange(5), "training")[1] == expected


# Scores


def test_scores_are_scipys_correlations_and_the_plain_errors() -> None:
    random = np.random.default_rng(0)
    predicted, gold = random.random(80), random.integers(1, 11, 80) / 10
    scores = scored_task().measure(pair_rows([[0, 1]] * 80, gold.tolist()), predicted).scores
    assert scores == pytest.approx(
        {
            "pearson": stats.pearsonr(predicted, gold).statistic,
            "spearman": stats.spearmanr(predicted, gold).statistic,
            "mse": np.mean((predicted - gold) ** 2),
            "mae": np.mean(np.abs(predicted - gold)),
            "mape": np.mean(np.abs(predicted - gold) / gold),
        },
        rel=1e-9,
    )


def test_a_metric_that_is_not_defined_is_left_out() -> None:
    scores = scored_task().measure(pair_rows([[0, 1]] * 3, [0.0, 0.0, 0.0]), np.array([0.1, 0.2, 0.3])).scores
    assert scores == pytest.approx({"mse": 0.14 / 3, "mae": 0.2})


@pytest.mark.parametrize(("kind", "loss"), [("angular", "angular_mse"), ("cosine", "cosine_mse"), ("cosine", "cosent")])
def test_the_similarity_follows_from_the_loss(kind: str, loss: str) -> None:
    embeddings = np.array([[1, 0], [1, 1], [0, 2], [-3, 0]], np.float32)
    predictions = scored_task(loss).score(pair_rows([[0, 1], [0, 2], [0, 3], [1, 1]], [0, 0, 0, 0]), embeddings)
    cosine = np.array([math.sqrt(0.5), 0, -1, 1])
    limit = 1 - 1e-5
    angles = 1 - np.arccos(np.clip(cosine, -limit, limit)) / np.pi
    assert predictions == pytest.approx(angles if kind == "angular" else cosine, abs=1e-7)
    assert scored_task(loss).info.saved_settings == {"task": "similarity", "similarity": kind}


def test_a_text_of_length_zero_is_similar_to_nothing() -> None:
    assert similarity(np.zeros((1, 3)), np.ones((1, 3)), "cosine").tolist() == [0.0]


def unit(degrees: list[float]) -> np.ndarray:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], 1).astype(np.float32)


def test_reciprocal_ranks_by_hand() -> None:
    # Anchors 0, 1, 2; positives 3, 4, 5 at some angle to them.
    embeddings = unit([0, 100, 200, 50, 110, 10])
    ranks = ranking_task().score(pair_rows([[0, 3], [1, 4], [2, 5]]), embeddings)
    # 0 is nearest to 5, then 3; 1 is nearest to its own; 2 is nearer to 4 (90) and 3 (150) than to its own 5 (170).
    assert ranks.tolist() == [1 / 2, 1, 1 / 3]
    measured = ranking_task().measure(pair_rows([[0, 3], [1, 4], [2, 5]]), ranks)
    assert measured.scores == pytest.approx({"mrr": (1 / 2 + 1 + 1 / 3) / 3, "accuracy_at_1": 1 / 3})


def test_other_positives_of_an_anchor_and_the_anchor_itself_are_no_wrong_answers() -> None:
    embeddings = unit([0, 10, 20, 90])
    # Anchor 0 has positives 1 and 2, each found before 3; and 1, an anchor too, is not its own wrong answer.
    sides = [[0, 1], [0, 2], [1, 3], [3, 0]]
    assert ranking_task().score(pair_rows(sides), embeddings).tolist() == [1, 1, 1 / 3, 1 / 3]


def test_negatives_are_candidates_too() -> None:
    embeddings = unit([0, 20, 10, 180, 170])
    assert ranking_task().score(pair_rows([[0, 1, 2], [3, 4, 2]]), embeddings).tolist() == [1 / 2, 1]


def test_many_anchors_are_ranked_as_all_at_once() -> None:
    random = np.random.default_rng(0)
    embeddings = random.normal(size=(5000, 8)).astype(np.float32)
    sides = np.arange(5000).reshape(2500, 2)
    got = ranking_task().score(pair_rows(sides.tolist()), embeddings)
    units = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    table = units[0::2] @ units[1::2].T
    rank = (table >= np.diag(table)[:, None]).sum(1)
    assert (got == 1 / rank).mean() > 0.999


# Baseline and report


def test_the_line_of_an_example_holds_its_texts_its_score_and_both_predictions() -> None:
    scored = scored_task().example_line(Example(3, ("bank", "loan"), 0.9), 0.25, 1 / 3)
    assert scored == {"text_1": "bank", "text_2": "loan", "similarity": 0.9, "before": 0.25, "after": 0.333333}
    ranked = ranking_task().example_line(Example(3, ("bank", "loan", "city")), 0.5, 1.0)
    assert ranked == {"anchor": "bank", "positive": "loan", "negative": "city", "before": 0.5, "after": 1.0}


def test_the_baseline_finds_shared_letters_and_nothing_else() -> None:
    train = pair_examples(topic_pairs(50))
    test = pair_examples([("bank loan", "bank loan", 1), ("bank loan", "bank loans", 1), ("bank", "city", 0)])
    cosine = scored_task("cosine_mse").baselines(TokenizedExamples(train), TokenizedExamples(test))["TF-IDF"]
    assert cosine[0] == pytest.approx(1)
    assert 0.6 < cosine[1] < 1
    assert cosine[2] == pytest.approx(0, abs=0.1)
    angular = scored_task().baselines(TokenizedExamples(train), TokenizedExamples(test))["TF-IDF"]
    assert angular.tolist() == sorted(angular, reverse=True)
    assert angular[2] == pytest.approx(0.5, abs=0.05)


def test_the_baseline_ranks_pairs_without_scores() -> None:
    test = [Example(1, ("bank loan", "bank loans")), Example(2, ("old city", "the old city")), Example(3, ("a", "zz"))]
    ranks = ranking_task().baselines(TokenizedExamples(test), TokenizedExamples(test))["TF-IDF"]
    assert ranks[:2].tolist() == [1, 1]
    assert ranks[2] < 1


def test_titles_are_the_most_similar_short_pairs_each_of_another_group() -> None:
    examples = [
        Example(1, ("a", "b"), 0.9, "1"),
        Example(2, ("c", "d"), 1.0, "1"),
        Example(3, ("c", "e"), 0.8, "2"),
        Example(4, ("f", "x" * 41), 1.0, "3"),
        Example(5, ("g", "g"), 1.0, "4"),
        Example(6, ("h", "i"), 0.5, "5"),
    ]
    assert pick_titles(examples) == ["c", "d", "h", "i"]
    many = [Example(n, (f"a{n}", f"b{n}"), n / 10) for n in range(9)]
    assert pick_titles(many) == ["a8", "b8", "a7", "b7", "a6", "b6", "a5", "b5"]


def test_heat_maps_hold_every_title_against_every_other() -> None:
    places = {"bank": 0.0, "loan": 60.0, "city": 90.0}
    task = scored_task("cosine_mse")
    before, after = (
        MeasuredModel(NOTHING, NOTHING, NOTHING, encode, NOTHING, NOTHING)
        for encode in (lambda titles: unit([places[t] for t in titles]), lambda titles: unit([7] * 3))
    )
    heat_map = task.report_details(TokenizedExamples([]), list(places), before, after)["heat_map"]
    cosines = [[1, 0.5, 0], [0.5, 1, math.cos(math.pi / 6)], [0, math.cos(math.pi / 6), 1]]
    np.testing.assert_allclose(heat_map["before"], cosines, atol=1e-6)
    assert heat_map["after"] == np.ones((3, 3)).tolist()
    assert task.report_details(TokenizedExamples([]), None, before, after) == {"heat_map": None}


def test_a_matrix_of_similarities_is_symmetric() -> None:
    embeddings = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    matrix = similarity_matrix(embeddings, "angular")
    assert np.array_equal(matrix, matrix.T)
    assert np.diag(matrix) == pytest.approx(similarity(np.ones((6, 2)), np.ones((6, 2)), "angular"))
