"""``homeground convert FOLDER``: pickled weights, or those of TensorFlow, become model.safetensors, once.

This is the only place where a pickle is read: by torch.load with ``weights_only``, which builds nothing but tensors
and plain containers, and in a process of its own, so that whatever a hostile file does to it ends with it. The child
imports torch; the command that starts it does not.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from homeground.engines import h5_weights
from homeground.errors import CheckpointError
from homeground.storage import sync_file, sync_folder

if TYPE_CHECKING:
    from torch import Tensor

H5_NAME = "tf_model.h5"
"""What transformers 4 called the weights that it wrote with TensorFlow."""

READ = (".bin", ".pt", ".pth", ".ckpt", H5_NAME)
SHARD = re.compile(r"pytorch_model-\d+-of-\d+\.bin")
OTHER_STATE = ("training_args", "optimizer", "scheduler", "rng_state", "scaler")
"""How the names of pickles begin that trainers leave beside the weights and that hold none."""


def convert_weights(folder: Path) -> Path:
    """Write model.safetensors beside the pickled weights of a checkpoint, or tf_model.h5, and return its path.

    The folders of sentence-transformers modules (``2_Dense``) are converted too. What is already safetensors is left
    alone. Raises CheckpointError where there is nothing to convert, or a file holds anything but named tensors.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such folder; name the one that holds config.json and the weights")
    folders = [folder, *sorted(folder.glob("[0-9]_*/"))]
    pickles = {place: _pickles(place) for place in folders if not _has_safetensors(place)}
    work = {place: sources for place, sources in pickles.items() if sources}
    if not work and (folder / H5_NAME).is_file() and not _has_safetensors(folder):
        work = {folder: [folder / H5_NAME]}
    if not work:
        state = "has model.safetensors already" if _has_safetensors(folder) else f"holds no {', '.join(READ)}"
        raise CheckpointError(f"{folder}: nothing to convert, the folder {state}")
    for place, sources in work.items():
        _convert(sources, place / "model.safetensors")
    return next(iter(work)) / "model.safetensors"


def _has_safetensors(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("model.safetensors", "model.safetensors.index.json"))


def _pickles(folder: Path) -> list[Path]:
    """Return the files that together hold the weights: pytorch_model.bin, its shards, or the only pickle there is."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth", ".ckpt"))
    files = [path for path in files if not path.name.startswith(OTHER_STATE)]
    whole = [path for path in files if path.name == "pytorch_model.bin"]
    candidates = whole or [path for path in files if SHARD.fullmatch(path.name)] or files
    if len(candidates) > 1 and not SHARD.fullmatch(candidates[0].name):
        names = ", ".join(path.name for path in candidates)
        raise CheckpointError(f"{folder}: {names} could each be the weights; keep one of them and convert again")
    return candidates


def _convert(sources: list[Path], target: Path) -> None:
    """Let a process of its own write the tensors of ``sources`` under a temporary name, then move them into place."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    # -P keeps a torch.py in the current folder from standing in for the library; the file is run by its path because
    # naming it as a module would import the whole engine, transformers included, around a hostile pickle
    script = h5_weights.__file__ if sources[0].name == H5_NAME else __file__
    command = [sys.executable, "-P", script, str(temporary), *map(str, sources)]
    try:
        child = subprocess.run(command, capture_output=True, text=True, check=False)
        if child.returncode != 0:
            raise CheckpointError(f"{sources[0]}: {_reason(child)}; nothing was written")
        sync_file(temporary)
        if target.exists():
            raise CheckpointError(f"{target} appeared meanwhile; it is left as it is")
        temporary.replace(target)
        sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _reason(child: subprocess.CompletedProcess[str]) -> str:
    """Return the error message of the child, in one line, or the signal that ended it."""
    if child.returncode < 0:
        return f"the process that read it was ended by signal {-child.returncode} (the file or its size)"
    lines = child.stderr.strip().splitlines()
    return lines[-1] if lines else f"the process that read it ended with code {child.returncode}"


def _main(target: Path, sources: list[Path]) -> None:
    """Read pickles and write one safetensors file: what runs in the child; its last line is the error message."""
    from safetensors.torch import save_file

    tensors: dict[str, Tensor] = {}
    for source in sources:
        tensors.update(_tensors(source))
    save_file(tensors, str(target), metadata={"format": "pt"})


def _tensors(source: Path) -> dict[str, Tensor]:
    """Return the named tensors of one pickle, each with storage of its own, for safetensors keeps none shared."""
    import torch

    try:
        loaded: object = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:
        sys.exit(f"torch could not read it as weights alone ({type(error).__name__}); it may hold code or be damaged")
    if not isinstance(loaded, dict):
        sys.exit(f"it holds one {type(loaded).__name__}; expected tensors by name")
    entries = cast(dict[object, object], loaded)
    tensors: dict[str, Tensor] = {}
    for name, value in entries.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            sys.exit(f'it holds "{name}", a {type(value).__name__}; expected tensors by name and nothing else')
        tensors[name] = value.detach().clone().contiguous()
    return tensors


if __name__ == "__main__":
    _main(Path(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]])
