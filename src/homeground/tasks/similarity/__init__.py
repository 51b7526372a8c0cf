"""The task similarity: pairs of texts, scored or belonging together."""

from homeground.tasks.similarity.spec import SimilaritySpec
from homeground.tasks.task import TaskType

PAIR_COLUMNS = ("similarity", "anchor", "positive", "negative", "score_range")

SIMILARITY = TaskType(
    SimilaritySpec.for_table,
    settings=frozenset(f"columns.{name}" for name in ("text_1", "text_2", *PAIR_COLUMNS)) | {"evaluation.titles"},
    naming_columns=PAIR_COLUMNS,
)
