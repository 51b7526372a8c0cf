"""What a file of plain texts is: its documents, its notes, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests import checkpoints
from tests.masking import TEXTS, write_texts
from tests.reading import open_task, read, spec_of, write_lines

from homeground.checkpoint import open_checkpoint
from homeground.data.examples import digest
from homeground.errors import CheckpointError, DataError, UsageError
from homeground.recipe.recipe import make_recipe


def test_every_text_is_a_document_known_by_the_hash_of_its_text(tmp_path: Path) -> None:
    examples = read(write_texts(tmp_path / "texts.jsonl", TEXTS)).examples
    assert [example.digest for example in examples] == [digest([text]) for text in TEXTS]


def test_a_folder_of_text_files_has_a_document_a_file(tmp_path: Path) -> None:
    place = tmp_path / "texts"
    (place / "below").mkdir(parents=True)
    for number, text in enumerate(TEXTS):
        (place / ("below" if number % 2 else "") / f"{number}.txt").write_text(text + "\nsecond line\n")
    examples = read(place).examples
    assert len(examples) == 4
    assert {example.digest for example in examples} == {digest([text + "\nsecond line\n"]) for text in TEXTS}


def test_a_text_file_has_a_document_a_line(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("\n\n".join(TEXTS) + "\n")
    assert [example.row for example in read(path).examples] == [1, 3, 5, 7]


def test_an_empty_folder_or_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="without text files"):
        read(tmp_path)
    path = tmp_path / "texts.txt"
    path.write_text("\n \n")
    with pytest.raises(DataError, match="holds no rows of data"):
        read(path)


def test_rows_without_text_are_named(tmp_path: Path) -> None:
    examples = read(write_texts(tmp_path / "texts.jsonl", ["one two", " ", "three"]))
    assert examples.set_aside == {"empty text": [2]}
    assert [example.row for example in examples.examples] == [1, 3]


def test_columns_that_are_not_read_are_named_and_with_no_task_what_may_be_a_label(tmp_path: Path, bert: Path) -> None:
    lines = [{"text": f"text {number}", "kind": "ab"[number % 2], "lang": "de"} for number in range(20)]
    path, checkpoint = write_lines(tmp_path / "texts.jsonl", lines), open_checkpoint(str(bert))
    unread = 'not read: columns "kind", "lang"'
    assert spec_of(path).with_splits({}, checkpoint).info.notes == (
        unread,
        "learned from as plain texts; if one of the other columns holds labels, use --label kind",
    )
    assert spec_of(path, task="mlm").with_splits({}, checkpoint).info.notes == (unread,)


def test_texts_with_control_characters_are_counted_in_a_note(tmp_path: Path, bert: Path) -> None:
    spec, table = open_task(write_texts(tmp_path / "texts.jsonl", ["the\x00 bank", "bad\x1b news", "a road"]))
    splits = {"train": spec.read(table).examples}
    assert spec.with_splits(splits, open_checkpoint(str(bert))).info.notes == ("2 texts hold control characters",)


def test_the_only_column_holds_the_texts_whatever_its_name(write_csv: Callable[..., Path]) -> None:
    assert spec_of(write_csv("texts.csv", ["what"], [["the bank"], ["bad news"]])).columns == {"text": "what"}
    with pytest.raises(DataError, match=r'which column holds the text\? the columns are "what", "that"'):
        spec_of(write_csv("two.csv", ["what", "that"], [["the bank", "bad news"]]), task="mlm")


def test_at_most_two_thousand_texts_validate_and_as_many_test(tmp_path: Path) -> None:
    spec = spec_of(write_texts(tmp_path / "texts.jsonl", TEXTS))
    assert spec.info.defaults["split"] == {"validation": 0.1, "test": 0.1}
    assert replace(spec, rows=50_000).info.defaults["split"] == {"validation": 0.04, "test": 0.04}


def test_a_general_set_of_texts_is_judged_by_the_loss_whatever_decides_on_the_domain(
    tmp_path: Path, bert: Path
) -> None:
    domain = spec_of(write_texts(tmp_path / "domain.jsonl", TEXTS), primary_metric="perplexity")
    _, table = open_task(write_lines(tmp_path / "general.jsonl", [{"sentence": text} for text in TEXTS]))
    general = domain.general_spec(table, make_recipe({}, data="domain.jsonl"))
    assert (domain.info.primary_metric, general.info.primary_metric) == ("perplexity", "masked_loss")
    checkpoint = open_checkpoint(str(bert))
    task = domain.general_task(general, domain.for_model(checkpoint, []), checkpoint, [], "general.jsonl")
    assert (task.info.primary_metric, task.info.columns) == ("masked_loss", {"text": "sentence"})


def test_a_tokenizer_without_a_mask_token_is_refused(tmp_path: Path) -> None:
    folder = checkpoints.bert(tmp_path / "bert")
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).is_file():
            path = folder / name
            path.write_text(path.read_text().replace("[MASK]", "[COVER]").replace('"mask_token"', '"cover_token"'))
    spec = spec_of(write_texts(tmp_path / "texts.jsonl", TEXTS))
    with pytest.raises(CheckpointError, match="no mask token"):
        spec.with_splits({}, open_checkpoint(str(folder)))
    with pytest.raises(CheckpointError, match="no mask token"):
        spec.for_model(open_checkpoint(str(folder)), [])


def test_another_loss_or_metric_is_refused(tmp_path: Path) -> None:
    path = write_texts(tmp_path / "texts.jsonl", TEXTS)
    with pytest.raises(UsageError, match="not for plain texts"):
        spec_of(path, task="mlm", loss="cosent")
    with pytest.raises(UsageError, match="masked_loss"):
        spec_of(path, task="mlm", primary_metric="accuracy")
