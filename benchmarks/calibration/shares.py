"""Where little changes or nearly all is right: python -m benchmarks.calibration.shares [--sets 2000] [--parts kept].

kept         how often a share that lost more than the margin is KEPT, by the resamples alone and with Tango's interval
own          how often the interval of a model's own share contains the truth, by the resamples alone and as shown
checkpoints  how often equal checkpoints are called worse, and how often one that is worse is
ece          how often a model whose calibration error is truly larger would be called better by it
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from homeground.randomness import generator
from homeground.statistics import classification
from homeground.statistics.bootstrap import Interval, differences, own_interval
from homeground.statistics.holm import level_of_best
from homeground.statistics.paired_shares import FEWEST_DISCORDANT, share_change
from homeground.statistics.resampling import arrange

Floats = NDArray[np.float64]
MARGIN = 0.01
DRAWS = 400


def share(sums: Floats) -> Floats:
    """Return the second sum as a share of the first."""
    return sums[..., 1] / sums[..., 0]


def _statistics(right: NDArray[np.bool_]) -> Floats:
    return np.stack([np.ones(right.shape), right.astype(np.float64)], axis=-1)


def _differences(before: NDArray[np.bool_], after: NDArray[np.bool_], level: float = 0.95) -> list[Interval]:
    """Return the intervals of many test sets of independent texts, ``(sets, texts)``."""
    layout, draws = arrange(np.arange(before.shape[1])), max(DRAWS, math.ceil(20 / (1 - level)))
    return differences(layout, _statistics(before), _statistics(after), [share], seed=0, draws=draws, level=level)[0]


def kept(units: int, loss: float, gained: float, sets: int) -> tuple[float, float]:
    """Return how often a true loss is KEPT by the resamples alone, and with Tango's interval, too.

    A text is lost with the probability ``gained + loss`` and gained with the probability ``gained``.
    """
    drawn = generator(0, "kept", units, f"{loss}", f"{gained}").random((sets, units))
    before, after = drawn >= gained, (drawn < gained) | (drawn >= 2 * gained + loss)
    lows = np.array([interval.low for interval in _differences(before, after)])
    tango = np.array(
        [
            share_change(*map(_statistics, sides), share, np.arange(units)).interval()[0]
            for sides in zip(before, after, strict=True)
        ]
    )
    return float((lows > -MARGIN).mean()), float((np.minimum(lows, tango) > -MARGIN).mean())


def own(units: int, probability: float, sets: int, per_unit: int = 1) -> tuple[float, float]:
    """Return the coverage of the percentile interval of a share, and of the interval that is shown.

    With several texts a unit these are right or wrong together in half of the units.
    """
    random = generator(0, "own", units, f"{probability}", per_unit)
    common = random.random((sets, units, 1)) < probability
    single = random.random((sets, units, per_unit)) < probability
    together = random.random((sets, units, 1)) < 0.5
    right = np.where(together, common, single).reshape(sets, -1)
    nodes = np.repeat(np.arange(units), per_unit)
    layout = arrange(nodes)
    (alone,) = differences(layout, None, layout.sum(_statistics(right)), [share], seed=0, draws=DRAWS)
    shown = [own_interval(_statistics(each), share, nodes, seed=0, draws=DRAWS, share=True) for each in right]
    covered = [[each.low <= probability <= each.high for each in intervals] for intervals in (alone, shown)]
    return float(np.mean(covered[0])), float(np.mean(covered[1]))


def checkpoints(count: int, units: int, gap: float, sets: int, level: float) -> float:
    """Return how often a checkpoint is called worse than the best of ``count`` at a level of the intervals.

    All are right on 70% of the texts, one of them on ``gap`` less; with ``gap`` 0 any that is called worse counts,
    else that one alone. Half of the difficulty of a text is common to all.
    """
    random = generator(0, "checkpoints", count, units, f"{gap}")
    hard = np.sqrt(0.5) * (random.standard_normal((sets, units, 1)) + random.standard_normal((sets, units, count)))
    rates = np.full(count, 0.7)
    rates[-1] -= gap
    right = hard < ndtri(rates)
    best = right.sum(axis=1).argmax(axis=1)
    first = np.take_along_axis(right, best[:, None, None], axis=2)[..., 0]
    worse = np.zeros((sets, count), np.bool_)
    for place in range(count):
        other = right[..., place]
        enough = (first != other).sum(axis=1) >= FEWEST_DISCORDANT
        highs = np.array([interval.high for interval in _differences(first, other, level)])
        worse[:, place] = enough & (highs < 0) & (best != place)
    return float((worse[:, -1] if gap else worse.any(axis=1)).mean())


def better_by_ece(units: int, gap: float, sets: int) -> float:
    """Return how often the calibration error falls with an interval above 0 though it truly rises by ``gap``.

    Before is calibrated and its confidence varies from text to text; after is always equally confident, and too much.
    """
    random = generator(0, "ece", units, f"{gap}")
    confidence = random.uniform(0.5, 1.0, (sets, units))
    right = random.random((sets, units)) < confidence
    sure = np.full((sets, units), 0.75 + gap)
    true = random.random((sets, units)) < 0.75
    sides: list[Floats] = []
    for own_confidence, own_right in ((confidence, right), (sure, true)):
        probabilities = np.stack([own_confidence, 1 - own_confidence], axis=-1)
        labels = np.where(own_right, 0, 1)
        sides.append(
            np.stack([classification.statistics(p, label) for p, label in zip(probabilities, labels, strict=True)])
        )
    layout, metric = arrange(np.arange(units)), classification.metrics(2)["ece"]
    (intervals,) = differences(layout, *sides, [metric], seed=0, draws=DRAWS, greater_is_better=[False])
    return float(np.mean([interval.low > 0 for interval in intervals]))


def rows(part: str, sets: int) -> Iterator[str]:
    """Yield the lines of the table of one part."""
    if part == "kept":
        yield "| Texts | True loss | Gained | KEPT by resamples | KEPT with Tango |\n|---|---|---|---|---|"
        for units in (30, 50, 100, 200, 300, 500, 1000):
            for loss, gained in ((0.02, 0.0), (0.02, 0.02), (0.01, 0.0), (0.01, 0.02)):
                alone, tango = kept(units, loss, gained, sets)
                yield f"| {units:,} | {loss} | {gained} | {alone:.3f} | {tango:.3f} |"
    elif part == "own":
        yield "| Units | Texts a unit | True share | Coverage, resamples | Coverage, as shown |\n|---|---|---|---|---|"
        for per_unit in (1, 4):
            for units in (30, 50, 100, 300):
                for probability in (0.5, 0.9, 0.98, 1.0):
                    alone, shown = own(units, probability, sets, per_unit)
                    yield f"| {units} | {per_unit} | {probability} | {alone:.3f} | {shown:.3f} |"
    elif part == "checkpoints":
        yield "| Checkpoints | Texts | One worse by | WORSE at 95% | WORSE, corrected |\n|---|---|---|---|---|"
        for count in (2, 5, 10):
            for units, gap in ((200, 0.0), (500, 0.0), (200, 0.1), (500, 0.1)):
                shares = [checkpoints(count, units, gap, sets, each) for each in (0.95, level_of_best(count))]
                yield f"| {count} | {units:,} | {gap or 'none'} | {shares[0]:.3f} | {shares[1]:.3f} |"
    else:
        yield "| Texts | Truly larger by | Called better |\n|---|---|---|"
        for units in (50, 100, 300, 1000):
            for gap in (0.02, 0.05):
                yield f"| {units:,} | {gap} | {better_by_ece(units, gap, sets):.3f} |"


PARTS = ("kept", "own", "checkpoints", "ece")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=2000)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    arguments = parser.parse_args()
    for part in arguments.parts:
        for line in rows(part, arguments.sets):
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
