"""The recipes in examples/ are read, understood and carried out, with a tiny encoder and a single epoch."""

from __future__ import annotations

from pathlib import Path

import pytest

import homeground
from homeground.chain_recipe import is_chain
from homeground.data.readers import read_table
from homeground.recipe import make_recipe, read_recipe

EXAMPLES = Path(__file__).parent.parent / "examples"
RECIPES = sorted(path for path in EXAMPLES.glob("*.toml") if not is_chain(path))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_valid_and_its_data_is_there(path: Path) -> None:
    recipe = make_recipe(read_recipe(path))
    assert recipe.task == path.stem
    assert Path(recipe.data).is_file()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_carried_out(path: Path, encoder: Path, tmp_path: Path) -> None:
    run = homeground.adapt(path, checkpoint=str(encoder), epochs=1, bootstrap_draws=200, out=str(tmp_path / "run"))
    assert run.finished
    assert run.report.is_file()


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


def test_the_pairs_of_occupations_have_quotes_and_line_breaks_in_their_texts() -> None:
    table = read_table(EXAMPLES / "job_pairs.csv")
    assert table.columns == ("base", "ref", "similarity")
    texts = [str(row.values["ref"]) for row in table.rows]
    assert any("\n" in text for text in texts)
    assert any('"' in text for text in texts)
