"""An estimate counts what a run does: its steps exactly, its time and memory from a few steps on this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import FAST
from tests.experiment.conftest import KINDS
from tests.runs import read_lines

from homeground.cli import run as command
from homeground.experiment.estimate import estimate
from homeground.experiment.setup import Setup, prepare
from homeground.recipe.recipe import make_recipe
from homeground.results.run import Run


@pytest.mark.parametrize("kind", KINDS)
def test_the_steps_are_those_that_the_run_takes(kind: str, small_run: Callable[[str], tuple[Setup, Run]]) -> None:
    setup, run = small_run(kind)
    files = list(run.folder.rglob("metrics.jsonl"))
    if setup.recipe.search.search:
        # The best trial's training became that of the model that is kept, and is not made again.
        files.remove(run.folder / "metrics.jsonl")
    taken = sum("train/loss" in line for file in files for line in read_lines(file))
    assert estimate(setup).steps == taken > 0


def test_a_dry_run_writes_nothing_and_names_what_it_counted(pairs_csv: Path, encoder: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs" / "pairs"
    settings = {**FAST, "seeds": 5, "search": 3, "search_minutes": 9, "learning_curve": True, "cross_fit": 0}
    setup = prepare(make_recipe({}, data=str(pairs_csv), checkpoint=str(encoder), out=str(out), **settings))
    expected = estimate(setup)
    assert (expected.examples, expected.batch_size) == (len(setup.corpus.train), 32)
    assert (expected.trials, expected.search_minutes, expected.seeds) == (3, 9, 5)
    assert expected.shares == [5, 10, 25, 50]
    assert expected.minutes * 60 > expected.steps * expected.seconds_per_step > 0
    assert expected.memory_gib > 0
    assert expected.to_json()["folder"] == str(out)
    assert not out.parent.exists()


def test_seeds_are_counted_and_named(
    pairs_csv: Path, encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {**FAST, "epochs": 1, "data": str(pairs_csv), "checkpoint": str(encoder)}
    one, five = (estimate(prepare(make_recipe({}, **settings, seeds=seeds))) for seeds in (0, 5))
    assert five.steps == 5 * one.steps
    arguments = ["adapt", str(pairs_csv), "--checkpoint", str(encoder), "--epochs", "1", "--dry-run", "--quiet"]
    for more, counted in ((["--seeds", "5"], True), ([], False)):
        assert command([*arguments, *more]) == 0
        first, *rest = capsys.readouterr().out.splitlines()
        assert ("including 5 seeds" in first) is counted
        assert not any("seeds" in line for line in rest)


def test_of_a_sample_the_estimate_is_that_of_all_examples(pairs_csv: Path, encoder: Path, tmp_path: Path) -> None:
    settings = {**FAST, "cross_fit": 0, "checkpoint": str(encoder), "out": str(tmp_path / "run")}
    recipe = make_recipe({}, data=str(pairs_csv), **settings)
    whole, sample = prepare(recipe), prepare(recipe, tokenize_at_most=100)
    assert len(sample.splits.kept.train.examples) < len(whole.splits.kept.train.examples)
    assert sample.record.counts == whole.record.counts
    assert (sample.record.duplicates, sample.record.files) == (whole.record.duplicates, whole.record.files)
    assert estimate(sample).examples == estimate(whole).examples
    assert estimate(sample).steps == pytest.approx(estimate(whole).steps, rel=0.05)
    assert estimate(sample).memory_gib > 0
    assert any("estimated from a sample of 100 of the" in note for note in sample.record.notes)
