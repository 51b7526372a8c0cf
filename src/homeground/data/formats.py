"""The content of a table or of plain text: from a stream of text to columns and rows of values.

The parser is Python's own in its strictest setting, and every row is compared with the header: nothing is filled in,
dropped, renamed, or turned into another type.
"""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, BinaryIO, TextIO

from homeground.data.evidence.headers import (
    ROWS_READ,
    header_problem,
    is_plain_number,
    reads_like_text,
    repeats_header,
)
from homeground.data.evidence.lines import LINES_READ, TABLE_NAMES, is_tag, refuse_other_lines
from homeground.errors import DataError

if TYPE_CHECKING:
    from _csv import Reader

IGNORED_COLUMN = "_"
"""The name of a column that is not read."""

TEXT_COLUMN = "text"
"""The name of the one column of plain text."""

FEWEST_ROWS_SWALLOWED = 3
"""Lines inside one field that look like rows, from which a missing quote is suspected."""

MAX_FIELD_CHARACTERS = 1 << 26
"""Characters one CSV field may have; it bounds what an unclosed quote can swallow before it is reported."""

_UNSEEN = r"\s\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"
_FORMULA = re.compile(rf"[\t\r]|[{_UNSEEN}]*[=+\-@\uff1d\uff0b\uff0d\uff20\u2212]")
"""What a spreadsheet takes for the beginning of a formula, full-width signs included, behind whatever it leaves out:
blanks, control characters and what is not seen. Such a text is written with an apostrophe before it."""

_SPREADSHEET_NUMBER = re.compile(r"[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?")


STAND_IN = "\x1f"
"""What stands for a delimiter of several characters while a line is parsed: the control character made for it."""


@dataclass(frozen=True)
class FieldLayout:
    """How a file is written; ``columns`` names the fields of a CSV or TSV file that has no header.

    Without ``quotes`` a quote is a plain character; a column named ``_`` in ``columns`` is ignored. With
    ``format_named`` the user has named the format, so that plain text is plain text whatever its lines look like.
    ``sheet`` is the one to read of a workbook.
    """

    delimiter: str
    quotes: bool
    columns: tuple[str, ...] | None
    format_named: bool = False
    sheet: str | None = None

    def reader(self, lines: Iterable[str]) -> Reader:
        """Return a reader of the records in lines; a delimiter of several characters is read as one that stands for it.

        Raises:
            csv.Error: a line holds the character that stands for the delimiter.
        """
        quoting = csv.QUOTE_MINIMAL if self.quotes else csv.QUOTE_NONE
        if len(self.delimiter) == 1:
            return csv.reader(lines, delimiter=self.delimiter, quoting=quoting, strict=True)
        return csv.reader(map(self._with_stand_in, lines), delimiter=STAND_IN, quoting=quoting, strict=True)

    def as_written(self, fields: list[str]) -> list[str]:
        """Return the fields of a record as the file has them: in quotes, a delimiter is text."""
        return fields if len(self.delimiter) == 1 else [each.replace(STAND_IN, self.delimiter) for each in fields]

    def _with_stand_in(self, line: str) -> str:
        if STAND_IN in line:
            raise csv.Error(f"holds the control character U+001F, with which --delimiter {self.delimiter} is read")
        return line.replace(self.delimiter, STAND_IN)


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

