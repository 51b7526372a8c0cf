"""What a file of labelled texts is: which columns it finds, what it reads, and which labels the task gets."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.classifying import topic_texts
from tests.evaluation_sets import label_spec, labelled
from tests.reading import open_task, read, spec_of, write_lines

from homeground.checkpoint import open_checkpoint
from homeground.data.corpus import read_corpus
from homeground.errors import CheckpointError, DataError, UsageError
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


def test_the_calibration_error_describes_and_cannot_decide(write_csv: Callable[..., Path]) -> None:
    path = write_csv("a.csv", ["text", "label"], [(f"t{n}", "ab"[n % 2]) for n in range(20)])
    assert spec_of(path, primary_metric="log_loss").primary_metric == "log_loss"
    with pytest.raises(UsageError, match=r"ece only describes: chance alone raises it .* use log_loss"):
        spec_of(path, primary_metric="ece")
    with pytest.raises(UsageError, match='"acuracy" is not measured on this data; did you mean "accuracy"'):
        spec_of(path, primary_metric="acuracy")


def test_missing_labels_and_empty_texts_are_skipped(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"text": f"t{n}", "label": n % 2} for n in range(12)]
    rows[3]["label"], rows[5]["text"] = None, " "
    assert read(write_lines(tmp_path / "a.jsonl", rows)).set_aside == {"no label": [4], "empty text": [6]}


def test_several_labels_come_in_lists_or_with_a_delimiter(tmp_path: Path, write_csv: Callable[..., Path]) -> None:
    lists: list[list[str]] = [["a", "b"], ["b"], [], ["a"], ["a", "a"], ["b", "c"], ["c"], ["c"]]
    jsonl = write_lines(tmp_path / "a.jsonl", [{"text": f"t{n}", "labels": labels} for n, labels in enumerate(lists)])
    table = write_csv("a.csv", ["text", "labels"], [(f"t{n}", " ; ".join(labels)) for n, labels in enumerate(lists)])
    for task in (task_of(jsonl), task_of(table, label_delimiter=";")):
        info = task.info
        assert (info.loss, info.primary_metric, task.labels) == ("binary_cross_entropy", "macro_f1", ("a", "b", "c"))
    with pytest.raises(UsageError, match="--loss cross_entropy learns one label a text"):
        spec_of(jsonl, loss="cross_entropy")


def test_an_empty_list_says_that_no_label_applies(tmp_path: Path) -> None:
    lists: list[object] = [["a", "b"], ["b"], [], ["a"], ["b"], None]
    rows = [{"text": f"t{n}", "labels": labels} for n, labels in enumerate(lists)]
    examples = read(write_lines(tmp_path / "a.jsonl", rows))
    assert [example.labels for example in examples.examples] == [("a", "b"), ("b",), (), ("a",), ("b",)]
    assert examples.set_aside == {"no label": [6]}


@pytest.mark.parametrize(
    ("settings", "metric"),
    [({}, "log_loss"), ({"label_smoothing": 0.1}, None), ({"class_weights": "balanced"}, None)],
)
def test_the_log_loss_is_the_loss_where_nothing_is_weighed_or_smoothed(
    settings: dict[str, object], metric: str | None
) -> None:
    assert label_spec(**settings).info.loss_metric == metric


def test_texts_for_a_saved_model_are_cut_as_its_training_cut_them() -> None:
    spec = label_spec()
    assert spec.with_saved_settings({"truncation": "head_and_tail"}).truncation == "head_and_tail"
    assert spec.with_saved_settings({}) == spec


@pytest.fixture(scope="module")
def classifier(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that gives the labels yes and no, in this order, which is not that of the alphabet."""
    folder = shutil.copytree(bert, tmp_path_factory.mktemp("classifier") / "tiny")
    config = json.loads((folder / "config.json").read_text())
    labels = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "yes", "1": "no"}}
    (folder / "config.json").write_text(json.dumps(config | labels))
    return folder


def test_labels_stay_in_the_order_of_a_checkpoint_that_has_the_very_same(classifier: Path) -> None:
    def labels_of(*train: str) -> tuple[str, ...]:
        splits = {"train": labelled(train), "validation": [], "test": []}
        return label_spec().with_splits(splits, open_checkpoint(str(classifier))).labels

    assert labels_of("no", "yes", "no") == ("yes", "no")
    assert labels_of("no", "yes", "maybe") == ("maybe", "no", "yes")


def test_a_finished_model_is_measured_with_its_own_labels(classifier: Path, bert: Path) -> None:
    checkpoint = open_checkpoint(str(classifier))
    task = label_spec().for_model(checkpoint, labelled(["no", "maybe"]))
    assert (task.labels, task.unseen, task.tested) == (("yes", "no"), ("maybe",), (1, 2))
    with pytest.raises(DataError, match='have the labels "maybe", the model knows "yes", "no"; none of them is the'):
        label_spec().for_model(checkpoint, labelled(["maybe"]))
    with pytest.raises(DataError, match="one side has one label a text, the other several"):
        label_spec("binary_cross_entropy", "macro_f1").for_model(checkpoint, labelled([["yes", "no"]]))
    with pytest.raises(CheckpointError, match="gives no labels"):
        label_spec().for_model(open_checkpoint(str(bert)), labelled(["no"]))


def test_a_model_of_several_labels_measures_texts_with_one_as_it_learned(classifier: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(classifier, tmp_path / "several")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"problem_type": "multi_label_classification"}))
    task = label_spec().for_model(open_checkpoint(str(folder)), labelled(["no", "yes"]))
    assert (task.several, task.info.loss, task.info.primary_metric) == (True, "binary_cross_entropy", "macro_f1")


def test_what_looks_wrong_about_labels_is_noted() -> None:
    splits = {"train": labelled(["a", "a", "A ", "b"]), "validation": [], "test": labelled("ac")}
    task = label_spec().with_splits(splits, None)
    assert (task.labels, task.unseen) == (("a", "A ", "b"), ("c",))
    notes = " ".join(task.info.notes)
    assert 'differ only in case or spaces, or in - and _, are different labels here: "a" and "A "' in notes
    assert 'single example stay in train, and nothing is measured of them: "A ", "b"' in notes
    assert '1 test example with a label that does not occur in train: "c"' in notes


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
