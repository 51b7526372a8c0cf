"""Files too large to be held, and folders of text files: their rows are read anew each time they are gone through."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from homeground.data.opening import open_text, require_encoding, require_file
from homeground.data.tables import ReadingOptions, Row, Table, open_parsed, open_table, read_table
from homeground.errors import DataError

HELD = 64 << 20
"""Bytes up to which a file is held in memory."""

TEXT = "txt"
"""The format of plain text: a text a line in a file, a text a file in a folder."""

COLUMN = "text"
"""What the one column of plain text is called."""


@dataclass(frozen=True)
class Streamed:
    """Rows that are parsed each time they are gone through."""

    open: Callable[[], Iterator[Row]]
    count: int

    def __iter__(self) -> Iterator[Row]:
        return self.open()

    def __len__(self) -> int:
        return self.count


def open_rows(path: str | os.PathLike[str], **options: Unpack[ReadingOptions]) -> Table:
    """Return the table of a file, of a ``.txt`` or of a folder of ``.txt``; a large one is never held.

    All of it is read once, so that what is wrong with it is told at once.

    Raises:
        DataError: the file is missing, empty, damaged or in doubt.
        UsageError: options that do not fit.
    """
    name, place = os.fspath(path), Path(path)
    encoding = options.get("encoding", "utf-8")
    if place.is_dir():
        require_encoding(encoding)
        return _folder(name, encoding)
    if options.get("format") is None and place.suffix.lower() == ".txt":
        require_encoding(encoding)
        return _lines(name, encoding)
    if place.is_file() and place.stat().st_size > HELD:
        return _streamed(name, options)
    return read_table(path, **options)


def _streamed(path: str, options: ReadingOptions) -> Table:
    with open_parsed(path, options) as (opened, parsed):
        count = sum(1 for _ in opened.rows)

    def rows() -> Iterator[Row]:
        with open_table(path, **options) as again:
            if again.sha256 != opened.sha256:
                raise DataError.at(path, "changed since it was first read; run the command again when it is complete")
            yield from again.rows

    return Table(
        path, opened.format, opened.columns, Streamed(rows, count), opened.sha256, opened.size, parsed.extra_fields
    )


def _lines(path: str, encoding: str) -> Table:
    """Return the lines of a text file that are not blank, numbered as an editor numbers them."""
    require_file(path)

    def rows() -> Iterator[Row]:
        with open_text(path, encoding=encoding) as opened:
            for number, line in enumerate(opened.text, start=1):
                if line.strip():
                    yield Row(number, {COLUMN: line.rstrip("\r\n")})

    with open_text(path, encoding=encoding) as opened:
        sha256, size = opened.sha256, opened.size
    return Table(path, TEXT, (COLUMN,), _held(path, rows, size), sha256, size)


def _folder(path: str, encoding: str) -> Table:
    """Return the text files in a folder and below it, in the order of their names."""
    files = sorted(place for place in Path(path).rglob("*.txt") if place.is_file() and not place.name.startswith("."))
    if not files:
        raise DataError.at(path, "is a folder without .txt files; give a folder of texts, or one file")
    known: dict[Path, str] = {}

    def rows() -> Iterator[Row]:
        for number, place in enumerate(files, start=1):
            require_file(str(place))
            with open_text(str(place), encoding=encoding) as opened:
                if known.setdefault(place, opened.sha256) != opened.sha256:
                    raise DataError.at(str(place), "changed since it was first read; run the command again")
                yield Row(number, {COLUMN: opened.text.read()})

    size = sum(place.stat().st_size for place in files)
    held = _held(path, rows, size)
    named = "\n".join(f"{place.relative_to(path).as_posix()} {known[place]}" for place in files)
    return Table(path, TEXT, (COLUMN,), held, hashlib.sha256(named.encode()).hexdigest(), size)


def _held(path: str, rows: Callable[[], Iterator[Row]], size: int) -> list[Row] | Streamed:
    if size <= HELD:
        held = list(rows())
        count = len(held)
    else:
        held, count = None, sum(1 for _ in rows())
    if not count:
        raise DataError.at(path, "holds no text" if size else "is empty")
    return Streamed(rows, count) if held is None else held
