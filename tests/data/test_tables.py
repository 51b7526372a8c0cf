"""Every file is either read exactly or refused with the place; nothing in between."""

from __future__ import annotations

import contextlib
import csv
import gzip
import hashlib
import io
import json
import os
import string
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from homeground.data import formats, opening
from homeground.data import tables as readers
from homeground.data.evidence.headers import repeats_header
from homeground.data.tables import Row, Table, column_error, number, open_table, read_table, shown, text
from homeground.errors import DataError, UsageError

SHARED = Path(__file__).parents[3] / "shared" / "data"


def contents(table: Table) -> list[tuple[object, ...]]:
    assert all(tuple(row.values) == table.columns for row in table.rows)
    assert [row.number for row in table.rows] == list(range(1, len(table.rows) + 1))
    return [tuple(row.values.values()) for row in table.rows]


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(DataError) as refused:
        read_table(path, **options)
    message = str(refused.value)
    assert message.startswith(str(path)), "the message begins with the file"
    assert "\n" not in message
    return message.removeprefix(str(path))


@pytest.fixture
def write(tmp_path: Path):
    def write_bytes(name: str, data: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write_bytes


BIG = "x" * 200_000

READ_EXACTLY = {
    "byte-order mark": ("text,label\ngood,1\n".encode("utf-8-sig"), [("good", "1")]),
    "NA words and an empty field": (
        b"text,label\nNA,1\nnull,2\nNone,3\nnan,4\n,5\n",
        [("NA", "1"), ("null", "2"), ("None", "3"), ("nan", "4"), ("", "5")],
    ),
    "NUL inside": (b"text,label\na\0b,1\n", [("a\0b", "1")]),
    "field beyond 128 KiB": (f"text,label\n{BIG},1\n".encode(), [(BIG, "1")]),
    "quoted line end": (b'text,label\n"two\nlines",1\n', [("two\nlines", "1")]),
    "quoted carriage return": (b'text,label\r\n"two\rlines",1\r\n', [("two\rlines", "1")]),
    "doubled quotes": (b'text,label\n"he said ""no""",1\n', [('he said "no"', "1")]),
    "quote inside a plain field": (b'text,label\n5" pipe,1\n', [('5" pipe', "1")]),
    "no line end at the end": (b"text,label\ngood,1", [("good", "1")]),
    "old Mac line ends": (b"text,label\rgood,1\r", [("good", "1")]),
    "blank lines": (b"\ntext,label\n\ngood,1\n\n\nbad,0\n", [("good", "1"), ("bad", "0")]),
    "blanks around a field": (b"text,label\n good , 1\n", [(" good ", " 1")]),
    "numbers as written": (b"text,label\n007,1.50\n", [("007", "1.50")]),
    "other line separators": ("text,label\na\u2028b\x0bc\x85d,1\n".encode(), [("a\u2028b\x0bc\x85d", "1")]),
    "emoji and right-to-left": ("text,label\n🏠 שלום,1\n".encode(), [("🏠 שלום", "1")]),
    "quoted text that begins with a space and a quote": (b'text,label\n" ""no""",1\n', [(' "no"', "1")]),
    "column without a name": (b",label\n0,1\n", [("0", "1")]),
}

REFUSED = {
    "UTF-16": (
        "text,label\ngood,1\n".encode("utf-16"),
        "at byte 0, line 1 (byte 0xff); it may be utf-16: try --encoding utf-16",
    ),
    "UTF-32": ("text,label\ngood,1\n".encode("utf-32"), "try --encoding utf-32"),
    "UTF-16 without a mark": ("text,label\ngood,1\n".encode("utf-16-le"), "try --encoding utf-16-le"),
    "UTF-16 without a mark, the other way": ("text,label\ngood,1\n".encode("utf-16-be"), "try --encoding utf-16-be"),
    "GB18030": (
        "text,label\n这家饭店很好吃,1\n".encode("gb18030"),
        "not utf-8 at byte 11, line 2 (byte 0xd5); it may be gb18030: try --encoding gb18030",
    ),
    "Latin-1": (
        "text,label\nbon,1\nun café serré,1\n".encode("latin-1"),
        "at byte 23, line 3 (byte 0xe9); it may be latin-1: try --encoding latin-1",
    ),
    "Latin-1 that is formally GB18030": ("text,label\nna\xefve,1\n".encode("latin-1"), "it may be latin-1"),
    "Windows quotes": ("text,label\n“no” – €5,1\n".encode("cp1252"), "it may be cp1252: try --encoding cp1252"),
    "lone surrogate": (b"text,label\n\xed\xa0\x80,1\n", "not utf-8 at byte 11, line 2 (byte 0xed)"),
    "one damaged byte in good text": (
        "text,label\n很好,1\n".encode() + b"\xe5\xe5,1\n",
        "at byte 20, line 3 (byte 0xe5); the text before it is good",
    ),
    "unclosed quote": (
        b'text,label\na,1\n"b,2\nc,3\n',
        "line 3: a quote is opened and not closed by the end of the file, line 4",
    ),
    "text after a quote": (b'text,label\n"a" b,1\n', "line 2: ',' expected after '\"'"),
    "backslash quotes": (b'text,label\n"he said \\"no\\"",1\n', "line 2: a quote is escaped by a backslash"),
    "too many fields": (
        b"text,label\na,1\nb,2,3\n",
        'row 2: line 3 has 3 fields, the header has 2; a text that holds "," must stand in quotes',
    ),
    "too few fields": (b'text,label\n"two\nlines",1\nb\n', "row 2: line 4 has 1 field, the header has 2"),
    "a second header's worth of fields": (b"text,label\na,1,b,2\n", "row 1: line 2 has 4 fields"),
    "carriage return left unquoted": (b"text\na\rb\n", "line 2 ends otherwise than those before it"),
    "line feed left unquoted": (b"text\ra\nb\r", "line 2 ends otherwise than those before it"),
    "duplicate column": (b"text,label,text\na,1,b\n", 'columns 1 and 3 are named "text"'),
    "two columns without a name": (b"text,label,,\na,1,,\n", "columns 3 and 4 have no name"),
    "other separator in some rows": (b"text;label\na, b;1\n", "looks like ';'-separated: use --delimiter ';'"),
    "other separator and quotes": (b'"text";"label"\n"a";"1"\n', "looks like ';'-separated: use --delimiter ';'"),
    "tab and quotes": (b'"text"\t"label"\n"a"\t"1"\n', "looks like tab-separated: use --delimiter tab"),
    "empty file": (b"", ": is empty"),
    "blank lines only": (b"\n\n\r\n", "holds no rows of data"),
    "byte-order mark only": (b"\xef\xbb\xbf", "holds no rows of data"),
    "header only": (b"text,label\n", "holds no rows of data"),
}


@pytest.mark.parametrize(("data", "expected"), READ_EXACTLY.values(), ids=READ_EXACTLY)
def test_an_unusual_csv_is_read_exactly(write: Any, data: bytes, expected: list[tuple[str, str]]):
    assert contents(read_table(write("data.csv", data))) == expected


@pytest.mark.parametrize(("data", "expected"), REFUSED.values(), ids=REFUSED)
def test_a_doubtful_csv_is_refused_with_the_place(write: Any, data: bytes, expected: str):
    assert expected in refusal(write("data.csv", data))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030", "utf-8-sig"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_named_encoding_is_read_with_and_without_a_mark(write: Any, encoding: str, mark: str):
    path = write("data.csv", (mark + "text,label\n这家饭店很好吃,1\n").encode(encoding))
    assert contents(read_table(path, encoding=encoding)) == [("这家饭店很好吃", "1")]


@pytest.mark.parametrize("piece", range(5, 12))
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_wrong_byte_far_into_the_file_is_told_exactly(
    write: Any, monkeypatch: pytest.MonkeyPatch, piece: int, encoding: str
):
    monkeypatch.setattr(opening, "BYTES_AT_ONCE", piece)
    good = ("text,label\n" + "很好,1\n" * 50).encode(encoding)
    message = refusal(write("data.csv", good + b"\xe5\xff,1\n"), encoding=encoding)
    assert f"at byte {len(good)}, line 52 (byte 0xe5)" in message


def test_a_named_encoding_that_is_wrong_is_refused_with_the_right_one(write: Any):
    path = write("data.csv", "text,label\nè été,1\n")
    assert "try --encoding utf-8" in refusal(path, encoding="ascii")
    assert "UTF-16 stream does not start with BOM" in refusal(path, encoding="utf-16")


@pytest.mark.parametrize("encoding", ["utf8000", "hex", "a\0b"])
def test_an_encoding_python_does_not_have_is_an_error_of_use(write: Any, encoding: str):
    with pytest.raises(UsageError, match="--encoding"):
        read_table(write("data.csv", "a\n1\n"), encoding=encoding)


def test_a_missing_column_names_the_nearest(write: Any):
    table = read_table(write("pairs.csv", "text_1,text_2,similarity\na,b,1\n"))
    assert 'has no column "similarty"; did you mean "similarity"?' in str(column_error(table, "similarty"))
    with pytest.raises(DataError, match='no column "label"'):
        text(table, table.rows[0], "label")


@pytest.mark.parametrize(
    ("name", "header", "hint"),
    [
        ("data.csv", "text;label", "looks like ';'-separated: use --delimiter ';'"),
        ("data.csv", "text\tlabel", "looks like tab-separated: use --delimiter tab"),
        ("data.tsv", "text,label", "looks like ','-separated: use --delimiter ','"),
    ],
)
def test_a_missing_column_names_the_delimiter_the_header_seems_to_have(write: Any, name: str, header: str, hint: str):
    table = read_table(write(name, f"{header}\na\n"))
    assert hint in str(column_error(table, "text"))


@pytest.mark.parametrize("delimiter", ["\t", r"\t", "tab"])
def test_a_tab_may_be_typed_in_three_ways(write: Any, delimiter: str):
    assert contents(read_table(write("data.csv", "a\tb\n1\t2\n"), delimiter=delimiter)) == [("1", "2")]


def test_quotes_are_plain_characters_where_asked(write: Any):
    path = write("data.tsv", 'a\tb\n"x" y\t"z\n')
    assert "if quotes are plain characters in this file, use --quoting none" in refusal(path)
    assert contents(read_table(path, quoting="none")) == [('"x" y', '"z')]


def test_a_file_without_header_takes_its_names_from_the_caller(write: Any):
    path = write("data.csv", "x,1,y\nz,2,w\n")
    table = read_table(path, header=False, columns=("text", "_", "label"))
    assert (table.columns, contents(table)) == (("text", "label"), [("x", "y"), ("z", "w")])
    assert "row 1: line 1 has 3 fields, --columns names 2" in refusal(path, header=False, columns=("text", "label"))


def test_extra_fields_are_taken_and_counted_only_without_header_and_quoting(write: Any):
    path = write("data.tsv", "a\tb\nc\td\te\tf\ng\n")
    assert "row 2" in refusal(path, header=False, columns=("x", "y"))
    assert "row 3: line 3 has 1 field, --columns names 2" in refusal(
        path, header=False, columns=("x", "y"), quoting="none"
    )
    path = write("data.tsv", "a\tb\nc\td\te\tf\n")
    assert "row 1" in refusal(path, quoting="none")
    table = read_table(path, header=False, columns=("x", "y"), quoting="none")
    assert (contents(table), table.extra_fields) == ([("a", "b"), ("c", "d")], 1)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.csv", {"format": "orc"}, '--format "orc"'),
        ("a.csv", {"sheet": "one"}, "--sheet names one of a workbook"),
        ("a.parquet", {"encoding": "utf-16"}, "--encoding is for text"),
        ("a.xlsx", {"delimiter": ";"}, "for csv and tsv"),
        ("a.csv", {"delimiter": ';"'}, "--delimiter"),
        ("a.csv", {"delimiter": ""}, '--delimiter ""'),
        ("a.csv", {"delimiter": '"'}, "--delimiter"),
        ("a.csv", {"quoting": "all"}, '--quoting "all"'),
        ("a.csv", {"header": False}, "--columns"),
        ("a.csv", {"columns": ("a",)}, "--no-header"),
        ("a.csv", {"header": False, "columns": ("_",)}, "--columns names no column"),
        ("a.json", {"delimiter": ","}, "for csv and tsv"),
        ("a.jsonl", {"quoting": "none"}, "for csv and tsv"),
    ],
)
def test_options_that_do_not_fit_are_errors_of_use(write: Any, name: str, options: dict[str, Any], message: str):
    with pytest.raises(UsageError, match=message):
        read_table(write(name, "a\n1\n"), **options)


