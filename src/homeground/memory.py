"""What running out of memory looks like, whoever says it, and work in halves where the whole did not fit."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from homeground.errors import OutOfMemory

Result = TypeVar("Result")

_NAMES = ("OutOfMemoryError", "ResourceExhaustedError", "MemoryError", "_ArrayMemoryError")
"""The exceptions of PyTorch on a GPU, of TensorFlow, of Python and of NumPy."""

_PHRASES = re.compile("(can't|cannot) allocate memory|out of memory|not enough memory|bad_alloc", re.IGNORECASE)
"""What PyTorch and its kernels say on a CPU, as a RuntimeError."""


def is_memory_error(error: BaseException) -> bool:
    """Return whether an error says that memory ran out.

    >>> is_memory_error(MemoryError()), is_memory_error(RuntimeError("shapes do not match"))
    (True, False)
    """
    if type(error).__name__ in _NAMES:
        return True
    return isinstance(error, RuntimeError) and _PHRASES.search(str(error)) is not None


def out_of_memory() -> OutOfMemory:
    """Return the error for work that does not fit even one by one."""
    return OutOfMemory("out of memory; use a smaller --max-length or a smaller checkpoint, or close other programs")


@contextlib.contextmanager
def in_one_go() -> Generator[None]:
    """Let work that changes something as it goes, and so cannot be done once more, end where memory runs out.

    Raises:
        OutOfMemory: it did.
    """
    try:
        yield
    except Exception as error:
        if is_memory_error(error):
            raise out_of_memory() from error
        raise


def in_slices_that_fit(
    compute: Callable[[int | None], Result], size: int | None, *, at_first: int
) -> tuple[Result, int | None]:
    """Return what ``compute`` gives for a size of slices, halved as often as memory runs out, and that size.

    Without ``size`` it begins with its own, which is ``at_first``.

    Raises:
        OutOfMemory: not even slices of one item fit.
    """
    while True:
        try:
            return compute(size), size
        except Exception as error:
            if not is_memory_error(error):
                raise
            tried = min(size or at_first, at_first)
            if tried == 1:
                raise out_of_memory() from error
            size = tried // 2


def in_parts(items: NDArray[Any], compute: Callable[[NDArray[Any]], Result]) -> list[tuple[NDArray[Any], Result]]:
    """Return what is computed for items, at once where memory allows it, else half by half, each with its items.

    Raises:
        OutOfMemory: not even one item fits.
    """
    try:
        return [(items, compute(items))]
    except Exception as error:
        if not is_memory_error(error):
            raise
        if len(items) == 1:
            raise out_of_memory() from error
    return [part for half in np.array_split(items, 2) for part in in_parts(half, compute)]
