"""Labels in a file: which columns hold them, and what they are called."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

from homeground.data.columns import (
    as_flag,
    distinct_values,
    find_columns,
    flag_columns,
    holds_ids,
    quoted,
    quoted_columns,
    recurring_columns,
    refuse_two_roles,
    unread_columns,
    written_list,
)
from homeground.data.tables import Row, Table, column_parts, require_column, shown
from homeground.errors import AmbiguousColumns, ColumnsMissing, DataError, UsageError

if TYPE_CHECKING:
    from homeground.recipe.recipe import Recipe

ROLES = ("group", "label", "text", "text_1", "text_2")

VECTOR_LENGTH = 2
"""Numbers in a list from which it may be one number a class."""


def find_label_columns(table: Table, recipe: Recipe) -> dict[str, str]:
    """Return which column plays which part, the named ones first, the rest by their usual names.

    Where no name is usual and there are two columns, the one whose values recur is the label.

    Raises:
        AmbiguousColumns: no label is named, and several columns hold 0 and 1, so each may be a class.
        DataError: a named column is not there, or text or label cannot be told.
        UsageError: one column is named as both.
    """
    named = {role: name for role in ROLES if (name := getattr(recipe.columns, role))}
    columns = find_columns(table, ROLES, named)
    _guess(table, columns)
    texts = _texts(named, columns)
    if not texts or "label" not in columns:
        raise _missing(table, columns, "label" if texts else "text")
    chosen = {role: columns[role] for role in (*texts, "label", "group") if role in columns}
    refuse_two_roles(table, {role: name for role, name in chosen.items() if role != "group"})
    if len(column_parts(table, chosen["label"])) > 1 and recipe.columns.label_delimiter is not None:
        raise UsageError("--label-delimiter takes apart one column, --label names several; choose one")
    return chosen


def _missing(table: Table, columns: Mapping[str, str], missing: str) -> DataError:
    flags = flag_columns(table, unread_columns(table, columns)) if "label" not in columns else []
    several = f"{quoted(flags)} hold 0 and 1: --label {','.join(flags)} reads them as one class a column"
    if missing == "label" and len(flags) > 1:
        return AmbiguousColumns.at(
            table.path, f"which columns hold the labels? {several}; --task mlm learns from the texts alone"
        )
    hint = several if len(flags) > 1 else ""
    return ColumnsMissing.at(
        table.path,
        f"which column holds the {missing}? none has a usual name; the columns are {quoted_columns(table)}; name it "
        f"with --{missing}{hint and f'; {hint}'}",
    ).with_hint(hint)


def _texts(named: Mapping[str, str], found: Mapping[str, str]) -> tuple[str, ...]:
    pair = {"text_1", "text_2"}
    if pair <= set(found) and "text" not in named and (pair & set(named) or "text" not in found):
        return ("text_1", "text_2")
    return ("text",) if "text" in found else ()


def _guess(table: Table, found: dict[str, str]) -> None:
    """Fill in text or label where the file leaves no choice."""
    free = unread_columns(table, found)
    if "text_1" in found and "text_2" in found:
        return
    if "label" in found and "text" not in found and len(free) == 1 and not holds_ids(table, free[0]):
        found["text"] = free[0]
    elif "text" in found and "label" not in found and len(free) == 1 and _may_be_labels(table, free[0]):
        # A number of its own for every row is no label: then the texts stand alone.
        found["label"] = free[0]
    elif "text" not in found and "label" not in found and len(free) == 2:
        recurring = [column for column in free if column in recurring_columns(table, free)]
        texts = [column for column in free if column not in recurring and not holds_ids(table, column)]
        if len(recurring) == len(texts) == 1:
            found["label"], found["text"] = recurring[0], texts[0]


def _may_be_labels(table: Table, column: str) -> bool:
    """Tell whether the only column beside the texts may hold labels: lists, or values of which half recur."""
    if not table.holds_text_only and any(isinstance(row.values[column], list) for row in table.rows):
        return True
    most = len(table.rows) / 2
    return 2 <= distinct_values(table, column, most) <= most


class LabelReader:
    """Reads the labels of rows as names; the kind of the first value is that of all.

    Text stays as it is written, so that NA, null and None are names; a JSON number or boolean is named as JSON writes
    it. Of several columns each is a class, whose name it bears, and says by 0 or 1 whether that applies. ``several``
    says whether a row may have any number of labels.
    """

    def __init__(self, table: Table, column: str, delimiter: str | None, *, several: bool) -> None:
        require_column(table, column)
        self._table, self._column, self._delimiter, self._several = table, column, delimiter, several
        self._flags = parts if len(parts := column_parts(table, column)) > 1 else ()
        self._first: tuple[str, object, int] | None = None
        self._row_of: dict[str, int] = {}
        self._lists: list[tuple[int, list[object]]] = []
        self._names: dict[str, tuple[str, ...]] = {}

    def read(self, row: Row) -> tuple[str, ...] | None:
        """Return the labels of a row, each once; None where it has none to be learned from.

        In columns of 0 and 1, and in one of lists or delimited fields, nothing says that no label applies.
        """
        if self._flags:
            return self._flagged(row)
        value = row.values[self._column]
        if value is None:
            return None
        if isinstance(value, str):
            if (known := self._names.get(value)) is not None:
                return known
            self._row_of.setdefault(value, row.number)
        if isinstance(value, list):
            self._lists.append((row.number, cast(list[object], value)))
            values = [each for each in cast(list[object], value) if not (isinstance(each, str) and not each.strip())]
        elif self._delimiter is not None and isinstance(value, str):
            values = [part.strip() for part in value.split(self._delimiter) if part.strip()]
        elif isinstance(value, str) and not value.strip():
            return None
        else:
            values = [value]
        names = tuple(dict.fromkeys(self._name(row, each) for each in values))
        if not self._several and len(names) != 1:
            raise self._error(row, f"holds {shown(value)}; expected one label a text, as in the data")
        if isinstance(value, str):
            self._names[value] = names  # so that the examples of a label share its name
        return names

    def refuse_vectors(self) -> None:
        """Refuse lists that are no lists of names: one number a class, or lists that were written into a text.

        Raises:
            DataError: the values read so far are such; the message says how they are to be written.
        """
        if (text := written_list(self._row_of)) is not None:
            row = next(row for value, row in self._row_of.items() if value.strip() == text)
            raise self._table.error(
                f"holds lists written as text, such as {shown(text)}; write them as lists in JSON Lines "
                '({"text": …, "label": ["a", "b"]}), or as "a;b" with --label-delimiter ";"',
                row=row,
                column=self._column,
            )
        if _are_vectors([values for _, values in self._lists]):
            row, values = self._lists[0]
            raise self._table.error(
                f"holds {shown(values)}, and every list has {len(values)} numbers: one for each class, it seems, and "
                'not the names of the labels; write the names that apply (["a", "b"]), or one column of 0 and 1 for '
                "each class, named by --label a,b,c",
                row=row,
                column=self._column,
            )

    def _flagged(self, row: Row) -> tuple[str, ...] | None:
        values = {name: row.values[name] for name in self._flags}
        if all(value is None or (isinstance(value, str) and not value.strip()) for value in values.values()):
            return None
        for name, value in values.items():
            if as_flag(value) is None:
                raise self._table.error(
                    f"holds {shown(value)}; expected 0 or 1 (or false or true), as each column named by --label is a "
                    "class; if they hold names, name one column",
                    row=row.number,
                    column=name,
                )
        return tuple(name for name, value in values.items() if as_flag(value))

    def _name(self, row: Row, value: object) -> str:
        kind = "a boolean" if isinstance(value, bool) else "a number" if isinstance(value, int | float) else "text"
        if kind == "text" and not isinstance(value, str):
            raise self._error(row, f"holds {shown(value)}; expected a label or a list of labels")
        if self._first is None:
            self._first = (kind, value, row.number)
        other, first, number = self._first
        if other != kind:
            problem = f"holds {shown(value)}, which is {kind}, but row {number} holds {shown(first)}, which is {other}"
            raise self._error(row, f"{problem}; write all labels in one way")
        return value if isinstance(value, str) else json.dumps(value)

    def _error(self, row: Row, problem: str) -> DataError:
        return self._table.error(problem, row=row.number, column=self._column)


def _are_vectors(lists: list[list[object]]) -> bool:
    """Tell whether lists are one number a class: of one length, and all 0 and 1, or fractions, or with repetitions."""
    values = [value for each in lists for value in each]
    if not lists or {len(each) for each in lists} != {len(lists[0])} or len(lists[0]) < VECTOR_LENGTH:
        return False
    if all(as_flag(value) is not None for value in values):
        return True
    numbers = [value for value in values if isinstance(value, int | float)]
    if len(numbers) < len(values):
        return False
    repeated = any(len(set(map(str, each))) < len(each) for each in lists)
    return repeated or any(number != int(number) for number in numbers)


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Return names sorted as people sort them: numbers by their value, also inside words.

    >>> in_natural_order(["10", "9", "-1"]), in_natural_order(["b2", "b10", "a"])
    (['-1', '9', '10'], ['a', 'b2', 'b10'])
    """
    names = list(names)
    if all(re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", name) for name in names):
        return sorted(names, key=lambda name: (float(name), name))
    return sorted(
        names,
        key=lambda name: (
            [int(part) if place % 2 else part.casefold() for place, part in enumerate(re.split("([0-9]+)", name))],
            name,
        ),
    )
