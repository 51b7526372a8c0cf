"""Homeground adapts a pretrained language model to your domain and proves whether it helped.

import homeground

run = homeground.adapt("pairs.csv", checkpoint="minilm")
print(run.verdict)
model = homeground.load(run)
model.similarity(["data scientist"], ["statistician"])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from homeground.adapt import adapt
    from homeground.errors import HomegroundError
    from homeground.predict import Encoder, load
    from homeground.run import Run

__all__ = ["Encoder", "HomegroundError", "Run", "adapt", "load"]

_HOMES = {
    "Encoder": "homeground.predict",
    "HomegroundError": "homeground.errors",
    "Run": "homeground.run",
    "adapt": "homeground.adapt",
    "load": "homeground.predict",
}


def __getattr__(name: str) -> Any:
    # Public names come on first use: importing the package imports neither torch nor anything else that takes seconds.
    if name not in _HOMES:
        raise AttributeError(f"module 'homeground' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
