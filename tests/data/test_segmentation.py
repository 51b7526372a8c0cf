"""A text falls into words in any script, and tokens of any tokenizer know which of them begin one."""

from __future__ import annotations

import importlib.util
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests import checkpoints
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from homeground.checkpoint import load_tokenizer, open_checkpoint
from homeground.data import segmentation
from homeground.data.segmentation import ScriptCount, unsegmented, unspaced_share, word_spans, word_starts
from homeground.errors import UsageError


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in word_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The bank's card, 3.5%!", "The|bank's|card|,|3|.|5|%|!"),
        ("'quoted' don’t rock''n", "'|quoted|'|don’t|rock|'|'|n"),
        ("rock'n'roll", "rock'n'roll"),
        ("snake_case e-mail", "snake|_|case|e|-|mail"),
        ("Die Straße „größer“ u\u0308ber", "Die|Straße|„|größer|“|u\u0308ber"),
        ("यह हिन्दी है।", "यह|हिन्दी|है|।"),
        ("هذا كِتَابٌ جيد؟", "هذا|كِتَابٌ|جيد|؟"),
        ("می‌خواهم", "می‌خواهم"),
        ("안녕하세요 세계", "안녕하세요|세계"),
        ("该公司发布手机，用户反映明显。", "该|公司|发布|手机|，|用户|反映|明显|。"),
        ("私は日本語を話します。", "私|は|日本|語|を|話し|ます|。"),
        ("スーパー・コーヒーを飲む", "スーパー|・|コーヒー|を|飲む"),
        ("㍿が買う", "㍿|が|買う"),
        ("ผมใช้มหาวิทยาลัย ครับ", "ผม|ใช้|มหาวิทยาลัย|ครับ"),
        ("写Python代码。", "写|Python|代码|。"),
        ("ไทย中文abc", "ไทย|中文|abc"),
        ("ລາວ ខ្មែរ", "ລ|າ|ວ|ខ្មែ|រ"),
        ("ok 👍🏽👨‍👩‍👧🇩🇪🇫🇷", "ok|👍🏽|👨‍👩‍👧|🇩🇪|🇫🇷"),
        ("a\u200bb\ufeff \u00a0c\x07", "a|b|c"),
        ("", ""),
    ],
)
def test_words_are_what_a_reader_of_the_script_sees(text: str, expected: str) -> None:
    assert "|".join(words(text)) == expected


ALPHABETS = [
    st.text(max_size=40),
    st.text("ab'’1é-_ \n\u0301\u200d", max_size=30),
    st.text("我用写代码々〇𠮷の。，a \U000e0100", max_size=30),
    st.text("私はか\u3099ーッ東京㍿ｱﾟ・、 ", max_size=30),
    st.text("ก่ไา้นม๑ๆฯ a", max_size=30),
    st.text("कि्षा \u0915\u094d 👨‍👩🏽🇩🇪ខ្មែ", max_size=30),
]


@given(text=st.one_of(ALPHABETS))
def test_words_are_in_order_and_hold_every_character_that_shows_something(text: str) -> None:
    spans = word_spans(text)
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(edges) and all(start < end for start, end in spans)
    inside = {place for start, end in spans for place in range(start, end)}
    for place, character in enumerate(text):
        blank = character.isspace() or unicodedata.category(character) in ("Cc", "Cf")
        assert blank or place in inside
    assert not any(text[start].isspace() or text[end - 1].isspace() for start, end in spans)


@example("0':")
@given(text=st.text(st.characters(max_codepoint=127), max_size=60))
def test_the_short_way_of_plain_english_finds_the_same_words(text: str) -> None:
    assert word_spans(text + " é")[:-1] == word_spans(text)


@given(text=st.one_of(ALPHABETS[2:5]))
def test_no_word_begins_with_a_mark_that_is_drawn_on_the_character_before(text: str) -> None:
    for start, _ in word_spans(text):
        alone = start == 0 or text[start - 1].isspace()
        assert alone or not unicodedata.category(text[start]).startswith("M")


def test_a_character_of_kana_does_not_make_a_text_japanese(without: Any) -> None:
    without("sudachipy")
    assert words("鲜の每日与新闻网站合作发布会今天举行")[:2] == ["鲜", "の"]