def test_the_format_follows_from_the_name_unless_it_is_given(write: Any):
    for name, data, format in [
        ("A.CSV", "a\n1\n", "csv"),
        ("a.tsv", "a\n1\n", "tsv"),
        ("a.json", '[{"a": "1"}]', "json"),
        ("a.jsonl", '{"a": "1"}', "jsonl"),
        ("a.ndjson", '{"a": "1"}', "jsonl"),
        ("a.txt", "1\n", "txt"),
        ("A.TXT", "1\n", "txt"),
    ]:
        assert read_table(write(name, data)).format == format
        table = read_table(write(name + ".gz", gzip.compress(data.encode())))
        assert (table.format, contents(table)) == (format, [("1",)])
    assert set(readers.SUFFIXES.values()) == set(readers.FORMATS)
    path = write("a.dat", "a\n1\n")
    assert read_table(path, format="csv").format == "csv"
    assert '".dat" is of no format read here; name the format with --format' in refusal(path)
    assert "no suffix; name the format with --format" in refusal(write("plain", "a\n1\n"))


def test_the_fingerprint_is_of_the_bytes_as_stored(write: Any):
    data = gzip.compress(b"a\n1\n")
    table = read_table(write("a.csv.gz", data))
    assert (table.sha256, table.size) == (hashlib.sha256(data).hexdigest(), len(data))


