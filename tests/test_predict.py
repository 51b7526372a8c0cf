from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import homeground
from homeground.errors import CheckpointError, DataError, UsageError
from homeground.prediction_files import predict_file
from homeground.run import Run


def test_a_text_is_encoded_the_same_whatever_it_is_encoded_with(encoder: Path) -> None:
    model = homeground.load(encoder)
    texts = ["bank", "the judge of the court and the police of the city", "bank loan", "bank"]
    together = model.encode(texts)
    assert together.shape == (4, 32)
    assert together.dtype == np.float32
    assert np.abs(together - np.vstack([model.encode([text]) for text in texts])).max() < 1e-6
    assert np.array_equal(together[0], together[3])


def test_similarity_is_angular_and_symmetric(encoder: Path) -> None:
    model = homeground.load(encoder)
    first, second = model.encode(["bank", "court"])
    cosine = float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))
    assert model.similarity(["bank"], ["court"])[0] == pytest.approx(1 - np.arccos(cosine) / np.pi, abs=1e-5)
    assert model.similarity(["bank"], ["court"]) == model.similarity(["court"], ["bank"])
    assert model.similarities(["bank", "court"])[0, 1] == model.similarity(["bank"], ["court"])[0]


def test_misuse_is_told(encoder: Path) -> None:
    model = homeground.load(encoder)
    with pytest.raises(UsageError, match="encode takes a list"):
        model.encode("bank")
    with pytest.raises(UsageError, match="got 1 first and 2 second texts"):
        model.similarity(["bank"], ["court", "law"])
    with pytest.raises(CheckpointError):
        homeground.load(encoder / "nothing")


def test_no_texts_give_no_embeddings(encoder: Path) -> None:
    assert len(homeground.load(encoder).encode([])) == 0


def test_long_texts_are_cut_and_counted(encoder: Path) -> None:
    model = homeground.load(encoder)
    model.encode(["law " * 100, "law"])
    assert model.truncated == 1


def test_a_run_its_model_folder_and_its_name_are_one_model(finished: Run) -> None:
    expected = homeground.load(finished).encode(["bank"])
    for source in (finished.folder, finished.model_folder, str(finished.folder)):
        assert np.array_equal(homeground.load(source).encode(["bank"]), expected)


def test_pairs_file_to_file(finished: Run, write_csv: Callable[..., Path], tmp_path: Path) -> None:
    rows = [("bank", "loan", "=cmd()"), ("court", "city", "-0.5"), ("NA", "null", "x,y")]
    source = write_csv("pairs.csv", ["text_1", "text_2", "note"], rows)
    model = homeground.load(finished)
    assert predict_file(model, source, tmp_path / "out.csv") == 3
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert [float(row["similarity"]) for row in read] == pytest.approx(
        model.similarity(["bank", "court", "NA"], ["loan", "city", "null"]).tolist(), abs=1e-6
    )
    # A spreadsheet would run the first note; a number stays a number.
    assert [row["note"] for row in read] == ["'=cmd()", "-0.5", "x,y"]


def test_texts_file_to_file(finished: Run, write_csv: Callable[..., Path], tmp_path: Path) -> None:
    texts = [f"bank {word}" for word in ("loan", "card", "数据")]
    source = write_csv("texts.csv", ["text"], [[text] for text in texts])
    model = homeground.load(finished)
    expected = model.encode(texts)
    predict_file(model, source, tmp_path / "out.npy")
    assert np.array_equal(np.load(tmp_path / "out.npy"), expected)
    predict_file(model, source, tmp_path / "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["text"] for line in lines] == texts
    assert np.abs(np.array([line["embedding"] for line in lines]) - expected).max() < 1e-6


def test_a_target_that_cannot_be_written_is_told_and_nothing_is_left(
    finished: Run, write_csv: Callable[..., Path], tmp_path: Path
) -> None:
    source = write_csv("texts.csv", ["text"], [["bank"]])
    model = homeground.load(finished)
    with pytest.raises(UsageError, match=r"ending in \.csv, \.jsonl, \.npy"):
        predict_file(model, source, tmp_path / "out.xlsx")
    with pytest.raises(DataError, match="which column holds the text"):
        predict_file(model, write_csv("odd.csv", ["a", "b"], [["x", "y"]]), tmp_path / "out.csv")
    pairs = write_csv("pairs.csv", ["text_1", "text_2"], [["x", "y"]])
    with pytest.raises(UsageError, match="one text column"):
        predict_file(model, pairs, tmp_path / "out.npy")
    assert {path.suffix for path in tmp_path.iterdir()} == {".csv"}
    assert not (tmp_path / "out.csv").exists()
