"""Several checkpoints on the same data before any training, checked against scikit-learn and transformers."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.stats import pearsonr
from sklearn.linear_model import LogisticRegression
from tests import checkpoints
from tests.classifying import lively, topic_texts
from tests.conftest import PAIR_HEADER, topic_pairs
from transformers import AutoModel, AutoTokenizer

import homeground
from homeground.cli import run
from homeground.errors import CheckpointError, DataError, UsageError
from homeground.experiment.head import STRENGTHS, Choice
from homeground.results.run import Run

SETTINGS: dict[str, Any] = {"bootstrap_draws": 300}


@pytest.fixture(scope="module")
def lively_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lively(tmp_path_factory.mktemp("lively") / "bert")


@pytest.fixture(scope="module")
def dull_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.bert(tmp_path_factory.mktemp("dull") / "bert", seed=3)


def renamed(folder: Path) -> Path:
    """Change what a checkpoint says of itself, and so its fingerprint, but nothing that it computes."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "name_or_path": "another"}))
    return folder


def test_frozen_features_are_scored_as_scikit_learn_scores_them(
    lively_bert: Path, dull_bert: Path, write_csv: Callable[..., Path]
) -> None:
    learned, chosen = topic_texts(300), topic_texts(120, seed=1)
    data = write_csv("texts.csv", ["text", "label"], [*learned, *topic_texts(40, seed=2)])
    validation = write_csv("validation.csv", ["text", "label"], chosen)
    test = write_csv("test.csv", ["text", "label"], topic_texts(40, seed=3))
    result = homeground.compare_checkpoints(
        [str(dull_bert), str(lively_bert)], data, validation=str(validation), test=str(test), **SETTINGS
    )
    tokenizer, model = AutoTokenizer.from_pretrained(lively_bert), AutoModel.from_pretrained(lively_bert).eval()

    def features(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        batch = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        with torch.no_grad():
            states = model(**batch).last_hidden_state
        mask = batch["attention_mask"][:, :, None]
        return ((states * mask).sum(1) / mask.sum(1)).numpy(), states[:, 0].numpy()

    rows = [*learned, *topic_texts(40, seed=2)]
    best, other = result["checkpoints"]
    ours = next(each for each in (best, other) if each["name"] == str(lively_bert))
    pooling = ["mean", "head"].index(ours["pooling"])
    inputs, unseen = (features([row[0] for row in part])[pooling] for part in (rows, chosen))
    mean, scale = inputs.mean(0), np.sqrt(np.mean((inputs - inputs.mean(0)) ** 2))
    accuracies: list[float] = []
    for strength in STRENGTHS:
        fitted = LogisticRegression(C=strength, max_iter=2000)
        fitted.fit((inputs - mean) / scale, [row[1] for row in rows])
        accuracies.append(fitted.score((unseen - mean) / scale, [row[1] for row in chosen]))
    # Which of them was chosen, inside the training examples, is not the business of this check.
    assert min(abs(ours["scores"]["accuracy"] - each) for each in accuracies) < 1.01 / len(chosen)
    assert best["scores"]["accuracy"] > 0.5
    assert best["name"] == result["best"]
    assert other["difference"]["value"] == pytest.approx(other["scores"]["accuracy"] - best["scores"]["accuracy"])
    assert (result["examples"], result["folds"], result["test_examples_unasked"]) == (120, None, 40)
    assert ours["dimensions"] == 32
    assert ours["parameters"] == sum(each.numel() for each in load_file(lively_bert / "model.safetensors").values())


def test_all_but_the_test_split_is_cross_fitted(
    lively_bert: Path, dull_bert: Path, write_csv: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[int] = []
    choice_of = Choice.of
    monkeypatch.setattr(Choice, "of", lambda labels, *rest: learned.append(len(labels)) or choice_of(labels, *rest))
    data = write_csv("texts.csv", ["text", "label"], topic_texts(150))
    test = write_csv("test.csv", ["text", "label"], topic_texts(40, seed=3))
    names = [str(lively_bert), str(dull_bert)]
    result = homeground.compare_checkpoints(names, data, test=str(test), **SETTINGS)
    assert (result["examples"], result["folds"], result["test_examples_unasked"]) == (150, 5, 40)
    # Two checkpoints: every text is left out of one fit in five, by each.
    assert len(learned) == 10
    assert sum(150 - count for count in learned) == 2 * 150
    # The labels of the test are never looked at.
    other = write_csv("other.csv", ["text", "label"], [(text, "money") for text, _ in topic_texts(40, seed=3)[:39]])
    other.write_text(other.read_text() + "bank,law\n")
    again = homeground.compare_checkpoints(names, data, test=str(other), **SETTINGS)
    assert [each["scores"] for each in again["checkpoints"]] == [each["scores"] for each in result["checkpoints"]]


def test_pairs_are_scored_as_they_are(encoder: Path, dull_bert: Path, write_csv: Callable[..., Path]) -> None:
    rows = topic_pairs(150)
    data = write_csv("pairs.csv", PAIR_HEADER, rows)
    test = write_csv("test.csv", PAIR_HEADER, topic_pairs(40, seed=2))
    result = homeground.compare_checkpoints([str(encoder), str(dull_bert)], data, test=str(test), **SETTINGS)
    assert result["examples"] == 150
    scores = {each["name"]: each["scores"]["pearson"] for each in result["checkpoints"]}
    for folder in (encoder, dull_bert):
        similarities = homeground.load(folder).similarity([row[0] for row in rows], [row[1] for row in rows])
        assert scores[str(folder)] == pytest.approx(pearsonr(similarities, [row[2] for row in rows])[0], abs=1e-6)
    assert result["baselines"][0]["name"] == "TF-IDF"


def test_texts_are_cleaned_as_the_recipe_says(
    lively_bert: Path, dull_bert: Path, write_csv: Callable[..., Path]
) -> None:
    rows, tested = topic_texts(80), write_csv("test.csv", ["text", "label"], topic_texts(40, seed=3))
    plain = write_csv("plain.csv", ["text", "label"], rows)
    marked = write_csv("marked.csv", ["text", "label"], [(f"<p>{text}</p>", label) for text, label in rows])
    names = [str(lively_bert), str(dull_bert)]
    settings: dict[str, Any] = {**SETTINGS, "test": str(tested)}
    scores = [
        {each["name"]: each["scores"] for each in homeground.compare_checkpoints(names, data, **clean)["checkpoints"]}
        for data, clean in ((plain, settings), (marked, {**settings, "clean": "strip_html"}), (marked, settings))
    ]
    assert scores[0] == scores[1] != scores[2]


def test_the_same_weights_cannot_be_told_apart_and_few_units_tell_nothing(
    lively_bert: Path, write_csv: Callable[..., Path], tmp_path: Path
) -> None:
    twin = renamed(lively(tmp_path / "twin"))
    test = write_csv("test.csv", ["text", "label"], topic_texts(40, seed=3))
    names = [str(lively_bert), str(twin)]
    data = write_csv("texts.csv", ["text", "label"], topic_texts(80))
    result = homeground.compare_checkpoints(names, data, test=str(test), **SETTINGS)
    assert [each["standing"] for each in result["checkpoints"]] == ["BEST", "NO CLEAR DIFFERENCE"]
    assert "is not shown to be better than" in result["sentence"]
    assert abs(result["checkpoints"][1]["difference"]["value"]) < 1e-9
    few = write_csv("few.csv", ["text", "label"], topic_texts(25))
    result = homeground.compare_checkpoints(names, few, test=str(test), **SETTINGS)
    assert {each["standing"] for each in result["checkpoints"]} == {"TOO FEW"}
    assert result["sentence"].startswith("TOO FEW")


def test_among_several_checkpoints_the_intervals_are_corrected_for_every_pair(
    lively_bert: Path, dull_bert: Path, write_csv: Callable[..., Path], tmp_path: Path
) -> None:
    names = [str(lively_bert), str(dull_bert), str(renamed(lively(tmp_path / "twin")))]
    data = write_csv("texts.csv", ["text", "label"], topic_texts(80))
    result = homeground.compare_checkpoints(names, data, cross_fit=0, **SETTINGS)
    levels = [each["difference"]["level"] for each in result["checkpoints"][1:]]
    assert levels == pytest.approx([1 - 0.05 / 3] * 2)
    assert [each["difference"]["level"] for each in result["baselines"]] == pytest.approx([1 - 0.05 / 6] * 2)
    assert all(each["interval"]["level"] == 0.95 for each in result["checkpoints"])
    assert any("any is called worse in at most 5%" in note for note in result["notes"])


def test_one_that_learned_from_the_examples_is_left_out_of_the_choice(
    finished: Run, encoder: Path, dull_bert: Path, write_csv: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_csv("pairs.csv", PAIR_HEADER, topic_pairs(900))  # what the run was adapted to
    run_name, names = str(finished.folder), [str(encoder), str(dull_bert)]
    result = homeground.compare_checkpoints([run_name, *names], data, **SETTINGS)
    *others, last = result["checkpoints"]
    assert (last["name"], last["standing"], last["difference"]) == (run_name, "SEEN", None)
    assert last["seen_in_training"] > 500
    assert last["scores"]["pearson"] > others[0]["scores"]["pearson"]
    assert f"{run_name} learned from {last['seen_in_training']} of the" in result["sentence"]
    # The others stand as they would without it.
    without = homeground.compare_checkpoints(names, data, **SETTINGS)
    assert result["best"] == without["best"] == others[0]["name"]
    kept = ("name", "scores", "interval", "difference", "standing")
    assert [[each[field] for field in kept] for each in others + result["baselines"]] == [
        [each.get(field) for field in kept] for each in without["checkpoints"] + without["baselines"]
    ]
    assert run(["compare", "--checkpoints", run_name, str(encoder), str(data)]) == 0
    out = capsys.readouterr().out
    assert "trained on these examples" in out
    assert "is the only one that can be chosen" in out
    fresh = write_csv("new.csv", PAIR_HEADER, topic_pairs(300, seed=4))
    result = homeground.compare_checkpoints([run_name, *names], fresh, **SETTINGS)
    assert result["best"] == run_name


def test_where_every_checkpoint_learned_from_the_examples_none_is_chosen(
    finished: Run, write_csv: Callable[..., Path], tmp_path: Path
) -> None:
    data = write_csv("pairs.csv", PAIR_HEADER, topic_pairs(900))
    again = Path(shutil.copytree(finished.folder, tmp_path / "again"))
    (again / "model" / "manifest.json").unlink()
    renamed(again / "model")
    with pytest.raises(DataError, match=r"every checkpoint learned from some of its .* take other data"):
        homeground.compare_checkpoints([str(finished.folder), str(again)], data)


def test_one_checkpoint_under_two_names_is_refused(
    lively_bert: Path, write_csv: Callable[..., Path], tmp_path: Path
) -> None:
    data = write_csv("texts.csv", ["text", "label"], topic_texts(60))
    copied = Path(shutil.copytree(lively_bert, tmp_path / "copied"))
    for other in (f"{lively_bert}/", str(copied)):
        with pytest.raises(UsageError, match="are the same weights, settings and tokenizer") as caught:
            homeground.compare_checkpoints([str(lively_bert), other], data)
        assert str(caught.value).startswith(f"{lively_bert} and {other} ")


def test_one_that_cannot_be_opened_is_told_before_any_is_measured(
    lively_bert: Path, write_csv: Callable[..., Path], tmp_path: Path
) -> None:
    data = write_csv("texts.csv", ["text", "label"], topic_texts(60))
    broken = checkpoints.bert(tmp_path / "broken")
    for name in ("tokenizer.json", "vocab.txt"):
        (broken / name).unlink(missing_ok=True)
    events: list[object] = []
    with pytest.raises(CheckpointError, match="tokenizer"):
        homeground.compare_checkpoints([str(lively_bert), str(broken)], data, on_event=events.append)
    assert not events
    with pytest.raises(UsageError, match="at least 2 checkpoints, each once"):
        homeground.compare_checkpoints([str(lively_bert), str(lively_bert)], data)


def test_the_command_prints_a_table_or_all_of_it(
    lively_bert: Path, dull_bert: Path, write_csv: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(write_csv("pairs.csv", PAIR_HEADER, topic_pairs(60)))
    names = [str(lively_bert), str(dull_bert)]
    assert run(["compare", "--checkpoints", *names, data]) == 0
    out = capsys.readouterr().out
    assert "pearson (95% interval)" in out
    assert "cross-fit all of it" in out
    assert run(["compare", "--checkpoints", *names, data, "--json", "--quiet"]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert not printed.err
    scores = (Path(__file__).parents[2] / "docs" / "scores.md").read_text(encoding="utf-8")
    described = set(re.findall(r"`([^`]+)`", scores))
    assert not {*result, *result["checkpoints"][0], *result["baselines"][0]} - described
    for wrong in (
        ["compare", *names],
        ["compare", *names, data, data],
        ["compare", "--checkpoints", *names],
        ["compare", "--checkpoints", *names, data, "--gate"],
        ["compare", *names, data, "--validation", "0.2"],
    ):
        assert run(wrong) == 2
