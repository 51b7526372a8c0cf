"""Whatever a table holds, in whatever format it is written, it is read back equal or refused, never misread.

HOMEGROUND_EXAMPLES sets how many tables are drawn: HOMEGROUND_EXAMPLES=10000 pytest tests/data/test_round_trip.py
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import string
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from pyarrow import parquet

from homeground.data.sources.in_memory import takes_tables
from homeground.data.streams import open_rows
from homeground.errors import DataError

EXAMPLES = int(os.environ.get("HOMEGROUND_EXAMPLES", "60"))

Rows = list[dict[str, object]]

SPECIAL = st.sampled_from(
    [
        *"\0\"',;|\t\n\r\ufeff\u2028\x85\x0b\x1a\\={[#@",
        "\r\n",
        '""',
        '"a,b"',
        ' "x"',
        "NA",
        "null",
        "nan",
        "sep=;",
        "_x000D_",
    ]
)
CELLS = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=12),
    st.lists(st.one_of(SPECIAL, st.text("ab ", max_size=3)), max_size=6).map("".join),
)
CELLS_OF_WORKBOOK = CELLS.map(lambda text: ILLEGAL_CHARACTERS_RE.sub("", text))
NAMES = st.lists(st.text(string.ascii_letters + "é日 .", min_size=1, max_size=6), min_size=1, max_size=4, unique=True)
VALUES = st.one_of(
    CELLS,
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False),
    st.lists(CELLS, max_size=2),
)


def delimited(rows: Rows, delimiter: str) -> bytes:
    written = io.StringIO(newline="")
    # Until Python 3.13 a writer leaves a carriage return unquoted, so it is told to quote everything.
    writer = csv.writer(written, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([list(rows[0]), *(list(row.values()) for row in rows)])
    return written.getvalue().encode()


def lines(rows: Rows) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def arrow(rows: Rows) -> pyarrow.Table:
    return pyarrow.table({name: pyarrow.array([row[name] for row in rows], pyarrow.string()) for name in rows[0]})


def write_parquet(rows: Rows, path: Path) -> None:
    parquet.write_table(arrow(rows), path)


def write_arrow(rows: Rows, path: Path) -> None:
    with pyarrow.ipc.new_stream(path, arrow(rows).schema) as writer:
        writer.write_table(arrow(rows), max_chunksize=2)


def write_workbook(rows: Rows, path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (list(rows[0]), *(list(row.values()) for row in rows)):
        book.active.append([None] * len(row))
        for column, value in enumerate(row, start=1):
            cell = book.active.cell(book.active.max_row, column)
            cell.value = str(value).replace("_x", "_x005F_x").replace("\r", "_x000D_")
            cell.data_type = "s"  # no formula, whatever it begins with
    book.save(path)


WRITERS: dict[str, Callable[[Rows, Path], object]] = {
    "a.csv": lambda rows, path: path.write_bytes(delimited(rows, ",")),
    "mark.csv": lambda rows, path: path.write_bytes(b"\xef\xbb\xbf" + delimited(rows, ",")),
    "a.tsv": lambda rows, path: path.write_bytes(delimited(rows, "\t")),
    "a.csv.gz": lambda rows, path: path.write_bytes(gzip.compress(delimited(rows, ","), 1)),
    "a.json": lambda rows, path: path.write_text(json.dumps(rows), encoding="utf-8"),
    "data.json": lambda rows, path: path.write_text(json.dumps({"data": rows}, indent=1), encoding="utf-8"),
    "a.jsonl": lambda rows, path: path.write_bytes(lines(rows)),
    "a.parquet": write_parquet,
    "a.arrow": write_arrow,
    "a.xlsx": write_workbook,
}
JSON = ("a.json", "data.json", "a.jsonl")


@st.composite
def tables(draw: st.DrawFn, values: st.SearchStrategy[object]) -> Rows:
    names = draw(NAMES)
    rows = draw(st.lists(st.lists(values, min_size=len(names), max_size=len(names)), min_size=1, max_size=6))
    return [dict(zip(names, row, strict=True)) for row in rows]


@pytest.mark.parametrize("name", WRITERS)
def test_what_a_format_holds_is_read_back_equal_or_refused(name: str) -> None:
    read_back: Counter[bool] = Counter()

    @settings(max_examples=max(EXAMPLES // len(WRITERS), 8), deadline=None, database=None)
    @given(tables(VALUES if name in JSON else CELLS_OF_WORKBOOK if name == "a.xlsx" else CELLS))
    def check(rows: Rows) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name)
            WRITERS[name](rows, path)
            try:
                table = open_rows(path)
            except DataError as problem:
                refusal = str(problem)
            else:
                refusal = ""
            read_back[not refusal] += 1
            if refusal:
                assert refusal.startswith(str(path)) and "\n" not in refusal
                return
            filled = rows if name != "a.xlsx" else [row for row in rows if any(row.values())]
            assert [dict(row.values) for row in table.rows] == filled
            assert table.columns == tuple(rows[0])

    check()
    assert read_back[True]
    print(f"{name}: {read_back[True]} tables read, {read_back[False]} refused")


@settings(max_examples=max(EXAMPLES // len(WRITERS), 8), deadline=None)
@given(tables(VALUES))
def test_a_list_of_dicts_is_read_as_it_is(rows: Rows) -> None:
    @takes_tables
    def read(data: object) -> Rows:
        return [dict(row.values) for row in open_rows(str(data)).rows]

    assert read(rows) == rows
