"""An exported model and its model are timed fairly."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np

from homeground.evaluation.parity import TIMED_ROUNDS, compare_speed


class CountedModel:
    """A model that counts how often it gets a batch."""

    def __init__(self) -> None:
        self.calls: Counter[int] = Counter()

    def predict(self, batch: dict[str, Any]) -> dict[str, Any]:
        self.calls[int(batch["items"][0])] += 1
        return {}


def test_every_batch_is_computed_once_by_both_before_it_is_timed() -> None:
    task: Any = SimpleNamespace(
        collate=lambda _rows, items, _purpose: ({"items": items}, 1.0), info=SimpleNamespace(frozen_method="classes")
    )
    rows = SimpleNamespace(lengths=lambda _purpose: np.arange(1, 129))
    test: Any = SimpleNamespace(task=task, rows=rows, batch_size=16)
    models: list[Any] = [CountedModel(), CountedModel()]
    speed = compare_speed(test, *models)
    assert speed.rounds == TIMED_ROUNDS and speed.items == 128
    for model in models:
        assert len(model.calls) == 8 and min(model.calls.values()) > TIMED_ROUNDS
