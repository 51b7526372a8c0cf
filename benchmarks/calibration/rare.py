"""Print how often the interval of macro F1 contains the true value, by the number of texts of its rarest class.

python -m benchmarks.calibration.rare [--sets 300] [--draws 300]
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np
from benchmarks.calibration import labels, texts
from benchmarks.calibration.cell import intervals_of
from benchmarks.calibration.designs import DESIGNS

from homeground.randomness import generator

EFFECTS = (0.0, 0.5, 1.2, 2.0)
FEWEST = (1, 2, 3, 4, 5, 7, 10, 15)
"""The lower ends of the bins of counts; the last one has no upper end."""

WORLDS = {
    "5 even, one 1:20": (texts.world((1, 1, 1, 1, 0.2)), (50, 100, 200)),
    "2 classes, 9 to 1": (texts.WORLDS["2 classes, 9 to 1"], (30, 60, 100)),
    "8 labels a text": (labels.WORLDS["8 labels a text"], (50, 100, 300)),
    "10 even": (texts.world((1,) * 10), (30, 60, 100)),
    "3, one 1 %": (texts.world((0.6, 0.39, 0.01)), (100, 300, 1000)),
    "5 classes": (texts.WORLDS["5 classes"], (30, 60)),
    "20 skewed classes": (texts.WORLDS["20 skewed classes"], (30, 100, 300)),
}
"""Worlds and how many units each has."""


def coverage(name: str, units: int, effect: float, sets: int, draws: int) -> list[tuple[int, bool]]:
    """Return the number of texts of the rarest class of every test set, and whether its interval contains the truth."""
    world = WORLDS[name][0]
    design = DESIGNS["independent"](units, generator(0, "design", "independent", units))
    sample = world.simulate(design, sets, effect, generator(0, "study", name, units, f"{effect}"))
    assert sample.units_of is not None
    fewest = np.where(sample.units_of > 0, sample.units_of, units).min(axis=1).tolist()
    truth = np.broadcast_to(world.truth("macro_f1", effect, sample.tested), sets)
    ((_, intervals),) = intervals_of(world, ["macro_f1"], sample, design.layout, seed=0, draws=draws)
    return [(fewest[place], interval.low <= truth[place] <= interval.high) for place, interval in enumerate(intervals)]


def main() -> None:
    """Simulate and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=300)
    parser.add_argument("--draws", type=int, default=300)
    arguments = parser.parse_args()
    print(
        f"| Texts of the rarest class | {' | '.join(f'effect {effect}' for effect in EFFECTS)} |\n|---|---|---|---|---|"
    )
    shares: defaultdict[tuple[int, float], list[bool]] = defaultdict(list)
    for name, (_, sizes) in WORLDS.items():
        for units in sizes:
            for effect in EFFECTS:
                for fewest, inside in coverage(name, units, effect, arguments.sets, arguments.draws):
                    shares[max(least for least in FEWEST if least <= fewest), effect].append(inside)
    for least in FEWEST:
        cells = [shares[least, effect] for effect in EFFECTS]
        print(f"| {least}+ | {' | '.join(f'{np.mean(each):.3f} ({len(each)})' if each else '-' for each in cells)} |")


if __name__ == "__main__":
    main()
