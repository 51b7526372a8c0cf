"""Predictions from file to file: labels, masked words or embeddings of texts, similarities of pairs.

The output file appears when it is complete. The input file is read several times. First all rows are checked and
counted, so that a row that cannot be read is reported before an hour of predictions. Then they are predicted and
written in chunks of ``ROWS_PER_CHUNK``, so that memory does not grow with their number; only a JSON array is in memory
as a whole.

Every row of the input is in the output, in its place. A row with an empty text gets no prediction, as such rows are
never used for training or test: its fields stay empty in CSV, null in JSON Lines, NaN in an array. Where a
classifier abstains, only the label stays empty, and the column ``abstained`` is true.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import os
import platform
import re
import secrets
import shutil
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TextIO

import numpy as np

from homeground.checkpoint import read_settings
from homeground.data.formats import csv_field
from homeground.data.sources.in_memory import takes_tables
from homeground.data.tables import Row
from homeground.errors import UsageError
from homeground.inference.classifier import Classifier
from homeground.inference.encoder import Encoder
from homeground.inference.fill_mask import MaskedLM
from homeground.inference.predicted_columns import (
    ROWS_PER_CHUNK,
    InputFile,
    Predictions,
    ProgressListener,
    chunks,
    predicted_columns,
    read_once,
)
from homeground.inference.tagger import Tagger
from homeground.inference.texts import require_top
from homeground.recipe.files import Data
from homeground.recipe.recipe import make_recipe
from homeground.storage import written_to
from homeground.wording import aligned, count, printable, shorten

WRITTEN = (".csv", ".jsonl", ".npy")

MAX_COLUMNS_SHOWN = 4
"""Predicted columns of a table in a terminal."""

MIN_TEXT_WIDTH = 20
"""Characters of the text in a table in a terminal, at least."""

Form = Literal["csv", "jsonl", "table"]


@dataclass(frozen=True)
class RowCounts:
    """The number of rows written, and how many of them have no prediction because a text is empty."""

    rows: int
    empty: int


@takes_tables
def predict_file(
    model: Encoder | Classifier | Tagger,
    source: Data,
    target: str | PathLike[str],
    *,
    top: int | None = None,
    embeddings: bool = False,
    on_progress: ProgressListener = lambda _done, _of: None,
    **settings: Any,
) -> RowCounts:
    """Read texts or pairs, write labels, embeddings or similarities, and return how many rows there were.

    A classifier adds ``predicted_label``, its ``confidence`` and the probability of every label; with ``top`` the so
    many most probable labels and their probabilities instead. A masked language model adds to a single text column
    ``predicted_token``, ``probability`` and ``filled_text``, the text with its masks filled, and the ``top`` tokens;
    where a text has several masks tokens and probabilities are lists. With an encoder a file with two text columns gets
    a column ``similarity``; one with a single text column gets embeddings, as an array in .npy, as lists in .jsonl, as
    columns in .csv; ``embeddings`` asks a masked language model for them. A name that the file already has is replaced
    by the next free one, such as ``predicted_similarity``, then ``predicted_similarity_2``. A CSV file made from one
    keeps its byte-order mark and the delimiter it was said to have. ``settings`` are the format of the file and the
    column of the text (``text``, or ``text_1`` and ``text_2``), by default that of the training data. ``on_progress``
    gets the rows done and the rows in all.

    Raises:
        UsageError: the target's suffix is none of .csv, .jsonl and .npy, or is .npy for similarities or labels.
        DataError: the file cannot be read, has no text columns, or a text has no mask to fill; nothing was written.
    """
    target = Path(target)
    if target.suffix not in WRITTEN:
        raise UsageError(f'--output "{target}": expected a name ending in {", ".join(WRITTEN)}')
    is_array = target.suffix == ".npy"
    if is_array and not isinstance(model, Encoder):
        raise UsageError(f"{target}: .npy is for embeddings; what this model predicts goes to .csv or .jsonl")
    table, predictions = _prepare(
        model, source, settings, top=top, embeddings=embeddings or is_array, spread=target.suffix == ".csv"
    )
    with _new_file(target, "wb" if is_array else "w") as file:
        if is_array:
            assert isinstance(model, Encoder)
            _write_array(file, model, table, on_progress)
        elif target.suffix == ".csv":
            if table.has_mark:
                file.write("\ufeff")
            _write_csv(file, predictions, table, on_progress)
        else:
            _write_json_lines(file, predictions, table, on_progress)
    return RowCounts(table.rows, table.empty)


def print_predictions(
    model: Encoder | Classifier | Tagger,
    source: Data,
    stream: TextIO,
    form: Form,
    *,
    top: int | None = None,
    embeddings: bool = False,
    **settings: Any,
) -> RowCounts:
    """Write what ``predict_file`` writes to a stream, as CSV, JSON Lines, or a table for a terminal.

    The table has the texts, cut to the width of the terminal, and the first predicted columns.
    """
    table, predictions = _prepare(model, source, settings, top=top, embeddings=embeddings, spread=form != "jsonl")
    write = {"csv": partial(_write_csv, line_end="\n"), "jsonl": _write_json_lines, "table": _write_table}[form]
    write(stream, predictions, table, lambda _done, _of: None)
    return RowCounts(table.rows, table.empty)


def _prepare(
    model: Encoder | Classifier | Tagger,
    source: Data,
    settings: dict[str, Any],
    *,
    top: int | None,
    embeddings: bool,
    spread: bool,
) -> tuple[InputFile, Predictions]:
    """Read a file once, and return it with the columns to add.

    Raises UsageError for what the model does not predict, DataError for a file or a row that cannot be read.
    """
    require_top(top)
    filler = model if isinstance(model, MaskedLM) and not embeddings else None
    if embeddings:
        require_embeddings(model)
    learned = read_settings(model.checkpoint.folder / "homeground.json")
    table = read_once(make_recipe({}, data=source, **settings), filler, learned)
    if embeddings and len(table.text_columns) == 2:
        raise UsageError(
            f"{table.recipe.data}: embeddings (--embeddings, .npy) are of one text column; similarities go to .csv or "
            ".jsonl; name the column with --text"
        )
    if isinstance(model, Tagger) and len(table.text_columns) == 2:
        raise UsageError(f"{table.recipe.data}: entities are found in one text; name the column with --text")
    if top is not None and not isinstance(model, Classifier) and (filler is None or len(table.text_columns) == 2):
        raise UsageError("--top is for labels of texts and for masked words; leave it out")
    return table, predicted_columns(model, table, top=top, embeddings=embeddings, spread=spread)


def require_embeddings(model: Encoder | Classifier | Tagger) -> None:
    """Raise UsageError where embeddings are asked of a model that has none."""
    if not isinstance(model, Encoder):
        what = "finds entities" if isinstance(model, Tagger) else "predicts labels"
        raise UsageError(f"--embeddings needs an encoder; this model {what}")


def _with_predictions(
    predictions: Predictions, source: InputFile, on_progress: ProgressListener
) -> Iterator[tuple[Row, list[Any]]]:
    """Yield every row with its predictions, which are all None where a text is empty."""
    for rows, full, texts in chunks(source, on_progress):
        values = dict(zip(full, predictions.predict(texts) if texts else [], strict=True))
        for place, row in enumerate(rows):
            yield row, values.get(place, [None] * len(predictions.names))


def _write_csv(
    file: Any, predictions: Predictions, source: InputFile, on_progress: ProgressListener, *, line_end: str = "\r\n"
) -> None:
    writer = csv.writer(file, delimiter=source.delimiter, lineterminator=line_end)
    writer.writerow([csv_field(name) for name in (*source.columns, *predictions.names)])
    for row, values in _with_predictions(predictions, source, on_progress):
        writer.writerow([csv_field(value) for value in (*row.values.values(), *values)])


def _write_json_lines(file: Any, predictions: Predictions, source: InputFile, on_progress: ProgressListener) -> None:
    for row, values in _with_predictions(predictions, source, on_progress):
        line = {**row.values, **dict(zip(predictions.names, values, strict=True))}
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _write_table(file: Any, predictions: Predictions, source: InputFile, on_progress: ProgressListener) -> None:
    width, fits = shutil.get_terminal_size().columns, 0
    rows = [[" | ".join(source.text_columns), *predictions.names[:MAX_COLUMNS_SHOWN]]]
    for row, values in _with_predictions(predictions, source, on_progress):
        texts = " | ".join(str(row.values[column] or "") for column in source.text_columns)
        rows.append([texts, *(_cell(value) for value in values[:MAX_COLUMNS_SHOWN])])
        if len(rows) >= ROWS_PER_CHUNK:
            fits = fits or _columns_that_fit(rows, width)
            _print_rows(file, [cells[: fits + 1] for cells in rows], width)
            rows = []
    fits = fits or _columns_that_fit(rows, width)
    _print_rows(file, [cells[: fits + 1] for cells in rows], width)
    if hidden := len(predictions.names) - fits:
        file.write(f"{count(hidden, 'more column is', 'more columns are')} written with --output FILE, or to a pipe\n")


def _columns_that_fit(rows: list[list[str]], width: int) -> int:
    """Return how many predicted columns, at least one, leave room for the text."""
    ends = itertools.accumulate(max(map(len, column)) + 2 for column in list(zip(*rows, strict=True))[1:])
    return max(sum(end <= width - MIN_TEXT_WIDTH for end in ends), 1)


def _print_rows(file: Any, rows: list[list[str]], width: int) -> None:
    rest = [printable(line) for line in aligned([["", *row[1:]] for row in rows])] if rows else []
    room = max(width - max(map(len, rest), default=0), MIN_TEXT_WIDTH)
    for row, line in zip(rows, rest, strict=True):
        file.write(f"{shorten(printable(row[0]), room):<{room}}{line}".rstrip() + "\n")


def _cell(value: Any) -> str:
    """Return a value as a table shows it."""
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list):
        value = ", ".join(
            f"{each['text']} ({each['label']})" if isinstance(each, dict) else str(each) for each in value
        )
    return "" if value is None else shorten(value, MIN_TEXT_WIDTH)


def _write_array(file: Any, model: Encoder, source: InputFile, on_progress: ProgressListener) -> None:
    # Not numpy.save, which needs the whole array, and not a memory map, whose pages would count as memory in use.
    dimensions = model.dimensions
    shape = (source.rows, dimensions)
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    for rows, full, texts in chunks(source, on_progress):
        vectors = np.full((len(rows), dimensions), np.nan, "<f4")
        if texts:
            vectors[full] = model.encode([sides[0] for sides in texts])
        file.write(vectors.tobytes())


def this_machine() -> str:
    """Return the name of this machine as it stands in names of files that are being written."""
    return re.sub(r"[^0-9A-Za-z]+", "_", platform.node())


def machine_of(temporary: Path) -> tuple[str, int]:
    """Return the machine and the process that write a file, by its temporary name; the machine may be unknown ("")."""
    *_, machine, process, _end = temporary.name.split(".")
    return machine.rpartition("-")[0], int(process)


@contextlib.contextmanager
def _new_file(target: Path, mode: str) -> Generator[Any]:
    """Yield a file under a temporary name that takes its place only when everything is written."""
    # Processes of several machines may have one number and one disk.
    temporary = target.with_name(f".{target.name}.{this_machine()}-{secrets.token_hex(4)}.{os.getpid()}.tmp")
    with written_to(target):
        try:
            options: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
            with temporary.open(mode, **options) as file:
                opened: Any = file
                yield opened
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
