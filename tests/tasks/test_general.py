"""The general set is read in the STS Benchmark's own format, or as any file of scored pairs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homeground.errors import DataError
from homeground.recipe import Recipe, make_recipe
from homeground.tasks.general import is_sts_benchmark, read_general

STS = [
    "main-captions\tMSRvid\t2012test\t0001\t5.000\tA boat is on the river.\tA boat lies on the river.",
    'main-news\tnews\t2013\t17\t2.500\tHe said "yes.\tHe said "no".\textra\tfields',
    "main-forums\tdeft\t2014\t3\t0.000\tA cat sleeps.\tThe bank is closed.",
]
REAL = Path("/work/shared/data/sts-benchmark-en/sts-dev.csv")


def recipe(**settings: Any) -> Recipe:
    return make_recipe({"data": "pairs.csv"}, **settings)


@pytest.fixture
def sts(tmp_path: Path) -> Path:
    path = tmp_path / "sts-dev.csv"
    path.write_text("\n".join(STS) + "\n", encoding="utf-8")
    return path


def test_the_benchmarks_own_format_is_known_by_its_first_line(sts: Path) -> None:
    assert is_sts_benchmark(str(sts))
    task, read = read_general(str(sts), recipe(), loss="cosent")
    assert [example.texts for example in read.examples] == [
        ("A boat is on the river.", "A boat lies on the river."),
        ('He said "yes.', 'He said "no".'),
        ("A cat sleeps.", "The bank is closed."),
    ]
    assert [example.score for example in read.examples] == [1.0, 0.5, 0.0]
    assert (task.kind, task.primary_metric) == ("cosine", "pearson")


@pytest.mark.parametrize(
    ("loss", "kind", "scores"),
    [
        ("angular_mse", "angular", [1.0, 0.75, 0.5]),
        ("cosine_mse", "cosine", [1.0, 0.5, 0.0]),
        ("multiple_negatives_ranking", "cosine", [1.0, 0.5, 0.0]),
    ],
)
def test_it_is_measured_by_the_similarity_of_the_domain(sts: Path, loss: str, kind: str, scores: list[float]) -> None:
    task, read = read_general(str(sts), recipe(), loss=loss)
    assert task.kind == kind
    assert [example.score for example in read.examples] == scores


def test_any_other_file_is_read_by_the_usual_names_whatever_the_domain_is_called(
    write_csv: Callable[..., Path],
) -> None:
    path = write_csv("general.csv", ["sentence1", "sentence2", "score"], [["a", "b", "0.25"], ["c", "d", "1"]])
    assert not is_sts_benchmark(str(path))
    domain = recipe(text_1="left", text_2="right", similarity="grade", score_range="1,7", primary_metric="mae")
    task, read = read_general(str(path), domain, loss="cosine_mse")
    assert [example.score for example in read.examples] == [0.25, 1.0]
    assert task.primary_metric == "pearson"


def test_its_scores_have_a_range_of_their_own(write_csv: Callable[..., Path]) -> None:
    path = write_csv("general.csv", ["text_1", "text_2", "similarity"], [["a", "b", "1"], ["c", "d", "3"]])
    with pytest.raises(DataError, match=r"row 2: .* holds 3; expected a number from 0 to 1"):
        read_general(str(path), recipe(score_range="1,5"), loss="cosine_mse")
    _, read = read_general(str(path), recipe(general_score_range="1,5"), loss="cosine_mse")
    assert [example.score for example in read.examples] == [0.0, 0.5]


def test_pairs_without_scores_are_refused(write_csv: Callable[..., Path]) -> None:
    path = write_csv("general.csv", ["anchor", "positive"], [["a", "b"], ["c", "d"]])
    with pytest.raises(DataError, match=r"general\.csv: holds pairs without scores"):
        read_general(str(path), recipe(), loss="multiple_negatives_ranking")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        read_general(str(tmp_path / "nowhere.csv"), recipe(), loss="cosine_mse")


@pytest.mark.skipif(not REAL.is_file(), reason="the real data is not here")
def test_the_real_benchmark_is_read_whole() -> None:
    _, read = read_general(str(REAL), recipe(), loss="cosine_mse")
    assert len(read.examples) == 1500
    scores = [example.score or 0.0 for example in read.examples]
    assert (min(scores), max(scores)) == (0.0, 1.0)
