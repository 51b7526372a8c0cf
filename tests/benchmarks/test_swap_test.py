"""The rates of the swap test are those of a verdict between equals, and its interval is that of the product."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.swap_test import main, swap_test

from homeground.randomness import generator
from homeground.results.run import Run
from homeground.statistics.bootstrap import paired_difference
from homeground.statistics.correlation import METRICS, pair_statistics, pearson


def models(pairs, noise=(0.3, 0.2)):
    """Return the statistics of two models on scored pairs."""
    random = np.random.default_rng(0)
    gold = random.random(pairs)
    return tuple(pair_statistics(np.clip(gold + random.normal(0, spread, pairs), 0, 1), gold) for spread in noise)


def test_swapped_models_are_seldom_told_apart_either_way():
    before, after = models(1500)
    test = swap_test(before, after, pearson, np.arange(1500) // 15, seed=0, times=1000)
    # 2.5% each, and at most 3.5% but for the error of 1000 swaps (three standard errors).
    bound = 1000 * (0.035 + 3 * np.sqrt(0.035 * 0.965 / 1000))
    assert test.times == 1000 and 0 < test.helped < bound and 0 < test.hurt < bound


def test_the_swap_test_uses_the_interval_of_the_comparison():
    # One swap, done by hand: the same random numbers decide, so both must say the same for every seed.
    before, after = models(60, noise=(0.3, 0.29))
    nodes = np.stack([np.arange(60), 100 + np.arange(60) % 25], axis=1)
    verdicts = []
    for seed in range(40):
        swapped = (generator(seed, "swap").random((1, 60))[0] < 0.5)[:, None]
        one, other = np.where(swapped, after, before), np.where(swapped, before, after)
        interval = paired_difference(one, other, METRICS["mae"], nodes, seed=seed, draws=300)
        test = swap_test(before, after, METRICS["mae"], nodes, seed=seed, times=1, draws=300)
        assert (test.helped, test.hurt) == (interval.low > 0, interval.high < 0)
        verdicts.append(test.helped + test.hurt)
    assert 0 < sum(verdicts) < 40


def test_the_command_prints_the_rates_of_a_run(
    finished: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["swap_test.py", str(finished.folder), "--times", "50"])
    main()
    assert f"{finished.folder}: 50 swaps: HELPED " in capsys.readouterr().out
