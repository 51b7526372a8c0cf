"""The keywords of ``homeground.adapt`` are those of the recipe, with their types."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest
from docs.keywords import MEASURING, MODULE, module

from homeground.recipe.keywords import AdaptKeywords, ColumnsKeywords, MeasureKeywords, ReadingKeywords
from homeground.recipe.recipe import settings

WRONG = """
import homeground

homeground.adapt("pairs.csv", epochs=2, batch_size=16, checkpoint=homeground.Run("runs/a"), titles=["a", "b"])
homeground.adapt("recipe.toml", data="pairs.csv", test=0.2, validation="validation.csv")
homeground.adapt("pairs.csv", epoch=2)  # pyright: ignore[reportCallIssue]
homeground.adapt("pairs.csv", epochs="two")  # pyright: ignore[reportArgumentType]
homeground.adapt("pairs.csv", loss="mse")  # pyright: ignore[reportArgumentType]
homeground.evaluate("minilm", "pairs.csv", text_1="a", text_2="b", delimiter=";")
homeground.evaluate("minilm", "pairs.csv", epochs=2)  # pyright: ignore[reportCallIssue]
print(homeground.adapt("pairs.csv").verdict.lower())
"""


def test_the_generated_file_is_current() -> None:
    assert MODULE.read_text(encoding="utf-8") == module(), "run: python -m docs.keywords"


def test_every_setting_is_a_keyword_and_nothing_else() -> None:
    names = {setting.name for setting in settings()}
    assert AdaptKeywords.__optional_keys__ == names == set(get_type_hints(AdaptKeywords))
    reading = ColumnsKeywords.__optional_keys__ | ReadingKeywords.__optional_keys__
    assert MeasureKeywords.__optional_keys__ == reading | set(MEASURING)


def test_a_type_checker_completes_them_and_refuses_others(tmp_path: Path) -> None:
    pytest.importorskip("basedpyright")
    source = Path(__file__).parent.parent.parent / "src"
    (tmp_path / "example.py").write_text(WRONG)
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.basedpyright]\nextraPaths = ["{source}"]\ntypeCheckingMode = "basic"\n'
        "reportUnnecessaryTypeIgnoreComment = true\n"
    )
    command = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable, "--warnings", "example.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
