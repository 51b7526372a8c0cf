"""What a model predicts as a function of batches, for engines that carry it to where the data is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from os import PathLike, fspath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.checkpoint import read_settings
from homeground.data.tables import Table
from homeground.errors import UsageError
from homeground.inference.files import require_embeddings
from homeground.inference.loading import AUTO, load
from homeground.inference.predicted_columns import InputFile, Predictions, columns_of_texts, predicted_columns
from homeground.inference.texts import has_text
from homeground.recipe.recipe import make_recipe

Columns = dict[str, NDArray[Any]]


class Predictor:
    """Adds what a model predicts to batches of columns; it can be pickled, and loads its model once, when first called.

    It takes a mapping of columns to arrays, as Ray Data's ``map_batches`` gives it, or a pandas DataFrame, and returns
    the same with the columns that ``homeground predict --output`` adds. ``text``, or ``text_1`` and ``text_2``, name
    the columns of the texts, by default those of the training data; ``engine`` is that of ``load``, other options are
    those of ``predict_file``.

    >>> homeground.Predictor("runs/reviews")({"text": ["great film"]})  # doctest: +SKIP
    """

    def __init__(
        self,
        source: str | PathLike[str],
        *,
        text: str | None = None,
        text_1: str | None = None,
        text_2: str | None = None,
        top: int | None = None,
        embeddings: bool = False,
        engine: str = AUTO,
    ) -> None:
        self._source, self._engine = fspath(source), engine
        self._named = {"text": text, "text_1": text_1, "text_2": text_2}
        self._top, self._embeddings = top, embeddings

    def __call__(self, batch: Any) -> Any:
        """Return a batch with the predicted columns, in the form in which it came.

        Raises:
            DataError: it has no column of texts.
            UsageError: it is no mapping and no DataFrame, or the model does not predict what is asked.
        """
        if isinstance(batch, Mapping):
            given: dict[str, Any] = dict(batch)  # pyright: ignore[reportUnknownArgumentType]
            return {**given, **self._predict(given)}
        if hasattr(batch, "assign") and hasattr(batch, "columns"):
            return batch.assign(**self._predict({name: batch[name] for name in batch.columns}))
        raise UsageError(f"a {type(batch).__name__} is no batch; expected a mapping of columns, or a pandas DataFrame")

    def columns(self, *texts: Iterable[str]) -> Columns:
        """Return the predicted columns alone, for the texts of one column or of two, as Spark's udf wants them."""
        names = ("text",) if len(texts) == 1 else ("text_1", "text_2")
        named = {name: name for name in names}
        return self._predict(dict(zip(names, texts, strict=True)), named)

    def __getstate__(self) -> dict[str, Any]:
        """Return what it was made of; the model stays where it is."""
        return {name: value for name, value in self.__dict__.items() if name != "_model"}

    @cached_property
    def _model(self) -> Any:
        model = load(self._source, engine=self._engine)
        if self._embeddings:
            require_embeddings(model)
        return model

    def _predict(self, batch: Mapping[str, Any], named: Mapping[str, str] | None = None) -> Columns:
        wanted = {name: value for name, value in (named or self._named).items() if value is not None}
        recipe = make_recipe({}, data="the batch", **wanted)
        table = Table("the batch", "jsonl", tuple(map(str, batch)), [], "", 0)
        learned = read_settings(self._model.checkpoint.folder / "homeground.json")
        names = columns_of_texts(table, recipe, learned)
        for name in names:
            if isinstance(batch[name], (str, bytes)):
                raise UsageError(f'column "{name}" is one text; expected a column of them, such as a list')
        source = InputFile(recipe, table, names, 0, 0)
        predictions = predicted_columns(self._model, source, top=self._top, embeddings=self._embeddings, spread=False)
        return _as_columns(predictions, list(zip(*(batch[name] for name in names), strict=True)))


def _as_columns(predictions: Predictions, rows: list[tuple[Any, ...]]) -> Columns:
    """Return the predictions of rows as arrays; those without a text have none."""
    full = [place for place, row in enumerate(rows) if all(map(has_text, row))]
    texts = [tuple(map(str, rows[place])) for place in full]
    found = predictions.predict(texts) if texts else []
    columns: Columns = {}
    for place, name in enumerate(predictions.names):
        values = np.empty(len(rows), object)
        for row, own in zip(full, found, strict=True):
            values[row] = own[place]
        is_number = len(full) > 0 and all(type(own[place]) is float for own in found)
        columns[name] = values.astype(np.float64) if is_number else values
    return columns
