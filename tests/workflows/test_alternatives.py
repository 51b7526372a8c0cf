"""What a run keeps beside its model can be used: the checkpoint with its fitted head, and a bag of words that won."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import checkpoints
from tests.classifying import lively, topic_texts
from tests.conftest import PAIR_HEADER, topic_pairs
from tests.masking import write_documents

import homeground
from homeground.errors import CheckpointError, HomegroundError
from homeground.inference.word_classifier import WordClassifier
from homeground.results.run import Run
from homeground.storage import manifest_problem
from homeground.tasks.classification.bag_of_words import BagOfWords
from homeground.training.events import Notice
from homeground.workflows.compare import compare, evaluate

FAST: dict[str, Any] = {"epochs": 1, "bootstrap_draws": 400, "precision": "fp32", "audit": False}
UNTRAINED = {**FAST, "learning_rate": 1e-9}


def write(path: Path, rows: list[tuple[str, ...]], header: list[str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lively(tmp_path_factory.mktemp("body") / "tiny", "distilbert")


@pytest.fixture(scope="module")
def notices() -> list[str]:
    return []


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, body: Path, notices: list[str]) -> Run:
    folder = tmp_path_factory.mktemp("alternatives")
    data = write(folder / "topics.csv", topic_texts(600, noise=3), ["text", "label"])
    return homeground.adapt(
        data,
        checkpoint=str(body),
        out=str(folder / "run"),
        on_event=lambda event: notices.append(event.text) if isinstance(event, Notice) else None,
        **UNTRAINED,
    )


@pytest.fixture
def fresh_rows(tmp_path: Path) -> Path:
    return write(tmp_path / "fresh.csv", topic_texts(80, seed=77, noise=3), ["text", "label"])


def test_both_alternatives_are_complete_and_told_with_their_size(run: Run, notices: list[str]) -> None:
    assert run.before_folder == run.folder / "before"
    assert run.baseline_folder == run.folder / "baseline"
    for folder in (run.before_folder, run.baseline_folder):
        assert manifest_problem(folder) is None
        assert (folder / "README.md").is_file()
    saved, kept = (
        json.loads((folder / "homeground.json").read_text(encoding="utf-8"))
        for folder in (run.model_folder, run.folder / "baseline")
    )
    # A file is read by the columns that were learned from, whichever of them predicts.
    assert kept.items() <= saved.items()
    assert kept["columns"] == {"text": "text", "label": "label"}
    assert not list(run.folder.rglob("*.pkl"))
    (told,) = [text for text in notices if "--no-alternatives" in text]
    assert "before/ (" in told and "baseline/ (" in told and "MB" in told


def test_they_score_what_the_run_measured_of_them(run: Run) -> None:
    rows = [json.loads(line) for line in (run.folder / "examples.jsonl").read_text(encoding="utf-8").splitlines()]
    texts, labels = [row["text"] for row in rows], [row["label"] for row in rows]
    before, words = homeground.load(run.folder / "before"), homeground.load(run.folder / "baseline")
    assert before.predict(texts) == [row["before"]["label"] for row in rows]  # type: ignore[union-attr]
    # The temperature that was fitted for the model before is in its weights.
    probabilities = before.predict_proba(texts).max(axis=1)  # type: ignore[union-attr]
    assert probabilities == pytest.approx([row["before"]["probability"] for row in rows], abs=1e-5)
    assert isinstance(words, WordClassifier)
    assert words.classes_ == homeground.load(run).classes_  # type: ignore[union-attr]
    assert words.score(texts, labels) == pytest.approx(run.scores["baselines"]["TF-IDF"]["accuracy"])
    assert words.predict_proba(texts).sum(axis=1) == pytest.approx(np.ones(len(texts)))
    assert words.predict([None, texts[0]])[0] is None
    with pytest.raises(HomegroundError, match="no embeddings"):
        words.embed(texts)


def test_evaluate_and_compare_take_them_and_know_what_they_learned_from(run: Run, fresh_rows: Path) -> None:
    before, baseline = str(run.before_folder), str(run.baseline_folder)
    scores = evaluate(baseline, str(fresh_rows))["scores"]
    rows = list(csv.DictReader(fresh_rows.open(encoding="utf-8")))
    words = BagOfWords.read(run.folder / "baseline")
    predicted = [words.labels[place] for place in words.predict_proba([row["text"] for row in rows]).argmax(1)]
    assert scores["accuracy"] == pytest.approx(np.mean([p == r["label"] for p, r in zip(predicted, rows, strict=True)]))
    result = compare(before, baseline, str(fresh_rows))
    assert result["verdict"] == "HELPED"
    assert result["after"]["accuracy"] == scores["accuracy"]
    for name in (before, baseline):
        assert evaluate(name, str(run.folder.parent / "topics.csv"))["seen_in_training"] > 0


def test_predicting_with_a_bag_of_words_imports_no_framework(run: Run) -> None:
    code = (
        f"import sys, homeground; print(homeground.load({str(run.baseline_folder)!r}).predict(['bank loan']));"
        "print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_a_bag_of_words_is_not_adapted_and_labels_no_pairs(run: Run, fresh_rows: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is a bag of words"):
        homeground.adapt(fresh_rows, checkpoint=str(run.baseline_folder), out=str(tmp_path / "other"))
    pairs = write(tmp_path / "pairs.csv", topic_pairs(40), PAIR_HEADER)
    with pytest.raises(CheckpointError, match="gives labels only"):
        evaluate(str(run.baseline_folder), str(pairs))


def test_a_damaged_vocabulary_is_refused(run: Run, tmp_path: Path) -> None:
    words = homeground.load(run.folder / "baseline").save(tmp_path / "copy")
    assert homeground.load(words).predict(["bank loan"]) == homeground.load(run.folder / "baseline").predict(
        ["bank loan"]
    )  # type: ignore[union-attr]
    vocabulary = run.folder / "baseline" / "vocabulary.json"
    content = vocabulary.read_bytes()
    try:
        vocabulary.write_bytes(content + b" ")
        with pytest.raises(CheckpointError, match=r"vocabulary\.json is not as it was written"):
            homeground.load(run.folder / "baseline")
    finally:
        vocabulary.write_bytes(content)


def test_without_alternatives_the_model_stands_alone(body: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "topics.csv", topic_texts(300, noise=3), ["text", "label"])
    run = homeground.adapt(data, checkpoint=str(body), out=str(tmp_path / "run"), alternatives=False, **UNTRAINED)
    assert (run.before_folder, run.baseline_folder) == (None, None)
    assert run.model_folder.is_dir()


def test_cross_fitted_alternatives_learn_from_all_examples(body: Path, tmp_path: Path) -> None:
    rows = topic_texts(90, noise=2)
    data = write(tmp_path / "few.csv", rows, ["text", "label"])
    run = homeground.adapt(data, checkpoint=str(body), out=str(tmp_path / "run"), cross_fit=3, **UNTRAINED)
    assert run.before_folder is not None
    assert run.baseline_folder is not None
    vocabulary = json.loads((run.baseline_folder / "vocabulary.json").read_text(encoding="utf-8"))
    assert {text.split()[-1] for text, _ in rows} <= set(vocabulary.get("words", [])) or "characters" in vocabulary


def test_a_head_that_is_there_already_is_not_copied(tmp_path: Path, encoder: Path) -> None:
    data = write(tmp_path / "pairs.csv", topic_pairs(120), PAIR_HEADER)
    run = homeground.adapt(data, checkpoint=str(encoder), out=str(tmp_path / "run"), **FAST)
    assert (run.before_folder, run.baseline_folder) == (None, None)


def test_a_new_head_for_masked_words_is_kept_with_its_body(tmp_path: Path) -> None:
    encoder = checkpoints.other(tmp_path / "encoder", "bert")
    data = write_documents(tmp_path / "documents.jsonl", 60)
    run = homeground.adapt(data, checkpoint=str(encoder), out=str(tmp_path / "run"), task="mlm", **FAST)
    assert run.before_folder is not None
    assert homeground.load(run.before_folder).fill_mask("the old [MASK]", 1)  # type: ignore[union-attr]


def test_a_baseline_that_answers_otherwise_once_saved_is_refused(
    body: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write(tmp_path / "topics.csv", topic_texts(300, noise=3), ["text", "label"])
    real = BagOfWords.read.__func__  # type: ignore[attr-defined]

    def other(cls: type[BagOfWords], folder: Path) -> BagOfWords:
        words = real(cls, folder)
        words.weight[0] += 1
        return words

    monkeypatch.setattr(BagOfWords, "read", classmethod(other))
    with pytest.raises(HomegroundError, match="the saved baseline answers otherwise"):
        homeground.adapt(data, checkpoint=str(body), out=str(tmp_path / "run"), **UNTRAINED)
