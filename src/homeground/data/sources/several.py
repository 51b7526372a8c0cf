"""Several files with the same columns as one table, whose rows are numbered through; errors name file and row."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

from homeground.data.sources.held import StreamedRows, last_number
from homeground.data.tables import Row, Table, TableRows
from homeground.errors import DataError, nearest
from homeground.recipe.files import is_in_memory, split_files
from homeground.wording import count

MAX_FILES_LISTED = 5


def named_files(named: str) -> list[str]:
    """Return the files that a name stands for: itself, those between its commas, or those that match a pattern.

    Raises:
        DataError: no file matches a pattern.
    """
    files: list[str] = []
    for part in split_files(named):
        if is_in_memory(part) or Path(part).exists() or not glob.has_magic(part):
            files.append(part)
            continue
        matches = sorted(glob.glob(part, recursive=True))  # noqa: PTH207 - a pattern may begin at the root
        if not matches:
            raise DataError.at(part, "no file matches this pattern")
        files += matches
    return files


def joined_table(named: str, tables: Sequence[Table]) -> Table:
    """Return the rows of several tables one after the other.

    Raises:
        DataError: they have not the same columns; the message names those that differ.
    """
    first = tables[0]
    for table in tables[1:]:
        _require_same_columns(first, table)
    ends = list(accumulate(last_number(table.rows) for table in tables))
    starts = [0, *ends[:-1]]

    def rows() -> Iterator[Row]:
        for table, start in zip(tables, starts, strict=True):
            for row in table.rows:
                values = row.values
                if table.columns != first.columns:
                    values = {name: values[name] for name in first.columns}
                yield Row(start + row.number, values)

    listed = [f"{table.path} ({count(len(table.rows), 'row')})" for table in tables[:MAX_FILES_LISTED]]
    more = f" and {len(tables) - MAX_FILES_LISTED} more" if len(tables) > MAX_FILES_LISTED else ""
    note = f"{named}: {count(len(tables), 'file')}, {', '.join(listed)}{more}"
    kept: TableRows = StreamedRows(rows, sum(len(table.rows) for table in tables), ends[-1])
    if all(isinstance(table.rows, list) for table in tables):
        kept = list(rows())
    return replace(
        first,
        path=named,
        rows=kept,
        sha256=hashlib.sha256("\n".join(table.sha256 for table in tables).encode()).hexdigest(),
        size=sum(table.size for table in tables),
        extra_fields=sum(table.extra_fields for table in tables),
        notes=(note, *(each for table in tables for each in table.notes)),
        names=(),
        parts=tuple((table.path, end) for table, end in zip(tables, ends, strict=True)),
    )


def _require_same_columns(first: Table, table: Table) -> None:
    missing = [name for name in first.columns if name not in table.columns]
    more = [name for name in table.columns if name not in first.columns]
    if missing:
        problem = f'has no column "{missing[0]}", which {first.path} has; {nearest(missing[0], table.columns)}'
        raise DataError.at(table.path, problem)
    if more:
        raise DataError.at(table.path, f'has a column "{more[0]}", which {first.path} has not; give files of one kind')
