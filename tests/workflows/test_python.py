"""Homeground as it is used from Python: paths of every kind, warnings, progress, and Ctrl-C."""

from __future__ import annotations

import contextlib
import io
import re
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import FAST, PAIR_HEADER, topic_pairs

import homeground
from homeground import HomegroundWarning
from homeground.cli import run as command
from homeground.errors import HomegroundError, RunConflict, Stopped, UsageError
from homeground.results.run import Run
from homeground.training import events
from homeground.training.events import Notice, Step
from homeground.workflows.progress import ProgressBar, reported

SETTINGS: dict[str, Any] = {**FAST, "epochs": 1, "bootstrap_draws": 200}


def test_runs_and_paths_go_wherever_a_name_goes(
    finished: Run, encoder: Path, write_csv: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = write_csv("new.csv", PAIR_HEADER, topic_pairs(80, seed=5))
    sources = (finished, finished.folder, str(finished.folder))
    first, *others = (homeground.evaluate(source, data) for source in sources)
    assert all(each == first for each in others)
    one, other = (homeground.compare(encoder, each, data, bootstrap_draws=200) for each in (finished, finished.folder))
    assert one["second"] == other["second"] == str(finished.folder)
    assert one["verdict"] == other["verdict"]
    run = homeground.adapt(
        data, checkpoint=finished, validation=write_csv("v.csv", PAIR_HEADER, topic_pairs(20, seed=6)),
        test=write_csv("t.csv", PAIR_HEADER, topic_pairs(40, seed=7)), out=tmp_path / "second", **SETTINGS,
    )  # fmt: skip
    assert run.to_dict()["checkpoint"] == str(finished.folder)
    # The run of an earlier one can be gone on with, whatever kind of path it was given as.
    again = homeground.adapt(
        str(data), checkpoint=str(finished.folder), validation="v.csv", test="t.csv", out="second", **SETTINGS
    )
    assert again.record == run.record
    assert homeground.publish(run, "alice/pairs", dry_run=True)["repository"] == "alice/pairs"


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("data", [("a", "b")], r"data is a list; expected the path of a file, or a table: a list of dicts, a pandas"),
        ("data", {"text": "a"}, r"data is a dict"),
        ("data", object(), r"data is a object"),
        ("test", {"a"}, r"test is a set"),
        ("general", [("a", "b", 1.0)], r"general is a list"),
    ],
)
def test_data_that_is_neither_file_nor_table_is_refused_with_what_may_be_given(
    pairs_csv: Path, name: str, given: Any, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        homeground.adapt(**{"data": str(pairs_csv), name: given})
    if name == "data":
        for call in (lambda: homeground.adapt(given), lambda: homeground.evaluate("minilm", given)):
            with pytest.raises(UsageError, match=message):
                call()


def test_what_changes_nothing_is_refused(finished: Run, pairs_csv: Path) -> None:
    with pytest.raises(UsageError, match='"epochs" changes nothing without a training'):
        homeground.evaluate(finished, pairs_csv, epochs=3)  # type: ignore[call-arg]
    with pytest.raises(UsageError, match='"clean" changes nothing without a training'):
        homeground.evaluate(finished, pairs_csv, clean="light")  # type: ignore[call-arg]
    with pytest.raises(UsageError, match=r"is no data; a run goes in as the checkpoint"):
        homeground.adapt(finished)


def test_what_should_be_known_is_a_warning_and_stays_in_the_run(
    encoder: Path, write_csv: Callable[..., Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = write_csv("pairs.csv", PAIR_HEADER, [*topic_pairs(400), ("", "bank", 0.5)])
    with pytest.warns(HomegroundWarning, match="skipped for") as caught:
        run = homeground.adapt(data, checkpoint=encoder, out=tmp_path / "run", **SETTINGS)
    ours = [each for each in caught if issubclass(each.category, HomegroundWarning)]
    assert tuple(str(each.message) for each in ours) == run.warnings
    assert all(each.filename == __file__ for each in ours)
    assert run.warnings and not any("test examples;" in text for text in run.warnings)
    assert run.to_dict()["warnings"] == list(run.warnings)
    # Nobody sees a line that is rewritten in a file.
    assert capfd.readouterr().err == ""
    with pytest.warns(HomegroundWarning, match=r"learned from \d+ of these examples"):
        homeground.evaluate(run, data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert command(["evaluate", str(run.folder), str(data), "--quiet"]) == 0


def test_ctrl_c_leaves_a_run_that_goes_on(encoder: Path, pairs_csv: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {**SETTINGS, "checkpoint": encoder}
    whole = homeground.adapt(pairs_csv, out=tmp_path / "whole", **settings)

    def interrupt(event: object) -> None:
        if isinstance(event, Step) and event.step == 3:
            signal.raise_signal(signal.SIGINT)

    def interrupt_before(event: object) -> None:
        if isinstance(event, Notice) and event.text.startswith("measuring after"):
            raise KeyboardInterrupt

    with pytest.raises(Stopped):
        homeground.adapt(pairs_csv, out=tmp_path / "parts", on_event=interrupt, **settings)
    assert repr(Run(tmp_path / "parts")).endswith("not finished)")
    with pytest.raises(KeyboardInterrupt):
        homeground.adapt(pairs_csv, out=tmp_path / "parts", on_event=interrupt_before, **settings)
    parts = homeground.adapt(pairs_csv, out=tmp_path / "parts", **settings)
    assert parts.scores["after"] == whole.scores["after"]


def test_progress_is_one_line_that_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("homeground.workflows.progress.SECONDS_BETWEEN_DRAWINGS", 0)
    with contextlib.suppress(HomegroundError), reported(None, quiet=False) as listener:
        assert isinstance(listener, ProgressBar)
        listener(Notice("reading \x1b[31m pairs.csv"))
        listener(events.Progressed(150.0, 600.0, 150.0, "training 1 of 3"))
        listener(events.Started(0, 20))
        listener(Step(5, 20, 0.5, 0.1, 0.1, 1.0))
        listener(events.Progressed(480.0, 600.0, 480.0, "training 3 of 3"))
        listener(events.Finished(20, 1.0, None, "done"))
        raise HomegroundError
    shown = terminal.getvalue()
    assert " 25% " in shown and "training 1 of 3, step 5 of 20" in shown and " 80% " in shown
    assert "\n" not in shown and "\x1b[31m" not in shown
    assert shown.rstrip(" ").endswith("\r") or shown.split("\r")[-1].strip() == ""


def test_progress_is_not_shown_where_nobody_sees_it_or_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    with reported(seen.append, quiet=False) as listener:
        listener(Notice("a"))
    assert seen == [Notice("a")]
    with reported(None, quiet=False) as listener:
        assert not isinstance(listener, ProgressBar)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with reported(None, quiet=True) as listener:
        assert not isinstance(listener, ProgressBar)


def pairs_as_dicts(count: int, seed: int) -> list[dict[str, Any]]:
    return [dict(zip(PAIR_HEADER, row, strict=True)) for row in topic_pairs(count, seed=seed)]


def test_tables_go_wherever_a_file_goes(
    encoder: Path, write_csv: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    rows = pairs_as_dicts(200, 1)
    files = {"general": pairs_as_dicts(60, 2), "test": pairs_as_dicts(60, 3)}
    run = homeground.adapt(rows, checkpoint=encoder, **files, **SETTINGS)
    assert run.folder == Path("runs/list-similarity") and run.finished
    # The same numbers as of a file with the same rows.
    path = write_csv("same.csv", PAIR_HEADER, topic_pairs(200, seed=1))
    of_file = homeground.adapt(path, checkpoint=encoder, **files, **SETTINGS)
    assert run.scores["after"] == of_file.scores["after"]
    # A run goes on with the same rows and refuses others, as with a file that was changed.
    started = run.record["started"]
    assert homeground.adapt(list(rows), checkpoint=encoder, **files, **SETTINGS).record["started"] == started
    with pytest.raises(RunConflict, match=r"data\.train: "):
        homeground.adapt(rows[1:], checkpoint=encoder, **files, **SETTINGS)
    recipe = (run.folder / "recipe.toml").read_text()
    assert re.search(r'data = "<list of 200 rows, sha256 [0-9a-f]{16}>"', recipe)
    assert command(["adapt", str(run.folder / "recipe.toml"), "--quiet"]) == 2
    assert "is a table that a Python program has handed over, and no file" in capsys.readouterr().err

    new = pairs_as_dicts(50, 4)
    assert homeground.evaluate(run, new)["data"].startswith("<list of 50 rows, sha256 ")
    assert homeground.compare(encoder, run, new, bootstrap_draws=200)["verdict"]
    counts = homeground.predict_file(homeground.load(run), new, "out.jsonl")
    assert counts.rows == 50 == len(Path("out.jsonl").read_text().splitlines())


def test_warnings_on_a_table_point_to_the_call(encoder: Path, tmp_path: Path) -> None:
    rows = [*pairs_as_dicts(80, 1), *pairs_as_dicts(80, 1)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        homeground.adapt(rows, checkpoint=encoder, out=tmp_path / "run", **SETTINGS)
    ours = [each for each in caught if issubclass(each.category, HomegroundWarning)]
    assert ours and Path(ours[0].filename).name == Path(__file__).name
