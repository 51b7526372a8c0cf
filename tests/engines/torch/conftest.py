"""What the tests of several processes learn from."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from tests import checkpoints
from tests.classifying import lively, topic_texts
from tests.conftest import PAIR_HEADER, topic_pairs
from tests.masking import write_documents
from tests.tagging import tagged_texts, write_tagged


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("material")
    lively(folder / "bert")
    checkpoints.sentence_encoder(folder / "encoder")
    for name, header, rows in (
        ("labels.csv", ["text", "label"], topic_texts(80)),
        ("pairs.csv", PAIR_HEADER, topic_pairs(80)),
        ("ranked.csv", ["anchor", "positive"], [row[:2] for row in topic_pairs(80)]),
    ):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *rows])
    write_documents(folder / "documents.jsonl", 60)
    write_tagged(folder / "tagged.jsonl", tagged_texts(80))
    return folder
