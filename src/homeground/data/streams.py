"""Rows that are not kept in memory: large files, text files and folders of them, and files of texts without labels."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from homeground.data.annotations.brat import holds_annotations, read_folder
from homeground.data.formats import TEXT_COLUMN
from homeground.data.opening import open_text, require_encoding, require_file
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
from homeground.wording import count

if TYPE_CHECKING:
    from homeground.recipe.recipe import Recipe

MAX_BYTES_IN_MEMORY = 64 << 20
"""Size up to which the rows of a file are kept in memory; those of a larger file are parsed anew each time."""

ROWS_AT_ONCE = 4096
"""Rows of a file of unlabelled texts that are in memory at once."""

TEXT_SUFFIXES = (".txt", ".text", ".md", ".markdown", ".rst")
"""The endings of names of text files in a folder, in lower case, each also with ``.gz``."""

MAX_NAMES_LISTED = 5

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
    if options.get("format") == "brat" or (place.is_dir() and holds_annotations(name)):
        return read_folder(name, encoding)
    if place.is_dir():
        require_encoding(encoding)
        return _folder(name, encoding)
    if place.is_file() and place.stat().st_size > MAX_BYTES_IN_MEMORY:
        return _large_file(name, options)
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


def _large_file(path: str, options: ReadingOptions) -> Table:
    with open_parsed(path, options) as (opened, parsed):
        number = sum(1 for _ in opened.rows)

    def rows() -> Iterator[Row]:
        with open_table(path, **options) as again:
            if again.sha256 != opened.sha256:
                raise DataError.at(path, "changed since it was first read; run the command again when it is complete")
            yield from again.rows

    return as_table(opened, parsed, StreamedRows(rows, number))


def _folder(path: str, encoding: str) -> Table:
    """Return the text files in a folder and below it, in the order of their names, and note which files are none."""
    files, others = _text_files(path)
    names = [place.relative_to(path).as_posix() for place in files]
    first_sha256: dict[Path, str] = {}
    notes: dict[str, None] = {}

    def rows() -> Iterator[Row]:
        for number, place in enumerate(files, start=1):
            require_file(str(place))
            with open_text(str(place), encoding=encoding, markup=True) as opened:
                if first_sha256.setdefault(place, opened.sha256) != opened.sha256:
                    raise DataError.at(str(place), "changed since it was first read; run the command again")
                notes.update(dict.fromkeys(opened.notes))
                yield Row(number, {TEXT_COLUMN: opened.text.read()})

    size = sum(place.stat().st_size for place in files)
    listed = _listed_or_streamed(path, rows, size)
    hashes = "\n".join(f"{name} {first_sha256[place]}" for name, place in zip(names, files, strict=True))
    if others:
        verb = "is" if len(others) == 1 else "are"
        left_out = f"{path}: {count(len(others), 'file')} {verb} no text and not read: {_some_names(others)}"
        notes[left_out] = None
    sha256 = hashlib.sha256(hashes.encode()).hexdigest()
    return Table(path, "txt", (TEXT_COLUMN,), listed, sha256, size, notes=tuple(notes), names=tuple(names))


def _text_files(path: str) -> tuple[list[Path], list[str]]:
    """Return the files with the name of a text below a folder, and the names of the others; hidden ones are neither."""
    below = [place for place in sorted(Path(path).rglob("*")) if place.is_file()]
    below = [place for place in below if not any(part.startswith(".") for part in place.relative_to(path).parts)]
    texts = [place for place in below if Path(place.name.lower().removesuffix(".gz")).suffix in TEXT_SUFFIXES]
    others = [place.relative_to(path).as_posix() for place in below if place not in set(texts)]
    if not texts:
        held = f"; it holds {_some_names(others)}" if others else ""
        suffixes = ", ".join(TEXT_SUFFIXES)
        raise DataError.at(
            path, f"is a folder without text files ({suffixes}){held}; give a folder of texts, or a file"
        )
    return texts, others


def _some_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMES_LISTED} more" if len(names) > MAX_NAMES_LISTED else ""
    return ", ".join(f'"{name}"' for name in names[:MAX_NAMES_LISTED]) + more


def _listed_or_streamed(path: str, rows: Callable[[], Iterator[Row]], size: int) -> list[Row] | StreamedRows:
    """Go through the rows once, and return them as a list where they are few enough for the memory."""
    listed = list(rows()) if size <= MAX_BYTES_IN_MEMORY else None
    number = sum(1 for _ in rows()) if listed is None else len(listed)
    if not number:
        raise DataError.at(path, "holds no text" if size else "is empty")
    return StreamedRows(rows, number) if listed is None else listed
