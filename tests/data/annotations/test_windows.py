"""Words as tokens in windows: which token decides a word, and in which window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import checkpoints
from tokenizers import Tokenizer, models, processors

from homeground.checkpoint import load_tokenizer, open_checkpoint
from homeground.data.annotations.running_text import cut_into_words
from homeground.data.annotations.windows import WordTokens, decide, read_words

ROOM = 8
TEXTS = [
    "the bank of the river pays a nurse in town, on a bus to the court and the home of a good judge",
    "数据科学 bank",
    "",
    "🙂 e\u0301ngineer",
    "a",
]


@pytest.fixture(scope="module", params=["bert", "roberta"])
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    build: Callable[..., Path] = getattr(checkpoints, request.param)
    folder = build(tmp_path_factory.mktemp(request.param))
    return load_tokenizer(open_checkpoint(str(folder)), max_length=ROOM + 2)


def read(texts: list[str], tokenizer: Tokenizer) -> WordTokens:
    return read_words(texts, [cut_into_words(text) for text in texts], tokenizer, 0)


def test_every_word_is_decided_once_by_its_first_token(tokenizer: Tokenizer) -> None:
    words = read(TEXTS, tokenizer)
    batch, places = words.pad(np.arange(len(words.windows)))
    decided = words.word[places[batch["deciding_tokens"] > 0]]
    assert sorted(decided.tolist()) == list(range(int(words.first_word[-1])))
    plain = Tokenizer.from_str(tokenizer.to_str())
    plain.no_truncation()
    for number, text in enumerate(TEXTS):
        offsets = plain.encode(text, add_special_tokens=False).offsets
        first = int(np.searchsorted(words.text[np.argsort(words.windows[:, 0])], number))
        begin = int(words.windows[first, 0]) if text else 0
        for place, (start, end) in enumerate(cut_into_words(text), start=int(words.first_word[number])):
            token = int(words.deciding[place]) - begin
            assert next(at for at, (a, b) in enumerate(offsets) if a < end and b > start and a < b) == token


def test_a_long_text_is_read_in_windows_that_show_each_word_as_well_as_can_be(tokenizer: Tokenizer) -> None:
    words = read(TEXTS[:1], tokenizer)
    count = len(words.ids)
    assert count > 2 * ROOM and (words.lengths <= ROOM + 2).all()
    for token in words.in_order.tolist():
        contexts = [
            min(token - start if start else count, end - 1 - token if end < count else count)
            if start <= token < end
            else -1
            for start, end in words.windows.tolist()
        ]
        assert contexts[words.decider[token]] == max(contexts) >= min(ROOM // 4, token, count - 1 - token)


def test_windows_are_padded_between_the_special_tokens(tokenizer: Tokenizer) -> None:
    words = read(TEXTS, tokenizer)
    batch, _ = words.pad(np.arange(len(words.windows)))
    for line, (start, end) in enumerate(words.windows.tolist()):
        ids = batch["input_ids"][line][batch["attention_mask"][line] > 0].tolist()
        assert ids == [*words.prefix, *words.ids[start:end].tolist(), *words.suffix]
    whole = tokenizer.encode(TEXTS[4]).ids
    assert whole == batch["input_ids"][-1][batch["attention_mask"][-1] > 0].tolist()


def test_a_word_without_a_token_is_outside_and_one_that_shares_its_token_goes_on() -> None:
    # Tokens of the text "abc": the first spans the words a and b; c has none.
    words = WordTokens(
        ids=np.array([7], np.int32),
        windows=np.array([[0, 1]]),
        text=np.array([0]),
        word=np.array([0]),
        decider=np.array([0]),
        deciding=np.array([0, 0, -1]),
        shares=np.array([False, True, False]),
        first_word=np.array([0, 3]),
        prefix=(),
        suffix=(),
        padding=0,
    )
    batch, _ = words.pad(np.array([0]))
    decided = decide(np.array([[0.0, 9.0, 0.0]]), batch["deciding_tokens"])
    decisions = words.decisions(decided, outside=0, inside=np.array([0, 2, 2]))
    assert decisions[:, 0].tolist() == [1, 2, 0]
    assert decisions[0, 1] == decisions[1, 1] > 0.99 and decisions[2, 1] == 1


def test_a_token_that_ends_one_word_and_decides_the_next_is_decided_where_it_is_shown() -> None:
    pieces = [("[CLS]", 0.0), ("[SEP]", 0.0), ("[UNK]", -20.0), ("ha", -1.0), ("a!", -1.0), (" ", -3.0), ("!", -9.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 1)]
    )
    tokenizer.add_special_tokens(["[CLS]", "[SEP]"])
    tokenizer.enable_truncation(16)
    text = "ha" * 20 + "a! ha ha"
    words = read([text], tokenizer)
    batch, places = words.pad(np.arange(len(words.windows)))
    assert batch["deciding_tokens"].sum() == len(words.in_order)
    assert places[batch["deciding_tokens"] > 0].tolist() == words.in_order.tolist()
    shared = words.deciding[1]
    assert words.word[shared] == 0 and not words.begins_word[shared]
    logits = np.zeros((len(words.in_order), 3))
    decisions = words.decisions(decide(logits, batch["deciding_tokens"]), outside=0, inside=np.array([0, 2, 2]))
    assert decisions.shape == (4, 2)


def test_windows_of_a_very_long_text_take_memory_in_proportion_to_it(tokenizer: Tokenizer) -> None:
    words = read([("pay " * 20_000).strip()], tokenizer)
    assert (words.decider >= 0).all() and len(words.windows) > 4_000


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text(alphabet="ab the town 数据🙂e\u0301,\n", max_size=60), min_size=1, max_size=4))
def test_no_text_is_lost_whatever_is_in_it(tokenizer: Tokenizer, texts: list[str]) -> None:
    words = read(texts, tokenizer)
    assert len(words.by_text(words.deciding)) == len(texts)
    covered = np.zeros(len(words.ids), bool)
    for start, end in words.windows.tolist():
        covered[start:end] = True
    assert covered.all()
    counts = [len(cut_into_words(text)) for text in texts]
    assert np.diff(words.first_word).tolist() == counts
    batch, _ = words.pad(np.arange(len(words.windows))) if len(words.windows) else ({"deciding_tokens": np.zeros(0)}, 0)
    assert batch["deciding_tokens"].sum() == len(np.unique(words.deciding[words.deciding >= 0]))
