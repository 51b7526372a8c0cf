"""Parquet and Arrow as tables of rows: columns of plain values or of lists of them, each value as it was written.

Text, numbers and booleans stay what they are. A date or time becomes text in ISO 8601, a decimal the text of its
digits; a missing value and NaN become None. What is no plain value is refused with the name of its column.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, cast

from homeground.data.evidence.exports import name_a_span
from homeground.data.formats import FieldLayout, Parsed
from homeground.data.sources.extras import library
from homeground.errors import DataError
from homeground.storage import parse_json

ROWS_AT_ONCE = 4096
"""Rows of a file that are in memory at once."""

FILE_MAGIC = b"ARROW1"

Convert = Callable[[Any], object]


def parse_parquet(path: str, stream: BinaryIO, layout: FieldLayout) -> Parsed:
    """Return the rows of a Parquet file, some at a time."""
    parquet = library(path, "a Parquet file", "pyarrow.parquet", extra="parquet")
    try:
        file = parquet.ParquetFile(stream)
        schema = file.schema_arrow
    except (OSError, ValueError) as problem:
        raise _damaged(path, "Parquet", problem) from None
    return parse_arrow(path, schema, lambda: file.iter_batches(batch_size=ROWS_AT_ONCE))


def parse_arrow_file(path: str, stream: BinaryIO, layout: FieldLayout) -> Parsed:
    """Return the rows of an Arrow file (Feather) or stream, some at a time."""
    arrow = library(path, "an Arrow file", "pyarrow", extra="parquet")
    is_file = stream.read(len(FILE_MAGIC)) == FILE_MAGIC
    stream.seek(0)
    try:
        reader = arrow.ipc.open_file(stream) if is_file else arrow.ipc.open_stream(stream)
    except (OSError, ValueError) as problem:
        raise _damaged(path, "Arrow", problem) from None
    if is_file:
        places = range(reader.num_record_batches)
        return parse_arrow(path, reader.schema, lambda: map(reader.get_batch, places))
    return parse_arrow(path, reader.schema, lambda: reader)


def parse_arrow(path: str, schema: Any, batches: Callable[[], Iterable[Any]]) -> Parsed:
    """Return the rows of Arrow record batches, whose columns a schema describes.

    Numbers that stand for classes, as the datasets library writes them, become the names of these.

    Raises:
        DataError: a column holds what is no plain value, or two have one name.
    """
    arrow = library(path, "an Arrow table", "pyarrow", extra="parquet")
    columns = tuple(str(name) for name in schema.names)
    if twins := sorted({name for name in columns if columns.count(name) > 1}):
        raise DataError.at(path, f'has more than one column "{twins[0]}"; rename one of them')
    classes = _class_names(schema)
    readers = [column_reader(arrow, path, field.name, field.type, classes.get(field.name, ())) for field in schema]

    def values() -> Iterator[dict[str, object] | None]:
        try:
            for batch in batches():
                lists = [read(column) for read, column in zip(readers, batch.columns, strict=True)]
                yield from (dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True))
        except UnicodeDecodeError as problem:
            raise DataError.at(path, f"holds text that is not utf-8 ({problem.reason}); write it again") from None
        except (OSError, ValueError) as problem:
            raise _damaged(path, "Arrow", problem) from None

    return Parsed(columns, values() if columns else iter(()))


def column_reader(
    arrow: Any, path: str, name: str, kind: Any, classes: Sequence[str] = ()
) -> Callable[[Any], list[object]]:
    """Return a function from a column of Arrow values to Python's, numbers of ``classes`` to their names.

    Raises:
        DataError: values of this type are none that a row can hold.
    """
    convert = _converter(arrow, path, name, kind)
    if classes:
        convert = _naming(path, name, classes)

    def read(column: Any) -> list[object]:
        if arrow.types.is_timestamp(column.type) and column.type.unit == "ns":
            column = column.cast(arrow.timestamp("us", column.type.tz), safe=False)
        listed = cast(list[Any], column.to_pylist())
        return listed if convert is None else [None if each is None else convert(each) for each in listed]

    return read


def _converter(arrow: Any, path: str, name: str, kind: Any) -> Convert | None:
    """Return what makes a value of a type one that a row can hold, None where it is one already."""
    types = arrow.types
    if isinstance(kind, arrow.BaseExtensionType):
        return _converter(arrow, path, name, kind.storage_type)
    if types.is_dictionary(kind):
        return _converter(arrow, path, name, kind.value_type)
    is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    if is_text or types.is_boolean(kind) or types.is_integer(kind) or types.is_null(kind):
        return None
    if types.is_floating(kind):
        return _number
    if types.is_decimal(kind):
        return str
    if types.is_date(kind) or types.is_time(kind) or types.is_timestamp(kind):
        return lambda value: cast(str, value.isoformat())
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        inner = _converter(arrow, path, name, kind.value_type)
        return None if inner is None else lambda values: [None if each is None else inner(each) for each in values]
    if types.is_struct(kind) and name_a_span(field.name for field in kind.fields):
        fields = {str(field.name): _converter(arrow, path, name, field.type) or _same for field in kind.fields}
        return lambda span: {key: None if span[key] is None else convert(span[key]) for key, convert in fields.items()}
    if types.is_nested(kind):
        advice = "write each of its fields as a column of its own, as pyarrow's table.flatten() does, or leave it out"
        raise DataError.at(path, f"is nested ({_short(kind)}); {advice}", column=name)
    what = "bytes" if types.is_binary(kind) or types.is_large_binary(kind) else _short(kind)
    raise DataError.at(path, f"holds {what}; expected text, numbers or lists of them: leave it out", column=name)


def _same(value: Any) -> Any:
    return value


def _class_names(schema: Any) -> dict[str, list[str]]:
    """Return the names of the classes of every column of classes, of which the datasets library keeps numbers."""
    written = (schema.metadata or {}).get(b"huggingface")
    try:
        features: Any = parse_json(written)["info"]["features"] if written else {}
    except (ValueError, KeyError, TypeError):
        features = {}
    names: dict[str, list[str]] = {}
    for column, described in features.items() if isinstance(features, dict) else ():
        kind: Any = described
        while isinstance(kind, dict) and isinstance(kind.get("feature"), dict):
            kind = kind["feature"]
        if isinstance(kind, dict) and kind.get("_type") == "ClassLabel":
            names[str(column)] = [str(name) for name in kind.get("names") or []]
    return names


def _naming(path: str, column: str, classes: Sequence[str]) -> Convert:
    """Return a function from the number of a class to its name; -1 stands for no class."""

    def name(value: Any) -> object:
        if isinstance(value, list):
            return [name(each) for each in cast(list[Any], value)]
        if value is None or value == -1:
            return None
        if not 0 <= value < len(classes):
            problem = f"holds the class {value}, and only 0 to {len(classes) - 1} have names"
            raise DataError.at(path, problem, column=column)
        return classes[value]

    return name


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _short(kind: Any) -> str:
    written = str(kind)
    return written if len(written) <= 60 else written[:60] + "…"


def _damaged(path: str, kind: str, problem: BaseException) -> DataError:
    reason = " ".join(f"{problem}".split())[:120]
    return DataError.at(path, f"cannot be read as {kind} ({reason}); fetch or write it again")
