"""A sheet is read as a person typed it; what has no one meaning as a table is refused with its cell."""

from __future__ import annotations

import datetime
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from homeground.data.corpus import read_file
from homeground.data.tables import Table, read_table
from homeground.errors import DataError, UsageError
from homeground.recipe.recipe import make_recipe


def write(path: Path, *rows: list[Any], change: Callable[[Any], object] = lambda sheet: None) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    change(book.active)
    book.save(path)
    return path


def replace_in(path: Path, part: str, old: str, new: str) -> None:
    """Change a part of a workbook as other programs than openpyxl write it."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[part], times = re.subn(old.encode(), new.encode(), parts[part])
    assert times
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def contents(table: Table) -> list[tuple[object, ...]]:
    return [tuple(row.values.values()) for row in table.rows]


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(DataError) as refused:
        read_table(path, **options)
    return str(refused.value).removeprefix(f"{path}: ")


def test_values_are_as_a_person_typed_them(tmp_path: Path) -> None:
    day, moment = datetime.date(2024, 1, 2), datetime.datetime(2024, 1, 2, 3, 4)
    typed = ["NA", 3, 3.0, 0.25, 12345678901, True, day, moment, "007", " a ", "日本", None]
    names = [f"c{place}" for place in range(len(typed))]
    table = read_table(write(tmp_path / "a.xlsx", names, typed))
    assert table.columns == tuple(names)
    assert contents(table) == [
        ("NA", "3", "3", "0.25", "12345678901", "TRUE", "2024-01-02", "2024-01-02 03:04:00", "007", " a ", "日本", "")
    ]


def test_rows_and_columns_without_values_are_no_part_of_the_table(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.xlsx", [], [None, "text", None, "label"], [None, "a", None, "x"], [], [None, "b"], [], []
    )
    table = read_table(path)
    assert (table.columns, contents(table)) == (("text", "label"), [("a", "x"), ("b", "")])
    assert [row.number for row in table.rows] == [1, 2]


def test_the_only_sheet_with_values_is_read_and_of_several_the_one_that_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx", ["text"], ["a"], change=lambda sheet: sheet.parent.create_sheet("Two"))
    table = read_table(path)
    assert contents(table) == [("a",)]
    assert table.notes == (f'{path}: of its sheets "Sheet", "Two" only "Sheet" has values, and is read',)

    def fill(sheet: Any) -> None:
        second = sheet.parent.create_sheet("Two")
        second.append(["text"])
        second.append(["b"])

    path = write(tmp_path / "b.xlsx", ["text"], ["a"], change=fill)
    assert refusal(path) == 'has 2 sheets, "Sheet", "Two"; name one with --sheet'
    assert contents(read_table(path, sheet="Two")) == [("b",)]
    with pytest.raises(UsageError, match=r'--sheet "two": .* no such sheet; did you mean "Two"'):
        read_table(path, sheet="two")


def test_what_has_no_one_meaning_is_refused_with_its_cell(tmp_path: Path) -> None:
    rows = ["text", "label"], ["a", "x"], ["b", "y"]
    merged = write(tmp_path / "merged.xlsx", *rows, change=lambda sheet: sheet.merge_cells("B2:B3"))
    assert refusal(merged).startswith('sheet "Sheet": the cells B2:B3 are merged; unmerge them')
    title = write(tmp_path / "title.xlsx", ["All my texts"], *rows)
    assert refusal(title).startswith("cell B2 holds a value in a column without a name; the first row with values must")
    twins = write(tmp_path / "twins.xlsx", ["text", "text"], ["a", "b"])
    assert 'row 1 of the sheet names two columns "text"' in refusal(twins)
    error = write(tmp_path / "error.xlsx", *rows, ["#N/A", "x"])
    assert refusal(error).startswith("cell A4 holds the error #N/A")
    formula = write(tmp_path / "formula.xlsx", *rows, ["=1+2", "x"])
    assert refusal(formula).startswith("cell A4 holds a formula without its value; open and save it in Excel")


def test_a_formula_has_the_value_that_was_calculated_even_if_it_is_no_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx", ["text", "label"], ["a", "=1+2"], ["b", "=1+3"])
    sheet = "xl/worksheets/sheet1.xml"
    replace_in(path, sheet, r'<c r="B2"[^>]*><f>1\+2</f><v[^>]*>(</v>)?', '<c r="B2"><f>1+2</f><v>3</v>')
    replace_in(path, sheet, r'<c r="B3"[^>]*><f>1\+3</f><v[^>]*>(</v>)?', '<c r="B3" t="str"><f>""</f><v></v>')
    assert contents(read_table(path)) == [("a", "3"), ("b", "")]


def test_what_is_no_plain_workbook_is_refused_with_what_to_do(tmp_path: Path) -> None:
    content = write(tmp_path / "whole.xlsx", ["text"], ["a"]).read_bytes()
    folder = b"R\0o\0o\0t\0" + bytes(120) + "EncryptedPackage".encode("utf-16-le")
    encrypted = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(22) + b"\x09\0" + bytes(16) + b"\0\0\0\0"
    for name, data, problem in (
        ("cut.xlsx", content[: len(content) // 2], "is a damaged or unfinished Excel workbook"),
        ("text.xlsx", b"text,label\na,b\n", r"holds text and is no Excel workbook \(.xlsx\); .*: add --format csv"),
        ("noise.xlsx", bytes(range(256)) * 4, "holds binary data of no known kind and is no Excel workbook"),
        ("table.csv", content, r"is an Excel workbook \(.xlsx\); add --format xlsx"),
        ("macros.xlsm", content, r"is an Excel workbook with macros \(.xlsm\); save it as .xlsx"),
        ("old.xls", encrypted.ljust(2000, b"\0"), r"is an old Excel or Word file \(.xls, .doc\); save it as .xlsx"),
        ("secret.xlsx", encrypted.ljust(512, b"\0") + folder, "protected by a password; take the password off"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=problem):
            read_table(tmp_path / name)
    assert len(read_table(tmp_path / "table.csv", format="xlsx").rows) == 1
    replace_in(tmp_path / "whole.xlsx", "[Content_Types].xml", "spreadsheetml.sheet.main", "macroEnabled.main")
    assert refusal(tmp_path / "whole.xlsx").startswith("is an Excel workbook with macros")


def test_without_its_library_the_command_that_installs_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.xlsx", ["text"], ["a"])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert refusal(path) == (
        "is an Excel workbook, which openpyxl reads and is not installed; install it: pip install 'homeground[excel]'"
    )


def test_a_first_row_of_data_is_not_taken_for_names(tmp_path: Path) -> None:
    rows = [[f"This is the text of number {number}, no name.", "ab"[number % 2]] for number in range(20)]
    path = write(tmp_path / "a.xlsx", *rows)
    with pytest.raises(DataError, match=r"its first line is data and no names: .*; write a row of names above it; if"):
        read_file(str(path), make_recipe(data=path))
    path = write(tmp_path / "b.xlsx", ["text", "label"], *rows)
    assert len(read_file(str(path), make_recipe(data=path)).rows) == 20
