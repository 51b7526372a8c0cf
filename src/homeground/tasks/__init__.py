"""What is learned: one file a task, and the table of all of them.

A task says which columns are read, how text becomes a batch and what is measured. It may import data, run, recipe,
metrics, randomness and errors. Tasks and engines are strangers: they meet through ``head``, ``loss`` and NumPy batches.
"""

from __future__ import annotations

from homeground.data.tables import Table
from homeground.errors import DataError
from homeground.recipe.recipe import Recipe, settings
from homeground.tasks.classification.classification import Classification
from homeground.tasks.mlm.mlm import MaskedLanguageModelling
from homeground.tasks.similarity import Similarity
from homeground.tasks.task import Task

TASKS: dict[str, type[Similarity] | type[Classification] | type[MaskedLanguageModelling]] = {
    "similarity": Similarity,
    "classification": Classification,
    "mlm": MaskedLanguageModelling,
}
OWN_COLUMNS = {
    "similarity": ("similarity", "anchor", "positive", "negative", "score_range"),
    "classification": ("label", "label_delimiter"),
}
"""Settings of [columns] that only one task has: who gives one has named the task."""

OF_TEXTS = ("classification", "mlm")
"""The tasks that read one column of texts: who names that column has named one of them."""

OWN_SETTINGS = {
    "masking.mlm_probability": ("mlm",),
    "masking.whole_word": ("mlm",),
    "masking.line_by_line": ("mlm",),
    "evaluation.mask_draws": ("mlm",),
    "training.class_weights": ("classification",),
    "training.label_smoothing": ("classification",),
    "encoder.truncation": ("classification",),
    "evaluation.titles": ("similarity",),
    "columns.label": ("classification",),
    "columns.label_delimiter": ("classification",),
    "columns.text": OF_TEXTS,
    "columns.text_1": ("similarity", "classification"),
    "columns.text_2": ("similarity", "classification"),
    **{f"columns.{name}": ("similarity",) for name in OWN_COLUMNS["similarity"]},
}
"""Settings that only some tasks read, by their full names."""


def idle_settings(recipe: Recipe, task: str) -> list[str]:
    """Say which settings the task does not read though they were changed, in a sentence or none."""
    changed = [
        setting.flag
        for setting in settings()
        if task not in OWN_SETTINGS.get(".".join(setting.path), (task,))
        and getattr(getattr(recipe, setting.section), setting.name) != setting.field.default
    ]
    return [f"of no effect on {task}: {', '.join(changed)}"] if changed else []


def choose_task(table: Table, recipe: Recipe) -> Task:
    """Return the task the recipe names, by its name or by a column only that task has, else the first that fits.

    Raises:
        DataError: the columns fit no task; the message says what each would need.
    """
    named = [task for task, own in OWN_COLUMNS.items() if any(getattr(recipe.columns, name) for name in own)]
    if recipe.task or len(named) == 1:
        return TASKS[recipe.task or named[0]].for_table(table, recipe)
    problems: list[str] = []
    for name in OF_TEXTS if recipe.columns.text else TASKS:
        try:
            return TASKS[name].for_table(table, recipe)
        except DataError as error:
            problems.append(str(error))
    raise DataError(problems[0])
