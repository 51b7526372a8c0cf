"""Which merge weight is chosen, and what is kept of the curve."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from tests import checkpoints
from tests.evaluation_sets import NOTHING, scored_pairs

from homeground.checkpoint import load_tokenizer, open_checkpoint
from homeground.engines import open_engine
from homeground.evaluation.merging import WEIGHTS, Merged, MergeWeight, choose, merge
from homeground.results.writing import merging_record
from homeground.statistics.bootstrap import Interval


def point(weight: float, domain: float, general: float) -> MergeWeight:
    gained, lost = (Interval(value, value, value, 0.95, 0.0, 50, 50.0, 1.0, 400, 0) for value in (domain, general))
    return MergeWeight(weight, 0.7 + domain, 0.9 + general, gained, lost)


BASE = point(0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("points", "chosen"),
    [
        ([BASE, point(0.5, 0.02, -0.004), point(1.0, 0.05, -0.02)], 0.5),
        ([BASE, point(0.5, 0.02, -0.004), point(1.0, 0.02, -0.005)], 1.0),  # of equal gains the greatest weight
        ([BASE, point(0.5, 0.02, -0.006), point(1.0, 0.05, -0.02)], 0.0),
        ([BASE, point(0.5, -0.01, 0.01), point(1.0, -0.02, 0.02)], 0.0),
        ([BASE, point(0.5, 0.02, math.nan), point(1.0, math.nan, 0.0)], 0.0),
        ([BASE, point(0.5, 0.02, 0.0), point(1.0, math.nan, 0.0)], 0.5),
    ],
)
def test_the_greatest_gain_within_the_budget_is_chosen(points: list[MergeWeight], chosen: float) -> None:
    assert choose(points, budget=0.005).weight == chosen


def test_every_weight_is_measured_against_the_base_and_the_chosen_model_is_returned(
    encoder: Path, tmp_path: Path
) -> None:
    checkpoint = open_checkpoint(str(encoder))
    engine, tokenizer = open_engine("torch"), load_tokenizer(checkpoint, max_length=16)
    base = engine.open_model(checkpoint, head="encoder")
    other = open_checkpoint(str(checkpoints.sentence_encoder(tmp_path / "other", seed=1)))
    tuned = engine.open_model(other, head="encoder")
    domain, general = scored_pairs(40, tokenizer=tokenizer), scored_pairs(30, metric="mse", tokenizer=tokenizer)
    merged = merge(base, lambda weight: engine.merge(base, tuned, weight), domain, general, margin=2.0)
    assert tuple(each.weight for each in merged.points) == WEIGHTS
    first, last = merged.points[0], merged.points[-1]
    assert (first.domain.value, first.general.value, merged.budget) == (0, 0, 1)
    before, after = (general.measure(model) for model in (base, tuned))
    assert last.general.value == pytest.approx(before.scores["mse"] - after.scores["mse"])
    assert last.domain_score == pytest.approx(domain.measure(tuned).scores["pearson"])
    assert merged.chosen == max(merged.points, key=lambda each: each.domain_score)
    kept = domain.measure(engine.merge(base, tuned, merged.chosen.weight))
    assert np.array_equal(domain.measure(merged.model).predictions, kept.predictions)


def test_what_is_not_defined_is_written_as_null() -> None:
    undefined, pairs = point(0.5, math.nan, 0.0), scored_pairs(10)
    (written,) = merging_record(Merged(NOTHING, undefined, (undefined,), pairs, pairs, 0.005), None).points
    assert written.domain.score is None and written.domain.value is None
    assert (written.general.score, written.general.value) == (0.9, 0.0)
