"""Rows that are not kept in memory: large files, text files and folders of them, and files of texts without labels."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from homeground.data.annotations.brat import holds_annotations, read_folder
from homeground.data.opening import require_encoding, require_file
from homeground.data.sources.folders import dataset_files, folder_table, is_dataset, refuse_splits
from homeground.data.sources.held import StreamedRows, counted_rows
from homeground.data.sources.in_memory import require_in_memory, table_in_memory
from homeground.data.sources.several import joined_table, named_files
from homeground.data.tables import (
    ReadingOptions,
    Row,
    Table,
    as_table,
    open_parsed,
    open_table,
    read_table,
    require_column,
    text,
)
from homeground.errors import DataError
from homeground.recipe.files import is_in_memory
from homeground.shelf import Shelf
from homeground.storage import file_hash

if TYPE_CHECKING:
    from homeground.recipe.recipe import Recipe

MAX_BYTES_IN_MEMORY = 64 << 20
"""Size up to which the rows of a file are kept in memory; those of a larger file are parsed anew each time."""

ROWS_AT_ONCE = 4096
"""Rows of a file of unlabelled texts that are in memory at once."""

NumberedTexts = tuple[int, tuple[str, ...]]
"""The number of a row, and its text, or the two texts of a pair."""


def open_rows(path: str | os.PathLike[str], *, keep: bool = True, **options: Unpack[ReadingOptions]) -> Table:
    """Return the table of a file, of several, or of a folder; a large one is not kept in memory, without ``keep`` none.

    All of it is read once, so that what is wrong with it is reported at once.

    Raises:
        DataError: the file is missing, empty, damaged or in doubt.
        UsageError: options that do not fit.
    """
    name = os.fspath(path)
    require_encoding(options.get("encoding", "utf-8"))
    files = named_files(name)
    at_most = MAX_BYTES_IN_MEMORY if keep else -1
    return _one(name, options, at_most=at_most) if files == [name] else _several(name, files, options, at_most=at_most)


def shelf_for(table: Table) -> Shelf | None:
    """Return a shelf for the texts of a table that is large, None where its texts stay in memory."""
    return Shelf() if table.size > MAX_BYTES_IN_MEMORY else None


def require_source(named: str) -> None:
    """Raise DataError where a file that a setting names is missing, before anything long begins."""
    for path in named_files(named):
        if is_in_memory(path):
            require_in_memory(path)
        elif not Path(path).exists():
            require_file(path)


def source_hash(named: str) -> str:
    """Return the hash of a file, or of several or a folder as their table has it."""
    return file_hash(Path(named)) if Path(named).is_file() else open_rows(named).sha256


def _several(name: str, files: Sequence[str], options: ReadingOptions, *, at_most: int) -> Table:
    sizes = [Path(path).stat().st_size for path in files if Path(path).is_file()]
    at_most = at_most if sum(sizes) <= at_most else -1
    return joined_table(name, [_one(path, options, at_most=at_most) for path in files])


def _one(path: str, options: ReadingOptions, *, at_most: int) -> Table:
    """Return the table of one file or folder, kept in memory where that has ``at_most`` so many bytes."""
    if is_in_memory(path):
        return table_in_memory(path)
    place, encoding = Path(path), options.get("encoding", "utf-8")
    if options.get("format") == "brat" or (place.is_dir() and holds_annotations(path)):
        return read_folder(path, encoding)
    if place.is_dir():
        refuse_splits(path)
        if is_dataset(place):
            table = _several(path, dataset_files(path), {"format": "arrow"}, at_most=at_most)
            return replace(table, notes=(), parts=())
        return folder_table(path, encoding, at_most=at_most)
    if place.is_file() and place.stat().st_size > at_most:
        return _large_file(path, options, keep_head=at_most >= 0)
    return read_table(path, **options)


def text_chunks(path: str, recipe: Recipe, columns: Mapping[str, str]) -> Iterator[list[NumberedTexts]]:
    """Yield the rows of an unlabelled file that have a text, in bounded memory; it is read as the recipe's data is.

    ``columns`` are those of the data: text, or text_1 and text_2.

    Raises:
        DataError: the file cannot be read, or lacks a column of the texts.
    """
    table = open_rows(path, **recipe.reading.model_dump())
    names = [columns[part] for part in ("text", "text_1", "text_2") if part in columns]
    for name in names:
        require_column(table, name)
    rows = iter(table.rows)
    for chunk in iter(lambda: list(itertools.islice(rows, ROWS_AT_ONCE)), []):
        numbered = ((row.number, tuple(text(table, row, name) for name in names)) for row in chunk)
        yield [(number, texts) for number, texts in numbered if all(each.strip() for each in texts)]


def require_texts(path: str, recipe: Recipe, columns: Mapping[str, str]) -> None:
    """Read an unlabelled file to its end, so that what is wrong with it is reported before the start.

    Raises:
        DataError: the file cannot be read, or lacks a column of the texts.
    """
    for _ in text_chunks(path, recipe, columns):
        pass


def _large_file(path: str, options: ReadingOptions, *, keep_head: bool) -> Table:
    with open_parsed(path, options) as (opened, parsed):
        counts = counted_rows(opened.rows, keep_head=keep_head)

    def rows() -> Iterator[Row]:
        with open_table(path, **options) as again:
            if again.sha256 != opened.sha256:
                raise DataError.at(path, "changed since it was first read; run the command again when it is complete")
            yield from again.rows

    return as_table(opened, parsed, StreamedRows(rows, *counts))
