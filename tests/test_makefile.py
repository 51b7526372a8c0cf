"""What `make demo` and `make test` would install, without installing it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(("word", "extra"), [("demo", "demo"), ("test", "dev"), ("install", "dev")])
def test_a_word_installs_what_it_needs_and_no_more(word: str, extra: str, tmp_path: Path) -> None:
    command = ["make", "--dry-run", word, f"VENV={tmp_path / 'venv'}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.findall(r"-e '\.\[(\w+)\]'", done.stdout) == [extra]
