from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.runs import listed_anew

import homeground
from homeground.errors import DamagedFile, DiskError, RunConflict, RunLocked, UsageError
from homeground.results.run import Run, open_run
from homeground.storage import (
    manifest_problem,
    new_folder,
    read_array,
    read_json,
    sealed,
    write_array,
    write_json,
    write_text,
)

IDENTITY = {"recipe": {"seed": 0}, "checkpoint": "abc"}


def test_a_run_begins_and_is_found_again(tmp_path: Path) -> None:
    with open_run(tmp_path / "run", IDENTITY) as run:
        assert not run.finished
        run.write_record(state="finished")
    with open_run(tmp_path / "run", IDENTITY) as run:
        assert run.finished


def test_another_identity_is_refused_with_the_difference(tmp_path: Path) -> None:
    with open_run(tmp_path / "run", IDENTITY) as run:
        (run.folder / "checkpoints").mkdir()
        write_json(run.folder / "checkpoints" / "state.json", {})
    with (
        pytest.raises(RunConflict, match=r"recipe\.seed: 0, now 1.*--fresh"),
        open_run(tmp_path / "run", {**IDENTITY, "recipe": {"seed": 1}}),
    ):
        pass


def test_a_run_that_failed_before_its_first_snapshot_is_no_obstacle(tmp_path: Path) -> None:
    with open_run(tmp_path / "run", IDENTITY) as run:
        for name in ("recipe.toml", "data.json", "splits.jsonl", "metrics.jsonl", "tensorboard/events.out"):
            (run.folder / name).parent.mkdir(exist_ok=True)
            (run.folder / name).write_text("{}")
    corrected = {**IDENTITY, "recipe": {"seed": 1}}
    with open_run(tmp_path / "run", corrected) as run:
        assert [path.name for path in run.folder.iterdir()] == ["run.json"]
        assert run.record["identity"] == corrected
        run.write_record(state="finished")
    with pytest.raises(RunConflict, match="holds a run with other settings"), open_run(tmp_path / "run", IDENTITY):
        pass


def test_a_file_is_no_place_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with (
        pytest.raises(RunConflict, match=r"notes\.txt is a file; name a folder for the run with --out"),
        open_run(tmp_path / "notes.txt", IDENTITY, fresh=True),
    ):
        pass
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_fresh_moves_the_old_run_aside(tmp_path: Path) -> None:
    for seed in range(3):
        with open_run(tmp_path / "run", {**IDENTITY, "recipe": {"seed": seed}}, fresh=True):
            pass
    assert read_json(tmp_path / "run.old-1" / "run.json")["identity"]["recipe"]["seed"] == 0
    assert read_json(tmp_path / "run" / "run.json")["identity"]["recipe"]["seed"] == 2


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("one")
    with pytest.raises(RunConflict, match="holds no run"), open_run(tmp_path / "thesis", IDENTITY):
        pass
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.txt"]


def _hold(folder: str, ready: Any, done: Any) -> None:
    with open_run(Path(folder), IDENTITY):
        ready.set()
        done.wait(20)


def test_a_second_process_is_told_who_holds_the_run(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(str(tmp_path / "run"), ready, done))
    process.start()
    assert ready.wait(20)
    with pytest.raises(RunLocked, match=f"process {process.pid} on"), open_run(tmp_path / "run", IDENTITY):
        pass
    done.set()
    process.join()
    with open_run(tmp_path / "run", IDENTITY):  # and free again afterwards
        pass


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "scores.json"
    write_json(path, {"a": 1})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match=r"No space left on device.*free some space"):
        write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [found.name for found in tmp_path.iterdir()] == ["scores.json"]


