"""What one model learns and keeps, through whole runs of a tiny encoder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import FAST, PAIR_HEADER, topic_pairs
from transformers import AutoModel

import homeground
from homeground.errors import UsageError
from homeground.experiment.training_run import Note
from homeground.results.run import Run

MARGIN = 0.2


@pytest.fixture(scope="module")
def general(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return pairs scored as the untouched encoder sees them, so that whatever it learns costs general ability."""
    pairs = [(first, second) for first, second, _ in topic_pairs(400, seed=9)]
    scores = homeground.load(str(encoder)).similarity(*map(list, zip(*pairs, strict=True)))
    path = tmp_path_factory.mktemp("general") / "general.csv"
    rows = [f"{first},{second},{score}" for (first, second), score in zip(pairs, scores, strict=True)]
    path.write_text("\n".join([",".join(PAIR_HEADER), *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "pairs.csv"
    rows = [f"{first},{second},{score}" for first, second, score in topic_pairs(600)]
    path.write_text("\n".join([",".join(PAIR_HEADER), *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def kept(data: Path, encoder: Path, general: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run that was merged back as far as keeps general ability."""
    out = tmp_path_factory.mktemp("runs") / "kept"
    settings = {"checkpoint": str(encoder), "keep_general": str(general), "general_margin": MARGIN, **FAST}
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


def test_the_saved_weights_lie_between_the_checkpoint_and_what_was_learned(
    kept: Run, data: Path, encoder: Path, tmp_path: Path
) -> None:
    tuned = homeground.adapt(data, out=str(tmp_path / "tuned"), checkpoint=str(encoder), **FAST)
    assert tuned.scores["merging"] is None
    weight = kept.scores["merging"]["weight"]
    base, learned, merged = (
        {name: value.numpy() for name, value in AutoModel.from_pretrained(folder).state_dict().items()}
        for folder in (encoder, tuned.model_folder, kept.model_folder)
    )
    for name, value in merged.items():
        np.testing.assert_allclose(value, (1 - weight) * base[name] + weight * learned[name], rtol=0, atol=1e-6)


def test_the_verdict_on_general_ability_rests_on_pairs_that_did_not_choose(kept: Run) -> None:
    found, merging = kept.scores["general"], kept.scores["merging"]
    assert found["examples"] + merging["general_examples"] == 400
    assert abs(found["examples"] - 200) < 20
    assert found["before"] == pytest.approx(1.0, abs=1e-3)
    card = (kept.model_folder / "README.md").read_text(encoding="utf-8")
    assert f"the weights lie {100 * merging['weight']:.0f}% of the way from the checkpoint" in card
    assert 'id="merging"' in (kept.folder / "report.html").read_text(encoding="utf-8")


def test_cross_fitted_models_are_merged_fold_by_fold(
    write_csv: Callable[..., Path], encoder: Path, general: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    run = homeground.adapt(
        write_csv("small.csv", PAIR_HEADER, topic_pairs(60)),
        out=str(tmp_path / "run"),
        checkpoint=str(encoder),
        keep_general=str(general),
        listen=lambda event: told.append(event.text) if isinstance(event, Note) else None,
        **{**FAST, "epochs": 1},
    )
    assert run.scores["cross_fit"] == 5
    weights = run.scores["merging"]["fold_weights"]
    assert len(weights) == 5 and all(0 <= weight <= 1 for weight in weights)
    assert ", ".join(f"{weight:.1f}" for weight in weights) in run.report.read_text(encoding="utf-8")
    assert sum(text.startswith("merge weight 0.5") for text in told) == 6


def test_without_a_validation_split_nothing_can_choose_how_much_is_kept(
    data: Path, encoder: Path, general: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="--keep-general chooses how much is kept on a validation split"):
        homeground.adapt(
            data, out=str(tmp_path / "run"), checkpoint=str(encoder), keep_general=str(general), validation=0, **FAST
        )
    assert not (tmp_path / "run").exists()


def test_what_was_learned_is_measured_beside_validation_every_epoch(kept: Run) -> None:
    written = (kept.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    lines = [line for line in map(json.loads, written) if "validation/pearson" in line]
    assert len(lines) == FAST["epochs"] and all(-1 <= line["train/pearson"] <= 1 for line in lines)
