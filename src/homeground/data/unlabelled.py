"""A file of texts without labels, of which any number is read in bounded memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from homeground.data.tables import OpenTable, Row, column_error, open_table, text
from homeground.recipe.recipe import Recipe

CHUNK = 4096
"""Rows held at once."""

PARTS = ("text", "text_1", "text_2")

Found = tuple[int, tuple[str, ...]]
"""The number of a row, and its text, or the two texts of a pair."""


def text_chunks(path: str, recipe: Recipe, columns: Mapping[str, str]) -> Iterator[list[Found]]:
    """Yield the rows of a file, read as the data is, that hold a text; ``columns`` are those of the data by part.

    Raises:
        DataError: the file cannot be read, or lacks a column of the texts.
    """
    with open_table(path, **recipe.reading.model_dump()) as table:
        names = _text_columns(table, columns)
        for rows in iter(lambda: list(itertools.islice(table.rows, CHUNK)), []):
            yield [(row.number, texts) for row in rows if (texts := _texts(table, row, names)) is not None]


def require_texts(path: str, recipe: Recipe, columns: Mapping[str, str]) -> None:
    """Read a file to its end, so that what is wrong with it is told before the start.

    Raises:
        DataError: the file cannot be read, or lacks a column of the texts.
    """
    for _ in text_chunks(path, recipe, columns):
        pass


def _text_columns(table: OpenTable, columns: Mapping[str, str]) -> list[str]:
    names = [columns[part] for part in PARTS if part in columns]
    for name in names:
        if name not in table.columns:
            raise column_error(table, name)
    return names


def _texts(table: OpenTable, row: Row, names: list[str]) -> tuple[str, ...] | None:
    texts = tuple(text(table, row, name) for name in names)
    return texts if all(side.strip() for side in texts) else None
