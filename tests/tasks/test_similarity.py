"""Similarity: which columns it finds, what it refuses, and that its scores are the textbook's."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tests.conftest import PAIR_HEADER, topic_pairs

from homeground.checkpoint import load_tokenizer, open_checkpoint
from homeground.data.examples import Example
from homeground.data.tables import read_table
from homeground.errors import DataError, UsageError
from homeground.recipe.recipe import make_recipe
from homeground.tasks import choose_task
from homeground.tasks.similarity import PairRows, Similarity, pick_titles, similarity, similarity_matrix
from homeground.tasks.task import Side, Split

WriteCsv = Callable[..., Path]


def task_for(path: Path, **settings: Any) -> Similarity:
    task = choose_task(read_table(path), make_recipe({"data": str(path)}, **settings))
    assert isinstance(task, Similarity)
    return task


def read(path: Path, **settings: Any) -> Any:
    return task_for(path, **settings).read(read_table(path))


# Columns


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (["text_1", "text_2", "similarity"], ("text_1", "text_2", "similarity")),
        (["sentence1", "sentence2", "score"], ("sentence1", "sentence2", "score")),
        (["Sentence_A", "Sentence_B", "Relatedness_Score"], ("Sentence_A", "Sentence_B", "Relatedness_Score")),
        (["id", "score", "ref", "base"], ("base", "ref", "score")),
    ],
)
def test_columns_are_found_by_their_usual_names(
    write_csv: WriteCsv, header: list[str], expected: tuple[str, ...]
) -> None:
    path = write_csv("pairs.csv", header, [["0.5"] * len(header)])
    assert task_for(path).columns == dict(zip(PAIR_HEADER, expected, strict=True))


def test_named_columns_come_first_and_play_one_part_only(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", ["sentence1", "sentence2", "score", "mean"], [["a", "b", "0.1", "0.2"]])
    columns = task_for(path, text_1="sentence2", text_2="sentence1", similarity="mean").columns
    assert columns == {"text_1": "sentence2", "text_2": "sentence1", "similarity": "mean"}
    with pytest.raises(DataError, match="no column is called text_2 or a usual name"):
        task_for(path, text_1="sentence2")


@pytest.mark.parametrize(
    ("header", "loss", "parts"),
    [
        (["anchor", "positive"], "multiple_negatives_ranking", 2),
        (["query", "pos", "neg"], "multiple_negatives_ranking", 3),
        (["text_1", "text_2", "similarity"], "angular_mse", 2),
    ],
)
def test_the_loss_follows_from_the_columns(write_csv: WriteCsv, header: list[str], loss: str, parts: int) -> None:
    task = task_for(write_csv("pairs.csv", header, [["0.5"] * len(header)]))
    assert (task.loss, len(task.text_columns)) == (loss, parts)
    assert task.in_batch_negatives == (loss == "multiple_negatives_ranking")


def test_a_name_that_is_not_there_meets_the_nearest(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", PAIR_HEADER, [["a", "b", "0.5"]])
    with pytest.raises(DataError, match=r'has no column "similarty"; did you mean "similarity"\?'):
        task_for(path, similarity="similarty")


def test_a_column_close_to_a_usual_name_is_offered(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", ["text_1", "text_2", "similarty"], [["a", "b", "0.5"]])
    with pytest.raises(DataError, match=r'called similarity or .*; did you mean "similarty"\?; the columns are'):
        task_for(path)


def test_a_named_part_that_plays_no_role_is_refused(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", ["anchor", "positive", "title"], [["a", "b", "c"]])
    with pytest.raises(UsageError, match=r"^--text-1: pairs are either scored .* or belong together"):
        task_for(path, text_1="title")
    both = write_csv("both.csv", [*PAIR_HEADER, "other"], [["a", "b", "0.5", "c"]])
    with pytest.raises(UsageError, match=r"^--negative: pairs are either scored"):
        task_for(both, negative="other")


def test_one_column_cannot_be_two_parts(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", PAIR_HEADER, [["a", "b", "0.5"]])
    with pytest.raises(UsageError, match=r"is named for two parts: text_1, text_1, similarity"):
        task_for(path, text_1="text_1", text_2="text_1")


def test_columns_without_a_part_are_listed_with_the_flags_that_name_them(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", ["left", "right", "grade"], [["a", "b", "0.5"]])
    with pytest.raises(DataError, match=r'the columns are "left", "right", "grade"; name the parts with --text-1'):
        task_for(path)


def test_a_loss_that_needs_other_columns_is_refused(write_csv: WriteCsv) -> None:
    scored = write_csv("scored.csv", PAIR_HEADER, [["a", "b", "0.5"]])
    with pytest.raises(UsageError, match="multiple_negatives_ranking learns from pairs without scores"):
        task_for(scored, loss="multiple_negatives_ranking")
    unscored = write_csv("unscored.csv", ["anchor", "positive"], [["a", "b"]])
    with pytest.raises(UsageError, match=r"cosent learns from scored pairs \(--similarity\)"):
        task_for(unscored, loss="cosent")


def test_a_loss_that_holds_the_pairs_of_a_batch_against_each_other_needs_two_of_them(write_csv: WriteCsv) -> None:
    scored = write_csv("scored.csv", PAIR_HEADER, [["a", "b", "0.5"]])
    unscored = write_csv("unscored.csv", ["anchor", "positive"], [["a", "b"]])
    with pytest.raises(UsageError, match=r"cosent learns from the other pairs of a batch; use --batch-size 2"):
        task_for(scored, loss="cosent", batch_size=1)
    with pytest.raises(UsageError, match=r"multiple_negatives_ranking learns from the other pairs of a batch"):
        task_for(unscored, batch_size=1)
    assert task_for(scored, batch_size=1).loss == "angular_mse"


def test_a_metric_that_is_not_measured_is_refused(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", PAIR_HEADER, [["a", "b", "0.5"]])
    assert task_for(path, primary_metric="mse").primary_metric == "mse"
    with pytest.raises(UsageError, match=r'"pearsn" is not measured on this data; did you mean "pearson"'):
        task_for(path, primary_metric="pearsn")


def test_spearman_describes_and_does_not_decide(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", PAIR_HEADER, [["a", "b", "0.5"]])
    with pytest.raises(UsageError, match="--primary-metric spearman: its ranks are not drawn anew"):
        task_for(path, primary_metric="spearman")


# Rows


def scored_file(write_csv: WriteCsv, scores: list[Any]) -> Path:
    return write_csv("pairs.csv", PAIR_HEADER, [[f"a{n}", f"b{n}", score] for n, score in enumerate(scores)])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0.5, 0.75, 1.0]),  # the angular loss: an unrelated pair scores 0.5
        ({"loss": "cosine_mse"}, [0.0, 0.5, 1.0]),
        ({"loss": "cosent"}, [0.0, 0.5, 1.0]),
    ],
)
def test_a_score_range_is_mapped_to_the_scale_of_the_similarity(
    write_csv: WriteCsv, settings: dict[str, Any], expected: list[float]
) -> None:
    examples = read(scored_file(write_csv, [1, 3, 5]), score_range="1,5", **settings).examples
    assert [example.score for example in examples] == expected


def test_scores_from_0_to_1_are_taken_as_they_are(write_csv: WriteCsv) -> None:
    examples = read(scored_file(write_csv, [0, 0.3, 1])).examples
    assert [example.score for example in examples] == [0.0, 0.3, 1.0]


def test_a_score_out_of_range_is_named_with_file_row_and_column(write_csv: WriteCsv) -> None:
    path = scored_file(write_csv, [0.5, 4.2])
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == (
        f'{path}, row 2: column "similarity" holds 4.2; expected a number from 0 to 1; '
        "for another scale add --score-range LOW,HIGH, LOW meaning unrelated"
    )
    with pytest.raises(DataError, match=r"row 2: .* holds 4\.2; expected a number from 1 to 4$"):
        read(scored_file(write_csv, [2, 4.2]), score_range="1,4")


def test_scores_that_are_all_the_same_are_refused(write_csv: WriteCsv) -> None:
    with pytest.raises(DataError, match=r'column "similarity" holds 0\.5 in every row'):
        read(scored_file(write_csv, [0.5, 0.5, 0.5]))


def test_rows_with_an_empty_text_are_set_aside_and_named(write_csv: WriteCsv) -> None:
    rows = [["a", "b", 0.1], ["", "b", 0.2], ["a", " \t", 0.3], ["c", "d", 0.4]]
    examples = read(write_csv("pairs.csv", PAIR_HEADER, rows))
    assert [example.row for example in examples.examples] == [1, 4]
    assert examples.set_aside == {"empty text": [2, 3]}


def test_a_row_without_its_group_is_refused(write_csv: WriteCsv) -> None:
    rows = [["a", "b", 0.1, "x"], ["c", "d", 0.2, ""]]
    path = write_csv("pairs.csv", [*PAIR_HEADER, "group"], rows)
    with pytest.raises(DataError, match=r'row 2: column "group" holds nothing'):
        read(path)


def test_the_file_is_said_to_be_understood_in_one_sentence(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", [*PAIR_HEADER, "group"], [["a", "b", 1, "x"]])
    assert task_for(path, score_range="0,5").understood() == (
        'scored pairs of texts, "text_1" and "text_2", similarity in "similarity" from 0 to 5, kept together by "group"'
    )
    path = write_csv("triplets.csv", ["anchor", "positive", "negative"], [["a", "b", "c"]])
    assert task_for(path).understood() == (
        'pairs of texts that belong together, "anchor" and "positive", with a text that does not in "negative"'
    )


# Batches


@pytest.fixture(scope="module")
def tokenizer(encoder: Path) -> Any:
    return load_tokenizer(open_checkpoint(str(encoder)), max_length=16)


def scored_task(loss: str = "angular_mse") -> Similarity:
    return Similarity({"text_1": "a", "text_2": "b", "similarity": "c"}, loss, "pearson")


def ranking_task() -> Similarity:
    return Similarity({"anchor": "a", "positive": "b"}, "multiple_negatives_ranking", "mrr")


def test_every_text_is_tokenized_once_and_batches_hold_the_sides_of_each_pair(tokenizer: Any) -> None:
    examples = [Example(1, ("bank", "old town"), 0.9), Example(2, ("old town", "bank"), 0.5)]
    task = scored_task()
    rows = task.tokenize(examples, tokenizer, 0)
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


def test_only_cosent_is_counted_by_the_batch(tokenizer: Any) -> None:
    rows = scored_task().tokenize([Example(n, ("bank", "town"), 0.5) for n in range(5)], tokenizer, 0)
    for loss, expected in (("angular_mse", 5.0), ("cosine_mse", 5.0), ("cosent", 1.0)):
        assert scored_task(loss).collate(rows, np.arange(5), "training")[1] == expected


# Scores


def rows_of(sides: list[list[int]], scores: list[float] | None = None) -> PairRows:
    nothing: Any = None
    gold = np.full(len(sides), np.nan) if scores is None else np.array(scores)
    return PairRows(nothing, np.array(sides, np.int64), gold, 0)


def test_scores_are_scipys_correlations_and_the_plain_errors() -> None:
    random = np.random.default_rng(0)
    predicted, gold = random.random(80), random.integers(1, 11, 80) / 10
    scores = scored_task().measure(rows_of([[0, 1]] * 80, gold.tolist()), predicted).scores
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
    scores = scored_task().measure(rows_of([[0, 1]] * 3, [0.0, 0.0, 0.0]), np.array([0.1, 0.2, 0.3])).scores
    assert scores == pytest.approx({"mse": 0.14 / 3, "mae": 0.2})


@pytest.mark.parametrize(("kind", "loss"), [("angular", "angular_mse"), ("cosine", "cosine_mse"), ("cosine", "cosent")])
def test_the_similarity_follows_from_the_loss(kind: str, loss: str) -> None:
    embeddings = np.array([[1, 0], [1, 1], [0, 2], [-3, 0]], np.float32)
    predictions = scored_task(loss).score(rows_of([[0, 1], [0, 2], [0, 3], [1, 1]], [0, 0, 0, 0]), embeddings)
    cosine = np.array([math.sqrt(0.5), 0, -1, 1])
    limit = 1 - 1e-5
    angles = 1 - np.arccos(np.clip(cosine, -limit, limit)) / np.pi
    assert predictions == pytest.approx(angles if kind == "angular" else cosine, abs=1e-7)
    assert scored_task(loss).settings() == {"task": "similarity", "similarity": kind}


def test_a_text_of_length_zero_is_similar_to_nothing() -> None:
    assert similarity(np.zeros((1, 3)), np.ones((1, 3)), "cosine").tolist() == [0.0]


def unit(degrees: list[float]) -> np.ndarray:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], 1).astype(np.float32)


def test_reciprocal_ranks_by_hand() -> None:
    # Anchors 0, 1, 2; positives 3, 4, 5 at some angle to them.
    embeddings = unit([0, 100, 200, 50, 110, 10])
    ranks = ranking_task().score(rows_of([[0, 3], [1, 4], [2, 5]]), embeddings)
    # 0 is nearest to 5, then 3; 1 is nearest to its own; 2 is nearer to 4 (90) and 3 (150) than to its own 5 (170).
    assert ranks.tolist() == [1 / 2, 1, 1 / 3]
    measured = ranking_task().measure(rows_of([[0, 3], [1, 4], [2, 5]]), ranks)
    assert measured.scores == pytest.approx({"mrr": (1 / 2 + 1 + 1 / 3) / 3, "accuracy_at_1": 1 / 3})


def test_other_positives_of_an_anchor_and_the_anchor_itself_are_no_wrong_answers() -> None:
    embeddings = unit([0, 10, 20, 90])
    # Anchor 0 has positives 1 and 2, each found before 3; and 1, an anchor too, is not its own wrong answer.
    sides = [[0, 1], [0, 2], [1, 3], [3, 0]]
    assert ranking_task().score(rows_of(sides), embeddings).tolist() == [1, 1, 1 / 3, 1 / 3]


def test_negatives_are_candidates_too() -> None:
    embeddings = unit([0, 20, 10, 180, 170])
    assert ranking_task().score(rows_of([[0, 1, 2], [3, 4, 2]]), embeddings).tolist() == [1 / 2, 1]


def test_many_anchors_are_ranked_as_all_at_once() -> None:
    random = np.random.default_rng(0)
    embeddings = random.normal(size=(5000, 8)).astype(np.float32)
    sides = np.arange(5000).reshape(2500, 2)
    got = ranking_task().score(rows_of(sides.tolist()), embeddings)
    units = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    table = units[0::2] @ units[1::2].T
    rank = (table >= np.diag(table)[:, None]).sum(1)
    assert (got == 1 / rank).mean() > 0.999


# Baseline and exhibits


def as_examples(pairs: list[tuple[str, str, float]]) -> list[Example]:
    return [Example(n, pair[:2], pair[2]) for n, pair in enumerate(pairs, start=1)]


def test_the_baseline_finds_shared_letters_and_nothing_else() -> None:
    train = as_examples(topic_pairs(50))
    test = as_examples([("bank loan", "bank loan", 1), ("bank loan", "bank loans", 1), ("bank", "city", 0)])
    cosine = scored_task("cosine_mse").baselines(Split(train), Split(test))["TF-IDF"]
    assert cosine[0] == pytest.approx(1)
    assert 0.6 < cosine[1] < 1
    assert cosine[2] == pytest.approx(0, abs=0.1)
    angular = scored_task().baselines(Split(train), Split(test))["TF-IDF"]
    assert angular.tolist() == sorted(angular, reverse=True)
    assert angular[2] == pytest.approx(0.5, abs=0.05)


def test_the_baseline_ranks_pairs_without_scores() -> None:
    test = [Example(1, ("bank loan", "bank loans")), Example(2, ("old city", "the old city")), Example(3, ("a", "zz"))]
    ranks = ranking_task().baselines(Split(test), Split(test))["TF-IDF"]
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
    nothing: Any = None
    sides = [
        Side(nothing, nothing, encode, nothing, nothing)
        for encode in (lambda titles: unit([places[t] for t in titles]), lambda titles: unit([7] * 3))
    ]
    shown = task.exhibits(Split([]), list(places), *sides)
    before = np.array(shown["heat_map"]["before"])
    cosines = [[1, 0.5, 0], [0.5, 1, math.cos(math.pi / 6)], [0, math.cos(math.pi / 6), 1]]
    np.testing.assert_allclose(before, cosines, atol=1e-6)
    assert shown["heat_map"]["after"] == np.ones((3, 3)).tolist()
    assert task.exhibits(Split([]), None, *sides) == {"heat_map": None}


def test_a_matrix_of_similarities_is_symmetric() -> None:
    embeddings = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    matrix = similarity_matrix(embeddings, "angular")
    assert np.array_equal(matrix, matrix.T)
    assert np.diag(matrix) == pytest.approx(similarity(np.ones((6, 2)), np.ones((6, 2)), "angular"))
