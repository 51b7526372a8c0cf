"""The labels in a file: what they are called, in which order, and which columns are refused as labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.reading import open_task, read, write_lines

from homeground.errors import DataError
from homeground.tasks.classification.labels import in_natural_order


def test_labels_keep_their_names(tmp_path: Path) -> None:
    for values, names in [
        ([10, 9, 2], ["2", "9", "10"]),
        ([True, False, True], ["false", "true"]),
        (["NA", "null", "None"], ["NA", "None", "null"]),
        (["7", "08", "7"], ["7", "08"]),
    ]:
        rows = [{"text": f"t{n}", "label": value} for n, value in enumerate(values * 4)]
        spec, table = open_task(write_lines(tmp_path / "a.jsonl", rows))
        task = spec.with_splits({"train": spec.read(table).examples, "validation": [], "test": []}, None)
        assert list(task.labels) == names


def test_numbers_inside_names_are_sorted_as_numbers() -> None:
    assert in_natural_order(["q10", "q9", "Q1"]) == ["Q1", "q9", "q10"]
    assert in_natural_order(["1.5", "-2", "1"]) == ["-2", "1", "1.5"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("t", "a"), ("u", "a")] * 5, 'column "label" holds "a" in every row; expected at least 2 different labels'),
        (
            [(f"t{n}", f"id{n}") for n in range(20)],
            "20 different values in 20 rows, so it looks like free text or an id",
        ),
    ],
)
def test_a_column_without_labels_is_refused(
    write_csv: Callable[..., Path], rows: list[tuple[str, str]], message: str
) -> None:
    with pytest.raises(DataError) as caught:
        read(write_csv("bad.csv", ["text", "label"], rows))
    assert message in str(caught.value)


def test_rows_without_any_label_leave_no_example(write_csv: Callable[..., Path]) -> None:
    assert read(write_csv("bad.csv", ["text", "label"], [("t", ""), ("u", " ")] * 5)).examples == []


def test_free_text_as_label_names_the_better_column(write_csv: Callable[..., Path]) -> None:
    rows = [(f"text {n}", f"note {n}", "ab"[n % 2]) for n in range(40)]
    with pytest.raises(DataError, match='did you mean "kind"'):
        read(write_csv("a.csv", ["text", "note", "kind"], rows), label="note")


def test_mixed_kinds_of_labels_are_refused_with_both_rows(tmp_path: Path) -> None:
    rows = [{"text": "a", "label": 1}, {"text": "b", "label": "1"}]
    with pytest.raises(
        DataError, match='row 2: column "label" holds "1", which is text, but row 1 holds 1, which is a'
    ):
        read(write_lines(tmp_path / "a.jsonl", rows), task="classification")
