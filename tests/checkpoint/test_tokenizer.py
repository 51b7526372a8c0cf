"""The tokenizer reads a text as transformers does, or is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.checkpoint.conftest import change

from homeground.checkpoint import load_tokenizer, open_checkpoint, padding_id, write_tokenizer
from homeground.errors import CheckpointError

TEXTS = [
    "The bank's naïve café, in 2024!",
    "ÀÉÎ Straße İstanbul",
    "数据科学 data scientist 银行 in 中国 2024",
    "emoji 😀 and \x00 control \u200d joiner\ttab",
    "",
    "a very long text " * 40,
]


def without_tokenizer_json(folder: Path) -> None:
    """Leave only what BERT's first releases had."""
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in vocabulary), encoding="utf-8")
    (folder / "tokenizer.json").unlink()


def contradicting(folder: Path) -> None:
    """Let tokenizer.json keep the capitals that tokenizer_config.json lowers."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["normalizer"] |= {"lowercase": False, "strip_accents": False}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


WORD_PIECES = ("bert", "bert-cased", "distilbert")


@pytest.mark.parametrize(
    ("name", "alter"),
    [
        *[(name, None) for name in (*WORD_PIECES, "roberta")],
        *[(name, alter) for name in WORD_PIECES for alter in (without_tokenizer_json, contradicting)],
    ],
)
def test_the_tokenizer_gives_the_ids_of_transformers(
    built: Path, tmp_path: Path, name: str, alter: Callable[[Path], None] | None
) -> None:
    from transformers import AutoTokenizer

    folder = Path(shutil.copytree(built / name, tmp_path / name))
    if alter is not None:
        alter(folder)
    tokenizer = load_tokenizer(open_checkpoint(str(folder)), max_length=24)
    reference = AutoTokenizer.from_pretrained(folder)
    for text in TEXTS:
        assert tokenizer.encode(text).ids == reference(text, truncation=True, max_length=24)["input_ids"], text
    assert padding_id(open_checkpoint(str(folder)), tokenizer) == reference.pad_token_id
    assert [len(encoding.ids) for encoding in tokenizer.encode_batch(["a", "a b c"])] == [3, 5] or name == "roberta"


def test_a_written_tokenizer_is_the_same_bytes(built: Path, tmp_path: Path) -> None:
    write_tokenizer(open_checkpoint(str(built / "bert")), tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / name).read_bytes() == (built / "bert" / name).read_bytes()


def test_a_tokenizer_built_from_its_vocabulary_is_written_as_tokenizer_json(built: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(built / "bert", tmp_path / "old"))
    without_tokenizer_json(old)
    checkpoint = open_checkpoint(str(old))
    new = Path(shutil.copytree(old, tmp_path / "new"))
    write_tokenizer(checkpoint, new)
    for text in TEXTS:
        expected = load_tokenizer(checkpoint, max_length=64).encode(text).ids
        assert load_tokenizer(open_checkpoint(str(new)), max_length=64).encode(text).ids == expected


def test_a_tokenizer_that_only_transformers_can_build_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "spiece.model").write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"there is tokenizer_config\.json, spiece\.model"):
        open_checkpoint(str(folder))


def test_lower_case_asked_of_a_tokenizer_that_keeps_capitals_is_refused(built: Path, folder: Path) -> None:
    change(folder / "sentence_bert_config.json", do_lower_case=True)
    assert load_tokenizer(open_checkpoint(str(folder)), max_length=8)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(built / "bert-cased" / name, folder / name)
    with pytest.raises(CheckpointError, match="keeps capitals"):
        load_tokenizer(open_checkpoint(str(folder)), max_length=8)


def test_the_padding_id_comes_from_the_settings_or_the_vocabulary(folder: Path) -> None:
    change(folder / "config.json", pad_token_id=7)
    tokenizer = load_tokenizer(open_checkpoint(str(folder)), max_length=8)
    assert padding_id(open_checkpoint(str(folder)), tokenizer) == 7
    change(folder / "config.json", pad_token_id=None)
    change(folder / "tokenizer_config.json", pad_token={"content": "[MASK]"})
    assert padding_id(open_checkpoint(str(folder)), tokenizer) == 4
    change(folder / "tokenizer_config.json", pad_token=None)
    assert padding_id(open_checkpoint(str(folder)), tokenizer) == 0


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["surplus"] = 5000
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(CheckpointError, match="do not belong together"):
        load_tokenizer(open_checkpoint(str(folder)), max_length=16)


@pytest.mark.parametrize(
    "content", ["{}", "", "[" * 100_000, '{"version":"1.0","model":{"type":"BPE","vocab":{"a":-1}}}']
)
def test_an_unreadable_tokenizer_is_refused(folder: Path, content: str) -> None:
    (folder / "tokenizer.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        load_tokenizer(open_checkpoint(str(folder)), max_length=16)
