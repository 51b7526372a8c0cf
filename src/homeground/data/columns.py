"""Which column of a table plays which role: the named ones first, the rest by the names people usually give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from homeground.data.evidence.headers import header_problem
from homeground.data.evidence.lines import holds_tags, wide_delimiter
from homeground.data.tables import DELIMITERS, Origin, Table, column_error, likely_delimiter
from homeground.errors import DataError, nearest

USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "text": (
        *("text", "sentence", "headline", "review", "question", "title", "content", "comment", "message", "tweet"),
        *("document", "abstract", "description"),
    ),
    "text_1": ("text_1", "text1", "sentence1", "sentence_1", "sentence_a", "sent1", "question1", "base"),
    "text_2": ("text_2", "text2", "sentence2", "sentence_2", "sentence_b", "sent2", "question2", "ref"),
    "label": (
        *("label", "labels", "category", "categories", "class", "sentiment", "intent", "topic", "topics", "target"),
        *("is_sarcastic", "is_spam"),
    ),
    "similarity": ("similarity", "score", "similarity_score", "relatedness_score"),
    "anchor": ("anchor", "query"),
    "positive": ("positive", "pos"),
    "negative": ("negative", "neg"),
    "group": ("group",),
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

VALUES_READ = 1000
"""Values from which it is determined whether a column holds ids."""

LEAST_SHARE_OF_IDS = 0.9
"""Share of the values that are one word in ASCII with a digit, from which a column holds ids."""


def find_columns(
    table: Origin,
    roles: Iterable[str],
    named: Mapping[str, str | None],
    *,
    usual: Mapping[str, tuple[str, ...]] = USUAL_NAMES,
) -> dict[str, str]:
    """Return role → column for every role that is named or has a usual name in the table.

    A column that has a role gets no other by its usual name; two roles may name the same column.

    Raises:
        DataError: a named column is not in the table; the message has the nearest names.
    """
    roles = list(roles)
    columns = {role: name for role in roles if (name := named.get(role))}
    for name in columns.values():
        if name not in table.columns:
            raise column_error(table, name)
    for role in roles:
        free = [column for column in table.columns if column not in columns.values()]
        matches = [column for name in usual[role] for column in free if column.strip().lower() == name]
        if role not in columns and matches:
            columns[role] = matches[0]
    return columns


def require_columns(table: Origin, columns: Mapping[str, str], *, data: Origin) -> None:
    """Require of another file of a run the columns that play a role (role → column) in its ``data``.

    Raises:
        DataError: one is not there; the message names its role, the columns that the file has, and the data.
    """
    for role, name in columns.items():
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
    """Refuse a table whose first line is data, whose fields were not taken apart, or that holds tokens with tags.

    ``named`` are the columns that the user has named, which so are names.
    """
    if table.format not in DELIMITERS:
        return
    rows = [[str(row.values[name]) for name in table.columns] for row in islice(table.rows, VALUES_READ)]
    if len(table.columns) == 1 and (found := wide_delimiter([table.columns[0], *(row[0] for row in rows)])):
        mark = found[0]
        problem = f'holds "{mark}" equally often in {found[1]} of its first lines, which seems to separate fields'
        how = "use --delimiter tab" if mark == "\t" else f'replace "{mark}" by a tab, and use --delimiter tab'
        raise DataError.at(table.path, f"{problem}; {how}")
    for place, name in enumerate(table.columns):
        values = [row[place] for row in rows]
        if holds_tags(values, of=len(values)):
            tag = next(value for value in values if value != "O")
            problem = f"holds the tags of tokens, such as {tag}, which are not learned here; give a text a row"
            raise DataError.at(table.path, problem, column=name)
    if has_header and not set(named) & set(table.columns):
        usual = {name for names in USUAL_NAMES.values() for name in names}
        if problem := header_problem(table.columns, rows, usual):
            raise DataError.at(table.path, f"{problem}; if it holds names, name one of them, such as --text NAME")


def holds_ids(table: Table, column: str) -> bool:
    """Return whether a column holds ids or numbers and no texts: its name or nearly all of its values say so.

    Only the first ``VALUES_READ`` rows of a table are looked at.
    """
    if column.strip().lower() in ID_NAMES or column.strip().lower().endswith("_id"):
        return True
    values = [str(row.values[column]).strip() for row in islice(table.rows, VALUES_READ)]
    filled = [value for value in values if value]
    ids = sum(value.isascii() and any(map(str.isdigit, value)) and len(value.split()) == 1 for value in filled)
    return bool(filled) and ids >= LEAST_SHARE_OF_IDS * len(filled)


def quoted_columns(table: Origin) -> str:
    """Return the columns of a table as an error lists them."""
    return ", ".join(f'"{column}"' for column in table.columns)
