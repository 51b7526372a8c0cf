"""What is learned: one file a task, and the table of all of them.

A task says which columns are read, how text becomes a batch and what is measured. It may import data, run, recipe,
metrics, randomness and errors. Tasks and engines are strangers: they meet through ``head``, ``loss`` and NumPy batches.
"""

from __future__ import annotations

from homeground.data.readers import Table
from homeground.errors import DataError
from homeground.recipe import Recipe
from homeground.tasks.similarity import Similarity
from homeground.tasks.task import Task

TASKS: dict[str, type[Similarity]] = {"similarity": Similarity}


def choose_task(table: Table, recipe: Recipe) -> Task:
    """Return the task the recipe names, else the one whose columns the table has.

    Raises:
        DataError: the columns fit no task; the message says what each would need.
    """
    if recipe.task:
        return TASKS[recipe.task].for_table(table, recipe)
    problems: list[str] = []
    for kind in TASKS.values():
        try:
            return kind.for_table(table, recipe)
        except DataError as error:
            problems.append(str(error))
    raise DataError(problems[0])
