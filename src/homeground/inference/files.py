"""Predictions from file to file: labels, masked words or embeddings of texts, similarities of pairs.

The output file appears when it is complete. The input file is read twice. First all rows are checked and counted, so
that a row that cannot be read is reported before an hour of predictions. Then they are predicted and written in chunks
of ``ROWS_PER_CHUNK``, so that memory does not grow with their number; only a JSON array is in memory as a whole.

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
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from homeground.data.columns import find_columns
from homeground.data.formats import csv_field
from homeground.data.tables import Origin, Row, open_table, text
from homeground.errors import DataError, UsageError, nearest
from homeground.inference.classifier import Classifier, joined
from homeground.inference.encoder import Encoder
from homeground.inference.fill_mask import MaskedLM
from homeground.recipe.recipe import Recipe, make_recipe
from homeground.statistics.classification import DECISION_THRESHOLD
from homeground.storage import written_to

ROWS_PER_CHUNK = 4096
"""Rows predicted at once."""

WRITTEN = (".csv", ".jsonl", ".npy")

Texts = list[tuple[str, ...]]
ProgressListener = Callable[[int, int], None]
"""Gets the rows done and the rows in all."""


@dataclass(frozen=True)
class RowCounts:
    """The number of rows written, and how many of them have no prediction because a text is empty."""

    rows: int
    empty: int


@dataclass(frozen=True)
class InputFile:
    """A file that was read once: its columns, those of the texts, its rows, and how many have an empty text."""

    recipe: Recipe
    sha256: str
    columns: tuple[str, ...]
    text_columns: tuple[str, ...]
    rows: int
    empty: int


@dataclass(frozen=True)
class Predictions:
    """The columns to add, and a function from texts or pairs to their values, one a column."""

    names: list[str]
    predict: Callable[[Texts], list[list[Any]]]


def predict_file(
    model: Encoder | Classifier,
    source: Path,
    target: Path,
    *,
    on_progress: ProgressListener = lambda _done, _of: None,
    **settings: Any,
) -> RowCounts:
    """Read texts or pairs, write labels, embeddings or similarities, and return how many rows there were.

    A classifier adds ``predicted_label`` and the probability of every label. A masked language model adds to a single
    text column ``predicted_token``, ``probability`` and ``filled_text``, the text with its masks filled; where a text
    has several masks the first two are lists. With an encoder a file with two text
    columns gets a column ``similarity``; one with a single text column gets embeddings, as an array in .npy, as lists
    in .jsonl, as columns in .csv. A name that the file already has is replaced by the next free one, such as
    ``predicted_similarity``, then ``predicted_similarity_2``. ``settings`` are the format of the file and the column
    of the text (``text``, or ``text_1`` and ``text_2``). ``on_progress`` gets the rows done and the rows in all.

    Raises:
        UsageError: the target's suffix is none of .csv, .jsonl and .npy, or is .npy for similarities or labels.
        DataError: the file cannot be read, has no text columns, or a text has no mask to fill; nothing was written.
    """
    if target.suffix not in WRITTEN:
        raise UsageError(f'--output "{target}": expected a name ending in {", ".join(WRITTEN)}')
    if target.suffix == ".npy" and isinstance(model, Classifier):
        raise UsageError(f"{target}: .npy is for embeddings; labels and probabilities go to .csv or .jsonl")
    filler = model if isinstance(model, MaskedLM) and target.suffix != ".npy" else None
    table = _read_once(make_recipe({}, data=str(source), **settings), filler)
    if target.suffix == ".npy":
        if isinstance(model, Classifier) or len(table.text_columns) == 2:
            raise UsageError(f"{target}: .npy is for embeddings of one text column; similarities go to .csv or .jsonl")
        with _new_file(target, "wb") as file:
            _write_array(file, model, table, on_progress)
        return RowCounts(table.rows, table.empty)
    predictions = _predictions(model, table, spread=target.suffix == ".csv")
    with _new_file(target, "w") as file:
        (_write_csv if target.suffix == ".csv" else _write_json_lines)(file, predictions, table, on_progress)
    return RowCounts(table.rows, table.empty)


def _read_once(recipe: Recipe, filler: MaskedLM | None) -> InputFile:
    with open_table(recipe.data, **recipe.reading.model_dump()) as table:
        text_columns = _text_columns(table, recipe)
        rows = empty = 0
        for row in table.rows:
            texts = _texts(table, row, text_columns)
            rows, empty = rows + 1, empty + (texts is None)
            if filler and texts and len(texts) == 1 and not filler.has_mask(texts[0]):
                problem = f"has no mask; write {filler.mask_token} for each masked word"
                raise DataError.at(table.path, problem, row=row.number, column=text_columns[0])
        return InputFile(recipe, table.sha256, table.columns, text_columns, rows, empty)


def _text_columns(table: Origin, recipe: Recipe) -> tuple[str, ...]:
    named = recipe.columns
    if named.text and (named.text_1 or named.text_2):
        raise UsageError("--text names the only text, --text-1 and --text-2 those of a pair; use one or the other")
    roles = {"text_1": named.text_1, "text_2": named.text_2, "text": named.text}
    columns = find_columns(table, roles, roles)
    only = named.text or (None if named.text_2 else named.text_1)
    if only is None and "text_1" in columns and "text_2" in columns:
        return columns["text_1"], columns["text_2"]
    if named.text_2:
        raise UsageError("--text-2 names the second text of a pair; name the first with --text-1")
    single = only or columns.get("text_1") or columns.get("text")
    if single is None:
        problem = f"no column for the text was found; name it with --text; {nearest('text', table.columns)}"
        raise DataError.at(table.path, problem)
    return (single,)


def _texts(table: Origin, row: Row, columns: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the texts of a row, None where one of them is empty."""
    texts = tuple(text(table, row, column) for column in columns)
    return texts if all(side.strip() for side in texts) else None


