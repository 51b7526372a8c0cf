"""Which column of a table plays which role, and what its values are evidence of.

The named columns come first, the rest follow from the names people usually give them.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from homeground.data.evidence.headers import header_problem
from homeground.data.evidence.lines import holds_tags, wide_delimiter
from homeground.data.tables import (
    DELIMITERS,
    Origin,
    Table,
    column_parts,
    has_columns,
    likely_delimiter,
    require_column,
)
from homeground.errors import DataError, UsageError, nearest

USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "text": (
        *("text", "sentence", "headline", "review", "question", "title", "content", "comment", "message", "tweet"),
        *("document", "abstract", "description", "body", "comment_text", "review_text", "tweet_text", "utterance"),
    ),
    "text_1": (*("text_1", "text1", "sentence1", "sentence_1", "sentence_a", "sent1", "question1", "base", "premise"),),
    "text_2": (
        *("text_2", "text2", "sentence2", "sentence_2", "sentence_b", "sent2", "question2", "ref", "hypothesis"),
    ),
    "label": (
        *("label", "labels", "category", "categories", "class", "sentiment", "intent", "topic", "topics", "target"),
        *("gold_label", "is_sarcastic", "is_spam", "is_duplicate"),
    ),
    "similarity": ("similarity", "score", "similarity_score", "relatedness_score"),
    "anchor": ("anchor", "query", "question", "premise"),
    "positive": ("positive", "pos", "answer", "document", "passage", "hypothesis"),
    "negative": ("negative", "neg"),
    "group": ("group",),
    "words": ("tokens", "words", "token", "word"),
    "tags": (
        *("ner_tags", "tags", "labels", "ner", "bio_tags", "iob_tags", "entity_tags", "token_labels", "label", "tag"),
        *("entities", "ner_labels", "targets"),
    ),
    "sentence": ("sentence #", "sentence_id", "sentence_idx", "sentence_no", "sentence_number", "sent_id"),
    "spans": ("spans", "entities", "label", "labels", "annotations", "annotation", "ner", "tags"),
}
"""The usual names of the roles of examples, in lower case; the first that a table has is taken."""

CONCEPT_NAMES: dict[str, tuple[str, ...]] = {
    "id": ("concepturi", "id", "uri", "concept_id", "code"),
    "label": ("preferredlabel", "preferred_label", "label", "title", "name", "term"),
    "alternatives": ("altlabels", "alternatives", "alternative_labels", "alt_labels", "synonyms"),
    "description": ("description", "definition"),
    "parent": ("broaderuri", "parent", "parent_id", "broader", "broader_id"),
    "path": ("path",),
    "group": ("iscogroup", "group"),
    "branch": ("branch",),
}
"""The same for the roles of a taxonomy's concepts."""

ID_NAMES = ("id", "ids", "idx", "index", "uuid", "guid", "uid", "key", "row", "nr", "no", "number", "#", "unnamed: 0")
"""Names of columns that hold no texts, in lower case."""

LEAST_SHARE_OF_IDS = 0.9
"""Share of the values that are one word in ASCII with a digit, from which a column holds ids."""

LABELS_REPEAT = 5
"""How often a label occurs on average, at least, in a column that nobody named."""

ROWS_SAMPLED = 1000
"""Rows from which it is told whether a column holds ids, texts, or 0 and 1."""

FEWEST_WORDS_OF_TEXT = 4
"""Words on average from which the different values of a column are texts."""

MAX_COLUMNS_LISTED = 5

WORKBOOK = "xlsx"
"""The format of a sheet, which has names in its first row as a CSV file has, and no option for one without."""

FLAGS: dict[str, bool] = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}
"""The values of a column that says of one class whether it applies, in lower case."""

BRACKETS = {"[": "]", "(": ")", "{": "}"}

_ITEM = r"""('[^']*'|"[^"]*"|[-+]?[\d.]+)"""
_ARRAY = re.compile(rf"\[\s*({_ITEM}([\s,]+{_ITEM})*)?[\s,]*\]|\[[^\[\],]+(,[^\[\],]+)+\]")
"""A list as Python, JSON, NumPy or a person writes it."""


def find_columns(
    table: Origin,
    roles: Iterable[str],
    named: Mapping[str, str | None],
    *,
    usual: Mapping[str, tuple[str, ...]] = USUAL_NAMES,
) -> dict[str, str]:
    """Return role → column for every role that is named or has a usual name in the table.

    A column that has a role gets no other by its usual name. A name may stand for several columns (``title,content``).

    Raises:
        DataError: a named column is not in the table; the message has the nearest names.
    """
    roles = list(roles)
    columns = {role: name for role in roles if (name := named.get(role))}
    for name in columns.values():
        require_column(table, name)
    for role in roles:
        free = unread_columns(table, columns)
        matches = [column for name in usual[role] for column in free if column.strip().lower() == name]
        if role not in columns and matches:
            columns[role] = matches[0]
    return columns


