"""The content of a file: one parser per format, from a stream of text to columns and rows of values.

The parsers are Python's own in their strictest setting, and every row is compared with the header (with the first
object, in JSON): nothing is filled in, dropped, renamed, or turned into another type.
"""

from __future__ import annotations

import csv
import itertools
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TextIO, cast

from homeground.errors import DataError

IGNORED_COLUMN = "_"
"""The name of a column that is not read."""

TEXT_COLUMN = "text"
"""The name of the one column of plain text."""

MAX_FIELD_CHARACTERS = 1 << 26
"""Characters one CSV field may have; it bounds what an unclosed quote can swallow before it is reported."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""First characters a spreadsheet takes for a formula; such a text is written with an apostrophe before it."""

_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_BLANK = re.compile(r"[^ \t\r\n]|\Z")
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


def parse_json(path: str, stream: TextIO, layout: FieldLayout) -> Parsed:
    """Return the rows of a JSON file that is one array of objects; values are as JSON has them.

    The text of the array is in memory as a whole, its rows are not: an array has no line that ends a row.
    """
    return _parse_objects(path, _array_items(path, stream.read()))


def parse_jsonl(path: str, stream: TextIO, layout: FieldLayout) -> Parsed:
    """Return the rows of a JSON Lines file, one object per line; blank lines are skipped."""
    return _parse_objects(path, _line_items(path, stream))


def _parse_objects(path: str, items: Iterable[object]) -> Parsed:
    objects = (_object(path, item, row) for row, item in enumerate(items, start=1))
    first = next(objects, None)
    columns = tuple(first or ())

    def values() -> Iterator[dict[str, object]]:
        for row, item in enumerate(itertools.chain([] if first is None else [first], objects), start=1):
            for name in columns:
                if name not in item:
                    problem = "is missing; every object needs the keys of the first"
                    raise DataError.at(path, problem, row=row, column=name)
            if len(item) > len(columns):
                name = next(name for name in item if name not in columns)
                raise DataError.at(path, "is not in row 1; every object needs the same keys", row=row, column=name)
            # Built anew so that all rows share the key strings of the first.
            yield {name: item[name] for name in columns}

    return Parsed(columns, values())


def _object(path: str, item: object, row: int) -> dict[str, object]:
    if isinstance(item, dict) and item:
        return cast(dict[str, object], item)
    kinds: dict[type, str] = {dict: "an object without keys", list: "an array"}
    other = kinds.get(type(item), f"the value {json.dumps(item)[:60]}")
    raise DataError.at(path, f"is {other}; expected an object with a key per column", row=row)


def _array_items(path: str, text: str) -> Iterator[object]:
    """Yield the items of the array one by one, so that a broken one is reported by its row."""
    at = _next_mark(text, 0)
    if at == len(text):
        return
    if text[at] != "[":
        problem = f'begins with {json.dumps(text[at])}; expected an array of objects, "[{{...}}, ...]"'
        raise DataError.at(path, f"{problem}; if every line is one object, use --format jsonl")
    at = _next_mark(text, at + 1)
    row = 1
    while row > 1 or text[at : at + 1] != "]":
        item, at = _decode(path, text, at, row=row, line=1)
        yield item
        at = _next_mark(text, at)
        if text[at : at + 1] != ",":
            break
        at = _next_mark(text, at + 1)
        row += 1
    if text[at : at + 1] != "]":
        raise _broken(path, json.JSONDecodeError('expected "," or "]"', text, at), row=row, line=1)
    at = _next_mark(text, at + 1)
    if at < len(text):
        raise _broken(path, json.JSONDecodeError("text after the end of the array", text, at), row=row, line=1)


def _line_items(path: str, stream: TextIO) -> Iterator[object]:
    row = 0
    for line, written in enumerate(stream, start=1):
        at = _next_mark(written, 0)
        if at == len(written):
            continue
        row += 1
        if row == 1 and written[at] == "[":
            problem = 'begins with "["; expected one object per line'
            raise DataError.at(path, f"{problem}; for an array of objects, use --format json")
        item, at = _decode(path, written, at, row=row, line=line)
        at = _next_mark(written, at)
        if at < len(written):
            raise _broken(path, json.JSONDecodeError("more after the end of the object", written, at), row, line)
        yield item


def _next_mark(text: str, at: int) -> int:
    """Return the place of the first character from ``at`` on that is no blank in the sense of JSON."""
    match = _NOT_BLANK.search(text, at)
    return len(text) if match is None else match.start()


def _decode(path: str, text: str, at: int, *, row: int, line: int) -> tuple[object, int]:
    """Return the value that begins at ``at`` and the place where it ends; ``text`` begins on line ``line``."""
    try:
        item, end = _DECODER.raw_decode(text, at)
        if _SURROGATE_ESCAPE.search(text, at, end) and _LONE_SURROGATE.search(json.dumps(item, ensure_ascii=False)):
            raise ValueError("half of a surrogate pair, which is no character (an emoji cut in two?)")
    except json.JSONDecodeError as problem:
        raise _broken(path, problem, row, line) from None
    except RecursionError:
        raise DataError.at(path, "is nested too deeply to be read", row=row) from None
    except ValueError as problem:
        line += text.count("\n", 0, at)
        raise DataError.at(path, f"the object that begins on line {line} holds {problem}", row=row) from None
    return item, end


def _broken(path: str, problem: json.JSONDecodeError, row: int, line: int) -> DataError:
    place = f"line {line + problem.lineno - 1}, column {problem.colno}"
    return DataError.at(path, f"broken JSON at {place}: {problem.msg}", row=row)


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    item = dict(pairs)
    if len(item) < len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {json.dumps(twin)} twice")
    return item


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name}, which is not JSON; write null or a number")


def _finite(written: str) -> float:
    number = float(written)
    if math.isinf(number):
        shown = written if len(written) <= 60 else written[:60] + "…"
        raise ValueError(f"the number {shown}, which is too large to be read; write it as a text")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_keys, parse_constant=_refuse_constant, parse_float=_finite)
