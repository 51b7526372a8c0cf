"""A temperature in the last map of a head: the logits are divided by it, whatever the architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.classifying import lively

from homeground.checkpoint import open_checkpoint
from homeground.engines import open_engine

BATCH = {
    "input_ids": np.array([[5, 6, 7, 8, 9], [9, 8, 7, 6, 5]], np.int64),
    "attention_mask": np.ones((2, 5), np.int64),
}


def opened(folder: Path, kind: str, labels: int = 3) -> Any:
    checkpoint = open_checkpoint(str(lively(folder / kind, kind)))
    names = [f"label {number}" for number in range(labels)]
    return open_engine("torch").open_model(checkpoint, head="sequence_classification", labels=names)


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta", "albert", "electra", "mpnet"])
@pytest.mark.parametrize("factor", [0.05, 1 / 1.7, 20.0])
def test_every_logit_is_multiplied_and_no_label_changes(tmp_path: Path, kind: str, factor: float) -> None:
    model = opened(tmp_path, kind)
    before = model.predict(BATCH)["logits"]
    assert model.head.scale_logits(factor)
    after = model.predict(BATCH)["logits"]
    assert np.abs(after - factor * before).max() < 2e-6 * np.abs(after).max()
    assert np.array_equal(after.argmax(1), before.argmax(1))


def test_a_head_without_bias_is_scaled_by_its_weight(tmp_path: Path) -> None:
    model = opened(tmp_path, "distilbert")
    model.body.classifier.bias = None
    before = model.predict(BATCH)["logits"]
    assert model.head.scale_logits(0.25)
    assert np.allclose(model.predict(BATCH)["logits"], before / 4, rtol=1e-5)


def test_a_map_that_also_feeds_another_is_left_as_it_is(tmp_path: Path) -> None:
    model = opened(tmp_path, "distilbert", labels=32)
    model.body.pre_classifier.weight = model.body.classifier.weight
    before = model.predict(BATCH)["logits"]
    assert not model.head.scale_logits(0.5)
    assert np.array_equal(model.predict(BATCH)["logits"], before)
