from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import bootstrap, pearsonr
from tests import checkpoints
from tests.conftest import PAIR_HEADER, topic_pairs

import homeground
from homeground.cli import run
from homeground.errors import CheckpointError, DataError, UsageError
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


@pytest.fixture
def learned(write_csv: Callable[..., Path]) -> str:
    """The very rows that the finished run split into train, validation and test, and one without text."""
    return str(write_csv("old.csv", PAIR_HEADER, [*topic_pairs(900), ("", "bank", 0.5)]))


def test_rows_that_a_model_learned_from_are_left_out_for_both(
    finished: Run, encoder: Path, learned: str, write_csv: Callable[..., Path]
) -> None:
    run_folder, untouched = str(finished.folder), str(encoder)
    result = homeground.compare(untouched, run_folder, learned, bootstrap_draws=300)
    tested = {row["row"] for row in finished_examples(finished)}
    clean = [row for number, row in enumerate(topic_pairs(900), 1) if number in tested]
    expected = homeground.compare(untouched, run_folder, str(write_csv("clean.csv", PAIR_HEADER, clean)))
    for name in ("verdict", "before", "after", "test_examples", "test_units"):
        assert result[name] == expected[name]
    assert result["test_examples"] == 200 and result["seen_in_training"] == {"first": 0, "second": 700}
    left_out = result["left_out"]
    assert (left_out["examples"], left_out["of"], left_out["seen"]) == (700, 900, {"first": 0, "second": 700})
    assert f"700 of 900 were left out: their texts are in the training data of {run_folder}" in result["sentence"]
    everything = homeground.compare(untouched, run_folder, learned, bootstrap_draws=300, keep_contaminated=True)
    assert left_out["after"] == everything["after"]
    assert left_out["difference"]["value"] == everything["difference"]["value"]
    # Kept, they block a verdict in favour of the model that learned from them, on either side.
    assert everything["verdict"] == "NO EVIDENCE" and everything["left_out"] is None
    turned = homeground.compare(run_folder, untouched, learned, bootstrap_draws=300, keep_contaminated=True)
    assert turned["verdict"] == "NO EVIDENCE"
    assert homeground.compare(run_folder, untouched, learned, bootstrap_draws=300)["verdict"] == "HURT"


def finished_examples(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.folder / "examples.jsonl").read_text().splitlines()]


def test_what_is_evaluated_is_what_the_run_did_not_learn_from(
    finished: Run, encoder: Path, learned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result = homeground.evaluate(str(finished.folder), learned, bootstrap_draws=300)
    assert (result["test_examples"], result["seen_in_training"], result["left_out"]["of"]) == (200, 700, 900)
    assert result["scores"]["pearson"] == pytest.approx(finished.scores["after"]["pearson"], abs=1e-6)
    kept = homeground.evaluate(str(finished.folder), learned, bootstrap_draws=300, keep_contaminated=True)
    assert (kept["test_examples"], kept["left_out"]) == (900, None)
    assert kept["scores"] == result["left_out"]["after"]
    assert run(["evaluate", str(finished.folder), learned]) == 0
    printed = capsys.readouterr().out
    assert "700 of 900 were left out: their texts are in the training data of" in printed
    assert f"with them pearson is {kept['scores']['pearson']:.3f}" in printed
    assert run(["evaluate", str(finished.folder), learned, "--keep-contaminated"]) == 0
    assert "700 of them are in the training data" in capsys.readouterr().out
    assert run(["evaluate", str(encoder), learned]) == 0
    assert "1 row skipped (empty text)" in capsys.readouterr().out


def test_the_terminal_says_which_model_was_trained_on_the_examples(
    finished: Run, encoder: Path, learned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compare", str(finished.folder), str(encoder), learned]) == 0
    printed = capsys.readouterr().out
    assert f"{finished.folder} was trained on 700" in printed and f"{encoder} was trained on" not in printed
    assert "1 row skipped (empty text)" in printed


def test_examples_that_were_all_learned_from_give_no_verdict(
    finished: Run, encoder: Path, write_csv: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    tested = {row["row"] for row in finished_examples(finished)}
    rows = [row for number, row in enumerate(topic_pairs(900), 1) if number not in tested][:50]
    data = str(write_csv("seen.csv", PAIR_HEADER, rows))
    result = homeground.compare(str(encoder), str(finished.folder), data, bootstrap_draws=300)
    assert (result["verdict"], result["test_examples"], result["test_units"]) == ("TOO FEW", 0, 0)
    assert result["difference"]["low"] is None
    assert "50 of 50 were left out" in result["sentence"]
    assert run(["evaluate", str(finished.folder), data]) == 0
    assert "50 of them are in the training data" in capsys.readouterr().out


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


def test_a_file_is_measured_in_the_columns_the_model_learned_from(
    write_csv: Callable[..., Path], tmp_path: Path
) -> None:
    model = checkpoints.bert(tmp_path / "model")
    settings = {"version": 1, "task": "mlm", "columns": {"text": "title,body"}}
    (model / "homeground.json").write_text(json.dumps(settings))
    rows = [(f"bank {n}", "court", f"the judge and the police {n}") for n in range(12)]
    data = write_csv("news.csv", ["title", "text", "body"], rows)

    def columns(**named: str) -> str:
        return homeground.evaluate(str(model), str(data), bootstrap_draws=300, **named)["understood"]

    assert '"title,body"' in columns()
    assert 'plain texts, "body"' in columns(text="body")


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


def test_errors_on_two_scales_are_not_compared(
    encoder: Path, tmp_path: Path, write_csv: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    cosine = tmp_path / "cosine"
    shutil.copytree(encoder, cosine)
    (cosine / "homeground.json").write_text(json.dumps({"task": "similarity", "similarity": "cosine"}))
    data = write_csv("new.csv", PAIR_HEADER, topic_pairs(100, seed=5))
    result = homeground.compare(str(encoder), str(cosine), str(data), bootstrap_draws=300)
    assert set(result["before"]) == set(result["after"]) == {"pearson", "spearman"}
    assert not {"mse", "mae", "mape"} & set(result["differences"])
    (note,) = result["notes"]
    assert note.startswith("mse, mae, mape are left out")
    assert "angular" in note
    assert "cosine" in note
    assert run(["compare", str(encoder), str(cosine), str(data)]) == 0
    assert note in capsys.readouterr().out
    alike = homeground.compare(str(cosine), str(cosine), str(data), bootstrap_draws=300)
    assert {"mse", "mae"} <= set(alike["before"])
    assert alike["notes"] == []
    with pytest.raises(UsageError, match="--primary-metric mse compares"):
        homeground.compare(str(encoder), str(cosine), str(data), primary_metric="mse")


def test_unknown_tokens_are_said_wherever_a_file_is_measured(encoder: Path, write_csv: Callable[..., Path]) -> None:
    data = write_csv("new.csv", PAIR_HEADER, [(f"{one} 龘", two, score) for one, two, score in topic_pairs(60, seed=5)])
    (note,) = homeground.evaluate(str(encoder), str(data), bootstrap_draws=300)["notes"]
    assert "of the tokens of the texts are unknown to the tokenizer" in note
    assert homeground.compare(str(encoder), str(encoder), str(data), bootstrap_draws=300)["notes"] == [note]
