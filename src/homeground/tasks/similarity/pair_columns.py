"""Which columns of a table make pairs, and whether these are scored: by names, and by what a label column holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from homeground.data.columns import (
    USUAL_NAMES,
    as_flag,
    find_columns,
    holds_words,
    quoted_columns,
    recurring_columns,
    refuse_two_roles,
    unread_columns,
)
from homeground.data.tables import Table, as_number, column_error
from homeground.errors import AmbiguousColumns, ColumnsMissing, DataError, UsageError, nearest

if TYPE_CHECKING:
    from homeground.recipe.recipe import Recipe

SCORED = ("text_1", "text_2", "similarity")
TOGETHER = ("anchor", "positive", "negative")
ROLES = (*SCORED, *TOGETHER, "group")

NO_AND_YES = frozenset((0.0, 1.0))
MOST_CLASSES = 3
"""Different whole numbers, at most, that are classes of pairs; more may be classes or scores."""

NUMBERED_NEGATIVE = re.compile(r"(hard_?)?neg(ative)?s?[ _-]?\d+|negatives|hard_negatives?")
"""Names of further negatives of an anchor, in lower case."""


@dataclass(frozen=True)
class Numbers:
    """The different numbers of a column, and a row of the lowest."""

    values: frozenset[float]
    row: int

    @property
    def whole(self) -> bool:
        """Whether all of them are whole numbers."""
        return all(value == int(value) for value in self.values)

    @property
    def flags(self) -> bool:
        """Whether they say yes or no."""
        return self.values == NO_AND_YES

    @property
    def always_one(self) -> bool:
        """Whether they say yes of every row."""
        return self.values == frozenset((1.0,))

    @property
    def ends(self) -> str:
        """The lowest and the highest, as ``--score-range`` takes them."""
        return f"{min(self.values):g},{max(self.values):g}"


def pair_columns(table: Table, recipe: Recipe) -> tuple[dict[str, str], tuple[float, float] | None]:
    """Return which column plays which role, the named ones first, the rest by their usual names; and the score range.

    A column of labels beside two texts holds their scores where it holds fractions, or 0 and 1 beside an anchor.

    Raises:
        AmbiguousColumns: the columns may be read in more than one way.
        DataError: a named column is not there, or the roles do not make pairs.
        UsageError: roles of both kinds of pairs are named, or one column is named for two.
    """
    named = {role: name for role in ROLES if (name := getattr(recipe.columns, role))}
    scored, together = (find_columns(table, (*roles, "group"), named) for roles in (SCORED, TOGETHER))
    if "negative" not in named:
        _add_negatives(table, together)
    _refuse_both_kinds(table, scored, together, named)
    score_range = recipe.columns.score_range
    if {"text_1", "text_2"} <= set(scored) and not set(TOGETHER) & set(named):
        columns = scored if "similarity" in scored else _with_score(table, scored, recipe)
        if columns is None and not {"anchor", "positive"} <= set(together):
            raise _no_pairs(table, scored)
        columns = together if columns is None else columns
    elif {"anchor", "positive"} <= set(together):
        columns, score_range = _beside_anchors(table, together, named, recipe)
    else:
        raise _no_pairs(table, scored)
    refuse_two_roles(table, {role: name for role, name in columns.items() if role != "group"})
    return columns, score_range


def _add_negatives(table: Table, columns: dict[str, str]) -> None:
    """Take all columns of negatives for the role, so that none is left out."""
    numbered = [name for name in unread_columns(table, columns) if NUMBERED_NEGATIVE.fullmatch(name.strip().lower())]
    if numbered:
        columns["negative"] = ",".join([*([columns["negative"]] if "negative" in columns else []), *numbered])


def _refuse_both_kinds(
    table: Table, scored: Mapping[str, str], together: Mapping[str, str], named: Mapping[str, str]
) -> None:
    first, second = set(SCORED) & set(named), set(TOGETHER) & set(named)
    is_scored = set(SCORED) <= set(scored) and not {"anchor", "positive"} & set(named)
    unused = second if is_scored else first if {"anchor", "positive"} <= set(together) and second else set[str]()
    if not second and not is_scored and "text_1" in scored and "text_2" not in scored and "anchor" in together:
        unused = first
    if unused:
        listed = " and ".join(f"--{role.replace('_', '-')}" for role in sorted(unused))
        raise UsageError(
            f"{listed}: pairs are either scored (--text-1, --text-2, --similarity) or belong together (--anchor, "
            "--positive, --negative); name the parts of one kind"
        )


def _with_score(table: Table, columns: dict[str, str], recipe: Recipe) -> dict[str, str] | None:
    """Return the columns of two texts with the label as their score; None where there is no label.

    Raises:
        AmbiguousColumns: its numbers may be scores or classes, or scores of another range.
        DataError: it holds classes.
    """
    label = _label(table, columns)
    if label is None:
        return None
    numbers = _numbers(table, label)
    asked = recipe.task == "similarity"
    if numbers is None or (not asked and numbers.whole and len(numbers.values) <= MOST_CLASSES):
        raise table.error("holds classes of pairs and no scores", column=label)
    if not asked and numbers.whole:
        raise AmbiguousColumns.at(
            table.path,
            f"holds whole numbers ({_examples(numbers)}): scores of the pairs, or their classes? --similarity {label} "
            f"--score-range {numbers.ends} reads scores, --label {label} classes",
            column=label,
        )
    _refuse_range(table, label, numbers, recipe)
    return {**columns, "similarity": label}


def _beside_anchors(
    table: Table, columns: dict[str, str], named: Mapping[str, str], recipe: Recipe
) -> tuple[dict[str, str], tuple[float, float] | None]:
    """Return the columns of pairs that belong together, or scored pairs where a column says how far they do."""
    score_range = recipe.columns.score_range
    score = named.get("similarity")
    if "negative" in columns and score is None:
        return columns, score_range
    score = score or find_columns(table, ("similarity",), {}).get("similarity") or _label(table, columns)
    numbers = None if score is None else _numbers(table, score)
    explicit = {"anchor", "positive"} & set(named)
    first, second = columns["anchor"], columns["positive"]
    if score is None or (numbers is not None and numbers.always_one and "similarity" not in named):
        if not explicit and recurring_columns(table, [second]) and not holds_words(table, second):
            raise table.error("holds values that recur as labels do, and no texts", column=second)
        return columns, score_range
    if numbers is not None and len(numbers.values) == 1 and "similarity" not in named:
        raise AmbiguousColumns.at(
            table.path,
            f"holds {_examples(numbers)} in every row beside {first} and {second}, so it does not say which of them "
            "belong together; leave it out if all do",
            column=score,
        )
    as_scores = f"--text-1 {first} --text-2 {second} --similarity {score}"
    if explicit:
        if numbers is not None and numbers.flags:
            raise AmbiguousColumns.at(
                table.path,
                f"holds 0 and 1, so not every pair belongs together; {as_scores} --score-range 0,1 reads 0 as not "
                "similar, or leave the rows with 0 out",
                row=numbers.row,
                column=score,
            )
        return columns, score_range
    if numbers is None and "similarity" not in named:
        raise table.error(
            f"holds labels of the pairs; --text-1 {first} --text-2 {second} --label {score} learns them as classes",
            column=score,
        )
    flags = numbers is not None and numbers.flags
    if numbers is not None and not flags and not _is_share(numbers) and not score_range and "similarity" not in named:
        raise AmbiguousColumns.at(
            table.path,
            f"holds numbers ({_examples(numbers)}): scores of the pairs, or of no matter? {as_scores} --score-range "
            f"{numbers.ends} reads scores, --anchor {first} --positive {second} takes every pair as belonging together",
            column=score,
        )
    pairs = {"text_1": first, "text_2": second, "similarity": score}
    group = {"group": columns["group"]} if "group" in columns else {}
    return pairs | group, score_range or ((0.0, 1.0) if flags else None)


def _label(table: Table, columns: Mapping[str, str]) -> str | None:
    """Return the column of labels by its usual name, of those that play no other role."""
    free = {name.strip().lower(): name for name in reversed(unread_columns(table, columns))}
    return next((free[name] for name in USUAL_NAMES["label"] if name in free), None)


def _numbers(table: Table, column: str) -> Numbers | None:
    """Return the numbers of a column, None where it holds anything else; rows with nothing in it are passed over."""
    rows: dict[float, int] = {}
    for row in table.rows:
        value = row.values[column]
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        number = as_number(value) if (flag := as_flag(value)) is None else float(flag)
        if number is None:
            return None
        rows.setdefault(number, row.number)
    return Numbers(frozenset(rows), rows[min(rows)]) if rows else None


def _is_share(numbers: Numbers) -> bool:
    return not numbers.whole and min(numbers.values) >= 0 and max(numbers.values) <= 1


def _refuse_range(table: Table, column: str, numbers: Numbers, recipe: Recipe) -> None:
    if recipe.columns.score_range is None and (max(numbers.values) > 1 or min(numbers.values) < 0):
        raise AmbiguousColumns.at(
            table.path,
            f"holds fractions ({_examples(numbers)}), so it is taken for the score of the pairs; add --score-range "
            f"LOW,HIGH, LOW meaning unrelated, such as {numbers.ends}; --label {column} learns classes",
            column=column,
        )


def _examples(numbers: Numbers) -> str:
    values = sorted(numbers.values)
    return ", ".join(f"{value:g}" for value in values[:3]) + (f" … {values[-1]:g}" if len(values) > 3 else "")


def _no_pairs(table: Table, scored: Mapping[str, str]) -> DataError:
    missing = next((role for role in SCORED if role not in scored), "similarity")
    if len(table.columns) == 1:
        return column_error(table, missing)
    close = nearest(missing, table.columns).split("?")[0]
    meant = f'{close} for "{missing}"?' if close.startswith("did") else ""
    together = ""
    if missing == "similarity":
        together = f"--anchor {scored['text_1']} --positive {scored['text_2']} reads pairs that belong together"
    hints = "; ".join(hint for hint in (meant, together) if hint)
    return ColumnsMissing.at(
        table.path,
        f"no column is called {missing} or a usual name for it{hints and f'; {hints}'}; the columns are "
        f"{quoted_columns(table)}; name the parts with --text-1, --text-2 and --similarity, or with --anchor and "
        "--positive for pairs without scores",
    ).with_hint(hints)
