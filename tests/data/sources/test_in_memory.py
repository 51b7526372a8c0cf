"""Tables of a Python program have the rows and the hash that a file with the same content has, of whatever library."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow
import pytest

from homeground.data.corpus import with_splits_of_folder
from homeground.data.sources.in_memory import takes_tables
from homeground.data.streams import open_rows, require_source
from homeground.data.tables import Table
from homeground.errors import DataError, UsageError
from homeground.recipe.recipe import make_recipe

ROWS: list[dict[str, Any]] = [
    {"text": f"text {number} 日本", "label": "ab"[number % 2], "n": number, "share": number / 2, "parts": ["x", "y"]}
    for number in range(5)
]
ROWS[1]["n"], ROWS[2]["share"], ROWS[3]["text"] = None, None, None


class Pandas:
    """Stands for a data frame of pandas, which has NaN for missing numbers, so that whole ones are fractions."""

    def __init__(self, rows: list[dict[str, Any]], index: Any = None) -> None:
        self.columns = list(rows[0])
        self._lists = {name: [row[name] for row in rows] for name in self.columns}
        for name in ("n", "share"):
            self._lists[name] = [float("nan") if value is None else float(value) for value in self._lists[name]]
        self.index = index or RangeIndex()

    @property
    def iloc(self) -> Any:
        return self

    def __getitem__(self, place: tuple[slice, int]) -> Any:
        return np.array(self._lists[self.columns[place[1]]], dtype=object)


class RangeIndex:
    names = (None,)


class NamedIndex:
    names = ("id",)

    def tolist(self) -> list[str]:
        return ["a", "b"]

    def __len__(self) -> int:
        return 2


class Polars:
    """Stands for a data frame of polars."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.columns, self._rows = list(rows[0]), rows

    def to_dicts(self) -> list[dict[str, Any]]:
        return self._rows


class Dataset:
    """Stands for one of the datasets library."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._table = pyarrow.Table.from_pylist(rows)

    @property
    def features(self) -> Any:
        class Features:
            arrow_schema = self._table.schema

        return Features

    def __len__(self) -> int:
        return self._table.num_rows

    def with_format(self, name: str) -> Dataset:
        assert name == "arrow"
        return self

    def iter(self, batch_size: int) -> Any:
        return self._table.to_batches(max_chunksize=2)


class ArrowStream:
    """Stands for any table that gives an Arrow stream."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._table = pyarrow.Table.from_pylist(rows)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


@takes_tables
def read(data: Any) -> Table:
    return open_rows(data)


@takes_tables
def name(data: Any) -> str:
    return data


TABLES = {
    "list": ROWS,
    "tuple": tuple(ROWS),
    "columns": {column: [row[column] for row in ROWS] for column in ROWS[0]},
    "pandas": Pandas(ROWS),
    "polars": Polars(ROWS),
    "arrow": pyarrow.Table.from_pylist(ROWS),
    "dataset": Dataset(ROWS),
    "stream": ArrowStream(ROWS),
}


@pytest.mark.parametrize("kind", TABLES)
def test_every_kind_of_table_has_the_same_rows_and_the_same_hash(kind: str) -> None:
    table = read(TABLES[kind])
    assert table.columns == tuple(ROWS[0])
    assert [(row.number, row.values) for row in table.rows] == list(enumerate(ROWS, start=1))
    assert [type(value) for row in table.rows for value in row.values.values()] == [
        type(value) for row in ROWS for value in row.values()
    ]
    assert table.sha256 == read(ROWS).sha256 != read(ROWS[1:]).sha256
    assert table.path == f"<{type(TABLES[kind]).__name__} of 5 rows, sha256 {table.sha256[:16]}>"


