"""Row 22: what is predicted for a text does not depend on what it is computed with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import homeground
from tests.classifying import EVERY_WORD
from tests.faults.conftest import COMMANDS, COMMON, EVERYTHING, Row, Zygote

TEXTS, ROUNDS = (500, 20) if EVERYTHING else (60, 3)
TOLERANCE = 1e-5
"""Largest difference of a probability or of a component of an embedding, in float32."""


def texts(count: int) -> list[str]:
    """Return texts of very different lengths."""
    random = np.random.default_rng(0)
    return [" ".join(random.choice(EVERY_WORD, 1 + int(random.integers(12)))) for _ in range(count)]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["pairs", "labels"])
def test_batches_never_change_an_answer(
    kind: str, zygote: Zygote, workplace: Callable[[], Path], row: Callable[[str], Row]
) -> None:
    folder, tried, given = workplace(), row(f"22 batches, {kind}"), texts(TEXTS)
    assert zygote(kind, folder)["status"] == 0
    model = homeground.load(folder / "runs/run")

    def predicted(some: list[str], batch_size: int) -> np.ndarray:
        if isinstance(model, homeground.Classifier):
            return model.predict_proba(some, batch_size=batch_size)
        assert isinstance(model, homeground.Encoder)
        return model.encode(some, batch_size=batch_size)

    alone = np.concatenate([predicted([text], 1) for text in given])
    random = np.random.default_rng(1)
    for number in range(ROUNDS):
        order = random.permutation(len(given))
        together = predicted([given[place] for place in order.tolist()], int(random.integers(1, 65)))
        differences = np.abs(together - alone[order]).reshape(len(given), -1).max(1)
        for place, difference in zip(order.tolist(), differences.tolist(), strict=True):
            tried(f"round {number}, text {place}", difference <= TOLERANCE, f"{difference}")


@pytest.mark.timeout(1200)
def test_the_batch_size_of_measuring_never_moves_a_score(
    zygote: Zygote, workplace: Callable[[], Path], row: Callable[[str], Row]
) -> None:
    tried = row("22 --evaluation-batch-size")
    for kind in ("pairs", "labels", "words", "entities") if EVERYTHING else ("labels",):
        found: list[dict[str, float | None]] = []
        for size in ("1", "7", "64"):
            folder = workplace()
            argv = [
                *COMMANDS[kind],
                *COMMON,
                "--set",
                f"evaluation.evaluation_batch_size={size}",
                "--precision",
                "fp32",
            ]
            assert zygote.ask({"argv": [*argv, "--out", "runs/run"], "cwd": str(folder)})["status"] == 0
            scores = homeground.Run(folder / "runs/run").scores
            found.append({**scores["before"], **{f"after {name}": each for name, each in scores["after"].items()}})
        for name, value in found[0].items():
            moved = [abs((other[name] or 0) - (value or 0)) for other in found[1:]]
            tried(f"{kind}, {name}", max(moved) <= 1e-6 * max(1.0, abs(value or 0)), f"{moved}")
