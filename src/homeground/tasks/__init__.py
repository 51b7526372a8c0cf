"""What is learned: one file a task, and the table of all of them.

A task says which columns are read, how text becomes a batch and what is measured. It may import data, run, recipe,
metrics, randomness and errors. Tasks and engines are strangers: they meet through ``head``, ``loss`` and NumPy batches.
"""

from __future__ import annotations

from homeground.data.readers import Table
from homeground.errors import DataError
from homeground.recipe import Recipe
from homeground.tasks.classification import Classification
from homeground.tasks.mlm import MaskedLanguageModelling
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
