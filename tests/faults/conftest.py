"""What the tests of faults share: small commands of every kind, a process that carries them out, and the matrix."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from tests import checkpoints
from tests.classifying import lively, topic_texts
from tests.conftest import PAIR_HEADER, topic_pairs
from tests.masking import write_documents
from tests.tagging import tagged_texts, write_tagged

EVERYTHING = os.environ.get("FAULTS") == "all"
"""Whether every point is tried, as by ``make faults``, or a few of them."""

TABLE = Path(os.environ["FAULTS_TABLE"]).resolve() if "FAULTS_TABLE" in os.environ else None
"""The file of the matrix, wherever a test has gone to."""

COMMON = ["--batch-size", "16", "--bootstrap-draws", "200", "--no-audit", "--learning-rate", "2e-3", "--quiet"]
ONE = ["--epochs", "1", "--cross-fit", "0"]

COMMANDS: dict[str, list[str]] = {
    "pairs": ["adapt", "pairs.csv", "--checkpoint", "encoder", *ONE],
    "labels": ["adapt", "labels.csv", "--checkpoint", "bert", *ONE],
    "several": ["adapt", "several.jsonl", "--checkpoint", "bert", *ONE],
    "words": ["adapt", "documents.jsonl", "--checkpoint", "bert", *ONE, "--mask-draws", "1", "--max-length", "16"],
    "entities": ["adapt", "tagged.jsonl", "--checkpoint", "bert", *ONE],
    "folds": ["adapt", "labels.csv", "--checkpoint", "bert", "--epochs", "1", "--cross-fit", "2"],
    "seeds": ["adapt", "labels.csv", "--checkpoint", "bert", *ONE, "--seeds", "5"],
    "search": ["adapt", "labels.csv", "--checkpoint", "bert", *ONE, "--search", "2"],
    "curve": ["adapt", "labels.csv", "--checkpoint", "bert", *ONE, "--learning-curve"],
    "merging": ["adapt", "pairs.csv", "--checkpoint", "encoder", *ONE, "--keep-general", "general.csv"],
    "ablation": ["adapt", "labels.csv", "--checkpoint", "bert", *ONE, "--clean", "lowercase", "--ablate-cleaning"],
    "chain": ["adapt", "chain.toml"],
}
"""A small command of every kind, without the settings that all of them share."""

LONG = 30
"""Characters above which a text of those with several labels has the second one."""

CHAIN = """
checkpoint = "bert"
[domain]
data = "documents.jsonl"
[domain.split]
cross_fit = 0
[domain.training]
epochs = 1
batch_size = 16
[domain.evaluation]
mask_draws = 1
[domain.encoder]
max_length = 16
[domain.inspection]
audit = false
[task]
data = "labels.csv"
[task.split]
cross_fit = 0
[task.training]
epochs = 1
batch_size = 16
learning_rate = 2e-3
[task.evaluation]
bootstrap_draws = 200
[task.inspection]
audit = false
"""

TIMES = ("seconds", "items_per_second", "matrix_share", "wall_time", "time", "started", "finished", "sha256")
"""Fields that hold another value each time."""


@dataclass
class Zygote:
    """The process of ``tests.faults.zygote``."""

    process: subprocess.Popen[str]

    def __call__(self, kind: str, cwd: Path, **fault: Any) -> dict[str, Any]:
        """Carry out the command of a kind in a folder, and return how it ended."""
        common = ["--quiet"] if kind == "chain" else COMMON
        argv = [*COMMANDS[kind], *common, "--out", "runs/run"]
        return self.ask({"argv": argv, "cwd": str(cwd), **fault})

    def ask(self, command: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to one command."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return cast(dict[str, Any], json.loads(self.process.stdout.readline()))


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data and the checkpoints of all commands."""
    folder = tmp_path_factory.mktemp("material")
    for name, header, rows in (
        ("pairs.csv", PAIR_HEADER, topic_pairs(80)),
        ("general.csv", PAIR_HEADER, topic_pairs(60, seed=5)),
        ("labels.csv", ["text", "label"], topic_texts(80)),
    ):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *rows])
    write_documents(folder / "documents.jsonl", 60)
    write_tagged(folder / "tagged.jsonl", tagged_texts(80))
    with (folder / "several.jsonl").open("w", encoding="utf-8") as file:
        for text, label in topic_texts(80):
            labels = [label, *(["long"] if len(text) > LONG else [])]
            file.write(json.dumps({"text": text, "labels": labels}) + "\n")
    (folder / "chain.toml").write_text(CHAIN)
    checkpoints.sentence_encoder(folder / "encoder")
    lively(folder / "bert")
    return folder


