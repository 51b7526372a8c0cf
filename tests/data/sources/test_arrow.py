"""Parquet is read value by value as it was written, or refused with the column."""

from __future__ import annotations

import datetime
import decimal
import gzip
import sys
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from homeground.data.tables import read_table
from homeground.errors import DataError


def write(path: Path, **columns: object) -> Path:
    parquet.write_table(pyarrow.table(columns), path, row_group_size=2)
    return path


def test_values_are_as_they_were_written(tmp_path: Path) -> None:
    columns = {
        "text": ["NA", "", " null ", "日本\0\r\n", None],
        "number": [1, -(2**62), 0, 3, None],
        "share": [0.1, 3.0, float("nan"), float("inf"), None],
        "flag": [True, False, None, True, True],
        "labels": [["a", "b"], [], None, ["c", None], ["d"]],
        "category": pyarrow.array(["x", "y", "x", None, "x"]).dictionary_encode(),
        "day": [datetime.date(2024, 1, 2)] * 4 + [None],
        "time": pyarrow.array([1700000000123456789] * 5, pyarrow.timestamp("ns", "UTC")),
        "price": [decimal.Decimal("1.50")] * 5,
        "nothing": pyarrow.nulls(5),
    }
    table = read_table(write(tmp_path / "a.parquet", **columns))
    assert table.columns == tuple(columns)
    assert (table.format, [row.number for row in table.rows]) == ("parquet", [1, 2, 3, 4, 5])
    read = {name: [row.values[name] for row in table.rows] for name in columns}
    for name in ("text", "number", "flag", "labels"):
        assert read[name] == columns[name]
        assert [type(value) for value in read[name]] == [type(value) for value in columns[name]]
    assert read["share"] == [0.1, 3.0, None, float("inf"), None]
    assert read["category"] == ["x", "y", "x", None, "x"]
    assert read["day"] == ["2024-01-02"] * 4 + [None]
    assert read["time"] == ["2023-11-14T22:13:20.123456+00:00"] * 5
    assert read["price"] == ["1.50"] * 5
    assert read["nothing"] == [None] * 5


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ([{"x": 1}], "is nested (struct<x: int64>)"),
        ([[{"x": 1}]], "is nested (struct<x: int64>)"),
        (
            pyarrow.array([[("a", 1)]], pyarrow.map_(pyarrow.string(), pyarrow.int64())),
            "is nested (map<string, int64",
        ),
        ([b"\xff"], "holds bytes; expected text, numbers or lists of them: leave it out"),
    ],
)
def test_a_column_without_plain_values_is_refused_by_its_name(tmp_path: Path, values: object, problem: str) -> None:
    path = write(tmp_path / "a.parquet", text=["a"], more=values)
    with pytest.raises(DataError) as refused:
        read_table(path)
    assert str(refused.value).startswith(f'{path}: column "more" {problem}')


def test_what_is_no_parquet_is_named_with_the_way_to_read_it(tmp_path: Path) -> None:
    content = write(tmp_path / "whole.parquet", text=["a"]).read_bytes()
    for name, data, problem in (
        ("cut.parquet", content[:-9], "cannot be read as Parquet"),
        ("text.parquet", b"text,label\na,b\n", "holds text and is no Parquet file; .*: add --format csv"),
        ("lines.parquet", b'{"text": "a"}\n', "its lines are JSON objects: add --format jsonl"),
        ("packed.parquet", gzip.compress(content), "is compressed by gzip; unpack it"),
        ("empty.parquet", b"", "is empty"),
        ("table.csv", content, "is a Parquet file; add --format parquet"),
        ("secret.parquet", b"PARE\x15\x04", "is an encrypted Parquet file; write it again without encryption"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=problem):
            read_table(tmp_path / name)
    assert len(read_table(tmp_path / "table.csv", format="parquet").rows) == 1


def test_two_columns_of_one_name_and_a_table_without_rows_are_refused(tmp_path: Path) -> None:
    twins = pyarrow.table([["a"], ["b"]], names=["text", "text"])
    parquet.write_table(twins, tmp_path / "twins.parquet")
    with pytest.raises(DataError, match='more than one column "text"'):
        read_table(tmp_path / "twins.parquet")
    with pytest.raises(DataError, match="holds no rows of data"):
        read_table(write(tmp_path / "none.parquet", text=pyarrow.array([], pyarrow.string()), label=pyarrow.nulls(0)))


def test_without_its_library_the_command_that_installs_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.parquet", text=["a"])
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(DataError, match=r"pyarrow.* not installed.*: pip install 'homeground\[parquet\]'"):
        read_table(path)