def test_a_missing_file_names_the_nearest_files_of_its_folder(write: Any, tmp_path: Path):
    write("pairs.csv", "a\n1\n")
    assert 'no such file; did you mean "pairs.csv"?' in refusal(tmp_path / "pair.csv")
    assert "does not exist" in refusal(tmp_path / "nowhere" / "pairs.csv")


def test_what_is_no_ordinary_file_is_refused(write: Any, tmp_path: Path):
    write("pairs.csv", "a\n1\n")
    assert 'is a folder; give one file of it: "pairs.csv"' in refusal(tmp_path)
    assert "cannot be opened: Not a directory" in refusal(tmp_path / "pairs.csv" / "x.csv")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.csv")
        assert "is a pipe or a device" in refusal(tmp_path / "pipe.csv")


def test_an_unreadable_file_is_refused(write: Any):
    path = write("data.csv", "a\n1\n")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert "cannot be opened: Permission denied" in refusal(path)


def test_a_file_that_changes_while_it_is_read_is_refused(write: Any, monkeypatch: pytest.MonkeyPatch):
    path = write("data.csv", "a\n1\n")

    def parse_and_append(name: str, stream: Any, layout: formats.Layout) -> formats.Parsed:
        parsed = formats.parse_delimited(name, stream, layout)
        with path.open("a") as other:
            other.write("2\n")
        return parsed

    monkeypatch.setitem(readers.READERS, "csv", parse_and_append)
    assert "changed while it was being read" in refusal(path)


