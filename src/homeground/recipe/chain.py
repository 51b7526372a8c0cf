"""The recipe of a chain: a few settings for all its steps, and a table of settings for each of the two.

checkpoint = "minilm"       settings of all steps are at the top
[domain]                    a recipe; its task is "mlm" unless it names another
[task]                      a recipe; it is run twice, from the result of the domain step and from the checkpoint
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, cast

from homeground.errors import HomegroundError, UsageError, nearest
from homeground.recipe.recipe import Recipe, make_recipe, read_toml, resolve_paths

STEPS = ("domain", "task")
"""The tables of a chain."""

SHARED = ("checkpoint", "revision", "engine", "seed")
"""The settings of a recipe that are the same for all steps of a chain."""

TOP_LEVEL = (*SHARED, "out", "keep_test_texts")
"""The settings at the top of a chain's file."""

TEST_TEXTS = "test_texts.jsonl"
"""In the chain's folder: the texts of the task's test split, which the domain step must not learn from."""


@dataclass(frozen=True)
class Chain:
    """The recipes of the runs; that of "adapted" is that of "plain" from another checkpoint."""

    folder: Path
    domain: Recipe
    plain: Recipe
    keep_test_texts: bool = False

    @property
    def adapted(self) -> Recipe:
        """The recipe of the task from the run of the domain step."""
        changes = {"checkpoint": str(self.folder / "domain"), "revision": None, "out": str(self.folder / "adapted")}
        return self.plain.model_copy(update=changes)

    @property
    def test_texts(self) -> Path | None:
        """The file of the texts that the domain step leaves out; None where there is no such file, or another one."""
        path = self.folder / TEST_TEXTS
        return path if self.domain.split.leave_out == str(path) else None


def is_chain(path: str | PathLike[str]) -> bool:
    """Return whether a file is the recipe of a chain."""
    if Path(path).suffix.lower() != ".toml":
        return False
    values = read_toml(path)
    return any(isinstance(values.get(step), dict) for step in STEPS)


def read_chain(path: str | PathLike[str], **settings: Any) -> Chain:
    """Return the chain of a TOML file overlaid with settings, e.g. ``{"out": "runs/x", "domain.training.epochs": 1}``.

    Raises:
        UsageError: a name is unknown or in the wrong place, or the settings of a step contradict each other.
    """
    values, home = read_toml(path), Path(path).parent
    for name in values:
        if name not in (*TOP_LEVEL, *STEPS):
            raise UsageError(f'{path}: "{name}" is not a setting of a chain; {nearest(name, (*TOP_LEVEL, *STEPS))}')
    for name in settings:
        if name not in TOP_LEVEL and not re.match(rf"({'|'.join(STEPS)})\..", name):
            raise UsageError(f"{path}: {name} of which step? write --set domain.{name}=… or --set task.{name}=…")
    top = resolve_paths({name: value for name, value in values.items() if name not in STEPS}, home)
    top |= {name: value for name, value in settings.items() if name in TOP_LEVEL}
    keep = _boolean(path, top.pop("keep_test_texts", False))
    tables = {step: _table(path, values, step) for step in STEPS}
    tables["domain"].setdefault("task", "mlm")
    folder = Path(top.pop("out", None) or _default_folder(tables["task"]))
    recipes: list[Recipe] = []
    for step, run in zip(STEPS, ("domain", "plain"), strict=True):
        flat = {name.removeprefix(f"{step}."): settings[name] for name in settings if name.startswith(f"{step}.")}
        with naming(step):
            for name in (*SHARED, "out"):
                if name in tables[step] or name in flat:
                    raise UsageError(f'"{name}" belongs at the top of the chain, once for all its steps')
            nested = resolve_paths(tables[step], home)
            recipes.append(make_recipe({**nested, **top, "out": str(folder / run)}, **flat))
            if recipes[-1].evaluation.seeds > 1:
                raise UsageError(
                    "--seeds is not available in a chain, which compares single training runs; leave it out"
                )
    domain, plain = recipes
    if not keep and domain.split.leave_out is None:
        split = domain.split.model_copy(update={"leave_out": str(folder / TEST_TEXTS)})
        domain = domain.model_copy(update={"split": split})
    return Chain(folder, domain, plain, keep)


@contextlib.contextmanager
def naming(step: str) -> Generator[None]:
    """Put the step in which an error occurred at the start of its message."""
    try:
        yield
    except HomegroundError as error:
        error.args = (f"[{step}] {error}", *error.args[1:])
        raise


def _boolean(path: str | PathLike[str], value: object) -> bool:
    boolean = {"true": True, "false": False}.get(str(value).lower())
    if boolean is None:
        raise UsageError(f"{path}: keep_test_texts is {value!r}; expected true or false")
    return boolean


def _table(path: str | PathLike[str], values: Mapping[str, Any], step: str) -> dict[str, Any]:
    table = values.get(step)
    if not isinstance(table, dict):
        raise UsageError(f"{path}: [{step}] is missing; a chain needs [domain], for plain text, and [task]")
    return dict(cast(dict[str, Any], table))


def _default_folder(task: Mapping[str, Any]) -> Path:
    name = Path(str(task.get("data", ""))).name.split(".")[0]
    stem = re.sub(r"[^\w-]+", "-", name).strip("-")
    return Path("runs") / f"{stem or 'data'}-chain"
