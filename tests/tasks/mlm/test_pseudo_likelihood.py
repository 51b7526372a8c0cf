"""Whole words filled in piece by piece, against a computation of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.masking import write_texts
from tests.reading import read
from tokenizers import Tokenizer
from transformers import AutoModelForMaskedLM

from homeground.checkpoint import load_tokenizer, mask_id, open_checkpoint, padding_id
from homeground.engines import open_engine
from homeground.evaluation.evaluate import evaluate
from homeground.tasks.mlm.pseudo_likelihood import PseudoLikelihood, Word, WordRows, draw_words

TEXTS = ["the teachers pay the bank, always", "a good river", "bad roads. new towns!", "我们 in the old town"]


def documents(place: Path, texts: list[str] = TEXTS) -> Any:
    return read(write_texts(place / "texts.jsonl", texts)).examples


def rows_of(words: list[Word], bert: Path, count: int, *, longest: int = 32) -> WordRows:
    checkpoint = open_checkpoint(str(bert))
    tokenizer = load_tokenizer(checkpoint, max_length=longest)
    return PseudoLikelihood().tokenize(
        words,
        tokenizer,
        documents=count,
        mask=mask_id(checkpoint),
        padding=padding_id(checkpoint, tokenizer),
        longest=longest,
    )


def by_hand(word: Word, bert: Path) -> float:
    """Return the loss of a word: each piece asked for with itself and the word's later pieces hidden."""
    tokenizer = Tokenizer.from_file(str(bert / "tokenizer.json"))
    model = AutoModelForMaskedLM.from_pretrained(bert).eval()
    encoding = tokenizer.encode(word.text)
    pieces = [
        place
        for place, (start, end) in enumerate(encoding.offsets)
        if start < end and word.start <= start and end <= word.end
    ]
    total = 0.0
    for place in pieces:
        ids = torch.tensor([encoding.ids])
        ids[0, place : pieces[-1] + 1] = tokenizer.token_to_id("[MASK]")
        with torch.no_grad():
            logits = model(input_ids=ids).logits
        total -= float(torch.log_softmax(logits, -1)[0, place, encoding.ids[place]])
    return total


def test_the_loss_of_a_word_is_that_of_its_pieces_from_left_to_right(tmp_path: Path, bert: Path) -> None:
    examples = documents(tmp_path)
    words = draw_words(examples, 100, seed=0)
    rows = rows_of(words, bert, len(examples))
    model = open_engine("torch").open_model(open_checkpoint(str(bert)), head="masked_lm")
    measured = evaluate(model, PseudoLikelihood(), rows, batch_size=4)
    expected = np.zeros((len(examples), 2))
    for word, whole in zip(words, rows.known, strict=True):
        if whole:
            expected[word.document] += 1, by_hand(word, bert)
    assert measured.statistics == pytest.approx(expected, abs=1e-4)
    assert measured.scores["word_loss"] == pytest.approx(expected[:, 1].sum() / expected[:, 0].sum(), abs=1e-5)
    assert max(np.diff(rows.pieces, axis=1)) > 1


def test_the_same_words_are_drawn_whatever_is_asked_for_besides(tmp_path: Path) -> None:
    examples = documents(tmp_path)
    every = draw_words(examples, 100, seed=0)
    written = sorted(word.text[word.start : word.end] for word in every)
    expected = ["the", "teachers", "pay", "the", "bank", "always", "a", "good", "river", "bad", "roads", "new", "towns"]
    expected += ["我们", "in", "the", "old", "town"]
    assert written == sorted(expected)
    assert draw_words(examples, 5, seed=0) == every[:5]
    assert draw_words(examples, 100, seed=1) != every


def test_a_word_that_a_tokenizer_does_not_know_is_not_asked(tmp_path: Path, bert: Path) -> None:
    examples = documents(tmp_path, ["the 龘 bank", "a good river"])
    words = draw_words(examples, 10, seed=0)
    rows = rows_of(words, bert, 2)
    unknown = [word.text[word.start : word.end] for word, whole in zip(words, rows.known, strict=True) if not whole]
    assert unknown == ["龘"]


def test_far_text_is_left_out_where_there_is_no_room(tmp_path: Path, bert: Path) -> None:
    examples = documents(tmp_path, ["the bank and the river " * 40, "a good road"])
    words = draw_words(examples, 30, seed=0)
    rows = rows_of(words, bert, 2, longest=12)
    assert max(map(len, rows.ids)) <= 12
    tokenizer = Tokenizer.from_file(str(bert / "tokenizer.json"))
    for word, ids, (first, last) in zip(words, rows.ids, rows.pieces, strict=True):
        assert tokenizer.decode(ids[first:last].tolist()) == word.text[word.start : word.end]
