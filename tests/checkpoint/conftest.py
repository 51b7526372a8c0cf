"""Tiny checkpoints in every layout, and what the tests of this room do to them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests import checkpoints

SOURCE = Path(__file__).parents[2] / "src"
AUTO_MAP = {"AutoModel": "evil.Evil"}


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny checkpoints, built once and copied by the tests that change them."""
    home = tmp_path_factory.mktemp("built")
    checkpoints.bert(home / "bert")
    checkpoints.bert(home / "bert-cased", lower_case=False)
    checkpoints.distilbert(home / "distilbert")
    checkpoints.roberta(home / "roberta")
    checkpoints.sentence_encoder(home / "encoder", dense=True)
    return home


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    """A copy of the sentence encoder, to be spoilt."""
    return Path(shutil.copytree(built / "encoder", tmp_path / "encoder"))


def change(path: Path, **settings: object) -> None:
    """Set some settings of a JSON file, which may not be there yet."""
    old = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(old | settings))


def python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program as a user's own process would."""
    variables = {**os.environ, "PYTHONPATH": str(SOURCE), **environment}
    return subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=False)


def module(place: Path, position: int = 1, **settings: object) -> None:
    modules = json.loads((place / "modules.json").read_text())
    modules[position] |= settings
    (place / "modules.json").write_text(json.dumps(modules))
