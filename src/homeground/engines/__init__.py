"""How it is computed: one room an engine, the same protocol for each.

May import recipe, run, data, checkpoint and below; an engine's framework is imported only inside its own room, and only
when that engine is opened. Tasks and engines are strangers: they meet through a head, a loss and NumPy batches.
"""

from __future__ import annotations

import importlib
from typing import cast

from homeground.engines.model import Engine

ENGINES = {"torch": "homeground.engines.torch"}


def open_engine(name: str) -> Engine:
    """Return the engine of that name; this is where its framework is imported."""
    return cast(Engine, importlib.import_module(ENGINES[name]))
