"""From a file to a table of rows, read exactly or refused with the place; and from a value to text or a number.

`opening` makes sure that the bytes are text, `formats` takes the text apart. The words NA, null, None and nan stay
text, a NUL stays a NUL: what a value means is the task's choice, and `text` and `number` refuse what they do not mean.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypedDict, TypeGuard, Unpack, cast

from homeground.data.annotations.conll import parse_conll
from homeground.data.evidence.lines import LINES_READ, are_tagged, likely_format, token_problem
from homeground.data.formats import (
    IGNORED_COLUMN,
    TEXT_COLUMN,
    BinaryParser,
    FieldLayout,
    Parsed,
    Parser,
    other_delimiter,
    parse_delimited,
    parse_lines,
)
from homeground.data.json_rows import parse_json, parse_jsonl
from homeground.data.opening import (
    first_lines,
    open_binary,
    open_text,
    refuse_content,
    require_encoding,
    require_file,
)
from homeground.data.sources.arrow import parse_arrow_file, parse_parquet
from homeground.data.sources.workbook import parse_workbook
from homeground.errors import DataError, UsageError, nearest
from homeground.wording import printable

READERS: dict[str, Parser] = {
    "csv": parse_delimited,
    "tsv": parse_delimited,
    "json": parse_json,
    "jsonl": parse_jsonl,
    "txt": parse_lines,
    "conll": parse_conll,
}
BINARY_READERS: dict[str, BinaryParser] = {"parquet": parse_parquet, "arrow": parse_arrow_file, "xlsx": parse_workbook}
FORMATS = (*READERS, *BINARY_READERS)
SUFFIXES = {
    **{".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"},
    **{".txt": "txt", ".text": "txt", ".parquet": "parquet", ".pq": "parquet"},
    **{".arrow": "arrow", ".feather": "arrow", ".xlsx": "xlsx", ".xlsm": "xlsx", ".xls": "xlsx"},
    **dict.fromkeys((".conll", ".conllu", ".conllup", ".bio", ".iob", ".iob2", ".bioes", ".bmes"), "conll"),
}
ANNOTATION_SUFFIXES = {
    ".ann": "holds annotations of BRAT without their text; give the folder of both, or add --format brat",
    ".spacy": "holds documents of spaCy (DocBin), which only spaCy reads; write them as JSON Lines, a line "
    '{"text": doc.text, "spans": [[entity.start_char, entity.end_char, entity.label_] for entity in doc.ents]}',
}
"""The endings of names of annotations that are no table, and what to give instead."""

JSON_FORMATS = ("json", "jsonl")
TEXT_FORMATS = ("csv", "tsv", "txt", "xlsx")
DELIMITERS = {"csv": ",", "tsv": "\t"}

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of data; ``number`` counts them from 1, the header and blank lines not counted.

    The values are str for CSV, TSV and Excel, and what JSON has (str, int, float, bool, None, list, dict) for the rest.
    """

    number: int
    values: Mapping[str, object]


