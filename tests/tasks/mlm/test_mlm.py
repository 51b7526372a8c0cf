"""Masked language modelling: documents, blocks, masks, and what is measured of them."""

from __future__ import annotations

import csv
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import checkpoints

from homeground.checkpoint import load_tokenizer, open_checkpoint, padding_id
from homeground.data import documents
from homeground.data.corpus import read_file
from homeground.data.examples import digest
from homeground.errors import CheckpointError, DataError, UsageError
from homeground.recipe.recipe import make_recipe
from homeground.tasks import choose_task, idle_settings
from homeground.tasks.mlm.blocks import IGNORED, MaskedRows, cut
from homeground.tasks.mlm.mlm import MaskedLanguageModelling
from homeground.tasks.task import Split

TEXTS = [
    "the bank and the river",
    "a good teacher of law in a small town by the road",
    "bad news",
    "The card, the loan: pay the bill!",
]


def written(folder: Path, texts: list[str], name: str = "texts.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return path


def task_for(path: Path, **settings: object) -> tuple[MaskedLanguageModelling, list]:
    recipe = make_recipe({}, data=str(path), **settings)
    table = read_file(str(path), recipe)
    task = choose_task(table, recipe)
    assert isinstance(task, MaskedLanguageModelling)
    return task, task.read(table).examples


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.bert(tmp_path_factory.mktemp("bert"))


def rows_of(
    path: Path, folder: Path, *, length: int = 16, **settings: object
) -> tuple[MaskedLanguageModelling, MaskedRows]:
    task, examples = task_for(path, **settings)
    checkpoint = open_checkpoint(str(folder))
    tokenizer = load_tokenizer(checkpoint, max_length=length)
    task = task.settled({}, checkpoint)
    return task, task.tokenize(examples, tokenizer, padding_id(checkpoint, tokenizer))


def test_texts_alone_are_masked_language_modelling(tmp_path: Path) -> None:
    task, examples = task_for(written(tmp_path, TEXTS))
    assert (task.name, task.columns["text"], len(examples)) == ("mlm", "text", 4)
    assert [example.key for example in examples] == [digest([text]) for text in TEXTS]


def test_a_number_for_every_row_is_no_label(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [["id", "text"], *[[number, f"{text} {number}"] for number, text in enumerate(TEXTS)]]
        )
    assert task_for(path)[0].name == "mlm"


def test_a_column_of_labels_beside_the_text_is_classification(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    lines = [{"text": f"text {number}", "kind": "ab"[number % 2]} for number in range(20)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    recipe = make_recipe({}, data=str(path))
    assert choose_task(read_file(str(path), recipe), recipe).name == "classification"
    assert task_for(path, task="mlm")[0].name == "mlm"


def test_few_labels_and_lists_of_labels_beside_the_text_are_labels_still(tmp_path: Path) -> None:
    few = [{"text": f"text {number}", "label_name": "abcd"[number % 4]} for number in range(12)]
    several = [{"text": f"text {number}", "tags": ["a", str(number)]} for number in range(12)]
    for lines in (few, several):
        path = tmp_path / "texts.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        recipe = make_recipe({}, data=str(path))
        assert choose_task(read_file(str(path), recipe), recipe).name == "classification"


def test_columns_that_are_not_read_are_named_unless_the_task_was(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    lines = [{"text": f"text {number}", "kind": "ab"[number % 2], "lang": "de"} for number in range(20)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (remark,) = task_for(path)[0].settled({}, None).remarks
    assert 'not read: "kind", "lang"' in remark
    assert task_for(path, task="mlm")[0].settled({}, None).remarks == ()


def test_settings_that_a_task_does_not_read_are_told(tmp_path: Path) -> None:
    def idle(task: str, **given: object) -> list[str]:
        return idle_settings(make_recipe({}, data="texts.jsonl", **given), task)

    assert idle("mlm", truncation="head_and_tail", class_weights="balanced") == [
        "of no effect on mlm: --truncation, --class-weights"
    ]
    assert idle("classification", mlm_probability=0.3) == ["of no effect on classification: --mlm-probability"]
    assert idle("mlm", mlm_probability=0.3, text="text", truncation="head") == []


def test_special_tokens_spelled_out_in_a_text_count_like_others(tmp_path: Path) -> None:
    place = tmp_path / "roberta"
    place.mkdir()
    checkpoints.roberta(place)
    checkpoint = open_checkpoint(str(place))
    tokenizer = load_tokenizer(checkpoint, max_length=16)
    tokenizer.add_special_tokens(["<last>"])
    task, examples = task_for(written(tmp_path, [f"{text} <last> <last>" for text in TEXTS]))
    task = task.settled({}, checkpoint)
    rows = task.tokenize(examples, tokenizer, padding_id(checkpoint, tokenizer))
    split = Split(examples, lambda: rows)
    assert np.isfinite(task.baselines(split, split)["token frequencies"]).all()


def test_a_folder_of_text_files_has_a_document_a_file(tmp_path: Path) -> None:
    place = tmp_path / "texts"
    (place / "below").mkdir(parents=True)
    for number, text in enumerate(TEXTS):
        (place / ("below" if number % 2 else "") / f"{number}.txt").write_text(text + "\nsecond line\n")
    _, examples = task_for(place)
    assert len(examples) == 4
    assert {example.key for example in examples} == {digest([text + "\nsecond line\n"]) for text in TEXTS}


def test_a_text_file_has_a_document_a_line(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("\n\n".join(TEXTS) + "\n")
    _, examples = task_for(path)
    assert [example.row for example in examples] == [1, 3, 5, 7]


def test_an_empty_folder_or_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"without \.txt"):
        task_for(tmp_path)
    path = tmp_path / "texts.txt"
    path.write_text("\n \n")
    with pytest.raises(DataError, match="holds no text"):
        task_for(path)


def test_rows_without_text_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, ["one two", " ", "three"])
    recipe = make_recipe({}, data=str(path))
    table = read_file(str(path), recipe)
    read = choose_task(table, recipe).read(table)
    assert read.set_aside == {"empty text": [2]}
    assert [example.row for example in read.examples] == [1, 3]


def test_blocks_lose_nothing_and_no_document_shares_one(tmp_path: Path, folder: Path) -> None:
    _, rows = rows_of(written(tmp_path, TEXTS), folder, length=8)
    plain = load_tokenizer(open_checkpoint(str(folder)), max_length=10_000)
    plain.no_truncation()
    for place, text in enumerate(TEXTS):
        own = [rows.content(block)[0].tolist() for block in np.flatnonzero(rows.owner == place)]
        assert [token for block in own for token in block] == plain.encode(text, add_special_tokens=False).ids
        assert max(map(len, own)) <= 6
        assert max(map(len, own)) - min(map(len, own)) <= 1


def test_tokens_that_are_found_again_are_those_of_the_same_rows(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MAX_BYTES_IN_MEMORY", 0)
    monkeypatch.setenv("HOMEGROUND_CACHE", str(tmp_path / "cache"))
    whole = rows_of(written(tmp_path, TEXTS, "whole.jsonl"), folder)[1]
    spaced = rows_of(written(tmp_path, [TEXTS[0], " ", *TEXTS[1:]], "spaced.jsonl"), folder)[1]
    assert spaced.tokens.rows.tolist() == [1, 3, 4, 5]
    assert spaced.lengths_of_documents.tolist() == whole.lengths_of_documents.tolist()


def test_two_processes_that_need_the_same_tokens_write_them_once(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MAX_BYTES_IN_MEMORY", 0)
    monkeypatch.setenv("HOMEGROUND_CACHE", str(tmp_path / "cache"))
    path, begun, made = written(tmp_path, TEXTS), threading.Barrier(2), []
    write = documents._write

    def counted(place: Path, *given: Any) -> None:
        made.append(place)
        time.sleep(0.2)
        write(place, *given)

    monkeypatch.setattr(documents, "_write", counted)

    def tokenized(_: int) -> list[int]:
        begun.wait()
        return rows_of(path, folder)[1].lengths_of_documents.tolist()

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(tokenized, range(2))
    assert first == second
    assert len(made) == 1


def test_line_by_line_cuts_what_is_too_long_and_counts_it(tmp_path: Path, folder: Path) -> None:
    _, rows = rows_of(written(tmp_path, TEXTS), folder, length=8, line_by_line=True)
    assert (len(rows.blocks), rows.truncated) == (4, 2)


def test_cutting_documents_without_tokens_gives_no_block() -> None:
    blocks, owner, lost = cut(np.array([0, 3, 3]), np.array([3, 3, 10]), 4, whole=False)
    assert blocks.tolist() == [[0, 3], [3, 7], [7, 10]]
    assert (owner.tolist(), lost) == ([0, 2, 2], 0)


def test_masks_follow_from_seed_epoch_and_block_alone(tmp_path: Path, folder: Path) -> None:
    task, rows = rows_of(written(tmp_path, TEXTS), folder)
    every = np.arange(len(rows.blocks))
    first, _ = task.collate(rows, every, "training", epoch=0)
    again, _ = task.collate(rows, every, "training", epoch=0)
    later, _ = task.collate(rows, every, "training", epoch=1)
    alone, _ = task.collate(rows, every[2:3], "training", epoch=0)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["labels"], later["labels"])
    width = alone["labels"].shape[1]
    assert np.array_equal(first["labels"][2:3, :width], alone["labels"])


def test_measuring_hides_with_the_mask_token_and_the_last_pass_as_tutorials_do(tmp_path: Path, folder: Path) -> None:
    task, rows = rows_of(written(tmp_path, TEXTS * 20), folder)
    count = len(rows.blocks)
    batch, denominator = task.collate(rows, np.arange(task.draws * count), "measuring")
    masked = batch["labels"] != IGNORED
    assert denominator == masked.sum()
    assert set(batch["input_ids"][masked]) == {rows.vocabulary.mask}
    assert not (batch["input_ids"][~masked] == rows.vocabulary.mask).any()
    tutorial, _ = task.collate(rows, np.arange(task.draws * count, (task.draws + 1) * count), "measuring")
    hidden = tutorial["input_ids"][tutorial["labels"] != IGNORED] == rows.vocabulary.mask
    assert 0.6 < hidden.mean() < 0.95


def test_sums_of_documents_are_those_of_their_masked_tokens(tmp_path: Path, folder: Path) -> None:
    task, rows = rows_of(written(tmp_path, TEXTS), folder, length=8)
    items = np.arange(len(rows.lengths("measuring")))
    batch, _ = task.collate(rows, items, "measuring")
    line = np.nonzero(batch["labels"] != IGNORED)[0]
    random = np.random.default_rng(0)
    outputs = {"log_probabilities": -random.random(len(line)), "first": random.random(len(line)) < 0.5}
    measured = task.measure(rows, task.score(rows, task.reduce(batch, outputs)))
    own = rows.owner[line % len(rows.blocks)]
    draws = line < task.draws * len(rows.blocks)
    for document in range(4):
        inside = draws & (own == document)
        assert measured.statistics[document, :3] == pytest.approx(
            [inside.sum(), -outputs["log_probabilities"][inside].sum(), outputs["first"][inside].sum()]
        )
        assert measured.statistics[document, 7] == len(TEXTS[document])
    assert measured.scores["masked_loss"] == pytest.approx(-outputs["log_probabilities"][draws].mean())
    assert measured.scores["perplexity"] == pytest.approx(np.exp(-outputs["log_probabilities"][draws].mean()))
    assert measured.scores["tutorial_perplexity"] == pytest.approx(np.exp(-outputs["log_probabilities"][~draws].mean()))


def test_a_tokenizer_without_a_mask_token_is_refused(tmp_path: Path) -> None:
    folder = checkpoints.bert(tmp_path / "bert")
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).is_file():
            path = folder / name
            path.write_text(path.read_text().replace("[MASK]", "[COVER]").replace('"mask_token"', '"cover_token"'))
    task, _ = task_for(written(tmp_path, TEXTS))
    with pytest.raises(CheckpointError, match="no mask token"):
        task.settled({}, open_checkpoint(str(folder)))


def test_another_loss_or_metric_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, TEXTS)
    with pytest.raises(UsageError, match="not for plain texts"):
        task_for(path, task="mlm", loss="cosent")
    with pytest.raises(UsageError, match="masked_loss"):
        task_for(path, task="mlm", primary_metric="accuracy")
