"""Whole runs on texts with entities: what is measured, saved, found, compared and shown."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2
from tests import checkpoints
from tests.tagging import tagged_texts, write_tagged

import homeground
from homeground.cli import run as command
from homeground.errors import CheckpointError, DataError, UsageError
from homeground.results.run import Run
from homeground.storage import read_json

FAST: dict[str, Any] = {
    "audit": False,
    "epochs": 6, "learning_rate": 3e-3, "batch_size": 16, "bootstrap_draws": 400, "cross_fit": 0
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("entities")
    checkpoints.bert(place / "bert")
    checkpoints.roberta(place / "roberta")
    write_tagged(place / "texts.jsonl", tagged_texts(300))
    write_tagged(place / "other.jsonl", tagged_texts(60, seed=7))
    return place


@pytest.fixture(scope="module")
def run(place: Path) -> Run:
    return homeground.adapt(
        place / "texts.jsonl",
        checkpoint=str(place / "bert"),
        out=place / "run",
        general=str(place / "other.jsonl"),
        **FAST,
    )


def lines_of(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.folder / "examples.jsonl").read_text(encoding="utf-8").splitlines()]


def test_entities_are_learned_and_measured_as_seqeval_measures_them(place: Path, run: Run) -> None:
    scores = run.scores
    assert scores["task"] == "token-classification" and scores["verdict"] == "HELPED"
    assert scores["after"]["entity_f1"] > 0.9 > scores["before"]["entity_f1"]
    assert scores["head"]["converged"] and set(scores["baselines"]) == {"most frequent tag", "linear tagger"}
    rows = [json.loads(line) for line in (place / "texts.jsonl").read_text(encoding="utf-8").splitlines()]
    lines = lines_of(run)
    gold = [rows[line["row"] - 1]["tags"] for line in lines]
    for side in ("before", "after"):
        given = [tags_of(rows[line["row"] - 1]["tokens"], line[side]) for line in lines]
        assert scores[side]["conlleval_f1"] == pytest.approx(f1_score(gold, given), abs=1e-9)
    predictions = np.load(run.folder / "predictions.npy")[1]
    width = predictions.shape[1] // 2
    names = json.loads((run.model_folder / "config.json").read_text())["id2label"]
    tags = [[names[str(int(tag))] for tag in row[:width] if tag >= 0] for row in predictions]
    assert scores["after"]["entity_f1"] == pytest.approx(f1_score(gold, tags, mode="strict", scheme=IOB2), abs=1e-9)


def tags_of(words: list[str], entities: list[list[Any]]) -> list[str]:
    """Return the tags of a text whose words are joined by spaces."""
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])
    tags = ["O"] * len(words)
    for start, end, name, _ in entities:
        inside = [place for place in range(len(words)) if start <= starts[place] < end]
        for place in inside:
            tags[place] = f"I-{name}"
        tags[inside[0]] = f"B-{name}"
    return tags


def test_before_is_the_checkpoint_with_a_head_that_was_fitted_first(run: Run) -> None:
    each = {row["label"]: row["f1"] for row in run.scores["per_class"]["before"]}
    assert each.keys() == {"JOB", "PLACE"} and min(each.values()) > 0.5


def test_errors_are_counted_by_kind_and_add_up(run: Run) -> None:
    scores = run.scores
    support = sum(row["support"] for row in scores["per_class"]["after"])
    for side in ("before", "after"):
        errors = scores["entities"]["errors"][side]
        found = errors["right"] + errors["boundary"] + errors["type"] + errors["boundary_and_type"]
        assert found + errors["missed"] == support
        assert errors["right"] / support == pytest.approx(scores[side]["entity_recall"])


def test_a_pipeline_of_transformers_finds_the_same_entities(run: Run) -> None:
    from transformers import pipeline

    find = pipeline("token-classification", model=str(run.model_folder), aggregation_strategy="simple", device="cpu")
    texts = [" ".join(words) for words, _ in tagged_texts(40, seed=3)]
    ours = run.load().entities(texts)
    assert sum(map(len, ours)) > 40
    for text, found in zip(texts, ours, strict=True):
        theirs = [(each["start"], each["end"], each["entity_group"]) for each in find(text)]
        assert [(each.start, each.end, each.label) for each in found] == theirs
        assert all(text[each.start : each.end] == each.text for each in found)


def test_entities_have_their_place_and_probability_whatever_else_is_asked(run: Run) -> None:
    tagger = run.load()
    assert isinstance(tagger, homeground.Tagger) and tagger.types == ("JOB", "PLACE")
    text = "in data scientist paper  money\tplay nurse"
    alone = tagger.entities(text)
    expected = [("data scientist", "JOB"), ("money", "JOB"), ("nurse", "PLACE")]
    assert [(each.text, each.label) for each in alone] == expected
    assert all(0.3 < each.probability <= 1 for each in alone)
    together = tagger.entities([None, text, " ", "paper in " * 300 + text])
    assert together[0] is None and together[2] is None
    assert [each[:3] for each in together[1]] == [each[:3] for each in alone]
    assert [each.probability for each in together[1]] == pytest.approx([each.probability for each in alone], abs=1e-5)
    # Nothing of a long text is cut.
    assert [(each.text, each.label) for each in together[3]] == expected
    assert tagger.truncated == 0 and "types=['JOB', 'PLACE']" in repr(tagger)


def test_entities_go_from_file_to_file(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "new.csv"
    source.write_text("id,text\n1,paper nurse in town\n2,\n3,play paper\n", encoding="utf-8")
    assert command(["predict", str(run.folder), "--input", str(source), "--output", str(tmp_path / "out.csv")]) == 0
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = json.loads(rows[0]["predicted_entities"])
    assert [(each["start"], each["end"], each["label"], each["text"]) for each in found] == [
        (6, 11, "PLACE", "nurse"),
        (15, 19, "JOB", "town"),
    ]
    assert [row["predicted_entities"] for row in rows[1:]] == ["", "[]"]
    assert command(["predict", str(run.folder), "--input", str(source), "--output", str(tmp_path / "out.jsonl")]) == 0
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[0]["predicted_entities"] == found and lines[1]["predicted_entities"] is None
    capsys.readouterr()
    assert command(["predict", str(run.folder), "paper nurse in town", "play paper"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "paper nurse in town" and shown[1].split()[:2] == ["nurse", "PLACE"] and "no entity" in shown[-1]
    words = tmp_path / "new.conll"
    words.write_text("nurse B-PLACE\nin O\n\nplay O\n", encoding="utf-8")
    assert command(["predict", str(run.folder), "--input", str(words)]) == 2
    assert "holds words with tags; predict takes whole texts" in capsys.readouterr().err
    for asked in (["--top", "2"], ["--embeddings"]):
        assert command(["predict", str(run.folder), "a nurse", *asked]) == 2
    assert command(["predict", str(run.folder), "--input", str(source), "--output", str(tmp_path / "out.npy")]) == 2


def test_the_report_shows_types_errors_and_texts(run: Run) -> None:
    html = run.report_path.read_text(encoding="utf-8")
    for heading in ("Scores by type", "Kinds of errors", "Entities in test texts"):
        assert heading in html
    assert "<mark" in html and "JOB" in html
    # No head on the mean of all tokens was fitted: words are labelled, not texts.
    assert run.scores["head"]["frozen_embeddings"] is None and "mean of all token vectors" not in html
    card = (run.model_folder / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: token-classification" in card and "It finds entities of 2 types: JOB, PLACE." in card


def test_general_ability_is_measured_with_the_same_types(run: Run) -> None:
    general = run.scores["general"]
    assert general["metric"] == "entity_f1" and general["verdict"] in ("KEPT", "FORGOT", "UNDECIDED")


def test_runs_are_evaluated_and_compared(place: Path, run: Run) -> None:
    measured = homeground.evaluate(run, place / "other.jsonl")
    assert measured["primary_metric"] == "entity_f1" and measured["scores"]["entity_f1"] > 0.9
    compared = homeground.compare(run.before_folder, run, place / "other.jsonl")
    assert compared["verdict"] == "HELPED"
    other = [(words, [tag.replace("PLACE", "CITY") for tag in tags]) for words, tags in tagged_texts(60, seed=8)]
    strange = homeground.evaluate(run, write_tagged(place / "strange.jsonl", other))
    assert any('does not know the types "CITY"' in note for note in strange["notes"])
    with pytest.raises(CheckpointError, match="finds no entities"):
        homeground.evaluate(place / "bert", place / "other.jsonl")
    with pytest.raises(UsageError, match="--checkpoints"):
        homeground.compare_checkpoints([str(place / "bert"), str(place / "roberta")], place / "texts.jsonl")


def test_an_interrupted_run_goes_on_to_the_same_result(place: Path, run: Run, tmp_path: Path) -> None:
    again = homeground.adapt(
        place / "texts.jsonl", checkpoint=str(run.folder), out=tmp_path / "more", **{**FAST, "epochs": 1}
    )
    # A run is a checkpoint: its head has these tags already, so that none is fitted.
    assert again.scores["head"] is None
    assert again.scores["before"]["entity_f1"] > 0.9


def test_folds_and_seeds_assemble_predictions_of_every_text(place: Path, tmp_path: Path) -> None:
    settings = {**FAST, "epochs": 1, "cross_fit": 3, "checkpoint": str(place / "roberta")}
    folds = homeground.adapt(place / "other.jsonl", out=tmp_path / "folds", **settings)
    assert folds.scores["test_examples"] == 60
    seeds = homeground.adapt(place / "other.jsonl", out=tmp_path / "seeds", **{**settings, "cross_fit": 0, "seeds": 5})
    assert len(seeds.scores["seeds"]["trainings"]) == 5


def test_texts_longer_than_the_model_reads_are_learned_whole(place: Path, tmp_path: Path) -> None:
    joined: list[tuple[list[str], list[str]]] = []
    for number, (words, tags) in enumerate(tagged_texts(240)):
        if number % 4 == 0:
            joined.append(([], []))
        joined[-1][0].extend(words)
        joined[-1][1].extend(tags)
    path = write_tagged(tmp_path / "long.jsonl", joined)
    run = homeground.adapt(path, checkpoint=str(place / "bert"), out=tmp_path / "run", max_length=16, **FAST)
    assert run.scores["after"]["entity_f1"] > 0.7
    record = read_json(run.folder / "data.json")
    assert json.dumps(record).count("truncated") <= 4 and run.scores["per_class"]["after"][0]["support"] > 15


def test_a_test_of_other_types_is_refused(place: Path, tmp_path: Path) -> None:
    other = [
        (words, [tag.replace("JOB", "X").replace("PLACE", "Y") for tag in tags]) for words, tags in tagged_texts(40)
    ]
    with pytest.raises(DataError, match='the types "X", "Y", the training examples of "JOB", "PLACE"'):
        homeground.adapt(
            place / "texts.jsonl",
            test=str(write_tagged(tmp_path / "test.jsonl", other)),
            checkpoint=str(place / "bert"),
            out=tmp_path / "run",
            **FAST,
        )
