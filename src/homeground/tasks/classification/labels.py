"""Labels in a file: which column holds them, what they are called, and what about them looks wrong."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from homeground.data.columns import find_columns, holds_ids, quoted_columns
from homeground.data.tables import Row, Table, shown
from homeground.errors import DataError

if TYPE_CHECKING:
    from homeground.recipe.recipe import Recipe

ROLES = ("group", "label", "text", "text_1", "text_2")

FEWEST_TO_JUDGE = 10
"""Values of a column from which it can be told whether they are labels."""

LABELS_REPEAT = 5
"""How often a label occurs on average, at least, in a column that nobody named."""

MAX_LABELS_LISTED = 5


def find_label_columns(table: Table, recipe: Recipe) -> dict[str, str]:
    """Return which column plays which part, the named ones first, the rest by their usual names.

    Where no name is usual and there are two columns, the one whose values recur is the label.

    Raises:
        DataError: a named column is not there, or text or label cannot be told.
    """
    named = {role: name for role in ROLES if (name := getattr(recipe.columns, role))}
    columns = find_columns(table, ROLES, named)
    _guess(table, columns)
    texts = _texts(named, columns)
    if not texts or "label" not in columns:
        missing = "label" if texts else "text"
        raise DataError.at(
            table.path,
            f"which column holds the {missing}? none has a usual name; the columns are {quoted_columns(table)}; name "
            f"it with --{missing}",
        )
    return {role: columns[role] for role in (*texts, "label", "group") if role in columns}


def _texts(named: Mapping[str, str], found: Mapping[str, str]) -> tuple[str, ...]:
    pair = {"text_1", "text_2"}
    if pair <= set(found) and "text" not in named and (pair & set(named) or "text" not in found):
        return ("text_1", "text_2")
    return ("text",) if "text" in found else ()


def _guess(table: Table, found: dict[str, str]) -> None:
    """Fill in text or label where the file leaves no choice."""
    free = [column for column in table.columns if column not in found.values()]
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


def recurring_columns(table: Table, columns: Iterable[str]) -> list[str]:
    """Return the columns whose values recur as those of a label do: at least two, each several times."""
    chosen: list[str] = []
    for column in columns:
        most = len(table.rows) / LABELS_REPEAT
        if 2 <= _distinct(table, column, most) <= most:
            chosen.append(column)
    return chosen


def _may_be_labels(table: Table, column: str) -> bool:
    """Tell whether the only column beside the texts may hold labels: lists, or values of which half recur."""
    if any(isinstance(row.values[column], list) for row in table.rows):
        return True
    most = len(table.rows) / 2
    return 2 <= _distinct(table, column, most) <= most


def _distinct(table: Table, column: str, most: float) -> int:
    """Count the different values of a column, to the first beyond ``most``, so that no column of texts is held."""
    found: set[int] = set()
    for row in table.rows:
        found.add(hash(json.dumps(row.values[column])))
        if len(found) > most:
            break
    return len(found)


class LabelReader:
    """Reads the labels of rows as names; the kind of the first value is that of all.

    Text stays as it is written, so that NA, null and None are names; a JSON number or boolean is named as JSON writes
    it.
    """

    def __init__(self, table: Table, column: str, delimiter: str | None) -> None:
        self._table, self._column, self._delimiter = table, column, delimiter
        self._first: tuple[str, object, int] | None = None

    def read(self, row: Row) -> tuple[str, ...] | None:
        """Return the labels of a row, each once; None where it has none to be learned from.

        In a column of lists or delimited fields an empty one says that no label applies.
        """
        value = row.values[self._column]
        if value is None:
            return None
        if isinstance(value, list):
            values = cast(list[object], value)
        elif self._delimiter is not None and isinstance(value, str):
            values = [part.strip() for part in value.split(self._delimiter) if part.strip()]
        elif isinstance(value, str) and not value.strip():
            return None
        else:
            values = [value]
        return tuple(dict.fromkeys(self._name(row, each) for each in values))

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
        return DataError.at(self._table.path, problem, row=row.number, column=self._column)


def refuse_no_labels(table: Table, columns: Mapping[str, str], labels: Sequence[tuple[str, ...]]) -> None:
    """Refuse a label column in which there is nothing to tell apart, or hardly anything recurs.

    Raises:
        DataError: every row has the same label, or the values look like free text or an id.
    """
    column = columns["label"]
    names = Counter(name for row in labels for name in row)
    values, distinct = sum(names.values()), len(names)
    if labels and distinct < 2:
        held = f"holds {shown(next(iter(names)))} in every row" if names else "holds no label"
        raise DataError.at(table.path, f"{held}; expected at least 2 different labels", column=column)
    if values >= FEWEST_TO_JUDGE and distinct > values / 2:
        others = [name for name in table.columns if name not in columns.values()]
        better = recurring_columns(table, others)
        hint = f'; did you mean "{better[0]}"?' if better else "; name the column of the labels with --label"
        problem = f"holds {distinct:,} different values in {values:,} rows, so it looks like free text or an id"
        raise DataError.at(table.path, f"{problem}{hint}", column=column)


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


def notes_on_labels(counts: Mapping[str, Counter[str]], labels: Sequence[str]) -> list[str]:
    """Return what the user should know of the labels, a sentence each, from how often each occurs in each split."""
    said: list[str] = []
    alike: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(name for split in counts.values() for name in split):
        alike["".join(name.casefold().split())].append(name)
    twins = [" and ".join(f'"{name}"' for name in group) for group in alike.values() if len(group) > 1]
    if twins:
        said.append(f"labels that differ only in case or spaces are different labels here: {_listed(twins)}")
    # Where all examples are tested in turn, those of the test are those of train and validation over again.
    crossed = counts["test"] == counts["train"] + counts["validation"]
    held = {name: counts["train"][name] + counts["validation"][name] for name in labels}
    lonely = [f'"{name}"' for name, count in held.items() if count == 1 and (crossed or not counts["test"][name])]
    if lonely and crossed:
        said.append(
            f"labels with a single example can be learned or tested, never both, so they count as wrong: "
            f"{_listed(lonely)}"
        )
    elif lonely:
        said.append(f"labels with a single example stay in train, and nothing is measured of them: {_listed(lonely)}")
    for split in ("validation", "test"):
        unseen = {name: count for name, count in counts[split].items() if name not in labels}
        if unseen:
            names = _listed([f'"{name}"' for name in unseen])
            said.append(
                f"{sum(unseen.values())} {split} examples have labels that do not occur in train: {names}; no model "
                "can predict them, so they count as wrong"
            )
    return said


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_LABELS_LISTED]) + (
        f" and {len(names) - MAX_LABELS_LISTED} more" if len(names) > MAX_LABELS_LISTED else ""
    )
