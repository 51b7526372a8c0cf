"""Whether the first line of a table holds names or data: names do not recur below, and do not read like texts."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cache

from homeground.wording import count, printable, shorten

ROWS_READ = 1000
"""Rows below the first line from which it is determined what that line is."""

FEWEST_RECURRENCES = 2
"""How often a cell of the first line is a value of its column, at least, where it is data."""

FEWEST_BESIDE_A_NAME = 3
"""The same where another cell is a usual name of a column."""

FEWEST_WORDS = 4
"""Words of a cell that reads like a text."""

_NUMBER = re.compile(r"\s*[+-]?[0-9]+([.,][0-9]+)?\s*")
_TEXT_MARKS = re.compile(r"[.,;:!?。，！？、]")
_LETTERS_WITHOUT_SPACES = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]{8}")


def header_problem(header: Sequence[str], rows: Sequence[Sequence[str]], names: Collection[str]) -> str | None:
    """Return why the first line of a table is data and which options read it as such, or None where it may be names.

    ``rows`` are the first ones below it; ``names`` are the usual names of columns, in lower case.
    """
    columns = [[row[place] for row in rows] for place in range(len(header))]
    recurring = [values.count(cell) if cell.strip() else 0 for cell, values in zip(header, columns, strict=True)]
    numbers = [_is_number(cell, values) for cell, values in zip(header, columns, strict=True)]
    texts = [_is_text(cell, values) for cell, values in zip(header, columns, strict=True)]
    most = max(recurring, default=0)
    if any(cell.strip().lower() in names for cell in header):
        is_data = most >= FEWEST_BESIDE_A_NAME and any(texts)
    else:
        is_data = most >= FEWEST_RECURRENCES or any(numbers) or all(texts)
    if not is_data:
        return None
    if most >= FEWEST_RECURRENCES:
        why = f"{_shown(header[recurring.index(most)])} occurs {count(most, 'more time', 'more times')} in its column"
    elif any(numbers):
        why = f"{_shown(header[numbers.index(True)])} is a number, as the values below it are"
    else:
        why = f"{_shown(header[texts.index(True)])} is a text, as the values below it are"
    roles = _likely_roles(recurring, numbers, texts)
    named = ",".join(roles) or f"A,B,… (a name for each of the {len(header)} fields, _ for one that is not read)"
    return f"its first line is data and no names: {why}; add --no-header --columns {named}"


def repeats_header(fields: Sequence[str], header: Sequence[str]) -> bool:
    """Return whether a row has the names of a header, in any order and case, as where two files were put together."""
    names = _plain_names(tuple(header))
    return _plain(fields[0]) in names and sorted(map(_plain, fields)) == sorted(names)


def reads_like_text(cell: str) -> bool:
    """Return whether a cell reads like a text and not like the name of a column."""
    if _LETTERS_WITHOUT_SPACES.search(cell):
        return True
    return len(cell.split()) >= FEWEST_WORDS and (_TEXT_MARKS.search(cell) is not None or len(cell.split()) >= 8)


def is_plain_number(cell: str) -> bool:
    """Return whether a cell is a number."""
    return _NUMBER.fullmatch(cell) is not None


@cache
def _plain_names(header: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(_plain, header))


def _plain(name: str) -> str:
    return name.strip("\ufeff \t").casefold()


def _is_number(cell: str, values: Sequence[str]) -> bool:
    return is_plain_number(cell) and bool(values) and all(is_plain_number(value) for value in values if value.strip())


def _is_text(cell: str, values: Sequence[str]) -> bool:
    return reads_like_text(cell) and 2 * sum(map(reads_like_text, values)) >= len(values)


def _likely_roles(recurring: Sequence[int], numbers: Sequence[bool], texts: Sequence[bool]) -> list[str]:
    """Return names for the columns where it is clear which is which, else none."""
    labels = [place for place, times in enumerate(recurring) if times >= FEWEST_RECURRENCES and not texts[place]]
    scores = [place for place, is_number in enumerate(numbers) if is_number]
    total = len(recurring)
    if total == 1:
        return ["text"]
    if total == 2 and len(labels or scores) == 1:
        return ["label" if place == (labels or scores)[0] else "text" for place in range(2)]
    if total == 3 and len(scores) == 1 and sum(texts) == 2:
        parts = iter(("text_1", "text_2"))
        return ["similarity" if place == scores[0] else next(parts) for place in range(3)]
    return []


def _shown(cell: str) -> str:
    return f'"{printable(shorten(cell, 40))}"'
