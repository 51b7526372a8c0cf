"""The tokens of a large corpus are written once and found again."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests import checkpoints
from tests.masking import TEXTS, masked_rows, write_texts

from homeground.data import documents


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(autouse=True)
def tokens_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat every file as a large one, and keep its tokens here."""
    monkeypatch.setattr(documents, "MAX_BYTES_IN_MEMORY", 0)
    monkeypatch.setenv("HOMEGROUND_CACHE", str(tmp_path / "cache"))


def test_tokens_that_are_found_again_are_those_of_the_same_rows(tmp_path: Path, folder: Path) -> None:
    whole = masked_rows(write_texts(tmp_path / "whole.jsonl", TEXTS), folder)[1]
    spaced = masked_rows(write_texts(tmp_path / "spaced.jsonl", [TEXTS[0], " ", *TEXTS[1:]]), folder)[1]
    assert spaced.tokens.rows.tolist() == [1, 3, 4, 5]
    assert spaced.lengths_of_documents.tolist() == whole.lengths_of_documents.tolist()


def test_two_readers_that_need_the_same_tokens_write_them_once(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, barrier, writes = write_texts(tmp_path / "texts.jsonl", TEXTS), threading.Barrier(2), []
    write = documents._write

    def counted(place: Path, *arguments: Any) -> None:
        writes.append(place)
        time.sleep(0.2)
        write(place, *arguments)

    monkeypatch.setattr(documents, "_write", counted)

    def tokenized(_: int) -> list[int]:
        barrier.wait()
        return masked_rows(path, folder)[1].lengths_of_documents.tolist()

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(tokenized, range(2))
    assert first == second
    assert len(writes) == 1
