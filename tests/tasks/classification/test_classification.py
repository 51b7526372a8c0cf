from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests import checkpoints
from tests.classifying import topic_texts
from tests.conftest import TOPICS

from homeground.checkpoint import load_tokenizer, open_checkpoint
from homeground.data.corpus import read_corpus, read_file
from homeground.data.examples import Example
from homeground.data.tokenized import Sequences, Tokenized
from homeground.engines.torch.losses import LOSSES
from homeground.errors import DataError, UsageError
from homeground.recipe.recipe import make_recipe
from homeground.tasks import choose_task
from homeground.tasks.classification.bag_of_words import tf_idf
from homeground.tasks.classification.classification import Classification, LabelledRows
from homeground.tasks.classification.labels import in_natural_order


def understand(path: Path, **settings: Any) -> Classification:
    recipe = make_recipe({}, data=str(path), **settings)
    table = read_file(str(path), recipe)
    task = choose_task(table, recipe)
    assert isinstance(task, Classification)
    examples = task.read(table).examples
    return task.settled({"train": examples, "validation": [], "test": []}, None)


def write_lines(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


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
    assert understand(write_csv("a.csv", header, rows)).columns == columns


def test_a_score_still_means_similarity(write_csv: Callable[..., Path]) -> None:
    path = write_csv("pairs.csv", ["text_1", "text_2", "similarity"], [("a", "b", 0.5), ("c", "d", 0.1)])
    recipe = make_recipe({}, data=str(path))
    assert choose_task(read_file(str(path), recipe), recipe).name == "similarity"


def test_labels_keep_their_names(tmp_path: Path) -> None:
    for values, names in [
        ([10, 9, 2], ["2", "9", "10"]),
        ([True, False, True], ["false", "true"]),
        (["NA", "null", "None"], ["NA", "None", "null"]),
        (["7", "08", "7"], ["7", "08"]),
    ]:
        rows: list[dict[str, object]] = [{"text": f"t{n}", "label": value} for n, value in enumerate(values * 4)]
        assert list(understand(write_lines(tmp_path / "a.jsonl", rows)).labels) == names


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
        ([("t", ""), ("u", " ")] * 5, "holds no label"),
    ],
)
def test_a_column_without_labels_is_refused(
    write_csv: Callable[..., Path], rows: list[tuple[str, str]], message: str
) -> None:
    path = write_csv("bad.csv", ["text", "label"], rows)
    recipe = make_recipe({}, data=str(path))
    table = read_file(str(path), recipe)
    if "holds no label" in message:
        assert choose_task(table, recipe).read(table).examples == []
        return
    with pytest.raises(DataError) as caught:
        choose_task(table, recipe).read(table)
    assert message in str(caught.value)


def test_free_text_as_label_names_the_better_column(write_csv: Callable[..., Path]) -> None:
    rows = [(f"text {n}", f"note {n}", "ab"[n % 2]) for n in range(40)]
    with pytest.raises(DataError, match='did you mean "kind"'):
        understand(write_csv("a.csv", ["text", "note", "kind"], rows), label="note")


def test_mixed_kinds_of_labels_are_refused_with_both_rows(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"text": "a", "label": 1}, {"text": "b", "label": "1"}]
    with pytest.raises(
        DataError, match='row 2: column "label" holds "1", which is text, but row 1 holds 1, which is a'
    ):
        understand(write_lines(tmp_path / "a.jsonl", rows), task="classification")


def test_missing_labels_and_empty_texts_are_set_aside(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"text": f"t{n}", "label": n % 2} for n in range(12)]
    rows[3]["label"], rows[5]["text"] = None, " "
    path = write_lines(tmp_path / "a.jsonl", rows)
    recipe = make_recipe({}, data=str(path))
    table = read_file(str(path), recipe)
    assert choose_task(table, recipe).read(table).set_aside == {"no label": [4], "empty text": [6]}


def test_what_looks_wrong_about_labels_is_told() -> None:
    def part(*labels: str) -> list[Example]:
        return [Example(n, (f"t{n}",), labels=(label,)) for n, label in enumerate(labels)]

    task = Classification({"text": "text", "label": "label"}, "cross_entropy", "accuracy")
    task = task.settled({"train": part("a", "a", "A ", "b"), "validation": [], "test": part("a", "c")}, None)
    assert (task.labels, task.unseen) == (("a", "A ", "b"), ("c",))
    said = " ".join(task.remarks)
    assert 'differ only in case or spaces are different labels here: "a" and "A "' in said
    assert 'single example stay in train, and nothing is measured of them: "A ", "b"' in said
    assert '1 test examples have labels that do not occur in train: "c"' in said
    with pytest.raises(DataError, match="every training example has the label"):
        task.settled({"train": part("a", "a"), "validation": [], "test": part("b")}, None)


