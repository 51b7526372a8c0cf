"""The tokens of a large corpus are written once, in parts that anybody may make, and found again."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests import checkpoints
from tests.masking import TEXTS, masked_rows, write_texts

from homeground.checkpoint.tokenizer import open_tokenizer
from homeground.data import documents
from homeground.data.streams import open_rows
from homeground.data.tokens import token_files
from homeground.data.tokens.of_documents import TokenizedDocuments, tokenized_in_memory
from homeground.errors import ProcessLost
from homeground.processes.shard import Shard


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Treat every file as a large one, keep its tokens here, and make a part of a text or two."""
    monkeypatch.setattr(documents, "MAX_BYTES_IN_MEMORY", 0)
    monkeypatch.setattr(token_files, "PART_CHARACTERS", 30)
    monkeypatch.setenv("HOMEGROUND_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def files(tmp_path: Path, folder: Path) -> token_files.TokenFiles:
    path = write_texts(tmp_path / "texts.jsonl", [f"{text} {number}" for number in range(3) for text in TEXTS])
    source = documents.Source(open_rows(str(path)), "text")
    for row, content in source.texts():
        source.register(row, content)
    found = source.token_files(open_tokenizer(folder))
    assert found is not None
    return found


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have so many cores."""
    return lambda count: monkeypatch.setattr(token_files, "usable_cores", lambda: count)


def same(one: TokenizedDocuments, other: TokenizedDocuments) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in vars(one))


def modified(folder: Path) -> dict[str, int]:
    """Return when the files in a folder of the cache were written."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*.bin")}


def test_tokens_that_are_found_again_are_those_of_the_same_rows(tmp_path: Path, folder: Path) -> None:
    whole = masked_rows(write_texts(tmp_path / "whole.jsonl", TEXTS), folder)[1]
    spaced = masked_rows(write_texts(tmp_path / "spaced.jsonl", [TEXTS[0], " ", *TEXTS[1:]]), folder)[1]
    assert spaced.tokens.rows.tolist() == [1, 3, 4, 5]
    assert spaced.lengths_of_documents.tolist() == whole.lengths_of_documents.tolist()


@pytest.mark.parametrize("count", [1, 2])
def test_tokens_are_the_same_whoever_made_them(
    count: int, cores: Any, files: token_files.TokenFiles, cache: Path
) -> None:
    cores(count)
    expected = tokenized_in_memory(files.texts(), files.tokenizer)
    assert same(files.read(), expected)
    assert list((cache / "token_parts").iterdir()) == [], "they are put together"
    before = modified(cache)
    assert same(files.read(), expected)
    assert modified(cache) == before, "and not made again"


def test_shards_of_several_machines_are_put_together(cores: Any, files: token_files.TokenFiles, cache: Path) -> None:
    cores(1)
    counts = [files.make(Shard(number, 3)) for number in (3, 1)]
    assert len(counts[0].folders) >= 6
    assert sum(each.made for each in counts) < len(counts[0].folders)
    before = modified(cache / "token_parts")
    assert files.make(Shard(3, 3)).made == 0
    last = files.make(Shard(2, 3))
    assert last.made + sum(each.made for each in counts) == len(last.folders)
    assert before.items() <= modified(cache / "token_parts").items(), "what is there is not made again"
    assert same(files.read(), tokenized_in_memory(files.texts(), files.tokenizer))
    assert files.make(Shard(1, 3)) == token_files.TokenParts((), 0, 0)


@pytest.mark.parametrize("count", [1, 2])
def test_a_part_that_is_damaged_is_made_again(count: int, cores: Any, files: token_files.TokenFiles) -> None:
    cores(count)
    (first, *_) = files.make(Shard()).folders
    (first / "ids.bin").write_bytes(b"")
    with pytest.warns(match="damaged ids.bin; it is made again"):
        assert same(files.read(), tokenized_in_memory(files.texts(), files.tokenizer))


def test_parts_that_another_command_removes_are_made_again(
    cores: Any, files: token_files.TokenFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    cores(1)
    join, tries = token_files._join, list[int]()

    def join_late(parts: Sequence[Path], folder: Path) -> None:
        tries.append(len(parts))
        if len(tries) < token_files.MOST_TRIES:
            shutil.rmtree(parts[1])
        join(parts, folder)

    with monkeypatch.context() as patched:
        patched.setattr(token_files, "_join", join_late)
        assert same(files.read(), tokenized_in_memory(files.texts(), files.tokenizer))
    assert len(tries) == token_files.MOST_TRIES


def test_parts_that_are_found_are_in_use_and_old_ones_are_removed(
    cores: Any, files: token_files.TokenFiles, cache: Path
) -> None:
    cores(1)
    found = files.make(Shard(2, 3)).folders[1]
    unused, litter = cache / "token_parts" / "unused", cache / "token_parts" / ".some.1.tmp"
    for folder, days in ((found, 29), (unused, 31), (litter, 3)):
        folder.mkdir(exist_ok=True)
        os.utime(folder, (time.time() - days * 86400,) * 2)
    assert files.make(Shard(2, 3)).made == 0
    assert time.time() - found.stat().st_mtime < 3600
    assert not unused.exists() and not litter.exists()


@pytest.mark.parametrize(("asked", "count"), [("", 3), ("2", 2), ("2,4", 2), ("64", 16), ("many", 3)])
def test_the_environment_names_how_many_processes_make_parts(
    asked: str, count: int, cores: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cores(3)
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert token_files._processes() == count
    monkeypatch.setattr("multiprocessing.current_process", lambda: SimpleNamespace(daemon=True))
    assert token_files._processes() == 1


@pytest.mark.skipif(sys.platform == "win32", reason="kills as Unix does")
def test_a_process_that_is_killed_is_said_and_its_part_made_by_the_next_command(
    cores: Any, files: token_files.TokenFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    cores(2)
    with monkeypatch.context() as patched:
        patched.setattr(token_files, "write_part", _killed_at_a_part)
        with pytest.raises(ProcessLost, match=r"the parts that are finished are kept.*OMP_NUM_THREADS=1"):
            files.read()
    assert same(files.read(), tokenized_in_memory(files.texts(), files.tokenizer))


def _killed_at_a_part(folder: Path, texts: list[tuple[int, str]], tokenizer: str) -> None:
    if any(row > 6 for row, _ in texts):
        os.kill(os.getpid(), signal.SIGKILL)
    token_files.write_part(folder, texts, tokenizer)


def test_two_readers_that_need_the_same_tokens_write_them_once(
    files: token_files.TokenFiles, cores: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cores(1)
    barrier, writes, write = threading.Barrier(2), list[Path](), token_files.write_part

    def counted(place: Path, *arguments: Any) -> None:
        writes.append(place)
        time.sleep(0.02)
        write(place, *arguments)

    monkeypatch.setattr(token_files, "write_part", counted)

    def tokenized(_: int) -> TokenizedDocuments:
        barrier.wait()
        return files.read()

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(tokenized, range(2))
    assert same(first, second)
    assert len(writes) == len(set(writes)) >= 6
