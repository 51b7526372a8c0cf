"""Documents are cut into blocks of which nothing is lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests import checkpoints
from tests.masking import TEXTS, masked_rows, write_texts

from homeground.checkpoint import load_tokenizer, open_checkpoint
from homeground.data.tokens.tokenized import IGNORED_LABEL
from homeground.tasks.mlm.blocks import Vocabulary, cut


def test_blocks_lose_nothing_and_no_document_shares_one(tmp_path: Path, bert: Path) -> None:
    _, rows = masked_rows(write_texts(tmp_path / "texts.jsonl", TEXTS), bert, length=8)
    plain = load_tokenizer(open_checkpoint(str(bert)), max_length=10_000)
    plain.no_truncation()
    for place, text in enumerate(TEXTS):
        blocks = [rows.content(block)[0].tolist() for block in np.flatnonzero(rows.owner == place)]
        assert [token for block in blocks for token in block] == plain.encode(text, add_special_tokens=False).ids
        assert max(map(len, blocks)) <= 6
        assert max(map(len, blocks)) - min(map(len, blocks)) <= 1


def test_line_by_line_cuts_what_is_too_long_and_counts_it(tmp_path: Path, bert: Path) -> None:
    path = write_texts(tmp_path / "texts.jsonl", TEXTS)
    _, rows = masked_rows(path, bert, length=8, line_by_line=True)
    assert (len(rows.blocks), rows.truncated) == (4, 2)


def test_cutting_documents_without_tokens_gives_no_block() -> None:
    blocks, owner, lost = cut(np.array([0, 3, 3]), np.array([3, 3, 10]), 4, whole=False)
    assert blocks.tolist() == [[0, 3], [3, 7], [7, 10]]
    assert (owner.tolist(), lost) == ([0, 2, 2], 0)


def test_some_of_the_blocks_still_belong_to_their_documents(tmp_path: Path, bert: Path) -> None:
    _, rows = masked_rows(write_texts(tmp_path / "texts.jsonl", TEXTS), bert, length=8)
    some = rows.some(3, seed=0)
    owners = {tuple(block): owner for block, owner in zip(rows.blocks.tolist(), rows.owner.tolist(), strict=True)}
    assert len(some.blocks) == 3
    assert [owners[tuple(block)] for block in some.blocks.tolist()] == some.owner.tolist()
    assert rows.some(3, seed=1).blocks.tolist() != some.blocks.tolist()
    assert rows.some(100, seed=0).blocks.tolist() == rows.blocks.tolist()


def test_no_special_token_stands_in_for_a_masked_one(bert: Path) -> None:
    tokenizer = load_tokenizer(open_checkpoint(str(bert)), max_length=16)
    special = {tokenizer.token_to_id(token) for token in checkpoints.SPECIAL_TOKENS}
    vocabulary = Vocabulary.of(tokenizer, mask=tokenizer.token_to_id("[MASK]"), padding=0)
    assert set(vocabulary.replacements.tolist()) == set(range(len(checkpoints.VOCABULARY))) - special
    ends = [tokenizer.id_to_token(*side) for side in (vocabulary.prefix, vocabulary.suffix)]
    assert ends == ["[CLS]", "[SEP]"]


def test_a_batch_is_padded_and_has_labels_only_where_tokens_are_asked_for(bert: Path) -> None:
    tokenizer = load_tokenizer(open_checkpoint(str(bert)), max_length=16)
    vocabulary = Vocabulary.of(tokenizer, mask=4, padding=0)
    contents = [np.array([7, 4, 9]), np.array([4])]
    batch = vocabulary.batch(contents, [np.array([IGNORED_LABEL, 8, IGNORED_LABEL]), np.array([5])])
    (start,), (end,) = vocabulary.prefix, vocabulary.suffix
    assert batch["input_ids"].tolist() == [[start, 7, 4, 9, end], [start, 4, end, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert batch["labels"].tolist() == [
        [IGNORED_LABEL, IGNORED_LABEL, 8, IGNORED_LABEL, IGNORED_LABEL],
        [IGNORED_LABEL, 5, *[IGNORED_LABEL] * 3],
    ]
