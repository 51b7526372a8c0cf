"""What the tests of all tasks share."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests import checkpoints


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random BERT with its head for masked words, which no test changes."""
    return checkpoints.bert(tmp_path_factory.mktemp("bert") / "tiny")
