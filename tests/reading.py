"""Files read as those of a user are: the task they hold, and its examples."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from homeground.data.corpus import read_file
from homeground.data.examples import Examples
from homeground.data.tables import Table
from homeground.recipe.recipe import make_recipe
from homeground.tasks import choose_task


def write_lines(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    """Write rows as JSON Lines and return the path."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def open_task(path: Path, **settings: Any) -> tuple[Any, Table]:
    """Return the spec that follows from a file and a recipe with these settings, and the table of the file."""
    recipe = make_recipe({}, data=str(path), **settings)
    table = read_file(str(path), recipe)
    return choose_task(table, recipe), table


def spec_of(path: Path, **settings: Any) -> Any:
    """Return the spec alone."""
    return open_task(path, **settings)[0]


def read(path: Path, **settings: Any) -> Examples:
    """Return the examples of a file."""
    spec, table = open_task(path, **settings)
    return spec.read(table)
