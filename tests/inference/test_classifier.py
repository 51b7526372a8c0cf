"""The story of a classifier, from a file to probabilities that transformers gives too."""

from __future__ import annotations

import csv
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from sklearn.metrics import accuracy_score, f1_score
from tests.classifying import lively, topic_texts
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

import homeground
from homeground.cli import run as command
from homeground.errors import CheckpointError, DataError, Stopped, UsageError
from homeground.inference.files import predict_file
from homeground.recipe.recipe import make_recipe
from homeground.results.run import Run
from homeground.tasks.classification.spec import DEFAULTS
from homeground.training import events
from homeground.workflows.compare import compare, evaluate

HEADER = ["text", "label"]
FAST: dict[str, Any] = {
    "epochs": 4, "learning_rate": 2e-3, "bootstrap_draws": 400, "precision": "fp32", "audit": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lively(tmp_path_factory.mktemp("body") / "tiny", "distilbert")


@pytest.fixture(scope="module")
def classified(tmp_path_factory: pytest.TempPathFactory, body: Path) -> Run:
    folder = tmp_path_factory.mktemp("classified")
    with (folder / "topics.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *topic_texts(800, noise=1)])
    return homeground.adapt(folder / "topics.csv", checkpoint=str(body), out=str(folder / "run"), **FAST)


def examples(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.folder / "examples.jsonl").read_text(encoding="utf-8").splitlines()]


def test_planted_topics_are_found_against_a_head_that_was_fitted(classified: Run) -> None:
    scores = classified.scores
    assert scores["verdict"] == "HELPED"
    assert classified.sentence.startswith("HELPED: Accuracy 0.")
    assert "test texts" in classified.sentence
    assert scores["head"]["converged"]
    # The head alone finds much more than the majority class: an unfitted one would not.
    assert scores["before"]["accuracy"] > scores["baselines"]["majority class"]["accuracy"] + 0.2
    assert set(scores["baselines"]) == {"majority class", "TF-IDF", "frozen embeddings"}


def test_the_scores_are_those_of_scikit_learn_on_the_examples(classified: Run) -> None:
    rows = examples(classified)
    gold = [row["label"] for row in rows]
    for side in ("before", "after"):
        given = [row[side]["label"] for row in rows]
        scores = classified.scores[side]
        assert scores["accuracy"] == pytest.approx(accuracy_score(gold, given))
        assert scores["macro_f1"] == pytest.approx(f1_score(gold, given, average="macro"))
        matrix = np.array(classified.scores["confusion"][side])
        assert np.trace(matrix) / matrix.sum() == pytest.approx(scores["accuracy"])
        for each in classified.scores["per_class"][side]:
            assert each["low"] <= each["f1"] <= each["high"]
    fixed = sum(r["before"]["label"] != r["label"] == r["after"]["label"] for r in rows)
    assert classified.scores["mcnemar"]["fixed"] == fixed


def test_the_suited_defaults_are_written_out(classified: Run) -> None:
    recipe = make_recipe({}, data="a.csv").for_task("classification", DEFAULTS)
    assert (recipe.training.epochs, recipe.training.learning_rate) == (3, 5e-5)
    assert 'task = "classification"' in (classified.folder / "recipe.toml").read_text()


def test_transformers_loads_the_model_and_agrees(classified: Run) -> None:
    texts = ["bank loan card", "judge", "data scientist 科学 " + "law " * 80]
    ours = homeground.load(classified)
    expected = ours.predict_proba(texts)
    model = AutoModelForSequenceClassification.from_pretrained(classified.model_folder)
    tokenizer = AutoTokenizer.from_pretrained(classified.model_folder)
    with torch.no_grad():
        logits = model(**tokenizer(texts, padding=True, truncation=True, return_tensors="pt")).logits
    assert np.abs(torch.softmax(logits, -1).numpy() - expected).max() < 1e-5
    assert model.config.id2label == dict(enumerate(ours.classes_)) == dict(enumerate(["home", "law", "money", "work"]))
    assert model.config.problem_type == "single_label_classification"
    said = pipeline("text-classification", model=str(classified.model_folder))(texts, truncation=True)
    assert [each["label"] for each in said] == ours.predict(texts)
    assert [each["score"] for each in said] == pytest.approx(expected.max(1), abs=1e-5)


def test_a_text_gets_the_same_probabilities_whatever_it_is_predicted_with(classified: Run) -> None:
    model = homeground.load(classified)
    texts = ["bank", "the judge of the court and the police of the city", "bank loan"]
    together = model.predict_proba(texts)
    assert np.allclose(together.sum(1), 1)
    assert np.abs(together - np.vstack([model.predict_proba([text]) for text in texts])).max() < 1e-6
    assert model.predict_proba([]).shape == (0, 4)
    assert model.predict_proba("bank").tolist() == model.predict_proba(["bank"])[0].tolist()


def test_texts_are_labelled_from_the_command_line_and_file_to_file(
    classified: Run, write_csv: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["predict", str(classified.folder), "bank loan", "--top", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert command(["predict", str(classified.folder), "bank loan", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["probabilities"]
    model = homeground.load(classified)
    assert list(said) == [model.classes_[place] for place in np.argsort(-model.predict_proba(["bank loan"])[0])]
    source = write_csv("texts.csv", ["text", "note"], [("bank loan", "=x"), ("court judge", "y")])
    assert predict_file(model, source, tmp_path / "out.csv").rows == 2
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["predicted_label"] for row in rows] == model.predict(["bank loan", "court judge"])
    assert float(rows[0]["confidence"]) == pytest.approx(model.predict_proba("bank loan").max(), abs=1e-6)
    assert float(rows[0]["probability_money"]) == pytest.approx(model.predict_proba(["bank loan"])[0, 2], abs=1e-6)
    with pytest.raises(UsageError, match="what this model predicts goes to"):
        predict_file(model, source, tmp_path / "out.npy")


def test_evaluate_and_compare_measure_classifiers(
    classified: Run, body: Path, write_csv: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fresh = write_csv("fresh.csv", HEADER, topic_texts(120, seed=5, noise=1))
    result = evaluate(str(classified.folder), str(fresh))
    assert result["scores"]["accuracy"] > 0.6
    assert result["interval"]["metric"] == "accuracy"
    same = compare(str(classified.folder), str(classified.model_folder), str(fresh))
    assert same["verdict"] == "NO EVIDENCE"
    assert "no test text is scored differently" in same["sentence"]
    with pytest.raises(CheckpointError, match="gives no labels"):
        evaluate(str(body), str(fresh))
    other = write_csv("other.csv", HEADER, [(f"bank {n}", "xy"[n % 2]) for n in range(40)])
    with pytest.raises(DataError, match="none of them is the same"):
        evaluate(str(classified.folder), str(other))


def test_a_run_with_the_same_labels_is_compared_as_it_is(
    classified: Run, write_csv: Callable[..., Path], tmp_path: Path
) -> None:
    data = write_csv("more.csv", HEADER, topic_texts(600, seed=8, noise=1))
    run = homeground.adapt(data, checkpoint=str(classified.folder), out=str(tmp_path / "run"), **{**FAST, "epochs": 1})
    assert run.scores["head"] is None
    expected = evaluate(str(classified.folder), str(data))["scores"]["accuracy"]
    assert run.scores["before"]["accuracy"] == pytest.approx(expected, abs=0.1)
    renamed = [(text, f"about {label}") for text, label in topic_texts(600, seed=8, noise=1)]
    anew = homeground.adapt(
        write_csv("renamed.csv", HEADER, renamed), checkpoint=str(classified.folder), out=str(tmp_path / "b"),
        **{**FAST, "epochs": 1},
    )  # fmt: skip
    assert anew.scores["head"] is not None


def test_what_was_learned_gives_no_verdict_whatever_its_label(
    write_csv: Callable[..., Path], body: Path, tmp_path: Path
) -> None:
    rows = topic_texts(400, noise=1)
    names = sorted({label for _, label in rows})
    swapped = [(text, names[(names.index(label) + 1) % 4]) for text, label in rows[:200]]
    for name, test in (("same", rows[:200]), ("swapped", swapped)):
        run = homeground.adapt(
            write_csv("train.csv", HEADER, rows),
            test=str(write_csv(f"{name}.csv", HEADER, test)),
            checkpoint=str(body),
            out=str(tmp_path / name),
            **{**FAST, "epochs": 1},
        )
        assert run.scores["seen_in_training"] == 200
        assert run.scores["verdict"] == "TOO FEW"


def test_small_data_is_cross_fitted_with_a_head_for_every_fold(
    write_csv: Callable[..., Path], body: Path, tmp_path: Path
) -> None:
    run = homeground.adapt(
        write_csv("small.csv", HEADER, topic_texts(100, noise=1)),
        checkpoint=str(body),
        out=str(tmp_path / "run"),
        **FAST,
    )
    assert run.scores["cross_fit"] == 5
    kept = np.load(run.folder / "folds" / "1" / "predictions.npy")
    assert kept.shape == (2, 100, 4)
    # A head fitted to all examples would be better on them than one that never saw them.
    assert run.scores["before"]["accuracy"] < 0.9
    baselines = run.scores["baselines"]
    assert set(baselines) == {"majority class", "TF-IDF", "frozen embeddings"}
    splits = [json.loads(line) for line in (run.folder / "splits.jsonl").read_text().splitlines()]
    folds = [line["fold"] for line in splits if line["split"] == "test"]
    frozen = [np.load(run.folder / "folds" / str(fold) / "frozen.npy")[place] for place, fold in enumerate(folds)]
    said = [run.scores["classes"][given.argmax()] for given in frozen]
    right = np.mean([line["label"] == label for line, label in zip(examples(run), said, strict=True)])
    assert baselines["frozen embeddings"]["accuracy"] == pytest.approx(right)
    assert max(each["accuracy"] for each in baselines.values()) < 1


def test_several_labels_and_pairs_go_all_the_way(body: Path, tmp_path: Path) -> None:
    texts = topic_texts(600, noise=0)
    both = [
        {"text": a + " " + b, "labels": sorted({x, y})} for (a, x), (b, y) in zip(texts[::2], texts[1::2], strict=True)
    ]
    pairs = [
        {"text_1": a, "text_2": b, "label": x == y} for (a, x), (b, y) in zip(texts[::2], texts[1::2], strict=True)
    ]
    for name, rows in (("several", both), ("pairs", pairs)):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        run = homeground.adapt(
            path, checkpoint=str(body), out=str(tmp_path / name), cross_fit=0, **{**FAST, "epochs": 1}
        )
        model = homeground.load(run)
        if name == "several":
            assert run.scores["primary_metric"] == "macro_f1"
            assert all(isinstance(own, list) for own in model.predict(["bank judge", "nurse"]))
            config = json.loads((run.model_folder / "config.json").read_text())
            assert config["problem_type"] == "multi_label_classification"
        else:
            assert model.classes_ == ["false", "true"]
            assert model.predict_proba([("bank loan", "money")]).shape == (1, 2)
            assert "test pairs" in run.sentence


def test_a_stopped_run_goes_on_bit_for_bit(write_csv: Callable[..., Path], body: Path, tmp_path: Path) -> None:
    data = write_csv("a.csv", HEADER, topic_texts(600, noise=1))
    settings = {**FAST, "epochs": 2, "checkpoint": str(body)}
    whole = homeground.adapt(data, out=str(tmp_path / "whole"), **settings)

    def interrupt(event: object) -> None:
        if isinstance(event, events.Step) and event.step == 5:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Stopped):
        homeground.adapt(data, out=str(tmp_path / "halves"), on_event=interrupt, **settings)
    halves = homeground.adapt(data, out=str(tmp_path / "halves"), **settings)
    for name in ("model.safetensors", "config.json"):
        assert (whole.model_folder / name).read_bytes() == (halves.model_folder / name).read_bytes()
    assert whole.scores["after"] == halves.scores["after"]


def test_general_ability_is_measured_on_the_body(write_csv: Callable[..., Path], body: Path, tmp_path: Path) -> None:
    from tests.conftest import PAIR_HEADER, topic_pairs

    general = write_csv("general.csv", PAIR_HEADER, topic_pairs(120, seed=9))
    data = write_csv("a.csv", HEADER, topic_texts(600, noise=1))
    run = homeground.adapt(
        data, checkpoint=str(body), out=str(tmp_path / "run"), general=str(general), **{**FAST, "epochs": 1}
    )
    assert run.scores["general"]["metric"] == "pearson"
    untouched = evaluate(str(body), str(general))["scores"]["pearson"]
    assert run.scores["general"]["before"] == pytest.approx(untouched, abs=1e-5)


def test_general_ability_is_measured_on_other_texts_with_the_same_labels(
    write_csv: Callable[..., Path], body: Path, tmp_path: Path
) -> None:
    general = write_csv("general.csv", ["sentence", "category"], topic_texts(120, seed=9, noise=0))
    data = write_csv("a.csv", HEADER, topic_texts(600, noise=1))
    run = homeground.adapt(
        data, checkpoint=str(body), out=str(tmp_path / "run"), general=str(general), **{**FAST, "epochs": 1}
    )
    found = run.scores["general"]
    assert (found["metric"], found["examples"]) == ("accuracy", 120)
    assert found["after"] == pytest.approx(evaluate(str(run.folder), str(general))["scores"]["accuracy"])
    assert "General ability" in (run.model_folder / "README.md").read_text(encoding="utf-8")


def test_a_heat_map_shows_the_body_of_a_classifier(classified: Run, tmp_path: Path) -> None:
    out = tmp_path / "titles.html"
    assert command(["report", str(classified.folder), "--titles", "bank,court,road", "--out", str(out)]) == 0
    assert out.is_file()


@pytest.mark.parametrize("lacking", ["classifier.", "pre_classifier."])
def test_a_classifier_whose_head_was_never_trained_gives_no_labels(
    classified: Run, tmp_path: Path, lacking: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "headless"
    shutil.copytree(classified.model_folder, folder)
    (folder / "manifest.json").unlink()
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith(lacking)}
    assert len(kept) == len(weights) - 2
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(CheckpointError, match="no trained head for labels"):
        homeground.load(folder).predict(["one text"])
    with pytest.raises(CheckpointError, match="no trained head for labels"):
        evaluate(str(folder), str(classified.folder.parent / "topics.csv"))
    assert command(["predict", str(folder), "one text"]) == 2
    assert "no trained head for labels" in capsys.readouterr().err
