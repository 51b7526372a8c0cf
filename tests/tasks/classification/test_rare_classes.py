"""What may be said of classes that few test texts have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.evaluation_sets import NOTHING, labelled, labelled_texts, measure_share_right

from homeground.evaluation.comparison import PairedComparison, judge
from homeground.results.writing import judgement_fields
from homeground.tasks.classification.rare_classes import interval_of_f1, too_rare
from homeground.tasks.task import MeasuredModel, RareClass, TokenizedExamples


def compared(owls: int, metric: str) -> PairedComparison:
    """Return the comparison of a poor model with a perfect one on texts of which so many are about owls."""
    texts = labelled_texts({"cat": 50, "dog": 40, "owl": owls}, metric=metric)
    return judge(texts, measure_share_right(texts, 0.3), [measure_share_right(texts, 1.0)])


@pytest.mark.parametrize(("owls", "word"), [(2, "TOO FEW"), (3, "HELPED"), (0, "HELPED")])
def test_macro_f1_decides_only_where_every_class_is_there_often_enough(owls: int, word: str) -> None:
    verdict = compared(owls, "macro_f1").verdict
    assert verdict.word == word
    assert ('"owl"' in verdict.reason, verdict.needed) == ((True, 138) if owls == 2 else (False, None))


@pytest.mark.parametrize(("owls", "shown"), [(2, False), (3, True)])
def test_accuracy_decides_all_the_same_and_macro_f1_is_described_without_an_interval(owls: int, shown: bool) -> None:
    fields = judgement_fields(compared(owls, "accuracy"))
    assert fields["verdict"] == "HELPED"
    macro = fields["differences"]["macro_f1"]
    assert (macro.low is not None, macro.high is not None, macro.value > 0) == (shown, shown, True)


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
    assert interval_of_f1(20, 5, (-0.1, 1.001)) == (0.0, 1.0)


def test_a_class_of_too_few_texts_has_no_interval() -> None:
    texts = labelled_texts({"cat": 20, "dog": 20, "owl": 2}, metric="accuracy")
    side = MeasuredModel(
        measure_share_right(texts, 1.0),
        NOTHING,
        NOTHING,
        NOTHING,
        intervals=lambda metrics: [(1.0, 1.0)] * len(metrics),
        units=texts.units.units,
    )
    examples = TokenizedExamples(labelled(["cat"] * 20 + ["dog"] * 20 + ["owl"] * 2))
    task: Any = texts.task
    rows = task.report_details(examples, None, side, side)["per_class"]["after"]
    assert [row["low"] is None for row in rows] == [False, False, True]
    assert (rows[0]["low"] < 0.95, rows[0]["high"]) == (True, 1)
    assert rows[2]["f1"] == 1


def test_the_interval_of_a_class_counts_units_and_not_texts() -> None:
    texts = labelled_texts({"cat": 40, "dog": 40}, metric="accuracy")

    def low(units: np.ndarray) -> float:
        side = MeasuredModel(
            measure_share_right(texts, 1.0),
            NOTHING,
            NOTHING,
            NOTHING,
            intervals=lambda metrics: [(1.0, 1.0)] * len(metrics),
            units=units,
        )
        examples = TokenizedExamples(labelled(["cat"] * 40 + ["dog"] * 40))
        task: Any = texts.task
        return task.report_details(examples, None, side, side)["per_class"]["after"][0]["low"]

    assert low(np.arange(80)) == pytest.approx(interval_of_f1(40, 0, (1.0, 1.0))[0])
    assert low(np.arange(80) // 4) == pytest.approx(interval_of_f1(10, 0, (1.0, 1.0))[0])