def test_a_label_unseen_in_training_counts_as_wrong(tmp_path: Path) -> None:
    task = Classification({"text": "text", "label": "label"}, "cross_entropy", "accuracy")
    train = [Example(n, (f"t{n}",), labels=("ab"[n % 2],)) for n in range(4)]
    test = [Example(n, (f"u{n}",), labels=("abc"[n % 3],)) for n in range(3)]
    task = task.settled({"train": train, "validation": [], "test": test}, None)
    checkpoint = open_checkpoint(str(checkpoints.bert(tmp_path / "tiny")))
    rows = task.tokenize(test, load_tokenizer(checkpoint, max_length=16), 0)
    measured = task.measure(rows, np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]))
    assert measured.scores["accuracy"] == pytest.approx(2 / 3)
    assert task.line(test[0], measured.predictions[0], measured.predictions[0])["after"] == {
        "label": "a",
        "probability": 0.9,
    }
    batch, denominator = task.collate(rows, np.arange(3), "training")
    assert denominator == 2
    assert batch["targets"][2].tolist() == [0, 0]


def test_a_label_with_one_example_counts_as_wrong_where_all_are_tested_in_turn() -> None:
    task = Classification({"text": "text", "label": "label"}, "cross_entropy", "accuracy")
    examples = [Example(n, (f"t{n}",), labels=("ab"[n % 2] if n else "rare",)) for n in range(9)]
    parts = {"train": examples[:7], "validation": examples[7:], "test": examples}
    assert 'can be learned or tested, never both, so they count as wrong: "rare"' in " ".join(
        task.settled(parts, None).remarks
    )


def test_the_labels_of_the_test_take_no_part_in_what_validation_chooses() -> None:
    task = Classification({"text": "text", "label": "label"}, "cross_entropy", "macro_f1")
    train = [Example(n, (f"t{n}",), labels=("abcd"[n % 4],)) for n in range(8)]
    validation = [Example(n, (f"v{n}",), labels=("abc"[n % 3],)) for n in range(3)]
    parts = [[Example(n, (f"u{n}",), labels=(label,)) for n, label in enumerate(labels)] for labels in ("ab", "cd")]
    choosing = {
        task.settled({"train": train, "validation": validation, "test": test}, None).on(validation).tested
        for test in parts
    }
    assert choosing == {(0, 1, 2)}


def test_macro_f1_leaves_out_what_only_training_has() -> None:
    task = Classification({"text": "text", "label": "label"}, "cross_entropy", "macro_f1")
    train = [Example(n, (f"t{n}",), labels=("abcd"[n % 4],)) for n in range(8)]
    test = [Example(n, (f"u{n}",), labels=(label,)) for n, label in enumerate("abe")]
    settled = task.settled({"train": train, "validation": [], "test": test}, None)
    assert [(*settled.labels, *settled.unseen)[place] for place in settled.tested or ()] == ["a", "b", "e"]
    assert settled.for_labels(["b", "c", "a"], test).tested == (0, 2, 3)
    predictions = np.eye(4)[[0, 1, 3]]
    rows = LabelledRows(
        Sequences(Tokenized(np.empty(0, np.int32), np.zeros(4, np.int64), 0), None), np.array([0, 1, 4]), 0
    )
    assert settled.measure(rows, predictions).scores["macro_f1"] == pytest.approx(2 / 3)


def test_several_labels_come_in_lists_or_with_a_delimiter(tmp_path: Path, write_csv: Callable[..., Path]) -> None:
    lists: list[list[str]] = [["a", "b"], ["b"], [], ["a"], ["a", "a"], ["b", "c"], ["c"], ["c"]]
    jsonl = write_lines(tmp_path / "a.jsonl", [{"text": f"t{n}", "labels": own} for n, own in enumerate(lists)])
    table = write_csv("a.csv", ["text", "labels"], [(f"t{n}", " ; ".join(own)) for n, own in enumerate(lists)])
    for task in (understand(jsonl), understand(table, label_delimiter=";")):
        assert (task.loss, task.primary_metric, task.labels) == ("binary_cross_entropy", "macro_f1", ("a", "b", "c"))
    with pytest.raises(UsageError, match="--loss cross_entropy learns one label a text"):
        understand(jsonl, loss="cross_entropy")


