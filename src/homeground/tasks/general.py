"""The general set: scored pairs from outside the domain, to see what an adaptation costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from homeground.data.examples import Examples
from homeground.data.readers import Table, read_table
from homeground.errors import DataError
from homeground.recipe import Columns, Evaluation, Recipe, Training
from homeground.tasks.similarity import Similarity, find_columns

STS_COLUMNS = ("genre", "file", "year", "id", "score", "sent1", "sent2")
STS_GENRES = ("main-captions\t", "main-news\t", "main-forums\t", "main-forum\t")
FEWEST_PAIRS = 2
STS_RANGE = (0.0, 5.0)
COSINE_LOSSES = ("cosine_mse", "cosent", "multiple_negatives_ranking")
"""The losses whose similarity is the cosine."""


def read_general(path: str, recipe: Recipe, *, loss: str) -> tuple[Similarity, Examples]:
    """Return the task that measures the general set as the domain is measured, its pairs and what was set aside.

    The STS Benchmark's own files (tabs, no header, no quoting, scores from 0 to 5) are known by their first line; any
    other file has a header with the usual column names. The metric is Pearson, which no change of scale moves.

    Raises:
        DataError: the file cannot be read, or its scores lie outside [0, 1] and no range was given.
    """
    score_range = recipe.evaluation.general_score_range
    if is_sts_benchmark(path):
        table = read_table(path, format="csv", delimiter="tab", quoting="none", header=False, columns=STS_COLUMNS)
        score_range = score_range or STS_RANGE
    else:
        table = read_table(path)
    task = _task(table, recipe, loss, score_range)
    read = task.read(table)
    if len(read.examples) < FEWEST_PAIRS:
        raise DataError(f"{path}: {len(read.examples)} pairs can be measured of {len(table.rows)}; expected at least 2")
    return task, read


def is_sts_benchmark(path: str) -> bool:
    """Tell whether a file is written as the STS Benchmark publishes its own."""
    if not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        first = file.readline(4096).decode("utf-8", "replace")
    return first.startswith(STS_GENRES) and first.count("\t") >= len(STS_COLUMNS) - 1


def _task(table: Table, recipe: Recipe, loss: str, score_range: tuple[float, float] | None) -> Similarity:
    # Measured with the similarity the domain is measured with; other tasks have none, and are measured by the angle.
    measured_with = "cosine_mse" if loss in COSINE_LOSSES else "angular_mse"
    plain = recipe.model_copy(
        update={
            "columns": Columns(score_range=score_range),
            "training": Training.model_validate({"loss": measured_with}),
            "evaluation": Evaluation(),
        }
    )
    if "similarity" not in find_columns(table, plain):
        raise DataError(f"{table.path}: holds pairs without scores; a general set needs a score for every pair")
    return replace(Similarity.for_table(table, plain), range_option="--general-score-range")