@pytest.mark.parametrize("name", ["data.csv", "data.csv.gz", "data.jsonl", "data.jsonl.gz", "data.json", "data.tsv"])
def test_rows_that_come_one_by_one_are_those_of_the_table(write: Any, name: str):
    rows = [{"text": f'"{n}"\n{n}', "label": str(n)} for n in range(50)]
    kind = name.split(".")[1]
    content = {"json": json.dumps(rows), "jsonl": "\n".join(map(json.dumps, rows))}.get(kind, "")
    if not content:
        stream = io.StringIO(newline="")
        csv.writer(stream, delimiter="\t" if kind == "tsv" else ",").writerows(
            [["text", "label"], *map(dict.values, rows)]
        )
        content = stream.getvalue()
    path = write(name, gzip.compress(content.encode()) if name.endswith(".gz") else content)
    table = read_table(path)
    assert [row.values for row in table.rows] == rows
    with open_table(path) as opened:
        assert (opened.columns, opened.sha256, opened.size) == (table.columns, table.sha256, table.size)
        assert list(opened.rows) == table.rows


def test_a_bad_row_is_told_when_it_is_reached(write: Any):
    with open_table(write("data.csv", "a,b\n1,2\n3\n")) as opened:
        assert next(opened.rows).values == {"a": "1", "b": "2"}
        with pytest.raises(DataError, match="row 2: line 3 has 1 field, the header has 2"):
            next(opened.rows)


def test_gzip_goes_by_name_and_content_together(write: Any):
    assert "named .gz but holds no gzip data" in refusal(write("data.csv.gz", b"a\n1\n"))
    assert "add .gz to its name" in refusal(write("data.csv", gzip.compress(b"a\n1\n")))
    assert "holds no gzip data" in refusal(write("empty.csv.gz", b""))
    assert "holds no rows" in refusal(write("nothing.csv.gz", gzip.compress(b"")))


