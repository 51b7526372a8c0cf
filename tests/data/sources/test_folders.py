"""Folders are tables: of texts, of texts with their folder's name as label, or as the datasets library saves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest

from homeground.data.corpus import with_splits_of_folder
from homeground.data.streams import open_rows
from homeground.data.tables import Table
from homeground.errors import DataError
from homeground.recipe.recipe import make_recipe


def contents(table: Table) -> list[tuple[object, ...]]:
    return [tuple(row.values.values()) for row in table.rows]


def write_texts(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"text of {name}")


def save_to_disk(folder: Path, labels: list[int | None], *, files: int = 1, **more: Any) -> Path:
    """Write a data set as ``datasets.Dataset.save_to_disk`` does: Arrow streams, and a description of each column."""
    folder.mkdir(parents=True)
    features = {
        "text": {"dtype": "string", "_type": "Value"},
        "label": {"names": ["bad", "good"], "_type": "ClassLabel"},
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    names = [f"data-{number:05}-of-{files:05}.arrow" for number in range(files)]
    for number, name in enumerate(names):
        part = labels[number::files]
        table = pyarrow.table(
            {"text": [f"{folder.name} {number} {place}" for place in range(len(part))], "label": part}
        )
        table = table.replace_schema_metadata(metadata)
        with pyarrow.ipc.new_stream(folder / name, table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
    state = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "abc", **more}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    return folder


def test_texts_in_subfolders_have_their_folders_name_as_label(tmp_path: Path) -> None:
    write_texts(tmp_path, *(f"{label}/{number}.txt" for label in ("bad", "good") for number in range(10)), "readme.md")
    table = open_rows(tmp_path)
    assert table.columns == ("text", "label")
    assert contents(table)[0] == ("text of bad/0.txt", "bad")
    assert [row.values["label"] for row in table.rows] == ["bad"] * 10 + ["good"] * 10
    assert table.names[0] == "bad/0.txt"
    assert table.notes == (
        f'{tmp_path}: the label of a text is the name of its folder: "bad", "good"',
        f'{tmp_path}: 1 file is not read: "readme.md"',
    )


@pytest.mark.parametrize(
    "names",
    [
        ["a.txt", "one/b.txt", "one/c.txt", "two/d.txt", "two/e.txt"],
        ["one/a.txt", "one/b.txt", "one/c.txt"],
        ["one/a.txt", "two/b.txt", "three/c.txt"],
        ["one/x/a.txt", "one/x/b.txt", "two/x/c.txt", "two/x/d.txt"],
    ],
)
def test_other_subfolders_are_no_labels(tmp_path: Path, names: list[str]) -> None:
    write_texts(tmp_path, *names)
    assert open_rows(tmp_path).columns == ("text",)


def test_a_data_set_on_disk_is_read_with_the_names_of_its_classes(tmp_path: Path) -> None:
    folder = save_to_disk(tmp_path / "reviews", [0, 1, -1, None, 1], files=2)
    table = open_rows(folder)
    assert (table.path, table.format) == (str(folder), "arrow")
    assert contents(table) == [
        ("reviews 0 0", "bad"),
        ("reviews 0 1", None),
        ("reviews 0 2", "good"),
        ("reviews 1 0", "good"),
        ("reviews 1 1", None),
    ]
    assert [row.number for row in table.rows] == [1, 2, 3, 4, 5]


def test_a_data_set_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    folder = save_to_disk(tmp_path / "reviews", [0, 1], files=2)
    (folder / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(DataError, match=r'lacks the file "data-00001-of-00002.arrow" that its state.json names'):
        open_rows(folder)
    (folder / "state.json").write_text('{"_data_files": [{"filename": "../outside.arrow"}]}')
    with pytest.raises(DataError, match="names a file outside of it"):
        open_rows(folder)
    (folder / "state.json").write_text("{")
    with pytest.raises(DataError, match=r"state.json: cannot be read"):
        open_rows(folder)
    with pytest.raises(DataError, match="holds the class 7, and only 0 to 1 have names"):
        open_rows(save_to_disk(tmp_path / "seven", [0, 7]))


def test_splits_of_a_data_set_are_the_data_and_the_files_of_a_recipe(tmp_path: Path) -> None:
    for split in ("train", "dev", "test", "unsupervised"):
        save_to_disk(tmp_path / "dict" / split, [0, 1])
    (tmp_path / "dict" / "dataset_dict.json").write_text('{"splits": ["train", "dev", "test", "unsupervised"]}')
    folder = tmp_path / "dict"
    recipe, (note,) = with_splits_of_folder(make_recipe(data=folder))
    assert (recipe.data, recipe.split.validation) == (str(folder / "train"), str(folder / "dev"))
    assert recipe.split.test == str(folder / "test")
    assert note == (
        f"{folder}: its splits are used, train from {folder}/train, validation from {folder}/dev, test from "
        f"{folder}/test; not read: unsupervised"
    )
    recipe, (note,) = with_splits_of_folder(make_recipe(data=folder, test=0.2))
    assert recipe.split.test == 0.2
    assert note.endswith("not read: unsupervised, test")
    with pytest.raises(DataError, match=r'holds the splits train, validation, test; name one of them: ".*train"'):
        open_rows(folder)
    (folder / "dataset_dict.json").write_text('{"splits": ["a", "b"]}')
    with pytest.raises(DataError, match='has the splits "a", "b" and none for training; name one'):
        with_splits_of_folder(make_recipe(data=folder))


def test_subfolders_that_are_named_as_splits_are_splits(tmp_path: Path) -> None:
    write_texts(tmp_path / "texts", *(f"{split}/{label}/1.txt" for split in ("train", "test") for label in "ab"))
    recipe, _ = with_splits_of_folder(make_recipe(data=tmp_path / "texts"))
    assert (recipe.data, recipe.split.test) == (str(tmp_path / "texts" / "train"), str(tmp_path / "texts" / "test"))
    write_texts(tmp_path / "texts", "other/a.txt")
    assert with_splits_of_folder(make_recipe(data=tmp_path / "texts"))[1] == []


def test_files_that_are_named_as_splits_are_splits(tmp_path: Path) -> None:
    for name in ("train.jsonl", "dev.jsonl", "test.jsonl.gz", "unlabelled.jsonl", "LICENSE"):
        (tmp_path / name).write_bytes(b"")
    recipe, (note,) = with_splits_of_folder(make_recipe(data=tmp_path))
    assert (recipe.data, recipe.split.validation) == (str(tmp_path / "train.jsonl"), str(tmp_path / "dev.jsonl"))
    assert recipe.split.test == str(tmp_path / "test.jsonl.gz")
    assert note.endswith("not read: LICENSE, unlabelled.jsonl")
    (tmp_path / "val.jsonl").write_bytes(b"")  # which of the two is meant?
    assert with_splits_of_folder(make_recipe(data=tmp_path))[1] == []


def test_texts_that_are_named_as_splits_among_others_are_texts(tmp_path: Path) -> None:
    write_texts(tmp_path / "alone", "train.txt", "test.txt")
    (tmp_path / "alone" / "README.md").write_text("Two files.")
    assert with_splits_of_folder(make_recipe(data=tmp_path / "alone"))[0].data == str(tmp_path / "alone" / "train.txt")
    write_texts(tmp_path / "among", "train.txt", "test.txt", "voyage.txt")
    write_texts(tmp_path / "scripts", "train.py", "test.py", "a.txt", "b.txt")
    write_texts(tmp_path / "tables", "train.csv", "test.csv", "a.txt", "b.txt")
    for name in ("among", "scripts", "tables"):
        assert with_splits_of_folder(make_recipe(data=tmp_path / name))[1] == [], name