def columns_of_model(settings: Mapping[str, Any], table: Origin, roles: Sequence[str]) -> dict[str, str]:
    """Return role → column as a model learned them, of its settings (homeground.json); none where the table lacks one.

    A model of an earlier version, or made elsewhere, says nothing of columns.
    """
    saved: Any = settings.get("columns")
    columns = {role: str(saved[role]) for role in roles if role in saved} if isinstance(saved, dict) else {}
    return columns if all(has_columns(table, name) for name in columns.values()) else {}


def require_columns(table: Origin, columns: Mapping[str, str], *, data: Origin) -> None:
    """Require of another file of a run the columns that play a role (role → column) in its ``data``.

    Raises:
        DataError: one is not there; the message names its role, the columns that the file has, and the data.
    """
    for role, name in ((role, part) for role, names in columns.items() for part in column_parts(data, names)):
        if name in table.columns:
            continue
        problem = f'has no column "{name}", the {role} of {data.path}; {nearest(name, table.columns)}'
        usual = [column for column in table.columns if column.strip().lower() in USUAL_NAMES.get(role, ())]
        if separator := likely_delimiter(table):
            problem += f"; it looks like {separator}-separated: save it as the data is written"
        elif usual:
            problem += f'; rename "{usual[0]}" to "{name}"'
        raise DataError.at(table.path, problem)


def refuse_other_content(table: Table, *, named: Iterable[object], has_header: bool = True) -> None:
    """Refuse a table whose first line is data, whose fields were not taken apart, or of tokens without sentences.

    ``named`` are the columns that the user has named, which so are names.
    """
    if table.format not in (*DELIMITERS, WORKBOOK):
        return
    rows = [[str(row.values[name]) for name in table.columns] for row in islice(table.rows, ROWS_SAMPLED)]
    if len(table.columns) == 1 and (found := wide_delimiter([table.columns[0], *(row[0] for row in rows)])):
        mark = found[0]
        problem = f'holds "{mark}" equally often in {found[1]} of its first lines, which seems to separate fields'
        how = "use --delimiter tab" if mark == "\t" else f"use --delimiter '{mark}'"
        raise DataError.at(table.path, f"{problem}; {how}")
    for place, name in enumerate(table.columns):
        values = [row[place] for row in rows]
        if holds_tags(values, of=len(values)):
            if any(each.strip().lower() in USUAL_NAMES["sentence"] for each in table.columns):
                return
            tag = next(value for value in values if value != "O")
            tabs = "add --format conll" if table.format == "tsv" else "write tabs for commas and add --format conll"
            problem = f"holds the tags of tokens, such as {tag}, a token a row, and nothing says where sentences end"
            how = f'name them in a column "sentence_id", or leave a blank line after each and {tabs}'
            raise DataError.at(table.path, f"{problem}; {how}", column=name)
    if has_header and not set(named) & set(table.columns):
        usual = {name for names in USUAL_NAMES.values() for name in names}
        if problem := header_problem(table.columns, rows, usual):
            if table.format == WORKBOOK:
                problem = f"{problem.partition('; add --no-header')[0]}; write a row of names above it"
            raise DataError.at(table.path, f"{problem}; if it holds names, name one of them, such as --text NAME")


def holds_ids(table: Table, column: str) -> bool:
    """Return whether a column holds ids or numbers and no texts: its name or nearly all of its values say so.

    Only the first ``ROWS_SAMPLED`` rows of a table are looked at.
    """
    if column.strip().lower() in ID_NAMES or column.strip().lower().endswith("_id"):
        return True
    values = [str(value).strip() for value in _sample(table, column)]
    filled = [value for value in values if value]
    ids = sum(value.isascii() and any(map(str.isdigit, value)) and len(value.split()) == 1 for value in filled)
    return bool(filled) and ids >= LEAST_SHARE_OF_IDS * len(filled)


def refuse_two_roles(table: Origin, columns: Mapping[str, str]) -> None:
    """Raise UsageError where one column plays two roles, of which one would be the answer to the other."""
    role_of: dict[str, str] = {}
    for role, name in columns.items():
        for part in column_parts(table, name):
            if (other := role_of.setdefault(part, role)) != role:
                raise UsageError(
                    f'column "{part}" of {table.path} is named for two parts, --{_flag(other)} and --{_flag(role)}; '
                    "name a column for each"
                )


def quoted_columns(table: Origin) -> str:
    """Return the columns of a table as an error lists them."""
    return quoted(table.columns)


