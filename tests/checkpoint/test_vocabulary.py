"""Words as new tokens: which are chosen, and that the tokenizers library and transformers read them alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import checkpoints
from tests.masking import write_texts
from tests.reading import read
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, XLMRobertaTokenizer

from homeground.checkpoint import open_checkpoint, vocabulary
from homeground.checkpoint.tokenizer import open_tokenizer
from homeground.checkpoint.vocabulary import (
    FEWEST_DOCUMENTS,
    BrokenPieces,
    broken_pieces,
    count_words,
    extend_tokenizer,
)
from homeground.engines.extended_checkpoint import extend_checkpoint
from homeground.errors import CheckpointError

TEXTS = [
    "the goblin pays the bank",
    "a goblin and a quokka in town",
    "goblin, goblin and quokka!",
    "the quokkas of the town 2020",
    "the quokka is a goblin",
    "a quokka goblin zebra",
    "quokka's goblin",
    "a good quokka",
]


def broken(folder: Path, place: Path, texts: list[str] = TEXTS) -> tuple[Tokenizer, list[BrokenPieces]]:
    examples = read(write_texts(place / "texts.jsonl", texts)).examples
    tokenizer = open_tokenizer(folder)
    tokens = examples[0].source.tokenized(tokenizer)  # type: ignore[attr-defined]
    return tokenizer, broken_pieces(tokens, tokens.places([each.row for each in examples]))


def test_broken_words_are_counted_by_what_they_would_save(tmp_path: Path):
    tokenizer, found = broken(checkpoints.bert(tmp_path / "bert"), tmp_path)
    names = {tokenizer.decode(list(each.pieces)): each for each in found if each.documents >= FEWEST_DOCUMENTS}
    # By hand: goblin is in 6 texts, 7 times, a letter a token; quokka in 5 texts, beside quokkas and quokka's.
    assert list(names) == ["goblin", "quokka"]
    assert (names["goblin"].count, names["goblin"].documents, names["goblin"].saved) == (7, 6, 7 * 5)
    assert (names["quokka"].count, names["quokka"].documents) == (5, 5)


def test_words_and_tokens_are_counted_in_the_chosen_documents_only(tmp_path: Path):
    examples = read(write_texts(tmp_path / "texts.jsonl", TEXTS)).examples
    tokens = examples[0].source.tokenized(open_tokenizer(checkpoints.bert(tmp_path / "bert")))  # type: ignore[attr-defined]
    words, pieces = count_words(tokens, tokens.places([examples[0].row]))
    assert (words, pieces) == (5, int(tokens.starts[1]))
    assert count_words(tokens, np.zeros(0, np.int64)) == (0, 0)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_transformers_reads_the_new_tokens_as_we_do(kind: str, tmp_path: Path):
    build: Callable[[Path], Path] = getattr(checkpoints, kind)
    folder = build(tmp_path / kind)
    tokenizer, found = broken(folder, tmp_path)
    extended = extend_tokenizer(tokenizer, found, 20)
    assert set(extended.words) == {"goblin", "quokka"}
    checkpoint = extend_checkpoint(open_checkpoint(str(folder)), extended)
    theirs = AutoTokenizer.from_pretrained(checkpoint.folder)
    for text in [*TEXTS, "Goblins in the quokka town, goblin's"]:
        ours = open_tokenizer(checkpoint.folder).encode(text)
        assert ours.ids == theirs(text)["input_ids"]
    assert len(open_tokenizer(checkpoint.folder).encode(" goblin", add_special_tokens=False).ids) == 1


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_texts_without_new_words_are_read_as_before(kind: str, tmp_path: Path):
    build: Callable[[Path], Path] = getattr(checkpoints, kind)
    tokenizer, found = broken(build(tmp_path / kind), tmp_path)
    extended = extend_tokenizer(tokenizer, found, 20).tokenizer
    for text in ["the bank pays money", "zebra zoo 2020!", "法律 in the town", "quo vadis"]:
        assert extended.encode(text).ids == tokenizer.encode(text).ids


def test_a_tokenizer_of_bytes_takes_as_many_entries_as_merges(tmp_path: Path):
    tokenizer, found = broken(checkpoints.roberta(tmp_path / "roberta"), tmp_path)
    first = next(each for each in found if tokenizer.decode(list(each.pieces)).strip() == "goblin")
    needed = len(first.pieces) - 1
    one = extend_tokenizer(tokenizer, found, needed)
    assert list(one.words) == ["goblin"]
    assert len(one.tokens) == needed
    assert len(one.tokens[-1].pieces) == len(first.pieces)
    # Too few entries for a word add nothing, rather than half of it.
    assert extend_tokenizer(tokenizer, [first], needed - 1).tokens == ()


def test_unigram_reads_a_new_word_whole():
    pieces: list[tuple[str, float]] = [("<unk>", 0.0), ("▁a", -2.0), ("▁", -3.0), *((c, -5.0) for c in "goblinabcxyz")]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    ids = tuple(tokenizer.encode("goblin").ids)
    extended = extend_tokenizer(tokenizer, [BrokenPieces(ids, 9, 9)], 5)
    assert extended.tokenizer.encode("a goblin").tokens == ["▁a", "▁goblin"]
    assert extended.tokenizer.encode("a gob").tokens == tokenizer.encode("a gob").tokens


def test_words_of_letters_only_and_no_chinese_are_joined(tmp_path: Path):
    texts = [f"法律科学 2020 b2b goblin {number}" for number in range(6)]
    tokenizer, found = broken(checkpoints.bert(tmp_path / "bert"), tmp_path, texts)
    assert list(extend_tokenizer(tokenizer, found, 20).words) == ["goblin"]


def test_a_tokenizer_that_takes_no_words_is_refused():
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    with pytest.raises(CheckpointError, match="kind WordLevel"):
        extend_tokenizer(tokenizer, [], 5)


def test_rows_of_new_tokens_are_the_means_of_their_pieces_as_transformers_would_resize(tmp_path: Path):
    import torch
    from transformers import AutoModelForMaskedLM

    folder = checkpoints.bert(tmp_path / "bert")
    tokenizer, found = broken(folder, tmp_path)
    extended = extend_tokenizer(tokenizer, found, 20)
    checkpoint = extend_checkpoint(open_checkpoint(str(folder)), extended)
    ours: Any = AutoModelForMaskedLM.from_pretrained(checkpoint.folder).eval()
    theirs: Any = AutoModelForMaskedLM.from_pretrained(folder).eval()
    theirs.resize_token_embeddings(checkpoint.config["vocab_size"], mean_resizing=False)
    with torch.no_grad():
        rows, bias = theirs.get_input_embeddings().weight, theirs.cls.predictions.bias
        for token in extended.tokens:
            rows[token.id] = rows[list(token.pieces)].mean(0)
            bias[token.id] = bias[list(token.pieces)].mean(0)
        batch = AutoTokenizer.from_pretrained(checkpoint.folder)(TEXTS, padding=True, return_tensors="pt")
        assert torch.allclose(ours(**batch).logits, theirs(**batch).logits, atol=1e-6)


def test_an_extended_checkpoint_is_written_once_and_keeps_its_name(tmp_path: Path):
    folder = checkpoints.bert(tmp_path / "bert")
    tokenizer, found = broken(folder, tmp_path)
    extended, original = extend_tokenizer(tokenizer, found, 20), open_checkpoint(str(folder))
    first, second = (extend_checkpoint(original, extended) for _ in range(2))
    assert first == second
    with (first.folder / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x7f")
    assert extend_checkpoint(original, extended) == first, "what was damaged in the cache is made again"
    assert first.name == str(folder)
    assert first.sha256 != original.sha256
    assert json.loads((first.folder / "config.json").read_text())["vocab_size"] == len(checkpoints.VOCABULARY) + 2


def test_a_model_whose_sizes_cannot_be_told_apart_is_refused(tmp_path: Path):
    folder = checkpoints.bert(tmp_path / "bert")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": config["vocab_size"]}))
    tokenizer, found = broken(folder, tmp_path)
    with pytest.raises(CheckpointError, match="the vocabulary and intermediate_size are both"):
        extend_checkpoint(open_checkpoint(str(folder)), extend_tokenizer(tokenizer, found, 20))


def test_no_token_gets_another_id_and_added_tokens_stay_where_they_are(tmp_path: Path):
    tokenizer, found = broken(checkpoints.bert(tmp_path / "bert"), tmp_path)
    # Behind the model's own vocabulary, as those of ModernBERT are.
    tokenizer.add_special_tokens(["<extra>"])
    tokenizer.add_tokens(["qqq"])
    before = tokenizer.get_vocab(with_added_tokens=True)
    extended = extend_tokenizer(tokenizer, found, 20)
    after = extended.tokenizer.get_vocab(with_added_tokens=True)
    assert {name: after[name] for name in before} == before
    assert {token.id for token in extended.tokens}.isdisjoint(before.values())


def test_no_new_word_makes_a_longer_one_unknown():
    pieces = ["[PAD]", "[UNK]", "turb", "##ine", "##ines", "a", "pow", "##er", "##ers"]
    tokenizer = Tokenizer(models.WordPiece({name: number for number, name in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.WordPiece()
    ids = {word: tuple(tokenizer.encode(word).ids) for word in ("turbine", "turbines", "powers")}
    found = [
        BrokenPieces(ids["turbine"], 90, 90),
        BrokenPieces(ids["turbines"], 1, 1),
        BrokenPieces(ids["powers"], 9, 9),
    ]
    extended = extend_tokenizer(tokenizer, found, 5)
    # With "turbine" whole, nothing would be left for the s of "turbines".
    assert list(extended.words) == ["powers"]
    assert extended.tokenizer.encode("turbines").tokens == ["turb", "##ines"]


def test_a_word_that_often_begins_a_text_is_added_all_the_same(tmp_path: Path):
    texts = [*(f"goblin number {number}" for number in range(9)), *(f"a goblin {number}" for number in range(6))]
    tokenizer, found = broken(checkpoints.roberta(tmp_path / "roberta"), tmp_path, texts)
    assert "goblin" in extend_tokenizer(tokenizer, found, 40).words


def test_of_a_large_corpus_a_sample_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    examples = read(write_texts(tmp_path / "texts.jsonl", TEXTS)).examples
    tokens = examples[0].source.tokenized(open_tokenizer(checkpoints.bert(tmp_path / "bert")))  # type: ignore[attr-defined]
    places = tokens.places([each.row for each in examples])
    assert np.array_equal(vocabulary.counted_places(tokens, places, seed=0), places)
    monkeypatch.setattr(vocabulary, "TOKENS_COUNTED", 40)
    some = vocabulary.counted_places(tokens, places, seed=0)
    assert 0 < len(some) < len(places)
    assert np.array_equal(some, vocabulary.counted_places(tokens, places, seed=0))


def test_xlm_roberta_reads_a_new_word_in_transformers_too(tmp_path: Path):
    special = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces = [*special, ("▁a", -2.0), ("▁the", -2.2), ("▁", -3.0), *((each, -5.0) for each in "goblinacmxyzthe"[:12])]
    pieces = [*dict(pieces).items(), ("<mask>", 0.0)]
    XLMRobertaTokenizer(vocab=pieces).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "xlm-roberta", "vocab_size": len(pieces)}))
    tokenizer = open_tokenizer(tmp_path)
    ids = tuple(tokenizer.encode("goblin", add_special_tokens=False).ids)
    assert len(ids) > 1
    extend_tokenizer(tokenizer, [BrokenPieces(ids, 9, 9)], 5).tokenizer.save(str(tmp_path / "tokenizer.json"))
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    for text in ("the goblin", "a goblin <mask>", "the goblins"):
        ours = open_tokenizer(tmp_path).encode(text)
        assert ours.ids == theirs(text)["input_ids"]
        assert "▁goblin" in ours.tokens


def test_special_tokens_behind_byte_pairs_keep_their_ids(tmp_path: Path):
    """As in ModernBERT, whose special tokens are no part of the model's own vocabulary."""
    folder = checkpoints.roberta(tmp_path / "roberta")
    content = json.loads((folder / "tokenizer.json").read_text())
    special = [each["content"] for each in content["added_tokens"]]
    own = [name for name in content["model"]["vocab"] if name not in special]
    content["model"]["vocab"] = {name: number for number, name in enumerate(own)}
    for place, each in enumerate(content["added_tokens"]):
        each["id"] = len(own) + place
    content["model"]["unk_token"] = content["post_processor"] = None
    tokenizer = Tokenizer.from_str(json.dumps(content))
    ids = tuple(tokenizer.encode(" goblin", add_special_tokens=False).ids)
    extended = extend_tokenizer(tokenizer, [BrokenPieces(ids, 9, 9)], 20)
    assert list(extended.words) == ["goblin"]
    assert all(extended.tokenizer.token_to_id(each) == tokenizer.token_to_id(each) for each in special)
