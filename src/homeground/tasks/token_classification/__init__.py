"""Token classification: spans of a text, such as named entities, are found and given a type."""

from homeground.tasks.task import TaskType
from homeground.tasks.token_classification.spec import TokenClassificationSpec

TOKEN_CLASSIFICATION = TaskType(
    for_table=TokenClassificationSpec.for_table,
    settings=frozenset({"columns.tag_column", "columns.text"}),
    needs="words with a tag each, or a text with marked spans",
    naming_columns=("tag_column",),
    tells_by_values=True,
    formats=frozenset({"conll", "brat"}),
    reads_texts=True,
)

__all__ = ["TOKEN_CLASSIFICATION"]
