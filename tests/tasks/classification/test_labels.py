"""The labels in a file: what they are called, in which order, and which columns are refused as labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.reading import open_task, read, spec_of, write_lines

from homeground.data.tables import read_table
from homeground.errors import DataError, UsageError
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


def test_rows_without_any_label_leave_no_example(write_csv: Callable[..., Path]) -> None:
    assert read(write_csv("bad.csv", ["text", "label"], [("t", ""), ("u", " ")] * 5)).examples == []


def test_mixed_kinds_of_labels_are_refused_with_both_rows(tmp_path: Path) -> None:
    rows = [{"text": "a", "label": 1}, {"text": "b", "label": "1"}]
    with pytest.raises(
        DataError, match='row 2: column "label" holds "1", which is text, but row 1 holds 1, which is a'
    ):
        read(write_lines(tmp_path / "a.jsonl", rows), task="classification")


FLAGS = ["id", "body", "news", "sport"]


def flagged(*values: tuple[object, object]) -> list[tuple[object, ...]]:
    """Return rows of a text and two values for two classes."""
    return [(number, f"text {number}", *each) for number, each in enumerate(values)]


def test_each_of_several_columns_is_a_class(write_csv: Callable[..., Path]) -> None:
    values = [("1", "0"), ("TRUE", "True"), ("0.0", "false"), ("", " "), ("0", "1")]
    path = write_csv("flags.csv", FLAGS, flagged(*values))
    for label in ("news,sport", "news, sport", ("news", "sport")):
        examples = read(path, label=label)
        assert [example.labels for example in examples.examples] == [("news",), ("news", "sport"), (), ("sport",)]
        assert examples.set_aside == {"no label": [4]}
    spec = spec_of(path, label="news,sport")
    assert (spec.loss, spec.info.columns) == ("binary_cross_entropy", {"text": "body", "label": "news,sport"})
    assert spec.info.description == 'labelled texts, "body", any number of labels a text in 2 columns of 0 and 1'
    with pytest.raises(UsageError, match="--label-delimiter takes apart one column, --label names several"):
        spec_of(path, label="news,sport", label_delimiter=";")


@pytest.mark.parametrize("value", [2, -1, "x", ""])
def test_a_column_of_a_class_holds_0_and_1_only(write_csv: Callable[..., Path], value: object) -> None:
    path = write_csv("flags.csv", FLAGS, flagged((0, 1), (1, value)))
    with pytest.raises(DataError, match=f'row 2: column "sport" holds "{value}"; expected 0 or 1'):
        read(path, label="news,sport")


def test_columns_of_0_and_1_that_nobody_named_are_asked_about(write_csv: Callable[..., Path]) -> None:
    rows = flagged(*[(number % 2, (number + 1) % 2) for number in range(10)])
    hint = '"news", "sport" hold 0 and 1: --label news,sport reads them as one class a column'
    with pytest.raises(DataError, match=f"which columns hold the labels. {hint}; --task mlm learns"):
        spec_of(write_csv("flags.csv", FLAGS, rows))
    path = write_csv("strange.csv", ["id", "what", "news", "sport"], rows)
    with pytest.raises(DataError, match=hint):
        spec_of(path)
    assert spec_of(path, text="what", task="mlm").info.name == "mlm"


@pytest.mark.parametrize(
    "lists",
    [[[1, 0, 0], [0, 1, 1]], [[True, False], [False, True]], [["1", "0"], ["0", "0"]], [[0.2, 0.8], [0.5, 0.5]]],
)
def test_one_number_a_class_is_no_list_of_names(tmp_path: Path, lists: list[list[object]]) -> None:
    rows = [{"text": f"t{n}", "labels": each} for n, each in enumerate(lists * 6)]
    with pytest.raises(DataError, match=rf"row 1: .* every list has {len(lists[0])} numbers: one for each class"):
        read(write_lines(tmp_path / "a.jsonl", rows))


@pytest.mark.parametrize("lists", [[[0], [1], [0, 1]], [[3, 7], [2, 5]], [["a", "b"], ["b", "c"]], [[], [0, 1]]])
def test_lists_of_names_may_be_of_one_length_or_hold_numbers(tmp_path: Path, lists: list[list[object]]) -> None:
    rows = [{"text": f"t{n}", "labels": each} for n, each in enumerate(lists * 6)]
    names = [tuple(str(name) for name in each) for each in lists * 6]
    assert [example.labels for example in read(write_lines(tmp_path / "a.jsonl", rows)).examples] == names


@pytest.mark.parametrize("settings", [{}, {"label_delimiter": ","}])
def test_lists_written_as_text_are_refused(write_csv: Callable[..., Path], settings: dict[str, str]) -> None:
    rows = [(f"t{n}", ("['a', 'b']", "['a']")[n % 2]) for n in range(12)]
    with pytest.raises(
        DataError, match=r"row 1: column \"labels\" holds lists written as text, such as \"\['a', 'b'\]"
    ):
        read(write_csv("a.csv", ["text", "labels"], rows), **settings)


def test_delimited_names_are_trimmed_and_each_taken_once(write_csv: Callable[..., Path]) -> None:
    rows = [("t", " a , b,"), ("u", "a,a"), ("v", ""), ("w", ",")]
    examples = read(write_csv("a.csv", ["text", "tags"], rows), label="tags", label_delimiter=",")
    assert [example.labels for example in examples.examples] == [("a", "b"), ("a",), (), ()]


def test_files_beside_follow_the_columns_of_the_training_file(write_csv: Callable[..., Path]) -> None:
    spec = spec_of(write_csv("train.csv", ["text", "label"], [(f"t{n}", "ab"[n % 2]) for n in range(12)]))

    def labels_of(path: Path) -> list[tuple[str, ...]]:
        return [example.labels for example in spec.read(read_table(path)).examples]

    # One text of each class, or one class alone, is a test like any other.
    assert labels_of(write_csv("few.csv", ["label", "text"], [("a", "x"), ("b", "y")])) == [("a",), ("b",)]
    assert labels_of(write_csv("one.csv", ["text", "label"], [(f"t{n}", "a") for n in range(20)])) == [("a",)] * 20
    with pytest.raises(DataError, match=r'none\.csv: has no column "label"; known: "id", "text"'):
        labels_of(write_csv("none.csv", ["id", "text"], [("1", "x")]))
