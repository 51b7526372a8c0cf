"""Every command and every line of Python in docs/keras.md runs as it stands there, on small data and tiny models."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import checkpoints, saved_models
from tests.engines import test_h5_weights

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "docs" / "keras.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(console|python)\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the guide names: headlines, pairs, a SavedModel, a DistilBERT and an old TFDistilBert."""
    pytest.importorskip("tensorflow")
    folder = tmp_path_factory.mktemp("guide")
    headlines = (ROOT / "examples" / "headlines.csv").read_text(encoding="utf-8").splitlines()
    (folder / "headlines.csv").write_text("\n".join(headlines) + "\n", encoding="utf-8")
    words = ["data", "scientist", "engineer", "nurse", "teacher", "doctor", "lawyer", "baker", "judge", "driver"]
    random = np.random.default_rng(0)
    rows = [(*random.choice(words, 2), *random.choice(words, 2)) for _ in range(120)]
    lines = [f"{a} {b} {n},{c} {d} {n + 1},{len({a, b} & {c, d}) / 2}" for n, (a, b, c, d) in enumerate(rows)]
    (folder / "pairs.csv").write_text("\n".join(["base,ref,similarity", *lines]) + "\n", encoding="utf-8")
    saved_models.hashing(folder / "universal-sentence-encoder")
    checkpoints.distilbert(folder / "distilbert-base-uncased", max_length=128)
    test_h5_weights.write_h5(test_h5_weights.classifier(folder / "old-model", "distilbert"), "distilbert")
    return folder


def test_every_line_of_the_keras_guide_runs(folder: Path) -> None:
    for language, block in BLOCKS:
        commands = re.findall(r"^\$ (homeground .*)$", block, re.MULTILINE) if language == "console" else [block]
        for command in commands:
            arguments = ["-c", command] if language == "python" else ["-m", *shlex.split(command)]
            done = subprocess.run(
                [sys.executable, "-W", "ignore", *arguments], capture_output=True, text=True, check=False, cwd=folder
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert (folder / "runs" / "headlines" / "report.html").is_file()
    assert len((folder / "predicted.csv").read_text(encoding="utf-8").splitlines()) == 121
    assert np.load(folder / "vectors.npy").shape == (120, saved_models.SIZE)
    assert (folder / "runs" / "jobs" / "model" / "saved_model.pb").is_file()


def test_the_keras_guide_names_settings_that_exist() -> None:
    from homeground.recipe.recipe import settings

    known = {setting.flag for setting in settings()} | {"--input", "--output", "--embeddings"}
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", GUIDE))
    assert flags - known == set()
