"""The columns that a model adds to a file: which texts its rows hold, and what is predicted for them."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from homeground.data.columns import columns_of_model, find_columns
from homeground.data.opening import BYTE_ORDER_MARKS
from homeground.data.sources.nested import with_fields
from homeground.data.streams import open_rows
from homeground.data.tables import DELIMITERS, Origin, Row, Table, text
from homeground.errors import DataError, UsageError, nearest
from homeground.inference.classifier import Classifier, joined
from homeground.inference.encoder import Encoder
from homeground.inference.fill_mask import MaskedLM
from homeground.inference.tagger import Tagger
from homeground.inference.texts import has_text
from homeground.recipe.recipe import Recipe
from homeground.statistics.classification import DECISION_THRESHOLD

ROWS_PER_CHUNK = 4096
"""Rows predicted at once."""

UTF_8_MARK = b"\xef\xbb\xbf"

Texts = list[tuple[str, ...]]
ProgressListener = Callable[[int, int], None]
"""Gets the rows done and the rows in all."""


@dataclass(frozen=True)
class InputFile:
    """A table that was read once, the columns of the texts, how many rows it has, and how many have an empty text."""

    recipe: Recipe
    table: Table
    text_columns: tuple[str, ...]
    rows: int
    empty: int

    @property
    def columns(self) -> tuple[str, ...]:
        """Its columns."""
        return self.table.columns

    @property
    def has_mark(self) -> bool:
        """Whether it is a CSV file that begins with a byte-order mark, by which Excel knows the encoding."""
        path = self.table.parts[0][0] if self.table.parts else self.table.path
        if self.table.format not in DELIMITERS or not Path(path).is_file():
            return False
        opened = gzip.open if path.lower().endswith(".gz") else open
        with opened(path, "rb") as file:
            return file.read(4).startswith((UTF_8_MARK, *(mark for mark, _ in BYTE_ORDER_MARKS)))

    @property
    def delimiter(self) -> str:
        """The character between the fields of a CSV file that is written from it: the one it was said to have."""
        named = self.recipe.reading.delimiter
        return "\t" if named in ("tab", r"\t") else named or ","


@dataclass(frozen=True)
class Predictions:
    """The columns to add, and a function from texts or pairs to their values, one a column."""

    names: list[str]
    predict: Callable[[Texts], list[list[Any]]]


def read_once(recipe: Recipe, filler: MaskedLM | None, learned: Mapping[str, Any]) -> InputFile:
    """Read and count all rows of a file; with ``filler`` every text must have a mask.

    ``learned`` are the settings of the model (homeground.json), which know the columns it learned from.

    Raises DataError for a row that cannot be read.
    """
    table = open_rows(recipe.data, keep=False, **recipe.reading.model_dump())
    table = with_fields(table, recipe.columns.model_dump().values())
    text_columns = columns_of_texts(table, recipe, learned)
    rows = empty = 0
    for row in table.rows:
        texts = _texts(table, row, text_columns)
        rows, empty = rows + 1, empty + (texts is None)
        if filler and texts and len(texts) == 1 and not filler.has_mask(texts[0]):
            problem = f"has no mask; write {filler.mask_token} for each masked word"
            raise table.error(problem, row=row.number, column=text_columns[0])
    return InputFile(recipe, table, text_columns, rows, empty)


def columns_of_texts(table: Origin, recipe: Recipe, learned: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns of the texts: the named ones, those the model learned from, or those with usual names."""
    if table.format == "conll":
        raise DataError.at(
            table.path,
            "holds words with tags; predict takes whole texts, one a row or line. To measure a model on it: "
            f"homeground evaluate RUN {table.path}",
        )
    named = recipe.columns
    roles = ("text", "text_1", "text_2")
    if not any((named.text, named.text_1, named.text_2)) and (known := columns_of_model(learned, table, roles)):
        return tuple(known.values())
    if named.text and (named.text_1 or named.text_2):
        raise UsageError("--text names the only text, --text-1 and --text-2 those of a pair; use one or the other")
    names = {"text_1": named.text_1, "text_2": named.text_2, "text": named.text}
    columns = find_columns(table, names, names)
    only = named.text or (None if named.text_2 else named.text_1)
    if only is None and "text_1" in columns and "text_2" in columns:
        return columns["text_1"], columns["text_2"]
    if named.text_2:
        raise UsageError("--text-2 names the second text of a pair; name the first with --text-1")
    single = only or columns.get("text_1") or columns.get("text")
    if single is None:
        problem = f"no column for the text was found; name it with --text; {nearest('text', table.columns)}"
        raise table.error(problem)
    return (single,)


