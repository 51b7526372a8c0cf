"""The model card as the Hub and a reader get it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from tests.reports.sample_run import Files, unscored, write_sample_run
from tests.reports.test_report import PAYLOADS, poisoned

from homeground.reports.model_card import hub_name, model_card
from homeground.results.record import read_run


def card(folder: Path, **options: Any) -> ModelCard:
    return ModelCard(model_card(read_run(write_sample_run(folder, **options))), ignore_metadata_errors=False)


def test_the_card_says_how_the_model_is_used_and_what_it_scores(tmp_path: Path) -> None:
    made = card(tmp_path / "occupations")

    assert made.data.library_name == "sentence-transformers"
    assert made.data.pipeline_tag == "sentence-similarity"
    assert made.data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    scores = {result.metric_type: result.metric_value for result in made.data.eval_results or []}
    assert set(scores) == {"pearson", "spearman", "mse", "mae", "mape"}
    assert scores["pearson"] == pytest.approx(read_run(tmp_path / "occupations").scores.after["pearson"], abs=1e-6)


def test_the_card_tells_the_verdict_with_its_interval_and_how_to_load(tmp_path: Path) -> None:
    text = card(tmp_path / "occupations").text

    assert "**HELPED: Pearson 0.734 → 0.872" in text
    assert "| Pearson correlation ↑ | 0.734 | 0.872 | +0.138 | +0.119 to +0.157 |" in text
    assert "homeground.load(" in text
    assert "SentenceTransformer(" in text


def test_the_card_holds_no_text_of_the_data(tmp_path: Path) -> None:
    def change(files: Files) -> None:
        for example in files["examples.jsonl"]:
            example["text_1"] = example["text_2"] = "a private text"
        files["data.json"]["hubs"] = [{"text": "a private text", "pairs": 9}]
        files["scores.json"]["heat_map"]["titles"] = ["a private text"] * 9

    assert "private" not in model_card(read_run(write_sample_run(tmp_path / "run", change=change)))


def test_a_local_checkpoint_is_not_named_as_a_model_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def named(name: str, revision: str | None = None) -> str | None:
        checkpoint = {"name": name, "sha256": "0" * 64, "revision": revision}
        change = {"checkpoint": checkpoint}
        run = write_sample_run(tmp_path / "run", change=lambda files: files["data.json"].update(change))
        return hub_name(read_run(run))

    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "news").mkdir(parents=True)
    assert named("runs/news") is None
    assert named("/models/encoder") is None
    assert named("../models") is None
    assert named("minilm") == "sentence-transformers/all-MiniLM-L6-v2"
    assert named("owner/encoder", revision="abc") == "owner/encoder"


def test_pairs_without_scores_have_a_card_that_speaks_of_no_angle(tmp_path: Path) -> None:
    def with_the_default_loss(files: Files) -> None:
        unscored(files)
        files["recipe.toml"]["training"]["loss"] = "auto"

    text = card(tmp_path / "run", change=with_the_default_loss).text
    assert "Mean reciprocal rank" in text
    assert "arccos" not in text
    assert "arccos" in card(tmp_path / "scored").text


def test_the_scores_are_said_to_be_of_what_they_are_of(tmp_path: Path) -> None:
    def measured_on(made: ModelCard) -> set[tuple[str, str | None]]:
        return {(result.dataset_name, result.dataset_split) for result in made.data.eval_results or []}

    def learned(files: Files) -> None:
        files["scores.json"]["seen_in_training"] = 2

    assert measured_on(card(tmp_path / "pairs")) == {("held-out test pairs of the domain", "test")}
    assert measured_on(card(tmp_path / "texts", kind="reviews")) == {("held-out test texts of the domain", "test")}
    assert measured_on(card(tmp_path / "seen", change=learned)) == {("test pairs of the domain", "test")}
    fold = "pairs of the domain, each scored by a model that was not trained on it"
    assert measured_on(card(tmp_path / "small", kind="too-few")) == {(fold, "cross-fitted")}


def test_the_card_of_a_cross_fitted_run_says_that_the_models_of_the_folds_were_measured(tmp_path: Path) -> None:
    text = card(tmp_path / "small", kind="too-few").text
    assert "each scored by one of 5 models, which was not trained on it; this model was trained on all of them" in text
    assert "none of which was in the training data" not in text


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: ascii(payload[:24]))
def test_text_from_outside_breaks_neither_yaml_nor_markdown(tmp_path: Path, payload: str) -> None:
    made = card(tmp_path / "run", change=poisoned(payload))

    assert made.data.library_name == "sentence-transformers"
    assert made.data.base_model is None
    assert "<script" not in made.text
    assert "<img" not in made.text
    assert "<svg" not in made.text


def test_a_run_named_to_break_yaml_keeps_its_name(tmp_path: Path) -> None:
    name = "a: b\n---\n# [c] 'd' \"e\""
    assert card(tmp_path / name).data.model_name == name


@pytest.mark.parametrize("kind", ["reviews", "intents", "topics"])
def test_the_card_of_a_classifier_says_how_it_is_used(tmp_path: Path, kind: str) -> None:
    made = card(tmp_path / kind, kind=kind)

    assert made.data.library_name == "transformers"
    assert made.data.pipeline_tag == "text-classification"
    results = made.data.eval_results or []
    assert {result.task_type for result in results} == {"text-classification"}
    assert {"macro_f1", "log_loss", "ece"} <= {result.metric_type for result in results}
    assert 'pipeline("text-classification"' in made.text
    assert "homeground.load(" in made.text
    assert "sentence_transformers" not in made.text
    assert "arccos" not in made.text
    assert ("It predicts 2 classes: negative, positive." in made.text) == (kind == "reviews")
    assert ("It predicts 77 classes." in made.text) == (kind == "intents")
    assert ("top_k=None" in made.text) == (kind == "topics")


def test_the_card_of_a_classifier_of_pairs_shows_a_pair(tmp_path: Path) -> None:
    def change(files: Files) -> None:
        files["data.json"]["columns"] = {"text_1": "a", "text_2": "b", "label": "label"}

    text = card(tmp_path / "run", kind="reviews", change=change).text
    assert 'predict([("a text", "another text")])' in text
    assert '[{"text": "a text", "text_pair": "another text"}]' in text


def test_the_card_says_where_the_pipeline_reads_less_than_was_learned(tmp_path: Path) -> None:
    def change(files: Files) -> None:
        files["recipe.toml"]["encoder"] = {"truncation": "head_and_tail"}

    assert "reads only the beginning" in card(tmp_path / "run", kind="reviews", change=change).text
    assert "reads only the beginning" not in card(tmp_path / "plain", kind="reviews").text


def test_the_card_of_a_classifier_holds_no_text_of_the_data(tmp_path: Path) -> None:
    def change(files: Files) -> None:
        for example in files["examples.jsonl"]:
            example["text"] = "a private text"

    assert "private" not in card(tmp_path / "run", kind="reviews", change=change).text


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: ascii(payload[:24]))
def test_class_names_from_outside_break_neither_yaml_nor_markdown(tmp_path: Path, payload: str) -> None:
    change = {"classes": [payload, "b"]}
    made = card(tmp_path / "run", kind="reviews", change=lambda files: files["scores.json"].update(change))

    assert "It predicts 2 classes" in made.text
    assert "<script" not in made.text
    assert "<img" not in made.text
    assert "<svg" not in made.text