def settled(labels: str, **settings: Any) -> tuple[Classification, list[Example]]:
    examples = [Example(n, (f"law {n}",), labels=tuple(own)) for n, own in enumerate(labels.split())]
    task = Classification({"text": "text", "label": "label"}, **settings)
    return task.settled({"train": examples, "validation": [], "test": []}, None), examples


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_the_loss_is_torchs_cross_entropy(tmp_path: Path, smoothing: float, class_weights: Any) -> None:
    task, examples = settled(
        "a a a b b c", loss="cross_entropy", primary_metric="accuracy", class_weights=class_weights,
        label_smoothing=smoothing,
    )  # fmt: skip
    checkpoint = open_checkpoint(str(checkpoints.bert(tmp_path / "tiny")))
    rows = task.tokenize(examples, load_tokenizer(checkpoint, max_length=16), 0)
    batch, denominator = task.collate(rows, np.arange(6), "training")
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    ours = LOSSES["cross_entropy"].terms(logits, {name: torch.tensor(v) for name, v in batch.items()}) / denominator
    weight = torch.tensor([6 / 9, 1, 2]) if class_weights == "balanced" else None
    theirs = torch.nn.CrossEntropyLoss(weight=weight, label_smoothing=smoothing)(logits, torch.tensor(rows.labels))
    assert float(ours) == pytest.approx(float(theirs), abs=1e-6)


def test_the_loss_of_several_labels_is_torchs_too(tmp_path: Path) -> None:
    task, examples = settled(
        "ab a b ac", loss="binary_cross_entropy", primary_metric="macro_f1", class_weights="balanced"
    )
    checkpoint = open_checkpoint(str(checkpoints.bert(tmp_path / "tiny")))
    rows = task.tokenize(examples, load_tokenizer(checkpoint, max_length=16), 0)
    batch, denominator = task.collate(rows, np.arange(4), "training")
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    terms = LOSSES["binary_cross_entropy"].terms(logits, {name: torch.tensor(v) for name, v in batch.items()})
    positives = torch.tensor([1 / 3, 1.0, 3.0])
    theirs = torch.nn.BCEWithLogitsLoss(pos_weight=positives)(logits, torch.tensor(rows.labels, dtype=torch.float32))
    assert float(terms) / denominator == pytest.approx(float(theirs), abs=1e-6)


def test_head_and_tail_keep_both_ends_of_a_long_text(tmp_path: Path) -> None:
    task, _ = settled("a b", loss="cross_entropy", primary_metric="accuracy", truncation="head_and_tail")
    tokenizer = load_tokenizer(open_checkpoint(str(checkpoints.bert(tmp_path / "tiny"))), max_length=10)
    words = [*TOPICS["money"], "court", "law", "judge", "police"]
    rows = task.tokenize([Example(1, (" ".join(words),), labels=("a",))], tokenizer, 0)
    kept = [tokenizer.id_to_token(int(i)) for i in rows.texts.tokens.ids]
    assert kept == ["[CLS]", *words[:2], *words[-6:], "[SEP]"]
    assert rows.truncated == 1
    assert len(tokenizer.encode(" ".join(words)).ids) == 10


def test_pairs_are_one_sequence_with_types(tmp_path: Path) -> None:
    task, _ = settled("a b", loss="cross_entropy", primary_metric="accuracy")
    tokenizer = load_tokenizer(open_checkpoint(str(checkpoints.bert(tmp_path / "tiny"))), max_length=10)
    rows = task.tokenize([Example(1, ("bank", "loan card"), labels=("a",))], tokenizer, 0)
    batch, _ = task.collate(rows, np.array([0]), "measuring")
    assert batch["token_type_ids"].tolist() == [[0, 0, 0, 1, 1, 1]]


def test_every_class_is_in_every_split_and_a_lonely_one_stays_in_train(write_csv: Callable[..., Path]) -> None:
    rows = [*topic_texts(600), ("bank 1", "rare")]
    path = write_csv("a.csv", ["text", "label"], rows)
    recipe = make_recipe({}, data=str(path))
    table = read_file(str(path), recipe)
    corpus = read_corpus(table, recipe, choose_task(table, recipe).read)
    kinds = {split: {e.labels for e in getattr(corpus, split).examples} for split in ("train", "validation", "test")}
    assert len(kinds["train"]) == 5
    assert kinds["test"] == kinds["validation"] == kinds["train"] - {("rare",)}


def test_tf_idf_learns_words_and_characters() -> None:
    for texts in (["good film", "bad film"], ["味道很好", "味道很坏"]):
        truth = np.tile(np.eye(2, dtype=np.int64), (20, 1))
        given = tf_idf(texts * 20, truth, texts, several=False)
        assert given.argmax(1).tolist() == [0, 1]
        assert np.allclose(given.sum(1), 1)
