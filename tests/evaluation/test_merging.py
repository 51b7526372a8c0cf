"""Which merge weight is chosen, and what is kept of the curve."""

from __future__ import annotations

import math
from dataclasses import replace
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


def test_every_weight_is_measured_against_the_base_and_the_best_within_half_the_margin_is_returned(
    encoder: Path, tmp_path: Path
) -> None:
    checkpoint = open_checkpoint(str(encoder))
    engine, tokenizer = open_engine("torch"), load_tokenizer(checkpoint, max_length=16)
    base = engine.open_model(checkpoint, head="encoder")
    other = open_checkpoint(str(checkpoints.sentence_encoder(tmp_path / "other", seed=1)))
    tuned = engine.open_model(other, head="encoder")
    domain = scored_pairs(40, tokenizer=tokenizer)
    # In general the opposite scores are wanted, so that what the domain gains is lost.
    general = replace(domain, name="general.csv", rows=replace(domain.rows, scores=1 - domain.rows.scores))
    merged = merge(base, lambda weight: engine.merge(base, tuned, weight), domain, general, margin=0.1)
    assert tuple(each.weight for each in merged.points) == WEIGHTS
    assert (merged.points[0].domain.value, merged.points[0].general.value) == (0, 0)
    gains = [each.domain.value for each in merged.points]
    assert [each.general.value for each in merged.points] == pytest.approx([-gain for gain in gains])
    last = merged.points[-1]
    scores = [domain.measure(model).scores["pearson"] for model in (base, tuned)]
    assert (last.domain_score, last.domain.value) == pytest.approx((scores[1], scores[1] - scores[0]))
    assert merged.budget == 0.05
    assert max(gains) > 0.05
    assert merged.chosen.domain.value == max(gain for gain in gains if gain <= 0.05) > 0
    kept = domain.measure(engine.merge(base, tuned, merged.chosen.weight))
    assert np.array_equal(domain.measure(merged.model).predictions, kept.predictions)


def test_what_is_not_defined_is_written_as_null() -> None:
    undefined, pairs = point(0.5, math.nan, 0.0), scored_pairs(10)
    (written,) = merging_record(Merged(NOTHING, undefined, (undefined,), pairs, pairs, 0.005), None).points
    assert written.domain.score is None and written.domain.value is None
    assert (written.general.score, written.general.value) == (0.9, 0.0)
