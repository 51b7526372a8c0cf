"""What is learned: one folder a task, and the table of all of them.

A task says which columns are read, how text becomes a batch and what is measured. Tasks and engines are strangers: they
meet through names of heads and losses, and NumPy batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from homeground.data.columns import quoted, quoted_columns
from homeground.data.tables import Table
from homeground.errors import AmbiguousColumns, BrokenAnnotations, ColumnsMissing, DataError, UsageError, nearest
from homeground.tasks.classification import CLASSIFICATION
from homeground.tasks.mlm import MASKED_LM
from homeground.tasks.similarity import SIMILARITY
from homeground.tasks.similarity.spec import scored_pairs_spec
from homeground.tasks.task import TaskSpec, TaskType
from homeground.tasks.token_classification import TOKEN_CLASSIFICATION

if TYPE_CHECKING:
    from homeground.recipe.recipe import Recipe

__all__ = ["TASKS", "choose_task", "scored_pairs_spec", "unread_settings"]

TASKS: dict[str, TaskType] = {
    "similarity": SIMILARITY,
    "classification": CLASSIFICATION,
    "mlm": MASKED_LM,
    "token-classification": TOKEN_CLASSIFICATION,
}
"""In the order in which they are tried where nobody names one, after those that go by what the columns hold."""


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
        AmbiguousColumns: the columns may be read in more than one way.
        BrokenAnnotations: the table holds tags or spans that cannot be read.
        DataError: the columns fit no task; the message lists them and says what each task needs, and why none fits.
    """
    if recipe.task is not None and recipe.task not in TASKS:
        raise UsageError(f"--task (recipe: task): got {recipe.task!r}; {nearest(recipe.task, list(TASKS))}")
    named = [task for task, kind in TASKS.items() if any(getattr(recipe.columns, name) for name in kind.naming_columns)]
    if recipe.task or len(named) == 1:
        task = recipe.task or named[0]
        for other, kind in TASKS.items():
            if table.format in kind.formats and other != task:
                raise UsageError(f"{table.path} is a file of format {table.format}, which only --task {other} reads")
        return TASKS[task].for_table(table, recipe)
    problems: dict[str, DataError] = {}
    for task, kind in sorted(TASKS.items(), key=lambda each: not each[1].tells_by_values):
        if recipe.columns.text and not kind.reads_texts:
            continue
        try:
            return kind.for_table(table, recipe)
        except (AmbiguousColumns, BrokenAnnotations):
            raise
        except DataError as error:
            problems[task] = error
    raise _no_task(table, problems)


def _no_task(table: Table, problems: Mapping[str, DataError]) -> DataError:
    """Return the error for columns that fit no task: what each needs, and what about the columns comes near to it."""
    problems = {task: problems[task] for task in TASKS if task in problems}
    first = next(iter(problems.values()))
    if len(table.columns) == 1 or len({f"{problem}" for problem in problems.values()}) == 1:
        return first
    needs: list[str] = []
    for task, problem in problems.items():
        hint = problem.hint if isinstance(problem, ColumnsMissing) else f"{problem}".removeprefix(f"{table.path}: ")
        needs.append(f"{task}: {TASKS[task].needs}" + (f" ({hint})" if hint else ""))
    row = next(iter(table.rows)).values
    lists = [name for name in table.columns if isinstance(row[name], list | dict)]
    nested = f"; {quoted(lists)} hold lists or objects: write one text, with its label, a row" if lists else ""
    return DataError.at(
        table.path, f"the columns {quoted_columns(table)} fit no task; name what it needs: {'; '.join(needs)}{nested}"
    )