BinaryParser = Callable[[str, BinaryIO, FieldLayout], Parsed]
"""The same for a file that is no text."""


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

    >>> csv_field("=1+1"), csv_field(" =1+1"), csv_field("-5"), csv_field(["a"])
    ("'=1+1", "' =1+1", '-5', '["a"]')
    """
    if isinstance(value, str):
        return "'" + value if _FORMULA.match(value) and not _SPREADSHEET_NUMBER.fullmatch(value) else value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | list | dict) else value


def parse_delimited(path: str, stream: TextIO, layout: FieldLayout) -> Parsed:
    """Return the rows of a CSV or TSV file; every value is a str, blank lines are skipped."""
    # Raised for the whole process and not lowered again: another thread may be in the middle of a file.
    csv.field_size_limit(max(MAX_FIELD_CHARACTERS, csv.field_size_limit()))
    notes: list[str] = []
    first_line = stream.readline()
    if named := _EXCEL_SEPARATOR.fullmatch(first_line):
        layout = replace(layout, delimiter=named[1])
        notes.append(f'{path}: its first line, "{first_line.strip()}", is Excel\'s and names the separator')
        first_line = stream.readline()
    records = _records(path, first_line, stream, layout, lines_before=1 if named else 0)
    first = layout.columns or next((tuple(record.fields) for record in records), ())
    columns = tuple(name.removeprefix("\ufeff") for name in first)
    kept = [(place, name) for place, name in enumerate(columns) if layout.columns is None or name != IGNORED_COLUMN]
    _refuse_twins(path, kept)
    notes += _notes_on_names(path, columns) if layout.columns is None else []
    more_allowed = layout.columns is not None and not layout.quotes
    header = _Header(columns, layout.columns is None)

    def values() -> Iterator[dict[str, object]]:
        for row, record in enumerate(records, start=1):
            fields = record.fields
            if len(fields) > len(columns) and more_allowed:
                parsed.extra_fields += 1
            elif len(fields) != len(columns):
                raise DataError.at(path, _length_problem(record, columns, layout), row=row)
            if problem := _doubt(record, row, kept, header, layout):
                raise DataError.at(path, problem, row=row)
            if note := _swallowed(record, len(columns), layout):
                parsed.notes.append(f"{path}, row {row}: {note}")
            yield {name: fields[place] for place, name in kept}

    parsed = Parsed(tuple(name for _, name in kept), values(), notes=notes)
    return parsed


@dataclass(frozen=True)
class _Record:
    """The fields of a record, the line of the file it begins on, and its lines as they are written."""

    line: int
    fields: list[str]
    written: list[str]


def _records(
    path: str, first_line: str, stream: TextIO, layout: FieldLayout, *, lines_before: int
) -> Iterator[_Record]:
    """Yield every record that is not a blank line, the header's first."""
    last_line = first_line
    first_end: bool | None = None
    written: list[str] = []

    def lines() -> Iterator[str]:
        nonlocal last_line
        for each in itertools.chain([first_line], stream):
            last_line = each
            written.append(each)
            yield each

    reader = layout.reader(lines())
    while True:
        line = reader.line_num + 1 + lines_before
        try:
            fields = next(reader, None)
        except csv.Error as error:
            is_first = line == 1 + lines_before and layout.columns is None
            last = reader.line_num + lines_before
            hint = delimiter_hint(first_line, layout.delimiter) if is_first else ""
            problem = _quote_problem(str(error), line, last, "".join(written), hint)
            header = _unquoted_header(written, stream, layout) if is_first and not hint else ""
            raise DataError.at(path, f"{problem}{header}") from None
        if fields is None:
            return
        # A carriage return alone ends the lines of old Mac files; elsewhere it is text that its writer left unquoted.
        end = last_line.endswith("\r")
        first_end = end if first_end is None else first_end
        if end != first_end and last_line.endswith(("\r", "\n")):
            problem = f"line {reader.line_num + lines_before} ends otherwise than those before it"
            raise DataError.at(path, f"{problem}; a text with a carriage return or line feed must stand in quotes")
        if fields:
            yield _Record(line, layout.as_written(fields), written)
        written = []


_EXCEL_SEPARATOR = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*', re.IGNORECASE)
_QUOTES_ADVICE = "; if quotes are plain characters in this file, use --quoting none"
_BACKSLASH_QUOTE = re.compile(r'\\"(?!")|(?<=\w)\\"')


def _quote_problem(problem: str, line: int, last_line: int, written: str, hint: str) -> str:
    if _BACKSLASH_QUOTE.search(written):
        return f"line {line}: {_BACKSLASH_PROBLEM}"
    if "unexpected end" in problem:
        problem = f"a quote is opened and not closed by the end of the file, line {last_line}"
    elif last_line > line:
        problem = (
            f"a quote is opened and not closed on this line; it ends on line {last_line}, before more text; close it, "
            "or double the quotes inside the text"
        )
    return f"line {line}: {problem}{hint or _QUOTES_ADVICE}"


_BACKSLASH_PROBLEM = 'a quote is escaped by a backslash (\\"); CSV doubles it (""): replace \\" by ""'


def _unquoted_header(written: list[str], stream: TextIO, layout: FieldLayout) -> str:
    """Say that the first line of a file is data, if it is where quotes are plain characters."""
    lines = [*written, *itertools.islice(stream, ROWS_READ)]
    rows = [line.rstrip("\r\n").split(layout.delimiter) for line in lines if line.strip()]
    rows = [row for row in rows if len(row) == len(rows[0])]
    problem = header_problem(rows[0], rows[1:], TABLE_NAMES)
    return f"; and {problem}" if problem else ""


