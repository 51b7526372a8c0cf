"""The runs below a folder, and two of them compared on the test that they have in common."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import PAIR_HEADER, topic_pairs
from tests.runs import listed_anew

import homeground
from homeground.cli import run
from homeground.errors import UsageError
from homeground.results.run import Run
from homeground.storage import read_json


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def adapt(encoder: Path, write_csv: Callable[..., Path]) -> Callable[..., int]:
    """Return a function that adapts the tiny encoder to the same 300 pairs, or to other data."""
    write_csv("pairs.csv", PAIR_HEADER, topic_pairs(300))

    def adapt(*more: str, data: str = "pairs.csv") -> int:
        common = ["--checkpoint", str(encoder), "--epochs", "1", "--bootstrap-draws", "200", "--quiet"]
        return run(["adapt", data, *common, *more])

    return adapt


def test_runs_are_listed_with_what_they_showed(
    adapt: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert adapt() == 0
    assert adapt("--learning-rate", "1e-3", "--out", "runs/deep/faster") == 0
    Path("runs/damaged").mkdir()
    Path("runs/damaged/run.json").write_text("{", encoding="utf-8")
    Path("runs/begun").mkdir()
    Run("runs/begun").write_record(state="running", started="2026-01-01T00:00:00+00:00")
    capsys.readouterr()
    assert run(["runs", "--json"]) == 0
    listed = {Path(each["folder"]).as_posix(): each for each in json.loads(capsys.readouterr().out)}
    assert list(listed) == ["runs/damaged", "runs/begun", "runs/pairs-similarity", "runs/deep/faster"]
    for folder in ("runs/pairs-similarity", "runs/deep/faster"):
        scores = Run(Path(folder)).scores
        assert listed[folder]["verdict"] == scores["verdict"]
        assert listed[folder]["before"] == scores["before"]["pearson"]
        assert listed[folder]["after"] == scores["after"]["pearson"]
        assert listed[folder]["data"] == "pairs.csv"
        assert listed[folder]["test_hash"] == scores["test_set"]["hash"]
    assert listed["runs/damaged"]["verdict"] == "unreadable"
    assert listed["runs/begun"]["verdict"] == "unfinished"
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["runs"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert max(map(len, shown)) <= 80
    assert sum("runs/deep/faster" in line for line in shown) == 2  # in two blocks of columns


def test_a_folder_without_runs_is_told_from_one_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs"]) == 2
    assert "runs: no such folder" in capsys.readouterr().err
    Path("runs").mkdir()
    assert run(["runs"]) == 0
    assert capsys.readouterr().out == "no runs below runs\n"


def test_two_runs_are_compared_on_their_common_test_from_what_they_stored(
    adapt: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert adapt() == 0
    assert adapt("--learning-rate", "1e-3", "--out", "runs/faster") == 0
    capsys.readouterr()
    assert run(["compare", "runs/pairs-similarity", "runs/faster", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    scores = [read_json(Path(folder) / "scores.json") for folder in ("runs/pairs-similarity", "runs/faster")]
    assert result["before"]["pearson"] == pytest.approx(scores[0]["after"]["pearson"], abs=1e-12)
    assert result["after"]["pearson"] == pytest.approx(scores[1]["after"]["pearson"], abs=1e-12)
    assert result["test_examples"] == scores[0]["test_examples"]
    assert result["test_set"]["hash"] == scores[0]["test_set"]["hash"]
    # The two verdicts of adapt are counted on this test as well.
    assert result["test_set"]["verdict_number"] == 3
    in_python = homeground.compare(Run(Path("runs/pairs-similarity")), "runs/faster")
    assert (in_python["difference"], in_python["verdict"]) == (result["difference"], result["verdict"])
    with pytest.raises(UsageError, match="text_1: only for data"):
        homeground.compare("runs/pairs-similarity", "runs/faster", text_1="base")
    assert run(["compare", "runs/faster", "runs/faster"]) == 0
    assert "NO EVIDENCE" in capsys.readouterr().out


def test_runs_without_a_common_test_are_refused_with_the_reason(
    adapt: Callable[..., int], write_csv: Callable[..., Path], capsys: pytest.CaptureFixture[str], encoder: Path
) -> None:
    assert adapt() == 0
    write_csv("other.csv", PAIR_HEADER, topic_pairs(300, seed=4))
    assert adapt(data="other.csv") == 0
    capsys.readouterr()

    def refusal(*names: str) -> str:
        assert run(["compare", *names]) == 2
        (line,) = capsys.readouterr().err.splitlines()[-1:]
        return line

    ours = "runs/pairs-similarity"
    assert "were tested on other examples; name the data" in refusal(ours, "runs/other-similarity")
    assert "is not a finished run; name two finished runs, or the DATA" in refusal(ours, str(encoder))
    assert "there is no such run" in refusal(ours, "runs/gone")
    assert "--max-length: only for DATA" in refusal(ours, ours, "--max-length", "8")
    with Path("pairs.csv").open("a", encoding="utf-8") as file:
        file.write("one,two,0.5\n")
    assert "pairs.csv has changed since this run was made" in refusal(ours, ours)


def test_a_damaged_line_of_the_ledger_is_said(adapt: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    Path("runs").mkdir()
    Path("runs/ledger.jsonl").write_text('{"version": 2, "test_hash": "t", "run": "a", "fingerprint": "f"}\n')
    assert adapt() == 0
    assert "homeground: runs/ledger.jsonl: line 1 cannot be read and is not counted" in capsys.readouterr().err


def test_predictions_that_do_not_give_the_reported_scores_are_refused(
    adapt: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert adapt() == 0
    path = Path("runs/pairs-similarity/predictions.npy")
    np.save(path, np.load(path)[::-1])
    capsys.readouterr()
    assert run(["compare", "runs/pairs-similarity", "runs/pairs-similarity"]) == 2
    assert "predictions.npy is damaged: it is not as it was written" in capsys.readouterr().err
    listed_anew(Path("runs/pairs-similarity"))
    assert run(["compare", "runs/pairs-similarity", "runs/pairs-similarity"]) == 2
    assert "and scores.json reports" in capsys.readouterr().err


def test_runs_whose_test_was_learned_from_give_no_verdict_on_it(
    adapt: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert adapt("--test", "pairs.csv") == 0
    assert Run(Path("runs/pairs-similarity")).verdict == "TOO FEW"
    capsys.readouterr()
    assert run(["compare", "runs/pairs-similarity", "runs/pairs-similarity"]) == 2
    assert "nearly all of its test was learned from; name the DATA" in capsys.readouterr().err


def test_another_setting_suggests_a_folder_that_names_it(
    adapt: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert adapt() == 0
    assert adapt("--learning-rate", "1e-3") == 2
    assert "keep both with --out runs/pairs-similarity-learning-rate-0.001, or" in capsys.readouterr().err
    assert adapt("--learning-rate", "1e-3", "--seed", "3") == 2
    assert "keep both with --out runs/pairs-similarity-2, or" in capsys.readouterr().err
