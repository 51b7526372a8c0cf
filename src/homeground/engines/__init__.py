"""How it is computed: one folder for each engine, the same protocols for all.

May import checkpoint, data, recipe and the files at the root. The framework of an engine is imported only inside its
folder, and only when that engine is opened. Tasks and engines do not know each other: they share names of heads and
losses, and batches of NumPy arrays.
"""

from __future__ import annotations

import importlib
from typing import cast

from homeground.checkpoint import Checkpoint
from homeground.engines.model import Engine

ENGINES = {"torch": "homeground.engines.torch", "keras": "homeground.engines.keras"}


def engine_for(checkpoint: Checkpoint, name: str) -> str:
    """Return the engine that measures a checkpoint: the one named, but for a SavedModel, which only keras computes."""
    return "keras" if checkpoint.is_saved_model else name


def open_engine(name: str) -> Engine:
    """Return an engine by its name; its framework is imported here."""
    return cast(Engine, importlib.import_module(ENGINES[name]))
