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
    assert found.audit.advice[0].startswith("Look at this first: 40 of 170 test texts")


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


def test_a_column_that_is_mostly_empty_puts_no_rows_into_groups(tmp_path: Path):
    rows = [(text, label, f"note {number % 8}" if number % 10 == 0 else "") for number, (text, label) in
            enumerate(sentences(400))]  # fmt: skip
    found = inspected(write(tmp_path / "notes.csv", ["text", "label", "note"], rows))
    assert not any(each.column == "note" for each in found.audit.groups)


def test_later_rows_are_compared_with_rows_at_random(tmp_path: Path):
    rows = [
        (text.replace("gladly", "merrily").replace("sadly", "gloomily") if number > 480 else text, label,
         f"2024-{1 + number // 50:02d}-{1 + number % 28:02d}")
        for number, (text, label) in enumerate(sentences(600))
    ]  # fmt: skip
    found = inspected(write(tmp_path / "dates.csv", ["text", "label", "posted"], rows))
    later = next(each for each in found.audit.groups if each.kind == "time")
    assert later.accuracy < later.random


def test_groups_that_are_left_count_and_not_texts(tmp_path: Path):
    """Of 40 test groups one is learned from, with 20 texts: 39 are left, as a run would have it."""
    texts = sentences(900)
    rows = [(text, label, f"train-{number // 2}") for number, (text, label) in enumerate(texts[:800])]
    copied = [(text, label, "copied") for text, label in texts[:20]]
    own = [(text, label, f"test-{number // 2}") for number, (text, label) in enumerate(texts[800:878])]
    columns = ["text", "label", "document"]
    train, test = write(tmp_path / "train.csv", columns, rows), write(tmp_path / "test.csv", columns, [*copied, *own])
    found = inspected(train, test=str(test), group="document")
    assert (found.test_units, found.audit.test_in_training) == (40, 20)
    assert any("With 39 independent test groups" in each for each in found.audit.advice), found.audit.advice


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


def test_swapped_pairs_and_other_orders_of_words_are_no_conflicts(tmp_path: Path):
    texts = [text for text, _ in sentences(200)]
    rows = [(one, two, "yes") for one, two in zip(texts[:100], texts[100:], strict=True)]
    rows += [(two, one, "no") for one, two, _ in rows]
    found = inspected(write(tmp_path / "swapped.csv", ["text_1", "text_2", "label"], rows))
    assert (found.audit.conflicting_rows, found.audit.repeated) == (0, 0)
    rows = [*sentences(200), ("the dog bites the man", "good"), ("the man bites the dog", "bad")]
    assert inspected(write(tmp_path / "order.csv", ["text", "label"], rows)).audit.conflicting_rows == 0


def test_labels_that_are_rare_and_easy_are_not_called_hopeless(tmp_path: Path):
    rows = [(f"{text} {'jackpot' if number % 50 == 0 else ''}", "spam" if number % 50 == 0 else "ham")
            for number, (text, _) in enumerate(sentences(1000))]  # fmt: skip
    found = inspected(write(tmp_path / "rare.csv", ["text", "label"], rows))
    assert not any("hardly anything" in line for line in found.audit.advice)
    assert any("macro_f1" in line for line in found.audit.advice)


def test_labels_by_chance_raise_no_suspects_and_no_warnings(tmp_path: Path):
    for seed in range(4):
        random = np.random.default_rng(seed)
        rows = [
            (text, "ab"[int(random.integers(2))], f"2024-{1 + number % 12}-{1 + number % 28} 9:0{number % 10}",
             f"user {random.integers(30)}")
            for number, (text, _) in enumerate(sentences(300, seed=seed))
        ]  # fmt: skip
        found = inspected(write(tmp_path / f"chance{seed}.csv", ["text", "label", "when", "user"], rows))
        assert found.audit.suspects == ()
        assert kinds(found, "warning", "problem") == set()
        assert any("hardly anything" in line for line in found.audit.advice)


def test_a_column_that_names_the_label_is_a_shortcut_and_no_group(tmp_path: Path):
    names = {"good": "pleased", "bad": "cross"}
    rows = [(text, label, names[label], f"{label}-{number}", f"data/{label}/{number}_7.txt")
            for number, (text, label) in enumerate(sentences(400))]  # fmt: skip
    found = inspected(write(tmp_path / "named.csv", ["text", "label", "length", "id", "path"], rows))
    probes = {each.name: each.shortcut for each in found.audit.probes if each.column}
    assert probes == {"length": True, "id": True, "path": True}
    sentence = next(each.sentence for each in found.audit.findings if each.kind == "shortcut")
    assert sentence.startswith('column "')
    assert not any("--group" in each.advice for each in found.audit.findings)


