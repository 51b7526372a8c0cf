"""What is collected: the keras engine only where TensorFlow is, in `make test-keras`."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

HAS_TENSORFLOW = importlib.util.find_spec("tensorflow") is not None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the modules and the tests of the keras engine where TensorFlow is not installed."""
    return True if collection_path.name == "keras" and not HAS_TENSORFLOW else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out the conformance tests on an engine that is not installed."""
    if not HAS_TENSORFLOW:
        items[:] = [item for item in items if "test_conformance" not in item.nodeid or "keras" not in item.nodeid]
