"""Named tensors of a safetensors file as NumPy arrays in float32, whatever floating type they are stored in."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize

from homeground.checkpoint import Checkpoint
from homeground.errors import CheckpointError

FLOATS = {"F16": np.dtype("<f2"), "F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
BFLOAT16_BITS = 16
"""bfloat16, which NumPy lacks, is the first half of a float32."""


def read_tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return the floating tensors of a file by name; whole numbers, such as counted positions, are left out."""
    tensors: dict[str, NDArray[np.float32]] = {}
    for name, entry in cast(list[tuple[str, dict[str, Any]]], deserialize(path.read_bytes())):
        kind, data, shape = str(entry["dtype"]), entry["data"], entry["shape"]
        if kind == "BF16":
            halves = np.frombuffer(data, np.dtype("<u2")).astype(np.uint32)
            tensors[name] = (halves << BFLOAT16_BITS).view(np.float32).reshape(shape)
        elif kind in FLOATS:
            tensors[name] = np.frombuffer(data, FLOATS[kind]).reshape(shape).astype(np.float32)
    return tensors


def refuse_not_finite(checkpoint: Checkpoint, weights: Iterable[tuple[str, NDArray[np.floating]]]) -> None:
    """Refuse weights that are no numbers: everything computed with them would be none either.

    Raises:
        CheckpointError: a weight is NaN or infinite; the message names the tensor.
    """
    for name, values in weights:
        if not np.isfinite(values).all():
            count = int(np.count_nonzero(~np.isfinite(values)))
            raise CheckpointError(
                f'"{checkpoint.name}": {count} of {values.size} weights in {name} are NaN or infinite; take the '
                "checkpoint from before its training failed, or download it again"
            )


@contextlib.contextmanager
def failures_as_os_errors() -> Generator[None]:
    """Turn the error of safetensors' own kind, e.g. for a full disk, into the OSError it stands for."""
    try:
        yield
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else 0, str(error)) from error
