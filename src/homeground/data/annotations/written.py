"""Lists and objects that a table of text holds as text: in JSON, or as Python prints them."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from homeground.data.columns import ROWS_SAMPLED
from homeground.data.tables import Row, Table

FORMATS_OF_TEXT = ("csv", "tsv", "xlsx")
"""Formats whose values are no lists."""


@dataclass(frozen=True)
class _DecodedRows:
    """The rows of a table, in some columns with the lists that their texts say."""

    table: Table
    names: tuple[str, ...]

    def __iter__(self) -> Iterator[Row]:
        for row in self.table.rows:
            yield Row(row.number, {**row.values, **{name: _decoded(row.values[name]) for name in self.names}})

    def __len__(self) -> int:
        return len(self.table.rows)


def with_lists(table: Table) -> Table:
    """Return a table in which columns of written lists hold lists, and None where nothing is written."""
    if table.format not in FORMATS_OF_TEXT:
        return table
    first = list(islice(table.rows, ROWS_SAMPLED))
    names = tuple(name for name in table.columns if _are_lists([row.values[name] for row in first]))
    return replace(table, rows=_DecodedRows(table, names)) if names else table


def _are_lists(values: Sequence[object]) -> bool:
    filled = [value for value in values if value not in (None, "")]
    begin = [value for value in filled if isinstance(value, str) and value.lstrip()[:1] in ("[", "{")]
    if 2 * len(begin) <= len(filled):
        return False
    return 2 * sum(isinstance(_decoded(value), list | dict) for value in begin) > len(filled)


def _decoded(value: object) -> object:
    """Return the list or object that a text says; any other text as it is.

    >>> _decoded("['Anna', 'ran']"), _decoded('[[0, 4, "PER"]]'), _decoded(""), _decoded("[0, 10)")
    (['Anna', 'ran'], [[0, 4, 'PER']], None, '[0, 10)')
    """
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    for read in (json.loads, _literal):
        try:
            decoded: object = read(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(decoded, list | dict):
            return decoded  # pyright: ignore[reportUnknownVariableType]
    return value


def _literal(written: str) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of backslashes that are no escapes
        return ast.literal_eval(written.strip())
