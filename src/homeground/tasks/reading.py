"""The data that a recipe names, read: its table, how the table is read, and its examples in splits."""

from __future__ import annotations

from dataclasses import dataclass, replace

from homeground.data.corpus import Corpus, read_corpus, read_file, with_splits_of_folder
from homeground.data.streams import require_source
from homeground.data.tables import Table
from homeground.recipe.recipe import Recipe, names_benchmark
from homeground.tasks import choose_task
from homeground.tasks.task import TaskSpec


@dataclass(frozen=True)
class ReadTable:
    """The file of a recipe and how it is read; ``recipe`` has the defaults of its task."""

    recipe: Recipe
    table: Table
    spec: TaskSpec

    def corpus(self) -> Corpus:
        """Return its examples in splits, with those of the other files that the recipe names.

        Raises:
            DataError: a file cannot be read as asked, or there are too few examples for what is wanted.
        """
        return read_corpus(self.table, self.recipe, self.spec.read, columns=self.spec.info.columns)


def read_table(recipe: Recipe) -> ReadTable:
    """Read the file of a recipe and choose its task; that the other files are there is checked before.

    Raises:
        DataError: a file is missing, cannot be read, or its columns fit no task.
        UsageError: the settings do not fit the file.
    """
    recipe, notes = with_splits_of_folder(recipe)
    _refuse_missing_files(recipe)
    table = read_file(recipe.data, recipe)
    table = replace(table, notes=(*notes, *table.notes))
    spec = choose_task(table, recipe)
    return ReadTable(recipe.for_task(spec.info.name, spec.info.defaults), table, spec)


def _refuse_missing_files(recipe: Recipe) -> None:
    split, evaluation = recipe.split, recipe.evaluation
    files = (split.validation, split.test, split.leave_out, evaluation.general, evaluation.keep_general)
    for path in (*files, recipe.annotation.unlabelled):
        if isinstance(path, str) and not names_benchmark(path):
            require_source(path)
