"""What the documents promise is carried out: commands, Python, flags, words of the Makefile, links and file fields.

`minilm` stands for the tiny encoder here, and the data files are written by the test; everything else is as a reader
would type it.
"""

from __future__ import annotations

import csv
import importlib
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest

from homeground.cli import COMMANDS, run
from homeground.results.run import Run
from homeground.workflows import demo
from tests.conftest import PAIR_HEADER, topic_pairs

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])
NAMES = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]


def blocks(document: str, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def typed(document: str) -> Iterator[list[str]]:
    """Yield the arguments of every ``homeground`` command that a document tells to type."""
    for block in blocks(document, "console"):
        for line in block.splitlines():
            command, *arguments = shlex.split(line.removeprefix("$ "))
            if Path(command).name == "homeground":
                yield arguments


@pytest.fixture
def reader(tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the documents speak of, in which ``minilm`` is the tiny encoder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.import_module("homeground.checkpoint.checkpoint"), "_minilm", lambda: encoder)
    occupations = demo.read_occupations()
    some = tuple(concept for place, concept in enumerate(occupations.concepts) if place // 5 % 4 == 0)
    monkeypatch.setattr(demo, "read_occupations", lambda: replace(occupations, concepts=some))
    pairs = topic_pairs(520)
    write("pairs.csv", PAIR_HEADER, pairs)
    write("new.csv", PAIR_HEADER, topic_pairs(100, seed=1))
    write("train.csv", PAIR_HEADER, topic_pairs(200, seed=2))
    write("validation.csv", PAIR_HEADER, topic_pairs(60, seed=3))
    write("test.csv", PAIR_HEADER, topic_pairs(100, seed=4))
    for name in ("general.csv", "runs/demo-data/general.csv"):
        write(name, PAIR_HEADER, topic_pairs(60, seed=5))
    families = [(*pair, f"family {number % 80}") for number, pair in enumerate(pairs)]
    write("jobs.csv", ["title", "alias", "closeness", "family"], families)
    write("questions.csv", ["query", "positive"], [pair[:2] for pair in pairs])
    triplets = [(one[0], one[1], other[1]) for one, other in zip(pairs, pairs[7:], strict=False)]
    write("triplets.csv", ["anchor", "positive", "negative"], triplets)
    write("texts.csv", ["text"], [pair[:1] for pair in pairs[:5]])
    taxonomies()
    shutil.copytree(ROOT / "examples", "examples")
    Path("src/homeground/data").mkdir(parents=True)
    shutil.copy(ROOT / "src/homeground/data/occupations.csv", "src/homeground/data")
    for name, count, seed in (("sts-train.csv", 200, 6), ("sts-dev.csv", 100, 7)):
        rows = [("main-news", "f", "2012", "1", str(5 * pair[2]), *pair[:2]) for pair in topic_pairs(count, seed=seed)]
        Path(name).write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    return tmp_path


def taxonomies() -> None:
    """Write a small taxonomy in each of the ways the guide to pairs names."""
    places = [(f"{2000 + 100 * (g % 8) + g}", f"job {g} {m}", f"task {g} {m}") for g in range(40) for m in range(4)]
    header = ["conceptUri", "iscoGroup", "preferredLabel", "altLabels", "description", "code"]
    rows = [(f"u{n}", f"{n % 5 + 1}{g[1:]}", t, a, f"Does {t}.", f"{g}.{n}") for n, (g, t, a) in enumerate(places)]
    write("occupations_en.csv", header, rows)
    codes = sorted({row[1] for row in rows})
    write("ISCOGroups_en.csv", ["code", "preferredLabel"], [(code, f"group {code}") for code in codes])
    write("products.csv", ["product", "category"], [(t, f"shop {int(g) % 4}/shelf {g}") for g, t, _ in places])
    write("skills_en.csv", ["conceptUri", "preferredLabel"], [(f"u{n}", t) for n, (_, t, _) in enumerate(places)])
    groups = [(f"g{g}", f"skills {g}") for g in codes] + [(f"top{n}", f"top {n}") for n in range(1, 6)]
    write("skillGroups_en.csv", ["conceptUri", "preferredLabel"], groups)
    above = [(row[0], f"g{row[1]}") for row in rows] + [(f"g{code}", f"top{code[0]}") for code in codes]
    write("broaderRelationsSkillPillar_en.csv", ["conceptUri", "broaderUri"], above)


def write(name: str, header: list[str], rows: list[Any]) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    with Path(name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("document", ["README.md", "docs/similarity.md", "docs/pairs.md"])
def test_what_a_document_tells_to_type_works(document: str, capsys: pytest.CaptureFixture[str]) -> None:
    for recipe in blocks(document, "toml"):
        Path("recipe.toml").write_text(recipe, encoding="utf-8")
    commands = list(typed(document))
    assert len(commands) >= 3
    for arguments in commands:
        # Fewer resamples than a reader's command, for speed alone.
        fast = ["--bootstrap-draws", "200"] if arguments[0] == "adapt" else []
        assert run([*arguments, *fast]) in ((0, 1) if "--gate" in arguments else (0,)), capsys.readouterr().err
    names: dict[str, Any] = {}
    for block in blocks(document, "python"):
        exec(compile(block, document, "exec"), names)
    assert "model" not in names or names["model"].encode(["a text"]).shape == (1, 32)


@pytest.mark.parametrize("document", NAMES)
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith("https://"):
            assert ((ROOT / document).parent / target.partition("#")[0]).exists(), f"{document} links to {target}"


@pytest.mark.parametrize("document", NAMES)
def test_flags_and_words_of_the_makefile_exist(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    # Flags of other programs, whose commands begin with their names.
    text = re.sub(r"torchrun .*?-m homeground|`split [^`]*`|pip install --no-deps", "", text)
    for flag in set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text)):
        assert flag in flags(), f"{document} names {flag}"
    words = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|\$ )make ([a-z]+)", text)) <= words


def flags() -> set[str]:
    """Return every flag of every command and benchmark."""
    found = {"--version", "--help"}
    for name in COMMANDS:
        command: click.Command = getattr(importlib.import_module(f"homeground.cli.{name}"), name)
        for parameter in command.params:
            found |= {*parameter.opts, *parameter.secondary_opts}
    for benchmark in (ROOT / "benchmarks").rglob("*.py"):
        found |= set(re.findall(r'add_argument\("(--[a-z-]+)"', benchmark.read_text(encoding="utf-8")))
    return found


def test_the_readme_names_every_command_and_only_those() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z]+)` \| [a-z]+s ", text, re.MULTILINE) == list(COMMANDS)


def test_the_architecture_names_files_that_exist() -> None:
    known = {path.name for folder in ("src", "benchmarks", "tests") for path in (ROOT / folder).rglob("*")}
    (tree, *_) = blocks("ARCHITECTURE.md", "text")
    named = re.findall(r"\b\w+\.(?:py|csv)\b", tree)
    assert len(named) > 40
    assert not set(named) - known


@pytest.mark.parametrize("name", ["finished", "masked"])
def test_every_field_of_a_run_is_described(name: str, request: pytest.FixtureRequest) -> None:
    finished: Run = request.getfixturevalue(name)
    described = set(re.findall(r"`([^`]+)`", (ROOT / "docs/scores.md").read_text(encoding="utf-8")))
    for name in ("scores.json", "data.json", "run.json"):
        record = json.loads((finished.folder / name).read_text(encoding="utf-8"))
        assert not set(record) - described, name
    for name in ("splits.jsonl", "examples.jsonl", "metrics.jsonl"):
        lines = (finished.folder / name).read_text(encoding="utf-8").splitlines()
        assert not {field for line in lines for field in json.loads(line)} - described, name
    files = {path.name for folder in (finished.folder, finished.model_folder) for path in folder.iterdir()}
    assert not files - {name.rstrip("/") for name in described}
