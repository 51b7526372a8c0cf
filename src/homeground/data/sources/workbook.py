"""A sheet of an Excel workbook as a table of rows: each value as a person typed it, as a CSV file would have it.

The first row with values holds the names. What has no one meaning as a table is refused with the cell: merged cells,
values below no name, formulas that were never calculated, and errors such as #REF!.
"""

from __future__ import annotations

import datetime
import itertools
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from homeground.data.formats import FieldLayout, Parsed
from homeground.data.sources.extras import library
from homeground.errors import DataError, UsageError, nearest

MAX_UNPACKED_BYTES = 4 << 30
MAX_UNPACKING_RATIO = 200
RATIO_FREE_BYTES = 64 << 20
"""What a workbook, which is a zip archive, may unpack to: as of files that are compressed by gzip."""

BYTES_AT_ONCE = 1 << 20
MACROS = "xl/vbaProject.bin"
CONTENT_TYPES = "[Content_Types].xml"

_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*ref="([A-Z0-9:]+)"')

_ESCAPED = re.compile("_x(00[01][0-9A-Fa-f]|005[Ff])_")
"""How a workbook writes control characters, and an underscore where the text looks like that."""

Cells = Sequence[Any]


def parse_workbook(path: str, stream: BinaryIO, layout: FieldLayout) -> Parsed:
    """Return the rows of one sheet of a workbook, in order; rows without values are skipped and not counted.

    Raises:
        DataError: it is no workbook that can be read, or has several sheets and none is named.
        UsageError: it has no sheet of the name.
    """
    openpyxl = library(path, "an Excel workbook", "openpyxl", extra="excel")
    _refuse_archive(path, stream)
    books = [_open(openpyxl, path, stream, data_only=data_only) for data_only in (True, False)]
    name, notes = _choose(path, books[0], layout.sheet)
    sheet, formulas = (book[name] for book in books)
    # What a damaged or careless writer says of the size of a sheet is not believed.
    sheet.reset_dimensions()
    formulas.reset_dimensions()
    _refuse_merged(path, stream, sheet)
    rows = _filled_rows(path, sheet, formulas)
    header = next(rows, None)
    columns = _columns(path, header) if header else {}
    return Parsed(tuple(columns.values()), _values(path, columns, rows), notes=notes)


def _open(openpyxl: Any, path: str, stream: BinaryIO, *, data_only: bool) -> Any:
    stream.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and other parts of a workbook that hold no values
            return openpyxl.load_workbook(stream, read_only=True, data_only=data_only, keep_links=False)
    except Exception as problem:  # whatever an archive of wrong parts makes openpyxl raise
        reason = " ".join(f"{problem}".split())[:120]
        raise DataError.at(path, f"cannot be read as an Excel workbook ({reason}); save it again as .xlsx") from None


def _refuse_archive(path: str, stream: BinaryIO) -> None:
    """Refuse what is no plain .xlsx: an archive that is damaged, unpacks beyond bounds, or has macros."""
    stored = stream.seek(0, 2)
    try:
        with zipfile.ZipFile(stream) as archive:
            infos = archive.infolist()
            has_macros = b"macroEnabled" in archive.read(CONTENT_TYPES) or MACROS in archive.namelist()
    except (zipfile.BadZipFile, KeyError, OSError, NotImplementedError, RuntimeError, zlib.error) as problem:
        raise DataError.at(path, f"is a damaged workbook ({problem}); save it again") from None
    if has_macros or path.lower().endswith(".xlsm"):
        raise DataError.at(path, "is an Excel workbook with macros (.xlsm); save it as .xlsx, without them")
    unpacked = sum(info.file_size for info in infos)
    if unpacked > min(MAX_UNPACKED_BYTES, max(RATIO_FREE_BYTES, MAX_UNPACKING_RATIO * stored)):
        raise DataError.at(path, f"unpacks to {unpacked >> 20} MiB from {stored} bytes; save the sheet as CSV")


def _choose(path: str, book: Any, wanted: str | None) -> tuple[str, list[str]]:
    """Return the name of the sheet to read: the one that is wanted, or the only one with values."""
    names = [sheet.title for sheet in book.worksheets]
    if wanted is not None:
        if wanted not in names:
            raise UsageError(f'--sheet "{wanted}": {path} has no such sheet; {nearest(wanted, names)}')
        return wanted, []
    if len(names) == 1:
        return names[0], []
    filled = [name for name in names if _has_values(path, book[name])]
    listed = ", ".join(f'"{name}"' for name in names)
    if len(filled) != 1:
        raise DataError.at(path, f"has {len(names)} sheets, {listed}; name one with --sheet")
    return filled[0], [f'{path}: of its sheets {listed} only "{filled[0]}" has values, and is read']


