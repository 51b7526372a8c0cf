from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import checkpoints
from tests.classifying import lively, topic_texts
from tests.conftest import topic_pairs

import homeground
from homeground.checkpoint import open_checkpoint
from homeground.cli import run as command
from homeground.errors import RunConflict, UsageError
from homeground.recipe.chain import is_chain, read_chain
from homeground.results.run import Run
from homeground.storage import read_array

CHAIN = """
checkpoint = "{checkpoint}"
out = "{out}"

[domain]
data = "domain.txt"

[domain.split]
cross_fit = 0

[domain.training]
epochs = 1

[domain.evaluation]
bootstrap_draws = 200
mask_draws = 1

[task]
data = "{data}"

[task.split]
cross_fit = {folds}

[task.training]
epochs = 1
learning_rate = 1e-3

[task.evaluation]
bootstrap_draws = 200
"""

LABELLED = topic_texts(200)


@pytest.fixture(scope="session")
def body(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lively(tmp_path_factory.mktemp("body") / "tiny")


def write_chain(
    folder: Path, checkpoint: Path, *, folds: int = 0, rows: Any = LABELLED, name: str = "labelled"
) -> Path:
    """Write a chain and its files: the domain's text are other texts and, at its end, all of the labelled ones."""
    texts = [text for text, _ in topic_texts(100, seed=7)] + [f"He wrote: {row[0]}, and left." for row in rows]
    (folder / "domain.txt").write_text("\n".join(texts), encoding="utf-8")
    header = {2: "text,label", 3: "text_1,text_2,similarity"}[len(rows[0])]
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    (folder / f"{name}.csv").write_text("\n".join(lines), encoding="utf-8")
    path = folder / "chain.toml"
    path.write_text(CHAIN.format(checkpoint=checkpoint, out=folder / "out", data=f"{name}.csv", folds=folds))
    return path


@pytest.fixture(scope="session")
def chained(tmp_path_factory: pytest.TempPathFactory, body: Path) -> tuple[Path, dict[str, Any]]:
    """A finished chain, which no test changes."""
    folder = tmp_path_factory.mktemp("chained")
    return folder, homeground.adapt_chain(write_chain(folder, body))


def test_each_step_is_a_run_and_the_last_one_began_with_the_first(chained: tuple[Path, dict[str, Any]]) -> None:
    out = chained[0] / "out"
    runs = {name: Run(out / name) for name in ("domain", "plain", "adapted")}
    assert all(run.finished for run in runs.values())
    assert [run.scores["task"] for run in runs.values()] == ["mlm", "classification", "classification"]
    began = {name: run.record["identity"]["checkpoint"] for name, run in runs.items()}
    assert began["plain"] == began["domain"] != began["adapted"]
    assert began["adapted"] == open_checkpoint(str(out / "domain")).sha256


def test_the_record_compares_what_the_runs_themselves_measured(chained: tuple[Path, dict[str, Any]]) -> None:
    folder, record = chained
    assert json.loads((folder / "out/chain.json").read_text()) == record
    plain, adapted = (Run(folder / "out" / name).scores for name in ("plain", "adapted"))
    expected = {
        "before": plain["before"],
        "domain": adapted["before"],
        "plain": plain["after"],
        "adapted": adapted["after"],
    }
    assert {stage: scores["accuracy"] for stage, scores in record["scores"].items()} == {
        stage: pytest.approx(scores["accuracy"]) for stage, scores in expected.items()
    }
    difference = record["comparisons"]["domain"]["difference"]["value"]
    assert difference == pytest.approx(adapted["after"]["accuracy"] - plain["after"]["accuracy"])
    assert record["verdict"] == record["comparisons"]["domain"]["verdict"]
    assert "without the domain step" in record["sentence"]
    assert record["test_set"]["hash"] == plain["test_set"]["hash"] == adapted["test_set"]["hash"]


def test_texts_of_the_test_are_left_out_of_the_domain_wherever_they_stand(chained: tuple[Path, dict[str, Any]]) -> None:
    folder, record = chained
    tested = Run(folder / "out/plain").scores["test_examples"]
    assert record["test_texts"] == {"left_out": tested, "learned": 0}
    aside = json.loads((folder / "out/domain/data.json").read_text())["set_aside"]
    assert [(each["reason"], each["count"]) for each in aside] == [("a text of test_texts.jsonl", tested)]


def test_the_last_step_reports_what_the_first_one_contributed(chained: tuple[Path, dict[str, Any]]) -> None:
    folder, record = chained
    page = (folder / "out/adapted/report.html").read_text(encoding="utf-8")
    assert "The contribution of the domain step" in page
    assert record["sentence"].partition(": ")[2] in page
    assert "The contribution of the domain step" not in (folder / "out/plain/report.html").read_text(encoding="utf-8")


def test_the_same_chain_again_trains_nothing_and_says_the_same(
    chained: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, record = chained
    events: list[object] = []
    again = homeground.adapt_chain(folder / "chain.toml", on_event=events.append)
    assert again == record
    assert not [event for event in events if type(event).__name__ in ("Started", "Step")]


def test_a_chain_goes_on_after_the_steps_that_are_finished(
    chained: tuple[Path, dict[str, Any]], tmp_path: Path, body: Path
) -> None:
    path = write_chain(tmp_path, body)
    shutil.copytree(chained[0] / "out/domain", tmp_path / "out/domain")
    shutil.copytree(chained[0] / "out/plain", tmp_path / "out/plain")
    (tmp_path / "out/chain.json").write_text('{"version": 1, "state": "running"}')
    events: list[str] = []
    record = homeground.adapt_chain(path, on_event=lambda event: events.append(str(event)))
    assert record["scores"] == chained[1]["scores"]
    assert sum("Started" in line for line in events) == 1


def test_texts_of_the_test_that_are_kept_are_counted_and_said(
    tmp_path: Path, body: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_chain(tmp_path, body)
    domain = (tmp_path / "domain.txt").read_text(encoding="utf-8").replace("He wrote: ", "").replace(", and left.", "")
    (tmp_path / "domain.txt").write_text(domain, encoding="utf-8")
    record = homeground.adapt_chain(path, keep_test_texts=True)
    assert record["test_texts"]["left_out"] == 0
    # Those that fell into the domain run's own test split were not learned from.
    assert record["test_examples"] * 0.5 < record["test_texts"]["learned"] <= record["test_examples"]
    # Without their labels they block no verdict.
    assert record["seen_in_training"] == {"plain": 0, "adapted": 0}
    assert command(["adapt", str(path), "--set", "keep_test_texts=true", "--quiet"]) == 0
    assert "the domain step was trained on texts of" in capsys.readouterr().out


def test_cross_fitted_data_is_compared_by_what_each_fold_predicted(tmp_path: Path, body: Path) -> None:
    rows = topic_texts(60)
    record = homeground.adapt_chain(write_chain(tmp_path, body, folds=2, rows=rows))
    assert record["cross_fit"] == 2
    assert record["test_examples"] == 60
    assert "2-fold cross-fitting" in record["sentence"]
    labels = sorted({label for _, label in rows})
    right = np.array([labels.index(label) for _, label in rows])
    for name in ("plain", "adapted"):
        folds = [read_array(tmp_path / "out" / name / "folds" / fold / "predictions.npy")[1] for fold in ("1", "2")]
        lines = [json.loads(line) for line in (tmp_path / "out" / name / "splits.jsonl").read_text().splitlines()]
        fold_of = np.array([line["fold"] for line in lines if "fold" in line])
        predicted = np.where(fold_of[:, None] == 1, folds[0], folds[1]).argmax(1)
        assert record["scores"][name]["accuracy"] == pytest.approx((predicted == right).mean())


def test_pairs_are_pooled_and_cut_after_the_domain_step_as_before(tmp_path: Path) -> None:
    encoder = checkpoints.sentence_encoder(tmp_path / "encoder", max_length=24)
    pooling = {"word_embedding_dimension": 32, "pooling_mode_cls_token": True}
    (encoder / "1_Pooling/config.json").write_text(json.dumps(pooling))
    record = homeground.adapt_chain(write_chain(tmp_path, encoder, rows=topic_pairs(100), name="pairs"))
    assert record["primary_metric"] == "pearson"
    for name in ("domain", "adapted"):
        checkpoint = open_checkpoint(str(tmp_path / "out" / name))
        assert checkpoint.max_length == 24
        assert json.loads((checkpoint.folder / "1_Pooling/config.json").read_text())["pooling_mode_cls_token"]


def test_each_step_cleans_its_own_texts(tmp_path: Path, body: Path) -> None:
    path = write_chain(tmp_path, body)
    recipe = path.read_text() + '\n[domain.cleaning]\nclean = ["strip_html"]\n[task.cleaning]\nclean = ["lowercase"]\n'
    path.write_text(recipe)
    domain = tmp_path / "domain.txt"
    domain.write_text("\n".join(f"<p>{line}</p>" for line in domain.read_text().splitlines()))
    record = homeground.adapt_chain(path, quiet=True)
    out = tmp_path / "out"
    steps = {name: json.loads((out / name / "data.json").read_text())["cleaning"] for name in ("domain", "plain")}
    assert (steps["domain"]["steps"], steps["domain"]["only_train"]) == (["strip_html"], True)
    assert (steps["plain"]["steps"], steps["plain"]["only_train"]) == (["lowercase"], False)
    saved = {name: json.loads((out / name / "model/homeground.json").read_text()) for name in ("domain", "adapted")}
    assert "cleaning" not in saved["domain"]
    assert saved["adapted"]["cleaning"]["steps"] == ["lowercase"]
    assert record["test_texts"]["left_out"] == Run(out / "plain").scores["test_examples"]


def test_an_error_names_its_step(tmp_path: Path, body: Path) -> None:
    path = write_chain(tmp_path, body)
    with pytest.raises(UsageError, match=r"^\[task\] --epochs"):
        read_chain(path, **{"task.epochs": -1})
    with pytest.raises(UsageError, match=r'^\[domain\] "seed" belongs at the top'):
        read_chain(path, **{"domain.seed": 1})
    with pytest.raises(homeground.HomegroundError, match=r"^\[plain\] --max-length 999"):
        homeground.adapt_chain(path, **{"task.max_length": 999})


def test_a_setting_without_a_step_is_refused_with_the_two_ways_to_say_it(
    tmp_path: Path, body: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["adapt", str(write_chain(tmp_path, body)), "--epochs", "2"]) == 2
    assert "--set domain.epochs=… or --set task.epochs=…" in capsys.readouterr().err


def test_several_seeds_are_refused_because_single_trainings_are_compared(tmp_path: Path, body: Path) -> None:
    with pytest.raises(homeground.HomegroundError, match=r"^\[task\] --seeds is not available in a chain"):
        read_chain(write_chain(tmp_path, body), **{"task.seeds": 5})


def test_a_folder_with_anything_else_in_it_is_never_taken_for_a_chain(tmp_path: Path, body: Path) -> None:
    path = write_chain(tmp_path, body)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("all of it")
    with pytest.raises(RunConflict, match="holds no chain"):
        homeground.adapt_chain(path, fresh=True)
    assert (tmp_path / "out/thesis.txt").read_text() == "all of it"


def test_the_chain_of_the_guide_is_read_as_it_says(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs/chain.md").read_text(encoding="utf-8")
    path = tmp_path / "chain.toml"
    path.write_text(guide.partition("```toml\n")[2].partition("```")[0], encoding="utf-8")
    chain = read_chain(path)
    assert chain.folder == Path("runs/complaints")
    assert (chain.domain.task, chain.domain.training.epochs) == ("mlm", 2)
    assert (chain.plain.data, chain.plain.training.epochs) == (str(tmp_path / "labelled.csv"), 3)
    assert chain.adapted.checkpoint == str(chain.folder / "domain")


def test_every_field_of_the_record_is_described(chained: tuple[Path, dict[str, Any]]) -> None:
    guide = (Path(__file__).parents[2] / "docs/scores.md").read_text(encoding="utf-8")
    record = chained[1]
    named = {
        *record,
        *record["scores"],
        *record["comparisons"],
        *record["comparisons"]["domain"],
        *record["test_texts"],
    }
    assert not {name for name in named if f"`{name}`" not in guide}


def test_a_chain_is_told_from_a_recipe(tmp_path: Path, body: Path) -> None:
    path = write_chain(tmp_path, body)
    assert is_chain(path)
    with pytest.raises(UsageError, match="the recipe of a chain"):
        homeground.adapt(path)
    path.write_text('data = "labelled.csv"\ntask = "classification"\n')
    assert not is_chain(path)
    assert not is_chain(tmp_path / "labelled.csv")


def test_a_dry_run_estimates_every_step_and_writes_nothing(
    tmp_path: Path, body: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["adapt", str(write_chain(tmp_path, body)), "--dry-run", "--quiet"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("plain: ")
    assert "domain: " in printed
    assert not (tmp_path / "out").exists()
    assert command(["adapt", str(write_chain(tmp_path, body)), "--dry-run", "--quiet", "--processes", "3"]) == 2
    assert "--processes 3: expected a power of two" in capsys.readouterr().err


def test_steps_with_other_threads_are_refused(tmp_path: Path, body: Path) -> None:
    with pytest.raises(UsageError, match="the steps have other --threads; give all of them one number"):
        homeground.adapt_chain(write_chain(tmp_path, body), **{"task.threads": 2})


def test_fresh_moves_the_whole_chain_aside(tmp_path: Path, body: Path, write_csv: Callable[..., Path]) -> None:
    path = write_chain(tmp_path, body)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/chain.json").write_text('{"version": 1, "state": "running"}')
    with pytest.raises(homeground.HomegroundError):
        homeground.adapt_chain(path, fresh=True, **{"task.max_length": 999})
    assert (tmp_path / "out.old-1/chain.json").is_file()
