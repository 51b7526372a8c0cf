"""What ``import homeground`` offers."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import homeground


def test_the_public_names_are_listed_and_exist() -> None:
    assert dir(homeground) == sorted(homeground.__all__)
    for name in dir(homeground):
        assert getattr(homeground, name) is not None
    assert homeground.__version__ == version("homeground")


def test_listing_them_and_the_version_import_nothing_heavy() -> None:
    code = "import homeground, sys; dir(homeground); homeground.__version__; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "pydantic", "tokenizers"} & set(eval(done.stdout))
