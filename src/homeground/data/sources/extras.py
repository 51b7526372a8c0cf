"""Libraries that only some formats need: each is imported when it is, and its absence told with the command."""

from __future__ import annotations

import importlib
from typing import Any

from homeground.errors import DataError


def library(path: str, kind: str, module: str, *, extra: str) -> Any:
    """Return an optional library, which reads the file at ``path``, of a ``kind`` in words.

    Raises:
        DataError: it is not installed; the message has the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        name = module.split(".")[0]
        command = f"pip install 'homeground[{extra}]'"
        raise DataError.at(path, f"is {kind}, which {name} reads and is not installed; install it: {command}") from None
