"""What a tokenizer does not know of texts, against counts by hand, and which checkpoint is proposed instead."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests import checkpoints
from tokenizers import Tokenizer, models, pre_tokenizers

from homeground.checkpoint import load_tokenizer, measure_coverage, open_checkpoint, unknown_ids
from homeground.data.examples import Example


@pytest.fixture(scope="module")
def word_pieces(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder = checkpoints.bert(tmp_path_factory.mktemp("bert") / "bert")
    return load_tokenizer(open_checkpoint(str(folder)), max_length=8)


def examples(*texts: str) -> list[Example]:
    return [Example(row, (text,)) for row, text in enumerate(texts)]


def test_unknown_tokens_and_lost_characters_are_counted_in_whole_texts(word_pieces: Tokenizer) -> None:
    # Two of six tokens and two of seventeen letters: the vowel of the Thai word is a mark.
    coverage = measure_coverage(examples("the 龘 bank", "good ดี town"), word_pieces, seed=0)
    assert coverage.tokens == pytest.approx(2 / 6)
    assert coverage.characters == pytest.approx(2 / 17)
    assert set(coverage.lost) == {"Chinese", "Thai"}
    long = measure_coverage(examples("the bank and the river " * 20 + "龘"), word_pieces, seed=0)
    assert long.tokens == pytest.approx(1 / 101)
    assert word_pieces.truncation["max_length"] == 8


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("龘龘龘", "a Chinese or multilingual checkpoint such as bert-base-chinese or xlm-roberta-base"),
        ("อาหารอร่อยมาก 12", "a Thai or multilingual checkpoint such as xlm-roberta-base"),
        ("खाना खराब था", "a Hindi or multilingual checkpoint such as google/muril-base-cased or xlm-roberta-base"),
        (
            "الخدمة ممتازة",
            "an Arabic or multilingual checkpoint such as aubmindlab/bert-base-arabertv02 or xlm-roberta",
        ),
        ("😀🎉 👎🏽", "a checkpoint whose tokenizer reads bytes, such as roberta-base, or a multilingual one such as"),
        ("ᚠᚢᚦ ᚨᚱᚲ", "a multilingual checkpoint such as xlm-roberta-base"),
    ],
)
def test_the_script_that_is_lost_says_which_checkpoint_would_suit(word_pieces: Tokenizer, text: str, kind: str) -> None:
    coverage = measure_coverage(examples(text), word_pieces, seed=0)
    assert coverage.unknown > 0.5
    note = coverage.note("tiny", "the texts", as_encoder=False)
    assert note is not None
    assert kind in note
    pairs = coverage.note("tiny", "the texts", as_encoder=True)
    assert pairs is not None
    assert "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2" in pairs


def test_a_tokenizer_of_bytes_knows_everything(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(open_checkpoint(str(checkpoints.roberta(tmp_path / "roberta"))), max_length=32)
    coverage = measure_coverage(examples("the bank 龘 😀"), tokenizer, seed=0)
    assert (coverage.tokens, coverage.characters) == (0, 0)
    assert coverage.note("roberta", "the texts", as_encoder=False) is None


def test_characters_that_a_tokenizer_drops_are_lost_too() -> None:
    tokenizer = Tokenizer(models.BPE({"a": 0, "b": 1}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    assert unknown_ids(tokenizer).tolist() == []
    coverage = measure_coverage(examples("ab 龘龘"), tokenizer, seed=0)
    assert (coverage.tokens, coverage.characters) == (0, 0.5)
    assert coverage.unknown == 0.5


def test_the_unknown_token_is_found_whatever_its_name() -> None:
    assert unknown_ids(Tokenizer(models.WordLevel({"??": 0, "a": 1}, unk_token="??"))).tolist() == [0]
    assert unknown_ids(Tokenizer(models.Unigram([("a", -1.0), ("??", 0.0)], unk_id=1))).tolist() == [1]


def test_letters_without_words_are_reported_of_scripts_other_than_latin() -> None:
    letters = {letter: number for number, letter in enumerate("приветмhello")}
    pieces = {**letters, **{f"##{letter}": len(letters) + place for place, letter in enumerate(letters)}, "[UNK]": 99}
    tokenizer = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    spelled = measure_coverage(examples("привет мир"), tokenizer, seed=0)
    assert (spelled.single_letters, spelled.characters) == (1, 0)
    note = spelled.note("tiny", "the texts", as_encoder=False)
    assert note is not None
    assert note.startswith('100% of the Cyrillic letters of the texts are a token each to the tokenizer of "tiny"')
    assert measure_coverage(examples("hello"), tokenizer, seed=0).note("tiny", "the texts", as_encoder=False) is None
    tokenizer.add_tokens(["привет", "мир"])
    assert measure_coverage(examples("привет мир"), tokenizer, seed=0).single_letters == 0
