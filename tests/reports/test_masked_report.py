"""The report and the card of masked language modelling as a reader and a browser get them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from tests.reports.test_report import PAYLOADS, Page, is_inert
from tests.runs import listed_anew

from homeground.reports.model_card import model_card
from homeground.reports.report import write_report
from homeground.reports.terminal import score_lines
from homeground.results.record import read_run
from homeground.results.run import Run
from homeground.results.scores import Scores
from homeground.statistics.glossary import METRICS

Change = Callable[[dict[str, Any]], Any]


def folder_of(run: Run, folder: Path, change: Change | None = None) -> Path:
    """Return a copy of a run's files whose scores may be changed."""
    folder.mkdir()
    for name in ("run.json", "recipe.toml", "data.json", "metrics.jsonl", "scores.json", "examples.jsonl"):
        shutil.copyfile(run.folder / name, folder / name)
    if change:
        scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
        change(scores)
        (folder / "scores.json").write_text(json.dumps(scores), encoding="utf-8")
    listed_anew(folder)
    return folder


def page_of(run: Run, folder: Path, change: Change | None = None) -> Page:
    return Page(write_report(folder_of(run, folder, change)).read_text(encoding="utf-8"))


def test_the_page_is_inert_and_speaks_of_documents_and_never_of_pairs(masked: Run, tmp_path: Path) -> None:
    page = page_of(masked, tmp_path / "run")
    assert is_inert(page)
    assert not re.search(r"\b(nan|inf|None)\b", page.text)
    opening = page.text[:1600]
    for expected in ("HELPED at predicting masked words", "Loss of masked words", "80 test documents"):
        assert expected in opening
    # Pairs and texts are what other tasks have; this one has documents.
    assert not re.search(r"\bpairs?\b", page.text)
    assert "Pairs with the largest changes" not in page.text
    assert "Rank of the right partner" not in page.text
    assert "contradict each other" not in page.text
    assert "Second texts" not in page.text
    assert "Sentences of test documents are shown on this page" in page.text


def test_blanks_show_the_sentence_the_word_and_both_sides(masked: Run, tmp_path: Path) -> None:
    text = page_of(masked, tmp_path / "run").text
    assert "Predictions for masked words" in text
    blank = masked.scores["blanks"][0]
    assert f"masked: {blank['word']}" in re.sub(r"\s+", " ", text)
    for side in ("before", "after"):
        assert blank[side]["likeliest"][0]["token"] in text


def test_words_are_listed_with_their_losses(masked: Run, tmp_path: Path) -> None:
    text = page_of(masked, tmp_path / "run").text
    first = masked.scores["improved_words"]["improved"][0]
    gain = first["before"] - first["after"]
    row = f"{first['word']} {first['count']} {first['before']:.2f} {first['after']:.2f} +{gain:.2f}"
    assert row in re.sub(r"\s+", " ", text)


def test_without_blanks_and_words_their_sections_are_left_out(masked: Run, tmp_path: Path) -> None:
    nothing = {"blocks": 0, "masked": 0, "words": 0, "improved": [], "worse": []}
    page = page_of(masked, tmp_path / "run", lambda scores: scores.update(blanks=[], improved_words=nothing))
    assert "Predictions for masked words" not in page.text
    assert "Words with the largest changes" not in page.text


def test_a_text_cannot_become_a_part_of_the_page(masked: Run, tmp_path: Path) -> None:
    payload = "".join(map(str, PAYLOADS))

    def change(scores: dict[str, Any]) -> None:
        scores["blanks"][0] |= {"left": payload, "word": payload, "right": payload}
        scores["blanks"][0]["before"]["likeliest"][0]["token"] = payload
        scores["improved_words"]["improved"][0]["word"] = payload

    assert is_inert(page_of(masked, tmp_path / "run", change))


def test_every_metric_is_explained_and_perplexities_with_their_limit(masked: Run) -> None:
    assert set(masked.scores["after"]) <= set(METRICS)
    for name in ("perplexity", "word_perplexity", "character_perplexity"):
        assert "within one tokenizer only" in METRICS[name].meaning


def test_cross_fitted_exhibits_say_that_the_model_knew_the_documents(masked: Run, tmp_path: Path) -> None:
    page = page_of(masked, tmp_path / "run", lambda scores: scores.update(cross_fit=5))
    assert page.text.count("was trained on these documents") == 2


def test_numbers_that_are_too_long_to_read_are_shortened(masked: Run, tmp_path: Path) -> None:
    def change(scores: dict[str, Any]) -> None:
        scores["before"]["word_perplexity"] = 800571252.462
        scores["differences"]["word_perplexity"] |= {"value": 782608699.9, "low": 587040667.7, "high": 1010961118.66}

    assert "8.01e8" in page_of(masked, tmp_path / "run", change).text
    scores = dict(masked.scores)
    change(scores)
    (line,) = [
        line
        for line in score_lines(Scores.model_validate(scores))
        if line.startswith("word_perplexity (lower is better)")
    ]
    assert "8.01e8" in line
    assert "+7.83e8 (+5.87e8 to +1.01e9)" in line


def test_the_card_tells_how_to_fill_masks_and_what_was_measured(masked: Run) -> None:
    card = ModelCard(model_card(read_run(masked.folder)), ignore_metadata_errors=False)
    assert card.data.pipeline_tag == "fill-mask"
    assert card.data.library_name == "transformers"
    assert set(card.data.tags or []) == {"fill-mask", "homeground"}
    results = {result.metric_type: result.metric_value for result in card.data.eval_results or []}
    assert results["perplexity"] == pytest.approx(masked.scores["after"]["perplexity"], abs=1e-5)
    assert 'model.fill_mask("The [MASK] was late.")' in card.text
    assert 'pipeline("fill-mask", model=' in card.text
    assert "HELPED at predicting masked words" in card.text
    row = r"\| Loss of masked words ↓ \| 5\.\d+ \| \d\.\d+ \| \+\d\.\d+ \| \+\d\.\d+ to \+\d\.\d+ \|"
    assert re.search(row, card.text)
    # The card holds no text of the data.
    assert "blank" not in card.text
