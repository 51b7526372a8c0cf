"""The task classification: labelled texts, or pairs of texts."""

from homeground.tasks.classification.spec import ClassificationSpec
from homeground.tasks.task import TaskType

CLASSIFICATION = TaskType(
    ClassificationSpec.for_table,
    settings=frozenset(f"columns.{name}" for name in ("text", "text_1", "text_2", "label", "label_delimiter"))
    | {"training.class_weights", "training.label_smoothing", "encoder.truncation", "annotation.unlabelled"},
    needs="texts and their labels (--text, --label)",
    naming_columns=("label", "label_delimiter"),
    reads_texts=True,
)
