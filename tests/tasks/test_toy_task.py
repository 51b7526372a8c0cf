"""A whole task in one file: it is registered, and goes through adapt, report, card and predict like any other."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from tests.conftest import FAST, topic_pairs

import homeground
from homeground.data.examples import Example, Examples
from homeground.data.tables import Table, text
from homeground.data.tokens.tokenized import TextTokens
from homeground.tasks import TASKS
from homeground.tasks.similarity.similarity import PairRows
from homeground.tasks.task import Batch, Floats, Ints, Measurement, TaskInfo, TaskType, TokenizedExamples

INFO = TaskInfo(
    name="sameness",
    head="encoder",
    loss="cosine_mse",
    example="test pair",
    primary_metric="accuracy",
    metric_names=("accuracy",),
    columns={"text_1": "one", "text_2": "other", "label": "same"},
    description='pairs of texts, "one" and "other", the same or not in "same"',
    saved_settings={"task": "sameness"},
    model_files=("sentence_transformers",),
)


@dataclass(frozen=True)
class Sameness:
    """Whether two texts are about the same, by a cosine above a half."""

    info: TaskInfo = INFO
    labels: tuple[str, ...] = ()
    metrics: ClassVar = {"accuracy": lambda sums: sums[..., 1] / sums[..., 0]}

    def read(self, table: Table) -> Examples:
        rows = [(row, text(table, row, "same")) for row in table.rows]
        texts = {row.number: (text(table, row, "one"), text(table, row, "other")) for row, _ in rows}
        return Examples([Example(row.number, texts[row.number], float(same == "yes")) for row, same in rows], {})

    def with_splits(self, splits: Mapping[str, Sequence[Example]], checkpoint: object) -> Sameness:
        return self

    def with_saved_settings(self, settings: Mapping[str, Any]) -> Sameness:
        return self

    def for_model(self, checkpoint: object, examples: Sequence[Example]) -> Sameness:
        return self

    def for_examples(self, examples: Sequence[Example], *, to_choose: bool = False) -> Sameness:
        return self

    def tokenize(self, examples: Sequence[Example], tokens: TextTokens) -> PairRows:
        texts = tokens.tokenize([side for example in examples for side in example.texts])
        sides = np.arange(2 * len(examples)).reshape(-1, 2)
        return PairRows(texts, sides, np.array([example.score for example in examples]), tokens.padding)

    def collate(
        self, rows: PairRows, items: Ints, occasion: str, *, epoch: int = 0, seed: int = 0
    ) -> tuple[Batch, float]:
        sides = rows.sides[items] if occasion == "training" else items[:, None]
        ids, mask = rows.texts.pad(sides, rows.padding)
        batch = {"input_ids": ids, "attention_mask": mask}
        if occasion == "training":
            batch |= {"text_ids": sides, "scores": rows.scores[items].astype(np.float32)}
        return batch, float(len(items))

    def reduce(self, batch: Batch, outputs: Batch) -> Floats:
        return outputs["embeddings"][:, 0].astype(np.float64)

    def score(self, rows: PairRows, reduced: Floats) -> Floats:
        unit = reduced / np.linalg.norm(reduced, axis=1, keepdims=True)
        return (unit[rows.sides[:, 0]] * unit[rows.sides[:, 1]]).sum(1)

    def measure(self, rows: PairRows, predictions: Floats) -> Measurement:
        right = (predictions > 0.5) == (rows.scores > 0.5)
        statistics = np.stack([np.ones_like(right), right], axis=1).astype(np.float64)
        return Measurement(predictions, statistics, {"accuracy": float(right.mean())})

    def baselines(self, train: TokenizedExamples, test: TokenizedExamples) -> dict[str, Floats]:
        return {"always": np.ones(len(test.examples))}

    def report_details(self, *_: object) -> dict[str, Any]:
        return {}

    def example_line(self, example: Example, before: float, after: float) -> dict[str, Any]:
        return {"text_1": example.texts[0], "text_2": example.texts[1], "before": float(before), "after": float(after)}


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, "sameness", TaskType(lambda table, recipe: Sameness(), settings=frozenset()))


def test_a_task_of_one_file_goes_all_the_way(registered: None, tmp_path: Path, encoder: Path) -> None:
    data = tmp_path / "pairs.csv"
    with data.open("w", newline="", encoding="utf-8") as file:
        rows = [(one, other, "yes" if score > 0.6 else "no") for one, other, score in topic_pairs(600)]
        csv.writer(file).writerows([("one", "other", "same"), *rows])

    run = homeground.adapt(data, task="sameness", checkpoint=str(encoder), out=str(tmp_path / "run"), **FAST)

    assert run.finished
    assert run.scores["task"] == "sameness"
    assert run.scores["after"]["accuracy"] > run.scores["before"]["accuracy"]
    assert run.verdict == "HELPED"
    report = run.report_path.read_text(encoding="utf-8")
    assert run.sentence.removeprefix("HELPED: ")[:40] in report
    assert "sameness" in (run.folder / "recipe.toml").read_text(encoding="utf-8")
    card = (run.model_folder / "README.md").read_text(encoding="utf-8")
    assert run.sentence[:60].replace("_", "\\_") in card.replace("\\", "")
    loaded = homeground.load(run)
    assert loaded.encode(["a text"]).shape == (1, 32)
    resumed = homeground.adapt(data, task="sameness", checkpoint=str(encoder), out=str(tmp_path / "run"), **FAST)
    assert resumed.scores == run.scores
    assert homeground.evaluate(str(run.folder), str(data), task="sameness")["scores"]["accuracy"] > 0.5


def test_recipe_of_a_task_that_is_not_known_names_those_that_are(tmp_path: Path, pairs_csv: Path) -> None:
    with pytest.raises(homeground.HomegroundError, match="similarity"):
        homeground.adapt(pairs_csv, task="simlarity", out=str(tmp_path / "run"))
