"""JSON in the shapes in which programs write tables: read as they mean it, or refused with the place and the remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from homeground.data.tables import Table, read_table
from homeground.errors import DataError

ROWS = [{"text": "one, two", "label": "a"}, {"text": "three", "label": "b"}, {"text": "vier", "label": "a"}]
COLUMNS = {name: [row[name] for row in ROWS] for name in ("text", "label")}
PRETTY = "\n".join(json.dumps(row, indent=2) for row in ROWS)
LINES = "\n".join(json.dumps(row) for row in ROWS)
INDEXED = {str(number): row for number, row in enumerate(ROWS)}
BY_COLUMN = {name: {str(n): value for n, value in enumerate(values)} for name, values in COLUMNS.items()}
SPLIT = {"columns": ["text", "label"], "index": [0, 1, 2], "data": [list(row.values()) for row in ROWS]}

READ = {
    "lines in .json": ("a.json", LINES, ""),
    "objects over several lines": ("a.json", PRETTY, ""),
    "objects over several lines in .jsonl": ("a.jsonl", "\n" + PRETTY, ""),
    "an array in .jsonl": ("a.jsonl", json.dumps(ROWS), ""),
    "an array over several lines in .jsonl": ("a.jsonl", "\ufeff\n" + json.dumps(ROWS, indent=1), ""),
    "an array with an object a line in .jsonl": ("a.jsonl", "[" + LINES.replace("\n", ",\n") + "]", ""),
    "wrapped": (
        "a.json",
        json.dumps({"version": 1, "data": ROWS}),
        'rows are the objects under "data"; not read: "version"',
    ),
    "lists by column": ("a.json", json.dumps(COLUMNS), 'rows are made of the lists under "text", "label"'),
    "pandas by column": ("a.json", json.dumps(BY_COLUMN), 'made of the columns "text", "label", as pandas writes them'),
    "pandas by index": ("a.json", json.dumps(INDEXED), "rows are the objects under its keys, which are not read"),
    "pandas split": ("a.json", json.dumps(SPLIT), 'rows are the lists under "data"'),
}


@pytest.mark.parametrize(("name", "content", "note"), READ.values(), ids=READ)
def test_a_usual_shape_is_read_and_said(tmp_path: Path, name: str, content: str, note: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    table: Table = read_table(tmp_path / name)
    assert [row.values for row in table.rows] == ROWS
    assert [text.endswith(note) and text.startswith(f"{tmp_path / name}: ") for text in table.notes] == [True] * bool(
        note
    )


REFUSED = {
    "one object": ("a.json", json.dumps(ROWS[0]), 'is one object with the keys "text", "label"; expected an array'),
    "several tables": (
        "a.json",
        json.dumps({"train": ROWS, "test": ROWS}),
        'several tables, under "train", "test"; save',
    ),
    "lists of different lengths": ("a.json", '{"text": ["a", "b"], "label": ["c"]}', 'one object with the keys "text"'),
    "texts": ("a.json", '["one", "two"]', 'row 1: is the value "one"; expected an object .*{"text": "…".*a .txt file'),
    "lists": (
        "a.json",
        '[["one", "a"]]',
        'row 1: is an array; expected an object with a key per column, such as {"text"',
    ),
    "a list a line": ("a.jsonl", '["one", "a"]\n["two", "b"]', "row 1: is an array; expected an object"),
    "a comma after each line": (
        "a.jsonl",
        LINES.replace("\n", ",\n"),
        "line 1, column 35: a comma after the object; take",
    ),
    "a comma after objects": ("a.json", PRETTY.replace("\n{", ",\n{"), "line 4, column 2: a comma after the object"),
    "a comma before the end of the array": ("a.json", json.dumps(ROWS)[:-1] + ",]", "row 4: .* a comma before the end"),
    "a comma before the end of an object": (
        "a.jsonl",
        '{"a": 1,}',
        "line 1, column .: a comma before the end; take out",
    ),
    "single quotes": ("a.jsonl", "{'a': 'b'}", "line 1, column 2: text in single quotes, as Python prints it"),
    "True": ("a.jsonl", '{"a": 1}\n{"a": True}', "line 2, column 7: True is Python; JSON writes true"),
    "None": ("a.json", '[{"a": None}]', "line 1, column 8: None is Python; JSON writes null"),
    "a key without quotes": ("a.jsonl", "{a: 1}", 'line 1, column 2: the key a without quotes; write "a"'),
    "typographic quotes": ("a.jsonl", "{“a”: 1}", "line 1, column 2: a typographic quote"),
    "a comment": ("a.json", "[\n// rows\n]", "line 2, column 1: a comment, which JSON does not have"),
    "cut": ("a.jsonl", '{"a": "x', "row 1: broken JSON at line 1, column 7"),
    "cut over lines": ("a.jsonl", PRETTY[:-5], "row 3: broken JSON at line 1., column"),
    "missing key": ("a.jsonl", '{"a": 1, "b": 2}\n{"a": 1}', 'row 2: column "b" is missing; .* with null for no value'),
}


@pytest.mark.parametrize(("name", "content", "problem"), REFUSED.values(), ids=REFUSED)
def test_another_shape_is_refused_with_the_place_and_what_to_change(
    tmp_path: Path, name: str, content: str, problem: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=problem) as refused:
        read_table(tmp_path / name)
    assert str(refused.value).startswith(str(tmp_path / name))
