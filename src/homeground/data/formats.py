"""The content of a table or of plain text: from a stream of text to columns and rows of values.

The parser is Python's own in its strictest setting, and every row is compared with the header: nothing is filled in,
dropped, renamed, or turned into another type.
"""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TextIO

from homeground.errors import DataError

IGNORED_COLUMN = "_"
"""The name of a column that is not read."""

TEXT_COLUMN = "text"
"""The name of the one column of plain text."""

MAX_FIELD_CHARACTERS = 1 << 26
"""Characters one CSV field may have; it bounds what an unclosed quote can swallow before it is reported."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""First characters a spreadsheet takes for a formula; such a text is written with an apostrophe before it."""

_SPREADSHEET_NUMBER = re.compile(r"[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class FieldLayout:
    """How a CSV or TSV file is written; ``columns`` names the fields of a file that has no header.

    Without ``quotes`` a quote is a plain character; a column named ``_`` in ``columns`` is ignored.
    """

    delimiter: str
    quotes: bool
    columns: tuple[str, ...] | None


@dataclass
class Parsed:
    """The columns of a file and its rows in order, parsed as they are taken, each with exactly these columns.

    Where lines are numbered, None stands for one that is no row. ``extra_fields`` counts the rows taken so far that had
    more fields than named columns; ``notes`` say what is odd about those taken so far, a sentence each.
    """

    columns: tuple[str, ...]
    values: Iterator[dict[str, object] | None]
    extra_fields: int = 0
    notes: list[str] = field(default_factory=list[str])


Parser = Callable[[str, TextIO, FieldLayout], Parsed]
"""A parser takes the path for its messages, the text, and the layout, which means nothing to JSON."""


def other_delimiter(header: str, used: str) -> str:
    """Return what a header seems to be separated by instead, as the option is typed, or nothing.

    >>> other_delimiter("text;label", ","), other_delimiter("text", ",")
    ("';'", '')
    """
    marks = (("\t", "tab"), (";", "';'"), ("|", "'|'"), (",", "','"))
    return next((name for mark, name in marks if mark in header and mark != used), "")


def delimiter_hint(header: str, used: str) -> str:
    """Return the end of a message for a header that seems to be separated by something else, or nothing.

    >>> delimiter_hint("text;label", ",")
    "; it looks like ';'-separated: use --delimiter ';'"
    >>> delimiter_hint("text", ",")
    ''
    """
    name = other_delimiter(header, used)
    return f"; it looks like {name}-separated: use --delimiter {name}" if name else ""


def csv_field(value: object) -> object:
    """Return a value as a field of a CSV file: what a spreadsheet would run gets an apostrophe, lists become JSON.

    >>> csv_field("=1+1"), csv_field("-5"), csv_field(["a"])
    ("'=1+1", '-5', '["a"]')
    """
    if isinstance(value, str):
        return "'" + value if value.startswith(FORMULA_STARTS) and not _SPREADSHEET_NUMBER.fullmatch(value) else value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | list | dict) else value


def parse_delimited(path: str, stream: TextIO, layout: FieldLayout) -> Parsed:
    """Return the rows of a CSV or TSV file; every value is a str, blank lines are skipped."""
    # Raised for the whole process and not lowered again: another thread may be in the middle of a file.
    csv.field_size_limit(max(MAX_FIELD_CHARACTERS, csv.field_size_limit()))
    records = _records(path, stream, layout)
    columns = layout.columns or next((tuple(fields) for _, fields in records), ())
    kept = [(place, name) for place, name in enumerate(columns) if layout.columns is None or name != IGNORED_COLUMN]
    _refuse_twins(path, kept)
    more_allowed = layout.columns is not None and not layout.quotes

    def values() -> Iterator[dict[str, object]]:
        for row, (line, fields) in enumerate(records, start=1):
            if len(fields) > len(columns) and more_allowed:
                parsed.extra_fields += 1
            elif len(fields) != len(columns):
                raise DataError.at(path, _length_problem(line, len(fields), columns, layout), row=row)
            yield {name: fields[place] for place, name in kept}

    parsed = Parsed(tuple(name for _, name in kept), values())
    return parsed


def _records(path: str, stream: TextIO, layout: FieldLayout) -> Iterator[tuple[int, list[str]]]:
    """Yield every record that is not a blank line, the header's first, with the line of the file it begins on."""
    first_line = last_line = stream.readline()
    first_end: bool | None = None

    def lines() -> Iterator[str]:
        nonlocal last_line
        for each in itertools.chain([first_line], stream):
            last_line = each
            yield each

    quoting = csv.QUOTE_MINIMAL if layout.quotes else csv.QUOTE_NONE
    reader = csv.reader(lines(), delimiter=layout.delimiter, quoting=quoting, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as problem:
            hint = delimiter_hint(first_line, layout.delimiter) if line == 1 and layout.columns is None else ""
            raise DataError.at(path, _quote_problem(str(problem), line, reader.line_num, hint)) from None
        if fields is None:
            return
        # A carriage return alone ends the lines of old Mac files; elsewhere it is text that its writer left unquoted.
        end = last_line.endswith("\r")
        first_end = end if first_end is None else first_end
        if end != first_end and last_line.endswith(("\r", "\n")):
            problem = f"line {reader.line_num} ends otherwise than those before it"
            raise DataError.at(path, f"{problem}; a text with a carriage return or line feed must stand in quotes")
        if fields:
            yield line, fields


def _quote_problem(problem: str, line: int, last_line: int, hint: str) -> str:
    if "unexpected end" in problem:
        problem = f"a quote is opened and not closed by the end of the file, line {last_line}"
    return f"line {line}: {problem}{hint or '; if quotes are plain characters in this file, use --quoting none'}"


def _length_problem(line: int, got: int, columns: tuple[str, ...], layout: FieldLayout) -> str:
    named = "the header has" if layout.columns is None else "--columns names"
    hint = delimiter_hint(columns[0], layout.delimiter) if len(columns) == 1 else ""
    advice = f"; a text that holds {json.dumps(layout.delimiter)} must stand in quotes" if got > len(columns) else ""
    fields = "1 field" if got == 1 else f"{got} fields"
    return f"line {line} has {fields}, {named} {len(columns)}{hint or advice}"


def _refuse_twins(path: str, columns: list[tuple[int, str]]) -> None:
    places: dict[str, int] = {}
    for place, name in columns:
        if name in places:
            called = f'are named "{name}"' if name else "have no name"
            raise DataError.at(path, f"columns {places[name] + 1} and {place + 1} {called}; rename one of them")
        places[name] = place


def parse_lines(path: str, stream: TextIO, layout: FieldLayout) -> Parsed:
    """Return the lines of plain text, a text a line, numbered as an editor numbers them; blank lines are no rows."""
    lines = (line.rstrip("\r\n") for line in stream)
    return Parsed((TEXT_COLUMN,), ({TEXT_COLUMN: line} if line.strip() else None for line in lines))
