"""What is collected: the keras engine only where TensorFlow is, in `make test-keras`, Ray only in `make test-ray`."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

HAS_TENSORFLOW = importlib.util.find_spec("tensorflow") is not None
HAS_RAY = importlib.util.find_spec("ray") is not None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the modules and the tests of what is not installed: TensorFlow, or Ray."""
    installed = {"keras": HAS_TENSORFLOW, "ray": HAS_RAY}
    return None if installed.get(collection_path.name, True) else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out the conformance tests on an engine that is not installed."""
    if not HAS_TENSORFLOW:
        items[:] = [item for item in items if "test_conformance" not in item.nodeid or "keras" not in item.nodeid]
