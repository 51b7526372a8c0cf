"""Rows that are kept in memory where they are few enough for it, and else read anew each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from homeground.data.tables import Row, TableRows
from homeground.errors import DataError


@dataclass(frozen=True)
class StreamedRows:
    """Rows that are parsed each time they are iterated over; ``last`` is the number of the last one."""

    open: Callable[[], Iterator[Row]]
    count: int
    last: int

    def __iter__(self) -> Iterator[Row]:
        return self.open()

    def __len__(self) -> int:
        return self.count


def streamed(rows: Callable[[], Iterator[Row]]) -> StreamedRows:
    """Go through rows once, and return them as rows that are parsed anew each time."""
    count = last = 0
    for row in rows():
        count, last = count + 1, row.number
    return StreamedRows(rows, count, last)


def held_or_streamed(path: str, rows: Callable[[], Iterator[Row]], size: int, *, at_most: int) -> TableRows:
    """Go through the rows once, and return them as a list where their file has ``at_most`` so many bytes.

    Raises:
        DataError: there are none.
    """
    kept = list(rows()) if size <= at_most else streamed(rows)
    if not len(kept):
        raise DataError.at(path, "holds no text" if size else "is empty")
    return kept


def last_number(rows: TableRows) -> int:
    """Return the number of the last row."""
    if isinstance(rows, StreamedRows):
        return rows.last
    assert isinstance(rows, list)
    return rows[-1].number if rows else 0
