"""What is learned: one folder a task, and the table of all of them.

A task says which columns are read, how text becomes a batch and what is measured. Tasks and engines are strangers: they
meet through names of heads and losses, and NumPy batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeground.data.tables import Table
from homeground.errors import DataError, UsageError, nearest
from homeground.tasks.classification import CLASSIFICATION
from homeground.tasks.mlm import MASKED_LM
from homeground.tasks.similarity import SIMILARITY
from homeground.tasks.similarity.spec import scored_pairs_spec
from homeground.tasks.task import TaskSpec, TaskType

if TYPE_CHECKING:
    from homeground.recipe.recipe import Recipe

__all__ = ["TASKS", "choose_task", "scored_pairs_spec", "unread_settings"]

TASKS: dict[str, TaskType] = {"similarity": SIMILARITY, "classification": CLASSIFICATION, "mlm": MASKED_LM}
"""In the order in which they are tried where nobody names one."""


def unread_settings(recipe: Recipe, task: str) -> list[str]:
    """Return a sentence that names the settings that were changed though the task does not read them, or none."""
    from homeground.recipe.recipe import settings  # pydantic is not imported where a model only predicts

    unread = frozenset[str]().union(*(kind.settings for kind in TASKS.values())) - TASKS[task].settings
    changed = [
        setting.flag
        for setting in settings()
        if ".".join(setting.path) in unread
        and getattr(getattr(recipe, setting.section), setting.name) != setting.field.default
    ]
    return [f"of no effect on {task}: {', '.join(changed)}"] if changed else []


def choose_task(table: Table, recipe: Recipe) -> TaskSpec:
    """Return the task the recipe names, by its name or by a column only that task has, else the first that fits.

    Raises:
        UsageError: no task has the name.
        DataError: the columns fit no task; the message says what each would need.
    """
    if recipe.task is not None and recipe.task not in TASKS:
        raise UsageError(f"--task (recipe: task): got {recipe.task!r}; {nearest(recipe.task, list(TASKS))}")
    named = [task for task, kind in TASKS.items() if any(getattr(recipe.columns, name) for name in kind.naming_columns)]
    if recipe.task or len(named) == 1:
        return TASKS[recipe.task or named[0]].for_table(table, recipe)
    problems: list[str] = []
    for kind in TASKS.values():
        if recipe.columns.text and not kind.reads_texts:
            continue
        try:
            return kind.for_table(table, recipe)
        except DataError as error:
            problems.append(str(error))
    raise DataError(problems[0])
