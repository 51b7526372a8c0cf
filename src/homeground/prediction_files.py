"""File to file: texts get labels, pairs a similarity, texts embeddings; the file appears only when it is complete."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from homeground.classifier import THRESHOLD, Classifier
from homeground.data.readers import Row, Table, column_error, read_table, text
from homeground.errors import DataError, UsageError, nearest
from homeground.predict import Encoder
from homeground.run import written_to
from homeground.tasks.labels import TEXT_NAMES
from homeground.tasks.similarity import USUAL_NAMES

CHUNK = 4096
"""Rows encoded at once."""

WRITTEN = (".csv", ".jsonl", ".npy")
NUMBER = re.compile(r"[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters a spreadsheet takes for a formula; such a text is written with an apostrophe before it."""


def predict_file(
    model: Encoder | Classifier,
    source: Path,
    target: Path,
    *,
    text_1: str | None = None,
    text_2: str | None = None,
    told: Callable[[int, int], None] = lambda _done, _of: None,
) -> int:
    """Read texts or pairs, write labels, embeddings or similarities, and return the number of rows.

    A classifier adds ``predicted_label`` and the probability of every label. With an encoder a file with two text
    columns gets a column ``similarity``; one with a single text column gets embeddings, as an array in .npy, as lists
    in .jsonl, as columns in .csv. ``told`` hears the rows done and the rows there are, after every chunk of labels.

    Raises:
        UsageError: the target's suffix is none of .csv, .jsonl and .npy, or .npy was asked for similarities or labels.
        DataError: the file cannot be read or holds no text columns.
    """
    if target.suffix not in WRITTEN:
        raise UsageError(f'--output "{target}": expected a name ending in {", ".join(WRITTEN)}')
    table = read_table(source)
    columns = _text_columns(table, text_1, text_2)
    if isinstance(model, Classifier):
        if target.suffix == ".npy":
            raise UsageError(f"{target}: .npy holds embeddings; labels and probabilities go to .csv or .jsonl")
        labelled = _labelled(model, table, columns, told)
        _write_csv(target, labelled) if target.suffix == ".csv" else _write_json_lines(target, labelled)
        return len(table.rows)
    if target.suffix == ".npy":
        embeddings = [vectors for _, vectors in _embedded(model, table, columns[0])]
        if len(columns) == 2:
            raise UsageError(f"{target}: .npy holds embeddings of one text column; similarities go to .csv or .jsonl")
        with _new_file(target, "wb") as file:
            np.save(file, np.concatenate(embeddings), allow_pickle=False)
        return len(table.rows)
    rows = _scored(model, table, columns) if len(columns) == 2 else _vectors(model, table, columns[0])
    _write_csv(target, rows) if target.suffix == ".csv" else _write_json_lines(target, rows)
    return len(table.rows)


def _text_columns(table: Table, text_1: str | None, text_2: str | None) -> tuple[str, ...]:
    for name in (text_1, text_2):
        if name is not None and name not in table.columns:
            raise column_error(table, name)
    first = text_1 or _usual(table, USUAL_NAMES["text_1"])
    second = text_2 or (None if text_1 else _usual(table, USUAL_NAMES["text_2"]))
    if first and second:
        return first, second
    single = first or _usual(table, TEXT_NAMES)
    if single is None:
        raise DataError.at(
            table.path, f"which column holds the text? name it with --text-1; {nearest('text', table.columns)}"
        )
    return (single,)


def _usual(table: Table, names: tuple[str, ...]) -> str | None:
    return next((column for name in names for column in table.columns if column.strip().lower() == name), None)


def _chunks(table: Table) -> Iterator[list[Row]]:
    for start in range(0, len(table.rows), CHUNK):
        yield table.rows[start : start + CHUNK]


def _embedded(model: Encoder, table: Table, column: str) -> Iterator[tuple[list[Row], NDArray[np.float32]]]:
    for rows in _chunks(table):
        yield rows, model.encode([text(table, row, column) for row in rows])


def _vectors(model: Encoder, table: Table, column: str) -> Iterator[dict[str, Any]]:
    for rows, vectors in _embedded(model, table, column):
        for row, vector in zip(rows, vectors, strict=True):
            yield {**row.values, "embedding": [round(float(value), 6) for value in vector]}


def _scored(model: Encoder, table: Table, columns: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    name = "similarity" if "similarity" not in table.columns else "predicted_similarity"
    for rows in _chunks(table):
        sides = [[text(table, row, column) for row in rows] for column in columns]
        for row, value in zip(rows, model.similarity(sides[0], sides[1]), strict=True):
            yield {**row.values, name: round(float(value), 6)}


def _labelled(
    model: Classifier, table: Table, columns: tuple[str, ...], told: Callable[[int, int], None]
) -> Iterator[dict[str, Any]]:
    for rows in _chunks(table):
        sides = [[text(table, row, column) for row in rows] for column in columns]
        probabilities = model.predict_proba(sides[0] if len(sides) == 1 else list(zip(*sides, strict=True)))
        for row, given in zip(rows, probabilities, strict=True):
            chosen = [model.classes_[place] for place in np.flatnonzero(given >= THRESHOLD)]
            label = ";".join(chosen) if model.several else model.classes_[int(given.argmax())]
            named = zip(model.classes_, given, strict=True)
            each = {f"probability_{name}": round(float(value), 6) for name, value in named}
            yield {**row.values, "predicted_label": label, **each}
        told(rows[-1].number, len(table.rows))


def _write_csv(target: Path, rows: Iterator[dict[str, Any]]) -> None:
    with _new_file(target, "w") as file:
        writer: Any = None
        for row in rows:
            flat = _flat(row)
            if writer is None:
                writer = csv.DictWriter(file, fieldnames=list(flat))
                writer.writeheader()
            writer.writerow(flat)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Spread an embedding over columns, and keep texts from being taken for formulas."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if name == "embedding":
            flat |= {f"embedding_{place}": number for place, number in enumerate(value)}
        else:
            flat[name] = "'" + value if isinstance(value, str) and _is_formula(value) else value
    return flat


def _is_formula(value: str) -> bool:
    """Tell whether a spreadsheet would run a text; a plain number such as -0.3 is none."""
    return value.startswith(FORMULA) and not NUMBER.fullmatch(value)


def _write_json_lines(target: Path, rows: Iterator[dict[str, Any]]) -> None:
    with _new_file(target, "w") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


@contextlib.contextmanager
def _new_file(target: Path, mode: str) -> Generator[Any]:
    """Yield a file under a temporary name that takes its place only when everything is written."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    with written_to(target):
        try:
            options: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
            with temporary.open(mode, **options) as file:
                opened: TextIO | Any = file
                yield opened
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
