"""Files that are not held: the same rows as of those that are, each time anew."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from homeground.data import streams
from homeground.data.streams import open_rows
from homeground.data.tables import read_table
from homeground.errors import DataError, UsageError


@pytest.fixture
def nothing_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_BYTES_IN_MEMORY", 0)


@pytest.mark.usefixtures("nothing_held")
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_rows_are_those_of_a_file_that_is_held(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    rows = [{"text": f'line "{number}"\nmore', "other": str(number)} for number in range(50)]
    if name.endswith("csv"):
        lines = ['"line ""{}""\nmore",{}'.format(*[row["other"]] * 2) for row in rows]
        path.write_text("text,other\n" + "\n".join(lines) + "\n")
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    held, streamed = read_table(path), open_rows(path)
    assert not isinstance(streamed.rows, list)
    assert [row.values for row in streamed.rows] == [row.values for row in held.rows] == rows
    assert list(streamed.rows) == list(streamed.rows)
    assert (len(streamed.rows), streamed.sha256, streamed.size) == (50, held.sha256, held.size)


@pytest.mark.usefixtures("nothing_held")
def test_a_bad_row_at_the_end_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,other\na,b\nc\n")
    with pytest.raises(DataError, match="row 2"):
        open_rows(path)


@pytest.mark.usefixtures("nothing_held")
def test_a_file_that_changes_between_two_readings_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"}\n')
    table = open_rows(path)
    path.write_text('{"text": "b"}\n')
    with pytest.raises(DataError, match="changed since"):
        list(table.rows)


@pytest.mark.usefixtures("nothing_held")
def test_a_folder_that_changes_between_two_readings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    table = open_rows(tmp_path)
    (tmp_path / "a.txt").write_text("two")
    with pytest.raises(DataError, match="changed since"):
        list(table.rows)


def test_a_folder_is_known_by_the_names_and_contents_of_its_files(tmp_path: Path) -> None:
    for place, name in (("one", "a.txt"), ("two", "a.txt"), ("three", "b.txt")):
        (tmp_path / place).mkdir()
        (tmp_path / place / name).write_text("text")
        (tmp_path / place / ".hidden.txt").write_text(place)
    hashes = [open_rows(tmp_path / place).sha256 for place in ("one", "two", "three")]
    assert hashes[0] == hashes[1] != hashes[2]


def test_an_encoding_is_asked_of_text_files_too(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("长江".encode("gb18030"))
    with pytest.raises(DataError, match="gb18030"):
        open_rows(tmp_path)
    assert next(iter(open_rows(tmp_path, encoding="gb18030").rows)).values == {"text": "长江"}
    with pytest.raises(UsageError, match="no such text encoding"):
        open_rows(tmp_path, encoding="utf-99")


def test_a_text_file_may_be_read_as_another_format(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text('{"text": "a"}\n')
    assert open_rows(path, format="jsonl").format == "jsonl"
    assert open_rows(path).format == "txt"


def test_every_text_file_of_a_folder_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    for name in ("B.TXT", "a.txt", "c.md", "sub/deep/d.Text", "empty.txt", ".git/x.txt", "table.csv", "sub/photo.png"):
        (tmp_path / name).write_text("" if name == "empty.txt" else f"<html> {name}")
    (tmp_path / "e.TXT.GZ").write_bytes(gzip.compress(b"packed"))
    table = open_rows(tmp_path)
    assert table.names == ("B.TXT", "a.txt", "c.md", "e.TXT.GZ", "empty.txt", "sub/deep/d.Text")
    texts = ["<html> B.TXT", "<html> a.txt", "<html> c.md", "packed", "", "<html> sub/deep/d.Text"]
    assert [row.values["text"] for row in table.rows] == texts
    assert table.notes == (f'{tmp_path}: 2 files are no text and not read: "sub/photo.png", "table.csv"',)


def test_a_folder_without_texts_names_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("text\na\n")
    with pytest.raises(
        DataError, match=r'a folder without text files \(.txt, .*\); it holds "data.csv"; give a folder'
    ):
        open_rows(tmp_path)


def test_a_file_of_a_folder_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.txt").write_bytes(b"%PDF-1.7\n")
    with pytest.raises(DataError, match=r"b.txt: is a PDF"):
        open_rows(tmp_path)


def test_packed_lines_are_read_as_lines_with_the_numbers_of_an_editor(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"one\n\nthree, and more\r\n"))
    table = open_rows(tmp_path / "a.txt.gz")
    assert [(row.number, row.values) for row in table.rows] == [(1, {"text": "one"}), (3, {"text": "three, and more"})]
