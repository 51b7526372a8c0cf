"""What one model learns and keeps: its training, what follows it, and what the plan leaves out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from tests.classifying import topic_texts
from tests.conftest import FAST, PAIR_HEADER, topic_pairs
from tests.runs import read_lines, recorder
from transformers import AutoModel

import homeground
from homeground.errors import UsageError
from homeground.experiment.plan import Trial, plan
from homeground.experiment.setup import Setup
from homeground.experiment.training_run import open_baseline_model, train_one
from homeground.results.run import Run
from homeground.training.events import ignore

MARGIN = 0.2


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "pairs.csv"
    rows = [f"{first},{second},{score}" for first, second, score in topic_pairs(600)]
    path.write_text("\n".join([",".join(PAIR_HEADER), *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def kept(data: Path, encoder: Path, costly_general: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run that was merged back as far as keeps general ability."""
    out = tmp_path_factory.mktemp("runs") / "kept"
    settings = {"checkpoint": str(encoder), "keep_general": str(costly_general), "general_margin": MARGIN, **FAST}
    return homeground.adapt(data, out=str(out), **settings)


def test_the_greatest_gain_within_half_the_margin_is_kept(kept: Run) -> None:
    merging = kept.scores["merging"]
    points = {point["weight"]: point for point in merging["points"]}
    assert list(points) == [step / 10 for step in range(11)]
    assert merging["budget"] == MARGIN / 2
    assert 0 < merging["weight"] < 1
    within = {
        weight: point for weight, point in points.items() if point["general"]["value"] >= -MARGIN / 2 or weight == 0
    }
    assert merging["weight"] in within
    assert merging["weight"] == max(within, key=lambda weight: within[weight]["domain"]["value"])
    assert points[1.0]["general"]["value"] < -MARGIN / 2
    assert points[0.0]["domain"]["value"] == points[0.0]["general"]["value"] == 0


