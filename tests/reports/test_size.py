"""The pages have a bounded size, whatever a run holds, and say what they leave out and where it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.reports.sample_run import write_sample_run

from homeground.reports.inspection import write_inspection
from homeground.reports.model_card import Publication, model_card
from homeground.reports.report import render, write_heat_map_report
from homeground.results import audit, data, parts
from homeground.results.audit import InspectionRecord
from homeground.results.data import HubRecord
from homeground.results.record import RunRecord, read_run

MAX_BYTES = 3_000_000
MAX_BYTES_OF_A_CARD = 100_000

MANY = 2_000
SEVERAL = 500
LONG = "a very long text of many words " * 100
LONG_NAME = "label_" * 100
HUGE = 300 * LONG

Files = dict[str, Any]


@cache
def long_audit() -> audit.AuditRecord:
    """An audit of which every list has very many entries, and every text is very long."""
    return audit.AuditRecord(
        texts=MANY,
        findings=tuple(
            audit.FindingRecord(kind="near-duplicates", severity="warning", sentence=f"{n} {LONG}", advice=LONG)
            for n in range(SEVERAL)
        ),
        advice=(LONG,) * SEVERAL,
        languages=tuple(audit.LanguageShare(name=LONG_NAME, share=0.1) for _ in range(SEVERAL)),
        scripts=tuple(audit.LanguageShare(name=LONG_NAME, share=0.1) for _ in range(SEVERAL)),
        words=audit.WordPieces(
            texts=1, words=1, pieces_per_word=2.0, broken_share=0.5, unknown_share=0.1,
            broken=(audit.BrokenWord(word=LONG_NAME, pieces=("la", "##bel") * SEVERAL, count=3),) * SEVERAL,
        ),
        near_duplicates=audit.NearDuplicatesRecord(
            texts=1, almost_equal=1, clusters=1,
            pairs=tuple(
                audit.TextPair(rows=(1, 2), splits=("train", "test"), texts=(LONG, LONG), similarity=0.9,
                               labels=(LONG_NAME, LONG_NAME))
                for _ in range(SEVERAL)
            ),
        ),
        conflicts=tuple(
            audit.ConflictRecord(text=LONG, rows=tuple(range(MANY)), splits=("train",) * MANY,
                                 labels=("label",) * MANY)
            for _ in range(100)
        ),
        classes=tuple(audit.ClassSize(label=f"{n} {LONG_NAME}", count=2) for n in range(MANY)),
        cheap_model=audit.CheapModelRecord(method="naive Bayes", examples=9, accuracy=0.5, majority=0.1,
                                           gain_of_twice=0.1),
        probes=tuple(
            audit.ProbeRecord(name=f"{LONG_NAME}{n}", score=0.9, chance=0.1, share=0.9, column=True, shortcut=True,
                              evidence=(LONG,) * 100)
            for n in range(SEVERAL)
        ),
        suspects=tuple(
            audit.SuspectRecord(row=1, split="train", text=LONG, label=LONG_NAME, suggested=LONG_NAME, confidence=0.1)
            for _ in range(SEVERAL)
        ),
        groups=(audit.GroupRecord(column=LONG_NAME, kind="group", groups=9, accuracy=0.5, random=0.6),) * SEVERAL,
    )  # fmt: skip


def long_data(record: data.DataRecord) -> data.DataRecord:
    return record.model_copy(
        update={
            "files": tuple(data.FileRecord(path=f"in/{LONG_NAME}{n}.csv", rows=10) for n in range(MANY)),
            "set_aside": tuple(
                parts.RowsSetAside(reason=f"{n} {LONG}", count=MANY, rows=tuple(range(MANY))) for n in range(SEVERAL)
            ),
            "duplicates": data.DuplicatesRecord(exact=MANY, rows=tuple(range(MANY))),
            "hubs": tuple(HubRecord(text=LONG, pairs=9) for _ in range(SEVERAL)),
            "left_out_of_test": tuple(
                data.LearnedRows(seen_in="train", count=MANY, rows=tuple(range(MANY))) for _ in range(30)
            ),
            "notes": (LONG,) * SEVERAL,
            "audit": long_audit(),
        }
    )


def long_run(folder: Path, kind: str, change: Callable[[Files], None] | None = None) -> RunRecord:
    """A run of a kind with very many of everything that all tasks have."""

    def enlarge(files: Files) -> None:
        steps = range(1, MANY)
        files["metrics.jsonl"] = [
            {"step": n, "train/loss": 1 / n, "train/learning_rate": 1e-5, "train/gradient_norm": 1.0} for n in steps
        ]
        files["recipe.toml"]["titles"] = ["title"] * 1000
        if change:
            change(files)

    record = read_run(write_sample_run(folder, kind=kind, change=enlarge))
    scores = record.scores.model_copy(
        update={
            "search": parts.SearchRecord.model_construct(
                metric="validation/pearson", chosen=400, stopped_because=None,
                trials=tuple(
                    parts.SearchTrial(learning_rate=1e-5 * (1 + n), epochs=2, score=0.5, seconds=1, failed=None)
                    for n in range(SEVERAL)
                ),
            ),
            "seeds": parts.SeedsRecord.model_construct(
                trainings=tuple(parts.SeedTraining(seed=n, score=0.7, difference=0.1) for n in range(SEVERAL)),
                mean=0.7, standard_deviation=0.01, items_error=0.1, seeds_error=0.1,
                saved_model=parts.IntervalRecord(value=0.1, low=0.0, high=0.2),
            ),
        }
    )  # fmt: skip
    return replace(record, scores=scores, data=long_data(record.data))


def many_classes(files: Files) -> None:
    """Very many classes and test texts, some of them very long."""
    names = [f"class {n}" for n in range(MANY)]
    rows = [
        {"label": name, "f1": 0.5, "precision": 0.5, "recall": 0.5, "support": n % 3} for n, name in enumerate(names)
    ]
    files["scores.json"] |= {"classes": names, "confusion": None, "per_class": {"before": rows, "after": rows}}
    files["examples.jsonl"] = [
        {
            "row": n, "text": HUGE if n % 1000 == 3 else f"text {n}", "label": names[n % MANY],
            "before": {"label": names[(n + n % 3) % MANY], "probability": 0.5},
            "after": {"label": names[(n + n % 2) % MANY], "probability": 0.6},
        }
        for n in range(2 * MANY)
    ]  # fmt: skip


def dense_matrix(files: Files) -> None:
    """A matrix of 120 classes in which every cell holds something."""
    names = [f"{n} {LONG_NAME}" for n in range(120)]
    files["scores.json"] |= {
        "classes": names,
        "confusion": {
            side: [[1 + (i * j) % 7 for j in range(120)] for i in range(120)] for side in ("before", "after")
        },
    }


def many_labels(files: Files) -> None:
    """Texts with very many labels each."""
    names = [f"{LONG_NAME}{n}" for n in range(3000)]
    answer = {"label": names[:1500], "probability": [0.5] * 1500}
    files["examples.jsonl"] = [
        {"row": n, "text": "text", "label": names, "before": answer, "after": answer} for n in range(3)
    ]


def many_pairs(files: Files) -> None:
    """Very many pairs, some very long, and a heat map of very many titles."""
    files["examples.jsonl"] = [
        {"row": n, "text_1": HUGE if n % 1000 == 0 else f"one {n}", "text_2": f"two {n}", "similarity": (n % 11) / 10,
         "before": 0.5, "after": (n % 7) / 7}
        for n in range(2 * MANY)
    ]  # fmt: skip
    rows = [[1.0 if i == j else (i * j % 97) / 97 for j in range(300)] for i in range(300)]
    files["scores.json"]["heat_map"] = {"titles": [f"{n} {LONG}" for n in range(300)], "before": rows, "after": rows}


@pytest.mark.parametrize(
    ("kind", "change", "left_out"),
    [
        ("intents", many_classes, ["A matrix of 2,000 classes is too large", "and 1,033 more, listed in scores.json"]),
        ("intents", dense_matrix, ["The 12,400 palest squares are left out; scores.json has all"]),
        ("topics", many_labels, ["+1,488", "+2,988"]),
        ("helped", many_pairs, ["and 260 more, listed in scores.json"]),
    ],
)
def test_the_report_is_bounded_and_says_what_it_leaves_out(
    tmp_path: Path, kind: str, change: Callable[[Files], None], left_out: list[str]
) -> None:
    record = long_run(tmp_path / "run", kind, change)
    page = render(record)
    assert len(page.encode()) < MAX_BYTES
    text = re.sub(r"<[^>]+>", "", page)
    for sentence in left_out:
        assert sentence in text
    for count, place in [
        (MANY - 20, "data.json"),  # files
        (SEVERAL - 30, "data.json"),  # reasons, remarks
        (SEVERAL - 10, "data.json"),  # texts of many pairs
        (SEVERAL - 60, "data.json"),  # findings
        (MANY - 30, "data.json"),  # classes of the audit
        (SEVERAL - 12, "data.json"),  # near-duplicates
        (90, "data.json"),  # conflicts
        (SEVERAL - 20, "data.json"),  # suspects, groups
        (SEVERAL - 101, "scores.json"),  # trials
        (SEVERAL - 50, "scores.json"),  # seeds
    ]:
        assert f"and {count:,} more, listed in {place}" in text
    published = Publication(repository="someone/model", examples=True)
    assert len(model_card(record, published).encode()) < MAX_BYTES_OF_A_CARD


def test_the_page_of_an_inspection_is_bounded(tmp_path: Path) -> None:
    inspection = InspectionRecord(
        data="intents.csv", task="classification", understood="read as CSV", columns={"text": "text"},
        splits={"data": MANY},
        set_aside=tuple(parts.RowsSetAside(reason=LONG, count=9, rows=tuple(range(9))) for _ in range(SEVERAL)),
        checkpoint=None, minutes=None, audit=long_audit(),
    )  # fmt: skip
    write_inspection(inspection, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert len(page.encode()) < MAX_BYTES
    assert f"and {SEVERAL - 30} more, listed in homeground inspect --json" in re.sub(r"<[^>]+>", "", page)


def test_the_heat_map_of_very_many_titles_is_bounded(tmp_path: Path) -> None:
    rows = [[1.0 if i == j else 0.5 for j in range(500)] for i in range(500)]
    path = write_heat_map_report([f"{n} {LONG}" for n in range(500)], rows, checkpoint_name="c", path=tmp_path / "map")
    assert path.stat().st_size < MAX_BYTES
    assert "Of the titles 460 more are not shown" in path.read_text(encoding="utf-8")


def test_a_download_holds_whole_rows_up_to_its_size(tmp_path: Path) -> None:
    def one_long_text(files: Files) -> None:
        files["examples.jsonl"] = [{**files["examples.jsonl"][0], "text_1": "字" * 2_000_000}] * 3

    assert 'class="download"' not in render(read_run(write_sample_run(tmp_path / "run", change=one_long_text)))