def _texts(table: Origin, row: Row, columns: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the texts of a row, None where one of them is empty or, in JSON, null."""
    texts = tuple("" if row.values.get(column, "") is None else text(table, row, column) for column in columns)
    return texts if all(map(has_text, texts)) else None


def chunks(source: InputFile, on_progress: ProgressListener) -> Iterator[tuple[list[Row], list[int], Texts]]:
    """Yield rows, the positions of those with texts, and these texts; report each chunk when it is done."""
    table, done = source.table, 0
    every = iter(table.rows)
    for rows in iter(lambda: list(itertools.islice(every, ROWS_PER_CHUNK)), []):
        texts = [_texts(table, row, source.text_columns) for row in rows]
        full = [place for place, sides in enumerate(texts) if sides is not None]
        yield rows, full, [sides for sides in texts if sides is not None]
        done += len(rows)
        on_progress(done, source.rows)


def predicted_columns(
    model: Encoder | Classifier | Tagger, source: InputFile, *, top: int | None, embeddings: bool, spread: bool
) -> Predictions:
    """Return the columns to add; ``spread`` gives each dimension of an embedding its own column."""
    if isinstance(model, Classifier):
        return _label_predictions(model, source, top)
    if isinstance(model, Tagger):
        names = _free("predicted_entities", source.columns, lambda name: [name])
        return Predictions(names, lambda texts: [[each] for each in _entities(model, texts)])
    if len(source.text_columns) == 2:
        names = _free("similarity", source.columns, lambda name: [name])
        return Predictions(names, lambda texts: [[_rounded(value)] for value in _similarities(model, texts)])
    if isinstance(model, MaskedLM) and not embeddings:
        token, probability, filled = (
            _free(name, source.columns, lambda name: [name])
            for name in ("predicted_token", "probability", "filled_text")
        )
        ranked = _ranked_columns("token", top, source.columns)
        return Predictions([*token, *probability, *filled, *ranked], lambda texts: _words(model, texts, top))
    if not spread:
        names = _free("embedding", source.columns, lambda name: [name])
        return Predictions(names, lambda texts: [[vector] for vector in _embeddings(model, texts)])
    dimensions = range(model.dimensions)
    names = _free("embedding", source.columns, lambda name: [f"{name}_{place}" for place in dimensions])
    return Predictions(names, lambda texts: _embeddings(model, texts))


def _label_predictions(model: Classifier, source: InputFile, top: int | None) -> Predictions:
    """Return the columns of a classifier: the label, whether it abstains, its confidence, and the probabilities."""
    names = _free("predicted_label", source.columns, lambda name: [name])
    for name in ("abstained", "confidence") if model.threshold is not None else ("confidence",):
        names += _free(name, [*source.columns, *names], lambda name: [name])
    taken = [*source.columns, *names]
    if top is not None:
        names += _ranked_columns("label", min(top, len(model.classes_)), taken)
    else:
        each = [f"_{name}" for name in model.classes_]
        names += _free("probability", taken, lambda name: [name + end for end in each])
    return Predictions(names, lambda texts: _labels(model, texts, top))


def _ranked_columns(what: str, top: int | None, taken: Sequence[str]) -> list[str]:
    """Return the columns of the likeliest labels or tokens: ``top_1_label``, ``top_1_probability`` and so on."""
    ranks = range(1, (top or 0) + 1)
    return _free(
        "top", taken, lambda name: [f"{name}_{rank}_{part}" for rank in ranks for part in (what, "probability")]
    )


def _free(name: str, taken: Sequence[str], named: Callable[[str], list[str]]) -> list[str]:
    """Return the columns of the first name of which the file has none, so that nothing in it is overwritten.

    >>> _free("similarity", ["similarity", "predicted_similarity"], lambda name: [name])
    ['predicted_similarity_2']
    """
    longer = name if name.startswith("predicted_") else f"predicted_{name}"
    stems = itertools.chain([name, longer], (f"{longer}_{number}" for number in itertools.count(2)))
    return next(names for names in map(named, stems) if not set(names) & set(taken))


def _words(model: MaskedLM, texts: Texts, top: int | None) -> list[list[Any]]:
    """Return the likeliest token of every mask, its probability, the text with all of them, and the ``top`` tokens."""
    singles, count = [sides[0] for sides in texts], top or 1
    rows: list[list[Any]] = []
    for single, candidates in zip(singles, model.fill_mask(singles, count), strict=True):
        by_rank = [candidates[rank::count] for rank in range(count)]
        ranked = [
            values[0] if len(values) == 1 else values
            for best in by_rank
            for values in ([each.token for each in best], [_rounded(each.probability) for each in best])
        ]
        best = by_rank[0]
        filled = best[0].text if len(best) == 1 else model.complete(single, [each.id for each in best])
        rows.append([*ranked[:2], filled, *(ranked if top is not None else [])])
    return rows


def _labels(model: Classifier, texts: Texts, top: int | None) -> list[list[Any]]:
    rows: list[list[Any]] = []
    matrix = model.predict_proba([sides[0] if len(sides) == 1 else (sides[0], sides[1]) for sides in texts])
    abstained, confidences = model.abstains(matrix).tolist(), model.confidence(matrix)
    for probabilities, abstains, confidence in zip(matrix, abstained, confidences, strict=True):
        labels = [model.classes_[place] for place in np.flatnonzero(probabilities >= DECISION_THRESHOLD)]
        label = joined(labels, model.classes_) if model.several else model.classes_[int(probabilities.argmax())]
        first = [label] if model.threshold is None else [None if abstains else label, abstains]
        ranked = [part for name, value in model.ranked(probabilities, top) for part in (name, _rounded(value))]
        rest = [_rounded(value) for value in probabilities] if top is None else ranked
        rows.append([*first, _rounded(confidence), *rest])
    return rows


def _entities(model: Tagger, texts: Texts) -> list[list[dict[str, Any]]]:
    found = model.entities([sides[0] for sides in texts])
    return [[{**each._asdict(), "probability": _rounded(each.probability)} for each in own] for own in found]


def _similarities(model: Encoder, texts: Texts) -> list[float]:
    return model.similarity([sides[0] for sides in texts], [sides[1] for sides in texts]).tolist()


def _embeddings(model: Encoder, texts: Texts) -> list[list[float]]:
    return [[_rounded(value) for value in vector] for vector in model.encode([sides[0] for sides in texts])]


def _rounded(value: Any) -> float:
    return round(float(value), 6)
