"""What tests of the trainings of a recipe share: a tiny body for classifiers, and a finished run of every kind."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests import checkpoints
from tests.classifying import lively, topic_texts
from tests.conftest import PAIR_HEADER, topic_pairs
from tests.masking import write_documents

import homeground
from homeground.experiment.setup import Setup, prepare
from homeground.recipe.recipe import make_recipe
from homeground.results.run import Run

QUICK: dict[str, Any] = {"epochs": 1, "learning_rate": 2e-3, "batch_size": 16, "bootstrap_draws": 200}
KINDS: dict[str, dict[str, Any]] = {
    "plain": {"data": "pairs", "cross_fit": 0, "validation": 0, "epochs": 1.5},
    "cross-fitted": {"data": "pairs", "cross_fit": 2, "seeds": 5},
    "search": {"data": "texts", "cross_fit": 0, "search": 3, "epochs": 2},
    "learning curve": {"data": "texts", "cross_fit": 0, "learning_curve": True},
    "everything": {"data": "documents", "cross_fit": 0, "learning_curve": True, "search": 2, "seeds": 5},
}
"""Settings under which a recipe is trained once, for every fold and seed, every trial, every share, or all of them."""


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny encoder without a head whose vectors differ enough to learn on."""
    return lively(tmp_path_factory.mktemp("body") / "tiny")


@pytest.fixture(scope="session")
def costly_general(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return pairs scored as the untouched encoder sees them, so that whatever it learns costs general ability."""
    pairs = [(first, second) for first, second, _ in topic_pairs(400, seed=9)]
    scores = homeground.load(str(encoder)).similarity(*map(list, zip(*pairs, strict=True)))
    path = tmp_path_factory.mktemp("general") / "general.csv"
    rows = [f"{first},{second},{score}" for (first, second), score in zip(pairs, scores, strict=True)]
    path.write_text("\n".join([",".join(PAIR_HEADER), *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def set_up(encoder: Path) -> Callable[..., Setup]:
    """Return a function that sets up the adaptation of the tiny encoder to a file."""

    def set_up(data: Path, **settings: Any) -> Setup:
        return prepare(make_recipe({"data": str(data), "checkpoint": str(encoder)}, **settings))

    return set_up


@pytest.fixture(scope="session")
def small_run(
    tmp_path_factory: pytest.TempPathFactory, encoder: Path, classifier: Path
) -> Callable[[str], tuple[Setup, Run]]:
    """Return a function that gives the setup of one of ``KINDS`` and its finished run, which no test changes."""
    folder = tmp_path_factory.mktemp("small")
    files = {
        "pairs": _write(folder / "pairs.csv", PAIR_HEADER, topic_pairs(80)),
        "texts": _write(folder / "texts.csv", ["text", "label"], topic_texts(300)),
        "documents": str(write_documents(folder / "documents.jsonl", 240)),
    }
    bodies = {"pairs": encoder, "texts": classifier, "documents": checkpoints.bert(folder / "bert")}
    runs: dict[str, tuple[Setup, Run]] = {}

    def run(kind: str) -> tuple[Setup, Run]:
        if kind not in runs:
            settings = {**QUICK, "out": str(folder / kind.replace(" ", "-")), **KINDS[kind]}
            name = settings["data"]
            settings |= {"data": files[name], "checkpoint": str(bodies[name])}
            runs[kind] = prepare(make_recipe({}, **settings)), homeground.adapt(**settings)
        return runs[kind]

    return run


def _write(path: Path, header: list[str], rows: list[Any]) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return str(path)