def test_values_become_those_of_json() -> None:
    class NaTType(datetime.datetime):
        pass

    values = {
        "day": datetime.date(2024, 1, 2),
        "moment": datetime.datetime(2024, 1, 2, 3, 4),
        "nothing": NaTType(2024, 1, 1),
        "price": decimal.Decimal("1.50"),
        "nan": float("nan"),
        "number": np.int64(3),
        "word": np.str_("a"),
        "flag": np.bool_(True),
        "vector": np.array([1, 2]),
        "deep": {"a": [{"b": np.float32(0.5)}]},
    }
    (row,) = read([values]).rows
    assert row.values == {
        **{"day": "2024-01-02", "moment": "2024-01-02T03:04:00", "nothing": None, "price": "1.50", "nan": None},
        **{"number": 3, "word": "a", "flag": True, "vector": [1, 2], "deep": {"a": [{"b": 0.5}]}},
    }
    assert [type(value) for value in row.values.values()][5:8] == [int, str, bool]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ([{"text": b"a"}], 'the list, row 1: column "text" holds a bytes; expected text, numbers or lists of them'),
        ([{"text": "a"}, {"txt": "b"}], 'the list, row 2: column "text" is missing; every object needs the keys'),
        ([{"text": "a\ud83d"}], 'the list, row 1: column "text" holds half of a surrogate pair'),
        (pyarrow.table({"text": pyarrow.array([], pyarrow.string())}), "the Table: holds no rows of data"),
        (pyarrow.table({"text": [{"a": 1}]}), 'the Table: column "text" is nested'),
    ],
)
def test_what_no_row_can_hold_is_refused_with_its_place(data: Any, problem: str) -> None:
    with pytest.raises(DataError) as refused:
        read(data)
    assert str(refused.value).startswith(problem)


def test_what_is_no_table_yet_is_refused_with_the_way_to_one() -> None:
    class LazyFrame:
        collect = collect_schema = None

    class Series:
        to_frame = None

    class IterableDataset:
        features = with_format = None

    for data, problem in (
        (LazyFrame(), r"the LazyFrame holds no rows yet; give what its collect\(\) returns"),
        (Series(), r"the Series is one column; give a table with names"),
        (IterableDataset(), r"the IterableDataset is read once .* give datasets.Dataset.from_list"),
    ):
        with pytest.raises(UsageError, match=problem):
            read(data)


def test_an_index_with_a_name_is_not_read_and_that_is_said() -> None:
    table = read(Pandas(ROWS[:2], index=NamedIndex()))
    assert table.notes == (f"{table.path}: its index is not read; frame.reset_index() makes a column of it",)


def test_paths_and_other_values_are_left_as_they_are() -> None:
    for value in ("a.csv", ["a.csv", "b.csv"], 0.1, None, [], [("a", "b")], {}, {"a": 1}):
        assert name(value) == value


def test_a_table_is_known_by_its_name_only_while_a_function_works_on_it() -> None:
    named = name(ROWS)
    for use in (open_rows, require_source):
        with pytest.raises(DataError, match=r"is a table that a Python program has handed over, and no file; give it"):
            use(named)

    @takes_tables
    def outer(data: Any) -> str:
        assert name(ROWS) == data
        return open_rows(data).path

    assert outer(ROWS) == named


def test_splits_in_memory_are_the_data_and_the_files_of_a_recipe() -> None:
    @takes_tables
    def splits(data: Any) -> tuple[Any, str]:
        recipe, (note,) = with_splits_of_folder(make_recipe(data=data))
        return recipe, note

    class DatasetDict(dict[str, Any]):
        pass

    data: Mapping[str, Any] = DatasetDict(train=Dataset(ROWS), validation=Dataset(ROWS[1:]), test=Dataset(ROWS[2:]))
    recipe, note = splits(data)
    assert [recipe.data, recipe.split.validation, recipe.split.test] == [name(each) for each in data.values()]
    assert ": its splits are used, train from <Dataset of 5 rows" in note
    with pytest.raises(DataError, match=r'holds the splits train, validation, test; give one of them: data\["train"\]'):
        read(data)


def test_real_data_frames_and_data_sets_have_the_same_hash() -> None:
    pandas, polars, datasets = map(pytest.importorskip, ("pandas", "polars", "datasets"))
    expected = read(ROWS).sha256
    for data in (pandas.DataFrame(ROWS), polars.DataFrame(ROWS), datasets.Dataset.from_list(ROWS)):
        assert read(data).sha256 == expected
    shuffled = datasets.Dataset.from_list(ROWS).shuffle(seed=1)
    assert [row.values for row in read(shuffled).rows] == shuffled.to_list()
