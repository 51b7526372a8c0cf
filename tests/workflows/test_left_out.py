"""Test texts that were learned from are left out of the verdict, for both sides and in every kind of run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import checkpoints
from tests.classifying import lively, topic_texts
from tests.conftest import FAST, PAIR_HEADER, topic_pairs
from tests.masking import FAST as MASKED
from tests.masking import documents
from tests.workflows.test_chain import write_chain

import homeground
from homeground.results.run import Run

WriteCsv = Callable[..., Path]
LABELLED = {**FAST, "epochs": 1, "evaluation_batch_size": 64}


@pytest.fixture(scope="session")
def body(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lively(tmp_path_factory.mktemp("left-out") / "tiny")


def lines(run: Run, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.folder / name).read_text(encoding="utf-8").splitlines()]


def test_a_run_with_learned_test_texts_says_what_one_without_them_says(
    write_csv: WriteCsv, body: Path, tmp_path: Path
) -> None:
    train, fresh = topic_texts(200), topic_texts(60, seed=1)
    # Learned texts in capitals and with another label, and one with its words in another order, which is a new text.
    learned = [(text.upper(), "work") for text, _ in train[:12]]
    turned = (" ".join(reversed(train[20][0].split())), train[20][1])
    header = ["text", "label"]
    data = str(write_csv("train.csv", header, train))
    clean = str(write_csv("clean.csv", header, [*fresh, turned]))
    mixed = str(write_csv("mixed.csv", header, [*learned, *fresh, turned]))
    expected, run = (
        homeground.adapt(data, checkpoint=str(body), out=str(tmp_path / name), test=test, **LABELLED)
        for name, test in (("clean", clean), ("mixed", mixed))
    )
    for name in ("before", "after", "baselines", "difference", "differences", "per_class", "confusion", "test_units"):
        assert run.scores[name] == expected.scores[name], name
    assert (run.scores["test_examples"], run.scores["seen_in_training"]) == (61, 12)
    left_out = run.scores["left_out"]
    assert (left_out["examples"], left_out["of"]) == (12, 73)
    assert "12 of 73 were left out: their texts are in the training file" in run.scores["sentence"]
    assert expected.scores["left_out"] is None
    examples = lines(run, "examples.jsonl")
    assert [line["row"] for line in examples if line.get("left_out")] == list(range(1, 13))
    # The figure with them is that of all lines.
    right = np.array([line["label"] == line["after"]["label"] for line in examples])
    assert left_out["after"]["accuracy"] == pytest.approx(right.mean())
    record = json.loads((run.folder / "data.json").read_text(encoding="utf-8"))
    rows = {row for each in record["left_out_of_test"] for row in each["rows"]}
    assert rows == set(range(1, 13)) and {each["seen_in"] for each in record["left_out_of_test"]} <= {
        "train",
        "validation",
    }
    assert record["counts"]["test"] == 61
    assert [line["row"] for line in lines(run, "splits.jsonl") if line.get("left_out")] == list(range(1, 13))
    assert run.report_path.is_file()


def test_learned_test_texts_that_are_kept_block_a_gain(write_csv: WriteCsv, encoder: Path, tmp_path: Path) -> None:
    rows = topic_pairs(500)
    train = str(write_csv("train.csv", PAIR_HEADER, rows))
    test = str(write_csv("test.csv", PAIR_HEADER, [*topic_pairs(150, seed=4), *rows[:50]]))
    settings = {"checkpoint": str(encoder), "test": test, **FAST}
    run = homeground.adapt(train, out=str(tmp_path / "clean"), **settings)
    assert (run.scores["verdict"], run.scores["left_out"]["examples"]) == ("HELPED", 50)
    kept = homeground.adapt(train, out=str(tmp_path / "kept"), keep_contaminated=True, **settings)
    assert (kept.scores["verdict"], kept.scores["test_examples"]) == ("NO EVIDENCE", 200)
    assert "50 test pairs" in kept.scores["sentence"]
    assert run.scores["left_out"]["after"] == kept.scores["after"]
    # Both verdicts are about one test set, whatever is left out of it.
    assert run.scores["test_set"]["hash"] == kept.scores["test_set"]["hash"]


@pytest.mark.parametrize(("new", "left"), [(29, 29), (2, 2), (1, 1), (0, 0)])
def test_too_few_test_texts_that_were_not_learned_give_no_verdict(
    write_csv: WriteCsv, body: Path, tmp_path: Path, new: int, left: int
) -> None:
    train = topic_texts(120)
    header = ["text", "label"]
    test = [*train[:40], *topic_texts(29, seed=3)[:new]]
    run = homeground.adapt(
        write_csv("train.csv", header, train),
        checkpoint=str(body),
        out=str(tmp_path / "run"),
        test=str(write_csv("test.csv", header, test)),
        **LABELLED,
    )
    scores = run.scores
    assert (scores["verdict"], scores["test_examples"], scores["test_units"]) == ("TOO FEW", left, left)
    assert scores["left_out"]["examples"] == 40
    assert f"40 of {40 + new} were left out" in scores["sentence"]
    assert run.report_path.is_file()


def test_what_an_earlier_run_learned_is_left_out_where_folds_are_crossed(
    write_csv: WriteCsv, body: Path, tmp_path: Path
) -> None:
    rows = topic_texts(120)
    header = ["text", "label"]
    earlier = homeground.adapt(
        write_csv("earlier.csv", header, [*rows[:30], *topic_texts(40, seed=8)]),
        checkpoint=str(body),
        out=str(tmp_path / "earlier"),
        validation=0.0,
        cross_fit=0,
        test=str(write_csv("other.csv", header, topic_texts(40, seed=9))),
        **LABELLED,
    )
    run = homeground.adapt(
        write_csv("data.csv", header, rows),
        checkpoint=str(earlier.folder),
        out=str(tmp_path / "crossed"),
        cross_fit=3,
        **LABELLED,
    )
    scores = run.scores
    assert (scores["cross_fit"], scores["test_examples"]) == (3, 90)
    assert scores["left_out"]["seen"] == {"earlier runs": 30}
    examples = lines(run, "examples.jsonl")
    assert [line["row"] for line in examples if line.get("left_out")] == list(range(1, 31))
    right = np.array([line["label"] == line["after"]["label"] for line in examples])
    assert scores["after"]["accuracy"] == pytest.approx(right[30:].mean())
    assert scores["left_out"]["after"]["accuracy"] == pytest.approx(right.mean())


def test_halves_of_training_documents_are_left_out_of_the_test(tmp_path: Path) -> None:
    checkpoint = checkpoints.bert(tmp_path / "bert")
    train, fresh = documents(120), documents(40, seed=5)
    halves = [text[: len(text) // 2].rpartition(" ")[0] for text in train[:60]]
    for name, texts in (("train", train), ("clean", fresh), ("mixed", [*fresh, *halves])):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    expected, run = (
        homeground.adapt(
            tmp_path / "train.jsonl",
            checkpoint=str(checkpoint),
            out=str(tmp_path / f"run-{name}"),
            task="mlm",
            **{**MASKED, "epochs": 1, "test": str(tmp_path / f"{name}.jsonl")},
        )
        for name in ("clean", "mixed")
    )
    assert run.scores["test_examples"] == expected.scores["test_examples"] == 40
    assert run.scores["left_out"]["examples"] == 60
    assert "with their labels" not in run.scores["sentence"]


def test_a_chain_leaves_out_what_its_domain_step_learned_on_both_sides(tmp_path: Path, body: Path) -> None:
    path = write_chain(tmp_path, body)
    (tmp_path / "other.csv").write_text("text\nnothing of this is in the domain\n")
    domain = (tmp_path / "domain.txt").read_text(encoding="utf-8").replace("He wrote: ", "").replace(", and left.", "")
    (tmp_path / "domain.txt").write_text(domain, encoding="utf-8")
    record = homeground.adapt_chain(path, **{"domain.leave_out": str(tmp_path / "other.csv")})
    plain, adapted = (Run(tmp_path / "out" / name).scores for name in ("plain", "adapted"))
    assert plain["left_out"]["examples"] == adapted["left_out"]["examples"] > 0
    assert record["test_examples"] == plain["test_examples"] == adapted["test_examples"]
    left_out = record["comparisons"]["domain"]["left_out"]
    assert left_out["examples"] + record["test_examples"] == left_out["of"]
    assert left_out["before"]["accuracy"] == plain["left_out"]["after"]["accuracy"]
    assert "were left out: their texts are in the training data of an earlier run" in record["sentence"]
    assert homeground.adapt_chain(path, **{"domain.leave_out": str(tmp_path / "other.csv")}) == record