def _length_problem(record: _Record, columns: tuple[str, ...], layout: FieldLayout) -> str:
    got, written = len(record.fields), "".join(record.written)
    named = "the header has" if layout.columns is None else "--columns names"
    advice = f"; a text that holds {json.dumps(layout.delimiter)} must stand in quotes" if got > len(columns) else ""
    if len(columns) == 1 and (hint := delimiter_hint(columns[0], layout.delimiter)):
        advice = hint
    elif layout.quotes and _BACKSLASH_QUOTE.search(written):
        advice = f"; {_BACKSLASH_PROBLEM}"
    elif layout.quotes and _space_before_quote(written, layout):
        advice = f"; {_SPACE_PROBLEM}"
    elif len({*map(_plain, record.fields)} & {*map(_plain, columns)}) * 2 > len(columns):
        advice = "; it looks like the header of another file: put only files with the same columns together"
    fields = "1 field" if got == 1 else f"{got} fields"
    return f"line {record.line} has {fields}, {named} {len(columns)}{advice}"


def _space_before_quote(written: str, layout: FieldLayout) -> bool:
    """Tell whether a field is written with a space before its quote; one whose quoted text begins so is none."""
    return re.search(f'(^|{re.escape(layout.delimiter)}) +"', written, re.MULTILINE) is not None


_SPACE_PROBLEM = "a space before a quote makes it a plain character; take out the spaces after the separator"


class _Header:
    """Tells whether a row repeats the header of a file; one whose cells recur singly is data and no header."""

    def __init__(self, columns: tuple[str, ...], is_in_file: bool) -> None:
        self._columns = columns
        is_data = any(reads_like_text(name) or is_plain_number(name) or is_tag(name) for name in columns)
        self._names = is_in_file and not is_data

    def is_repeated(self, fields: list[str]) -> bool:
        if not self._names:
            return False
        if repeats_header(fields, self._columns):
            return True
        self._names = not any(map(str.__eq__, fields, self._columns))
        return False


def _doubt(record: _Record, row: int, kept: list[tuple[int, str]], header: _Header, layout: FieldLayout) -> str | None:
    """Return why a row with the right number of fields is not one as its writer meant it, or None."""
    fields = record.fields
    if (
        layout.quotes
        and any(' "' in line for line in record.written)
        and any(field.startswith(' "') and field.rstrip().endswith('"') for field in fields)
        and _space_before_quote("".join(record.written), layout)
    ):
        return f"line {record.line}: {_SPACE_PROBLEM}{_QUOTES_ADVICE}"
    if header.is_repeated(fields):
        return f"line {record.line} repeats the header, as where files were put together; take it out"
    if layout.columns is not None and row == 1 and all(_plain(fields[place]) == _plain(name) for place, name in kept):
        return f"line {record.line} holds the names of --columns; leave out --no-header and --columns"
    return None


def _swallowed(record: _Record, width: int, layout: FieldLayout) -> str | None:
    """Say that a field over several lines holds what look like rows, as where a quote was not closed."""
    inner = record.written[1:-1]
    if len(inner) < FEWEST_ROWS_SWALLOWED or width < 2 or not layout.quotes:
        return None
    try:
        widths = {len(fields) for fields in layout.reader(inner)}
    except csv.Error:
        return None
    if widths != {width}:
        return None
    return (
        f"a field holds {len(inner)} whole lines that look like rows of their own; is a quote not closed on line "
        f"{record.line}?"
    )


def _notes_on_names(path: str, columns: tuple[str, ...]) -> list[str]:
    spaced = [name for name in columns if name != name.strip()]
    if not spaced:
        return []
    listed = ", ".join(f'"{name}"' for name in spaced)
    return [f"{path}: the names {listed} begin or end with a space; such spaces are part of names and values here"]


def _plain(name: str) -> str:
    return name.strip().casefold()


def _refuse_twins(path: str, columns: list[tuple[int, str]]) -> None:
    places: dict[str, int] = {}
    for place, name in columns:
        if name in places:
            called = f'are named "{name}"' if name else "have no name"
            raise DataError.at(path, f"columns {places[name] + 1} and {place + 1} {called}; rename one of them")
        places[name] = place


def parse_lines(path: str, stream: TextIO, layout: FieldLayout) -> Parsed:
    """Return the lines of plain text, a text a line, numbered as an editor numbers them; blank lines are no rows."""
    head = list(itertools.islice(stream, LINES_READ))
    if not layout.format_named:
        refuse_other_lines(path, head)
    lines = (line.rstrip("\r\n") for line in itertools.chain(head, stream))
    return Parsed((TEXT_COLUMN,), ({TEXT_COLUMN: line} if line.strip() else None for line in lines))
