"""The task similarity: pairs of texts, scored or belonging together."""

from homeground.tasks.similarity.spec import SimilaritySpec
from homeground.tasks.task import TaskType

PAIR_COLUMNS = ("similarity", "anchor", "positive", "negative", "score_range")

SIMILARITY = TaskType(
    SimilaritySpec.for_table,
    settings=frozenset(f"columns.{name}" for name in ("text_1", "text_2", *PAIR_COLUMNS)) | {"evaluation.titles"},
    needs="two texts and their score (--text-1, --text-2, --similarity), or two that belong together (--anchor, "
    "--positive)",
    naming_columns=PAIR_COLUMNS,
)
