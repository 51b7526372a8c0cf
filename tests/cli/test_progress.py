"""What a terminal shows beside the result: colour, symbols, one bar over the whole run, and the time it took."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import PAIR_HEADER, topic_pairs

import homeground
from homeground.cli import run
from homeground.cli.terminal import progress
from homeground.cli.terminal.progress import Progress
from homeground.cli.terminal.screen import show
from homeground.data.tables import read_table, rows_reported
from homeground.reports.layout import laid_out
from homeground.training.events import Event, Notice, Progressed, Step
from homeground.wording import display_width


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def terminal(name: str, monkeypatch: pytest.MonkeyPatch, encoding: str = "utf-8") -> Terminal:
    stream = Terminal()
    stream.encoding = encoding
    monkeypatch.setattr(sys, name, stream)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return stream


LINES = ["HELPED: a difference of +0.2.", "General ability FORGOT: the loss.", "a text that says HELPED", "report  a/b"]


def test_a_verdict_has_colour_and_a_symbol_in_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal("stdout", monkeypatch)
    show(LINES)
    shown = stream.getvalue().splitlines()
    assert shown[0] == "\x1b[32m\x1b[1m✓ HELPED\x1b[0m: a difference of +0.2."
    assert shown[1] == "General ability \x1b[31m\x1b[1m✗ FORGOT\x1b[0m: the loss."
    assert shown[3] == "report  a/b"
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        stream = terminal("stdout", monkeypatch)
        monkeypatch.setenv(name, value)
        show(LINES)
        assert stream.getvalue().splitlines() == LINES
    ascii_only = terminal("stdout", monkeypatch, "ascii")
    show(LINES)
    assert ascii_only.getvalue().startswith("\x1b[32m\x1b[1mHELPED")


def test_a_pipe_gets_the_lines_as_they_are(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    long = "HELPED: " + "word " * 60
    show([long])
    assert capsys.readouterr().out == long + "\n"


def test_the_bar_is_one_line_that_fits_and_makes_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal("stderr", monkeypatch)
    monkeypatch.setattr("homeground.cli.terminal.progress.SECONDS_BETWEEN_DRAWINGS", 0.0)
    with Progress() as progress:
        for done in (10, 50, 90):
            progress(Progressed(done, 100, done, "fold 2 of 5, 数据的训练"))
            progress(Step(12, 345, 0.5, 1.23456, 1e-4, 1.0))
        progress(Notice("a notice"))
    drawn = re.split(r"\r\x1b\[K|\n", stream.getvalue())
    assert all(display_width(line) < 80 for line in drawn)
    assert any(re.fullmatch("█{18}░{2} 90% fold 2 of 5, .*, step 12 of 345, loss 1.2346.*", line) for line in drawn)
    assert "\r\x1b[Ka notice\n" in stream.getvalue()


def test_a_terminal_without_the_characters_of_the_bar_gets_others(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal("stderr", monkeypatch, "ascii")
    monkeypatch.setattr("homeground.cli.terminal.progress.SECONDS_BETWEEN_DRAWINGS", 0.0)
    progress = Progress()
    progress(Progressed(0, 100, 0, "training"))
    progress(Progressed(50, 100, 50, "training"))
    assert stream.getvalue().isascii()


def test_progress_covers_the_whole_run_and_only_grows(
    write_csv: Callable[..., Path], encoder: Path, tmp_path: Path
) -> None:
    data = write_csv("pairs.csv", PAIR_HEADER, topic_pairs(300))
    events: list[Event] = []
    homeground.adapt(
        data,
        checkpoint=str(encoder),
        cross_fit=2,
        epochs=1,
        bootstrap_draws=200,
        learning_curve=False,
        out=str(tmp_path / "run"),
        on_event=events.append,
    )
    progressed = [event for event in events if isinstance(event, Progressed)]
    shares = [event.done / event.total for event in progressed]
    assert shares == sorted(shares)
    assert shares[0] == 0 and shares[-1] > 0.95
    texts = list(dict.fromkeys(event.text for event in progressed))
    assert texts == [
        "measuring before", "fold 1 of 2", "fold 2 of 2", "training", "measuring after", "comparing with baselines",
    ]  # fmt: skip
    # What was carried out is what was planned, within a fifth: the time left rests on it.
    assert progressed[-1].carried_out == pytest.approx(progressed[-1].done, rel=0.2)


def test_the_time_of_a_command_is_told_at_its_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("homeground.cli.terminal.progress.SHORTEST_RUN", 0.0)
    with Progress():
        pass
    assert capsys.readouterr().err == "done in 0 s\n"
    with Progress(quiet=True):
        pass
    assert capsys.readouterr().err == ""


def test_a_narrow_terminal_wraps_every_line_of_a_result(
    finished: homeground.Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, pairs_csv: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["evaluate", str(finished.folder), str(pairs_csv), "--quiet"]) == 0
    assert run(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    # A word longer than the line, such as a path, stays whole.
    assert all(len(line) <= 80 or len(max(line.split(), key=len)) > 60 for line in lines)
    assert laid_out(lines, 1000) == lines


def test_rows_that_are_read_are_shown_from_time_to_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
    path = tmp_path / "a.csv"
    path.write_text("text\n" + "one text\n" * 25_000)
    with rows_reported(Progress().reading):
        read_table(path)
    assert capsys.readouterr().err.splitlines() == [f"reading {path}: {rows} rows" for rows in ("10,000", "20,000")]
    with rows_reported(Progress(quiet=True).reading):
        read_table(path)
    assert capsys.readouterr().err == ""
