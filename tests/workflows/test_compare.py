from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import bootstrap, pearsonr
from tests import checkpoints
from tests.conftest import PAIR_HEADER, topic_pairs

import homeground
from homeground.cli import run
from homeground.errors import CheckpointError, DataError
from homeground.results.run import Run


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_an_untouched_checkpoint_is_evaluated(encoder: Path, write_csv: Callable[..., Path]) -> None:
    rows = topic_pairs(300, seed=3)
    data = write_csv("new.csv", PAIR_HEADER, rows)
    result = homeground.evaluate(str(encoder), str(data), bootstrap_draws=2000)
    predicted = homeground.load(encoder).similarity([row[0] for row in rows], [row[1] for row in rows])
    gold = [row[2] for row in rows]
    assert result["scores"]["pearson"] == pytest.approx(pearsonr(predicted, gold)[0], abs=1e-6)
    expected = bootstrap(
        (predicted, gold), lambda x, y: pearsonr(x, y)[0], paired=True, vectorized=False, n_resamples=2000,
        method="percentile",
    ).confidence_interval  # fmt: skip
    assert result["interval"]["low"] == pytest.approx(expected.low, abs=0.03)
    assert result["interval"]["high"] == pytest.approx(expected.high, abs=0.03)
    assert result["seen_in_training"] == 0


def test_a_run_beats_its_checkpoint_on_new_pairs(finished: Run, encoder: Path, write_csv: Callable[..., Path]) -> None:
    data = write_csv("new.csv", PAIR_HEADER, topic_pairs(300, seed=4))
    result = homeground.compare(str(encoder), str(finished.folder), str(data), bootstrap_draws=500)
    assert result["verdict"] == "HELPED"
    assert result["difference"]["value"] == pytest.approx(result["after"]["pearson"] - result["before"]["pearson"])
    other_way = homeground.compare(str(finished.folder), str(encoder), str(data), bootstrap_draws=500)
    assert other_way["verdict"] == "HURT"
    assert other_way["test_set"]["verdict_number"] == 2


def test_a_checkpoint_against_itself_is_no_evidence(encoder: Path, write_csv: Callable[..., Path]) -> None:
    data = write_csv("new.csv", PAIR_HEADER, topic_pairs(100, seed=5))
    result = homeground.compare(str(encoder), str(encoder), str(data), bootstrap_draws=500)
    assert result["verdict"] == "NO EVIDENCE"
    assert result["difference"]["low"] == result["difference"]["high"] == 0


def test_rows_seen_in_training_are_counted_and_block_helped(
    finished: Run, encoder: Path, write_csv: Callable[..., Path]
) -> None:
    learned = topic_pairs(900)  # the very rows the finished run split into train, validation and test
    data = write_csv("old.csv", PAIR_HEADER, learned)
    assert homeground.evaluate(str(finished.folder), str(data), bootstrap_draws=300)["seen_in_training"] > 500
    result = homeground.compare(str(encoder), str(finished.folder), str(data), bootstrap_draws=300)
    assert result["verdict"] != "HELPED"
    assert result["seen_in_training"]["second"] > 500


def test_a_lead_that_may_be_memory_is_not_held_against_the_other_model(
    finished: Run, encoder: Path, write_csv: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*topic_pairs(900), ("", "bank", 0.5)]  # the very rows the finished run learned from, and one without text
    data = str(write_csv("old.csv", PAIR_HEADER, rows))
    assert homeground.compare(str(finished.folder), str(encoder), data, bootstrap_draws=300)["verdict"] == "NO EVIDENCE"
    assert run(["compare", str(finished.folder), str(encoder), data]) == 0
    printed = capsys.readouterr().out
    assert f"{finished.folder} was trained on " in printed and f"{encoder} was trained on" not in printed
    assert "1 row skipped (empty text)" in printed
    assert run(["evaluate", str(encoder), data]) == 0
    assert "1 row skipped (empty text)" in capsys.readouterr().out


def test_a_run_of_cosines_is_measured_on_the_scale_of_cosines(
    finished: Run, encoder: Path, write_csv: Callable[..., Path], tmp_path: Path
) -> None:
    model = tmp_path / "cosine"
    shutil.copytree(encoder, model)
    settings = {"version": 1, "task": "similarity", "similarity": "cosine"}
    (model / "homeground.json").write_text(json.dumps(settings))
    rows = topic_pairs(60, seed=6)
    data = write_csv("fives.csv", PAIR_HEADER, [(one, two, 5 * score) for one, two, score in rows])
    scores = homeground.evaluate(str(model), str(data), score_range="0,5", bootstrap_draws=300)["scores"]
    vectors = homeground.load(encoder).encode([text for row in rows for text in row[:2]])
    cosines = (vectors[0::2] * vectors[1::2]).sum(1)
    assert scores["mae"] == pytest.approx(np.abs(cosines - [row[2] for row in rows]).mean(), abs=1e-4)


def test_what_cannot_be_measured_is_told(encoder: Path, write_csv: Callable[..., Path], tmp_path: Path) -> None:
    data = write_csv("one.csv", PAIR_HEADER, topic_pairs(1))
    with pytest.raises(DataError, match="1 rows can be measured of 1"):
        homeground.evaluate(str(encoder), str(data))
    good = write_csv("good.csv", PAIR_HEADER, topic_pairs(50))
    with pytest.raises(CheckpointError):
        homeground.evaluate(str(tmp_path / "nothing"), str(good))
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError):
        homeground.compare(str(encoder), str(tmp_path / "empty"), str(good))


def test_other_architectures_are_measured_too(write_csv: Callable[..., Path], tmp_path: Path) -> None:
    data = write_csv("new.csv", PAIR_HEADER, topic_pairs(60))
    for build in (checkpoints.distilbert, checkpoints.roberta):
        result = homeground.evaluate(str(build(tmp_path / build.__name__)), str(data), bootstrap_draws=300)
        assert -1 <= result["scores"]["pearson"] <= 1


def test_scores_that_hardly_differ_are_measured_without_an_interval(
    encoder: Path, write_csv: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_csv("flat.csv", PAIR_HEADER, [("a", "b", 0.5), ("c", "d", 0.5), ("e", "f", 0.5), ("g", "h", 0.9)])
    assert run(["evaluate", str(encoder), str(data)]) == 0
    assert "too few examples" in capsys.readouterr().out
