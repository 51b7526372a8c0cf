"""Which column of a table plays which role: the named ones first, the rest by the names people usually give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from homeground.data.tables import Origin, column_error

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


def quoted_columns(table: Origin) -> str:
    """Return the columns of a table as an error lists them."""
    return ", ".join(f'"{column}"' for column in table.columns)
