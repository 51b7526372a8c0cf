"""What may be said of classes that few test texts have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from homeground.data.corpus import Part, link
from homeground.data.examples import Example
from homeground.evaluation.comparison import Resampling, judge
from homeground.tasks.classification.classification import Classification, LabelledRows
from homeground.tasks.classification.rare_classes import interval_of_f1, too_rare
from homeground.tasks.task import Measured, RareClass, Side, Split

NOTHING: Any = None
DRAWS = Resampling(seed=0, draws=200)


def texts_of(counts: dict[str, int]) -> list[Example]:
    names = [name for name, count in counts.items() for _ in range(count)]
    return [Example(number, (f"text {number}",), labels=(name,)) for number, name in enumerate(names)]


def task_for(examples: list[Example], metric: str) -> Classification:
    task = Classification({"text": "text", "label": "label"}, "cross_entropy", metric)
    return task.for_labels(("cat", "dog", "owl"), examples)


def said(task: Classification, examples: list[Example], share_right: float) -> Measured:
    labels = np.array([task.labels.index((example.labels or ("",))[0]) for example in examples])
    right = np.arange(len(labels)) % 10 < 10 * share_right
    predictions = np.eye(3)[np.where(right, labels, (labels + 1) % 3)] * 0.8 + 0.2 / 3
    return task.measure(LabelledRows(NOTHING, labels, 0), predictions)


@pytest.mark.parametrize(("owls", "word"), [(2, "TOO FEW"), (3, "HELPED"), (0, "HELPED")])
def test_macro_f1_decides_only_where_every_class_is_there_often_enough(owls: int, word: str) -> None:
    examples = texts_of({"cat": 50, "dog": 40, "owl": owls})
    task = task_for(examples, "macro_f1")
    part = Part(examples, link(examples))
    scores = judge(task, part, said(task, examples, 0.3), said(task, examples, 1.0), DRAWS)
    assert scores["verdict"] == word
    assert ('"owl"' in scores["sentence"], scores["units_needed"]) == ((True, 138) if owls == 2 else (False, None))


def test_accuracy_decides_all_the_same_and_macro_f1_is_described_without_an_interval() -> None:
    for owls, shown in ((2, False), (3, True)):
        examples = texts_of({"cat": 50, "dog": 40, "owl": owls})
        task = task_for(examples, "accuracy")
        part = Part(examples, link(examples))
        scores = judge(task, part, said(task, examples, 0.3), said(task, examples, 1.0), DRAWS)
        assert scores["verdict"] == "HELPED"
        macro = scores["differences"]["macro_f1"]
        assert (macro["low"] is not None, macro["high"] is not None, macro["value"] > 0) == (shown, shown, True)


def test_what_is_counted_is_units_and_not_texts() -> None:
    true, units = np.eye(2)[[0] * 30 + [1] * 9], np.arange(39)
    assert too_rare(("a", "b"), true, units) is None
    units[30:] = 30
    assert too_rare(("a", "b"), true, units) == RareClass("b", units=1, needed=3)
    assert too_rare(("a", "never"), true[:30], units[:30]) is None


def test_the_interval_of_a_class_without_a_mistake_still_has_a_width() -> None:
    low, high = interval_of_f1(20, 0, (1.0, 1.0))
    assert low == pytest.approx(2 * 0.8316 / 1.8316, abs=1e-3)
    assert high == 1
    assert interval_of_f1(0, 20, (0.0, 0.0))[1] == pytest.approx(2 * 0.1684 / 1.1684, abs=1e-3)
    assert interval_of_f1(20, 5, (0.2, 0.99)) == (0.2, 0.99)
    assert interval_of_f1(20, 5, (None, 0.9)) == (None, None)


def test_a_class_of_too_few_texts_has_no_interval() -> None:
    examples = texts_of({"cat": 20, "dog": 20, "owl": 2})
    task = task_for(examples, "accuracy")
    measured = said(task, examples, 1.0)
    side = Side(measured, NOTHING, NOTHING, lambda metrics: [(1.0, 1.0)] * len(metrics), link(examples).units)
    rows = task.exhibits(Split(examples), None, side, side)["per_class"]["after"]
    assert [row["low"] is None for row in rows] == [False, False, True]
    assert (rows[0]["low"] < 0.95, rows[0]["high"]) == (True, 1)
    assert rows[2]["f1"] == 1
