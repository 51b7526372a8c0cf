"""What the lines of a file are that is read as plain text: texts, or a table, JSON or tokens with tags."""

from __future__ import annotations

import contextlib
import csv
import re
from collections import Counter
from collections.abc import Sequence

from homeground.errors import DataError

LINES_READ = 1000
"""Lines from which it is determined what they are."""

FEWEST_LINES = 5
"""Lines without which nothing is said."""

MAX_WIDTHS = 3
"""Different numbers of columns up to which lines are tokens with tags, so that errors in them are named."""

FEWEST_TOKENS = 10
"""Lines without which they are not taken for tokens."""

LEAST_SHARE = 0.9
"""Share of the lines that are alike from which a file is of their kind."""

LEAST_SHARE_TAGGED = 0.8
"""Share of the lines, or of the values of a column, that end in a tag."""

TABLE_NAMES = frozenset(
    ("text", "label", "sentence", "title", "category", "question", "answer", "id", "review", "score")
)
"""Names of columns, of which the first line of a table in plain text has one."""

_TAG = re.compile(r"O|[BIESLUMW]-[^\W\d]\S*")
_PUNCTUATION = re.compile(r"[^\w\s]")


def refuse_other_lines(path: str, lines: Sequence[str]) -> None:
    """Raise DataError where the first lines of a file say that it is no plain text with a text a line."""
    filled = [line.rstrip("\r\n") for line in lines if line.strip()]
    if len(filled) < FEWEST_LINES:
        return
    plain = "if it is plain text all the same, add --format txt"
    if problem := token_problem(lines):
        raise DataError.at(path, f"{problem}; {plain}")
    if kind := likely_format(filled):
        name, evidence = kind
        raise DataError.at(path, f"{evidence}, so it looks like {name}: add --format {name}; {plain}")
    if found := wide_delimiter(filled):
        mark, number = found
        raise DataError.at(
            path,
            f'{number} of its first {len(filled)} lines hold "{mark}" equally often, so it looks like a table: add '
            f"{_as_table(mark)}, and --no-header --columns a,b,… where the first line has no names; {plain}",
        )


def _as_table(mark: str) -> str:
    return "--format tsv" if mark == "\t" else f"--format csv --delimiter '{mark}'"


def token_problem(lines: Sequence[str]) -> str | None:
    """Return why the lines of a file are tokens without tags, and what to give instead, or None."""
    filled = [line for line in lines if line.strip()]
    if _are_tokens(filled, blank=len(lines) - len(filled)):
        return "holds a word a line and a blank line after each sentence; write a sentence a line"
    return None


def are_tagged(lines: Sequence[str]) -> bool:
    """Return whether nearly all lines are a token with its tag, such as B-PER or O, in columns (CoNLL)."""
    filled = [line for line in lines if line.strip()]
    fields = [line.split() for line in filled if not line.startswith(("# ", "-DOCSTART-"))]
    last = [each[-1] for each in fields if len(each) > 1]
    if len(fields) < FEWEST_LINES or len({len(each) for each in fields}) > MAX_WIDTHS:
        return False
    tags = [each for each in last if _TAG.fullmatch(each)]
    are_clear = set(tags) > {"O"} or (len(filled) < len(lines) and len(tags) >= FEWEST_TOKENS)
    return are_clear and len(tags) >= LEAST_SHARE_TAGGED * len(fields)


def likely_format(lines: Sequence[str]) -> tuple[str, str] | None:
    """Return the format that the first lines of a file seem to have, and why, or None."""
    filled = [line for line in lines if line.strip()]
    objects = sum(line.lstrip().startswith("{") and line.rstrip().endswith("}") for line in filled)
    if filled and objects >= LEAST_SHARE * len(filled):
        return "jsonl", "its lines are JSON objects"
    if filled and re.match(r'\s*\[\s*(\{\s*"|$)', filled[0]):
        return "json", "it begins with a JSON array"
    if number := _alike(filled, "\t"):
        return "tsv", f"{number} of its first {len(filled)} lines hold tabs equally often"
    widths = Counter[int]()
    if len(filled) >= 2 and (TABLE_NAMES & {cell.strip().lower() for cell in next(csv.reader(filled[:1]))}):
        with contextlib.suppress(csv.Error):
            widths.update(len(fields) for fields in csv.reader(filled))
        width, number = widths.most_common(1)[0] if widths else (0, 0)
        if width > 1 and number >= LEAST_SHARE * sum(widths.values()):
            return "csv", f"{number} of its first {len(filled)} lines have {width} fields"
    return None


def wide_delimiter(lines: Sequence[str]) -> tuple[str, int] | None:
    """Return the mark of several characters that separates fields in the lines, and in how many, or None."""
    return next(((mark, number) for mark in ("|||", "||", "\t") if (number := _alike(lines, mark))), None)


def holds_tags(values: Sequence[str], *, of: int) -> bool:
    """Return whether of so many values nearly all are the tags of tokens, not only O."""
    tags = [value for value in values if _TAG.fullmatch(value)]
    return of >= FEWEST_TOKENS and len(tags) >= LEAST_SHARE_TAGGED * of and set(tags) > {"O"}


def is_tag(value: str) -> bool:
    """Return whether a value is the tag of a token inside a name, such as B-PER."""
    return value != "O" and _TAG.fullmatch(value) is not None


def _are_tokens(filled: Sequence[str], *, blank: int) -> bool:
    singles = [line for line in filled if len(line.split()) == 1]
    marks = sum(_PUNCTUATION.fullmatch(line.strip()) is not None for line in singles)
    return len(filled) >= FEWEST_TOKENS and len(singles) >= LEAST_SHARE * len(filled) and blank >= 2 and marks >= 2


def _alike(lines: Sequence[str], mark: str) -> int:
    """Return how many lines hold a mark equally often, 0 where these are not nearly all."""
    times, number = Counter(line.count(mark) for line in lines).most_common(1)[0] if lines else (0, 0)
    return number if times and len(lines) >= FEWEST_LINES and number >= LEAST_SHARE * len(lines) else 0
