"""The recipe of a chain: a few settings for all its steps, and a table of settings for each of the two.

checkpoint = "minilm"       what all steps share stands at the top
[domain]                    a recipe whose task is "mlm" unless it says otherwise
[task]                      a recipe; it is followed twice, with the domain step before it and without
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from homeground.errors import HomegroundError, UsageError, nearest
from homeground.recipe.recipe import Recipe, make_recipe, placed, read_toml

STEPS = ("domain", "task")
"""The tables of a chain."""

SHARED = ("checkpoint", "revision", "engine", "seed")
"""Settings of a recipe that a chain says once."""

OWN = (*SHARED, "out", "keep_test_texts")
"""What stands at the top of a chain's file."""

TEST_TEXTS = "test_texts.jsonl"
"""In the chain's folder: the texts of the task's test split, which the domain step must not learn from."""


@dataclass(frozen=True)
class Chain:
    """The recipes of the runs; that of "adapted" is that of "plain" from another checkpoint."""

    folder: Path
    domain: Recipe
    plain: Recipe

    @property
    def adapted(self) -> Recipe:
        """The recipe of the task from the run of the domain step."""
        changed = {"checkpoint": str(self.folder / "domain"), "revision": None, "out": str(self.folder / "adapted")}
        return self.plain.model_copy(update=changed)

    @property
    def test_texts(self) -> Path | None:
        """Where the texts are written that the domain step leaves out; None where it leaves out none, or others."""
        path = self.folder / TEST_TEXTS
        return path if self.domain.split.leave_out == str(path) else None


def is_chain(path: str | Path) -> bool:
    """Tell whether a file is the recipe of a chain."""
    if Path(path).suffix.lower() != ".toml":
        return False
    values = read_toml(path)
    return any(isinstance(values.get(step), dict) for step in STEPS)


def read_chain(path: str | Path, **settings: Any) -> Chain:
    """Return the chain of a TOML file overlaid by settings, e.g. ``{"out": "runs/x", "domain.training.epochs": 1}``.

    Raises:
        UsageError: a name is unknown or in the wrong place, or a step's settings contradict each other.
    """
    values = read_toml(path)
    for name in values:
        if name not in (*OWN, *STEPS):
            raise UsageError(f'{path}: "{name}" is not for a chain; {nearest(name, (*OWN, *STEPS))}')
    own, flat = _sorted(path, settings)
    own = placed({name: values[name] for name in OWN if name in values}, Path(path).parent) | own
    keep = _truth(path, own.pop("keep_test_texts", False))
    tables = {step: _table(path, values, step) for step in STEPS}
    tables["domain"].setdefault("task", "mlm")
    folder = Path(own.pop("out", None) or _usual_folder(tables["task"]))
    recipes: list[Recipe] = []
    for step, run in zip(STEPS, ("domain", "plain"), strict=True):
        with naming(step):
            _refuse_shared(tables[step], flat[step])
            nested = placed(tables[step], Path(path).parent)
            recipes.append(make_recipe({**nested, **own, "out": str(folder / run)}, **flat[step]))
            if recipes[-1].evaluation.seeds > 1:
                raise UsageError("--seeds is not for a chain: what it compares are single trainings; leave it out")
    domain, plain = recipes
    if not keep and domain.split.leave_out is None:
        split = domain.split.model_copy(update={"leave_out": str(folder / TEST_TEXTS)})
        domain = domain.model_copy(update={"split": split})
    return Chain(folder, domain, plain)


@contextlib.contextmanager
def naming(step: str) -> Generator[None]:
    """Let an error begin with the step it befell."""
    try:
        yield
    except HomegroundError as error:
        error.args = (f"[{step}] {error}", *error.args[1:])
        raise


def _sorted(path: str | Path, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the settings of the chain itself and, by step, those of the steps."""
    own: dict[str, Any] = {}
    flat: dict[str, dict[str, Any]] = {step: {} for step in STEPS}
    for name, value in settings.items():
        step, _, rest = name.partition(".")
        if name in OWN:
            own[name] = value
        elif step in flat and rest:
            flat[step][rest] = value
        else:
            raise UsageError(f"{path}: which step is {name} for? name it with --set domain.{name}=… or task.{name}=…")
    return own, flat


def _truth(path: str | Path, value: object) -> bool:
    known = {"true": True, "false": False}.get(str(value).lower())
    if known is None:
        raise UsageError(f"{path}: keep_test_texts is {value!r}; expected true or false")
    return known


def _table(path: str | Path, values: Mapping[str, Any], step: str) -> dict[str, Any]:
    table = values.get(step)
    if not isinstance(table, dict):
        raise UsageError(f"{path}: [{step}] is missing; a chain has [domain], with plain text, and [task]")
    return dict(cast(dict[str, Any], table))


def _usual_folder(task: Mapping[str, Any]) -> Path:
    name = Path(str(task.get("data", ""))).name.split(".")[0]
    stem = re.sub(r"[^\w-]+", "-", name).strip("-")
    return Path("runs") / f"{stem or 'data'}-chain"


def _refuse_shared(table: Mapping[str, Any], flat: Mapping[str, Any]) -> None:
    """Refuse in a step what is the same for all of them."""
    for name in (*SHARED, "out"):
        if name in table or name in flat:
            raise UsageError(f'"{name}" stands at the top of a chain, once for all its steps')
