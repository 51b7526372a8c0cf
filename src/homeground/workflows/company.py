"""Several processes that learn together: those that are asked for, or that a launcher has started."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib.metadata import version

from homeground.engines import open_engine
from homeground.errors import UsageError
from homeground.recipe.recipe import Recipe
from homeground.wording import count

LAUNCHED_WITH = ("RANK", "MASTER_ADDR", "MASTER_PORT")
"""What a launcher sets beside WORLD_SIZE."""

HIGHEST_PORT = 65535


def in_company(recipe: Recipe, processes: int) -> tuple[Recipe, AbstractContextManager[None]]:
    """Return the recipe for so many processes, and the context in which they work together.

    Where the recipe does not say into how many slices a batch is cut, there is one for each process.

    Raises:
        UsageError: the number of processes and the recipe contradict each other.
    """
    (recipe,), company = all_in_company([recipe], processes)
    return recipe, company


def all_in_company(recipes: Sequence[Recipe], processes: int) -> tuple[list[Recipe], AbstractContextManager[None]]:
    """Return the recipes of several runs for so many processes, and the context of all of them.

    Raises:
        UsageError: they cut their batches into other numbers of slices, have other threads, or as for one recipe.
    """
    launched = _launched()
    if launched > 1 < processes:
        raise UsageError(f"--processes {processes}: a launcher has started {launched} processes already; leave it out")
    size, named = max(launched, processes), "WORLD_SIZE" if launched > 1 else "--processes"
    recipes = [_with_slices(recipe, size, named) for recipe in recipes]
    first = recipes[0].training
    for name in ("slices", "threads"):
        if len({getattr(recipe.training, name) for recipe in recipes}) > 1:
            raise UsageError(f"the steps have other --{name}; give all of them one number, or none")
    if processes == size == first.slices == 1 and first.threads is None:
        return recipes, contextlib.nullcontext()
    texts = [recipe.model_copy(update={"out": None}).to_toml() for recipe in recipes]
    started_with = "\n".join([version("homeground"), version("torch"), *texts])
    fingerprint = hashlib.sha256(started_with.encode()).hexdigest()
    engine = open_engine(recipes[0].engine)
    return recipes, engine.lead(size, slices=first.slices, threads=first.threads, fingerprint=fingerprint)


def _launched() -> int:
    """Return how many processes a launcher has started, 1 where there is none.

    Raises:
        UsageError: a variable that it sets is missing or is none.
    """
    launched = _whole_number("WORLD_SIZE", 1) if os.environ.get("WORLD_SIZE") else 1
    if launched == 1:
        return 1
    if missing := [name for name in LAUNCHED_WITH if name not in os.environ]:
        raise UsageError(
            f"WORLD_SIZE is {launched}, but {' and '.join(missing)} not set; let a launcher such as torchrun set all "
            f"of {', '.join(LAUNCHED_WITH)}, or unset WORLD_SIZE"
        )
    _whole_number("RANK", 0, launched - 1)
    _whole_number("MASTER_PORT", 1, HIGHEST_PORT)
    if "LOCAL_RANK" in os.environ:
        _whole_number("LOCAL_RANK", 0)
    return launched


def _whole_number(name: str, lowest: int, highest: int | None = None) -> int:
    """Return the number in a variable of the environment."""
    value = os.environ[name]
    if value.isascii() and value.isdecimal() and lowest <= int(value) and (highest is None or int(value) <= highest):
        return int(value)
    expected = f"from {lowest} to {highest}" if highest is not None else f"of {lowest} or more"
    raise UsageError(f'{name} is "{value}"; expected a number {expected}, as a launcher such as torchrun sets it')


def _with_slices(recipe: Recipe, size: int, named: str) -> Recipe:
    """Return a recipe with the slices of so many processes; ``named`` is what their number comes from."""
    if size > 1 and recipe.engine == "keras":
        raise UsageError(f"{named} {size}: several processes learn together with PyTorch only")
    if size > 1 and "slices" not in recipe.training.model_fields_set:
        recipe = recipe.with_training(slices=size)
    _refuse_odd_numbers(size, recipe.training.slices, named)
    return recipe


def _refuse_odd_numbers(size: int, slices: int, named: str) -> None:
    if size < 1 or size & (size - 1):
        raise UsageError(f"{named} {size}: expected a power of two: 1, 2, 4, 8 …")
    if slices % size:
        raise UsageError(
            f"{named} {size}: the batch is cut into {count(slices, 'slice')} (--slices), which so many processes "
            f"cannot share; expected {slices}, or fewer"
        )
