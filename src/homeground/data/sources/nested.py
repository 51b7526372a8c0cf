"""Fields inside the objects of a JSON file as columns of their own: ``--text body.title``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from homeground.data.tables import Row, Table, TableRows, column_parts
from homeground.errors import DataError, nearest


@dataclass(frozen=True)
class RowsWithFields:
    """The rows of a table, each with more values: those at some paths inside its objects and lists."""

    table: Table
    paths: Mapping[str, tuple[str, ...]]

    def __iter__(self) -> Iterator[Row]:
        for row in self.table.rows:
            more = {name: self._value(row, name, steps) for name, steps in self.paths.items()}
            yield Row(row.number, {**row.values, **more})

    def __len__(self) -> int:
        return len(self.table.rows)

    def _value(self, row: Row, name: str, steps: tuple[str, ...]) -> object:
        """Return what is at the end of a path; null where something on the way is null."""
        value: Any = row.values
        for step in steps:
            if value is None:
                return None
            if isinstance(value, Mapping):
                inside = cast(Mapping[str, object], value)
                if step not in inside:
                    raise self._missing(row, name, f'has no "{step}"', inside)
                value = inside[step]
            elif isinstance(value, list) and step.isdecimal():
                items = cast(list[object], value)
                if int(step) >= len(items):
                    raise self._missing(row, name, f"has no item {step}, of {len(items)}, counted from 0", ())
                value = items[int(step)]
            else:
                raise self._missing(row, name, f'holds no object in which "{step}" could be', ())
        return value

    def _missing(self, row: Row, name: str, problem: str, known: Iterable[str]) -> DataError:
        names = list(known)
        return self.table.error(f"{problem}{'; ' + nearest(name, names) if names else ''}", row=row.number, column=name)


def with_fields(table: Table, named: Iterable[object]) -> Table:
    """Return a table with the columns that are named by a path into its objects, such as ``body.title``.

    ``named`` are the names of columns among other settings. A column that the table has is never a path. A path whose
    first part is no column is left to those who know what a missing column means.

    Raises:
        DataError: the first row has nothing at the end of a path.
    """
    parts = [part for name in named if isinstance(name, str) for part in column_parts(table, name)]
    paths = {part: tuple(part.split(".")) for part in parts if part not in table.columns and "." in part}
    paths = {name: steps for name, steps in paths.items() if steps[0] in table.columns}
    if not paths:
        return table
    rows: TableRows = RowsWithFields(table, paths)
    if isinstance(table.rows, list):
        rows = list(rows)
    else:
        next(iter(rows))
    return replace(table, columns=(*table.columns, *paths), rows=rows)
