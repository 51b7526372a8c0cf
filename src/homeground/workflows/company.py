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


def in_company(recipe: Recipe, processes: int) -> tuple[Recipe, AbstractContextManager[None]]:
    """Return the recipe for so many processes, and the context in which they work together.

    Where the recipe does not say into how many slices a batch is cut, there is one for each process.

    Raises:
        UsageError: the number of processes and the recipe contradict each other.
    """
    try:
        launched = int(os.environ.get("WORLD_SIZE") or 1)
    except ValueError:
        raise UsageError(f'WORLD_SIZE is "{os.environ["WORLD_SIZE"]}"; expected the number of processes') from None
    if launched > 1 and (missing := [name for name in LAUNCHED_WITH if name not in os.environ]):
        raise UsageError(
            f"WORLD_SIZE is {launched}, but {' and '.join(missing)} not set; let a launcher such as torchrun set all "
            f"of {', '.join(LAUNCHED_WITH)}, or unset WORLD_SIZE"
        )
    if launched > 1 < processes:
        raise UsageError(f"--processes {processes}: a launcher has started {launched} processes already; leave it out")
    size = max(launched, processes)
    if size > 1 and recipe.engine == "keras":
        raise UsageError(f"--processes {size}: several processes learn together with PyTorch only")
    if size > 1 and "slices" not in recipe.training.model_fields_set:
        recipe = recipe.with_training(slices=size)
    _refuse_odd_numbers(size, recipe.training.slices)
    training = recipe.training
    if processes == size == training.slices == 1 and training.threads is None:
        return recipe, contextlib.nullcontext()
    told = f"{version('homeground')} {version('torch')}\n{recipe.model_copy(update={'out': None}).to_toml()}"
    fingerprint = hashlib.sha256(told.encode()).hexdigest()
    engine = open_engine(recipe.engine)
    return recipe, engine.lead(size, slices=training.slices, threads=training.threads, fingerprint=fingerprint)


def all_in_company(recipes: Sequence[Recipe], processes: int) -> tuple[list[Recipe], AbstractContextManager[None]]:
    """Return the recipes of several runs for so many processes, and the context of all of them.

    Raises:
        UsageError: they cut their batches into other numbers of slices, or as for one recipe.
    """
    each = [in_company(recipe, processes) for recipe in recipes]
    cut = {recipe.training.slices for recipe, _ in each}
    if len(cut) > 1:
        raise UsageError(
            f"the steps cut their batches into {' and '.join(map(str, sorted(cut)))} slices; give one number"
        )
    return [recipe for recipe, _ in each], each[0][1]


def _refuse_odd_numbers(size: int, slices: int) -> None:
    if size < 1 or size & (size - 1):
        raise UsageError(f"--processes {size}: expected a power of two: 1, 2, 4, 8 …")
    if slices % size:
        raise UsageError(
            f"--processes {size}: the batch is cut into {count(slices, 'slice')} (--slices), which so many processes "
            f"cannot share; expected {slices}, or fewer"
        )