def test_gzip_files_may_be_joined(write: Any):
    assert contents(read_table(write("a.csv.gz", gzip.compress(b"a\n1\n") + gzip.compress(b"2\n")))) == [("1",), ("2",)]


@pytest.mark.parametrize("damage", ["cut", "flip", "block", "tail"])
def test_a_damaged_gzip_file_is_refused(write: Any, damage: str):
    data = bytearray(gzip.compress(b"a\n" + b"".join(b"%d\n" % (n * n) for n in range(1000))))
    if damage == "cut":
        del data[-20:]
    elif damage == "flip":
        data[-8] ^= 1
    elif damage == "block":
        data[10] = 0xFF
    else:
        data += b"tail"
    assert "cannot be read to its end" in refusal(write("data.csv.gz", bytes(data)))


def test_a_gzip_bomb_is_refused_by_size_and_by_ratio(write: Any, monkeypatch: pytest.MonkeyPatch):
    path = write("data.csv.gz", gzip.compress(b"a\n" + b"x" * 3_000_000))
    assert len(read_table(path).rows) == 1
    monkeypatch.setattr(opening, "RATIO_FREE_BYTES", 1 << 20)
    assert "unpacks to more than" in refusal(path)
    monkeypatch.setattr(opening, "MAX_UNPACKING_RATIO", 10_000)
    assert len(read_table(path).rows) == 1
    monkeypatch.setattr(opening, "MAX_UNPACKED_BYTES", 1 << 20)
    assert "unpacks to more than" in refusal(path)


def test_a_field_beyond_the_bound_is_refused(write: Any, monkeypatch: pytest.MonkeyPatch):
    before = csv.field_size_limit(1000)
    monkeypatch.setattr(formats, "MAX_FIELD_CHARACTERS", 1000)
    assert "line 2: field larger than field limit" in refusal(write("data.csv", f"a\n{'x' * 1001}\n"))
    csv.field_size_limit(before)


def test_json_values_are_left_as_they_are(write: Any):
    items = [
        {"text": "NA", "label": 1, "more": {"a": [1, None]}},
        {"text": "a\0b\n", "label": 1.5, "more": []},
        {"label": True, "text": "🏠", "more": None},
    ]
    expected = [(item["text"], item["label"], item["more"]) for item in items]
    lines = "\r\n\n".join(json.dumps(item) for item in items)
    assert contents(read_table(write("a.json", json.dumps(items, indent=1)))) == expected
    assert contents(read_table(write("a.jsonl", lines))) == expected
    assert contents(read_table(write("marked.json", json.dumps(items).encode("utf-8-sig")))) == expected


