"""Rows that are kept in memory where they are few enough for it, and else read anew each time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from homeground.data.tables import Row, TableRows
from homeground.errors import DataError

ROWS_OF_HEAD = 1000
MAX_CHARACTERS_OF_HEAD = 1 << 22
"""Rows at the beginning of a file that stay in memory, and their characters: what is looked at again and again."""


@dataclass(frozen=True)
class StreamedRows:
    """Rows that are parsed each time they are iterated over; the first ones, ``head``, are parsed once.

    ``last`` is the number of the last one.
    """

    open: Callable[[], Iterator[Row]]
    count: int
    last: int
    head: tuple[Row, ...] = ()

    def __iter__(self) -> Iterator[Row]:
        yield from self.head
        yield from itertools.islice(self.open(), len(self.head), None)

    def __len__(self) -> int:
        return self.count


def streamed(rows: Callable[[], Iterator[Row]]) -> StreamedRows:
    """Go through rows once, and return them as rows that are parsed anew each time."""
    return StreamedRows(rows, *counted_rows(rows()))


def counted_rows(rows: Iterable[Row], *, keep_head: bool = True) -> tuple[int, int, tuple[Row, ...]]:
    """Go through rows, and return how many there are, the number of the last one, and the first ones if wanted."""
    count = last = characters = 0
    head: list[Row] = []
    for row in rows:
        count, last = count + 1, row.number
        if keep_head and count <= ROWS_OF_HEAD and characters < MAX_CHARACTERS_OF_HEAD:
            characters += sum(len(str(value)) for value in row.values.values())
            head.append(row)
    return count, last, tuple(head)


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
