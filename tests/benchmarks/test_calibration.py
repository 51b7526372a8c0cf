"""The simulation that calibrates the verdict uses the library's interval and metrics, and tells the truth."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.calibration import counts, labels, leaked, pairs, texts
from benchmarks.calibration.cell import Budget, intervals_of, measure
from benchmarks.calibration.designs import DESIGNS

from homeground.randomness import generator
from homeground.statistics import classification
from homeground.statistics.bootstrap import paired_difference

WORLDS = {**pairs.WORLDS, **counts.WORLDS, **labels.WORLDS, **texts.WORLDS}


@pytest.mark.parametrize("name", ["scored pairs", "ranked texts", "entities", "documents, spread 1", "2 classes"])
def test_every_simulated_test_set_has_the_interval_of_the_comparison(name: str) -> None:
    world = WORLDS[name]
    design = DESIGNS["independent"](40, generator(0, "test"))
    sample = world.simulate(design, 3, 0.2, generator(1, "test"))
    deciding = [metric for metric, scored in world.metrics.items() if not scored.single]
    for metric, intervals in intervals_of(world, deciding, sample, design.layout, seed=7, draws=200):
        scored = world.metrics[metric]
        for place, interval in enumerate(intervals):
            alone = paired_difference(
                sample.before[place],
                sample.after[place],
                scored.metric,
                np.arange(40),
                seed=7,
                draws=200,
                greater_is_better=scored.greater_is_better,
            )
            assert vars(interval) == pytest.approx(vars(alone), rel=1e-9, nan_ok=True)


def test_macro_f1_is_that_of_the_library_over_the_classes_of_the_test_set() -> None:
    world = WORLDS["20 skewed classes"]
    design = DESIGNS["independent"](50, generator(0, "test"))
    sample = world.simulate(design, 2, 0.0, generator(1, "test"))
    assert sample.tested is not None and not sample.tested.all()
    for place in range(2):
        sums = sample.after[place].sum(axis=0)
        tested = np.flatnonzero(sample.tested[place]).tolist()
        expected = classification.metrics(20, tested=tested)["macro_f1"](sums)
        assert float(world.metrics["macro_f1"].metric(sums)) == pytest.approx(float(expected))


@pytest.mark.parametrize(
    "name", ["scored pairs", "ranked texts", "entities", "documents, spread 1", "8 labels a text", "2 classes"]
)
def test_the_truth_is_what_very_many_examples_show(name: str) -> None:
    world = WORLDS[name]
    design = DESIGNS["independent"](150_000, generator(0, "test"))
    sample = world.simulate(design, 1, 0.3, generator(2, "test"))
    for metric, scored in world.metrics.items():
        before, after = (float(scored.metric(side[0].sum(axis=0))) for side in (sample.before, sample.after))
        shown = after if scored.single else (after - before) * (1 if scored.greater_is_better else -1)
        assert shown == pytest.approx(float(world.truth(metric, 0.3, None)), abs=0.02)


def test_the_cells_of_a_world_hold_shares() -> None:
    cells = measure("entities", WORLDS["entities"], "independent", 40, Budget(replications=30, draws=100))
    (cell,) = cells
    assert cell.metric == "entity micro_f1" and cell.coverage is not None and cell.coverage > 0.7
    assert cell.helped is not None and cell.helped < 0.3
    assert cell.promised is not None and 0 < cell.promised < 1


def test_fewer_than_thirty_units_are_answered_too_few() -> None:
    (cell,) = measure("entities", WORLDS["entities"], "independent", 20, Budget(replications=25, draws=100))
    assert cell.too_few == 1.0 and cell.coverage is None and cell.kept in (0.0, None)


def test_the_command_prints_a_table_and_writes_the_cells(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.calibration", "--quick", "--worlds", "ranked texts"]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [*command, "--json", str(tmp_path / "cells.json")], cwd=root, capture_output=True, text=True, check=True
    )
    cells = json.loads((tmp_path / "cells.json").read_text(encoding="utf-8"))
    assert len(cells) == 2 * 3 * 2 == sum(line.startswith("| ranked texts |") for line in done.stdout.splitlines())


def test_texts_that_were_learned_from_raise_false_verdicts_and_the_rest_does_not() -> None:
    shares = leaked.helped(texts=200, leaked=60, gain=0.0, sets=200, draws=250)
    # 0.025 is exact, and 0.06 is three standard errors above it.
    assert shares.on_new <= 0.06 < 0.12 <= shares.on_all
