"""Tables that a Python program hands over in place of a file: lists of dicts, data frames, Arrow tables, data sets.

A table is recognised by what it can do, so that no library is imported for it. Its values become those that JSON has,
as in a file of JSON Lines: NaN, NaT and NA become None, dates text in ISO 8601. While a function works on a table, it
goes by a name such as ``<DataFrame of 300 rows, sha256 1f0c…>`` wherever else a path is, in recipes too.
"""

from __future__ import annotations

import datetime
import decimal
import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from homeground.data.json_rows import parse_objects
from homeground.data.sources.arrow import parse_arrow
from homeground.data.sources.extras import library
from homeground.data.tables import Row, Table
from homeground.errors import DataError, UsageError
from homeground.recipe.files import is_in_memory
from homeground.wording import count

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

ROWS_AT_ONCE = 4096
HASH_CHARACTERS = 16
"""Characters of the hash of a table in its name."""

IN_MEMORY = "memory"
"""The format of such a table, where that of a file would be."""

_TABLES: dict[str, Table] = {}
_SPLITS: dict[str, dict[str, str]] = {}


def takes_tables(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Let a function that takes paths of data take tables in their place, which it sees as their names.

    Raises:
        DataError: a table holds what no row can hold.
        UsageError: it has to be made one first, such as a LazyFrame.
    """

    @functools.wraps(function)
    def taking(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        tables, splits = dict(_TABLES), dict(_SPLITS)
        try:
            named: Any = [_named(value) for value in args]
            settings: Any = {name: _named(value) for name, value in kwargs.items()}
            return cast(Callable[..., Result], function)(*named, **settings)
        finally:
            for registry, before in ((_TABLES, tables), (_SPLITS, splits)):
                for name in set(registry) - set(before):
                    del registry[name]

    return taking


def table_in_memory(name: str) -> Table:
    """Return the table of a name.

    Raises:
        DataError: it is not in the memory of this process, or it is several splits.
    """
    if name in _SPLITS:
        listed = ", ".join(f'data["{split}"]' for split in _SPLITS[name])
        raise DataError.at(name, f"holds the splits {', '.join(_SPLITS[name])}; give one of them: {listed}")
    require_in_memory(name)
    return _TABLES[name]


def require_in_memory(name: str) -> None:
    """Raise DataError unless a table of this name is in the memory of this process."""
    if name not in _TABLES and name not in _SPLITS:
        problem = "is a table that a Python program has handed over, and no file"
        raise DataError.at(name, f"{problem}; give it again in Python, homeground.adapt(table, …), or name a file")


def splits_in_memory(name: str) -> dict[str, str]:
    """Return the names of the tables of the splits of what was handed over under a name, none where it is a table."""
    return _SPLITS.get(name, {})


def _named(value: Any) -> Any:
    """Return the name of a table, registered from now on; anything else as it is."""
    if value is None or isinstance(value, str | int | float | Path):
        return value
    kind = type(value).__name__
    if isinstance(value, Mapping):
        return _named_mapping(kind, cast(Mapping[Any, Any], value))
    if hasattr(value, "to_frame"):
        raise UsageError(f'the {kind} is one column; give a table with names, such as its to_frame("text")')
    if hasattr(value, "collect") and hasattr(value, "collect_schema"):
        raise UsageError(f"the {kind} holds no rows yet; give what its collect() returns")
    if (parsed := _rows_of(kind, value)) is None:
        return value
    columns, rows, notes = parsed
    return _register(kind, columns, rows, notes)


def _named_mapping(kind: str, value: Mapping[Any, Any]) -> Any:
    """Return the name of splits (a DatasetDict) or of columns by their names; any other mapping as it is."""
    parts = {str(name): part for name, part in value.items()}
    tables = {name: _named(part) for name, part in parts.items() if not isinstance(part, list | tuple)}
    if parts and len(tables) == len(parts) and all(map(_is_name, tables.values())):
        together = hashlib.sha256("\n".join(tables.values()).encode()).hexdigest()
        name = f"<{kind} of {', '.join(tables)}, sha256 {together[:HASH_CHARACTERS]}>"
        _SPLITS[name] = tables
        return name
    columns = {name: part for name, part in parts.items() if isinstance(part, list | tuple)}
    if not columns or len(columns) < len(parts) or len({len(part) for part in columns.values()}) > 1:
        return value
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    return _register(kind, *_from_dicts(kind, rows))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and is_in_memory(value)


Read = tuple[tuple[str, ...], Iterator[dict[str, object]], list[str]]
"""Columns, rows, and sentences on what is not read."""


def _rows_of(kind: str, value: Any) -> Read | None:
    """Return what a table holds, None for what is none."""
    if isinstance(value, list | tuple):
        items = cast(Sequence[Any], value)
        return _from_dicts(kind, items) if items and isinstance(items[0], Mapping) else None
    if hasattr(value, "iloc") and hasattr(value, "columns"):
        return _from_pandas(kind, value)
    if hasattr(value, "to_dicts") and hasattr(value, "columns"):
        return _from_dicts(kind, value.to_dicts(), columns=[str(name) for name in value.columns])
    if hasattr(value, "features") and hasattr(value, "with_format"):
        if not hasattr(value, "__len__"):
            raise UsageError(
                f"the {kind} is read once and without its length; give datasets.Dataset.from_list(list(it))"
            )
        arrow = value.with_format("arrow")
        return _from_arrow(kind, value.features.arrow_schema, lambda: arrow.iter(batch_size=ROWS_AT_ONCE))
    if hasattr(value, "to_batches") and hasattr(value, "schema"):
        return _from_arrow(kind, value.schema, value.to_batches)
    if hasattr(value, "__arrow_c_stream__"):
        arrow = library(f"the {kind}", "an Arrow stream", "pyarrow", extra="parquet")
        stream = arrow.RecordBatchReader.from_stream(value)
        return _from_arrow(kind, stream.schema, lambda: stream)
    return None


def _from_arrow(kind: str, schema: Any, batches: Callable[[], Iterable[Any]]) -> Read:
    parsed = parse_arrow(f"the {kind}", schema, batches)
    return parsed.columns, (values for values in parsed.values if values is not None), []


def _from_dicts(kind: str, items: Iterable[Any], *, columns: Sequence[str] = ()) -> Read:
    parsed = parse_objects(f"the {kind}", (_plain_item(kind, row, item) for row, item in enumerate(items, start=1)))
    return parsed.columns or tuple(columns), (values for values in parsed.values if values is not None), []


def _plain_item(kind: str, row: int, item: Any) -> object:
    if not isinstance(item, Mapping):
        return item
    return {str(name): _plain(kind, row, str(name), each) for name, each in cast(Mapping[Any, Any], item).items()}


def _from_pandas(kind: str, frame: Any) -> Read:
    """Return the rows of a data frame; numbers that are fractions only because some are missing are whole again."""
    names = [str(name) for name in frame.columns]
    if twins := sorted({name for name in names if names.count(name) > 1}):
        raise DataError.at(f"the {kind}", f'has more than one column "{twins[0]}"; rename one of them')
    lists = [_whole_again(frame.iloc[:, place].tolist()) for place in range(len(names))]
    index = frame.index
    is_plain = type(index).__name__ == "RangeIndex" or index.tolist() == list(range(len(index)))
    named = any(name is not None for name in index.names) or getattr(index, "inferred_type", "") == "string"
    notes = [] if is_plain or not named else ["its index is not read; frame.reset_index() makes a column of it"]
    rows = (dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True))
    columns, plain_rows, _ = _from_dicts(kind, rows, columns=names)
    return columns, plain_rows, notes


def _whole_again(values: list[Any]) -> list[Any]:
    if not all(isinstance(value, float) for value in values):
        return values
    present = [value for value in values if value == value]
    if len(present) == len(values) or not all(value.is_integer() for value in present):
        return values
    return [int(value) if value == value else None for value in values]


def _plain(kind: str, row: int, column: str, value: Any) -> object:
    """Return a value as JSON has it, None for a missing one."""
    if value is None or type(value).__name__ in ("NaTType", "NAType"):
        return None
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            problem = "holds half of a surrogate pair, which is no character (an emoji cut in two?)"
            raise DataError.at(f"the {kind}", problem, row=row, column=column)
        return str(value)
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(value) if value == value else None
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, Mapping):
        inside = cast(Mapping[Any, Any], value)
        return {str(name): _plain(kind, row, column, each) for name, each in inside.items()}
    if isinstance(value, list | tuple):
        return [_plain(kind, row, column, each) for each in cast(Sequence[Any], value)]
    if hasattr(value, "tolist"):  # a number or an array of NumPy
        return _plain(kind, row, column, value.tolist())
    problem = f"holds a {type(value).__name__}; expected text, numbers or lists of them"
    raise DataError.at(f"the {kind}", problem, row=row, column=column)


def _register(kind: str, columns: tuple[str, ...], rows: Iterable[dict[str, object]], notes: list[str]) -> str:
    listed = [Row(number, values) for number, values in enumerate(rows, start=1)]
    if not listed:
        raise DataError.at(f"the {kind}", "holds no rows of data")
    lines = hashlib.sha256()
    size = 0
    for content in (columns, *(list(row.values.values()) for row in listed)):
        line = json.dumps(content, ensure_ascii=False).encode()
        lines.update(line + b"\n")
        size += len(line) + 1
    sha256 = lines.hexdigest()
    name = f"<{kind} of {count(len(listed), 'row')}, sha256 {sha256[:HASH_CHARACTERS]}>"
    said = tuple(f"{name}: {note}" for note in notes)
    _TABLES[name] = Table(name, IN_MEMORY, columns, listed, sha256, size, notes=said)
    return name
