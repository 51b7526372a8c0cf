"""Counting the verdicts on a test set."""

from __future__ import annotations

import json
import multiprocessing
import warnings

import pytest

from homeground.errors import DiskError, RunLocked
from homeground.results import ledger
from homeground.results.ledger import count_verdict, read_ledger


def ask(folder, test_hash="t", run="pairs", fingerprint="a"):
    return count_verdict(folder, test_hash=test_hash, run=run, fingerprint=fingerprint)


def test_verdicts_are_numbered_by_test_set(tmp_path):
    assert [ask(tmp_path, fingerprint=name) for name in "abc"] == [1, 2, 3]
    assert ask(tmp_path, test_hash="another") == 1
    assert ask(tmp_path, fingerprint="d") == 4


def test_a_run_computed_again_keeps_its_number(tmp_path):
    ask(tmp_path, fingerprint="a")
    ask(tmp_path, fingerprint="b")
    before = (tmp_path / "ledger.jsonl").read_bytes()
    assert [ask(tmp_path, fingerprint=name) for name in "aba"] == [1, 2, 1]
    assert (tmp_path / "ledger.jsonl").read_bytes() == before


def test_another_run_or_another_recipe_is_another_verdict(tmp_path):
    assert ask(tmp_path, run="one") == 1
    assert ask(tmp_path, run="two") == 2
    assert ask(tmp_path, run="two", fingerprint="b") == 3


def test_lines_say_what_was_decided_and_when(tmp_path):
    ask(tmp_path / "runs")
    entry = json.loads((tmp_path / "runs" / "ledger.jsonl").read_text())
    assert entry.pop("time").startswith("20")
    assert len(entry.pop("sha256")) == 64
    assert entry == {"version": 2, "test_hash": "t", "run": "pairs", "fingerprint": "a"}
    assert read_ledger(tmp_path / "runs").entries[0]["run"] == "pairs"


def test_a_changed_line_is_not_counted_under_another_test(tmp_path):
    ask(tmp_path, fingerprint="a")
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"test_hash": "t"', b'"test_hash": "u"'))
    assert read_ledger(tmp_path) == ledger.Ledger((), (1,))


def test_lines_of_earlier_versions_have_no_hash(tmp_path):
    line = {"version": 1, "test_hash": "t", "run": "pairs", "fingerprint": "a", "time": "2025-01-31T12:00:00+00:00"}
    (tmp_path / "ledger.jsonl").write_text(json.dumps(line) + "\n")
    assert ask(tmp_path, fingerprint="b") == 2


def test_no_ledger_is_an_empty_one(tmp_path):
    assert read_ledger(tmp_path) == ledger.Ledger((), ())


@pytest.mark.parametrize("torn", [b'{"version": 1, "test_ha', b"\xff\xfe", b"[]", b'{"test_hash": "t"}'])
def test_a_torn_last_line_is_reported_and_swallows_nothing(tmp_path, torn):
    ask(tmp_path, fingerprint="a")
    with (tmp_path / "ledger.jsonl").open("ab") as file:
        file.write(torn)
    with pytest.warns(UserWarning, match="line 2 cannot be read and is not counted"):
        assert ask(tmp_path, fingerprint="b") == 2
    found = read_ledger(tmp_path)
    assert [entry["fingerprint"] for entry in found.entries] == ["a", "b"] and found.damaged == (2,)


def test_a_line_separator_inside_a_name_tears_no_line(tmp_path):
    ask(tmp_path, run="odd\u2028name\x85")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ask(tmp_path, run="odd\u2028name\x85") == 1


def _ask_many(folder, name):
    for turn in range(10):
        ask(folder, fingerprint=f"{name}-{turn}")


def test_processes_at_once_lose_no_verdict(tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_ask_many, args=(tmp_path, name)) for name in "abcd"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    found = read_ledger(tmp_path)
    assert len(found.entries) == 40 and not found.damaged
    assert ask(tmp_path, fingerprint="last") == 41


def test_a_ledger_held_by_another_process_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "SECONDS_TO_WAIT", 0.1)
    with ledger.FileLock(tmp_path / ".ledger.jsonl.lock"), pytest.raises(RunLocked, match=r"ledger\.jsonl is being"):
        ask(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DiskError, match=r"ledger\.jsonl could not be written"):
        ask(tmp_path / "file" / "runs")
