"""Lengths, scripts, languages and the words of a tokenizer."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import BertPreTokenizer

from homeground.audit.texts import character_lengths, language, languages, scripts, token_lengths


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("味道不错，送餐也很快", "zh"),
        ("iPhone 的电池不太好用", "zh"),
        ("おいしいラーメンでした", "ja"),
        ("日本語の文章です", "ja"),
        ("배송이 정말 빨라요", "ko"),
        ("อร่อยมาก", "th"),
        ("Πολύ καλό φαγητό", "el"),
        ("The delivery was late again and nobody answered", "en"),
        ("Die Lieferung kam wieder zu spät und niemand ging ans Telefon", "de"),
        ("La consegna è arrivata in ritardo e nessuno ha risposto", "it"),
        ("Доставка опять опоздала, и никто не ответил на звонок в магазин", "ru"),
        ("OK", "short"),
        ("12 + 3 😀", "short"),
        ("", "short"),
    ],
)
def test_the_language_of_a_text(text: str, code: str):
    assert language(text) == code


def test_languages_and_scripts_are_shares():
    texts = ["The weather is fine today in the whole country"] * 3 + ["今天天气很好"]
    assert [(each.name, each.share) for each in languages(texts)] == [("en", 0.75), ("zh", 0.25)]
    assert {each.name for each in scripts(texts)} == {"Latin", "Han"}
    assert scripts(["12 !"]) == ()


def test_lengths_in_characters():
    lengths = character_lengths(["a" * count for count in range(1, 101)])
    assert (lengths.median, lengths.longest, sum(lengths.counts)) == (50.5, 100, 100)
    assert character_lengths([]).longest == 0


def word_piece() -> Tokenizer:
    pieces = ["[UNK]", "the", "weather", "elec", "##tro", "##lyte", "is"]
    tokenizer = Tokenizer(WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.enable_truncation(3)
    return tokenizer


def test_words_in_pieces_and_texts_beyond_the_limit():
    tokenizer = word_piece()
    texts = ["the electrolyte is the electrolyte", "the weather", "the electrolyte", "qqq is"]
    lengths, words = token_lengths(texts, tokenizer, 4)
    assert (lengths.longest, lengths.beyond_limit, lengths.limit) == (9, 1, 4)
    assert lengths.lost_share == pytest.approx(5 / 17, abs=1e-4)
    assert [(each.word, each.pieces, each.count) for each in words.broken] == [
        ("electrolyte", ("elec", "##tro", "##lyte"), 3)
    ]
    assert words.broken_share == pytest.approx(3 / 11, abs=1e-4)
    assert words.unknown_share == pytest.approx(1 / 11, abs=1e-4)
    # The tokenizer cuts as before.
    assert len(tokenizer.encode("the weather is the weather").ids) == 3
