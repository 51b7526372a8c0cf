"""Predictions for a file of texts, the start of the library included, and embeddings of as many texts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.peers.data import minilm, read

Prediction = Callable[[Path], tuple[float, list[Any]]]
"""Seconds, and what was predicted for every text."""


def ours(engine: str) -> Prediction:
    """Return this library on an engine, or an export."""

    def predict(folder: Path) -> tuple[float, list[Any]]:
        began = time.perf_counter()
        import homeground

        model: Any = homeground.load(str(folder / "run"), engine=engine)
        homeground.predict_file(model, str(folder / "texts.jsonl"), str(folder / "ours.jsonl"))
        seconds = time.perf_counter() - began
        return seconds, [row["predicted_label"] for row in read(folder, "ours")]

    return predict


def pipeline(batch_size: int | None) -> Prediction:
    """Return transformers' pipeline on the same model and file."""

    def predict(folder: Path) -> tuple[float, list[Any]]:
        began = time.perf_counter()
        from transformers import pipeline as open_pipeline

        classifier = open_pipeline("text-classification", model=str(folder / "run" / "model"))
        options = {} if batch_size is None else {"batch_size": batch_size}
        texts = [row["text"] for row in read(folder, "texts")]
        found = [each["label"] for each in classifier(texts, truncation=True, **options)]
        rows = "".join(json.dumps({"predicted": label}) + "\n" for label in found)
        (folder / "pipeline.jsonl").write_text(rows, encoding="utf-8")
        return time.perf_counter() - began, found

    return predict


def our_embeddings(folder: Path) -> tuple[float, list[Any]]:
    """Embed texts with this library, once it is loaded."""
    import homeground

    encoder: Any = homeground.load("minilm")
    texts = [row["text"] for row in read(folder, "texts")]
    encoder.encode(texts[:64])
    began = time.perf_counter()
    vectors = encoder.encode(texts)
    return time.perf_counter() - began, vectors.tolist()


def their_embeddings(folder: Path) -> tuple[float, list[Any]]:
    """Embed texts with sentence-transformers, once it is loaded."""
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformer(minilm())
    texts = [row["text"] for row in read(folder, "texts")]
    encoder.encode(texts[:64])
    began = time.perf_counter()
    vectors = encoder.encode(texts)
    return time.perf_counter() - began, vectors.tolist()
