"""The rules of the house: who may import whom, how large things may grow, and what may be named where."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from homeground.engines.model import Model
from homeground.tasks.task import Task, TaskSpec

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "homeground"

# The rooms from the ground to the roof: each imports only rooms above it in this list, and itself.
ROWS = [
    ["errors"],
    ["languages"],
    ["randomness", "wording", "memory", "storage", "shelf", "processes"],
    ["recipe"],
    ["data"],
    ["taxonomy", "checkpoint", "statistics"],
    ["tasks", "engines"],
    ["training", "evaluation"],
    ["results"],
    ["audit"],
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
    "openvino": "engines/exported",
    "onnxruntime": "engines/exported",
    "onnx": "engines/exported",
}
# What is particular to one task or one network stays in its folder; the tables of both name them.
CONCRETE = {
    "SimilaritySpec": "tasks/similarity",
    "Similarity": "tasks/similarity",
    "PairRows": "tasks/similarity",
    "ClassificationSpec": "tasks/classification",
    "Classification": "tasks/classification",
    "LabelledRows": "tasks/classification",
    "MaskedLMSpec": "tasks/mlm",
    "MaskedLanguageModelling": "tasks/mlm",
    "MaskedRows": "tasks/mlm",
    "EncoderNetwork": "engines/torch",
    "ClassifierNetwork": "engines/torch",
    "MaskedLMNetwork": "engines/torch",
    "KerasEncoderNetwork": "engines/keras",
    "KerasClassifierNetwork": "engines/keras",
    "KerasTokenClassifierNetwork": "engines/keras",
    "KerasMaskedLMNetwork": "engines/keras",
}
ENGINE_FOLDERS = ("engines/torch", "engines/keras", "engines/exported")
# A head is named where it is built, by the task that needs it, and by the model in use that has it.
HEADS = {
    "encoder": ("tasks/similarity", *ENGINE_FOLDERS, "inference/encoder.py"),
    "token_classification": ("tasks/token_classification", *ENGINE_FOLDERS, "inference/tagger.py"),
    "sequence_classification": ("tasks/classification", *ENGINE_FOLDERS, "inference/classifier.py"),
    "masked_lm": ("tasks/mlm", *ENGINE_FOLDERS, "inference/fill_mask.py"),
}
OLD_LISTENERS = {"listen", "listener", "say", "tell", "told"}

MAX_FILES_IN_ROOT, MAX_FILES_IN_FOLDER = 6, 16
MAX_LINES_OF_FILE, MAX_LINES_OF_FUNCTION = 450, 60
MAX_TASK_MEMBERS = 12

FILES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def place(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "homeground":
                yield from (f"homeground.{name.name}" for name in node.names)


def members(protocol: type) -> set[str]:
    """Return the public members of a protocol, those of its bases included."""
    own = (vars(base) for base in protocol.__mro__ if base.__module__.startswith("homeground"))
    return {name for names in own for name in names if not name.startswith("_")}


# ---- Who may import whom ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=place)
def test_each_room_imports_only_rooms_above_it(path: Path) -> None:
    height = {name: row for row, names in enumerate(ROWS) for name in names}
    here = room(path)
    assert here in height, f"{here} has no place in the house; give it a row here and in ARCHITECTURE.md"
    for module in imports(path):
        if module.startswith("homeground."):
            there = module.split(".")[1]
            assert height[there] < height[here] or there == here, f"{here} may not import {there}"


@pytest.mark.parametrize("path", FILES, ids=place)
def test_frameworks_are_imported_only_in_their_rooms(path: Path) -> None:
    for module in imports(path):
        home = FRAMEWORKS.get(module.split(".")[0])
        assert home is None or place(path).startswith(home), f"{place(path)} may not import {module}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    names = {".".join(path.with_suffix("").relative_to(SOURCE.parent).parts): path for path in FILES}
    names = {name.removesuffix(".__init__"): path for name, path in names.items()}
    edges = {name: {module for module in imports(path) if module in names} - {name} for name, path in names.items()}
    while leaves := [name for name, others in edges.items() if not others & set(edges)]:
        for name in leaves:
            del edges[name]
    assert not edges, f"these import each other in a circle: {sorted(edges)}"


@pytest.mark.parametrize("statement", ["import homeground", "from homeground.cli import run; run(['--help'])"])
def test_the_package_and_its_help_import_nothing_heavy(statement: str) -> None:
    heavy = ["torch", "transformers", "sklearn", "scipy", "matplotlib", "jinja2", "pydantic", "tokenizers", "numpy"]
    code = f"{statement}\nimport sys\nprint([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


# ---- What may be named where -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=place)
def test_concrete_tasks_and_networks_are_named_in_their_own_folder_only(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        names = [node.id] if isinstance(node, ast.Name) else []
        names += [name.name for name in node.names] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            home = CONCRETE.get(name, "")
            assert place(path).startswith(home), f"{place(path)} names {name}, which belongs to {home}"


@pytest.mark.parametrize("path", FILES, ids=place)
def test_heads_are_named_only_by_those_who_build_or_need_them(path: Path) -> None:
    # A section of the recipe is called encoder too: that name is looked for only where something is compared with it.
    compared = {
        id(side)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Compare | ast.keyword)
        for side in ([node.left, *node.comparators] if isinstance(node, ast.Compare) else [node.value])
    }
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Constant) and node.value in HEADS and (node.value != "encoder" or id(node) in compared):
            homes = HEADS[str(node.value)]
            assert place(path).startswith(homes), f"{place(path)}, line {node.lineno}, names the head {node.value}"


def test_every_head_has_its_home() -> None:
    from homeground.engines.torch.loading import NETWORKS

    assert set(NETWORKS) == set(HEADS)


def test_a_class_name_is_unique_in_the_package() -> None:
    classes = Counter(node.name for path in FILES for node in ast.walk(tree_of(path)) if isinstance(node, ast.ClassDef))
    assert [name for name, count in classes.items() if count > 1] == []


def test_names_say_what_is_inside() -> None:
    empty = {"utils", "util", "common", "core", "base", "helpers", "misc", "manager"}
    assert not [path for path in FILES if path.stem in empty]


@pytest.mark.parametrize("path", FILES, ids=place)
def test_a_constant_number_says_what_it_counts(path: Path) -> None:
    for node in tree_of(path).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Constant)
            and type(node.value.value) in (int, float)
        ):
            for target in node.targets:
                name = target.id if isinstance(target, ast.Name) else "_"
                assert "_" in name or not name.isupper(), f"{place(path)}: {name} is a number without its unit"


@pytest.mark.parametrize("path", FILES, ids=place)
def test_there_is_one_listener_and_it_is_called_on_event(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef):
            arguments = {each.arg for each in (*node.args.args, *node.args.kwonlyargs)}
            assert not arguments & OLD_LISTENERS, f"{place(path)}: {node.name}"


def test_protocols_stay_small() -> None:
    assert len(members(Task)) <= MAX_TASK_MEMBERS, sorted(members(Task))
    assert len(members(TaskSpec)) <= MAX_TASK_MEMBERS
    assert members(Model) == {"train_step", "predict", "loss", "save", "restore", "describe", "head"}


# ---- How large things may grow ---------------------------------------------------------------------------------------


def test_the_root_and_every_folder_hold_few_files() -> None:
    root = [path for path in SOURCE.glob("*.py") if path.name not in ("__init__.py", "__main__.py")]
    assert len(root) <= MAX_FILES_IN_ROOT
    for folder in {path.parent for path in FILES} - {SOURCE}:
        files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(files) <= MAX_FILES_IN_FOLDER, f"{place(folder)} has {len(files)} files"


@pytest.mark.parametrize("path", FILES, ids=place)
def test_files_and_functions_can_be_held_in_the_head(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES_OF_FILE
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= MAX_LINES_OF_FUNCTION, f"{place(path)}: {node.name} has {lines} lines"


# ---- The drawing -----------------------------------------------------------------------------------------------------


def test_the_tree_in_the_architecture_is_the_real_one() -> None:
    drawing = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    tree = drawing.split("```text", 1)[1].split("```", 1)[0]
    drawn: set[str] = set()
    folders: list[str] = []
    for line in tree.splitlines()[1:]:
        if not line.strip():
            continue
        depth = (len(line) - len(line.lstrip())) // 4
        name = line.split()[0]
        folders = [*folders[: depth - 1], name] if name.endswith("/") else folders[: depth - 1]
        if name.endswith(".py"):
            drawn.add("".join([*folders, name]))
    real = {place(path) for path in FILES if path.name not in ("__init__.py", "__main__.py")}
    assert sorted(drawn ^ real) == [], "draw these, or take them out of the drawing"
    assert re.search(r"^src/homeground/", tree.strip())