JSON_REFUSED = {
    "empty": ("a.json", "", ": is empty"),
    "blank": ("a.json", " \n", "holds no rows of data"),
    "empty array": ("a.json", "[ ]", "holds no rows of data"),
    "text in .json": ("a.json", "hello", 'begins with "h"'),
    "item that is no object": ("a.json", '[{"a": 1}, "b"]', 'row 2: is the value "b"; expected an object'),
    "array in an array": ("a.json", "[[1]]", "row 1: is an array; expected an object"),
    "array on a line": ("a.jsonl", '{"a": 1}\n[1]', "row 2: is an array"),
    "object without keys": ("a.jsonl", "{}", "row 1: is an object without keys"),
    "missing key": ("a.jsonl", '{"a": 1, "b": 2}\n\n{"a": 1}', 'row 2: column "b" is missing'),
    "missing in the first": ("a.json", '[{"a": 1}, {"a": 1, "b": 2}]', 'row 2: column "b" is not in row 1'),
    "key twice": (
        "a.jsonl",
        '{"a": 1}\n{"a": 1, "a": 2}',
        'row 2: the object that begins on line 2 holds the key "a" twice',
    ),
    "key twice inside": (
        "a.json",
        '[\n{"a": {"b": 1, "b": 2}}]',
        'row 1: the object that begins on line 2 holds the key "b" twice',
    ),
    "NaN": ("a.json", '[{"a": NaN}]', "row 1: the object that begins on line 1 holds NaN, which is not JSON"),
    "infinity": ("a.jsonl", '{"a": -Infinity}', "holds -Infinity"),
    "number too large": (
        "a.jsonl",
        '{"a": 1.5}\n{"a": [-1e400]}',
        "row 2: the object that begins on line 2 holds the number -1e400, which is too large to be read",
    ),
    "half a surrogate pair": (
        "a.jsonl",
        '{"a": "x"}\n{"a": "\\ud83c"}',
        "row 2: the object that begins on line 2 holds half of a surrogate pair",
    ),
    "half a pair in a key": ("a.json", '[{"\\uDC00": 1}]', "half of a surrogate pair"),
    "half a pair deep inside": ("a.json", '[{"a": [{"b": "\\ud83c"}]}]', "half of a surrogate pair"),
    "number without end": (
        "a.json",
        '[{"a": 1' + "0" * 5000 + "}]",
        "row 1: the object that begins on line 1 holds Exceeds the limit",
    ),
    "nested without end": ("a.json", '[{"a": ' + "[" * 100_000, "row 1: is nested too deeply"),
    "broken line": ("a.jsonl", '{"a": 1}\n\n{"a": }', "row 2: broken JSON at line 3, column 7"),
    "two objects on a line": ("a.jsonl", '{"a": 1} {"a": 2}', "broken JSON at line 1, column 10: more after the end"),
    "broken item": ("a.json", '[{"a": 1},\n {"a" 2}]', "row 2: broken JSON at line 2, column 7"),
    "comma missing": ("a.json", '[{"a": 1}\n{"a": 2}]', 'row 1: broken JSON at line 2, column 1: expected "," or "]"'),
    "comma at the end": ("a.json", '[{"a": 1},]', "row 2: broken JSON at line 1, column 11"),
    "file cut in an item": ("a.json", '[{"a": 1}, {"a": "x', "row 2: broken JSON at line 1"),
    "file cut between items": ("a.json", '[{"a": 1}', "row 1: broken JSON at line 1, column 10"),
    "file cut at once": ("a.json", "[", "row 1: broken JSON at line 1, column 2"),
    "text after the array": ("a.json", '[{"a": 1}]\n[]', "broken JSON at line 2, column 1: text after the end"),
    "tab inside a text": ("a.jsonl", '{"a": "x\ty"}', r"a line end or tab inside a text; write it as \t"),
    "single quotes": ("a.jsonl", "{'a': 1}", "row 1: broken JSON at line 1, column 2"),
    "wrong encoding": ("a.jsonl", '{"a": "é"}'.encode("latin-1"), "at byte 7, line 1 (byte 0xe9); it may be latin-1"),
}


@pytest.mark.parametrize(("name", "data", "expected"), JSON_REFUSED.values(), ids=JSON_REFUSED)
def test_a_doubtful_json_file_is_refused_with_the_place(write: Any, name: str, data: str | bytes, expected: str):
    assert expected in refusal(write(name, data))


def one_value(value: object) -> tuple[Table, Row]:
    row = Row(17, {"similarity": value})
    return Table("pairs.csv", "csv", ("similarity",), [row], sha256="", size=0), row


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1", 1.0), (" -2.50 ", -2.5), (".5", 0.5), ("5.", 5.0), ("1e-3", 1e-3), (3, 3.0), (0.25, 0.25)],
)
def test_a_number_is_read_from_text_and_from_json(value: object, expected: float):
    got = number(*one_value(value), "similarity")
    assert got == expected
    assert isinstance(got, float)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("high", 'holds "high"; expected a number'),
        ("", 'holds ""; expected a number'),
        ("nan", 'holds "nan"; expected a number'),
        ("inf", 'holds "inf"; expected a number'),
        ("1_000", 'holds "1_000"; expected a number'),
        ("0x10", 'holds "0x10"; expected a number'),
        ("３", 'holds "３"; expected a number'),
        ("4,5", 'holds "4,5"; expected a number with a decimal point'),
        ("1e999", 'holds "1e999"; expected a finite number'),
        (True, "holds true; expected a number"),
        (None, "holds null; expected a number"),
        ([1], "holds [1]; expected a number"),
        (float("nan"), "holds NaN; expected a finite number"),
        (float("inf"), "holds Infinity; expected a finite number"),
        (10**400, f"holds 1{'0' * 59}…; expected a finite number"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_number_is_refused_and_shown(value: object, problem: str):
    with pytest.raises(DataError) as refused:
        number(*one_value(value), "similarity")
    assert str(refused.value) == f'pairs.csv, row 17: column "similarity" {problem}'


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (3, '3; expected text; in quotes it is text: "3"'),
        (1.5, '1.5; expected text; in quotes it is text: "1.5"'),
        (True, 'true; expected text; in quotes it is text: "true"'),
        (None, 'null; expected text; write "" and the row is skipped'),
        (["a"], '["a"]; expected text'),
        (
            {"a": 1},
            '{"a": 1}; expected text; it is an object with the keys "a": name one as a path, such as "similarity.a"',
        ),
    ],
)
def test_what_is_no_text_is_refused_and_shown(value: object, seen: str):
    assert text(*one_value("3"), "similarity") == "3"
    with pytest.raises(DataError) as refused:
        text(*one_value(value), "similarity")
    assert str(refused.value) == f'pairs.csv, row 17: column "similarity" holds {seen}'


