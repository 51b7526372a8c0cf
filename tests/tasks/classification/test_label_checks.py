"""What looks wrong about labels: which columns are refused, and what is noted with which evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.evaluation_sets import label_spec, labelled
from tests.reading import open_task, read

from homeground.data.corpus import read_corpus
from homeground.errors import DataError
from homeground.recipe.recipe import make_recipe


def problem(path: Path, **settings: object) -> str:
    """Return why the labels of a file cannot be learned."""
    return str(read(path, **settings).problem)


def notes(names: Sequence[str | Sequence[str]], loss: str = "cross_entropy") -> str:
    """Return what is noted of texts with these labels."""
    metric = "accuracy" if loss == "cross_entropy" else "macro_f1"
    splits = {"train": labelled(names), "validation": [], "test": []}
    return " | ".join(label_spec(loss, metric).with_splits(splits, None).info.notes)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a"] * 10, 'column "label" holds "a" in every row; expected at least 2 different labels'),
        ([f"id{n}" for n in range(20)], "20 different values in 20 rows, so it looks like free text or an id"),
    ],
)
def test_a_column_without_labels_is_refused(write_csv: Callable[..., Path], labels: list[str], message: str) -> None:
    path = write_csv("bad.csv", ["text", "label"], [(f"t{n}", label) for n, label in enumerate(labels)])
    assert message in problem(path)
    # A file to measure may hold one class, or one text of each.
    assert len(read(path).examples) == len(labels)


def test_labels_that_cannot_be_learned_are_refused_before_anything_is_split(write_csv: Callable[..., Path]) -> None:
    path = write_csv("bad.csv", ["text", "label"], [(f"t{n}", f"id{n}") for n in range(60)])
    spec, table = open_task(path)
    with pytest.raises(DataError, match="60 different values in 60 rows"):
        read_corpus(table, make_recipe({}, data=str(path)), spec.read)


def test_free_text_as_label_names_the_better_column(write_csv: Callable[..., Path]) -> None:
    rows = [(f"text {n}", f"note {n}", "ab"[n % 2]) for n in range(40)]
    assert 'did you mean "kind"' in problem(write_csv("a.csv", ["text", "note", "kind"], rows), label="note")


def test_many_combinations_of_few_names_are_told_from_free_text(write_csv: Callable[..., Path]) -> None:
    rows = [(f"text {n}", f"{'abcd'[n % 4]};{'efgh'[n // 4]}") for n in range(16)]
    told = problem(write_csv("a.csv", ["text", "label"], rows))
    assert 'looks like free text or an id; 16 of 16 labels hold ";"' in told
    assert '--label-delimiter ";" takes them apart' in told


def test_a_test_with_other_labels_only_is_refused() -> None:
    splits = {"train": labelled("1212"), "validation": [], "test": labelled(["1.0", "2.0"])}
    with pytest.raises(DataError, match=r'test examples have the labels "1.0", "2.0", the training examples "1", "2"'):
        label_spec().with_splits(splits, None)


@pytest.mark.parametrize(
    ("names", "pair"),
    [
        (["1", "2", "3", "3.0"], '"3" and "3.0"'),
        (["08", "8", "9"], '"08" and "8"'),
        (["+1", "1", "-1"], '"+1" and "1"'),
        (["1,5", "1.5", "2"], '"1,5" and "1.5"'),
        (["a", "b", "A "], '"a" and "A "'),
        (["card-lost", "card_lost", "Card Lost"], '"card-lost" and "card_lost" and "Card Lost"'),
        (["\uff21", "a", "b"], '"\uff21" and "a"'),
    ],
)
def test_one_label_written_in_two_ways_is_told(names: list[str], pair: str) -> None:
    assert pair in notes(names * 6)


@pytest.mark.parametrize("names", [["A-", "A", "A+"], ["-1", "1", "0"], ["C", "C#", "C++"], ["1", "11"]])
def test_labels_that_differ_are_no_twins(names: list[str]) -> None:
    assert notes(names * 6) == ""


@pytest.mark.parametrize(
    ("names", "listed"),
    [
        (["spam", "ham", "nan"], '"nan" (6)'),
        (["spam", "ham", "None"], '"None" (6)'),
        (["spam", "ham", "-"], '"-" (6)'),
        (["spam", "ham", "-1"], '"-1" (6)'),
        (["0", "1", "2", "-1"], '"-1" (6)'),
        (["0", "1", "2", "nan"], '"nan" (6)'),
    ],
)
def test_what_files_write_for_a_missing_value_is_told(names: list[str], listed: str) -> None:
    assert f"what files write for a missing value is a label like any other here: {listed}" in notes(names * 6)


@pytest.mark.parametrize("names", [["-1", "0", "1"], ["-2", "-1", "0", "1", "2"], ["none", "racism"], ["a", "b"]])
def test_scales_and_names_are_no_missing_values(names: list[str]) -> None:
    assert notes(names * 6) == ""


def test_texts_that_say_that_a_value_is_missing_are_counted(write_csv: Callable[..., Path]) -> None:
    rows = [("nan" if n % 4 == 0 else f"text {n}", "ab"[n % 2]) for n in range(16)]
    spec, table = open_task(write_csv("a.csv", ["text", "label"], rows))
    splits = {"train": spec.read(table).examples, "validation": [], "test": []}
    assert 'texts that are nothing but what files write for a missing value: "nan" (4)' in " ".join(
        spec.with_splits(splits, None).info.notes
    )


@pytest.mark.parametrize(
    ("names", "mark"),
    [
        (["a, b", "a", "b, c", "c, a,"], ","),
        (["a|b", "b|c", "c|a"], "|"),
        (["a;b", "b", "a", "c;a"], ";"),
        (["a / b", "b / a", "a"], "/"),
    ],
)
def test_names_whose_parts_recur_may_be_several_labels(names: list[str], mark: str) -> None:
    assert f'--label-delimiter "{mark}" takes them apart' in notes(names * 6)


def test_several_marks_are_told_together() -> None:
    told = notes(["a|b", "b;c", "c", "a;c", "b|c"] * 6)
    assert '4 of 5 labels hold ";" or "|"' in told
    assert "takes them apart, once all are written with one mark" in told


def test_what_is_left_when_one_delimiter_has_taken_names_apart_is_looked_at_too() -> None:
    assert '--label-delimiter "|" takes them apart' in notes(
        [["a|b", "c"], ["b|c"], ["a", "c|a"]] * 6, "binary_cross_entropy"
    )


@pytest.mark.parametrize(
    "names",
    [
        ["Credit reporting, repair or other", "Money transfer, or service", "Credit reporting", "Payday loan"],
        ["sport/tennis", "sport/golf", "news/uk", "news/us"],
        ["a, b", "c"],
    ],
)
def test_names_that_hold_a_mark_are_no_several_labels(names: list[str]) -> None:
    assert notes(names * 6) == ""


def test_vectors_written_with_a_mark_are_told() -> None:
    assert 'hold "," between 0 and 1; write one column of 0 and 1' in notes(["0,1,0", "1,0,0", "1,1,0"] * 6)


def test_numbers_with_fractions_and_free_text_and_many_labels_are_told() -> None:
    assert "the labels are numbers, such as 0.5: each of the 3 is a class" in notes(["0", "0.5", "1"] * 6)
    assert notes(["1.0", "2.0", "3.0"] * 6) == ""
    long = ["we were all very happy with the meal", "nobody at the counter had time for us"]
    assert "the labels are texts of 8 words on average" in notes(long * 6)
    many = [f"item{n}" for n in range(10)]
    assert '10 labels in 20 examples are 2.0 examples a label; if "label" holds ids' in notes(many * 2)


def test_a_column_that_never_says_yes_is_named() -> None:
    splits = {"train": labelled([["a"], ["b"], ["a"], ["b"]]), "validation": [], "test": []}
    spec = label_spec("binary_cross_entropy", "macro_f1", flags=("a", "b", "c"))
    assert 'columns without a single 1 in train are not learned: "c"' in spec.with_splits(splits, None).info.notes