def quoted(names: Iterable[str]) -> str:
    """Return names as an error lists them.

    >>> quoted(["a", "b c"])
    '"a", "b c"'
    """
    return ", ".join(f'"{name}"' for name in names)


def unread_columns(table: Origin, columns: Mapping[str, str]) -> list[str]:
    """Return the columns of a table that play no role."""
    read = {part for name in columns.values() for part in column_parts(table, name)}
    return [column for column in table.columns if column not in read]


def notes_on_columns(table: Table, columns: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence on columns that are joined and one on those that are not read, where there are any.

    Of a second column of texts it says how it is read.
    """
    notes: list[str] = []
    text = columns.get("text")
    if text is not None and len(parts := column_parts(table, text)) > 1:
        notes.append(f"one text is made of the columns {quoted(parts)}, joined by a space")
    unread = unread_columns(table, columns)
    if unread:
        more = f" and {len(unread) - MAX_COLUMNS_LISTED} more" if len(unread) > MAX_COLUMNS_LISTED else ""
        noun = "column" if len(unread) == 1 else "columns"
        hint = _hint_on_texts(table, text, unread) if text is not None else ""
        notes.append(f"not read: {noun} {quoted(unread[:MAX_COLUMNS_LISTED])}{more}{hint}")
    return tuple(notes)


def _hint_on_texts(table: Table, text: str, unread: Sequence[str]) -> str:
    others = [column for column in unread if _holds_texts(table, column)][:MAX_COLUMNS_LISTED]
    if not others:
        return ""
    pair = (
        ""
        if len(column_parts(table, text)) > 1 or len(others) > 1
        else f", --text-1 {text} --text-2 {others[0]} reads pairs"
    )
    verb = "holds" if len(others) == 1 else "hold"
    return f"; {quoted(others)} {verb} texts too: --text {','.join([text, *others])} joins them{pair}"


def _holds_texts(table: Table, column: str) -> bool:
    values = [value for value in _sample(table, column) if isinstance(value, str) and value.strip()]
    return len(set(values)) > len(values) / 2 and holds_words(table, column)


def holds_words(table: Table, column: str) -> bool:
    """Tell whether the values of a column are texts of several words, as far as the first rows tell."""
    values = [value for value in _sample(table, column) if isinstance(value, str) and value.strip()]
    return sum(len(value.split()) for value in values) >= FEWEST_WORDS_OF_TEXT * max(len(values), 1)


def recurring_columns(table: Table, columns: Iterable[str]) -> list[str]:
    """Return the columns whose values recur as those of a label do: at least two, each several times."""
    chosen: list[str] = []
    for column in columns:
        most = len(table.rows) / LABELS_REPEAT
        if 2 <= distinct_values(table, column, most) <= most:
            chosen.append(column)
    return chosen


def distinct_values(table: Table, column: str, most: float) -> int:
    """Count the different values of a column, to the first beyond ``most``, so that no column of texts is held."""
    values: set[int] = set()
    for row in table.rows:
        values.add(hash(json.dumps(row.values[column])))
        if len(values) > most:
            break
    return len(values)


def flag_columns(table: Table, columns: Iterable[str]) -> list[str]:
    """Return the columns that hold nothing but 0 and 1, or false and true, as far as the first rows tell."""
    return [name for name in columns if all(as_flag(value) is not None for value in _sample(table, name))]


def as_flag(value: object) -> bool | None:
    """Return whether a value says that a class applies, None where it says neither.

    >>> as_flag("1"), as_flag(False), as_flag(2)
    (True, False, None)
    """
    return FLAGS.get(str(value).strip().lower())


def written_list(values: Iterable[object]) -> str | None:
    """Return one of the texts that are lists written into a text, as spreadsheets and pandas do; None where few are.

    >>> written_list(["['a', 'b']", "['a']"]), written_list(["[1 0 1]"]), written_list(["[0, 10)", "[10, 20)"])
    ("['a', 'b']", '[1 0 1]', None)
    """
    texts = [text for value in values if isinstance(value, str) and (text := value.strip())]
    bracketed = [text for text in texts if len(text) > 1 and BRACKETS.get(text[0]) == text[-1]]
    lists = [text for text in bracketed if _is_list(text)]
    return max(lists, key=len) if lists and len(bracketed) >= len(texts) / 2 else None


def _is_list(text: str) -> bool:
    if _ARRAY.fullmatch(text):
        return True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of backslashes that are no escapes
            read: Any = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
    return isinstance(read, list | tuple | set)


def _sample(table: Table, column: str) -> Iterator[object]:
    return (row.values[column] for row in islice(table.rows, ROWS_SAMPLED))


def _flag(role: str) -> str:
    return role.replace("_", "-")
