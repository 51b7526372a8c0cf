from __future__ import annotations

import inspect
import tomllib
from pathlib import Path

import click
import pytest

from homeground.cli.adapt import adapt as adapt_command
from homeground.errors import UsageError
from homeground.recipe.recipe import make_recipe, read_recipe, settings


def test_the_resolved_recipe_reads_back_as_itself() -> None:
    recipe = make_recipe({}, data="x.csv", max_grad_norm="none", titles="a, b", score_range="0,5", validation="0.2")
    assert recipe.training.max_grad_norm is None
    assert recipe.evaluation.titles == ("a", "b")
    assert make_recipe(tomllib.loads(recipe.to_toml())) == recipe


def test_every_setting_is_a_flag_and_no_name_is_used_twice() -> None:
    names = [setting.name for setting in settings()]
    assert len(names) == len(set(names))
    flags = {option for parameter in adapt_command.params for option in parameter.opts}
    assert {setting.flag for setting in settings() if setting.name != "data"} <= flags
    assert all(setting.field.description for setting in settings())


def test_toml_flags_and_keywords_give_one_recipe(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('data = "pairs.csv"\nseed = 3\n[training]\nepochs = 4\nlearning_rate = 1e-5\n')
    from_toml = make_recipe(read_recipe(path))
    from_keywords = make_recipe({}, data=str(tmp_path / "pairs.csv"), seed=3, epochs=4, learning_rate=1e-5)
    as_typed = {"data": str(tmp_path / "pairs.csv"), "seed": "3", "training.epochs": "4", "learning_rate": "0.00001"}
    assert from_toml == from_keywords == make_recipe({}, **as_typed)


def test_flags_overrule_the_file(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('data = "pairs.csv"\n[training]\nepochs = 4\n')
    assert make_recipe(read_recipe(path), epochs="1").training.epochs == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "no data; give the file"),
        ({"batch_size": 0}, "--batch-size (recipe: training.batch_size): got 0; expected"),
        ({"bach_size": 3}, 'unknown setting "bach_size"; did you mean "batch_size"?'),
        ({"loss": "hinge"}, "--loss (recipe: training.loss): got 'hinge'; expected 'auto', 'angular_mse'"),
        ({"epochs": "many"}, "--epochs (recipe: training.epochs): got 'many'; expected a number"),
        ({"seed": 0.5}, "got 0.5; expected a whole number"),
        ({"header": "perhaps"}, "got 'perhaps'; expected true or false"),
        ({"score_range": "1,2,3"}, "expected the lowest and the highest value, such as 0,5"),
        ({"test": ""}, "--test (recipe: split.test): got ''; expected a text that is not empty"),
        ({"checkpoint": ""}, "got ''; expected a text that is not empty"),
        ({"test": "1.5"}, "--test (recipe: split.test): got 1.5; expected"),
        ({"header": False}, "--no-header needs --columns"),
        ({"cross_fit": 5, "test": "test.csv"}, "--cross-fit tests all examples"),
        ({"train_size": 10}, "--train-size needs --split ordered"),
        ({"optimizer": "adam", "weight_decay": 0.1}, "--optimizer adam has no weight decay"),
        ({"score_range": "5"}, "--score-range"),
        ({"score_range": "5,1"}, "--score-range 5,1: expected LOW,HIGH with LOW below HIGH"),
        ({"general_score_range": "2,2"}, "--general-score-range 2,2: expected LOW,HIGH"),
        ({"score_range": "0,inf"}, "--score-range"),
        ({"learning_rate": "nan"}, "--learning-rate (recipe: training.learning_rate): got"),
        ({"learning_rate": float("inf")}, "--learning-rate (recipe: training.learning_rate): got inf"),
        ({"min_delta": "inf"}, "--min-delta"),
        ({"titles": "baker"}, "--titles: a heat map compares at least two texts"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_flag(given: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_recipe({}, **({"data": "x.csv"} if given else {}), **given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_defaults_of_a_task_fill_in_what_was_not_given() -> None:
    defaults = {"training": {"epochs": 3, "batch_size": 16}, "split": {"test": 0.02, "validation": 0.02}}
    recipe = make_recipe({}, data="x.csv", epochs="1", test="0.3", seed=4).for_task("mlm", defaults)
    assert (recipe.task, recipe.seed) == ("mlm", 4)
    assert (recipe.training.epochs, recipe.training.batch_size, recipe.training.patience) == (1, 16, None)
    assert (recipe.split.test, recipe.split.validation) == (0.3, 0.02)
    # A value that was given counts as given, even where it is the recipe's own default.
    assert make_recipe({}, data="x.csv", epochs=2).for_task("mlm", defaults).training.epochs == 2


def test_an_unknown_name_in_toml_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r'unknown setting "training.epoch"; did you mean "training.epochs"'):
        make_recipe({"data": "x.csv", "training": {"epoch": 1}})


def test_a_section_that_is_no_table_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\[training\] of the recipe is 3; expected a table of settings"):
        make_recipe({"data": "x.csv", "training": 3}, epochs=2)


def test_toml_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("epochs = = 3")
    with pytest.raises(UsageError, match=r"broken.toml: not valid TOML"):
        read_recipe(tmp_path / "broken.toml")
    with pytest.raises(UsageError, match=r"gone.toml: cannot be read"):
        read_recipe(tmp_path / "gone.toml")


def test_help_is_made_of_click_options() -> None:
    assert all(isinstance(parameter, click.Parameter) for parameter in adapt_command.params)
    assert inspect.getdoc(adapt_command.callback)


def test_a_saved_recipe_finds_its_files_and_its_checkpoint_from_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "runs" / "a").mkdir(parents=True)
    recipe = make_recipe({}, data="pairs.csv", checkpoint="models", test="test.csv")
    saved = tmp_path / "runs" / "a" / "recipe.toml"
    saved.write_text(recipe.to_toml(saved.parent))
    monkeypatch.chdir(tmp_path / "models")
    read = make_recipe(read_recipe(saved))
    assert Path(read.data).resolve() == tmp_path / "pairs.csv"
    assert Path(read.checkpoint).resolve() == tmp_path / "models"
    assert Path(str(read.split.test)).resolve() == tmp_path / "test.csv"
    assert make_recipe(read_recipe(saved), checkpoint="owner/name").checkpoint == "owner/name"


def test_the_names_of_several_columns_are_one_setting_however_they_are_given(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text('data = "a.csv"\n[columns]\ntext = ["title", "body, short"]\n')
    recipe = make_recipe(read_recipe(tmp_path / "recipe.toml"), label=("a", "b"), negative="n")
    columns = recipe.columns
    assert (columns.text, columns.label, columns.negative) == ('title,"body, short"', "a,b", "n")
    with pytest.raises(UsageError, match=r"--text \(recipe: columns.text\): got \[\]; expected the name of a column"):
        make_recipe({}, data="a.csv", text=[])