def test_a_run_longer_than_a_segmenter_takes_is_cut() -> None:
    assert len("".join(words("東京へ" * 10_000))) == 30_000


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Make a package look as if it were not installed."""
    find_spec = importlib.util.find_spec

    def remove(package: str) -> None:
        segmentation._missing.cache_clear()
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find_spec(name))

    yield remove
    segmentation._missing.cache_clear()


@pytest.mark.parametrize(
    ("package", "language", "text"),
    [
        ("rjieba", "Chinese", "好 天地"),
        ("sudachipy", "Japanese", "すごい"),
        ("sudachidict_small", "Japanese", "すごい"),
        ("pythainlp", "Thai", "ดี"),
    ],
)
def test_a_segmenter_that_is_missing_is_named_where_it_is_needed(
    package: str, language: str, text: str, without: Any
) -> None:
    without(package)
    assert words("naïve words 한국어 ລ") == ["naïve", "words", "한국어", "ລ"]
    assert unsegmented([counted("naïve words 한국어 ລ")]) is None
    with pytest.raises(UsageError, match=rf"letters of the texts are {language}, .*{package}.*pip install .*segmen"):
        unsegmented([counted("some words", text)])


def test_a_few_words_are_cut_into_characters_where_the_segmenter_is_missing(without: Any) -> None:
    few = ["many words of plain English around them, line after line"] * 20 + ["a word 天地 more"]
    assert unsegmented([counted(*few)]) is None
    without("rjieba")
    assert words("a word 天地 more") == ["a", "word", "天", "地", "more"]
    note = unsegmented([counted(*few)])
    assert note is not None
    assert note.startswith("2 letters of the texts are Chinese and are cut into single characters, because rjieba")


def counted(*texts: str) -> ScriptCount:
    count = ScriptCount()
    for text in texts:
        count.add(text)
    return count


def test_the_share_of_letters_counts_no_signs() -> None:
    assert unspaced_share(["abc 123 !!", "中文。, ー"]) == pytest.approx(3 / 6)
    assert unspaced_share([]) == 0


def unigram() -> Tokenizer:
    """Return a Unigram tokenizer of SentencePiece's kind, whose ``▁`` is often a token of its own."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=120, special_tokens=["<s>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator([checkpoints.WORDS, "zebra 我用写代码 ไทย ภาษา"], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    return tokenizer


def word_pieces() -> Tokenizer:
    vocabulary = {token: place for place, token in enumerate([*checkpoints.VOCABULARY, "用", "写", "代", "码", "司"])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def untrimmed() -> Tokenizer:
    """Return the byte-level tokenizer whose offsets hold the space before a word, as GPT's do."""
    tokenizer = checkpoints.byte_pairs()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def grouped(tokenizer: Tokenizer, text: str) -> list[list[str]]:
    """Return the tokens of a text, those of one word together."""
    encoding = tokenizer.encode(text)
    groups: list[list[str]] = []
    for token, begins in zip(encoding.tokens, word_starts(word_spans(text), encoding.offsets), strict=True):
        if begins:
            groups.append([])
        groups[-1].append(token)
    return groups


@pytest.mark.parametrize(
    ("build", "text", "expected"),
    [
        (word_pieces, "Banks, naïve", "[CLS] bank+##s , n+##a+##i+##v+##e [SEP]"),
        (word_pieces, "don't", "[CLS] d+##o+##n+'+t [SEP]"),
        (word_pieces, "写Python代码。", "[CLS] 写 p+##y+##t+##h+##o+##n 代+码 [UNK] [SEP]"),
        (checkpoints.byte_pairs, "bank  money  ", "<s> b+an+k Ġ+Ġmo+ney Ġ Ġ </s>"),
        (checkpoints.byte_pairs, "a😀 中", "<s> a ð+Ł+ĺ+Ģ Ġ+ä+¸+Ń </s>"),
        (untrimmed, "bank  money ", "b+an+k Ġ+Ġmo+ney Ġ"),
        (unigram, "我用代码", None),
        (unigram, "ﬁlm zebra", None),
    ],
)
def test_tokens_of_one_word_stand_together(build: Any, text: str, expected: str | None) -> None:
    groups = grouped(build(), text)
    if expected is not None:
        assert " ".join("+".join(group) for group in groups) == expected
    else:
        content = ["".join(group).removeprefix("▁") for group in groups[1:-1]]
        assert content == [unicodedata.normalize("NFKC", word) for word in words(text)]


@pytest.mark.parametrize(
    "text",
    [
        "The naïve bank's €5 card — déjà vu!",
        "Die Straße ist größer.",
        "यह हिन्दी है।",
        "هذا كتاب جيد",
        "该公司发布新款手机，用户反映明显。",
        "写Python代码。👍🏽 ok",
    ],
)
@pytest.mark.parametrize("kind", ["minilm", "word pieces", "byte pairs", "unigram"])
def test_every_word_that_has_tokens_begins_once(kind: str, text: str, minilm: Tokenizer) -> None:
    known = {"word pieces": word_pieces, "byte pairs": checkpoints.byte_pairs, "unigram": unigram}
    tokenizer = minilm if kind == "minilm" else known[kind]()
    encoding = tokenizer.encode(text)
    begins = word_starts(word_spans(text), encoding.offsets)
    ends = {end for start, end in encoding.offsets if end > start}
    with_tokens = [span for span in word_spans(text) if any(span[0] < end <= span[1] for end in ends)]
    assert begins.sum() == len(with_tokens) + 2  # the two special tokens


@pytest.fixture(scope="module")
def minilm() -> Tokenizer:
    return load_tokenizer(open_checkpoint("minilm"), max_length=256)


def test_minilm_tells_its_words_apart(minilm: Tokenizer) -> None:
    assert grouped(minilm, "Homegrounds unaffordable?") == [
        ["[CLS]"],
        ["home", "##grounds"],
        ["una", "##ff", "##ord", "##able"],
        ["?"],
        ["[SEP]"],
    ]


def test_a_text_without_words_has_tokens_of_their_own() -> None:
    assert word_starts([], [(0, 0), (0, 1), (1, 2), (0, 0)]).tolist() == [True] * 4
    assert word_starts([(0, 1)], []).tolist() == []