@pytest.fixture(scope="module")
def tuned(data: Path, encoder: Path, costly_general: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return the same run without merging."""
    out = tmp_path_factory.mktemp("runs") / "tuned"
    settings = {"checkpoint": str(encoder), "general": str(costly_general), "general_margin": MARGIN, **FAST}
    return homeground.adapt(data, out=str(out), **settings)


def test_what_is_learned_costs_more_general_ability_than_the_margin(tuned: Run) -> None:
    general = tuned.scores["general"]
    assert general["before"] == pytest.approx(1.0, abs=1e-3)
    assert general["difference"]["high"] < -MARGIN
    assert general["verdict"] == "FORGOT"


def test_the_saved_weights_lie_between_the_checkpoint_and_what_was_learned(
    kept: Run, tuned: Run, encoder: Path
) -> None:
    assert tuned.scores["merging"] is None
    weight = kept.scores["merging"]["weight"]
    base, learned, merged = (
        {name: value.numpy() for name, value in AutoModel.from_pretrained(folder).state_dict().items()}
        for folder in (encoder, tuned.model_folder, kept.model_folder)
    )
    for name, value in merged.items():
        np.testing.assert_allclose(value, (1 - weight) * base[name] + weight * learned[name], rtol=0, atol=1e-6)


def test_the_verdict_on_general_ability_rests_on_pairs_that_did_not_choose(kept: Run) -> None:
    general, merging = kept.scores["general"], kept.scores["merging"]
    assert general["examples"] + merging["general_examples"] == 400
    assert abs(general["examples"] - 200) < 20
    assert general["before"] == pytest.approx(1.0, abs=1e-3)
    card = (kept.model_folder / "README.md").read_text(encoding="utf-8")
    assert f"they are {100 * merging['weight']:.0f}% of the way from the checkpoint" in card
    assert 'id="merging"' in (kept.folder / "report.html").read_text(encoding="utf-8")


def test_without_a_validation_split_nothing_can_choose_how_much_is_kept(
    data: Path, encoder: Path, costly_general: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="--keep-general chooses how much is kept on a validation split"):
        homeground.adapt(
            data,
            out=str(tmp_path / "run"),
            checkpoint=str(encoder),
            keep_general=str(costly_general),
            validation=0,
            **FAST,
        )
    assert not (tmp_path / "run").exists()


def test_what_was_learned_is_measured_beside_validation_every_epoch(kept: Run) -> None:
    lines = [line for line in read_lines(kept.folder / "metrics.jsonl") if "validation/pearson" in line]
    assert len(lines) == FAST["epochs"] and all(-1 <= line["train/pearson"] <= 1 for line in lines)


@pytest.fixture
def labelled(write_csv: Callable[..., Path], set_up: Callable[..., Setup], classifier: Path, tmp_path: Path) -> Setup:
    """Return the setup of a classifier that is merged and calibrated where the plan does not leave that out."""
    data = write_csv("texts.csv", ["text", "label"], topic_texts(300))
    general = str(write_csv("general.csv", ["text", "label"], topic_texts(60, seed=9)))
    settings = {**FAST, "epochs": 1, "cross_fit": 0, "checkpoint": str(classifier), "target_precision": 0.3}
    return set_up(data, keep_general=general, general_margin=0.5, **settings)


@pytest.mark.parametrize("part", ["nothing", "merged", "calibrated", "tested"])
def test_what_the_plan_leaves_out_is_not_done(part: str, labelled: Setup, tmp_path: Path) -> None:
    events: list[str] = []
    setup = labelled
    before = open_baseline_model(setup, setup.splits.kept, tmp_path, recorder(events))
    wanted = dict.fromkeys(("merged", "calibrated", "tested"), False) | ({part: True} if part != "nothing" else {})
    # What has no rows cannot be measured, so whoever measured it all the same would fail.
    if part != "tested":
        setup = replace(setup, test=replace(setup.test, rows=None))
    if part != "merged":
        assert setup.keep_general is not None
        setup = replace(setup, keep_general=replace(setup.keep_general, rows=None))
    trained = train_one(
        setup, replace(plan(setup)[-1], **wanted), tmp_path / "training", recorder(events), before=before
    )
    assert (trained.merged is not None) == (part == "merged")
    assert (trained.calibration is not None) == (part == "calibrated")
    assert (trained.tested is not None) == (part == "tested")
    assert any(text.startswith("merge weight") for text in events) == (part == "merged")
    assert any(text.startswith("temperature") for text in events) == (part == "calibrated")
    assert (trained.model is trained.tuned) == (part != "merged")
    assert events.count("Finished") == 1 and trained.finished.step > 0
    assert trained.before is before


def test_settings_and_seed_are_those_of_the_plan_and_not_of_the_recipe(labelled: Setup, tmp_path: Path) -> None:
    before = open_baseline_model(labelled, labelled.splits.kept, tmp_path, ignore)
    kept = replace(plan(labelled)[-1], tested=False, merged=False, calibrated=False)

    def weights(name: str, **changes: Any) -> dict[str, np.ndarray]:
        trained = train_one(labelled, replace(kept, **changes), tmp_path / name, ignore, before=before)
        trained.model.save(tmp_path / name / "model")
        return load_file(tmp_path / name / "model" / "model.safetensors")

    first, again, other = weights("first"), weights("again"), weights("other", seed=1)
    none = weights("none", settings=Trial(learning_rate=0.0, epochs=1))
    assert all(np.array_equal(value, again[name]) for name, value in first.items())
    assert any(not np.array_equal(value, other[name]) for name, value in first.items())
    before.model.save(tmp_path / "before")
    untouched = load_file(tmp_path / "before" / "model.safetensors")
    assert all(np.array_equal(value, none[name]) for name, value in untouched.items())
    lines = read_lines(tmp_path / "none" / "metrics.jsonl")
    assert {line["train/learning_rate"] for line in lines if "train/loss" in line} == {0.0}


def test_a_training_goes_on_from_its_snapshots(labelled: Setup, tmp_path: Path) -> None:
    before = open_baseline_model(labelled, labelled.splits.kept, tmp_path, ignore)
    kept = replace(plan(labelled)[-1], merged=False, calibrated=False)
    first = train_one(labelled, kept, tmp_path / "training", ignore, before=before)
    events: list[str] = []
    again = train_one(labelled, kept, tmp_path / "training", recorder(events), before=before)
    assert "Step" not in events and events[-1] == "Finished"
    assert np.array_equal(first.after.predictions, again.after.predictions)
