"""How often the interval of `--seeds N` covers what a recipe gains on average, by the size of the training noise.

    python benchmarks/seed_coverage.py --replications 2000 --draws 400

A model before and N trainings of one recipe answer the same test items. A training is a little better or worse as a
whole (its luck, of a distribution that is set here), and shares part of its errors with the other trainings. The
truth is the mean over all seeds and all items of the kind, by formula for accuracy and by quadrature for Pearson's
correlation. "Noise" is the standard deviation between trainings over the standard error that the test items give.

The columns: coverage of the interval over N trainings; its mean width over the width that the spread of the estimates
asks for; how often it lies wholly above the truth and wholly below it; the coverage of the same with Satterthwaite's
degrees of freedom; that of the percentile bootstrap over N trainings alone, test items held fixed; and how often the
interval of the first training alone, over test items only, covers the same truth.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit

from homeground.randomness import generator
from homeground.statistics.bootstrap import Metric, paired_difference
from homeground.statistics.correlation import pair_statistics, pearson
from homeground.statistics.over_seeds import OverSeeds, over_seeds

Floats = NDArray[np.float64]

UNSHARED = 0.3
"""The share of the variance of a training's errors that it does not share with the others, where there is any luck."""

ERROR = 0.8
"""The standard deviation of an error against 1 for the gold score, before and, at the median, after."""

HARDNESS = 1.0
"""The standard deviation of how hard an item is, against 1 for what is particular to a model."""


def errors(units: int, luck: float, random: np.random.Generator) -> Callable[[], Floats]:
    """Return what draws the errors of one training after the other, of variance 1, partly shared."""
    part, shared = (UNSHARED if luck else 0.0), random.normal(size=units)
    return lambda: np.sqrt(1 - part) * shared + np.sqrt(part) * random.normal(size=units)


def correlated(units: int, count: int, luck: float, random: np.random.Generator) -> tuple[Floats, list[Floats], float]:
    """Return the statistics of Pearson's correlation, before and of every training, and the true mean difference."""
    gold, error = random.normal(size=units), errors(units, luck, random)

    def after() -> Floats:
        return pair_statistics(gold + ERROR * np.exp(luck * random.normal()) * error(), gold)

    before = pair_statistics(gold + ERROR * random.normal(size=units), gold)
    places, weights = np.polynomial.hermite_e.hermegauss(60)
    mean = np.sum(weights / np.sqrt(1 + (ERROR * np.exp(luck * places)) ** 2)) / weights.sum()
    return before, [after() for _ in range(count)], float(mean - 1 / np.sqrt(1 + ERROR**2))


def right(units: int, count: int, luck: float, random: np.random.Generator) -> tuple[Floats, list[Floats], float]:
    """Return the same of accuracy: an item is right where skill, hardness and chance add up to more than 0."""
    hardness, error = HARDNESS * random.normal(size=units), errors(units, luck, random)

    def answered(skill: float, chance: Floats) -> Floats:
        return np.stack([skill + hardness + chance > 0, np.ones(units)], axis=1).astype(np.float64)

    afters = [answered(1.4 + luck * random.normal(), error()) for _ in range(count)]
    spread = np.sqrt(HARDNESS**2 + 1)
    truth = ndtr(1.4 / np.sqrt(spread**2 + luck**2)) - ndtr(1.0 / spread)
    return answered(1.0, random.normal(size=units)), afters, float(truth)


def accuracy(sums: Floats) -> Floats:
    """Return the share of right answers."""
    return sums[..., 0] / sums[..., 1]


DESIGNS = {"Pearson": (correlated, pearson), "accuracy": (right, accuracy)}


def satterthwaite(over: OverSeeds, units: int) -> tuple[float, float]:
    """Return the ends with the degrees of freedom of a sum of two variances (Satterthwaite 1946, Biometrics 2(6))."""
    items, seeds = over.items.standard_error**2, over.seeds_error**2
    degrees = (items + seeds) ** 2 / (items**2 / (units - 1) + seeds**2 / (len(over.values) - 1))
    reach = float(stdtrit(degrees, 0.975)) * np.sqrt(items + seeds)
    return over.interval.value - reach, over.interval.value + reach


def bootstrapped(over: OverSeeds, draws: int, random: np.random.Generator) -> tuple[float, float]:
    """Return the percentile interval of the mean over trainings that are drawn with replacement."""
    values = np.array(over.values)
    means = values[random.integers(len(values), size=(draws, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def row(design: str, units: int, count: int, luck: float, arguments: argparse.Namespace) -> str:
    """Return one line of the table."""
    simulate, metric = DESIGNS[design]
    ends, others = np.empty((arguments.replications, 3)), np.empty((arguments.replications, 3))
    noise = np.empty((arguments.replications, 2))
    for number in range(arguments.replications):
        random = generator(number, "seed coverage", design, units, count, str(luck))
        before, afters, truth = simulate(units, count, luck, random)
        over = over_seeds(before, afters, metric, np.arange(units), seed=number, draws=arguments.draws)
        ends[number] = np.array([over.interval.value, over.interval.low, over.interval.high]) - truth
        noise[number] = over.spread**2, over.items.standard_error**2
        rivals = [
            satterthwaite(over, units),
            bootstrapped(over, arguments.draws, random),
            first(before, afters, metric, number, arguments),
        ]
        others[number] = [low <= truth <= high for low, high in rivals]
    value, low, high = ends.T
    width = np.mean(high - low) / (2 * float(ndtri(0.975)) * value.std(ddof=1))
    ratio = np.sqrt(noise[:, 0].mean() / noise[:, 1].mean())
    covered = [np.mean((low <= 0) & (high >= 0)), width, np.mean(low > 0), np.mean(high < 0), *others.mean(axis=0)]
    shown = " | ".join(f"{each:.3f}" if place != 1 else f"{each:.2f}" for place, each in enumerate(covered))
    return f"| {design} | {units} | {count} | {ratio:.1f} | {shown} |"


def first(
    before: Floats, afters: list[Floats], metric: Metric, number: int, arguments: argparse.Namespace
) -> tuple[float, float]:
    """Return the interval of the first training alone."""
    units = np.arange(len(before))
    interval = paired_difference(before, afters[0], metric, units, seed=number, draws=arguments.draws)
    return interval.low, interval.high


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=2000)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--units", type=int, nargs="+", default=[50, 300])
    parser.add_argument("--trainings", type=int, nargs="+", default=[5, 10])
    parser.add_argument("--luck", type=float, nargs="+", default=[0.0, 0.02, 0.15, 0.5, 1.5])
    parser.add_argument("--designs", nargs="+", default=list(DESIGNS), choices=list(DESIGNS))
    arguments = parser.parse_args()
    started = time.perf_counter()
    names = ["metric", "units", "trainings", "noise", "coverage", "width", "above", "below"]
    print(f"| {' | '.join([*names, 'Satterthwaite', 'trainings bootstrapped', 'first alone'])} |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for design in arguments.designs:
        for units in arguments.units:
            for count in arguments.trainings:
                for luck in arguments.luck:
                    print(row(design, units, count, luck, arguments), flush=True)
    error = 1.96 * np.sqrt(0.95 * 0.05 / arguments.replications)
    print(
        f"\n{arguments.replications} replications, {arguments.draws} draws each; coverage is exact to ±{error:.3f}; ",
        end="",
    )
    print(f"{time.perf_counter() - started:.0f} s.")


if __name__ == "__main__":
    main()
