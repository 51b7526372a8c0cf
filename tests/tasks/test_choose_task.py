"""Which task a file is for where nobody names one, and which settings a task does not read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.reading import spec_of, write_lines

from homeground.errors import DataError, UsageError
from homeground.recipe.recipe import make_recipe
from homeground.tasks import unread_settings


def test_a_score_means_similarity(write_csv: Callable[..., Path]) -> None:
    path = write_csv("pairs.csv", ["text_1", "text_2", "similarity"], [("a", "b", 0.5), ("c", "d", 0.1)])
    assert spec_of(path).info.name == "similarity"


def test_texts_alone_are_masked_language_modelling(tmp_path: Path) -> None:
    info = spec_of(write_lines(tmp_path / "texts.jsonl", [{"text": "the bank"}, {"text": "bad news"}])).info
    assert (info.name, info.columns["text"]) == ("mlm", "text")


def test_a_number_for_every_row_is_no_label(write_csv: Callable[..., Path]) -> None:
    path = write_csv("texts.csv", ["id", "text"], [(number, f"text {number}") for number in range(4)])
    assert spec_of(path).info.name == "mlm"


def test_a_column_of_labels_beside_the_text_is_classification_unless_the_task_is_named(tmp_path: Path) -> None:
    lines = [{"text": f"text {number}", "kind": "ab"[number % 2]} for number in range(20)]
    path = write_lines(tmp_path / "texts.jsonl", lines)
    assert spec_of(path).info.name == "classification"
    assert spec_of(path, task="mlm").info.name == "mlm"


@pytest.mark.parametrize("labels", [{"label_name": "abcd"}, {"tags": [["a", str(number)] for number in range(12)]}])
def test_few_labels_and_lists_of_labels_beside_the_text_are_labels_still(
    tmp_path: Path, labels: dict[str, Any]
) -> None:
    ((column, values),) = labels.items()
    lines = [{"text": f"text {number}", column: values[number % len(values)]} for number in range(12)]
    assert spec_of(write_lines(tmp_path / "texts.jsonl", lines)).info.name == "classification"


def test_a_named_column_that_one_task_alone_has_names_the_task(write_csv: Callable[..., Path]) -> None:
    header = ["text_1", "text_2", "similarity", "label"]
    path = write_csv("pairs.csv", header, [("a", "b", 0.5, "x"), ("c", "d", 0.1, "y")])
    assert spec_of(path).info.name == "similarity"
    assert spec_of(path, label="label").info.name == "classification"


def test_a_named_column_of_texts_leaves_pairs_aside(write_csv: Callable[..., Path]) -> None:
    header = ["text_1", "text_2", "similarity", "note"]
    path = write_csv("pairs.csv", header, [("a", "b", 0.5, "the bank"), ("c", "d", 0.1, "bad news")])
    info = spec_of(path, text="note").info
    assert (info.name, info.columns) == ("mlm", {"text": "note"})


def test_columns_that_fit_no_task_are_listed_with_what_each_task_needs(
    write_csv: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_csv("what.csv", ["this", "that", "other"], [("a", "b", "c")])
    needs = (
        "name what it needs: similarity: two texts and their score (--text-1, --text-2, --similarity), or two that "
        "belong together (--anchor, --positive); classification: texts and their labels (--text, --label); mlm: texts "
        "(--text); token-classification: words with a tag each, or a text with marked spans"
    )
    with pytest.raises(DataError) as caught:
        spec_of(path)
    assert str(caught.value) == f'{path}: the columns "this", "that", "other" fit no task; {needs}'
    nested = write_lines(tmp_path / "nested.jsonl", [{"id": 1, "sentences": ["a", "b"], "labels": ["x", "y"]}] * 12)
    with pytest.raises(DataError, match='"sentences", "labels" hold lists or objects: write one text, with its label'):
        spec_of(nested)


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        (["text_1", "text_2", "similarty"], r'--positive\) \(did you mean "similarty" for "similarity"\?'),
        (
            ["sentence1", "sentence2", "id"],
            r"\(--anchor sentence1 --positive sentence2 reads pairs that belong",
        ),
    ],
)
def test_what_comes_near_to_a_task_is_told(write_csv: Callable[..., Path], header: list[str], hint: str) -> None:
    with pytest.raises(DataError, match=hint):
        spec_of(write_csv("near.csv", header, [("a", "b", "c")]))


@pytest.mark.parametrize(
    ("task", "settings", "notes"),
    [
        (
            "mlm",
            {"truncation": "head_and_tail", "class_weights": "balanced"},
            ["of no effect on mlm: --truncation, --class-weights"],
        ),
        ("classification", {"mlm_probability": 0.3}, ["of no effect on classification: --mlm-probability"]),
        ("mlm", {"mlm_probability": 0.3, "text": "text", "truncation": "head"}, []),
    ],
)
def test_changed_settings_that_a_task_does_not_read_are_named(
    task: str, settings: dict[str, object], notes: list[str]
) -> None:
    assert unread_settings(make_recipe({}, data="texts.jsonl", **settings), task) == notes


ANNA: dict[str, Any] = {
    "first": "Anna Li flew to Rome",
    "second": "some other text here",
    "marks": [[0, 7, "PER"]],
    "nr": 3,
}


def test_marked_spans_are_token_classification_whatever_is_named(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [ANNA] * 12)
    for settings in ({"text": "first"}, {"tag_column": "marks", "text": "first"}):
        info = spec_of(path, **settings).info
        assert (info.name, info.columns) == ("token-classification", {"text": "first", "spans": "marks"})
    assert spec_of(path, text="first", task="mlm").info.name == "mlm"
    with pytest.raises(DataError, match=r'which column holds the texts of the spans in "marks".*name it with --text'):
        spec_of(path)
    with pytest.raises(
        DataError, match='column "second" holds neither the tags of words nor spans, but "some other text'
    ):
        spec_of(path, tag_column="second")


def test_a_span_that_is_wrong_is_told_and_the_table_not_read_as_plain_text(tmp_path: Path) -> None:
    rows = [ANNA] * 12 + [ANNA | {"marks": [[0, 7, "PER"], [5, 7, "X"]]}]
    with pytest.raises(DataError, match=r"row 13: the spans .* one lies in the other"):
        spec_of(write_lines(tmp_path / "a.jsonl", rows), text="first")
    rows = [{"tokens": ["Anna", "ran"], "ner_tags": [1, 0], "text": "Anna ran"}] * 12
    with pytest.raises(DataError, match="holds numbers, such as 1, and the file has no names for them"):
        spec_of(write_lines(tmp_path / "b.jsonl", rows))


def test_a_format_that_only_one_task_reads_is_refused_for_others(tmp_path: Path) -> None:
    path = tmp_path / "words.conll"
    path.write_text("Anna B-PER\nflew O\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"words\.conll is a file of format conll, which only --task token-classif"):
        spec_of(path, task="mlm")