class TableRows(Protocol):
    """Rows that can be counted and gone through any number of times."""

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows in the order of the file."""
        ...

    def __len__(self) -> int:
        """Return how many there are."""
        ...


@dataclass(frozen=True)
class Table:
    """A file as it was read: ``rows`` in the order of the file, each with exactly ``columns``.

    ``sha256`` and ``size`` (bytes) are of the file as stored, so of the packed bytes of a ``.gz``; ``extra_fields``
    counts the rows that had more fields than named columns; ``notes`` say what is odd about the file, a sentence each;
    ``names`` are those of the files of a folder, a row each; ``parts`` are the files of which a table is made, if
    several, each with the number of its last row.
    """

    path: str
    format: str
    columns: tuple[str, ...]
    rows: TableRows
    sha256: str
    size: int
    extra_fields: int = 0
    notes: tuple[str, ...] = ()
    names: Sequence[str] = ()
    parts: tuple[tuple[str, int], ...] = ()

    @property
    def holds_text_only(self) -> bool:
        """Whether every value is a str, whatever it stands for."""
        return self.format in TEXT_FORMATS

    def error(self, problem: str, *, row: int | None = None, column: str | None = None) -> DataError:
        """Return the error for a place in it: of several files the one that the row is in, and its number there."""
        path, number = (self.path, None) if row is None else self.part(row)
        return DataError.at(path, problem, row=number, column=column)

    def part(self, row: int) -> tuple[str, int]:
        """Return the path of the file that a row is in, and its number there."""
        start = 0
        for path, end in self.parts:
            if row <= end:
                return path, row - start
            start = end
        return self.path, row


@dataclass(frozen=True)
class OpenTable:
    """A file being read: ``rows`` come one after the other and once, so that memory does not follow their number.

    ``sha256`` and ``size`` are as in ``Table``.
    """

    path: str
    format: str
    columns: tuple[str, ...]
    rows: Iterator[Row]
    sha256: str
    size: int

    def error(self, problem: str, *, row: int | None = None, column: str | None = None) -> DataError:
        """Return the error for a place in it."""
        return DataError.at(self.path, problem, row=row, column=column)


Origin = Table | OpenTable
"""Where rows come from, as errors name it."""


class ReadingOptions(TypedDict, total=False):
    r"""How a file is written, where its name does not tell.

    The format follows from the name (``.csv .tsv .json .jsonl .ndjson .txt``, each also with ``.gz``, ``.parquet`` and
    ``.xlsx``) unless it is given; ``sheet`` is the one to read of a workbook.
    ``delimiter`` is one or more characters, or ``tab`` or ``\t``; ``quoting="none"`` takes quotes as plain characters.
    ``header=False`` needs ``columns``, in which ``_`` stands for a field to ignore; with ``quoting="none"`` the rows of
    such a file may have more fields than names, as some of the STS Benchmark's do.
    """

    format: str | None
    delimiter: str | None
    quoting: Literal["minimal", "none"]
    encoding: str
    header: bool
    columns: Sequence[str] | None
    sheet: str | None


def read_table(path: str | os.PathLike[str], **options: Unpack[ReadingOptions]) -> Table:
    """Return the rows of a file, exactly as they are there.

    Raises DataError for a file that is missing, empty, damaged or in doubt, UsageError for options that do not fit.
    """
    with open_parsed(path, options) as (opened, parsed):
        return as_table(opened, parsed, list(opened.rows))


def as_table(opened: OpenTable, parsed: Parsed, rows: TableRows) -> Table:
    """Return the table of a file that was read to its end."""
    notes = tuple(parsed.notes)
    return Table(
        opened.path, opened.format, opened.columns, rows, opened.sha256, opened.size, parsed.extra_fields, notes
    )


@contextmanager
def open_table(path: str | os.PathLike[str], **options: Unpack[ReadingOptions]) -> Generator[OpenTable]:
    """Open a file whose rows are parsed as they are taken, each exactly as ``read_table`` gives it.

    The text of a ``.json`` array is in memory as a whole; of any other format a piece at a time is. What
    ``read_table`` raises for a row is raised when that row is reached, the rest of it before the first row.
    """
    with open_parsed(path, options) as (opened, _):
        yield opened


@contextmanager
def open_parsed(path: str | os.PathLike[str], options: ReadingOptions) -> Generator[tuple[OpenTable, Parsed]]:
    """Open a file as ``open_table`` does, with its parser, which has counted extra fields at the end."""
    name, encoding = os.fspath(path), options.get("encoding", "utf-8")
    require_encoding(encoding)
    require_file(name)
    format_name = _format(name, options.get("format"))
    layout = _layout(format_name, options)
    if format_name in BINARY_READERS:
        with open_binary(name, format_name) as stored:
            parsed = BINARY_READERS[format_name](name, stored.stream, layout)
            rows = _rows(name, parsed, size=stored.size)
            yield OpenTable(name, format_name, parsed.columns, rows, stored.sha256, stored.size), parsed
        return
    with open_text(name, encoding=encoding) as opened:
        parsed = READERS[format_name](name, opened.text, layout)
        parsed.notes[:0] = opened.notes
        rows = _rows(name, parsed, size=opened.size)
        yield OpenTable(name, format_name, parsed.columns, rows, opened.sha256, opened.size), parsed


ROWS_PER_REPORT = 10_000
_ON_ROWS: ContextVar[Callable[[str, int], None]] = ContextVar("on_rows", default=lambda _path, _rows: None)


@contextmanager
def rows_reported(on_rows: Callable[[str, int], None]) -> Generator[None]:
    """Call ``on_rows`` with the path of a file and the rows read so far, every ``ROWS_PER_REPORT`` of them."""
    token = _ON_ROWS.set(on_rows)
    try:
        yield
    finally:
        _ON_ROWS.reset(token)


def _rows(path: str, parsed: Parsed, *, size: int) -> Iterator[Row]:
    count, on_rows = 0, _ON_ROWS.get()
    for number, values in enumerate(parsed.values, start=1):
        if values is not None:
            count += 1
            yield Row(number, values)
            if count % ROWS_PER_REPORT == 0:
                on_rows(path, count)
    if count:
        return
    if size and len(parsed.columns) > 0 and parsed.columns != (TEXT_COLUMN,):
        names = ", ".join(f'"{name}"' for name in parsed.columns)
        raise DataError.at(path, f"holds no rows of data after its first line, {names}")
    raise DataError.at(path, "holds no rows of data" if size else "is empty")


def column_error(table: Origin, name: str) -> DataError:
    """Return the error for a column the table does not have: the nearest names, or the delimiter it seems to need."""
    separator = likely_delimiter(table)
    hint = f"; it looks like {separator}-separated: use --delimiter {separator}" if separator else ""
    return table.error(f'has no column "{name}"{hint or "; " + nearest(name, table.columns)}')


def likely_delimiter(table: Origin) -> str:
    """Return what seems to separate the fields of a table that has one column, as an option names it, or nothing."""
    if len(table.columns) == 1 and table.format in DELIMITERS:
        return other_delimiter(table.columns[0], DELIMITERS[table.format])
    return ""


def column_parts(table: Origin, name: str) -> tuple[str, ...]:
    """Return the columns that a name stands for: the one so called, else those between its commas.

    A name that holds a comma itself is quoted, as in CSV: ``"last, first",title``.
    """
    if name in table.columns:
        return (name,)
    return tuple(part for part in next(csv.reader([name], skipinitialspace=True), []) if part) or (name,)


def has_columns(table: Origin, name: str) -> bool:
    """Tell whether a table has the column, or every column, that a name stands for."""
    return all(part in table.columns for part in column_parts(table, name))


def require_column(table: Origin, name: str) -> None:
    """Raise DataError, with the nearest names, unless the table has the column, or every column, of a name."""
    for part in column_parts(table, name):
        if part not in table.columns:
            raise column_error(table, part)


def text(table: Origin, row: Row, column: str) -> str:
    """Return the text in one place; anything else (a JSON number, null or list) is a DataError that shows it.

    The texts of several columns (``title,content``) are joined by a space; those that are empty or null are left out.
    """
    if column not in row.values and len(parts := column_parts(table, column)) > 1:
        filled = (text(table, row, part).strip() for part in parts if row.values.get(part, "") is not None)
        return " ".join(part for part in filled if part)
    value = _value(table, row, column)
    if isinstance(value, str):
        return value
    advice = '; write "" and the row is skipped' if value is None else ""
    if isinstance(value, bool | int | float):
        advice = f'; in quotes it is text: "{json.dumps(value)}"'
    elif isinstance(value, dict) and value:
        keys = ", ".join(shown(key) for key in cast(dict[str, object], value))
        inner = next(iter(cast(dict[str, object], value)))
        advice = f'; it is an object with the keys {keys}: name one as a path, such as "{column}.{inner}"'
    raise table.error(f"holds {shown(value)}; expected text{advice}", row=row.number, column=column)


def group(table: Origin, row: Row, column: str | None) -> str | None:
    """Return the group of a row, None where the file has no such column; nothing in its place is a DataError."""
    if column is None:
        return None
    value = _value(table, row, column)
    if value is None or not str(value).strip():
        problem = "holds nothing; expected a group in every row, or no column of this name"
        raise table.error(problem, row=row.number, column=column)
    return str(value)


def number(table: Origin, row: Row, column: str) -> float:
    """Return the finite number in one place; words, true, nan, inf and decimal commas are DataErrors that show them."""
    written = _value(table, row, column)
    if (value := as_number(written)) is not None:
        return value
    expected = "expected a number"
    if isinstance(written, str) and as_number(written.replace(",", ".", 1)) is not None:
        expected = "expected a number with a decimal point"
    elif _is_number(written) or (isinstance(written, str) and _NUMBER.fullmatch(written.strip(" "))):
        expected = "expected a finite number"
    raise table.error(f"holds {shown(written)}; {expected}", row=row.number, column=column)


def as_number(value: object) -> float | None:
    """Return the finite number that a value is, or that it is as text; None for anything else.

    >>> as_number(" 0.5 "), as_number(3), as_number("high"), as_number(True), as_number("1e999")
    (0.5, 3.0, None, None, None)
    """
    if isinstance(value, str) and _NUMBER.fullmatch(digits := value.strip(" ")):
        value = float(digits)
    return float(value) if _is_number(value) and abs(value) <= sys.float_info.max else None


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def shown(value: object) -> str:
    r"""Return a value as an error message shows it: as JSON, cut after 60 characters, harmless to a terminal.

    >>> print(shown("high"), shown(True), shown("a\x1b[31m"))
    "high" true "a\u001b[31m"
    """
    if isinstance(value, str):
        written = json.dumps(value if len(value) <= 60 else value[:60] + "…", ensure_ascii=False)
    else:
        written = json.dumps(value, ensure_ascii=False, default=repr)
        written = written if len(written) <= 60 else written[:60] + "…"
    return printable(written)


def _value(table: Origin, row: Row, column: str) -> object:
    if column not in row.values:
        raise column_error(table, column)
    return row.values[column]


def _format(path: str, option: str | None) -> str:
    if option is None:
        suffix = Path(path.lower().removesuffix(".gz")).suffix
        if suffix in ANNOTATION_SUFFIXES:
            raise DataError.at(path, ANNOTATION_SUFFIXES[suffix])
        if suffix not in SUFFIXES:
            refuse_content(path)
            problem = f'its suffix "{suffix}" is of no format read here' if suffix else "its name has no suffix"
            lines = first_lines(path, LINES_READ)
            if are_tagged(lines):
                return "conll"
            if tokens := token_problem(lines):
                raise DataError.at(path, tokens)
            if kind := likely_format(lines):
                raise DataError.at(path, f"{problem}; {kind[1]}: add --format {kind[0]}")
            raise DataError.at(path, f"{problem}; name the format with --format ({', '.join(FORMATS)})")
        format_name = SUFFIXES[suffix]
        if format_name == "txt" and are_tagged(first_lines(path, LINES_READ)):
            return "conll"
        _refuse_other_format(path, format_name)
        return format_name
    if option not in FORMATS:
        raise UsageError(f'--format "{option}": no such format; {nearest(option, FORMATS)}')
    return option


def _refuse_other_format(path: str, format: str) -> None:
    """Refuse JSON that is named as a table, a table that is named as JSON, and words with tags under either name."""
    if format not in (*DELIMITERS, *JSON_FORMATS):
        return
    lines = first_lines(path, LINES_READ)
    if are_tagged(lines) and not all(line.strip() for line in lines):
        problem = "holds a word with its tag a line, and blank lines between sentences"
        raise DataError.at(path, f"is named .{format}, but {problem}: add --format conll")
    kind = likely_format(lines)
    if kind and (kind[0] in JSON_FORMATS) != (format in JSON_FORMATS):
        raise DataError.at(path, f"is named .{format}, but {kind[1]}: add --format {kind[0]}")


def _layout(format: str, options: ReadingOptions) -> FieldLayout:
    delimiter, columns = options.get("delimiter"), options.get("columns")
    quoting, header = options.get("quoting", "minimal"), options.get("header", True)
    plain = delimiter is None and quoting == "minimal" and header and columns is None
    if format not in DELIMITERS and not plain:
        raise UsageError(f"--delimiter, --quoting, --no-header and --columns are for csv and tsv; this is {format}")
    if options.get("sheet") is not None and format != "xlsx":
        raise UsageError(f"--sheet names one of a workbook (.xlsx); this is {format}")
    if format in BINARY_READERS and options.get("encoding", "utf-8") != "utf-8":
        raise UsageError(f"--encoding is for text; {format} has its own")
    chosen = delimiter if delimiter is not None else DELIMITERS.get(format, ",")
    chosen = "\t" if chosen in ("tab", r"\t") else chosen
    if not chosen or set(chosen) & set('"\r\n\0'):
        raise UsageError(f"--delimiter {shown(chosen)}: expected characters (no quote or line end), or tab")
    if quoting not in ("minimal", "none"):
        raise UsageError(f'--quoting "{quoting}": expected minimal or none')
    if header == (columns is not None):
        raise UsageError("--no-header and --columns go together: a file without a header needs names for its columns")
    if columns is not None and set(columns) <= {IGNORED_COLUMN}:
        raise UsageError(f'--columns names no column; expected names, with "{IGNORED_COLUMN}" for a field to ignore')
    return FieldLayout(
        delimiter=chosen,
        quotes=quoting == "minimal",
        columns=None if columns is None else tuple(columns),
        format_named=options.get("format") is not None,
        sheet=options.get("sheet"),
    )
