"""The other files of a run: each is refused by its own name where it lacks what the data has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from homeground.data.columns import holds_ids
from homeground.data.corpus import read_corpus, read_file
from homeground.data.tables import read_table
from homeground.errors import DataError
from homeground.recipe.recipe import make_recipe
from homeground.tasks import choose_task

LABELS = ("kitchen", "nature", "workshop")


def read(folder: Path, **files: str) -> None:
    """Read train.csv, texts with one label each, with other files for its splits."""
    lines = [f"the text with the words {number},{LABELS[number % 3]}" for number in range(60)]
    (folder / "train.csv").write_text("\n".join(["text,label", *lines]))
    named = {split: str(folder / name) for split, name in files.items()}
    recipe = make_recipe({"data": str(folder / "train.csv")}, **named)
    table = read_file(recipe.data, recipe)
    spec = choose_task(table, recipe)
    read_corpus(table, recipe, spec.read, columns=spec.info.columns)


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", "id,text\n1,one\n", r'has no column "label", the label of .*train.csv; known: "id", "text"$'),
        ("a.csv", "id,label\n1,nature\n", r'has no column "text", the text of .*train.csv; known: "id", "label"$'),
        ("a.csv", "Category,text\nnature,one\n", r'known: "Category", "text"; rename "Category" to "label"$'),
        ("a.csv", "labels,text\nnature,one\n", 'did you mean "labels"\\? Known: "labels", "text"; rename "labels"'),
        ("a.csv", "text;label\none;nature\n", "looks like ';'-separated: save it as the data is written$"),
        ("a.txt", "one\ntwo\n", r'has no column "label", the label of .*train.csv; known: "text"$'),
        (
            "a.jsonl",
            [["nature", "kitchen"]],
            r'row 1: column "label" holds \["nature", "kitchen"\]; expected one label',
        ),
        ("a.jsonl", [["nature"], []], r'row 2: column "label" holds \[\]; expected one label a text, as in the data$'),
    ],
)
def test_a_split_that_lacks_what_the_data_has_is_refused_by_its_name(
    tmp_path: Path, split: str, name: str, content: Any, problem: str
) -> None:
    if isinstance(content, list):
        content = "\n".join(json.dumps({"text": f"text {n}", "label": label}) for n, label in enumerate(content))
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=rf"{name}.*{problem}"):
        read(tmp_path, **{split: name})


@pytest.mark.parametrize(
    ("header", "values", "expected"),
    [
        ("ID", ["a b", "c d"], True),
        ("customer_id", ["a", "b"], True),
        ("x", ["17", "18", "", "19.5"], True),
        ("x", ["3f2a-11", "9c0b-20"], True),
        ("x", ["data scientist", "nurse"], False),
        ("x", ["味道一般1", "价格偏高2"], False),
        ("x", ["5 stars of 5", "2 of 5"], False),
    ],
)
def test_ids_are_not_taken_for_texts(tmp_path: Path, header: str, values: list[str], expected: bool) -> None:
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({header: value}) for value in values))
    assert holds_ids(read_table(tmp_path / "a.jsonl"), header) is expected


def test_a_file_of_ids_and_labels_has_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("number,label\n" + "".join(f"{n},{LABELS[n % 3]}\n" for n in range(60)))
    recipe = make_recipe({"data": str(tmp_path / "a.csv")})
    with pytest.raises(DataError, match='the columns "number", "label" fit no task'):
        choose_task(read_file(recipe.data, recipe), recipe)
