"""File to file: texts get labels, missing words or embeddings, pairs a similarity; the file appears when complete.

The file is read twice. First every row is looked at, so that one that cannot be read is told before the model has
worked for an hour, and the rows are counted. Then they are predicted and written as they come, ``CHUNK`` at once, so
that memory does not follow their number; only of a JSON array the text is held whole.

Every row of the input is in the output, in its place. A row with an empty text gets no prediction, as such rows are
never learned from or tested on: its fields stay empty in CSV, null in JSON Lines, NaN in an array. Where a
classifier abstains, the label alone stays empty, and a column ``abstained`` says so.
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

CHUNK = 4096
"""Rows predicted at once."""

WRITTEN = (".csv", ".jsonl", ".npy")

Texts = list[tuple[str, ...]]
Told = Callable[[int, int], None]


@dataclass(frozen=True)
class Done:
    """What went from file to file: all rows, and how many of them have no prediction because a text is empty."""

    rows: int
    empty: int


@dataclass(frozen=True)
class Source:
    """A file that was read once: its columns, those of the texts, its rows, and how many have an empty text."""

    recipe: Recipe
    sha256: str
    columns: tuple[str, ...]
    text_columns: tuple[str, ...]
    rows: int
    empty: int


@dataclass(frozen=True)
class Answers:
    """The columns that are added, and what a model says of texts or pairs: a value a column for each of them."""

    names: list[str]
    given: Callable[[Texts], list[list[Any]]]


def predict_file(
    model: Encoder | Classifier,
    source: Path,
    target: Path,
    *,
    told: Told = lambda _done, _of: None,
    **settings: Any,
) -> Done:
    """Read texts or pairs, write labels, embeddings or similarities, and return how many rows there were.

    A classifier adds ``predicted_label`` and the probability of every label. A masked language model adds to a single
    text column ``predicted_token``, ``probability`` and ``filled_text``, the text with its masks filled; where a text
    has several masks the first two are lists. With an encoder a file with two text
    columns gets a column ``similarity``; one with a single text column gets embeddings, as an array in .npy, as lists
    in .jsonl, as columns in .csv. A name that the file has already is not taken: the next free one is, such as
    ``predicted_similarity``, then ``predicted_similarity_2``. ``settings`` say how the file is written and which column
    holds the text (``text``, or ``text_1`` and ``text_2``). ``told`` hears the rows done and the rows there are.

    Raises:
        UsageError: the target's suffix is none of .csv, .jsonl and .npy, or .npy was asked for similarities or labels.
        DataError: the file cannot be read, holds no text columns, or a text has no mask to fill; nothing was written.
    """
    if target.suffix not in WRITTEN:
        raise UsageError(f'--output "{target}": expected a name ending in {", ".join(WRITTEN)}')
    if target.suffix == ".npy" and isinstance(model, Classifier):
        raise UsageError(f"{target}: .npy holds embeddings; labels and probabilities go to .csv or .jsonl")
    filler = model if isinstance(model, MaskedLM) and target.suffix != ".npy" else None
    read = _read_once(make_recipe({}, data=str(source), **settings), filler)
    if target.suffix == ".npy":
        if isinstance(model, Classifier) or len(read.text_columns) == 2:
            raise UsageError(f"{target}: .npy holds embeddings of one text column; similarities go to .csv or .jsonl")
        with _new_file(target, "wb") as file:
            _write_array(file, model, read, told)
        return Done(read.rows, read.empty)
    answers = _answers(model, read, spread=target.suffix == ".csv")
    with _new_file(target, "w") as file:
        (_write_csv if target.suffix == ".csv" else _write_json_lines)(file, answers, read, told)
    return Done(read.rows, read.empty)


def _read_once(recipe: Recipe, filler: MaskedLM | None) -> Source:
    with open_table(recipe.data, **recipe.reading.model_dump()) as table:
        text_columns = _text_columns(table, recipe)
        rows = empty = 0
        for row in table.rows:
            texts = _texts(table, row, text_columns)
            rows, empty = row.number, empty + (texts is None)
            if filler and texts and len(texts) == 1 and not filler.has_mask(texts[0]):
                problem = f"has no mask; write {filler.mask_token} where a word is missing"
                raise DataError.at(table.path, problem, row=row.number, column=text_columns[0])
        return Source(recipe, table.sha256, table.columns, text_columns, rows, empty)


def _text_columns(table: Origin, recipe: Recipe) -> tuple[str, ...]:
    named = recipe.columns
    if named.text and (named.text_1 or named.text_2):
        raise UsageError("--text names the only text, --text-1 and --text-2 those of a pair; give one kind")
    roles = {"text_1": named.text_1, "text_2": named.text_2, "text": named.text}
    columns = find_columns(table, roles, roles)
    only = named.text or (None if named.text_2 else named.text_1)
    if only is None and "text_1" in columns and "text_2" in columns:
        return columns["text_1"], columns["text_2"]
    if named.text_2:
        raise UsageError("--text-2 names the second text of a pair; name the first with --text-1")
    single = only or columns.get("text_1") or columns.get("text")
    if single is None:
        problem = f"which column holds the text? name it with --text; {nearest('text', table.columns)}"
        raise DataError.at(table.path, problem)
    return (single,)


def _texts(table: Origin, row: Row, columns: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the texts of a row, None where one of them is empty."""
    texts = tuple(text(table, row, column) for column in columns)
    return texts if all(side.strip() for side in texts) else None


