"""What a file of labelled texts is: which columns it finds, what it reads, and which labels the task gets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.classifying import topic_texts
from tests.evaluation_sets import label_spec, labelled
from tests.reading import open_task, read, spec_of, write_lines

from homeground.data.corpus import read_corpus
from homeground.errors import DataError, UsageError
from homeground.recipe.recipe import make_recipe
from homeground.tasks.classification.classification import Classification


def task_of(path: Path, **settings: object) -> Classification:
    """Return the task of a file whose texts are all trained on."""
    spec, table = open_task(path, **settings)
    return spec.with_splits({"train": spec.read(table).examples, "validation": [], "test": []}, None)


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (["text", "label"], {"text": "text", "label": "label"}),
        (["Headline", "is_sarcastic"], {"text": "Headline", "label": "is_sarcastic"}),
        (["id", "review", "sentiment"], {"text": "review", "label": "sentiment"}),
        (["sentence1", "sentence2", "label"], {"text_1": "sentence1", "text_2": "sentence2", "label": "label"}),
        (["what", "kind"], {"text": "what", "label": "kind"}),
    ],
)
def test_columns_are_found_by_usual_names_or_by_what_recurs(
    write_csv: Callable[..., Path], header: list[str], columns: dict[str, str]
) -> None:
    rows = [[*(f"{name} {number}" for name in header[:-1]), "ab"[number % 2]] for number in range(20)]
    assert task_of(write_csv("a.csv", header, rows)).info.columns == columns


def test_missing_labels_and_empty_texts_are_skipped(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"text": f"t{n}", "label": n % 2} for n in range(12)]
    rows[3]["label"], rows[5]["text"] = None, " "
    assert read(write_lines(tmp_path / "a.jsonl", rows)).set_aside == {"no label": [4], "empty text": [6]}


def test_several_labels_come_in_lists_or_with_a_delimiter(tmp_path: Path, write_csv: Callable[..., Path]) -> None:
    lists: list[list[str]] = [["a", "b"], ["b"], [], ["a"], ["a", "a"], ["b", "c"], ["c"], ["c"]]
    jsonl = write_lines(tmp_path / "a.jsonl", [{"text": f"t{n}", "labels": own} for n, own in enumerate(lists)])
    table = write_csv("a.csv", ["text", "labels"], [(f"t{n}", " ; ".join(own)) for n, own in enumerate(lists)])
    for task in (task_of(jsonl), task_of(table, label_delimiter=";")):
        info = task.info
        assert (info.loss, info.primary_metric, task.labels) == ("binary_cross_entropy", "macro_f1", ("a", "b", "c"))
    with pytest.raises(UsageError, match="--loss cross_entropy learns one label a text"):
        spec_of(jsonl, loss="cross_entropy")


def test_what_looks_wrong_about_labels_is_noted() -> None:
    splits = {"train": labelled(["a", "a", "A ", "b"]), "validation": [], "test": labelled("ac")}
    task = label_spec().with_splits(splits, None)
    assert (task.labels, task.unseen) == (("a", "A ", "b"), ("c",))
    notes = " ".join(task.info.notes)
    assert 'differ only in case or spaces are different labels here: "a" and "A "' in notes
    assert 'single example stay in train, and nothing is measured of them: "A ", "b"' in notes
    assert '1 test examples have labels that do not occur in train: "c"' in notes


def test_training_examples_with_one_label_are_refused() -> None:
    splits = {"train": labelled("aa"), "validation": [], "test": labelled("b")}
    with pytest.raises(DataError, match='every training example has the label "a"'):
        label_spec().with_splits(splits, None)


def test_a_label_with_one_example_counts_as_wrong_where_all_are_tested_in_turn() -> None:
    examples = labelled(["rare", *"babababa"])
    splits = {"train": examples[:7], "validation": examples[7:], "test": examples}
    notes = " ".join(label_spec().with_splits(splits, None).info.notes)
    assert 'can be learned or tested, never both, so they count as wrong: "rare"' in notes


def test_the_labels_of_the_test_take_no_part_in_what_validation_chooses() -> None:
    train, validation = labelled("abcdabcd"), labelled("abc", "v")
    tasks = [
        label_spec(metric="macro_f1").with_splits(
            {"train": train, "validation": validation, "test": labelled(test, "u")}, None
        )
        for test in ("ab", "cd")
    ]
    assert [task.tested for task in tasks] == [(0, 1), (2, 3)]
    assert [task.for_examples(validation).tested for task in tasks] == [(0, 1, 2), (0, 1, 2)]


def test_every_class_is_in_every_split_and_a_lonely_one_stays_in_train(write_csv: Callable[..., Path]) -> None:
    path = write_csv("a.csv", ["text", "label"], [*topic_texts(600), ("bank 1", "rare")])
    spec, table = open_task(path)
    corpus = read_corpus(table, make_recipe({}, data=str(path)), spec.read)
    kinds = {split: {e.labels for e in getattr(corpus, split).examples} for split in ("train", "validation", "test")}
    assert len(kinds["train"]) == 5
    assert kinds["test"] == kinds["validation"] == kinds["train"] - {("rare",)}
