"""Masked language modelling: which masks there are in a batch, and what is measured of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests import checkpoints
from tests.evaluation_sets import NOTHING
from tests.masking import TEXTS, masked_rows, write_texts
from tests.reading import open_task

from homeground.checkpoint import load_tokenizer, open_checkpoint, padding_id
from homeground.data.tokens.tokenized import IGNORED_LABEL, TextTokens
from homeground.errors import DataError
from homeground.tasks.mlm.blanks import find_blanks
from homeground.tasks.task import TokenizedExamples


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    return write_texts(tmp_path / "texts.jsonl", TEXTS)


def test_masks_follow_from_seed_epoch_and_block_alone(texts: Path, bert: Path) -> None:
    task, rows = masked_rows(texts, bert)
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


def test_what_is_measured_is_masked_alike_in_every_training(texts: Path, bert: Path) -> None:
    task, rows = masked_rows(texts, bert)
    items = np.arange(len(rows.lengths("measuring")))
    first, _ = task.collate(rows, items, "measuring")
    other, _ = task.collate(rows, items, "measuring", epoch=3, seed=1)
    assert all(np.array_equal(first[name], other[name]) for name in first)


def test_training_hides_replaces_and_keeps_and_measuring_only_hides(texts: Path, bert: Path) -> None:
    task, rows = masked_rows(texts, bert, mlm_probability=0.5)
    shown: list[int] = []
    for epoch in range(40):
        batch, _ = task.collate(rows, np.arange(len(rows.blocks)), "training", epoch=epoch)
        shown += batch["input_ids"][batch["labels"] != IGNORED_LABEL].tolist()
    hidden = np.array(shown) == rows.vocabulary.mask
    assert 0.7 < hidden.mean() < 0.9
    content = rows.lengths_of_documents.sum()
    assert len(shown) / content / 40 == pytest.approx(0.5, abs=0.05)


def test_whole_words_are_masked_in_training_where_that_is_asked_for(tmp_path: Path, bert: Path) -> None:
    # Three pieces a word: played, zebra and giraffes are not in the vocabulary as a whole.
    path = write_texts(tmp_path / "texts.jsonl", ["zebra played giraffes zebra played giraffes"] * 4)
    task, rows = masked_rows(path, bert, length=64, whole_word=True)
    batch, _ = task.collate(rows, np.arange(4), "training")
    starts = rows.content(0)[1]
    words = np.cumsum(starts)
    for line in batch["labels"]:
        masked = line[1 : 1 + len(starts)] != IGNORED_LABEL
        assert masked.any()
        assert len(set(words[masked]) & set(words[~masked])) == 0


def test_to_choose_by_one_draw_of_masks_is_measured(texts: Path, bert: Path) -> None:
    task, rows = masked_rows(texts, bert, mask_draws=3)
    assert rows.passes == 4
    assert task.for_examples([]) == task
    cheap = task.for_examples([], to_choose=True)
    assert (cheap.draws, cheap.tutorial) == (1, False)
    assert cheap == replace(task, draws=1, tutorial=False)


def test_measuring_hides_with_the_mask_token_and_the_last_pass_as_tutorials_do(tmp_path: Path, bert: Path) -> None:
    task, rows = masked_rows(write_texts(tmp_path / "texts.jsonl", TEXTS * 20), bert)
    count = len(rows.blocks)
    batch, denominator = task.collate(rows, np.arange(task.draws * count), "measuring")
    masked = batch["labels"] != IGNORED_LABEL
    assert denominator == masked.sum()
    assert set(batch["input_ids"][masked]) == {rows.vocabulary.mask}
    assert not (batch["input_ids"][~masked] == rows.vocabulary.mask).any()
    tutorial, _ = task.collate(rows, np.arange(task.draws * count, (task.draws + 1) * count), "measuring")
    hidden = tutorial["input_ids"][tutorial["labels"] != IGNORED_LABEL] == rows.vocabulary.mask
    assert 0.6 < hidden.mean() < 0.95


def test_sums_of_documents_are_those_of_their_masked_tokens(texts: Path, bert: Path) -> None:
    task, rows = masked_rows(texts, bert, length=8)
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


def test_the_line_of_a_document_holds_its_masked_tokens_and_the_mean_loss_of_either_model(
    texts: Path, bert: Path
) -> None:
    task, _ = masked_rows(texts, bert)
    before, after = np.array([4.0, 10.0, 1.0, 9.0, 9.0]), np.array([4.0, 5.0, 2.0, 9.0, 9.0])
    assert task.example_line(NOTHING, before, after) == {"masked": 4, "before": 2.5, "after": 1.25}


def test_the_baseline_predicts_by_how_often_a_token_is_in_the_training_texts(tmp_path: Path, bert: Path) -> None:
    task, learned = masked_rows(write_texts(tmp_path / "train.jsonl", ["the the the bank", "the river"]), bert)
    _, test = masked_rows(write_texts(tmp_path / "test.jsonl", TEXTS), bert)
    predictions = task.baselines(TokenizedExamples([], learned), TokenizedExamples([], test))["token frequencies"]
    counts = np.ones(len(checkpoints.VOCABULARY))
    for word, count in {"the": 4, "bank": 1, "river": 1}.items():
        counts[checkpoints.VOCABULARY.index(word)] += count
    counts[checkpoints.VOCABULARY.index("[UNK]")] = 0
    batch, _ = task.collate(test, np.arange(task.draws * len(test.blocks)), "measuring")
    labels = batch["labels"][batch["labels"] != IGNORED_LABEL]
    scores = task.measure(test, predictions).scores
    assert scores["masked_loss"] == pytest.approx(-np.log(counts[labels] / counts.sum()).mean())
    assert scores["masked_accuracy"] == pytest.approx((labels == checkpoints.VOCABULARY.index("the")).mean())


def test_texts_too_short_to_say_much_are_counted(tmp_path: Path, bert: Path) -> None:
    words = ["bank " * 7, "bank " * 8, "bank " * 9]
    task, rows = masked_rows(write_texts(tmp_path / "texts.jsonl", words), bert)
    (note,) = task.short_notes([rows, rows])
    assert note.startswith("2 texts have fewer than 8 tokens")
    _, long = masked_rows(write_texts(tmp_path / "long.jsonl", words[1:]), bert)
    assert task.short_notes([long]) == []


def test_words_of_documents_are_asked_within_the_length_that_the_model_reads(tmp_path: Path, bert: Path) -> None:
    checkpoint = open_checkpoint(str(bert))
    tokenizer = load_tokenizer(checkpoint, max_length=12)
    spec, table = open_task(write_texts(tmp_path / "texts.jsonl", ["the bank and the river " * 40, "a good road"]))
    task, examples = spec.with_splits({}, checkpoint), spec.read(table).examples
    tokens = TextTokens(tokenizer, padding_id(checkpoint, tokenizer))
    words, rows = task.word_rows(examples, 5, tokens, max_length=12)
    assert (len(rows.ids), max(map(len, rows.ids)), rows.documents) == (5, 12, 2)
    assert words.info.primary_metric == "word_loss"


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


@pytest.mark.parametrize("whole_word", [False, True])
def test_an_unknown_token_is_never_masked_and_never_asked_for(tmp_path: Path, bert: Path, whole_word: bool) -> None:
    lines = ["the 龘 and the 龘 river 龘", "龘 ดี", "a good 龘 town by the road", "龘 " * 40 + "the bank"]
    task, rows = masked_rows(
        write_texts(tmp_path / "texts.jsonl", lines), bert, mlm_probability=0.5, whole_word=whole_word
    )
    (unknown,) = rows.vocabulary.unknown.tolist()
    content = np.concatenate([rows.content(block)[0] for block in range(len(rows.blocks))])
    assert np.count_nonzero(content == unknown) >= 4
    # A document of unknown tokens alone has no block, and a block of them alone is left out.
    assert rows.owner.tolist() == [0, 2, 3]
    assert rows.documents == 4
    asked: list[int] = []
    for epoch in range(30):
        batch, _ = task.collate(rows, np.arange(len(rows.blocks)), "training", epoch=epoch)
        asked += batch["labels"][batch["labels"] != IGNORED_LABEL].tolist()
    measured, _ = task.collate(rows, np.arange(len(rows.lengths("measuring"))), "measuring")
    asked += measured["labels"][measured["labels"] != IGNORED_LABEL].tolist()
    assert asked
    assert unknown not in asked
    # What stands there stays: it is no mask, and no random token takes its place.
    assert np.count_nonzero(measured["input_ids"] == unknown) == np.count_nonzero(content == unknown) * rows.passes
    examples = TokenizedExamples([], rows)
    (frequencies,) = task.baselines(examples, examples).values()
    assert np.isfinite(frequencies).all()


def test_texts_of_unknown_tokens_alone_are_refused(tmp_path: Path, bert: Path) -> None:
    with pytest.raises(DataError, match="knows no token of the texts"):
        masked_rows(write_texts(tmp_path / "texts.jsonl", ["龘 龘", "ดี"]), bert)


def test_a_blank_is_never_an_unknown_word(tmp_path: Path, bert: Path) -> None:
    line = "the bank and the river of อาหาร and a good town by the road"
    spec, table = open_task(write_texts(tmp_path / "texts.jsonl", [line]))
    source = next(iter(spec.read(table).examples)).source
    _, rows = masked_rows(tmp_path / "texts.jsonl", bert, length=64)
    words = {blank.word for seed in range(20) for blank in find_blanks(source, [1], rows, seed=seed)}
    assert {"bank", "river", "town"} <= words
    assert "อาหาร" not in words
