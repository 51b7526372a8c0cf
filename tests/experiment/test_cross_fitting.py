"""Cross-fitting: every example is measured by the models of its own fold, and no finished fold is trained again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.classifying import topic_texts
from tests.conftest import FAST, PAIR_HEADER, topic_pairs
from tests.runs import Broken, broken_at, read_lines, recorder

import homeground
from homeground.storage import read_array


def test_small_data_is_cross_fitted_and_says_so(write_csv: Callable[..., Path], encoder: Path, tmp_path: Path) -> None:
    data = write_csv("small.csv", PAIR_HEADER, topic_pairs(90))
    run = homeground.adapt(data, checkpoint=str(encoder), out=str(tmp_path / "run"), **{**FAST, "batch_size": 8})
    assert run.scores["cross_fit"] == 5
    assert run.scores["test_examples"] == 90
    assert "5-fold cross-fitting" in run.sentence
    assert sorted(path.name for path in (run.folder / "folds").iterdir()) == list("12345")
    assert set(run.scores["baselines"]) == {"TF-IDF"}


def test_cross_fitted_models_are_merged_fold_by_fold(
    write_csv: Callable[..., Path], encoder: Path, costly_general: Path, tmp_path: Path
) -> None:
    events: list[str] = []
    run = homeground.adapt(
        write_csv("small.csv", PAIR_HEADER, topic_pairs(60)),
        out=str(tmp_path / "run"),
        checkpoint=str(encoder),
        keep_general=str(costly_general),
        on_event=recorder(events),
        **{**FAST, "epochs": 1},
    )
    assert run.scores["cross_fit"] == 5
    weights = run.scores["merging"]["fold_weights"]
    assert len(weights) == 5 and all(0 <= weight <= 1 for weight in weights)
    assert ", ".join(f"{weight:.1f}" for weight in weights) in run.report_path.read_text(encoding="utf-8")
    assert sum(text.startswith("merge weight 0.5") for text in events) == 6


def test_each_example_is_predicted_by_its_fold_and_no_finished_fold_is_trained_again(
    write_csv: Callable[..., Path], encoder: Path, tmp_path: Path
) -> None:
    data, out = write_csv("small.csv", PAIR_HEADER, topic_pairs(60)), tmp_path / "run"
    settings = {**FAST, "epochs": 1, "cross_fit": 3, "checkpoint": str(encoder), "out": str(out)}
    events: list[str] = []
    with pytest.raises(Broken):
        homeground.adapt(data, on_event=broken_at("fold 2 of 3", events), **settings)
    assert [(out / f"folds/{fold}/predictions.npy").is_file() for fold in (1, 2)] == [True, False]
    run = homeground.adapt(data, on_event=recorder(events), **settings)
    assert [events.count(f"fold {fold} of 3") for fold in (1, 2, 3)] == [1, 2, 1]

    fold_of = np.array([line["fold"] for line in read_lines(out / "splits.jsonl") if line["split"] == "test"])
    before, after = read_array(out / "predictions.npy")
    for fold in (1, 2, 3):
        own_before, own_after = read_array(out / f"folds/{fold}/predictions.npy")
        assert np.array_equal(after[fold_of == fold], own_after[fold_of == fold])
        assert not np.array_equal(after[fold_of != fold], own_after[fold_of != fold])
        # Nothing is fitted to a fold, so every fold begins with the checkpoint as it is.
        assert np.array_equal(before, own_before)
    assert [line["after"] for line in read_lines(out / "examples.jsonl")] == pytest.approx(after, abs=1e-4)
    assert not list(run.folder.rglob("checkpoints"))


def test_a_head_is_fitted_for_every_fold_and_taken_together_for_the_test(
    write_csv: Callable[..., Path], classifier: Path, tmp_path: Path
) -> None:
    data = write_csv("texts.csv", ["text", "label"], topic_texts(90))
    settings = {**FAST, "epochs": 1, "cross_fit": 2, "checkpoint": str(classifier)}
    run = homeground.adapt(data, out=str(tmp_path / "run"), **settings)
    fold_of = np.array([line["fold"] for line in read_lines(run.folder / "splits.jsonl") if line["split"] == "test"])
    folds = [read_array(run.folder / f"folds/{fold}/predictions.npy")[0] for fold in (1, 2)]
    assert not np.array_equal(*folds)
    labels = [example[1] for example in topic_texts(90)]
    right = np.array([run.scores["classes"].index(label) for label in labels])
    predicted = np.where(fold_of[:, None] == 1, *folds).argmax(1)
    assert run.scores["before"]["accuracy"] == pytest.approx((predicted == right).mean())
    frozen = [read_array(run.folder / f"folds/{fold}/frozen.npy") for fold in (1, 2)]
    chosen = np.where(fold_of[:, None] == 1, *frozen).argmax(1)
    assert run.scores["baselines"]["frozen embeddings"]["accuracy"] == pytest.approx((chosen == right).mean())
