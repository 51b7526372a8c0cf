"""Exports of annotation tools: read as the tool means them, and what of them is not read is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.data.annotations.writers import (
    label_studio_task,
    marked,
    read,
    spans_of,
    write_pair,
    write_rows,
)

from homeground.errors import DataError

PLAIN = ("Anna Li flew to Rome.", [(0, 7, "PER"), (16, 20, "LOC")])
NOTHING: tuple[str, list[Any]] = ("Nothing is marked here.", [])
TEXT = "Anna Li flew to Rome."


def write_tasks(folder: Path, tasks: list[dict[str, Any]]) -> Path:
    (folder / "tasks.json").write_text(json.dumps(tasks), encoding="utf-8")
    return folder / "tasks.json"


def test_cancelled_tasks_and_other_results_are_counted(tmp_path: Path) -> None:
    tasks = [label_studio_task(n, *PLAIN) for n in range(4)]
    tasks[1]["annotations"][0]["was_cancelled"] = True
    tasks[2]["annotations"] = []
    tasks[3]["annotations"][0]["result"].append({"to_name": "text", "type": "choices", "value": {"choices": ["a"]}})
    annotations = read(write_tasks(tmp_path, tasks))
    assert annotations.set_aside == {"cancelled": [2], "not annotated": [3]}
    assert spans_of(annotations) == [PLAIN] * 2
    assert any("1 result is no spans of a text and not read" in note for note in annotations.notes)


def test_of_several_annotators_the_ground_truth_is_read_else_the_first(tmp_path: Path) -> None:
    tasks = [label_studio_task(n, *PLAIN) for n in range(3)]
    tasks[1]["annotations"].append(label_studio_task(1, TEXT, [(0, 4, "X")])["annotations"][0])
    tasks[2]["annotations"].append(label_studio_task(1, TEXT, [(0, 4, "X")], ground_truth=True)["annotations"][0])
    annotations = read(write_tasks(tmp_path, tasks))
    assert spans_of(annotations) == [PLAIN, PLAIN, (TEXT, [(0, 4, "X")])]
    assert any("several annotators marked 2 tasks differently" in note for note in annotations.notes)


def test_what_does_not_fit_a_task_is_named_with_its_id(tmp_path: Path) -> None:
    tasks = [label_studio_task(n, *PLAIN) for n in range(70, 74)]
    tasks[1]["annotations"][0]["result"][0]["value"]["labels"] = ["A", "B"]
    with pytest.raises(DataError, match=r"row 2, task 71: holds a span with several labels"):
        read(write_tasks(tmp_path, tasks))
    tasks[1]["annotations"][0]["result"][0]["value"] |= {"labels": ["A"], "text": "somebody else"}
    with pytest.raises(DataError, match=r'row 2, task 71: the span .* its own text is "somebody else"'):
        read(write_tasks(tmp_path, tasks))
    tasks[1] = label_studio_task(71, *PLAIN)
    tasks[1]["annotations"][0]["result"][1]["value"]["end"] = 40
    assert marked(read(write_tasks(tmp_path, tasks)))[1] == [("Anna Li", "PER"), ("Rome", "LOC")]


def test_the_text_of_a_task_is_the_one_that_its_spans_name(tmp_path: Path) -> None:
    tasks = [label_studio_task(n, *PLAIN) for n in range(2)]
    for task in tasks:
        task["data"] = {"title": "Rome", "body": TEXT}
    assert spans_of(read(write_tasks(tmp_path, tasks))) == [PLAIN] * 2
    tasks[0]["data"]["title"] = TEXT
    with pytest.raises(DataError, match='row 1, task 0: which part of its data is the text, "title", "body"'):
        read(write_tasks(tmp_path, tasks))


def test_rejected_and_ignored_tasks_of_prodigy_are_counted(tmp_path: Path) -> None:
    rows = [
        {"text": TEXT, "_task_hash": n, "answer": answer} for n, answer in enumerate(["ignore", "reject", "accept"])
    ]
    rows += [{"text": TEXT, "_task_hash": 9, "spans": [{"start": 0, "end": 7, "label": "PER"}], "answer": "accept"}]
    annotations = read(write_rows(tmp_path / "a.jsonl", rows))
    assert annotations.set_aside == {"ignored": [1], "rejected": [2]}
    assert marked(annotations) == [[], [("Anna Li", "PER")]]


def test_training_data_of_spacy_and_dataturks_is_read(tmp_path: Path) -> None:
    spacy = [[text, {"entities": [list(span) for span in spans]}] for text, spans in (PLAIN, NOTHING)]
    (tmp_path / "spacy.json").write_text(json.dumps(spacy), encoding="utf-8")
    assert spans_of(read(tmp_path / "spacy.json")) == [PLAIN, NOTHING]
    points = [{"label": [label], "points": [{"start": a, "end": b - 1, "text": TEXT[a:b]}]} for a, b, label in PLAIN[1]]
    rows = [
        {"content": TEXT, "annotation": points, "extras": None},
        {"content": "x", "annotation": None, "extras": None},
    ]
    annotations = read(write_rows(tmp_path / "dataturks.json", rows))
    assert (spans_of(annotations), annotations.set_aside) == ([PLAIN], {"not annotated": [2]})


def test_fragments_of_brat_are_one_where_only_space_is_between(tmp_path: Path) -> None:
    lines = ["T1\tPER 0 4;5 7\tAnna Li", "T2\tX 8 12;16 20\tflew Rome", "R1\tr Arg1:T1 Arg2:T2", "#1\tNote T1\tx", ""]
    annotations = read(write_pair(tmp_path, TEXT.encode(), lines))
    assert marked(annotations) == [[("Anna Li", "PER")]]
    notes = " ".join(annotations.notes)
    assert "1 entity has fragments with words between them and are left out (x.ann line 2)" in notes
    assert "1 relations, 1 notes" in notes


@pytest.mark.parametrize("shift", [0, 1])
def test_a_byte_order_mark_of_brat_is_counted_or_not(tmp_path: Path, shift: int) -> None:
    lines = [f"T1\tPER {shift} {7 + shift}\tAnna Li", f"T2\tLOC {16 + shift} {20 + shift}\tRome"]
    assert spans_of(read(write_pair(tmp_path, b"\xef\xbb\xbf" + TEXT.encode(), lines))) == [PLAIN]


@pytest.mark.parametrize("counted", [0, 1])
def test_carriage_returns_of_brat_are_counted_or_not(tmp_path: Path, counted: int) -> None:
    lines = [
        "T1\tPER 0 4\tAnna",
        f"T2\tPER {6 + counted} {9 + counted}\tBob",
        f"T3\tPER {12 + 2 * counted} {15 + 2 * counted}\tEve",
    ]
    text = b"Anna,\r\nBob,\r\n Eve\r\n"
    annotations = read(write_pair(tmp_path, text, lines))
    assert marked(annotations) == [[("Anna", "PER"), ("Bob", "PER"), ("Eve", "PER")]]


def test_lines_and_files_of_brat_that_are_wrong_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'x.ann, line 2: holds "T2 PER 0 4 Anna", which is no annotation'):
        read(write_pair(tmp_path, TEXT.encode(), ["T1\tPER 0 4\tAnna", "T2 PER 0 4 Anna"]))
    with pytest.raises(DataError, match=r"x.ann: the spans .* one lies in the other"):
        read(write_pair(tmp_path, TEXT.encode(), ["T1\tPER 0 4\tAnna", "T2\tPER 0 7\tAnna Li"]))
    folder = write_pair(tmp_path, TEXT.encode(), ["T1\tPER 0 4\tAnna"])
    assert marked(read(folder / "x.ann", format="brat")) == [[("Anna", "PER")]]
    with pytest.raises(
        DataError, match="annotations of BRAT without their text; give the folder of both, or add --form"
    ):
        read(folder / "x.ann")
    (folder / "x.txt").unlink()
    with pytest.raises(DataError, match=r"x.txt: no such file"):
        read(folder)
