"""The files that a setting names: one, or several with commas between them, as columns are; or a table in Python."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

SAVED_MODEL_PREFIX = "saved_model:"
"""How the name of a checkpoint begins that is the folder of a SavedModel."""


class StreamsArrow(Protocol):
    """A table that gives its rows as an Arrow stream: of pandas, polars, pyarrow and others."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the stream."""
        ...


class HasFeatures(Protocol):
    """A data set of the datasets library."""

    @property
    def features(self) -> Any:
        """Return the kinds of its columns."""
        ...


Data = (
    str
    | PathLike[str]
    | Sequence[str | PathLike[str]]
    | Sequence[Mapping[str, Any]]
    | Mapping[str, Any]
    | StreamsArrow
    | HasFeatures
)
"""What functions take as data: the path of a file or folder, several paths, or a table."""


def split_files(named: str, folder: Path = Path()) -> list[str]:
    """Return the files that a setting names, in order; one whose own name holds a comma is one file.

    >>> split_files("a.csv, b.csv"), split_files('"a,b.csv",c.csv')
    (['a.csv', 'b.csv'], ['a,b.csv', 'c.csv'])
    """
    if "," not in named or (folder / named).exists() or is_in_memory(named):
        return [named]
    return [part.strip() for part in next(csv.reader([named], skipinitialspace=True)) if part.strip()] or [named]


def join_files(paths: Iterable[str]) -> str:
    """Return files as a setting names them.

    >>> join_files(["a.csv"]), join_files(["a,b.csv", "c.csv"])
    ('a.csv', '"a,b.csv",c.csv')
    """
    listed = list(paths)
    if len(listed) == 1:
        return listed[0]
    return ",".join(f'"{path}"' if "," in path else path for path in listed)


def is_in_memory(named: str) -> bool:
    """Return whether a setting names a table that a Python program has handed over, and no file."""
    return named.startswith("<") and named.endswith(">") and ", sha256 " in named
