"""The recipes in examples/ are read, understood and carried out, with a tiny encoder and a single epoch."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import homeground
from homeground.data.tables import read_table
from homeground.recipe.chain import is_chain
from homeground.recipe.recipe import make_recipe, read_recipe

EXAMPLES = Path(__file__).parent.parent / "examples"
RECIPES = sorted(path for path in EXAMPLES.glob("*.toml") if not is_chain(path))
TASKS = {"keras_headlines": "classification", "keras_esco": "similarity"}
"""The task of a recipe that is not called by it."""

COLLECTED = 60_000
"""Characters of documentation that are enough here."""


def collect(target: Path, characters: int = COLLECTED) -> Path:
    """Write the corpus of mlm.toml as its script does."""
    script = [sys.executable, str(EXAMPLES / "docstrings.py"), str(target), str(characters)]
    subprocess.run(script, check=True, capture_output=True)
    return target


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_valid_and_its_data_is_there(path: Path) -> None:
    recipe = make_recipe(read_recipe(path))
    assert recipe.task == TASKS.get(path.stem, path.stem)
    assert recipe.engine == ("keras" if path.stem.startswith("keras") else "torch")
    # The corpus of mlm.toml is collected on the machine, and is no part of the repository.
    assert Path(recipe.data).is_file() or path.stem == "mlm"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_carried_out(path: Path, encoder: Path, tmp_path: Path) -> None:
    fast = {"epochs": 1, "bootstrap_draws": 200, "mask_draws": 1}
    if path.stem.startswith("keras"):
        pytest.importorskip("tensorflow")
        fast["max_length"] = 32  # the tiny encoder reads no more
    data = {"data": str(collect(tmp_path / "docstrings.csv")), "cross_fit": 0} if path.stem == "mlm" else {}
    run = homeground.adapt(path, checkpoint=str(encoder), out=str(tmp_path / "run"), **data, **fast)
    assert run.finished
    assert run.report_path.is_file()


def test_the_chain_is_carried_out(encoder: Path, tmp_path: Path) -> None:
    quick = {
        f"{step}.{name}": value
        for step in ("domain", "task")
        for name, value in (("epochs", 1), ("bootstrap_draws", 200))
    }
    # Of 469 complaints a test split of their own would be too small for a run, but not for this test.
    record = homeground.adapt_chain(
        EXAMPLES / "chain.toml", checkpoint=str(encoder), out=str(tmp_path / "chain"), **quick, **{"task.cross_fit": 0}
    )
    assert record["state"] == "finished"
    assert record["test_texts"] == {"left_out": 0, "learned": 0}


def test_docstrings_are_collected_the_same_every_time_and_bounded(tmp_path: Path) -> None:
    first, second = collect(tmp_path / "a.csv"), collect(tmp_path / "b.csv")
    assert first.read_bytes() == second.read_bytes()
    table = read_table(first)
    assert table.columns == ("group", "text")
    texts = [str(row.values["text"]) for row in table.rows]
    assert len(set(texts)) == len(texts)
    assert COLLECTED / 2 < sum(map(len, texts)) <= COLLECTED
    assert len({row.values["group"] for row in table.rows}) > 5


def test_the_pairs_of_occupations_have_quotes_and_line_breaks_in_their_texts() -> None:
    table = read_table(EXAMPLES / "job_pairs.csv")
    assert table.columns == ("base", "ref", "similarity")
    texts = [str(row.values["ref"]) for row in table.rows]
    assert any("\n" in text for text in texts)
    assert any('"' in text for text in texts)


def test_the_entities_of_the_fault_reports_are_whole_words_in_order_as_the_page_counts_them() -> None:
    lines = (EXAMPLES / "fault_reports.jsonl").read_text(encoding="utf-8").splitlines()
    reports = [json.loads(line) for line in lines]
    forms: dict[str, Counter[str]] = {}
    for report in reports:
        text, end = report["text"], 0
        for entity in report["entities"]:
            start, before = entity["start"], end
            end = entity["end"]
            form = text[start:end]
            assert before <= start < end <= len(text)
            assert form == form.strip()
            assert re.compile(rf"(?<!\w){re.escape(form)}(?!\w)").match(text, start), (form, text)
            forms.setdefault(entity["label"], Counter())[form.lower()] += 1
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert f"{len(reports)} sentences from {len({report['report'] for report in reports})} maintenance reports" in page
    for label, counts in forms.items():
        assert re.search(rf"^\| `{label}` \|.*\| {counts.total()} \| {len(counts)} \|$", page, re.MULTILINE), label