def _has_values(path: str, sheet: Any) -> bool:
    sheet.reset_dimensions()
    return any(cell.value is not None for row in _rows(path, sheet) for cell in row)


def _refuse_merged(path: str, stream: BinaryIO, sheet: Any) -> None:
    """Refuse merged cells, of which all but the first would be read as empty; they are listed after the rows."""
    with zipfile.ZipFile(stream) as archive, archive.open(sheet._worksheet_path) as part:
        end = b""
        while piece := part.read(BYTES_AT_ONCE):
            if found := _MERGED.search(end + piece):
                cells = found[1].decode()
                problem = f"the cells {cells} are merged; unmerge them, and write the value into each"
                raise DataError.at(path, f'sheet "{sheet.title}": {problem}')
            end = piece[-200:]


def _rows(path: str, sheet: Any) -> Iterator[Cells]:
    try:
        yield from sheet.iter_rows()
    except DataError:
        raise
    except Exception as problem:  # whatever a damaged sheet makes openpyxl raise
        reason = " ".join(f"{problem}".split())[:120]
        raise DataError.at(path, f'sheet "{sheet.title}" is damaged ({reason}); save it again') from None


def _filled_rows(path: str, sheet: Any, formulas: Any) -> Iterator[tuple[int, list[str]]]:
    """Yield the number in the sheet and the texts of every row that has any; a cell without a value is "".

    Where a value is missing, ``formulas`` says whether a formula stands there that nobody has calculated.
    """
    others = _rows(path, formulas)
    taken = 0
    for number, cells in enumerate(_rows(path, sheet), start=1):
        texts = [_text(path, cell) for cell in cells]
        if "" in texts:
            row = next(itertools.islice(others, number - 1 - taken, None), ())
            taken = number
            for cell, formula in zip(cells, row, strict=False):
                # The value of a formula that gives no text is "", which openpyxl reads as none of type "str".
                if cell.value is None and formula.value is not None and cell.data_type != "str":
                    problem = f"cell {_place(formula)} holds a formula without its value; open and save it in Excel"
                    raise DataError.at(path, f"{problem}, or replace the formula by its value")
        if any(texts):
            yield number, texts


def _columns(path: str, header: tuple[int, list[str]]) -> dict[int, str]:
    """Return the place of every column that has a name, and the name."""
    columns = {place: name for place, name in enumerate(header[1]) if name}
    names = list(columns.values())
    if twins := [name for name in names if names.count(name) > 1]:
        raise DataError.at(path, f'row {header[0]} of the sheet names two columns "{twins[0]}"; rename one of them')
    return columns


def _values(
    path: str, columns: dict[int, str], rows: Iterable[tuple[int, list[str]]]
) -> Iterator[dict[str, object] | None]:
    width = max(columns, default=-1) + 1
    for number, texts in rows:
        for place, text in enumerate(texts):
            if text and place not in columns:
                problem = f"cell {_letters(place)}{number} holds a value in a column without a name"
                raise DataError.at(path, f"{problem}; the first row with values must hold the names of all columns")
        padded = texts + [""] * (width - len(texts))
        yield {name: padded[place] for place, name in columns.items()}


def _text(path: str, cell: Any) -> str:
    """Return the value of a cell as text, "" for none."""
    value = cell.value
    if value is None or isinstance(value, str):
        if value and cell.data_type == "e":
            raise DataError.at(path, f"cell {_place(cell)} holds the error {value}; mend its formula, or empty it")
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value) if value else ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime.datetime):
        is_day = value.time() == datetime.time() and "h" not in str(cell.number_format).lower()
        return value.date().isoformat() if is_day else value.isoformat(sep=" ")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


def _place(cell: Any) -> str:
    return f"{_letters(cell.column - 1)}{cell.row}"


def _letters(place: int) -> str:
    """Return the letters of a column, counted from 0.

    >>> _letters(0), _letters(25), _letters(26), _letters(701)
    ('A', 'Z', 'AA', 'ZZ')
    """
    letters, number = "", place + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
