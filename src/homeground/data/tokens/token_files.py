"""The token files of a large corpus: made in parts, by all cores or by several machines, and found again by later runs.

    tokens/KEY/         in the user's cache: the tokens of all texts of a column, mapped into memory
    token_parts/KEY/    those of a part of the texts, until all are put together

A key is the hash of the texts, the tokenizer and the versions of what tokenizes, so that it does not matter who made a
part, or when: what is there is not made again, and the tokens are those that one process would have made.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from homeground.data.segmentation import segmenter_versions
from homeground.data.tokens.cache import (
    OTHER_CACHE,
    cache_folder,
    is_whole,
    locked_cache,
    remove_unused,
)
from homeground.data.tokens.of_documents import NumberedText, TokenizedDocuments, length, pieces
from homeground.data.tokens.tokenized import portions
from homeground.errors import ProcessLost
from homeground.processes.children import THREADS, end_with, named_threads, usable_cores
from homeground.processes.shard import WHOLE, Shard
from homeground.storage import is_closed, new_folder, read_array, write_array

TOKENS_VERSION = 2
"""Version of the way texts become tokens and words; tokens of another version are computed anew."""

PART_CHARACTERS = 1 << 24
"""Characters of a part: some seconds of one core, and some hundred MB while it is made."""

MOST_PROCESSES = 16
"""Processes that one reader of texts can keep busy, and as many parts in memory."""

MOST_TRIES = 3
"""To put parts together that other commands may remove."""

IDS, MARKS, COUNTS = "ids.bin", "word_starts.bin", "counts.npy"


@dataclass(frozen=True)
class TokenParts:
    """The parts of some texts: their folders in order, and how many of them were made just now, or found."""

    folders: tuple[Path, ...]
    made: int
    found: int


@dataclass(frozen=True)
class TokenFiles:
    """The token files of the ``texts`` of one column, of which ``fingerprint`` is the hash, for one tokenizer."""

    texts: Callable[[], Iterable[NumberedText]]
    fingerprint: str
    tokenizer: Tokenizer

    def read(self) -> TokenizedDocuments:
        """Return the tokens of all texts; they are made first where they are not there, or not whole.

        Raises:
            ProcessLost: a process that made a part has ended, or others remove parts faster than this one makes them.
        """
        folder = self._folder
        with locked_cache(folder):
            if not is_whole(folder):
                self._put_together()
        ids = np.memmap(folder / IDS, np.int32, "r")
        marks = np.memmap(folder / MARKS, np.bool_, "r")
        return TokenizedDocuments.of(ids, marks, read_array(folder / COUNTS))

    def make(self, shard: Shard) -> TokenParts:
        """Make every part of a shard that is not there yet; nothing where all texts are tokenized.

        Raises:
            ProcessLost: a process that made a part has ended.
        """
        return TokenParts((), 0, 0) if is_whole(self._folder) else self._made(shard)

    @property
    def _folder(self) -> Path:
        return cache_folder() / "tokens" / self._key(self.fingerprint)

    @cached_property
    def _tokenizer(self) -> str:
        return self.tokenizer.to_str()

    def _key(self, texts: str) -> str:
        software = f"{TOKENS_VERSION} {version('tokenizers')} {segmenter_versions()}"
        return hashlib.sha256(f"{software}\n{texts}\n{self._tokenizer}".encode()).hexdigest()[:32]

    def _made(self, shard: Shard) -> TokenParts:
        folders: list[Path] = []
        made = found = 0
        place = cache_folder() / "token_parts"
        remove_unused(place)
        with _workers(self._tokenizer) as start:
            for number, texts in enumerate(portions(self.texts(), PART_CHARACTERS, length)):
                folder = place / self._key(fingerprint(texts).hexdigest())
                folders.append(folder)
                if not shard.has(number):
                    continue
                with locked_cache(folder):
                    is_there = is_whole(folder)
                if is_there:
                    found += 1
                else:
                    start(folder, texts)
                    made += 1
        return TokenParts(tuple(folders), made, found)

    def _put_together(self) -> None:
        """Write the tokens of all parts as those of one, and remove the parts.

        Another corpus with the same beginning has the same parts, and may remove them first: then they are made again.
        """
        remove_unused(self._folder.parent)
        for _ in range(MOST_TRIES):
            parts = self._made(WHOLE).folders
            try:
                with new_folder(self._folder, OTHER_CACHE) as temporary:
                    _join(parts, temporary)
            except _PartGone:
                continue
            for part in parts:
                shutil.rmtree(part, ignore_errors=True)
            return
        raise ProcessLost(
            f"{cache_folder()}: other commands removed parts of the tokens while this one put them together; run the "
            "same command again when they have ended"
        )


class _PartGone(Exception):
    """A part is no longer there."""


def fingerprint(texts: Iterable[NumberedText]) -> Any:
    """Return the hash of some texts and their rows, to which others may be added by ``add_text``."""
    hashed = hashlib.sha256()
    for row, content in texts:
        add_text(hashed, row, content)
    return hashed


def add_text(hashed: Any, row: int, content: str) -> None:
    """Add a text and its row to a hash."""
    hashed.update(f"{row} {len(content)}\n".encode())
    hashed.update(content.encode("utf-8", "surrogatepass"))


# ---- The processes that make parts -----------------------------------------------------------------------------------


@contextmanager
def _workers(tokenizer: str) -> Generator[Callable[[Path, list[NumberedText]], None]]:
    """Yield what has a part made by one of several processes; at the end all parts are made.

    It waits while all are busy, so that the texts of few parts are in memory. On a single core this process makes them.
    """
    count = _processes()
    if count == 1:
        yield lambda folder, texts: write_part(folder, texts, tokenizer)
        return
    from joblib.externals.loky import ProcessPoolExecutor

    executor = ProcessPoolExecutor(count, initializer=_begin, initargs=(os.getpid(),))
    waiting: deque[Future[None]] = deque()

    def start(folder: Path, texts: list[NumberedText]) -> None:
        if len(waiting) > count:
            waiting.popleft().result()
        waiting.append(executor.submit(write_part, folder, texts, tokenizer))

    try:
        yield start
        while waiting:
            waiting.popleft().result()
    except BrokenProcessPool:
        raise ProcessLost(
            "a process that tokenized texts has ended, perhaps because memory ran out; the parts that are finished are "
            f"kept, and the same command goes on, with {THREADS}=1 in a single process, which takes less memory"
        ) from None
    finally:
        executor.shutdown(kill_workers=True)


def _processes() -> int:
    """Return how many processes make parts: as many as there are cores, or as the environment names threads."""
    if multiprocessing.current_process().daemon:  # it may not have children
        return 1
    return min(named_threads() or usable_cores(), MOST_PROCESSES)


def _begin(parent: int) -> None:
    """Prepare a process: it tokenizes with one thread, Ctrl-C is its parent's alone, and it ends with that."""
    end_with(parent)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def write_part(folder: Path, texts: list[NumberedText], tokenizer: str) -> None:
    """Write the tokens of some texts, unless another process has done so meanwhile."""
    with locked_cache(folder):
        if not is_closed(folder, lambda _: None):  # what is damaged was said when it was looked for
            with new_folder(folder, OTHER_CACHE) as temporary:
                _write(temporary, texts, _opened(tokenizer))


@lru_cache(maxsize=1)
def _opened(tokenizer: str) -> Tokenizer:
    return Tokenizer.from_str(tokenizer)


def _write(folder: Path, texts: list[NumberedText], tokenizer: Tokenizer) -> None:
    counts: list[NDArray[np.int64]] = []
    with (folder / IDS).open("wb") as ids, (folder / MARKS).open("wb") as marks:
        for piece in pieces(texts, tokenizer):
            ids.write(piece.ids.tobytes())
            marks.write(piece.word_starts.tobytes())
            counts.append(piece.counts)
    write_array(folder / COUNTS, np.concatenate(counts))


def _join(parts: Iterable[Path], folder: Path) -> None:
    """Write the tokens of all parts into a folder as those of one."""
    counts: list[NDArray[np.int64]] = []
    with (folder / IDS).open("wb") as ids, (folder / MARKS).open("wb") as marks:
        for part in parts:
            try:
                for name, whole in ((IDS, ids), (MARKS, marks)):
                    with (part / name).open("rb") as content:
                        shutil.copyfileobj(content, whole)
                counts.append(read_array(part / COUNTS))
            except FileNotFoundError:
                raise _PartGone from None
    write_array(folder / COUNTS, np.concatenate(counts))
