"""Row 22: what is predicted for a text does not depend on what it is computed with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

import homeground
from tests.classifying import EVERY_WORD
from tests.faults.conftest import COMMANDS, COMMON, EVERYTHING, Row, Unbroken, Zygote

TEXTS, ROUNDS = (500, 20) if EVERYTHING else (60, 3)
TOLERANCE = 1e-5
"""Largest difference of a probability or of a component of an embedding, in float32."""


def texts(count: int) -> list[str]:
    """Return texts of very different lengths."""
    random = np.random.default_rng(0)
    return [" ".join(random.choice(EVERY_WORD, 1 + int(random.integers(12)))) for _ in range(count)]


Answer = tuple[object, np.ndarray]
"""What must be equal in the answer for a text, and its numbers."""


def answers(model: object, some: Sequence[str], batch_size: int) -> list[Answer]:
    """Return the answer for every text, whatever kind the model is of."""
    if isinstance(model, homeground.Classifier):
        return [(None, each) for each in model.predict_proba(some, batch_size=batch_size)]
    if isinstance(model, homeground.Tagger):
        found = model.entities(some, batch_size=batch_size)
        return [([each[:3] for each in own], np.array([each.probability for each in own])) for own in found]
    if isinstance(model, homeground.MaskedLM):
        filled = model.fill_mask([f"{text} [MASK]" for text in some], 3, batch_size=batch_size)
        return [([each.id for each in own], np.array([each.probability for each in own])) for own in filled]
    assert isinstance(model, homeground.Encoder)
    return [(None, each) for each in model.encode(some, batch_size=batch_size)]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["pairs", "labels", "several", "entities", "words"])
def test_batches_never_change_an_answer(
    kind: str, unbroken: Callable[[str], Unbroken], row: Callable[[str], Row]
) -> None:
    model, tried = homeground.load(unbroken(kind).folder / "runs/run"), row(f"22 batches, {kind}")
    given = texts(TEXTS if kind in ("pairs", "labels") else TEXTS // 4)
    alone = [answer for text in given for answer in answers(model, [text], 1)]
    random = np.random.default_rng(1)
    for number in range(ROUNDS):
        order = random.permutation(len(given)).tolist()
        together = answers(model, [given[place] for place in order], int(random.integers(1, 65)))
        for place, (what, numbers) in zip(order, together, strict=True):
            same, difference = what == alone[place][0], np.inf
            if same:
                difference = float(np.abs(numbers - alone[place][1]).max(initial=0))
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
