"""Several files are one table, whose errors name the file and the row in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeground.data import streams
from homeground.data.streams import open_rows, require_source
from homeground.data.tables import text
from homeground.errors import DataError
from homeground.recipe.files import join_files, split_files
from homeground.recipe.recipe import make_recipe, read_recipe


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "a.csv").write_text("text,label\none,x\ntwo,y\n")
    (tmp_path / "b.csv").write_text("label,text\nx,three\n")
    (tmp_path / "c.jsonl").write_text('{"text": "four", "label": "x"}\n{"text": 5, "label": "y"}\n')
    return tmp_path


@pytest.mark.parametrize("limit", [1 << 20, 0])
def test_rows_of_several_files_are_numbered_through(files: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(streams, "MAX_BYTES_IN_MEMORY", limit)
    for named in (f"{files}/*.csv", f"{files}/a.csv, {files}/b.csv"):
        table = open_rows(named)
        assert table.columns == ("text", "label")
        assert [(row.number, *row.values.values()) for row in table.rows] == [
            (1, "one", "x"),
            (2, "two", "y"),
            (3, "three", "x"),
        ]
        assert list(table.rows) == list(table.rows)
        assert (len(table.rows), table.path) == (3, named)
        assert table.notes == (f"{named}: 2 files, {files}/a.csv (2 rows), {files}/b.csv (1 row)",)
    same, other = open_rows(f"{files}/[ab].csv").sha256, open_rows(f"{files}/b.csv,{files}/a.csv").sha256
    assert same == open_rows(f"{files}/*.csv").sha256 != other


def test_an_error_names_the_file_and_the_row_in_it(files: Path) -> None:
    table = open_rows(f"{files}/a.csv,{files}/c.jsonl")
    assert [text(table, row, "text") for row in list(table.rows)[:3]] == ["one", "two", "four"]
    with pytest.raises(DataError, match=r"c\.jsonl, row 2: column \"text\" holds 5; expected text"):
        text(table, list(table.rows)[3], "text")
    (files / "b.csv").write_text("text,label\nthree\n")
    with pytest.raises(DataError, match=r"b\.csv, row 1: line 2 has 1 field"):
        open_rows(f"{files}/*.csv")


def test_files_of_other_columns_and_patterns_without_files_are_refused(files: Path) -> None:
    (files / "d.csv").write_text("text,labels\nfive,x\n")
    with pytest.raises(DataError, match=r'd\.csv: has no column "label", which .*a\.csv has; did you mean "labels"'):
        open_rows(f"{files}/*.csv")
    (files / "d.csv").write_text("text,label,more\nfive,x,y\n")
    with pytest.raises(DataError, match=r'd\.csv: has a column "more", which .*a\.csv has not'):
        open_rows(f"{files}/*.csv")
    for named, problem in (
        (f"{files}/*.tsv", "no file matches this pattern"),
        (f"{files}/a.csv,{files}/z.csv", r"z\.csv: no such file"),
    ):
        for read in (open_rows, require_source):
            with pytest.raises(DataError, match=problem):
                read(named)


def test_names_with_commas_and_brackets_are_names_first(tmp_path: Path) -> None:
    for name in ("a,b.csv", "c[1].csv"):
        (tmp_path / name).write_text("text\none\n")
        assert len(open_rows(tmp_path / name).rows) == 1
    both = join_files([str(tmp_path / "a,b.csv"), str(tmp_path / "c[1].csv")])
    assert split_files(both) == [str(tmp_path / "a,b.csv"), str(tmp_path / "c[1].csv")]
    assert len(open_rows(both).rows) == 2


def test_several_files_of_a_recipe_are_relative_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text("text\none\n")
    (tmp_path / "runs" / "x").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    recipe = make_recipe(data=["one.csv", Path("two.csv")], test="*.csv")
    assert recipe.data == "one.csv,two.csv"
    (tmp_path / "runs" / "x" / "recipe.toml").write_text(recipe.to_toml(Path("runs/x")))
    again = make_recipe(read_recipe("runs/x/recipe.toml"))
    assert len(open_rows(again.data).rows) == len(open_rows(str(again.split.test)).rows) == 2
