"""Print how often HELPED is said where some test texts were learned from, with these texts and without them.

python -m benchmarks.calibration.leaked [--sets 2000] [--draws 400]

Before and after are right on a text or not. On new texts after is right as often as before, or more often by a gain;
the texts that were learned from it has all right. Which texts these are does not depend on any answer, so the new ones
are a fair test of their own.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeground.randomness import generator
from homeground.statistics.bootstrap import paired_difference

RIGHT_BEFORE, CHANGED = 0.92, 0.06
"""The accuracy before, and the share of the new texts on which only one of two equally good models is right."""

GAINS = (0.0, 0.018)


@dataclass(frozen=True)
class Shares:
    """How often HELPED was said on all test texts and on those that were not learned from."""

    on_all: float
    on_new: float


def mean(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the accuracy from sums of right answers and of texts."""
    return sums[..., 0] / sums[..., 1]


def helped(*, texts: int, leaked: int, gain: float, sets: int, draws: int) -> Shares:
    """Return the shares of HELPED over simulated test sets of so many texts, the last ``leaked`` of them learned."""
    random = generator(0, "leaked", texts, leaked, f"{gain}")
    ones, counts = np.ones(texts), np.zeros(2)
    for seed in range(sets):
        before = random.random(texts) < RIGHT_BEFORE
        # Right answers are lost as often as wrong ones are corrected, and more wrong ones are corrected by the gain.
        lost = random.random(texts) < CHANGED / 2 / RIGHT_BEFORE
        corrected = random.random(texts) < (CHANGED / 2 + gain) / (1 - RIGHT_BEFORE)
        after = np.where(before, ~lost, corrected)
        after[texts - leaked :] = True
        for place, kept in enumerate((texts, texts - leaked)):
            sides = (np.column_stack([side, ones])[:kept] for side in (before, after))
            interval = paired_difference(*sides, mean, np.arange(kept), seed=seed, draws=draws)
            counts[place] += interval.low > 0
    return Shares(*(counts / sets).tolist())


def main() -> None:
    """Simulate and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=3080)
    parser.add_argument("--leaked", type=int, default=54)
    parser.add_argument("--sets", type=int, default=2000)
    parser.add_argument("--draws", type=int, default=400)
    arguments = parser.parse_args()
    print("| True gain | HELPED on all texts | HELPED on new texts |\n|---|---|---|")
    for gain in GAINS:
        shares = helped(gain=gain, **vars(arguments))
        print(f"| {gain} | {shares.on_all:.3f} | {shares.on_new:.3f} |", flush=True)


if __name__ == "__main__":
    main()
