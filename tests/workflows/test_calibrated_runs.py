"""Probabilities that are set right on validation, and a model that abstains, from the run to whoever predicts."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import log_loss
from tests.classifying import lively, topic_texts
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import homeground
from homeground.cli import run as command
from homeground.errors import UsageError
from homeground.inference.files import predict_file
from homeground.results.run import Run
from homeground.statistics.calibration import fit_temperature
from homeground.workflows.compare import compare, evaluate

HEADER = ["text", "label"]
FAST: dict[str, Any] = {
    "epochs": 3, "learning_rate": 2e-3, "bootstrap_draws": 200, "precision": "fp32", "cross_fit": 0, "audit": False,
}  # fmt: skip
Runs = Callable[..., Run]


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lively(tmp_path_factory.mktemp("body") / "tiny", "distilbert")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "topics.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *noisy(1000)])
    return path


def noisy(count: int, *, seed: int = 0) -> list[tuple[str, str]]:
    """Return texts of a topic, one in eight with the label of another, so that a model is surer than it should be."""
    rows = topic_texts(count, seed=seed, noise=1)
    names = sorted({label for _, label in rows})
    wrong = np.random.default_rng(seed).random(count) < 0.125
    return [
        (text, names[(names.index(label) + 1) % 4] if out else label)
        for (text, label), out in zip(rows, wrong, strict=True)
    ]


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory, body: Path, data: Path) -> Runs:
    """Return a function that adapts to the same texts with other settings, once each."""
    folder, runs = tmp_path_factory.mktemp("runs"), dict[str, Run]()

    def run(**settings: Any) -> Run:
        name = "-".join(f"{key}-{value}" for key, value in settings.items()) or "plain"
        if name not in runs:
            every = {**FAST, "validation": 0.2, **settings}
            runs[name] = homeground.adapt(data, checkpoint=str(body), out=str(folder / name), **every)
        return runs[name]

    return run


def texts_of(run: Run, split: str, data: Path) -> tuple[list[str], list[str]]:
    with data.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    splits = [json.loads(line) for line in (run.folder / "splits.jsonl").read_text().splitlines()]
    chosen = [rows[line["row"] - 1] for line in splits if line["split"] == split]
    return [row["text"] for row in chosen], [row["label"] for row in chosen]


def logits_of(run: Run, texts: list[str]) -> np.ndarray:
    model = AutoModelForSequenceClassification.from_pretrained(run.model_folder)
    tokenizer = AutoTokenizer.from_pretrained(run.model_folder)
    with torch.no_grad():
        return model(**tokenizer(texts, padding=True, truncation=True, return_tensors="pt")).logits.double().numpy()


def test_the_weights_hold_the_temperature_that_is_best_on_validation(adapted: Runs, data: Path) -> None:
    calibrated, plain = adapted(), adapted(calibrate=False)
    calibration = calibrated.scores["calibration"]
    texts, labels = texts_of(calibrated, "validation", data)
    truth = np.array([calibrated.scores["classes"].index(label) for label in labels])
    logits = logits_of(plain, texts)
    assert calibration["temperature"] == pytest.approx(fit_temperature(logits, truth), rel=1e-4)
    assert calibration["temperature"] > 1.05
    assert (calibration["validation_examples"], calibration["remark"]) == (len(texts), None)
    expected = softmax(logits / calibration["temperature"], axis=1)
    assert np.abs(homeground.load(calibrated).predict_proba(texts) - expected).max() < 1e-5
    assert np.abs(softmax(logits_of(calibrated, texts), axis=1) - expected).max() < 1e-5
    # What is folded into the weights is not fitted again.
    assert fit_temperature(logits_of(calibrated, texts), truth) == pytest.approx(1, rel=1e-3)


def test_the_labels_stay_and_the_probabilities_get_better(adapted: Runs) -> None:
    calibrated, plain = adapted().scores, adapted(calibrate=False).scores
    assert plain["calibration"] is None
    calibration = calibrated["calibration"]
    for name in ("accuracy", "macro_f1"):
        assert calibrated["after"][name] == plain["after"][name]
    assert calibrated["sentence"].split(". ")[0] == plain["sentence"].split(". ")[0]
    for name in ("log_loss", "ece"):
        assert calibration[name]["uncalibrated"] == pytest.approx(plain["after"][name], abs=1e-5)
        assert calibration[name]["calibrated"] == calibrated["after"][name]
    assert calibration["log_loss"]["calibrated"] < calibration["log_loss"]["uncalibrated"]


def test_training_that_changes_nothing_gains_nothing_from_the_temperature(
    adapted: Runs, write_csv: Callable[..., Path], tmp_path: Path
) -> None:
    # The checkpoint has a head of its own that is too sure, and nothing is learned.
    data = write_csv("new.csv", HEADER, noisy(700, seed=5))
    settings = {**FAST, "epochs": 1, "learning_rate": 0, "learning_curve": True, "primary_metric": "log_loss"}
    checkpoint = str(adapted(calibrate=False).model_folder)
    run = homeground.adapt(data, checkpoint=checkpoint, out=str(tmp_path / "run"), validation=0.2, **settings)
    scores, calibration = run.scores, run.scores["calibration"]
    assert calibration["temperature"] > 1.05
    assert calibration["before"]["temperature"] == pytest.approx(calibration["temperature"], rel=1e-4)
    assert calibration["before"]["log_loss"]["calibrated"] == scores["before"]["log_loss"]
    assert scores["before"]["log_loss"] < calibration["before"]["log_loss"]["uncalibrated"]
    assert scores["difference"]["value"] == pytest.approx(0, abs=1e-5)
    assert scores["verdict"] == "NO EVIDENCE"
    curve = scores["learning_curve"]
    for point in curve["points"]:
        assert point["after"]["score"] == pytest.approx(scores["after"]["log_loss"], abs=1e-5)
        assert point["before"]["score"] == pytest.approx(point["after"]["score"], abs=1e-5)
    assert curve["difference"]["value"] == pytest.approx(0, abs=1e-5)
    page = run.report_path.read_text(encoding="utf-8")
    assert f"The model before is measured with one of {calibration['before']['temperature']:.2f}" in page


def test_evaluate_and_compare_measure_the_calibrated_probabilities(
    adapted: Runs, data: Path, write_csv: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    calibrated, plain = adapted(), adapted(calibrate=False)
    texts, labels = texts_of(calibrated, "test", data)
    path = write_csv("test.csv", HEADER, list(zip(texts, labels, strict=True)))
    measured = evaluate(str(calibrated.folder), str(path))["scores"]
    assert measured["log_loss"] == pytest.approx(calibrated.scores["after"]["log_loss"], abs=1e-6)
    model = homeground.load(calibrated)
    assert measured["log_loss"] == pytest.approx(log_loss(labels, model.predict_proba(texts)), abs=1e-6)
    both = compare(str(plain.folder), str(calibrated.folder), str(path))
    assert both["before"]["accuracy"] == both["after"]["accuracy"]
    assert both["after"]["log_loss"] == measured["log_loss"] < both["before"]["log_loss"]


def test_a_target_precision_makes_the_model_abstain_wherever_it_is_asked(
    adapted: Runs, data: Path, write_csv: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = adapted(target_precision=0.8)
    abstaining = run.scores["calibration"]["abstain"]
    settings = json.loads((run.model_folder / "homeground.json").read_text())
    assert settings["abstain"] == {"threshold": abstaining["threshold"], "target_precision": 0.8}
    model = homeground.load(run)
    texts, labels = texts_of(run, "test", data)
    probabilities, answers = model.predict_proba(texts), model.predict(texts)
    answered = probabilities.max(1) >= abstaining["threshold"]
    assert [label is not None for label in answers] == answered.tolist()
    assert 0 < answered.sum() < len(texts)
    assert abstaining["test"]["answered"] == answered.sum()
    assert abstaining["test"]["right"] == sum(label == own for label, own in zip(answers, labels, strict=True))
    for share in ("coverage", "precision"):
        assert (
            abstaining["test"][share]["low"] <= abstaining["test"][share]["value"] <= abstaining["test"][share]["high"]
        )

    sure, unsure = texts[int(np.flatnonzero(answered)[0])], texts[int(np.flatnonzero(~answered)[0])]
    source = write_csv("texts.csv", ["text"], [(sure,), (unsure,), ("",)])
    predict_file(model, source, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["abstained"] for row in rows] == ["false", "true", ""]
    assert [row["predicted_label"] for row in rows] == [model.predict([sure])[0], "", ""]
    predict_file(model, source, tmp_path / "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["abstained"] for line in lines] == [False, True, None]
    assert lines[1]["predicted_label"] is None
    assert lines[1]["probability_law"] == pytest.approx(model.predict_proba([unsure])[0, 1], abs=1e-6)

    assert command(["predict", str(run.folder), sure, unsure, "--top", "1"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [("abstain" in line) for line in printed] == [False, False, True, False]
    assert command(["predict", str(run.folder), sure, unsure, "--json"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["abstained"] for line in answers] == [False, True]


def test_a_precision_that_is_not_shown_leaves_every_text_answered(adapted: Runs, data: Path) -> None:
    run = adapted(target_precision=0.999)
    abstaining = run.scores["calibration"]["abstain"]
    assert (abstaining["threshold"], abstaining["validation"]) == (None, None)
    assert abstaining["needed"] is None or abstaining["needed"] > run.scores["calibration"]["validation_examples"]
    assert abstaining["test"] is None
    texts, _ = texts_of(run, "test", data)
    assert None not in homeground.load(run).predict(texts)
    assert "abstain" not in json.loads((run.model_folder / "homeground.json").read_text())
    assert "no confidence threshold reaches a precision" in run.report_path.read_text(encoding="utf-8")


def test_report_and_card_tell_of_the_temperature_and_the_threshold(adapted: Runs) -> None:
    run = adapted(target_precision=0.8)
    calibration = run.scores["calibration"]
    page, card = (
        run.report_path.read_text(encoding="utf-8"),
        (run.model_folder / "README.md").read_text(encoding="utf-8"),
    )
    assert f"temperature of {calibration['temperature']:.2f}" in page
    assert f"{calibration['ece']['uncalibrated']:.3f}" in page
    assert f"temperature of {calibration['temperature']:.2f}" in card
    assert f"{calibration['abstain']['threshold']:.4f}" in page
    assert f"{calibration['abstain']['threshold']:.4f}" in card


@pytest.mark.parametrize(
    ("settings", "remark"),
    [
        ({"validation": 0}, "no validation split"),
        ({"validation": 0.02}, "too few"),
    ],
)
def test_without_enough_validation_nothing_is_fitted_and_that_is_told(
    settings: dict[str, Any], remark: str, body: Path, data: Path, tmp_path: Path
) -> None:
    events: list[str] = []
    run = homeground.adapt(
        data, checkpoint=str(body), out=str(tmp_path / "run"), on_event=lambda event: events.append(str(event)),
        **{**FAST, "epochs": 1, **settings},
    )  # fmt: skip
    calibration = run.scores["calibration"]
    assert calibration["temperature"] == 1
    assert remark in calibration["remark"]
    assert any("temperature 1: " in line for line in events)
    assert calibration["ece"]["uncalibrated"] == calibration["ece"]["calibrated"] == run.scores["after"]["ece"]


def test_a_model_without_mistakes_on_validation_is_left_as_it_is(
    write_csv: Callable[..., Path], body: Path, tmp_path: Path
) -> None:
    data = write_csv(
        "easy.csv", HEADER, [(f"bank loan {n}" if n % 2 else f"court judge {n}", "xy"[n % 2]) for n in range(600)]
    )
    run = homeground.adapt(data, checkpoint=str(body), out=str(tmp_path / "run"), **FAST)
    calibration = run.scores["calibration"]
    assert calibration["temperature"] == 1
    assert "no mistake" in calibration["remark"]


def test_every_fold_is_calibrated_on_its_own_validation(
    write_csv: Callable[..., Path], body: Path, tmp_path: Path
) -> None:
    data = write_csv("small.csv", HEADER, noisy(200))
    settings = {**FAST, "cross_fit": 2, "validation": 0.4, "target_precision": 0.3}
    run = homeground.adapt(data, checkpoint=str(body), out=str(tmp_path / "run"), **settings)
    plain = homeground.adapt(
        data, checkpoint=str(body), out=str(tmp_path / "plain"),
        **{**settings, "calibrate": False, "target_precision": None},
    )  # fmt: skip
    after, before = (np.load(each.folder / "folds" / "1" / "predictions.npy")[1] for each in (run, plain))
    assert np.array_equal(after.argmax(1), before.argmax(1))
    raw = np.load(run.folder / "folds" / "1" / "uncalibrated.npy")
    assert np.abs(raw - before).max() < 1e-5
    # One number takes the logarithms of all probabilities of a fold from one side to the other.
    ratios = (np.log(raw[:, 0]) - np.log(raw[:, 1])) / (np.log(after[:, 0]) - np.log(after[:, 1]))
    assert np.ptp(ratios) < 1e-3 * abs(np.median(ratios))
    assert abs(np.median(ratios) - 1) > 1e-3
    first = [np.load(each.folder / "folds" / "1" / "predictions.npy")[0] for each in (run, plain)]
    assert np.array_equal(first[0].argmax(1), first[1].argmax(1)) and np.abs(first[0] - first[1]).max() > 1e-4
    assert np.abs(np.load(run.folder / "folds" / "1" / "uncalibrated_before.npy") - first[1]).max() < 1e-5
    calibration = run.scores["calibration"]
    assert calibration["before"]["log_loss"]["calibrated"] == run.scores["before"]["log_loss"]
    assert calibration["before"]["log_loss"]["uncalibrated"] == pytest.approx(
        plain.scores["before"]["log_loss"], abs=1e-5
    )
    assert calibration["log_loss"]["calibrated"] == run.scores["after"]["log_loss"]
    assert calibration["log_loss"]["uncalibrated"] == pytest.approx(plain.scores["after"]["log_loss"], abs=1e-5)
    assert calibration["abstain"]["test"]["answered"] > 0


def test_several_labels_keep_their_threshold_of_one_half_and_refuse_to_abstain(body: Path, tmp_path: Path) -> None:
    texts = noisy(1200)
    path = tmp_path / "several.jsonl"
    rows = [
        {"text": a + " " + b, "labels": sorted({x, y})} for (a, x), (b, y) in zip(texts[::2], texts[1::2], strict=True)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    runs = [
        homeground.adapt(path, checkpoint=str(body), out=str(tmp_path / str(on)), calibrate=on, **FAST)
        for on in (True, False)
    ]
    calibration = runs[0].scores["calibration"]
    assert calibration["temperature"] != 1
    some = [row["text"] for row in rows[:60]]
    probabilities = [homeground.load(run).predict_proba(some) for run in runs]
    logits = np.log(probabilities[1]) - np.log1p(-probabilities[1])
    assert np.abs(probabilities[0] - 1 / (1 + np.exp(-logits / calibration["temperature"]))).max() < 1e-5
    assert np.array_equal(probabilities[0] >= 0.5, probabilities[1] >= 0.5)
    with pytest.raises(UsageError, match="is for texts with one label each"):
        homeground.adapt(path, checkpoint=str(body), out=str(tmp_path / "no"), target_precision=0.9, **FAST)


def test_a_threshold_needs_a_validation_split_to_be_chosen_on(body: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="chooses a threshold on a validation split and there is none"):
        homeground.adapt(
            data, checkpoint=str(body), out=str(tmp_path / "run"), validation=0, target_precision=0.9, **FAST
        )
    assert not (tmp_path / "run").exists()


def test_a_run_killed_right_after_it_was_calibrated_ends_with_the_same_bytes(
    adapted: Runs, body: Path, data: Path, tmp_path: Path
) -> None:
    whole = adapted(target_precision=0.8)

    def interrupt(event: object) -> None:
        if str(event).startswith("Notice(text='temperature"):
            raise KeyboardInterrupt

    settings = {**FAST, "validation": 0.2, "target_precision": 0.8, "checkpoint": str(body)}
    with pytest.raises(KeyboardInterrupt):
        homeground.adapt(data, out=str(tmp_path / "halves"), on_event=interrupt, **settings)
    halves = homeground.adapt(data, out=str(tmp_path / "halves"), **settings)
    for name in ("model.safetensors", "config.json", "homeground.json"):
        assert (whole.model_folder / name).read_bytes() == (halves.model_folder / name).read_bytes()
    assert whole.scores["calibration"] == halves.scores["calibration"]


def test_what_is_calibrated_is_the_merged_model(
    write_csv: Callable[..., Path], body: Path, data: Path, tmp_path: Path
) -> None:
    general = write_csv("general.csv", HEADER, noisy(120, seed=9))
    run = homeground.adapt(
        data, checkpoint=str(body), out=str(tmp_path / "run"), keep_general=str(general), general_margin=0.5,
        **{**FAST, "validation": 0.2},
    )  # fmt: skip
    assert run.scores["merging"]["kept"]
    assert run.scores["calibration"]["temperature"] != 1
    texts, labels = texts_of(run, "validation", data)
    truth = np.array([run.scores["classes"].index(label) for label in labels])
    assert fit_temperature(logits_of(run, texts), truth) == pytest.approx(1, rel=1e-3)
