"""What many tests share: a tiny encoder, a file of pairs it can learn from, and one finished run."""

from __future__ import annotations

import csv
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# Before torch is imported anywhere: small models lose more by threads than they win, and results must repeat.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ["HOMEGROUND_LANGUAGE"] = "en"

from tests import checkpoints

TOPICS = {
    "money": ["bank", "money", "loan", "card", "account", "bill", "pay", "credit"],
    "law": ["court", "law", "judge", "police", "paper", "lawyer", "news", "bad"],
    "home": ["house", "home", "town", "city", "road", "car", "bus", "train"],
    "work": ["engineer", "nurse", "teacher", "doctor", "baker", "scientist", "data", "school"],
}


@pytest.fixture(autouse=True)
def no_width_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no line be laid out for the terminal, or the processes, that the tests happen to run in."""
    for name in ("COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test reach beyond this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random sentence encoder."""
    return checkpoints.sentence_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


def topic_pairs(count: int, *, seed: int = 0) -> list[tuple[str, str, float]]:
    """Return pairs of texts of three words and a number, 0.9 where both are of one topic and 0.5 where they are not."""
    random = np.random.default_rng(seed)
    names = list(TOPICS)
    pairs: list[tuple[str, str, float]] = []
    for number in range(count):
        first = names[random.integers(len(names))]
        second = first if number % 2 else names[random.integers(len(names))]
        # The number makes texts differ, so that pairs are independent; word order alone would not.
        texts = [" ".join([*random.choice(TOPICS[name], 3), str(random.integers(10**6))]) for name in (first, second)]
        pairs.append((texts[0], texts[1], 0.9 if first == second else 0.5))
    return pairs


@pytest.fixture
def write_csv(tmp_path: Path) -> Callable[..., Path]:
    """Write rows under a header into a CSV file and return its path."""

    def write(name: str, header: list[str], rows: list[Any]) -> Path:
        path = tmp_path / name
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        return path

    return write


PAIR_HEADER = ["text_1", "text_2", "similarity"]


@pytest.fixture
def pairs_csv(write_csv: Callable[..., Path]) -> Path:
    """A file of 500 scored pairs."""
    return write_csv("pairs.csv", PAIR_HEADER, topic_pairs(500))


# The audit has tests of its own, and takes longer than a tiny training.
FAST: dict[str, Any] = {"epochs": 2, "learning_rate": 2e-3, "batch_size": 32, "bootstrap_draws": 400, "audit": False}
"""Settings under which the tiny encoder learns the topics in seconds."""


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, encoder: Path) -> Any:
    """One finished run that several tests look at and none changes."""
    import homeground

    folder = tmp_path_factory.mktemp("finished")
    data, general = folder / "pairs.csv", folder / "general.csv"
    for path, rows in ((data, topic_pairs(900)), (general, topic_pairs(120, seed=9))):
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([PAIR_HEADER, *rows])
    return homeground.adapt(
        data,
        checkpoint=str(encoder),
        out=str(folder / "run"),
        general=str(general),
        titles="bank loan,court judge,city road",
        **FAST,
    )


@pytest.fixture(scope="session")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One finished run of masked language modelling that several tests look at and none changes."""
    import homeground
    from tests.masking import FAST as SETTINGS
    from tests.masking import write_documents

    folder = tmp_path_factory.mktemp("masked")
    checkpoint = checkpoints.bert(folder / "bert")
    data = write_documents(folder / "documents.jsonl", 200)
    return homeground.adapt(data, checkpoint=str(checkpoint), out=str(folder / "run"), **SETTINGS)
