"""Many files are predicted by any number of processes: each whole, none twice, and the same bytes."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.classifying import EVERY_WORD, lively, topic_texts

import homeground
from homeground.cli import run as command
from homeground.inference import bulk as module
from homeground.inference import files as writing
from homeground.results.run import Run

FILES, ROWS = 6, 40


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("bulk")
    data = [{"text": text, "label": label} for text, label in topic_texts(80)]
    settings = {"epochs": 1, "cross_fit": 0, "audit": False, "quiet": True, "bootstrap_draws": 200}
    return homeground.adapt(data, checkpoint=str(lively(folder / "bert")), out=str(folder / "run"), **settings)


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "in"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(FILES):
        lines = [{"id": row, "text": " ".join(random.choice(EVERY_WORD, 5))} for row in range(ROWS)]
        lines[3]["text"] = ""
        (folder / f"part-{number}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def predicted(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.jsonl"))}


def predict(trained: Run, *more: str) -> int:
    return command(["predict", str(trained.folder), "--input", "in/*.jsonl", *more])


def test_files_are_the_same_whoever_predicts_them(
    trained: Run, inputs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert predict(trained, "--output", "one/") == 0
    assert "wrote 6 files with 240 rows to one/" in capsys.readouterr().err
    assert predict(trained, "--output", "two/", "--processes", "2") == 0
    assert "6 rows have an empty text" in (said := capsys.readouterr().err)
    assert "wrote 6 files with 240 rows to two/" in said
    for number in (1, 2, 3):
        assert predict(trained, "--output", "three/", "--shard", f"{number}/3") == 0
    one = predicted(Path("one"))
    assert len(one) == FILES
    capsys.readouterr()
    assert predict(trained, "--output", "two/", "--processes", "2", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "output": "two/",
        "files": 0,
        "rows": 0,
        "empty": 0,
        "skipped": 6,
        "truncated": 0,
    }
    assert one == predicted(Path("two")) == predicted(Path("three"))
    homeground.predict_file(trained.load(), "in/part-2.jsonl", "alone.jsonl")
    assert one["part-2.jsonl"] == Path("alone.jsonl").read_bytes()


def test_a_file_that_is_added_meanwhile_shifts_nobodys_part(
    trained: Run, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = module._start

    def start_late(*values: Any) -> Any:
        (inputs / "part-00.jsonl").write_text('{"text": "bank"}')
        return start(*values)

    monkeypatch.setattr(module, "_start", start_late)
    assert predict(trained, "--output", "out/", "--processes", "2") == 0
    assert sorted(predicted(Path("out"))) == [f"part-{number}.jsonl" for number in range(FILES)]


def test_finished_files_are_skipped_and_what_was_killed_is_made_again(
    trained: Run, inputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(trained, "--output", "whole/") == 0
    arguments = ["predict", str(trained.folder), "--input", "in/*.jsonl", "--output", "out/"]
    process = subprocess.Popen([sys.executable, "-m", "homeground", *arguments], stderr=subprocess.DEVNULL)
    while not list(Path("out").glob("*.jsonl")) and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = predicted(Path("out"))
    (Path("out") / f".part-5.jsonl.{writing.this_machine()}-01.{process.pid}.tmp").write_text("half")
    capsys.readouterr()
    assert predict(trained, "--output", "out/") == 0
    assert f"{len(there)} file" in capsys.readouterr().err
    assert predicted(Path("out")) == predicted(Path("whole"))
    assert not list(Path("out").glob(".*.tmp"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--output", "out/", "--shard", "5/4"), "--shard 5/4: expected NUMBER/OF"),
        (("--output", "out/", "--shard", "half"), "--shard half: expected NUMBER/OF"),
        (("--output", "out.jsonl", "--shard", "1/2"), "a folder as --output"),
        (("--output", "in/"), "in is not empty and holds no predictions"),
        (("--output", "other/", "--top", "2"), "other holds predictions of other options"),
    ],
)
def test_what_does_not_fit_is_refused(
    more: tuple[str, ...], message: str, trained: Run, inputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(trained, "--output", "other/") == 0
    capsys.readouterr()
    assert predict(trained, *more) in (2, 3)
    assert message in capsys.readouterr().err


def test_a_command_that_was_refused_leaves_no_trace(
    trained: Run, inputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(trained, "--output", "out/", "--embeddings") == 2
    assert predict(trained, "--output", "out/") == 0
    assert command(["predict", str(trained.folder), "--input", "-", "--output", "piped/"]) == 2
    assert not Path("piped").exists()


def test_texts_that_are_cut_are_said(trained: Run, inputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (0, 1):  # one for each process
        (inputs / f"part-{number}.jsonl").write_text(json.dumps({"text": "bank " * 200}) + "\n")
    assert predict(trained, "--output", "out/", "--processes", "2") == 0
    assert "2 texts were cut to the maximum length of the model" in capsys.readouterr().err


def test_files_of_one_name_are_refused(trained: Run, inputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (inputs / "part-1.json").write_text('[{"text": "bank"}]')
    assert command(["predict", str(trained.folder), "--input", "in/*.json*", "--output", "out/"]) == 2
    assert "would both be out/part-1.jsonl; rename one of the two" in capsys.readouterr().err


@pytest.mark.parametrize(("broken", "processes"), [(0, "1"), (3, "2")])
def test_a_file_that_cannot_be_read_keeps_no_other_from_being_predicted(
    broken: int, processes: str, trained: Run, inputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (inputs / f"part-{broken}.jsonl").write_text("{")
    assert predict(trained, "--output", "out/", "--processes", processes) == 2
    said = capsys.readouterr().err
    assert f"in/part-{broken}.jsonl" in said
    assert "the predictions of all other files are written" in said
    assert sorted(predicted(Path("out"))) == [f"part-{number}.jsonl" for number in range(FILES) if number != broken]


def test_several_files_that_cannot_be_read_are_counted(
    trained: Run, inputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2, 4):
        (inputs / f"part-{number}.jsonl").write_text("{")
    assert predict(trained, "--output", "out/") == 2
    assert "2 more files cannot be read, the next is in/part-2.jsonl" in capsys.readouterr().err


def test_predictions_of_another_file_of_that_name_are_not_taken_for_finished(
    trained: Run, inputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(trained, "--output", "out/") == 0
    before = predicted(Path("out"))
    shutil.copytree("in", "same")
    named = ["predict", str(trained.folder), "--output", "out/", "--input"]
    assert command([*named, "same/*.jsonl"]) == 0
    assert "6 files finished before" in capsys.readouterr().err
    Path("same/part-2.jsonl").write_text('{"text": "bank money"}\n')
    assert command([*named, "same/*.jsonl"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "out/part-2.jsonl holds predictions of" in said
    assert "and not of same/part-2.jsonl; remove out/part-2.jsonl to have it made again" in said
    assert predicted(Path("out")) == before


def test_a_file_that_was_changed_since_is_not_taken_for_finished(
    trained: Run, inputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(trained, "--output", "out/") == 0
    (inputs / "part-2.jsonl").write_text('{"text": "bank money"}\n')
    capsys.readouterr()
    assert predict(trained, "--output", "out/", "--processes", "2") == 2
    assert "part-2.jsonl as it was before" in " ".join(capsys.readouterr().err.split())
    Path("out/part-2.jsonl").unlink()
    assert predict(trained, "--output", "out/") == 0
    assert len(Path("out/part-2.jsonl").read_text().splitlines()) == 1


def test_processes_of_two_machines_with_one_number_write_two_files(trained: Run, inputs: Path) -> None:
    model = trained.load()
    with writing._new_file(Path("out.jsonl"), "w") as first, writing._new_file(Path("out.jsonl"), "w") as second:
        first.write("first")
        second.write("second")
        assert len(list(Path().glob(".out.jsonl.*.tmp"))) == 2
    homeground.predict_file(model, "in/part-2.jsonl", "out.jsonl")
    assert not list(Path().glob(".*.tmp"))


def test_what_another_machine_is_writing_is_left_for_a_day(trained: Run, inputs: Path) -> None:
    Path("out").mkdir()
    assert predict(trained, "--output", "out/") == 0
    Path("out/part-1.jsonl").unlink()
    young, old = (Path("out") / f".part-1.jsonl.elsewhere-{number}.99999999.tmp" for number in ("01", "02"))
    for path in (young, old):
        path.write_text("half")
    os.utime(old, (0, 0))
    assert predict(trained, "--output", "out/") == 0
    assert young.exists()
    assert not old.exists()


def test_all_processes_have_the_threads_that_the_environment_names_or_a_share_of_the_cores(
    trained: Run, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []
    start = module.start_child

    def start_noted(module_: str, function: str, environment: dict[str, str], **named: Any) -> Any:
        given.extend((environment["OMP_NUM_THREADS"], environment["RAYON_NUM_THREADS"]))
        return start(module_, function, {**environment, "OMP_NUM_THREADS": "1"}, **named)

    monkeypatch.setattr(module, "start_child", start_noted)
    monkeypatch.setattr(module, "usable_cores", lambda: 6)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert predict(trained, "--output", "out/", "--processes", "2") == 0
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert predict(trained, "--output", "out/", "--processes", "2") == 0
    assert given == ["3"] * 4 + ["1"] * 4


# A function of batches


def test_a_predictor_adds_the_columns_of_predict_file(trained: Run, inputs: Path) -> None:
    lines = [json.loads(line) for line in (inputs / "part-0.jsonl").read_text().splitlines()]
    batch = {name: np.array([line[name] for line in lines], object) for name in ("id", "text")}
    predictor = pickle.loads(pickle.dumps(homeground.Predictor(trained.folder)))
    added = pickle.loads(pickle.dumps(predictor))(batch)
    homeground.predict_file(trained.load(), inputs / "part-0.jsonl", "out.jsonl")
    expected = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert list(added) == list(expected[0])
    for row, line in enumerate(expected):
        for name, value in line.items():
            is_number = isinstance(value, float)
            same = added[name][row] == (pytest.approx(value, abs=1e-5) if is_number else value)
            assert same or (value is None and np.isnan(added[name][row]))
    alone = predictor(batch)
    assert set(predictor.columns(batch["text"])) == set(alone) - {"id", "text"}


def test_a_predictor_takes_a_data_frame(trained: Run) -> None:
    pandas = pytest.importorskip("pandas")
    frame = homeground.Predictor(trained.folder)(pandas.DataFrame({"text": ["bank money", "river road"]}))
    assert frame["predicted_label"].tolist() == list(trained.load().predict(["bank money", "river road"]))


def test_a_predictor_refuses_a_text_in_place_of_a_column(trained: Run) -> None:
    predictor = homeground.Predictor(trained.folder)
    with pytest.raises(homeground.HomegroundError, match='column "text" is one text; expected a column of them'):
        predictor({"text": "bank money"})
    with pytest.raises(homeground.HomegroundError, match="is one text"):
        predictor.columns("bank money")


def test_a_predictor_refuses_what_is_no_batch(trained: Run) -> None:
    predictor = homeground.Predictor(trained.folder)
    with pytest.raises(homeground.HomegroundError, match="a list is no batch"):
        predictor(["bank"])
    with pytest.raises(homeground.HomegroundError, match="no column for the text was found"):
        predictor({"number": [1]})
