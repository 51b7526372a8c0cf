"""How it is computed: one folder for each engine, the same protocols for all.

May import checkpoint, data, recipe and the files at the root. The framework of an engine is imported only inside its
folder, and only when that engine is opened. Tasks and engines do not know each other: they share names of heads and
losses, and batches of NumPy arrays.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import cast

from homeground.checkpoint import Checkpoint
from homeground.engines.model import Engine, Exporter
from homeground.errors import UsageError

ENGINES = {"torch": "homeground.engines.torch", "keras": "homeground.engines.keras"}
"""The engines that train."""

PREDICTING_ENGINES = {"exported": "homeground.engines.exported"}
"""The engines that predict alone."""

EXPORTERS = {"torch": "homeground.engines.torch.exporting"}
"""The engines whose models can be written for other runtimes."""


def engine_for(checkpoint: Checkpoint, name: str) -> str:
    """Return the engine that measures a checkpoint: the one named, but for what only one engine computes.

    That is a SavedModel, and an exported model.
    """
    if checkpoint.exported:
        return "exported"
    return "keras" if checkpoint.is_saved_model else name


def is_installed(name: str) -> bool:
    """Tell whether a framework can be imported, without importing it."""
    try:
        return sys.modules.get(name) is not None or importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def open_engine(name: str) -> Engine:
    """Return an engine by its name; its framework is imported here."""
    try:
        return cast(Engine, importlib.import_module({**ENGINES, **PREDICTING_ENGINES}[name]))
    except ModuleNotFoundError as error:
        # Without torch Homeground still predicts, with exported models.
        if error.name not in ("torch", "transformers"):
            raise
        raise UsageError(
            f"{error.name} is not installed, which this needs; install it with: pip install {error.name}. Without it, "
            "predict with an exported model of a run (homeground export RUN, where it is installed)"
        ) from None


def open_exporter(name: str) -> Exporter:
    """Return what writes the models of an engine for other runtimes."""
    open_engine(name)
    return cast(Exporter, importlib.import_module(EXPORTERS[name]))
