"""Rows that are not kept in memory: large files, text files and folders of them, and files of texts without labels."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from homeground.data.opening import open_text, require_encoding, require_file
from homeground.data.tables import (
    ReadingOptions,
    Row,
    Table,
    column_error,
    open_parsed,
    open_table,
    read_table,
    text,
)
from homeground.errors import DataError

if TYPE_CHECKING:
    from homeground.recipe.recipe import Recipe

MAX_BYTES_IN_MEMORY = 64 << 20
"""Size up to which the rows of a file are kept in memory; those of a larger file are parsed anew each time."""

ROWS_AT_ONCE = 4096
"""Rows of a file of unlabelled texts that are in memory at once."""

TEXT_FORMAT = "txt"
"""The format of plain text: a text a line in a file, a text a file in a folder."""

TEXT_COLUMN = "text"
"""The name of the one column of plain text."""

NumberedTexts = tuple[int, tuple[str, ...]]
"""The number of a row, and its text, or the two texts of a pair."""


@dataclass(frozen=True)
class StreamedRows:
    """Rows that are parsed each time they are iterated over."""

    open: Callable[[], Iterator[Row]]
    count: int

    def __iter__(self) -> Iterator[Row]:
        return self.open()

    def __len__(self) -> int:
        return self.count


def open_rows(path: str | os.PathLike[str], **options: Unpack[ReadingOptions]) -> Table:
    """Return the table of a file, of a ``.txt`` or of a folder of ``.txt``; a large one is not kept in memory.

    All of it is read once, so that what is wrong with it is reported at once.

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
    if place.is_file() and place.stat().st_size > MAX_BYTES_IN_MEMORY:
        return _large_file(name, options)
    return read_table(path, **options)


def text_chunks(path: str, recipe: Recipe, columns: Mapping[str, str]) -> Iterator[list[NumberedTexts]]:
    """Yield the rows of an unlabelled file that have a text, in bounded memory; it is read as the recipe's data is.

    ``columns`` are those of the data: text, or text_1 and text_2.

    Raises:
        DataError: the file cannot be read, or lacks a column of the texts.
    """
    with open_table(path, **recipe.reading.model_dump()) as table:
        names = [columns[part] for part in ("text", "text_1", "text_2") if part in columns]
        for name in names:
            if name not in table.columns:
                raise column_error(table, name)
        for rows in iter(lambda: list(itertools.islice(table.rows, ROWS_AT_ONCE)), []):
            numbered = ((row.number, tuple(text(table, row, name) for name in names)) for row in rows)
            yield [(number, texts) for number, texts in numbered if all(each.strip() for each in texts)]


def require_texts(path: str, recipe: Recipe, columns: Mapping[str, str]) -> None:
    """Read an unlabelled file to its end, so that what is wrong with it is reported before the start.

    Raises:
        DataError: the file cannot be read, or lacks a column of the texts.
    """
    for _ in text_chunks(path, recipe, columns):
        pass


def _large_file(path: str, options: ReadingOptions) -> Table:
    with open_parsed(path, options) as (opened, parsed):
        count = sum(1 for _ in opened.rows)

    def rows() -> Iterator[Row]:
        with open_table(path, **options) as again:
            if again.sha256 != opened.sha256:
                raise DataError.at(path, "changed since it was first read; run the command again when it is complete")
            yield from again.rows

    return Table(
        path, opened.format, opened.columns, StreamedRows(rows, count), opened.sha256, opened.size, parsed.extra_fields
    )


def _lines(path: str, encoding: str) -> Table:
    """Return the lines of a text file that are not blank, numbered as an editor numbers them."""
    require_file(path)

    def rows() -> Iterator[Row]:
        with open_text(path, encoding=encoding) as opened:
            for number, line in enumerate(opened.text, start=1):
                if line.strip():
                    yield Row(number, {TEXT_COLUMN: line.rstrip("\r\n")})

    with open_text(path, encoding=encoding) as opened:
        sha256, size = opened.sha256, opened.size
    return Table(path, TEXT_FORMAT, (TEXT_COLUMN,), _listed_or_streamed(path, rows, size), sha256, size)


def _folder(path: str, encoding: str) -> Table:
    """Return the text files in a folder and below it, in the order of their names."""
    files = sorted(place for place in Path(path).rglob("*.txt") if place.is_file() and not place.name.startswith("."))
    if not files:
        raise DataError.at(path, "is a folder without .txt files; give a folder of texts, or one file")
    first_sha256: dict[Path, str] = {}

    def rows() -> Iterator[Row]:
        for number, place in enumerate(files, start=1):
            require_file(str(place))
            with open_text(str(place), encoding=encoding) as opened:
                if first_sha256.setdefault(place, opened.sha256) != opened.sha256:
                    raise DataError.at(str(place), "changed since it was first read; run the command again")
                yield Row(number, {TEXT_COLUMN: opened.text.read()})

    size = sum(place.stat().st_size for place in files)
    listed = _listed_or_streamed(path, rows, size)
    hashes = "\n".join(f"{place.relative_to(path).as_posix()} {first_sha256[place]}" for place in files)
    return Table(path, TEXT_FORMAT, (TEXT_COLUMN,), listed, hashlib.sha256(hashes.encode()).hexdigest(), size)


def _listed_or_streamed(path: str, rows: Callable[[], Iterator[Row]], size: int) -> list[Row] | StreamedRows:
    """Go through the rows once, and return them as a list where they are few enough for the memory."""
    listed = list(rows()) if size <= MAX_BYTES_IN_MEMORY else None
    count = sum(1 for _ in rows()) if listed is None else len(listed)
    if not count:
        raise DataError.at(path, "holds no text" if size else "is empty")
    return StreamedRows(rows, count) if listed is None else listed
