"""What ``homeground inspect`` finds in data with known faults, and that it is quiet about data without any."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import homeground
from homeground.cli import run as command
from homeground.errors import DataError
from homeground.results.audit import InspectionRecord
from tests.audit.corpora import edited, sentences, write
from tests.conftest import topic_pairs


def inspected(path: Path, **settings: Any) -> InspectionRecord:
    return InspectionRecord.model_validate(homeground.inspect(str(path), quiet=True, **settings))


def kinds(found: InspectionRecord, *severities: str) -> set[str]:
    return {each.kind for each in found.audit.findings if not severities or each.severity in severities}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("clean") / "clean.csv", ["text", "label"], sentences(800))


def test_clean_data_raises_no_alarm(clean: Path):
    found = inspected(clean)
    assert kinds(found, "problem", "warning") == set()
    assert not any(probe.shortcut for probe in found.audit.probes)
    assert found.splits == {"train": 520, "validation": 80, "test": 200}
    assert found.audit.cheap_model is not None
    assert found.audit.cheap_model.accuracy > 0.9
    assert found.audit.detectable == pytest.approx(0.063, abs=0.001)
    assert [each.name for each in found.audit.languages] == ["en"]
    assert found.proposals[0].languages == ("en",)


def test_planted_wrong_labels_come_first(tmp_path: Path):
    rows = sentences(1000)
    flipped = np.random.default_rng(0).choice(len(rows), 50, replace=False).tolist()
    other = {"good": "bad", "bad": "good"}
    labelled = [(text, other[label] if place in set(flipped) else label) for place, (text, label) in enumerate(rows)]
    found = inspected(write(tmp_path / "flipped.csv", ["text", "label"], labelled))
    first = [each.row - 1 for each in found.audit.suspects[:50]]
    assert np.mean([row in set(flipped) for row in first]) >= 0.85
    assert found.audit.suspects[0].suggested == other[found.audit.suspects[0].label]
    assert "labels" in kinds(found, "note")


def test_a_host_that_gives_the_label_away_is_a_shortcut(tmp_path: Path):
    hosts = {"good": "https://www.happy.example/", "bad": "https://grumpy.example/"}
    rows = [(text, label, f"{hosts[label]}{number}") for number, (text, label) in enumerate(sentences(400))]
    found = inspected(write(tmp_path / "links.csv", ["text", "label", "article_link"], rows))
    probe = next(each for each in found.audit.probes if each.name == "host in article_link")
    assert probe.shortcut
    assert probe.score == 1.0
    assert "happy.example" in " ".join(probe.evidence)
    assert "shortcut" in kinds(found, "warning")


def test_other_columns_numbers_and_forms_are_probed(tmp_path: Path):
    random = np.random.default_rng(0)
    rows = [
        (
            text + ("!" if label == "good" else "."),
            label,
            3 + (label == "good") + random.normal(0, 0.1),
            random.integers(5),
        )
        for text, label in sentences(400)
    ]
    found = inspected(write(tmp_path / "columns.csv", ["text", "label", "stars", "batch"], rows))
    probes = {each.name: each for each in found.audit.probes}
    assert probes["stars"].shortcut
    assert probes["punctuation"].shortcut
    assert not probes["batch"].shortcut
    assert not probes["length"].shortcut


def test_a_single_word_that_gives_the_label_away(tmp_path: Path):
    rows = [(f"{text} {'zzq' if label == 'good' else ''}", label) for text, label in sentences(400)]
    found = inspected(write(tmp_path / "word.csv", ["text", "label"], rows))
    probe = next(each for each in found.audit.probes if each.name == "single words")
    assert probe.shortcut
    assert probe.evidence[0].startswith('"zzq"')


def test_test_texts_in_the_training_file_are_a_problem(tmp_path: Path):
    rows = sentences(600)
    train = write(tmp_path / "train.csv", ["text", "label"], rows[:500])
    near = [(edited(text, 1, seed=number), label) for number, (text, label) in enumerate(rows[100:130])]
    test = write(tmp_path / "test.csv", ["text", "label"], [*rows[500:], *rows[:40], *near])
    found = inspected(train, test=str(test))
    assert found.audit.test_in_training == 40
    assert found.audit.near_duplicates is not None
    assert found.audit.near_duplicates.test_in_training >= 20
    assert "leak" in kinds(found, "problem")
    assert "near-duplicates" in kinds(found, "warning")
    assert found.audit.advice[0].startswith("Fix first: 40 of 170 test texts")


def test_groups_whose_texts_are_alike_are_found_harder_when_new(tmp_path: Path):
    random = np.random.default_rng(0)
    labels = [("good", "bad")[int(random.integers(2))] for _ in range(40)]
    rows = [
        (f"shop{group} item{random.integers(1000)} word{random.integers(1000)}", labels[group], f"shop-{group}")
        for group in range(40)
        for _ in range(15)
    ]
    found = inspected(write(tmp_path / "groups.csv", ["text", "label", "shop"], rows))
    group = next(each for each in found.audit.groups if each.column == "shop")
    assert (group.kind, group.groups) == ("group", 40)
    assert group.random - group.accuracy > 0.2
    assert any('--group "shop"' in each.advice for each in found.audit.findings)


def test_later_rows_are_compared_with_rows_at_random(tmp_path: Path):
    rows = [
        (text.replace("gladly", "merrily").replace("sadly", "gloomily") if number > 480 else text, label,
         f"2024-{1 + number // 50:02d}-{1 + number % 28:02d}")
        for number, (text, label) in enumerate(sentences(600))
    ]  # fmt: skip
    found = inspected(write(tmp_path / "dates.csv", ["text", "label", "posted"], rows))
    later = next(each for each in found.audit.groups if each.kind == "time")
    assert later.accuracy < later.random


def test_one_text_with_two_labels(tmp_path: Path):
    rows = [*sentences(300), ("The very same text.", "good"), ("the very same text", "bad")]
    found = inspected(write(tmp_path / "conflicts.csv", ["text", "label"], rows))
    assert found.audit.conflicting_rows == 2
    assert found.audit.conflicts[0].labels == ("good", "bad")
    assert found.audit.conflicts[0].rows == (301, 302)


def test_data_that_adapt_refuses_is_inspected_all_the_same(tmp_path: Path):
    path = write(tmp_path / "same.csv", ["text", "label"], [("one text", "ab"[number % 2]) for number in range(200)])
    found = inspected(path)
    assert "duplicates" in kinds(found, "problem")
    assert found.audit.repeated == 199


def test_scores_that_one_text_gives_away(tmp_path: Path):
    rows = [(f"{one} {'x' if score > 0.7 else 'y'}marker", two, score) for one, two, score in topic_pairs(400)]
    found = inspected(write(tmp_path / "pairs.csv", ["text_1", "text_2", "similarity"], rows))
    probes = {each.name: each for each in found.audit.probes}
    assert probes["text_1 alone"].shortcut
    assert not probes["lengths"].shortcut
    assert "shortcut" in kinds(found, "warning")


def test_another_language_than_the_checkpoint_knows_is_said(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
):
    from homeground.checkpoint import find_entry

    monkeypatch.setattr("homeground.audit.find_entry", lambda _: find_entry("bert-base-uncased"))
    rows = [(f"味道不错，送餐很快，下次再来{number}", ("good", "bad")[number % 2]) for number in range(100)]
    found = inspected(write(tmp_path / "zh.csv", ["text", "label"], rows), checkpoint=str(encoder))
    warning = next(each for each in found.audit.findings if each.kind == "language")
    assert "zh" in warning.sentence
    assert warning.severity == "warning"


def test_the_checkpoint_adds_tokens_and_time(clean: Path, encoder: Path):
    found = inspected(clean, checkpoint=str(encoder))
    assert [each.unit for each in found.audit.lengths] == ["characters", "tokens"]
    assert found.audit.words is not None
    assert found.minutes is not None
    assert found.minutes > 0


def test_plain_text_and_entities_are_inspected(tmp_path: Path):
    plain = tmp_path / "plain.txt"
    plain.write_text("\n".join(text for text, _ in sentences(300)), encoding="utf-8")
    found = inspected(plain)
    assert found.task == "mlm"
    assert found.audit.texts == 300
    lines = [
        {"tokens": text.split(), "tags": ["O"] * (len(text.split()) - 1) + ["B-DAY"]} for text, _ in sentences(100)
    ]
    tags = tmp_path / "tags.jsonl"
    tags.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert inspected(tags).task == "token-classification"


def test_tables_in_memory_are_inspected():
    rows = [{"text": text, "label": label} for text, label in sentences(100)]
    assert homeground.inspect(rows, quiet=True)["audit"]["texts"] == 100


def test_the_command_prints_findings_a_page_and_an_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rows = sentences(600)
    train = write(tmp_path / "train.csv", ["text", "label"], rows[:500])
    test = write(tmp_path / "test.csv", ["text", "label"], [*rows[500:], *rows[:40]])
    page = tmp_path / "page.html"
    assert command(["inspect", str(train), "--test", str(test), "--page", str(page), "--strict", "--quiet"]) == 1
    shown = capsys.readouterr().out
    assert "PROBLEM  40 of 140 test texts" in shown
    assert "homeground compare --checkpoints" in shown
    html = page.read_text(encoding="utf-8")
    assert "What was found in the data" in html
    assert "<script" not in html
    assert command(["inspect", str(train), "--quiet", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["audit"]["findings"] is not None


def test_strict_stops_adapt_before_anything_is_written(tmp_path: Path, encoder: Path):
    rows = sentences(600)
    train = write(tmp_path / "train.csv", ["text", "label"], rows[:500])
    test = write(tmp_path / "test.csv", ["text", "label"], [*rows[500:], *rows[:40]])
    settings: Any = {"test": str(test), "checkpoint": str(encoder), "out": str(tmp_path / "run"), "quiet": True}
    with pytest.raises(DataError, match="--strict: 40 of 140 test texts"):
        homeground.adapt(str(train), strict=True, **settings)
    assert not (tmp_path / "run").exists()
    with pytest.raises(homeground.HomegroundError, match="choose one"):
        homeground.adapt(str(train), strict=True, audit=False, **settings)