def _chunks(source: Source, told: Told) -> Iterator[tuple[list[Row], list[int], Texts]]:
    """Yield rows, the places among them that have texts, and these texts; tell of each chunk when it is done with."""
    recipe = source.recipe
    with open_table(recipe.data, **recipe.reading.model_dump()) as table:
        if table.sha256 != source.sha256:
            raise DataError.at(table.path, "changed while it was being read; run the command again when it is complete")
        for rows in iter(lambda: list(itertools.islice(table.rows, CHUNK)), []):
            texts = [_texts(table, row, source.text_columns) for row in rows]
            full = [place for place, own in enumerate(texts) if own is not None]
            yield rows, full, [own for own in texts if own is not None]
            told(rows[-1].number, source.rows)


def _answers(model: Encoder | Classifier, source: Source, *, spread: bool) -> Answers:
    """Return what is added to every row; ``spread`` gives each dimension of an embedding a column of its own."""
    if isinstance(model, Classifier):
        label = _free("predicted_label", source.columns, lambda name: [name])
        if model.threshold is not None:
            label += _free("abstained", [*source.columns, *label], lambda name: [name])
        each = [f"_{name}" for name in model.classes_]
        named = _free("probability", [*source.columns, *label], lambda name: [name + end for end in each])
        return Answers([*label, *named], lambda texts: _labels(model, texts))
    if len(source.text_columns) == 2:
        names = _free("similarity", source.columns, lambda name: [name])
        return Answers(names, lambda texts: [[_rounded(value)] for value in _similarities(model, texts)])
    if isinstance(model, MaskedLM):
        token, probability, filled = (
            _free(name, source.columns, lambda name: [name])
            for name in ("predicted_token", "probability", "filled_text")
        )
        return Answers([*token, *probability, *filled], lambda texts: _words(model, texts))
    if not spread:
        names = _free("embedding", source.columns, lambda name: [name])
        return Answers(names, lambda texts: [[vector] for vector in _embeddings(model, texts)])
    dimensions = range(_dimensions(model))
    names = _free("embedding", source.columns, lambda name: [f"{name}_{place}" for place in dimensions])
    return Answers(names, lambda texts: _embeddings(model, texts))


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
    given = [sides[0] for sides in texts]
    answers: list[list[Any]] = []
    for own, found in zip(given, model.fill_mask(given, 1), strict=True):
        lists: list[list[Any]] = [[each.token for each in found], [_rounded(each.probability) for each in found]]
        filled = found[0].text if len(found) == 1 else model.complete(own, [answer.id for answer in found])
        answers.append([*(each[0] if len(found) == 1 else each for each in lists), filled])
    return answers


def _labels(model: Classifier, texts: Texts) -> list[list[Any]]:
    answers: list[list[Any]] = []
    probabilities = model.predict_proba([own[0] if len(own) == 1 else (own[0], own[1]) for own in texts])
    for given, unsure in zip(probabilities, model.abstains(probabilities).tolist(), strict=True):
        chosen = [model.classes_[place] for place in np.flatnonzero(given >= DECISION_THRESHOLD)]
        label = joined(chosen, model.classes_) if model.several else model.classes_[int(given.argmax())]
        said = [label] if model.threshold is None else [None if unsure else label, unsure]
        answers.append([*said, *(_rounded(value) for value in given)])
    return answers


def _similarities(model: Encoder, texts: Texts) -> list[float]:
    return model.similarity([own[0] for own in texts], [own[1] for own in texts]).tolist()


def _embeddings(model: Encoder, texts: Texts) -> list[list[float]]:
    return [[_rounded(value) for value in vector] for vector in model.encode([own[0] for own in texts])]


def _dimensions(model: Encoder) -> int:
    return model.encode(["text"]).shape[1]


def _rounded(value: Any) -> float:
    return round(float(value), 6)


def _answered(answers: Answers, source: Source, told: Told) -> Iterator[tuple[Row, list[Any]]]:
    """Yield every row with its answer, whose values are all None where a text is empty."""
    for rows, full, texts in _chunks(source, told):
        given = dict(zip(full, answers.given(texts) if texts else [], strict=True))
        for place, row in enumerate(rows):
            yield row, given.get(place, [None] * len(answers.names))


def _write_csv(file: Any, answers: Answers, source: Source, told: Told) -> None:
    writer = csv.writer(file)
    writer.writerow([csv_field(name) for name in (*source.columns, *answers.names)])
    for row, answer in _answered(answers, source, told):
        writer.writerow([csv_field(value) for value in (*row.values.values(), *answer)])


def _write_json_lines(file: Any, answers: Answers, source: Source, told: Told) -> None:
    for row, answer in _answered(answers, source, told):
        line = {**row.values, **dict(zip(answers.names, answer, strict=True))}
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _write_array(file: Any, model: Encoder, source: Source, told: Told) -> None:
    # Not numpy.save, which wants the array whole, and not a memory map, whose pages would count as memory in use.
    dimensions = _dimensions(model)
    shape = (source.rows, dimensions)
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    for rows, full, texts in _chunks(source, told):
        vectors = np.full((len(rows), dimensions), np.nan, "<f4")
        if texts:
            vectors[full] = model.encode([own[0] for own in texts])
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
