"""The story of masked language modelling, from plain texts to a model that fills in their masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import checkpoints
from tests.masking import FAST, write_documents
from transformers import pipeline

import homeground
from homeground import MaskedLM
from homeground.experiment import training_run as learning
from homeground.results.run import Run


def test_planted_topics_are_learned_and_the_verdict_says_at_what_it_helped(masked: Run) -> None:
    scores = masked.scores
    assert scores["task"] == "mlm"
    assert scores["verdict"] == "HELPED"
    assert masked.sentence.startswith("HELPED at predicting masked words: Loss of masked words ")
    assert "test documents" in masked.sentence
    assert scores["after"]["perplexity"] == pytest.approx(np.exp(scores["after"]["masked_loss"]))
    assert scores["head"] is None


def test_the_scores_are_those_of_the_documents(masked: Run) -> None:
    lines = [json.loads(line) for line in (masked.folder / "examples.jsonl").read_text(encoding="utf-8").splitlines()]
    assert set(lines[0]) == {"row", "unit", "masked", "before", "after"}
    weights = np.array([line["masked"] for line in lines])
    for side in ("before", "after"):
        mean = np.average([line[side] for line in lines], weights=weights)
        assert mean == pytest.approx(masked.scores[side]["masked_loss"], abs=1e-5)


def test_blanks_and_words_are_shown_from_both_models(masked: Run) -> None:
    blanks = masked.scores["blanks"]
    assert 4 <= len(blanks) <= 8
    for blank in blanks:
        for side in ("before", "after"):
            chances = [each["probability"] for each in blank[side]["likeliest"]]
            assert len(chances) == 5
            assert chances == sorted(chances, reverse=True)
            # The right word is not likelier than the likeliest.
            assert 0 <= blank[side]["probability"] <= chances[0] + 1e-6
    words = masked.scores["improved_words"]
    assert words["improved"]
    assert all(each["after"] < each["before"] and each["count"] >= 3 for each in words["improved"])


def test_a_blank_is_filled_as_the_saved_model_fills_it(masked: Run) -> None:
    model = homeground.load(masked)
    assert isinstance(model, MaskedLM)
    for blank in masked.scores["blanks"]:
        answers = model.fill_mask(f"{blank['left']}[MASK]{blank['right']}")
        likeliest = blank["after"]["likeliest"]
        assert [answer.token for answer in answers] == [each["token"] for each in likeliest]
        chances = [answer.probability for answer in answers]
        assert chances == pytest.approx([each["probability"] for each in likeliest], abs=2e-6)


def test_the_saved_model_loads_in_the_pipeline_of_transformers(masked: Run) -> None:
    fill = pipeline("fill-mask", model=str(masked.model_folder), top_k=3)
    expected: Any = fill("The bank. The [MASK]. The loan.")
    model = homeground.load(masked)
    assert isinstance(model, MaskedLM)
    answers = model.fill_mask("The bank. The [MASK]. The loan.", 3)
    assert [answer.id for answer in answers] == [each["token"] for each in expected]
    assert [a.probability for a in answers] == pytest.approx([each["score"] for each in expected], abs=1e-5)


def test_a_head_that_is_new_is_fitted_first_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(learning.HEAD_TRAINING, "epochs", 2)
    data = write_documents(tmp_path / "documents.jsonl", 100)
    body = checkpoints.distilbert(tmp_path / "bare")
    run = homeground.adapt(data, checkpoint=str(body), out=str(tmp_path / "run"), **FAST | {"epochs": 1})
    head = run.scores["head"]
    assert head["why"] == "the checkpoint has no trained head for masked words"
    report = run.report_path.read_text(encoding="utf-8")
    assert "The checkpoint has no trained head for masked words. With an untrained head" in report
    assert "no trained head" in (run.model_folder / "README.md").read_text(encoding="utf-8")
