"""Annotations in several files, in Arrow tables, as text in CSV files, and in large files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.data.annotations.writers import (
    WRITERS,
    marked,
    read,
    spans_of,
    write_pair,
    write_rows,
)

from homeground.data.annotations.columns import find_annotation_columns
from homeground.data.corpus import read_file
from homeground.data.sources.held import StreamedRows
from homeground.data.tables import Row
from homeground.errors import DataError
from homeground.recipe.recipe import make_recipe

PLAIN = ("Anna Li flew to Rome.", [(0, 7, "PER"), (16, 20, "LOC")])
EMOJI = ("😀 Bob met Zoë in Köln 🎉 and Ann", [(2, 5, "PER"), (10, 13, "PER"), (17, 21, "LOC"), (28, 31, "PER")])
TEXT = "Anna Li flew to Rome."


def write_both(folder: Path, name: str, second: list[str]) -> str:
    """Write two files in columns and return what names both."""
    good = ["-DOCSTART- O", "", "Anna\tB-PER", "ran\tO", "", "Bob\tB-PER"]
    (folder / f"1{name}").write_text("\n".join(good), encoding="utf-8")
    (folder / f"2{name}").write_text("\n".join(second), encoding="utf-8")
    return str(folder / f"*{name}")


def test_of_several_files_an_error_names_the_file_and_its_line(tmp_path: Path) -> None:
    named = write_both(tmp_path, ".conll", ["-DOCSTART- O", "", "Eve\tB-PER", "", "Li\tO", "Ng\tI-PER"])
    annotations = read(Path(named))
    assert [each.text for each in annotations.texts] == ["Anna ran", "Bob", "Eve", "Li Ng"]
    assert len({each.document for each in annotations.texts}) == 2
    assert f'{tmp_path / "2.conll"}, line 6 ("I-PER" after "O")' in annotations.notes[-1]
    write_both(tmp_path, ".conll", ["Eve\tB-PER", "", "Li\tX-PER"])
    with pytest.raises(DataError, match=r'2.conll, line 3: the tag "X-PER" is of no scheme'):
        read(Path(named))


def test_of_several_folders_and_tables_an_error_names_the_right_one(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    write_pair(tmp_path / "a", TEXT.encode(), ["T1\tPER 0 7\tAnna Li"])
    write_pair(tmp_path / "b", TEXT.encode(), ["T1\tPER 0 7\tAnna Li"])
    both = Path(f"{tmp_path / 'a/b'},{tmp_path / 'b/b'}")
    assert marked(read(both)) == [[("Anna Li", "PER")]] * 2
    write_pair(tmp_path / "b", TEXT.encode(), ["T1\tPER 0 7\tAnna Li", "T2\tPER 0 70\tAnna Lo"])
    with pytest.raises(DataError, match=r"b/b, x.ann: the span \[0, 70"):
        read(both)
    good = {"text": TEXT, "spans": [[0, 7, "PER"]]}
    write_rows(tmp_path / "1.jsonl", [good] * 3)
    write_rows(tmp_path / "2.jsonl", [good, {"text": TEXT, "spans": [[0, 70, "PER"]]}])
    with pytest.raises(DataError, match=r"2.jsonl, row 2: the span \[0, 70"):
        read(tmp_path / "[12].jsonl")


@pytest.mark.parametrize("form", ["lists", "objects", "objects of lists"])
def test_spans_in_a_table_of_arrow_are_read(tmp_path: Path, form: str) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    texts = [PLAIN, EMOJI]
    rows = [json.loads(line) for line in WRITERS[form](tmp_path, texts).read_text(encoding="utf-8").splitlines()]
    if form == "lists":  # a list in Arrow holds values of one type
        rows = [{"tokens": ["Anna", "ran"], "ner_tags": ["B-PER", "O"]}]
        texts = [("Anna ran", [(0, 4, "PER")])]
    table = pytest.importorskip("pyarrow").Table.from_pylist(rows)
    parquet.write_table(table, tmp_path / "a.parquet")
    assert spans_of(read(tmp_path / "a.parquet")) == texts


@pytest.mark.parametrize("write", [json.dumps, str])
def test_lists_that_a_table_of_text_holds_are_read(tmp_path: Path, write: Callable[[object], str]) -> None:
    rows = [
        ["text", "label"],
        *[[text, write([list(span) for span in spans])] for text, spans in (PLAIN, EMOJI)],
        ["x", ""],
    ]
    with (tmp_path / "a.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    annotations = read(tmp_path / "a.csv")
    assert (spans_of(annotations), annotations.set_aside) == ([PLAIN, EMOJI], {"not annotated": [3]})
    rows = [["tokens", "tags"], *[[write(["Anna", "ran"]), write(["B-PER", "O"])]] * 3]
    with (tmp_path / "b.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    assert spans_of(read(tmp_path / "b.csv")) == [("Anna ran", [(0, 4, "PER")])] * 3


def test_the_rows_of_a_large_file_are_gone_through_once_to_find_the_columns(tmp_path: Path) -> None:
    path = write_rows(
        tmp_path / "a.jsonl", [{"text": f"text {n}", "a": "x", "b": 1, "label": None} for n in range(1500)]
    )
    table = read_file(str(path), recipe := make_recipe({}, data=str(path)))
    passes: list[int] = []

    def rows() -> Iterator[Row]:
        passes.append(1)
        yield from table.rows

    streamed = replace(table, rows=StreamedRows(rows, 1500, 1500))
    with pytest.raises(DataError, match="which columns hold annotations"):
        find_annotation_columns(streamed, recipe)
    assert len(passes) == 1
    write_rows(
        path, [*[{"text": f"text {n}", "label": []} for n in range(1500)], {"text": TEXT, "label": [[0, 4, "PER"]]}]
    )
    assert marked(read(path))[-1] == [("Anna", "PER")]