def test_the_texts_of_several_columns_are_joined_and_empty_ones_left_out():
    table = Table("news.csv", "csv", ("title", "body", "a,b"), [], "", 0)
    row = Row(1, {"title": " Rain ", "body": "It rained.", "a,b": "c"})
    assert text(table, row, "title,body") == "Rain It rained."
    assert text(table, row, "a,b") == "c"
    assert text(table, row, '"a,b", title') == "c Rain"
    assert text(table, Row(2, {"title": None, "body": " ", "a,b": ""}), "title,body") == ""
    with pytest.raises(DataError, match='has no column "boddy"'):
        text(table, row, "title,boddy")


def test_a_value_is_shown_short_and_harmless():
    assert shown("x" * 100) == '"' + "x" * 60 + '…"'
    assert shown("\x1b[2J\x9b\u202e好") == r'"\u001b[2J\u009b\u202e好"'


# Everything UTF-8 can hold, save a mark at the very start of the header, which belongs to the encoding.
ANY_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
NAMES = st.lists(st.text(string.ascii_letters, min_size=1), min_size=1, max_size=4, unique=True)


# Until Python 3.13 a writer of "\n" leaves a carriage return unquoted, so it is told to quote everything.
WRITERS = [("\r\n", csv.QUOTE_MINIMAL), ("\n", csv.QUOTE_ALL), ("\r", csv.QUOTE_ALL)]


@settings(max_examples=200, deadline=None)
@given(data=st.data(), names=NAMES, delimiter=st.sampled_from([",", ";", "\t", "|"]), writer=st.sampled_from(WRITERS))
def test_what_csv_writes_reads_back_exactly(data: st.DataObject, names: list[str], delimiter: str, writer: Any):
    rows = data.draw(st.lists(st.lists(ANY_TEXT, min_size=len(names), max_size=len(names)), min_size=1, max_size=5))
    assume(not any(repeats_header(row, names) for row in rows))
    written = io.StringIO(newline="")
    end, quoting = writer
    csv.writer(written, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows([names, *rows])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data.csv")
        path.write_bytes(written.getvalue().encode())
        table = read_table(path, delimiter=delimiter)
    assert table.columns == tuple(names)
    assert contents(table) == [tuple(row) for row in rows]


@settings(max_examples=100, deadline=None)
@given(
    data=st.binary(max_size=60),
    name=st.sampled_from(["a.csv", "a.tsv", "a.json", "a.jsonl", "a.csv.gz"]),
    start=st.sampled_from([b"", b"a,b\n", b'[{"a":', b'{"a":']),
)
def test_bytes_at_random_are_read_or_refused_never_a_traceback(data: bytes, name: str, start: bytes):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(gzip.compress(start + data) if name.endswith(".gz") else start + data)
        with contextlib.suppress(DataError):
            assert read_table(path).rows


def test_the_sts_benchmark_is_read_in_its_own_format():
    path = SHARED / "sts-benchmark-en" / "sts-dev.csv"
    if not path.exists():
        pytest.skip("the STS Benchmark is not here")
    columns = ("_", "_", "_", "_", "score", "text_1", "text_2")
    table = read_table(path, delimiter="tab", quoting="none", header=False, columns=columns)
    assert (len(table.rows), table.extra_fields) == (1500, 22)
    first = table.rows[0]
    assert number(table, first, "score") == 5.0
    assert text(table, first, "text_2") == "A man wearing a hard hat is dancing."