@pytest.fixture(scope="session")
def zygote(material: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """A process with everything imported."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HOMEGROUND_LANGUAGE": "en"}
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.faults.zygote"],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    zygote = Zygote(process)
    warm = shutil.copytree(material, tmp_path_factory.mktemp("warm") / "warm")
    argv = [*COMMANDS["labels"], *COMMON]
    assert zygote.ask({"argv": argv, "cwd": str(warm), "warm": True}) == {"status": 0}
    yield zygote
    assert process.stdin is not None
    process.stdin.close()
    process.wait(timeout=30)


@dataclass(frozen=True)
class Unbroken:
    """The folder of a run in which nothing went wrong, and how many calls in it change files."""

    folder: Path
    calls: int


@pytest.fixture(scope="session")
def unbroken(zygote: Zygote, material: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Unbroken]:
    """Return a function that gives the unbroken run of a kind."""
    known: dict[str, Unbroken] = {}

    def of(kind: str) -> Unbroken:
        if kind not in known:
            folder = furnished(tmp_path_factory.mktemp("unbroken"), material)
            ended = zygote(kind, folder)
            assert ended["status"] == 0, ended["output"]
            known[kind] = Unbroken(folder, ended["calls"])
        return known[kind]

    return of


def furnished(folder: Path, material: Path) -> Path:
    """Fill a folder with links to the material."""
    for each in material.iterdir():
        (folder / each.name).symlink_to(each)
    return folder


@pytest.fixture
def workplace(material: Path, tmp_path: Path) -> Callable[[], Path]:
    """Return a function that makes a new folder with links to the material."""
    made: list[Path] = []

    def make() -> Path:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(folder)
        return furnished(folder, material)

    return make


def outcome(folder: Path, *, besides: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the hash of every file that a run led to, without times; half-written files are among them.

    ``besides`` are fields of run.json that may differ.
    """
    hashes: dict[str, str] = {}
    for path in sorted((folder / "runs").rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or name.endswith((".lock", "report.html", "manifest.json", "README.md")):
            continue
        if "tensorboard" in name:
            hashes[name] = "there"
            continue
        content = path.read_bytes()
        if name.endswith("run.json"):
            record = {k: v for k, v in json.loads(content).items() if k not in ("files", *besides)}
            content = json.dumps(record).encode()
        if name.endswith((".json", ".jsonl")):
            content = b"\n".join(_timeless(line) for line in _objects(name, content))
        hashes[name] = hashlib.sha256(content).hexdigest()
    return hashes


def _objects(name: str, content: bytes) -> list[Any]:
    return [json.loads(line) for line in content.splitlines()] if name.endswith(".jsonl") else [json.loads(content)]


def _timeless(value: Any) -> bytes:
    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: without(v) for k, v in cast(dict[str, Any], value).items() if k not in TIMES}
        return [without(each) for each in cast(list[Any], value)] if isinstance(value, list) else value

    return json.dumps(without(value), sort_keys=True).encode()


@dataclass
class Row:
    """One row of the matrix: what was tried and what did not hold."""

    name: str
    tried: int = 0
    failed: list[str] = field(default_factory=list[str])

    def __call__(self, what: str, held: bool, detail: str = "") -> None:
        """Count one fault."""
        self.tried += 1
        if not held:
            self.failed.append(f"{what}: {detail[:600]}")


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Row]]:
    """Return a function that begins a row of the matrix; at the end everything that was tried must have held."""
    rows: list[Row] = []

    def begin(name: str) -> Row:
        rows.append(Row(name))
        return rows[-1]

    yield begin
    if TABLE is not None:
        with TABLE.open("a", encoding="utf-8") as file:
            for each in rows:
                file.write(json.dumps({"row": each.name, "tried": each.tried, "failed": each.failed}) + "\n")
    failed = [text for each in rows for text in each.failed]
    assert not failed, "\n".join(failed[:20])


def points(calls: int, *, few: int, step: int = 1) -> list[int]:
    """Return the numbers of the calls at which something is to go wrong: all, or one of ``step``, or a few, evenly."""
    if EVERYTHING or calls <= few:
        return list(range(1, calls + 1, step))
    return sorted({round(1 + place * (calls - 1) / (few - 1)) for place in range(few)})
