"""Masked language modelling: which masks there are in a batch, and what is measured of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests import checkpoints
from tests.masking import TEXTS, masked_rows, write_texts
from tests.reading import open_task

from homeground.checkpoint import load_tokenizer, open_checkpoint, padding_id
from homeground.data.tokenized import TextTokens
from homeground.tasks.mlm.blocks import IGNORED_LABEL
from homeground.tasks.task import TokenizedExamples


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    return write_texts(tmp_path / "texts.jsonl", TEXTS)


def test_masks_follow_from_seed_epoch_and_block_alone(texts: Path, folder: Path) -> None:
    task, rows = masked_rows(texts, folder)
    every = np.arange(len(rows.blocks))
    first, _ = task.collate(rows, every, "training", epoch=0)
    again, _ = task.collate(rows, every, "training", epoch=0)
    later, _ = task.collate(rows, every, "training", epoch=1)
    other, _ = task.collate(rows, every, "training", epoch=0, seed=1)
    alone, _ = task.collate(rows, every[2:3], "training", epoch=0)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["labels"], later["labels"])
    assert not np.array_equal(first["labels"], other["labels"])
    width = alone["labels"].shape[1]
    assert np.array_equal(first["labels"][2:3, :width], alone["labels"])


def test_what_is_measured_is_masked_alike_in_every_training(texts: Path, folder: Path) -> None:
    task, rows = masked_rows(texts, folder)
    items = np.arange(len(rows.lengths("measuring")))
    first, _ = task.collate(rows, items, "measuring")
    other, _ = task.collate(rows, items, "measuring", epoch=3, seed=1)
    assert all(np.array_equal(first[name], other[name]) for name in first)


def test_measuring_hides_with_the_mask_token_and_the_last_pass_as_tutorials_do(tmp_path: Path, folder: Path) -> None:
    task, rows = masked_rows(write_texts(tmp_path / "texts.jsonl", TEXTS * 20), folder)
    count = len(rows.blocks)
    batch, denominator = task.collate(rows, np.arange(task.draws * count), "measuring")
    masked = batch["labels"] != IGNORED_LABEL
    assert denominator == masked.sum()
    assert set(batch["input_ids"][masked]) == {rows.vocabulary.mask}
    assert not (batch["input_ids"][~masked] == rows.vocabulary.mask).any()
    tutorial, _ = task.collate(rows, np.arange(task.draws * count, (task.draws + 1) * count), "measuring")
    hidden = tutorial["input_ids"][tutorial["labels"] != IGNORED_LABEL] == rows.vocabulary.mask
    assert 0.6 < hidden.mean() < 0.95


def test_sums_of_documents_are_those_of_their_masked_tokens(texts: Path, folder: Path) -> None:
    task, rows = masked_rows(texts, folder, length=8)
    items = np.arange(len(rows.lengths("measuring")))
    batch, _ = task.collate(rows, items, "measuring")
    line = np.nonzero(batch["labels"] != IGNORED_LABEL)[0]
    random = np.random.default_rng(0)
    outputs = {"log_probabilities": -random.random(len(line)), "first": random.random(len(line)) < 0.5}
    measured = task.measure(rows, task.score(rows, task.reduce(batch, outputs)))
    owner = rows.owner[line % len(rows.blocks)]
    draws = line < task.draws * len(rows.blocks)
    for document in range(4):
        inside = draws & (owner == document)
        assert measured.statistics[document, :3] == pytest.approx(
            [inside.sum(), -outputs["log_probabilities"][inside].sum(), outputs["first"][inside].sum()]
        )
        assert measured.statistics[document, 7] == len(TEXTS[document])
    assert measured.scores["masked_loss"] == pytest.approx(-outputs["log_probabilities"][draws].mean())
    assert measured.scores["perplexity"] == pytest.approx(np.exp(-outputs["log_probabilities"][draws].mean()))
    assert measured.scores["tutorial_perplexity"] == pytest.approx(np.exp(-outputs["log_probabilities"][~draws].mean()))


def test_special_tokens_spelled_out_in_a_text_count_like_others(tmp_path: Path) -> None:
    (tmp_path / "roberta").mkdir()
    checkpoint = open_checkpoint(str(checkpoints.roberta(tmp_path / "roberta")))
    tokenizer = load_tokenizer(checkpoint, max_length=16)
    tokenizer.add_special_tokens(["<last>"])
    spec, table = open_task(write_texts(tmp_path / "texts.jsonl", [f"{text} <last> <last>" for text in TEXTS]))
    task, examples = spec.with_splits({}, checkpoint), spec.read(table).examples
    texts = TokenizedExamples(
        examples, task.tokenize(examples, TextTokens(tokenizer, padding_id(checkpoint, tokenizer)))
    )
    assert np.isfinite(task.baselines(texts, texts)["token frequencies"]).all()
