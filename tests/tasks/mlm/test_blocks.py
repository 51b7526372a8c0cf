"""Documents are cut into blocks of which nothing is lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests import checkpoints
from tests.masking import TEXTS, masked_rows, write_texts

from homeground.checkpoint import load_tokenizer, open_checkpoint
from homeground.tasks.mlm.blocks import cut


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.bert(tmp_path_factory.mktemp("bert"))


def test_blocks_lose_nothing_and_no_document_shares_one(tmp_path: Path, folder: Path) -> None:
    _, rows = masked_rows(write_texts(tmp_path / "texts.jsonl", TEXTS), folder, length=8)
    plain = load_tokenizer(open_checkpoint(str(folder)), max_length=10_000)
    plain.no_truncation()
    for place, text in enumerate(TEXTS):
        blocks = [rows.content(block)[0].tolist() for block in np.flatnonzero(rows.owner == place)]
        assert [token for block in blocks for token in block] == plain.encode(text, add_special_tokens=False).ids
        assert max(map(len, blocks)) <= 6
        assert max(map(len, blocks)) - min(map(len, blocks)) <= 1


def test_line_by_line_cuts_what_is_too_long_and_counts_it(tmp_path: Path, folder: Path) -> None:
    path = write_texts(tmp_path / "texts.jsonl", TEXTS)
    _, rows = masked_rows(path, folder, length=8, line_by_line=True)
    assert (len(rows.blocks), rows.truncated) == (4, 2)


def test_cutting_documents_without_tokens_gives_no_block() -> None:
    blocks, owner, lost = cut(np.array([0, 3, 3]), np.array([3, 3, 10]), 4, whole=False)
    assert blocks.tolist() == [[0, 3], [3, 7], [7, 10]]
    assert (owner.tolist(), lost) == ([0, 2, 2], 0)
