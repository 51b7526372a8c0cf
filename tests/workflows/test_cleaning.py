"""Cleaning from a recipe to a saved model: what is cleaned, when, and what it is worth."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import checkpoints
from tests.audit.corpora import sentences, write
from tests.conftest import FAST
from transformers import AutoTokenizer

import homeground
from homeground.checkpoint import load_tokenizer, open_checkpoint
from homeground.cli import run as command
from homeground.errors import CheckpointError, UsageError

STEPS = "strip_html,remove_urls,lowercase"


@pytest.fixture(scope="module")
def markup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled texts in capitals with tags and addresses; of the last one cleaning leaves nothing."""
    rows = [(f"<b>{text.upper()}</b> http://a.example/b", label) for text, label in sentences(120)]
    return write(
        tmp_path_factory.mktemp("markup") / "markup.csv", ["text", "label"], [*rows, ("http://x.example", "good")]
    )


@pytest.fixture(scope="module")
def cleaned_run(markup: Path, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> homeground.Run:
    settings: Any = {**FAST, "checkpoint": str(encoder), "epochs": 1, "audit": False, "quiet": True}
    out = tmp_path_factory.mktemp("cleaned") / "run"
    return homeground.adapt(str(markup), clean=STEPS, ablate_cleaning=True, out=str(out), **settings)


def test_the_cleaner_is_saved_and_applied_whenever_the_model_is_used(cleaned_run: homeground.Run):
    saved = json.loads((cleaned_run.model_folder / "homeground.json").read_text())["cleaning"]
    assert saved == {"version": 1, "steps": STEPS.split(","), "language": None}
    model = cleaned_run.load()
    one, other = model.predict_proba(["<i>THE BAKER GLADLY SELLS</i> www.a.example/b", "the baker gladly sells "])
    assert np.array_equal(one, other)
    assert "cleaned texts (strip_html, remove_urls, lowercase)" in (cleaned_run.model_folder / "README.md").read_text()
    checkpoint = open_checkpoint(str(cleaned_run.folder))
    plain = AutoTokenizer.from_pretrained(cleaned_run.model_folder)
    ours = load_tokenizer(checkpoint, max_length=checkpoint.max_length).encode("<b>THE BAKER</b>")
    assert ours.ids == plain("the baker")["input_ids"]


def test_what_cleaning_changes_and_empties_is_said(cleaned_run: homeground.Run):
    data = json.loads((cleaned_run.folder / "data.json").read_text())["cleaning"]
    assert (data["texts"], data["changed"], data["emptied"], data["emptied_rows"]) == (121, 121, 1, [121])
    assert any("cleaning leaves nothing of 1 text (rows 121)" in text for text in cleaned_run.warnings)


def test_the_ablation_compares_the_same_recipe_without_cleaning(cleaned_run: homeground.Run):
    compared = json.loads((cleaned_run.folder / "cleaning.json").read_text())
    without = homeground.Run(cleaned_run.folder / "uncleaned")
    assert compared["before"]["accuracy"] == without.after
    assert compared["after"]["accuracy"] == cleaned_run.after
    difference = homeground.compare(without, cleaned_run)["difference"]
    assert compared["difference"]["value"] == difference["value"]
    assert "cleaning" not in json.loads((without.model_folder / "homeground.json").read_text())
    report = cleaned_run.report_path.read_text(encoding="utf-8")
    assert "With and without cleaning" in report
    assert not re.search(r"\{\{|\{%", report)


def test_a_run_that_goes_on_keeps_the_cleaner_and_can_drop_it(
    cleaned_run: homeground.Run, markup: Path, tmp_path: Path
):
    settings: Any = {**FAST, "epochs": 1, "audit": False, "quiet": True, "keep_contaminated": True}
    kept = homeground.adapt(str(markup), checkpoint=cleaned_run, out=str(tmp_path / "kept"), **settings)
    assert "cleaning" in json.loads((kept.model_folder / "homeground.json").read_text())
    dropped = homeground.adapt(
        str(markup), checkpoint=cleaned_run, clean="none", out=str(tmp_path / "none"), **settings
    )
    assert "cleaning" not in json.loads((dropped.model_folder / "homeground.json").read_text())


def test_a_cleaner_of_a_newer_version_is_refused(cleaned_run: homeground.Run, tmp_path: Path):
    folder = cleaned_run.load().save(tmp_path / "copy")
    settings = json.loads((folder / "homeground.json").read_text())
    settings["cleaning"]["version"] = 99
    (folder / "manifest.json").unlink(missing_ok=True)
    (folder / "homeground.json").write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match="newer Homeground"):
        homeground.load(folder)


def test_marked_spans_allow_only_steps_that_move_nothing(encoder: Path, tmp_path: Path):
    lines = [
        {"tokens": text.split(), "tags": ["O"] * (len(text.split()) - 1) + ["B-NAME"]} for text, _ in sentences(60)
    ]
    path = tmp_path / "tags.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    settings: Any = {**FAST, "checkpoint": str(encoder), "epochs": 1, "quiet": True, "out": str(tmp_path / "run")}
    with pytest.raises(UsageError, match="allowed are normalize_width, traditional_to_simplified, lowercase"):
        homeground.adapt(str(path), clean="strip_html", **settings)
    run = homeground.adapt(str(path), clean="lowercase,normalize_width", **settings)
    assert json.loads((run.model_folder / "homeground.json").read_text())["cleaning"]["steps"][0] == "lowercase"


def test_masked_words_are_learned_from_cleaned_texts_and_measured_on_the_texts_as_they_are(tmp_path: Path):
    checkpoint = checkpoints.bert(tmp_path / "tiny")
    texts = [f"<p>the bank has money for the house {number}</p>" for number in range(150)]
    path = tmp_path / "plain.txt"
    path.write_text("\n".join([*texts, "<br/>"]), encoding="utf-8")
    settings: Any = {**FAST, "checkpoint": str(checkpoint), "epochs": 1, "quiet": True, "audit": False, "seed": 3}
    raw = homeground.adapt(str(path), out=str(tmp_path / "raw"), **settings)
    run = homeground.adapt(str(path), clean="strip_html", out=str(tmp_path / "clean"), **settings)
    # The checkpoint is measured on the same texts, whatever is learned from.
    assert run.before == raw.before
    assert run.after != raw.after
    assert "cleaning" not in json.loads((run.model_folder / "homeground.json").read_text())
    data = json.loads((run.folder / "data.json").read_text())
    assert data["cleaning"]["only_train"]
    assert data["counts"]["test"] == json.loads((raw.folder / "data.json").read_text())["counts"]["test"]


def test_the_command_names_unknown_steps_and_what_is_missing(markup: Path, capsys: pytest.CaptureFixture[str]):
    assert command(["adapt", str(markup), "--clean", "strip_htm"]) == 2
    assert 'did you mean "strip_html"' in capsys.readouterr().err
    assert command(["adapt", str(markup), "--ablate-cleaning"]) == 2
    assert "--clean" in capsys.readouterr().err
