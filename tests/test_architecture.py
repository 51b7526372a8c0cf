"""The arrow of ARCHITECTURE.md: each room imports only rooms below it, and frameworks stay in their rooms."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "homeground"

# The rooms from the ground to the roof: each imports only rooms above it in this list, and itself.
ROWS = [
    ["errors"],
    ["randomness", "wording", "storage"],
    ["recipe"],
    ["data"],
    ["taxonomy", "checkpoint", "statistics"],
    ["tasks", "engines"],
    ["training", "evaluation"],
    ["results"],
    ["inference"],
    ["experiment"],
    ["reports"],
    ["workflows"],
    ["cli"],
    ["__main__"],
]
FRAMEWORKS = {
    "torch": "engines/torch",
    "transformers": "engines/torch",
    "keras": "engines/keras",
    "tensorflow": "engines/keras",
    "jinja2": "reports",
    "matplotlib": "reports",
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "homeground":
                yield from (f"homeground.{name.name}" for name in node.names)


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


FILES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_each_room_imports_only_rooms_below_it(path: Path) -> None:
    height = {name: row for row, names in enumerate(ROWS) for name in names}
    here = room(path)
    assert here in height, f"{here} has no place in the house; give it a row here and in ARCHITECTURE.md"
    for module in imports(path):
        if module.startswith("homeground."):
            there = module.split(".")[1]
            below = height[there] < height[here] or there == here
            assert below, f"{here} may not import {there}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_frameworks_are_imported_only_in_their_rooms(path: Path) -> None:
    place = path.relative_to(SOURCE).as_posix()
    for module in imports(path):
        home = FRAMEWORKS.get(module.split(".")[0])
        assert home is None or place.startswith(home), f"{place} may not import {module}"


def test_names_say_what_is_inside() -> None:
    nothing = {"utils", "util", "common", "core", "base", "helpers", "misc", "manager"}
    assert not [path for path in FILES if path.stem in nothing]


@pytest.mark.parametrize("statement", ["import homeground", "from homeground.cli import run; run(['--help'])"])
def test_the_package_and_its_help_import_nothing_heavy(statement: str) -> None:
    heavy = ["torch", "transformers", "sklearn", "scipy", "matplotlib", "jinja2", "pydantic", "tokenizers", "numpy"]
    code = f"{statement}\nimport sys\nprint([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
