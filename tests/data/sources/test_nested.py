"""A field inside the objects of a JSON file is a column by its path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.reading import read, write_lines

from homeground.data.corpus import read_file
from homeground.data.tables import Table
from homeground.errors import DataError
from homeground.recipe.recipe import make_recipe


def table(path: Path, **settings: Any) -> Table:
    return read_file(str(path), make_recipe(data=path, **settings))


def rows() -> list[dict[str, object]]:
    return [
        {
            "body": {"title": f"title {number}", "parts": [{"text": f"part {number}"}]},
            "meta": {"kind": "ab"[number % 2]},
        }
        for number in range(12)
    ]


def test_text_and_label_are_named_by_their_paths(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"data": rows()}))
    for data in (path, write_lines(tmp_path / "a.jsonl", rows())):
        examples = read(data, text="body.title,body.parts.0.text", label="meta.kind").examples
        assert [(each.texts, each.labels) for each in examples[:2]] == [
            (("title 0 part 0",), ("a",)),
            (("title 1 part 1",), ("b",)),
        ]


def test_a_path_that_leads_nowhere_is_refused_with_the_names_that_are_there(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", rows())
    for name, problem in (
        ("body.titel", 'row 1: column "body.titel" has no "titel"; known: "title", "parts"'),
        ("body.parts.3", 'row 1: column "body.parts.3" has no item 3, of 1, counted from 0'),
        ("meta.kind.x", 'row 1: column "meta.kind.x" holds no object in which "x" could be'),
    ):
        with pytest.raises(DataError) as refused:
            table(path, text=name)
        assert str(refused.value) == f"{path}, {problem}"
    path = write_lines(tmp_path / "b.jsonl", [{"body": {"title": "x"}}, {"body": None}, {"body": {}}])
    with pytest.raises(DataError, match=r'row 3: column "body\.title" has no "title"'):
        table(path, text="body.title")


def test_null_on_the_way_is_null_and_a_column_of_the_name_comes_first(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"a.b": "x", "a": {"b": "y"}}, {"a.b": "z", "a": None}])
    assert table(path, text="a.b").columns == ("a.b", "a")
    path = write_lines(tmp_path / "b.jsonl", [{"a": {"b": "y"}}, {"a": None}])
    assert [row.values["a.b"] for row in table(path, text="a.b").rows] == ["y", None]