def test_nan_is_never_written_to_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "scores.json", {"value": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_folder_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    def break_off() -> None:
        with new_folder(tmp_path / "model") as folder:
            write_text(folder / "config.json", "{}")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert not list(tmp_path.iterdir())
    for content in ("old", "new"):
        with new_folder(tmp_path / "model") as folder:
            write_text(folder / "config.json", content)
    assert (tmp_path / "model" / "config.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_manifest_notices_every_kind_of_damage(tmp_path: Path) -> None:
    with new_folder(tmp_path / "model") as folder:
        (folder / "1_Pooling").mkdir()
        write_text(folder / "1_Pooling" / "config.json", "{}")
        write_text(folder / "weights", "abc")
    assert manifest_problem(tmp_path / "model") is None
    (tmp_path / "model" / "weights").write_text("abd")
    assert manifest_problem(tmp_path / "model") == "has a damaged weights"
    (tmp_path / "model" / "weights").unlink()
    assert manifest_problem(tmp_path / "model") == "lacks weights"
    (tmp_path / "model" / "manifest.json").write_text("{")
    assert manifest_problem(tmp_path / "model") == "has no readable manifest.json"


def test_arrays_are_stored_without_pickle(tmp_path: Path) -> None:
    write_array(tmp_path / "a.npy", np.arange(3))
    assert read_array(tmp_path / "a.npy").tolist() == [0, 1, 2]
    np.save(tmp_path / "b.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="pickle"):
        read_array(tmp_path / "b.npy")


def test_a_run_is_opened_by_name(tmp_path: Path) -> None:
    run = Run(str(tmp_path / "gone"))
    assert run.finished is False
    assert repr(run) == f"Run({str(run.folder)!r}, no run)"
    assert run._repr_html_() is None
    with pytest.raises(UsageError, match="gone: no run, it has no run"):
        run.verdict  # noqa: B018 - to read it is to ask
    run.folder.mkdir()
    run.write_record(state="running")
    assert repr(run).endswith("not finished)")
    with pytest.raises(UsageError, match="the run is not finished; give its command again"):
        run.before  # noqa: B018


def test_a_run_is_a_path_wherever_one_is_expected(finished: Run) -> None:
    assert Path(finished) == finished.folder
    assert os.fspath(finished) == str(finished.folder)
    assert Run(finished) == finished
    assert np.array_equal(finished.load().encode(["bank"]), homeground.load(finished).encode(["bank"]))


def test_a_run_says_what_came_out(finished: Run) -> None:
    scores = finished.scores
    assert (finished.verdict, finished.helped) == ("HELPED", True)
    assert finished.sentence == scores["sentence"]
    assert (finished.before, finished.after) == (scores["before"]["pearson"], scores["after"]["pearson"])
    assert finished.before is not None and finished.after is not None
    assert finished.difference == pytest.approx(finished.after - finished.before)
    assert finished.interval == (scores["difference"]["low"], scores["difference"]["high"])
    assert next(iter(finished.metrics)) == "pearson"
    assert set(finished.metrics) == set(scores["after"])
    # Less is better for errors, and the difference is above 0 where it fell.
    mae = finished.metrics["mae"]
    assert mae["difference"] == pytest.approx(mae["before"] - mae["after"])  # type: ignore[operator]
    assert finished.report_path.is_file()
    assert repr(finished).endswith(f"HELPED: pearson {finished.before:.3f} → {finished.after:.3f})")


def test_a_run_is_a_row_of_a_table(finished: Run) -> None:
    row = finished.to_dict()
    assert json.loads(json.dumps(row)) == row
    assert (row["verdict"], row["task"], row["metric"]) == ("HELPED", "similarity", "pearson")
    assert row["checkpoint"].endswith("tiny") and row["general_verdict"] in ("KEPT", "FORGOT", "UNDECIDED")


def test_a_table_of_metrics_needs_pandas(finished: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Frame:
        @staticmethod
        def from_dict(values: Any, orient: str) -> Any:
            return values, orient

    monkeypatch.setitem(sys.modules, "pandas", types.SimpleNamespace(DataFrame=Frame))
    assert finished.to_pandas() == (finished.metrics, "index")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="to_pandas needs pandas; install it with: pip install pandas"):
        finished.to_pandas()


def test_a_notebook_shows_a_run_without_running_what_is_in_it(finished: Run, tmp_path: Path) -> None:
    page = finished._repr_html_()
    assert page is not None and "HELPED" in page and f"{finished.after:.3f}" in page
    copy = Run(shutil.copytree(finished.folder, tmp_path / "copy"))
    hostile = "<script>alert(1)</script>"
    write_json(copy.folder / "scores.json", {**copy.scores, "sentence": f"HELPED: {hostile}"})
    listed_anew(copy.folder)
    copy.write_record(warnings=[hostile])
    shown = copy._repr_html_()
    assert shown is not None and hostile not in shown and shown.count("&lt;script&gt;") == 2


def test_what_others_write_stays_where_a_folder_is_no_run(tmp_path: Path) -> None:
    for name in ("other/checkpoints/.step-10.4242.tmp/weights", ".notes.2024.old"):
        (tmp_path / "runs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "runs" / name).write_text("kept")
    (tmp_path / "runs/notes.txt").write_text("mine")
    before = sorted((tmp_path / "runs").rglob("*"))
    with pytest.raises(RunConflict, match="holds no run"), open_run(tmp_path / "runs", {}):
        pass
    assert sorted((tmp_path / "runs").rglob("*")) == before


def test_a_run_inside_a_run_is_left_to_who_opens_it(tmp_path: Path) -> None:
    outer, inner = Run(tmp_path / "run"), Run(tmp_path / "run/uncleaned")
    for run in (outer, inner):
        run.folder.mkdir()
        run.write_record(version=2, state="running", identity={})
        (run.folder / "checkpoints/.step-1.77.tmp").mkdir(parents=True)
    with open_run(outer.folder, {}):
        assert not (outer.folder / "checkpoints/.step-1.77.tmp").exists()
        assert (inner.folder / "checkpoints/.step-1.77.tmp").exists()


def test_only_the_checkpoints_of_trainings_are_removed(tmp_path: Path) -> None:
    gone = ["checkpoints/step-1", "head/model", "folds/1/checkpoints/step-1", "seeds/2/folds/1/head/model"]
    kept = ["model/head", "analysis/head", "analysis/checkpoints", "uncleaned/checkpoints/step-1"]
    for name in (*gone, *kept):
        (tmp_path / name).mkdir(parents=True)
    Run(tmp_path).remove_every_checkpoint()
    assert not any((tmp_path / name).exists() for name in gone)
    assert all((tmp_path / name).is_dir() for name in kept)


def test_scores_come_back_from_the_record_and_are_refused_where_it_has_none(tmp_path: Path) -> None:
    run = Run(tmp_path)
    write_json(tmp_path / "scores.json", {"verdict": "HELPED"})
    run.write_record(version=2)
    run.finish()
    (tmp_path / "scores.json").write_text("{}")
    with pytest.raises(DamagedFile, match=r"scores.json is damaged: .* give the command of the run again"):
        _ = run.scores
    assert run.restore_scores() and run.scores == {"verdict": "HELPED"} and not run.restore_scores()
    record = {name: value for name, value in run.record.items() if name != "scores"}
    write_json(tmp_path / "run.json", sealed(record))
    (tmp_path / "scores.json").unlink()
    with pytest.raises(DamagedFile, match=r"scores.json is missing"):
        run.restore_scores()


def test_the_folder_one_is_in_can_be_a_run_whose_lock_is_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with open_run(Path(), {"data": "a"}):
        with pytest.raises(RunLocked), open_run(tmp_path / "here", {"data": "a"}):
            pass
        (tmp_path / "here" / "inside").mkdir()
        monkeypatch.chdir(tmp_path / "here" / "inside")
        with pytest.raises(RunLocked), open_run(Path(".."), {"data": "a"}):
            pass
    assert not list((tmp_path / "here").glob(".*"))