def _chunks(source: InputFile, on_progress: ProgressListener) -> Iterator[tuple[list[Row], list[int], Texts]]:
    """Yield rows, the positions of those with texts, and these texts; report each chunk when it is done."""
    recipe = source.recipe
    with open_table(recipe.data, **recipe.reading.model_dump()) as table:
        if table.sha256 != source.sha256:
            raise DataError.at(
                table.path, "changed while it was being read; run the command again when the file is complete"
            )
        done = 0
        for rows in iter(lambda: list(itertools.islice(table.rows, ROWS_PER_CHUNK)), []):
            texts = [_texts(table, row, source.text_columns) for row in rows]
            full = [place for place, sides in enumerate(texts) if sides is not None]
            yield rows, full, [sides for sides in texts if sides is not None]
            done += len(rows)
            on_progress(done, source.rows)


def _predictions(model: Encoder | Classifier, source: InputFile, *, spread: bool) -> Predictions:
    """Return the columns to add; ``spread`` gives each dimension of an embedding its own column."""
    if isinstance(model, Classifier):
        label = _free("predicted_label", source.columns, lambda name: [name])
        if model.threshold is not None:
            label += _free("abstained", [*source.columns, *label], lambda name: [name])
        each = [f"_{name}" for name in model.classes_]
        named = _free("probability", [*source.columns, *label], lambda name: [name + end for end in each])
        return Predictions([*label, *named], lambda texts: _labels(model, texts))
    if len(source.text_columns) == 2:
        names = _free("similarity", source.columns, lambda name: [name])
        return Predictions(names, lambda texts: [[_rounded(value)] for value in _similarities(model, texts)])
    if isinstance(model, MaskedLM):
        token, probability, filled = (
            _free(name, source.columns, lambda name: [name])
            for name in ("predicted_token", "probability", "filled_text")
        )
        return Predictions([*token, *probability, *filled], lambda texts: _words(model, texts))
    if not spread:
        names = _free("embedding", source.columns, lambda name: [name])
        return Predictions(names, lambda texts: [[vector] for vector in _embeddings(model, texts)])
    dimensions = range(_dimensions(model))
    names = _free("embedding", source.columns, lambda name: [f"{name}_{place}" for place in dimensions])
    return Predictions(names, lambda texts: _embeddings(model, texts))


