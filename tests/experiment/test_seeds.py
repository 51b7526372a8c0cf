"""Several trainings of one recipe: what differs between them, what the verdict rests on, what is not done twice."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.classifying import lively, topic_texts
from tests.conftest import FAST, PAIR_HEADER, topic_pairs
from tests.runs import Broken, read_lines, recorder

import homeground
from homeground.cli import run as command
from homeground.errors import Stopped, TrainingFailed, UsageError
from homeground.evaluation.merging import WEIGHTS
from homeground.recipe.recipe import make_recipe
from homeground.results.run import Run
from homeground.storage import read_array
from homeground.training import events

ONE = {**FAST, "epochs": 1}
SEEDS = {**ONE, "seeds": 5}
T_4, Z = 2.7764451, 1.9599640


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, encoder: Path) -> tuple[Run, Run]:
    """A run with one training, and the same with five, stopped by a signal in the third and killed in the last."""
    folder = tmp_path_factory.mktemp("seeds")
    data = folder / "pairs.csv"
    rows = "".join(f"{one},{other},{score}\n" for one, other, score in topic_pairs(500))
    data.write_text(",".join(PAIR_HEADER) + "\n" + rows, encoding="utf-8")
    plain = homeground.adapt(data, checkpoint=str(encoder), out=str(folder / "plain"), **ONE)
    settings: dict[str, Any] = {**SEEDS, "checkpoint": str(encoder), "out": str(folder / "run")}
    events: list[str] = []

    def interrupt(event: object) -> None:
        recorded = len(events)
        recorder(events)(event)
        if len(events) == recorded:
            return
        third_step = events[-4:] == ["Started", "Step", "Step", "Step"]
        if third_step and "training 3 of 5, with seed 2" in events:
            signal.raise_signal(signal.SIGINT)

    def kill(event: object) -> None:
        recorder(events)(event)
        if events[-1].startswith("the model that is kept"):
            raise Broken

    with pytest.raises(Stopped):
        homeground.adapt(data, on_event=interrupt, **settings)
    assert not (folder / "run/seeds/3/predictions.npy").exists()
    with pytest.raises(Broken):
        homeground.adapt(data, on_event=kill, **settings)
    run = homeground.adapt(data, on_event=recorder(events), **settings)
    assert [sum(text.startswith(f"training {number} of 5") for text in events) for number in (2, 3, 4, 5)] == [
        1,
        2,
        1,
        1,
    ]
    return plain, run


def test_the_first_training_is_bit_for_bit_the_run_without_seeds(both: tuple[Run, Run]) -> None:
    plain, run = both
    for name in ("splits.jsonl", "examples.jsonl", "training_texts.npy", "model/model.safetensors"):
        assert (plain.folder / name).read_bytes() == (run.folder / name).read_bytes(), name
    one, several = plain.scores, run.scores
    for name in ("before", "after", "differences", "test_units", "baselines"):
        assert one[name] == several[name]
    own = {name: value for name, value in one["difference"].items() if name not in ("metric", "method")}
    assert several["seeds"]["saved_model"] == own
    assert one["seeds"] is None


def test_a_training_that_was_stopped_ends_as_the_unbroken_one(both: tuple[Run, Run], encoder: Path) -> None:
    _, run = both
    out = run.folder.with_name("third")
    data = run.folder.with_name("pairs.csv")
    # The third training alone: the splits of seed 0 as files, and seed 2 for all that is left to chance.
    splits = make_split_files(run, data)
    alone = homeground.adapt(splits["train"], checkpoint=str(encoder), out=str(out), seed=2, **ONE,
                             validation=splits["validation"], test=splits["test"])  # fmt: skip
    theirs = np.array([line["after"] for line in read_lines(alone.folder / "examples.jsonl")])
    mine = read_array(run.folder / "seeds/3/predictions.npy")
    assert np.abs(mine - theirs).max() < 1e-6


def make_split_files(run: Run, data: Path) -> dict[str, str]:
    """Write the splits of a run as files and return their names."""
    lines = data.read_text(encoding="utf-8").splitlines()
    files: dict[str, str] = {}
    places = read_lines(run.folder / "splits.jsonl")
    for split in ("train", "validation", "test"):
        rows = sorted(place["row"] for place in places if place["split"] == split)
        path = data.with_name(f"{split}.csv")
        path.write_text("\n".join([lines[0], *(lines[row] for row in rows)]) + "\n", encoding="utf-8")
        files[split] = str(path)
    return files


def test_the_verdict_rests_on_the_mean_and_on_both_sources_of_noise(both: tuple[Run, Run]) -> None:
    scores = both[1].scores
    seeds, difference = scores["seeds"], scores["difference"]
    values = [each["score"] for each in seeds["trainings"]]
    assert [each["seed"] for each in seeds["trainings"]] == [0, 1, 2, 3, 4]
    assert len(set(values)) == 5
    assert values[0] == scores["after"]["pearson"]
    assert seeds["mean"] == pytest.approx(np.mean(values))
    assert seeds["standard_deviation"] == pytest.approx(np.std(values, ddof=1))
    assert seeds["seeds_error"] == pytest.approx(seeds["standard_deviation"] / math.sqrt(5))
    assert difference["value"] == pytest.approx(np.mean(values) - scores["before"]["pearson"])
    assert difference["standard_error"] == pytest.approx(math.hypot(seeds["items_error"], seeds["seeds_error"]))
    half = (difference["high"] - difference["low"]) / 2
    assert half == pytest.approx(T_4 * difference["standard_error"], rel=0.2)
    assert scores["baseline_difference"]["value"] == pytest.approx(
        np.mean(values) - scores["baselines"]["TF-IDF"]["pearson"]
    )


def test_the_sentence_the_report_and_the_card_say_whom_the_verdict_is_about(
    both: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    _, run = both
    scores = run.scores
    assert "(mean of 5 trainings, standard deviation 0." in scores["sentence"]
    assert "(95% interval over test pairs and trainings +" in scores["sentence"]
    assert "the verdict is about the recipe; the saved model is that of the first seed" in scores["sentence"]
    page = run.report_path.read_text(encoding="utf-8")
    assert '<section aria-labelledby="seeds">' in page
    assert "the variance between training runs, estimated from 5 runs" in page
    assert "not the variance between training runs" not in page
    assert "covers test pairs and training runs" in page and "built-in" not in page
    card = (run.model_folder / "README.md").read_text(encoding="utf-8")
    assert "This model is that of the first run, with seed 0" in card
    assert command(["adapt", str(run.folder / "recipe.toml"), "--out", str(run.folder), "--quiet"]) == 0
    lines = capsys.readouterr().out
    own = scores["seeds"]["saved_model"]
    assert f"{own['value']:+.3f} ({own['low']:+.3f} to {own['high']:+.3f})" in lines
    assert "(seed 4); mean" in lines


def test_nothing_is_left_over_but_what_each_training_predicts(both: tuple[Run, Run]) -> None:
    _, run = both
    assert not list(run.folder.rglob("checkpoints"))
    assert sorted(path.name for path in (run.folder / "seeds").iterdir()) == ["2", "3", "4", "5"]


def test_a_run_with_one_training_says_that_its_interval_covers_test_items_only(finished: Run) -> None:
    page = finished.report_path.read_text(encoding="utf-8")
    assert "The interval covers the choice of test pairs only, not the variance between training runs." in page
    assert "--seeds 5" in page
    assert 'id="seeds"' not in page
    assert finished.scores["seeds"] is None


@pytest.mark.parametrize("number", [2, 3, 4])
def test_too_few_trainings_are_refused_with_the_reason(number: int) -> None:
    with pytest.raises(UsageError, match=rf"--seeds {number}: too few training runs .* expected 5 or more, or 0"):
        make_recipe({}, data="pairs.csv", seeds=number)
    for fine in (0, 1, 5):
        assert make_recipe({}, data="pairs.csv", seeds=fine).evaluation.seeds == fine


def test_cross_fitted_every_seed_has_models_of_its_own_for_the_same_folds(
    write_csv: Callable[..., Path], encoder: Path, tmp_path: Path
) -> None:
    data = write_csv("few.csv", PAIR_HEADER, topic_pairs(90))
    run = homeground.adapt(data, checkpoint=str(encoder), out=str(tmp_path / "run"), cross_fit=2, **SEEDS)
    scores = run.scores
    assert scores["cross_fit"] == 2
    assert len({each["score"] for each in scores["seeds"]["trainings"]}) == 5
    assert sorted(path.name for path in (run.folder / "seeds/5/folds").iterdir()) == ["1", "2"]
    # Whoever was held out is the same: before is the checkpoint, whatever the seed, and each fold's file says so.
    first, other = (read_array(run.folder / folder / "predictions.npy") for folder in ("folds/1", "seeds/2/folds/1"))
    assert np.array_equal(first[0], other[0]) and not np.array_equal(first[1], other[1])
    assert "the first seed" in run.report_path.read_text(encoding="utf-8")


def test_a_search_chooses_once_and_every_training_is_merged_and_calibrated_on_its_own(
    write_csv: Callable[..., Path], tmp_path: Path
) -> None:
    data = write_csv("texts.csv", ["text", "label"], topic_texts(400))
    general = write_csv("general.csv", PAIR_HEADER, topic_pairs(120, seed=9))
    reports: list[str] = []
    totals: list[int] = []

    def listen(event: object) -> None:
        recorder(reports)(event)
        totals.extend([event.total] if isinstance(event, events.Started) else [])

    settings = {**SEEDS, "search": 2, "primary_metric": "log_loss", "keep_general": str(general), "seed": 1}
    run = homeground.adapt(data, checkpoint=str(lively(tmp_path / "tiny")), out=str(tmp_path / "run"), on_event=listen,
                           cross_fit=0, **settings)  # fmt: skip
    scores = run.scores
    trials = scores["search"]["trials"]
    chosen = trials[scores["search"]["chosen"] - 1]
    # Two trials, then five trainings with the settings of the better one.
    assert totals[2:] == [totals[scores["search"]["chosen"] - 1]] * 5
    lines = read_lines(run.folder / "seeds/2/metrics.jsonl")
    assert max(line.get("train/learning_rate", 0) for line in lines) <= chosen["learning_rate"]
    assert scores["training"]["learning_rate"] == chosen["learning_rate"]
    assert sum(text.startswith("merge weight") for text in reports) == 5 * len(WEIGHTS)
    assert sum(text.startswith("temperature") for text in reports) == 5
    losses = [each["score"] for each in scores["seeds"]["trainings"]]
    assert scores["difference"]["value"] == pytest.approx(scores["before"]["log_loss"] - np.mean(losses))


def test_a_further_training_that_diverges_is_named_and_not_left_out(
    pairs_csv: Path, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*_: Any, **__: Any) -> None:
        raise TrainingFailed("step 3: the loss is nan")

    monkeypatch.setattr("homeground.experiment.seeds.train_one", diverge)
    with pytest.raises(TrainingFailed, match="training 2, with seed 8: step 3: the loss is nan"):
        homeground.adapt(pairs_csv, checkpoint=str(encoder), out=str(tmp_path / "run"), seed=7, **SEEDS)
