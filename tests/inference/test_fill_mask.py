"""Masked words filled in, as transformers' own pipeline fills them."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file
from tests import checkpoints
from transformers import pipeline

import homeground
from homeground import Classifier, Encoder, MaskedLM
from homeground.cli import run as command
from homeground.errors import CheckpointError, DataError, UsageError
from homeground.inference.files import predict_file

TEXTS = {
    "bert": ["The bank [MASK] the loan.", "a [MASK] new", "[MASK] bus and the [MASK] car play"],
    "roberta": ["the bank <mask> the loan.", "a<mask> new", "<mask> bus and the <mask> car play"],
}


@pytest.fixture(scope="module", params=["bert", "roberta"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, kind: str) -> Path:
    return getattr(checkpoints, kind)(tmp_path_factory.mktemp("masked") / kind)


@pytest.fixture(scope="module")
def model(folder: Path) -> MaskedLM:
    loaded = homeground.load(folder)
    assert isinstance(loaded, MaskedLM)
    return loaded


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.bert(tmp_path_factory.mktemp("masked") / "one")


def test_answers_are_those_of_the_pipeline(folder: Path, model: MaskedLM, kind: str) -> None:
    fill = pipeline("fill-mask", model=str(folder), top_k=7)
    for text, answers in zip(TEXTS[kind], model.fill_mask(TEXTS[kind], 7), strict=True):
        expected: Any = fill(text)
        expected = expected if isinstance(expected[0], list) else [expected]
        flat = [(mask, each) for mask, own in enumerate(expected, 1) for each in own]
        assert [(a.mask, a.id, a.token) for a in answers] == [
            (mask, each["token"], each["token_str"].strip()) for mask, each in flat
        ]
        for answer, (_, each) in zip(answers, flat, strict=True):
            assert answer.probability == pytest.approx(each["score"], abs=1e-5)


def test_what_a_text_is_filled_in_with_changes_nothing(model: MaskedLM, kind: str) -> None:
    long = " ".join(["bank and house"] * 12)
    alone = [model.fill_mask(text) for text in TEXTS[kind]]
    together = model.fill_mask([f"{long} [MASK]", *TEXTS[kind]], batch_size=3)[1:]
    for one, other in zip(alone, together, strict=True):
        assert [a.id for a in one] == [a.id for a in other]
        assert [a.probability for a in one] == pytest.approx([a.probability for a in other], abs=1e-6)


def test_mask_in_brackets_stands_for_the_mask_of_every_model(model: MaskedLM) -> None:
    own = f"the bank {model.mask_token} new"
    assert model.fill_mask("the bank [MASK] new") == model.fill_mask(own)


def test_a_text_without_a_mask_is_refused_with_the_mask_that_this_model_uses(model: MaskedLM, kind: str) -> None:
    own = {"bert": "[MASK]", "roberta": "<mask>"}[kind]
    with pytest.raises(UsageError, match=f'"the bank" has no mask; write {re.escape(own)} where'):
        model.fill_mask("the bank")
    with pytest.raises(UsageError, match="top is 0"):
        model.fill_mask("the [MASK]", 0)


def test_of_a_long_text_the_tokens_around_each_mask_are_read(bert: Path) -> None:
    model = MaskedLM(homeground.load(bert).checkpoint)
    words = ["bank", "house", "money", "loan", "car"] * 40
    words[100] = words[150] = "[MASK]"
    answers = model.fill_mask(" ".join(words), 3)
    assert [answer.mask for answer in answers] == [1, 1, 1, 2, 2, 2]
    assert model.truncated == 1
    # 64 tokens, two of them special: 31 before a mask and 30 after it.
    around = model.fill_mask(" ".join(words[69:131]), 3)
    assert [(a.id, a.probability) for a in around] == [(a.id, pytest.approx(a.probability)) for a in answers[:3]]
    assert len(answers[0].text.split()) == 200


def test_filled_texts_keep_what_was_typed_and_join_pieces_to_their_words(bert: Path) -> None:
    model = MaskedLM(homeground.load(bert).checkpoint)
    ids = {token: number for number, token in enumerate(checkpoints.VOCABULARY)}

    def filled(text: str, *tokens: str) -> str:
        return model.complete(text, [ids[token] for token in tokens])

    assert filled("The  [MASK] was Good.", "bank") == "The  bank was Good."
    assert filled("They play [MASK].", "##ed") == "They played."
    assert filled("[MASK] [MASK] Town", "new", "old") == "new old Town"
    assert filled("我[MASK]好", "们") == "我们好"


def test_byte_pairs_bring_their_own_space(tmp_path: Path) -> None:
    model = MaskedLM(homeground.load(checkpoints.roberta(tmp_path / "roberta")).checkpoint)
    number = checkpoints.byte_pairs().token_to_id("Ġone")
    assert model.complete("In<mask> town", [number]) == "In one town"
    assert model.complete("In <mask> town", [number]) == "In one town"
    assert model.complete("The b<mask>", [checkpoints.byte_pairs().token_to_id("s")]) == "The bs"


def test_load_tells_apart_what_fills_masks_and_what_does_not(bert: Path, encoder: Path, tmp_path: Path) -> None:
    assert isinstance(homeground.load(bert), MaskedLM)
    assert homeground.load(bert).__class__ is not Encoder
    # A sentence encoder stays one, though its config names a masked-LM architecture.
    assert type(homeground.load(encoder)) is Encoder
    assert type(homeground.load(checkpoints.distilbert(tmp_path / "bare"))) is Encoder
    assert not isinstance(homeground.load(encoder), Classifier)


def test_it_encodes_as_the_encoder_of_the_same_folder(bert: Path) -> None:
    model = homeground.load(bert)
    assert isinstance(model, MaskedLM)
    expected = Encoder(model.checkpoint).encode(["the bank", "a house"])
    assert (model.encode(["the bank", "a house"]) == expected).all()


def test_predict_prints_the_likeliest_tokens(bert: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["predict", str(bert), "The [MASK] was good."]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "The [MASK] was good."
    assert len(lines) == 6
    best = MaskedLM(homeground.load(bert).checkpoint).fill_mask("The [MASK] was good.")[0]
    assert lines[1].split()[:2] == [best.token, f"{best.probability:.4f}"]
    assert lines[1].endswith(best.text)
    assert command(["predict", str(bert), "[MASK] the [MASK]", "--top", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["text"] == "[MASK] the [MASK]"
    assert [(each["mask"], set(each)) for each in told["filled"]] == [
        (mask, {"mask", "token", "text", "probability", "id"}) for mask in (1, 1, 2, 2)
    ]
    assert command(["predict", str(bert), "[MASK] the [MASK]", "--top", "1"]) == 0
    assert "[MASK] the [MASK]  (mask 2)" in capsys.readouterr().out


def test_predict_without_a_mask_says_what_to_write(bert: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["predict", str(bert), "the bank"]) == 2
    assert "write [MASK] where a word is missing" in capsys.readouterr().err
    # Two texts without any mask are compared, as every encoder compares them.
    assert command(["predict", str(bert), "the bank", "a house"]) == 0
    assert 0 <= float(capsys.readouterr().out) <= 1


def test_files_get_a_token_a_probability_and_the_text(bert: Path, tmp_path: Path) -> None:
    source = tmp_path / "texts.csv"
    source.write_text("text,probability\nThe [MASK] was good,x\n,y\n[MASK] or [MASK],z\n", encoding="utf-8")
    model = homeground.load(bert)
    done = predict_file(model, source, tmp_path / "out.csv")
    assert (done.rows, done.empty) == (3, 1)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["text", "probability", "predicted_token", "predicted_probability", "filled_text"]
    assert isinstance(model, MaskedLM)
    best = model.fill_mask("The [MASK] was good", 1)[0]
    assert (rows[0]["predicted_token"], rows[0]["filled_text"]) == (best.token, best.text)
    assert float(rows[0]["predicted_probability"]) == pytest.approx(best.probability, abs=1e-6)
    assert rows[1]["predicted_token"] == rows[1]["filled_text"] == ""
    both = [answer.token for answer in model.fill_mask("[MASK] or [MASK]", 1)]
    assert json.loads(rows[2]["predicted_token"]) == both
    predict_file(model, source, tmp_path / "out.jsonl")
    last = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert last["predicted_token"] == both
    assert "[MASK]" not in last["filled_text"]


def test_a_row_without_a_mask_is_named_before_anything_is_written(bert: Path, tmp_path: Path) -> None:
    source = tmp_path / "texts.csv"
    source.write_text("text\nThe [MASK] was good\nno gap\n", encoding="utf-8")
    with pytest.raises(DataError, match=r'texts\.csv, row 2, column "text" has no mask; write \[MASK\]|row 2'):
        predict_file(homeground.load(bert), source, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
    predict_file(homeground.load(bert), source, tmp_path / "out.npy")
    assert (tmp_path / "out.npy").exists()


def test_a_head_that_was_never_trained_fills_in_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = checkpoints.bert(tmp_path / "headless")
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith("cls.")}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})

    model = homeground.load(folder)
    assert isinstance(model, MaskedLM)
    with pytest.raises(CheckpointError, match="no trained head for masked words"):
        model.fill_mask("the [MASK] bank")
    assert model.encode(["the old bank"]).shape == (1, 32)
    assert command(["predict", str(folder), "the [MASK] bank"]) == 2
    assert "no trained head for masked words" in capsys.readouterr().err