def test_times_that_tell_the_label_are_a_shortcut(tmp_path: Path):
    rows = [(text, label, f"{'3' if label == 'good' else '9'}/{1 + number % 28}/2024 {number % 24}:{number % 60:02d}")
            for number, (text, label) in enumerate(sentences(400))]  # fmt: skip
    found = inspected(write(tmp_path / "times.csv", ["text", "label", "posted"], rows))
    assert next(each for each in found.audit.probes if each.name == "posted").shortcut


def test_what_is_not_checked_is_said(tmp_path: Path):
    few = inspected(write(tmp_path / "few.csv", ["text", "label"], sentences(40)))
    assert "fewer than 50" in few.audit.not_checked
    assert any("were not looked for" in each.sentence for each in few.audit.findings)
    lines = [{"text": text, "label": [label, "any"]} for text, label in sentences(100)]
    several = tmp_path / "several.jsonl"
    several.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert "several labels" in inspected(several).audit.not_checked


def test_a_few_different_texts_with_another_column_are_audited(tmp_path: Path):
    rows = [(text, label, number) for text, label in sentences(4) for number in range(30)]
    train = write(tmp_path / "train.csv", ["text", "label", "other"], rows)
    test = write(tmp_path / "test.csv", ["text", "label", "other"], [(*row, 1) for row in sentences(200, seed=5)])
    assert inspected(train, test=str(test)).audit.texts == 320


def test_refused_data_is_advised_about_what_was_refused(tmp_path: Path):
    path = write(tmp_path / "one.csv", ["text", "label"], [(text, "only") for text, _ in sentences(100)])
    found = inspected(path)
    assert found.audit.findings[0].kind == "refused"
    assert "only" in found.audit.advice[0]
    assert not any("collect more" in line for line in found.audit.advice)


def test_an_ordered_split_is_not_advised_again(tmp_path: Path):
    rows = [
        (
            text if number < 480 else text.replace("ly ", "lio "),
            label,
            f"2024-{1 + number // 50:02d}-{1 + number % 28:02d}",
        )
        for number, (text, label) in enumerate(sentences(600))
    ]
    path = write(tmp_path / "dates.csv", ["text", "label", "posted"], rows)
    assert any("--split ordered" in each.advice for each in inspected(path).audit.findings)
    assert not any("--split ordered" in each.advice for each in inspected(path, split="ordered").audit.findings)


def test_checkpoints_for_texts_of_two_languages_know_both(tmp_path: Path):
    german = "Die Lieferung kam wieder viel zu spät und niemand ging ans Telefon"
    rows = [
        (f"{german if number % 2 else text} {number}", label) for number, (text, label) in enumerate(sentences(200))
    ]
    found = inspected(write(tmp_path / "mixed.csv", ["text", "label"], rows))
    assert {each.name for each in found.audit.languages} == {"en", "de"}
    assert all({"en", "de"} <= set(each.languages) or "multilingual" in each.languages for each in found.proposals)


def test_texts_of_no_language_have_no_proposals(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rows = [(f"https://shop.example/item/{number}?id={number * 7919 % 997}", "ab"[number % 2]) for number in range(99)]
    path = write(tmp_path / "urls.csv", ["text", "label"], rows)
    found = inspected(path)
    assert [each.name for each in found.audit.languages] == ["short"]
    assert found.proposals == ()
    assert command(["inspect", str(path), "--quiet"]) == 0
    assert "No checkpoint is proposed" in capsys.readouterr().out


def test_a_run_keeps_what_inspect_finds(tmp_path: Path, encoder: Path):
    rows = sentences(600)
    train = write(tmp_path / "train.csv", ["text", "label"], rows[:500])
    test = write(tmp_path / "test.csv", ["text", "label"], [*rows[500:], *rows[:40]])
    settings: Any = {"test": str(test), "checkpoint": str(encoder), "quiet": True}
    run = homeground.adapt(str(train), epochs=1, bootstrap_draws=200, out=str(tmp_path / "run"), **settings)
    kept = json.loads((run.folder / "data.json").read_text())["audit"]
    assert kept == homeground.inspect(str(train), **settings)["audit"]
    # The 40 that are left out of the verdict are left out of what the test could show, once.
    assert any("With 100 independent test texts" in line for line in kept["advice"])


def test_what_is_looked_at_in_part_only_is_said(tmp_path: Path):
    names = [f"column {number}" for number in range(35)]
    rows = [(*row, *range(35)) for row in sentences(150)]
    found = inspected(write(tmp_path / "wide.csv", ["text", "label", *names], rows))
    assert any("of 35 other columns the first 30" in each.sentence for each in found.audit.findings)


def test_strict_in_python_raises(tmp_path: Path):
    path = write(tmp_path / "same.csv", ["text", "label"], [("one text", "ab"[number % 2]) for number in range(200)])
    with pytest.raises(DataError, match="--strict"):
        homeground.inspect(str(path), strict=True, quiet=True)
