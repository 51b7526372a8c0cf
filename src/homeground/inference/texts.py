"""Texts as they are given in Python: one or many, some of them missing; files follow the same rule.

A missing text (None, NaN, NA) or one of white space alone gets no prediction, as such rows are never used for training
or test; every result stays in the place of its text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import Any, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from homeground.data.columns import USUAL_NAMES
from homeground.data.tables import SUFFIXES, shown
from homeground.data.tokens.tokenized import require_characters
from homeground.errors import UsageError

OneText = str | tuple[str, str] | None
"""A text, a pair of texts, or None where a text is missing."""

DATA_SUFFIXES = (*SUFFIXES, ".txt", ".md", ".xlsx", ".xls", ".parquet")
"""Endings of names that are taken for those of files, each also with .gz."""

MISSING_TYPES = ("NAType", "NaTType")
"""The types of pandas.NA and pandas.NaT, which equal nothing, not even themselves."""


@dataclass(frozen=True)
class Texts:
    """Texts in the order in which they were given, each as its sides: one, or two of a pair; None where it is missing.

    With ``single`` one text was given instead of many, so that the result is that of one text.
    """

    items: list[tuple[str, ...] | None]
    single: bool

    @property
    def places(self) -> list[int]:
        """The places of the texts that are not missing."""
        return [place for place, item in enumerate(self.items) if item is not None]

    @property
    def sides(self) -> list[tuple[str, ...]]:
        """The texts that are not missing."""
        return [item for item in self.items if item is not None]

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values ``(texts that are not missing, …)`` in the places of their texts, NaN in those of the others.

        For a single text the first axis is left out.
        """
        spread = np.full((len(self.items), *values.shape[1:]), np.nan, values.dtype)
        spread[self.places] = values
        return spread[0] if self.single else spread

    def spread_list(self, values: Sequence[Any], missing: Any = None) -> Any:
        """Return values in the places of their texts, ``missing`` in the others; for a single text its own value."""
        by_place = dict(zip(self.places, values, strict=True))
        spread = [by_place.get(place, missing) for place in range(len(self.items))]
        return spread[0] if self.single else spread


def read_texts(given: object, call: str, *, pairs: bool = False) -> Texts:
    """Return the texts that a user gave to ``call``: a str, or a list, array or column of texts.

    With ``pairs`` each may be a pair of texts.

    Raises:
        UsageError: it is something else, such as a table, bytes or numbers, or a name of a file in place of a text.
    """
    if isinstance(given, str):
        if names_file(given):
            raise UsageError(
                f"{call} takes texts, and {shown(given)} is the name of a file; to predict its rows write "
                f"homeground.predict_file(model, {shown(given)}, OUTPUT), to take it as a text {call}([{shown(given)}])"
            )
        return _checked([given], call, single=True, pairs=False)
    _refuse_containers(given, call)
    values = cast(Iterable[object], given.tolist() if hasattr(given, "tolist") else given)  # pyright: ignore[reportAttributeAccessIssue]
    return _checked(list(values), call, single=False, pairs=pairs)


def has_text(value: object) -> bool:
    """Return whether a value is more than nothing: neither missing nor white space alone."""
    return not is_missing(value) and not (isinstance(value, str) and not value.strip())


def is_missing(value: object) -> bool:
    """Return whether a value stands for none: None, NaN, pandas.NA or pandas.NaT.

    >>> is_missing(None), is_missing(float("nan")), is_missing(""), is_missing(0)
    (True, True, False, False)
    """
    if value is None or type(value).__name__ in MISSING_TYPES:
        return True
    return isinstance(value, Real) and math.isnan(value)


def names_file(text: str) -> bool:
    """Return whether a text is the path of an existing file, or one word that ends as the name of a data file does.

    >>> names_file("tickets.csv"), names_file("reviews.JSONL.gz"), names_file("I lost tickets.csv")
    (True, True, False)
    """
    if text.lower().removesuffix(".gz").endswith(DATA_SUFFIXES) and len(text.split()) == 1:
        return True
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a path, or with a NUL
        return False


def require_top(top: int | None) -> None:
    """Raise UsageError unless a number of results is 1 or more, or None."""
    if top is not None and (isinstance(top, bool) or top < 1):
        raise UsageError(f"top is {top}; expected 1 or more")


def _checked(values: Sequence[object], call: str, *, single: bool, pairs: bool) -> Texts:
    items = [_item(value, place, call, pairs=pairs) for place, value in enumerate(values)]
    require_characters(side for item in items for side in item or ())
    if len({len(item) for item in items if item is not None}) > 1:
        raise UsageError(f"{call} takes a list of texts, or a list of pairs of texts; got a mixture")
    return Texts(items, single)


def _item(value: object, place: int, call: str, *, pairs: bool) -> tuple[str, ...] | None:
    """Return the sides of a text or a pair, None where it is missing."""
    sides = [value]
    if pairs and _is_sequence(value):
        sides = list(value)
        if len(sides) != 2:
            raise UsageError(f"{call}: item {place} has {len(sides)} parts; expected a text or a pair of texts")
    for side in sides:
        if not isinstance(side, str) and not is_missing(side):
            raise UsageError(f"{call}: item {place} is {_named(side)}; {_advice(side, pairs=pairs)}")
    return tuple(str(side) for side in sides) if all(map(has_text, sides)) else None


def _is_sequence(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, list | tuple)


def _advice(value: object, *, pairs: bool) -> str:
    if isinstance(value, bytes | bytearray):
        return 'expected a text; decode it, e.g. with .decode("utf-8")'
    if _is_sequence(value):
        return "expected a text; pairs go to similarity as two lists" if not pairs else "expected a text in a pair"
    return "expected a text; write str(…) if that is what it says"


def _refuse_containers(given: object, call: str) -> None:
    """Refuse what is no list of texts, with the way to make one of it."""
    takes = f"{call} takes a text or a list of texts; got {_named(given)}"
    columns = getattr(given, "column_names", None) or getattr(given, "columns", None)
    if columns is not None and not isinstance(given, str):
        names = [str(name) for name in columns]
        usual = next((name for name in names if name.lower() in USUAL_NAMES["text"]), names[0] if names else "text")
        raise UsageError(f'{takes} with the columns {", ".join(names[:8]) or "none"}; name one, e.g. df["{usual}"]')
    if isinstance(given, PathLike):
        raise UsageError(f"{takes}; to predict the rows of a file write homeground.predict_file(model, FILE, OUTPUT)")
    if isinstance(given, bytes | bytearray):
        raise UsageError(f'{takes}; decode them, e.g. with .decode("utf-8")')
    if isinstance(given, dict | set | frozenset):
        raise UsageError(f"{takes}, which has no order of texts; give a list, e.g. list(texts)")
    if not isinstance(given, Iterable):
        raise UsageError(takes)


def _named(value: object) -> str:
    """Return what a value is, as an error names it."""
    kind = type(value).__name__
    if value is None:
        return "None"
    if isinstance(value, bool | int | float):
        return f"the {'number' if not isinstance(value, bool) else 'value'} {shown(value)}"
    return {"dict": "a dict", "bytes": "bytes", "list": "a list", "tuple": "a tuple"}.get(kind, f"a {kind}")
