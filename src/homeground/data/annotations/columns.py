"""Which columns of a table hold annotations, and the texts with spans that are read from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, cast

from homeground.data.annotations.annotated import Annotations
from homeground.data.annotations.brat import ANNOTATIONS, read_brat
from homeground.data.annotations.conll import DOCUMENT, LINES, TAGS, WORDS
from homeground.data.annotations.label_studio import is_label_studio, read_label_studio
from homeground.data.annotations.marks import are_marks
from homeground.data.annotations.schemes import OUTSIDE, are_tags
from homeground.data.annotations.spans import read_spans
from homeground.data.annotations.words import read_words, sentences_of, tag_numbers_problem
from homeground.data.annotations.written import with_lists
from homeground.data.columns import ROWS_SAMPLED, USUAL_NAMES, find_columns, holds_ids, quoted, quoted_columns
from homeground.data.evidence.exports import RESULT_KEYS
from homeground.data.evidence.lines import holds_tags
from homeground.data.tables import Table, require_column, shown
from homeground.errors import AmbiguousColumns, BrokenAnnotations, ColumnsMissing, DataError, UsageError

if TYPE_CHECKING:
    from homeground.recipe.recipe import Recipe

MAX_SHARE_WITH_SPACES = 0.1
"""Share of the texts in lists that hold a space, up to which they are words and no sentences."""

LEAST_SHARE_OF_TAGS = 0.2
"""Share of the values that are O or have a prefix, from which they are tags whatever the others are."""

MAX_TYPES_BESIDE_O = 50
"""Different values of which one is O, up to which they may be tags without prefixes."""

FEWEST_TIMES = 3
"""How often these occur on average, at least."""


def find_annotation_columns(table: Table, recipe: Recipe) -> dict[str, str]:
    """Return which column plays which role: words and tags, or text and spans, and the group where there is one.

    Of a table with a word a row they are word, tag and sentence.

    Raises:
        AmbiguousColumns: several columns hold tags or spans, and none is named.
        BrokenAnnotations: a named column is not in the table or holds no tags, tags are numbers without names, or it is
            not clear which column holds the texts of spans.
        ColumnsMissing: the table holds no annotations.
    """
    table = with_lists(_head(table))
    with _final():
        group = find_columns(table, ("group",), {"group": recipe.columns.group})
        for find in (_columns_of_format, _task_columns, _word_columns, _span_columns, _token_columns):
            if columns := find(table, recipe):
                return columns | group
        if (named := recipe.columns.tag_column) is not None:
            value = next((value for row in table.rows if (value := row.values[named])), None)
            problem = f"holds neither the tags of words nor spans, but {shown(value)}"
            raise DataError.at(table.path, problem, column=named)
    expected = "lists of words and of tags (tokens, tags), or texts and lists of spans ([[start, end, label], …])"
    problem = f"which columns hold annotations? the columns are {quoted_columns(table)}; expected {expected}"
    raise ColumnsMissing.at(table.path, problem)


def read_annotations(table: Table, columns: Mapping[str, str]) -> Annotations:
    """Return the texts of a table with their spans; ``columns`` are those of `find_annotation_columns`.

    Raises:
        BrokenAnnotations: a row cannot be read as annotations; the message has its place, and what is expected there.
    """
    table = with_lists(table)
    with _final():
        if "sentence" in columns:
            return read_words(*sentences_of(table, columns))
        readers = {WORDS: read_words, ANNOTATIONS: read_brat, "results": read_label_studio, "spans": read_spans}
        return next(read for role, read in readers.items() if role in columns)(table, columns)


def _head(table: Table) -> Table:
    """Return the first rows of a table, and the first that holds something in a column where all of these are empty.

    They are taken once, because the rows of a large file are parsed each time.
    """
    rows = iter(table.rows)
    first = list(islice(rows, ROWS_SAMPLED))
    empty = [name for name in table.columns if all(row.values[name] in (None, [], {}) for row in first)]
    first += islice((row for row in rows if any(row.values[name] for name in empty)), 1) if empty else ()
    return replace(table, rows=first)


@contextmanager
def _final() -> Generator[None]:
    """Raise what is wrong with annotations as BrokenAnnotations, so that they are not read as something else."""
    try:
        yield
    except (AmbiguousColumns, ColumnsMissing):
        raise
    except DataError as error:
        raise BrokenAnnotations(f"{error}") from None


def _columns_of_format(table: Table, recipe: Recipe) -> dict[str, str]:
    """Return the columns of a format that holds nothing but annotations, none of another format."""
    if table.format == "conll":
        return _conll_columns(table, recipe.columns.tag_column)
    if table.format == "brat":
        return {name: name for name in table.columns}
    return {}


def _conll_columns(table: Table, named: str | None) -> dict[str, str]:
    columns = [name for name in table.columns if name not in (LINES, DOCUMENT)]
    tags = TAGS if TAGS in columns else columns[-1]
    if named is not None:
        tags = _named_column(table, columns, named)
    if tags == WORDS:
        if len(columns) == 1:
            problem = "holds a word a line and no tags; expected a word and its tag a line, with a tab or space between"
            raise DataError.at(table.path, problem)
        if named is not None:
            raise UsageError(
                f"--tag-column {named}: this column of {table.path} holds the words; name that of the tags"
            )
    if not _hold_tags(_values(table, tags)):
        others = [name for name in columns if name not in (WORDS, tags) and _hold_tags(_values(table, name))]
        which = " or ".join(str(columns.index(name) + 1) for name in others)
        advice = f"; column {which} does: add --tag-column {which}" if which else ", nor does another column"
        sample = next((value for value in _values(table, tags)), "")
        expected = f'its values are such as "{sample}", and none is O or begins with B- or I-'
        raise DataError.at(
            table.path, f"column {columns.index(tags) + 1} holds no tags of entities: {expected}{advice}"
        )
    return {WORDS: WORDS, TAGS: tags}


def _named_column(table: Table, columns: list[str], named: str) -> str:
    """Return the column of a CoNLL file by its name, or by its number, from 1."""
    if named in columns:
        return named
    if named.isdecimal() and 1 <= int(named) <= len(columns):
        return columns[int(named) - 1]
    problem = f'has no column "{named}" (--tag-column); it has {len(columns)}: {quoted(columns)}'
    raise DataError.at(table.path, f"{problem}; expected one of these, or a number from 1 to {len(columns)}")


def _task_columns(table: Table, recipe: Recipe) -> dict[str, str]:
    """Return the columns of tasks of Label Studio, none where the table has none."""
    for name in RESULT_KEYS:
        if name in table.columns and "data" in table.columns and is_label_studio(table, name):
            return {"data": "data", "results": name, "id": "id"}
    return {}


def _span_columns(table: Table, recipe: Recipe) -> dict[str, str]:
    """Return the columns of texts and their spans, none where the table has no spans.

    Raises:
        DataError: it has spans, and which column holds the texts cannot be determined.
    """
    named = recipe.columns.tag_column
    spans = [name for name in table.columns if (named is None or name == named) and _hold_spans(table, name)]
    span = _choose(spans, "spans", named)
    if not span:
        if spans:
            problem = f"which column holds the spans? {quoted(spans)} do: name one with --tag-column"
            raise AmbiguousColumns.at(table.path, problem)
        return {}
    texts = [name for name in table.columns if name != span and _hold_texts(table, name)]
    text = find_columns(table, ("text",), {"text": recipe.columns.text}).get("text", "")
    if recipe.columns.text is None and text not in texts:
        text = _choose([name for name in texts if not holds_ids(table, name)], "text", None)
    if not text:
        problem = f'which column holds the texts of the spans in "{span}"? the columns are {quoted_columns(table)}'
        raise DataError.at(table.path, f"{problem}; name it with --text")
    return {"text": text, "spans": span} | ({"answer": "answer"} if "answer" in table.columns else {})


def _hold_spans(table: Table, name: str) -> bool:
    """Tell whether of the first values of a column that hold anything most are lists of spans, or objects of them."""
    values = (value for row in table.rows if (value := row.values[name]) is not None)
    kinds = (are_marks(value) if isinstance(value, list | tuple | dict) else False for value in values)
    known = [kind for kind in kinds if kind is not None]
    return 2 * sum(known) > len(known)


def _hold_texts(table: Table, name: str) -> bool:
    values = [value for row in table.rows if (value := row.values[name]) is not None]
    return 2 * sum(isinstance(value, str) for value in values) > len(values)


def _word_columns(table: Table, recipe: Recipe) -> dict[str, str]:
    """Return the columns of words and tags, none where the table has no lists of both."""
    named_words, named_tags = recipe.columns.text, recipe.columns.tag_column
    if recipe.columns.tag_column is not None:
        require_column(table, recipe.columns.tag_column)
    lists = [name for name in table.columns if _are_lists(table, name)]
    texts = [name for name in lists if _hold_words(_values(table, name))]
    tags = [name for name in lists if _hold_tags(_values(table, name))]
    # A word may be O too, so a column that is called as those of words are is one.
    usual = [name for name in texts if name.strip().lower() in USUAL_NAMES[WORDS]]
    likely = usual or [name for name in texts if name not in tags]
    word = _choose(likely if named_words is None else texts, WORDS, named_words)
    tags = [name for name in tags if name != word]
    numbers = [name for name in lists if name.strip().lower() in USUAL_NAMES[TAGS] and _hold_numbers(table, name)]
    if not word or not (tags or numbers):
        return {}
    tag = _choose(tags, TAGS, named_tags)
    if not tags and (named_tags is None or named_tags in numbers):
        tag = named_tags or numbers[0]
        number = cast(int, next(iter(_values(table, tag))))
        raise DataError.at(table.path, tag_numbers_problem(tag, number))
    if not tag and named_tags is None:
        raise AmbiguousColumns.at(
            table.path, f"which column holds the tags? {quoted(tags)} do: name one by --tag-column"
        )
    return {WORDS: word, TAGS: tag} if tag else {}


def _token_columns(table: Table, recipe: Recipe) -> dict[str, str]:
    """Return the columns of a table with a word a row: word, tag and sentence; none where it lacks one of them."""
    columns = find_columns(table, ("sentence",), {})
    texts = [name for name in table.columns if _hold_texts(table, name) and name not in columns.values()]
    tags = [name for name in texts if holds_tags(values := _first(table, name), of=len(values))]
    words = [name for name in texts if name not in tags]
    word = _choose(words, WORDS, recipe.columns.text)
    tag = _choose(tags, TAGS, recipe.columns.tag_column)
    return {"word": word, "tag": tag} | columns if word and tag and columns else {}


def _first(table: Table, name: str) -> list[str]:
    return [str(row.values[name]) for row in table.rows]


def _choose(columns: list[str], role: str, named: str | None) -> str:
    """Return the column that is named, has a usual name, or is the only one; "" where there is none of these."""
    if named is not None:
        return named if named in columns else ""
    for usual in USUAL_NAMES[role]:
        for name in columns:
            if name.strip().lower() == usual:
                return name
    return columns[0] if len(columns) == 1 else ""


def _are_lists(table: Table, name: str) -> bool:
    values = [row.values[name] for row in table.rows]
    values = [value for value in values if value is not None]
    lists = [value for value in values if isinstance(value, list | tuple)]
    return any(lists) and 2 * len(lists) > len(values)


def _values(table: Table, name: str) -> Iterator[object]:
    """Yield the items of the lists in the first rows of a column."""
    for row in table.rows:
        if isinstance(values := row.values[name], list | tuple):
            yield from cast(Sequence[object], values)


def _hold_words(values: Iterable[object]) -> bool:
    items = list(values)
    texts = [value for value in items if isinstance(value, str)]
    spaced = sum(len(text.split()) > 1 for text in texts)
    return 2 * len(texts) > len(items) and spaced <= MAX_SHARE_WITH_SPACES * len(texts)


def _hold_tags(values: Iterable[object]) -> bool:
    """Tell whether values are tags: many are O or have a prefix, or one is O and the others are few."""
    tags = Counter(value for value in values if isinstance(value, str))
    marked = sum(number for tag, number in tags.items() if are_tags([tag]))
    few = tags[OUTSIDE] > 0 and len(tags) <= min(MAX_TYPES_BESIDE_O, tags.total() / FEWEST_TIMES)
    return marked > 0 and (few or marked >= LEAST_SHARE_OF_TAGS * tags.total())


def _hold_numbers(table: Table, name: str) -> bool:
    values = list(_values(table, name))
    return bool(values) and all(type(value) is int for value in values)