def _free(name: str, taken: Sequence[str], named: Callable[[str], list[str]]) -> list[str]:
    """Return the columns of the first name of which the file has none, so that nothing in it is overwritten.

    >>> _free("similarity", ["similarity", "predicted_similarity"], lambda name: [name])
    ['predicted_similarity_2']
    """
    longer = name if name.startswith("predicted_") else f"predicted_{name}"
    stems = itertools.chain([name, longer], (f"{longer}_{number}" for number in itertools.count(2)))
    return next(names for names in map(named, stems) if not set(names) & set(taken))


def _words(model: MaskedLM, texts: Texts) -> list[list[Any]]:
    """Return the likeliest token of every mask, its probability, and the text with all of them."""
    singles = [sides[0] for sides in texts]
    rows: list[list[Any]] = []
    for single, best in zip(singles, model.fill_mask(singles, 1), strict=True):
        lists: list[list[Any]] = [[each.token for each in best], [_rounded(each.probability) for each in best]]
        filled = best[0].text if len(best) == 1 else model.complete(single, [each.id for each in best])
        rows.append([*(each[0] if len(best) == 1 else each for each in lists), filled])
    return rows


def _labels(model: Classifier, texts: Texts) -> list[list[Any]]:
    rows: list[list[Any]] = []
    matrix = model.predict_proba([sides[0] if len(sides) == 1 else (sides[0], sides[1]) for sides in texts])
    for probabilities, abstains in zip(matrix, model.abstains(matrix).tolist(), strict=True):
        labels = [model.classes_[place] for place in np.flatnonzero(probabilities >= DECISION_THRESHOLD)]
        label = joined(labels, model.classes_) if model.several else model.classes_[int(probabilities.argmax())]
        first = [label] if model.threshold is None else [None if abstains else label, abstains]
        rows.append([*first, *(_rounded(value) for value in probabilities)])
    return rows


def _similarities(model: Encoder, texts: Texts) -> list[float]:
    return model.similarity([sides[0] for sides in texts], [sides[1] for sides in texts]).tolist()


def _embeddings(model: Encoder, texts: Texts) -> list[list[float]]:
    return [[_rounded(value) for value in vector] for vector in model.encode([sides[0] for sides in texts])]


def _dimensions(model: Encoder) -> int:
    return model.encode(["text"]).shape[1]


def _rounded(value: Any) -> float:
    return round(float(value), 6)


def _with_predictions(
    predictions: Predictions, source: InputFile, on_progress: ProgressListener
) -> Iterator[tuple[Row, list[Any]]]:
    """Yield every row with its predictions, which are all None where a text is empty."""
    for rows, full, texts in _chunks(source, on_progress):
        values = dict(zip(full, predictions.predict(texts) if texts else [], strict=True))
        for place, row in enumerate(rows):
            yield row, values.get(place, [None] * len(predictions.names))


def _write_csv(file: Any, predictions: Predictions, source: InputFile, on_progress: ProgressListener) -> None:
    writer = csv.writer(file)
    writer.writerow([csv_field(name) for name in (*source.columns, *predictions.names)])
    for row, values in _with_predictions(predictions, source, on_progress):
        writer.writerow([csv_field(value) for value in (*row.values.values(), *values)])


def _write_json_lines(file: Any, predictions: Predictions, source: InputFile, on_progress: ProgressListener) -> None:
    for row, values in _with_predictions(predictions, source, on_progress):
        line = {**row.values, **dict(zip(predictions.names, values, strict=True))}
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _write_array(file: Any, model: Encoder, source: InputFile, on_progress: ProgressListener) -> None:
    # Not numpy.save, which needs the whole array, and not a memory map, whose pages would count as memory in use.
    dimensions = _dimensions(model)
    shape = (source.rows, dimensions)
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    for rows, full, texts in _chunks(source, on_progress):
        vectors = np.full((len(rows), dimensions), np.nan, "<f4")
        if texts:
            vectors[full] = model.encode([sides[0] for sides in texts])
        file.write(vectors.tobytes())


@contextlib.contextmanager
def _new_file(target: Path, mode: str) -> Generator[Any]:
    """Yield a file under a temporary name that takes its place only when everything is written."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
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
