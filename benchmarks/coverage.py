"""How often the 95% interval of a difference in Pearson's correlation covers the truth, by design and size.

    python benchmarks/coverage.py --replications 1000 --draws 1000

Two models score the same pairs. Each predicts the gold score with noise of its own, and the gold scores, the errors of
either model, and how hard a pair is for it depend on what pairs share: a unit, a text, a group. The truth is known from
the variances. The table shows coverage where the models are equally good and where they are not, how often the interval
alone calls equal models HELPED or HURT (2.5% each would be exact), how often the verdict would rather be TOO FEW, and
the mean width of the interval over the width that the spread of the estimates asks for (above 1 is caution).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from homeground.data.linking import link_pairs
from homeground.evaluation.bootstrap import paired_difference
from homeground.evaluation.verdict import FEWEST_EFFECTIVE_UNITS, FEWEST_UNITS
from homeground.metrics.correlation import pair_statistics, pearson
from homeground.randomness import generator

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Design = tuple[Ints, Ints]  # the nodes that a pair depends on, and those the interval is told of, both (pairs, 2)

SHARED = 1.0
"""The standard deviation of what pairs share, against 1 for what is their own."""

DIFFICULTY = 0.4
"""The standard deviation of the logarithm of how hard shared things are; the errors get heavy tails from it."""


def independent(units: int, _: np.random.Generator) -> Design:
    """Every pair stands alone."""
    nodes = np.repeat(np.arange(units)[:, None], 2, axis=1)
    return nodes, nodes


def equal_clusters(units: int, _: np.random.Generator) -> Design:
    """Ten pairs a unit."""
    nodes = np.repeat(np.arange(units)[:, None], 10, axis=0).repeat(2, axis=1)
    return nodes, nodes


def unequal_clusters(units: int, random: np.random.Generator) -> Design:
    """Lognormal sizes, ten pairs a unit on average: at 30 units the largest holds about a sixth of the pairs."""
    sizes = np.ceil(np.exp(random.normal(1.8, 1.0, units))).astype(np.int64)
    nodes = np.repeat(np.repeat(np.arange(units), sizes)[:, None], 2, axis=1)
    return nodes, nodes


def few_large_clusters(units: int, _: np.random.Generator) -> Design:
    """Sizes after Zipf's law: at 100 units the largest holds a fifth of the pairs and the first five nearly half."""
    sizes = np.ceil(3 * units / np.arange(1, units + 1)).astype(np.int64)
    nodes = np.repeat(np.repeat(np.arange(units), sizes)[:, None], 2, axis=1)
    return nodes, nodes


def hubs(units: int, random: np.random.Generator) -> Design:
    """Pairs of their own texts, but for half of them, whose second text is one of a few hubs of about six pairs."""
    few = max(units // 12, 1)
    is_hub = np.arange(units) % 2 == 0
    second = np.where(is_hub, units + random.integers(few, size=units), np.arange(units))
    return _by_texts(np.arange(units), second)


def recurring(units: int, random: np.random.Generator) -> Design:
    """Five pairs a first text, and second texts drawn from as many as there are first ones: wholly crossed."""
    first = np.repeat(np.arange(units), 5)
    return _by_texts(first, units + random.integers(units, size=len(first)))


def dyadic(units: int, random: np.random.Generator) -> Design:
    """Ten pairs a group, half of them within the group and half with another: both texts from one pool of groups."""
    first = np.repeat(np.arange(units), 10)
    other = (first + random.integers(1, units, size=len(first))) % units
    nodes = np.stack([first, np.where(random.random(len(first)) < 0.5, first, other)], axis=1)
    return nodes, nodes


DESIGNS: dict[str, Callable[[int, np.random.Generator], Design]] = {
    "independent pairs": independent,
    "equal clusters": equal_clusters,
    "unequal clusters": unequal_clusters,
    "few large clusters": few_large_clusters,
    "pairs with hubs": hubs,
    "recurring text_2": recurring,
    "dyadic groups": dyadic,
}


def _by_texts(first: Ints, second: Ints) -> Design:
    """Let the nodes be found from texts, as they are for a user's file."""
    linked = link_pairs([f"first {text}" for text in first], [f"second {text}" for text in second])
    return np.stack([first, second], axis=1), linked.nodes


def simulate(
    true_nodes: Ints, noise: tuple[float, float], random: np.random.Generator, *, shared: float, difficulty: float
) -> tuple[Floats, Floats]:
    """Return the statistics of two models whose errors have the given standard deviations."""

    def common() -> Floats:
        of_nodes = random.normal(size=int(true_nodes.max()) + 1)[true_nodes]
        crossed = true_nodes[:, 0] != true_nodes[:, 1]
        # A pair with two nodes takes half its shared variance from each, so that all pairs have one distribution.
        return np.where(crossed, of_nodes.sum(axis=1) / np.sqrt(2), of_nodes[:, 0])

    def effect() -> Floats:
        return (random.normal(size=len(true_nodes)) + shared * common()) / np.sqrt(1 + shared**2)

    def error() -> Floats:
        return np.exp(difficulty * common() - difficulty**2) * effect()  # of variance 1

    gold = effect()
    before, after = gold + noise[0] * error(), gold + noise[1] * error()
    return pair_statistics(before, gold), pair_statistics(after, gold)


def measure(design: str, units: int, noise: tuple[float, float], asked: argparse.Namespace) -> Floats:
    """Return value, low, high and whether there are too few units for every replication, one row each."""
    rows = np.empty((asked.replications, 4))
    for number in range(asked.replications):
        random = generator(number, "coverage", design, units, str(noise))
        true_nodes, told = DESIGNS[design](units, random)
        before, after = simulate(true_nodes, noise, random, shared=asked.shared, difficulty=asked.difficulty)
        interval = paired_difference(before, after, pearson, told, seed=number, draws=asked.draws)
        too_few = interval.units < FEWEST_UNITS or interval.effective_units < FEWEST_EFFECTIVE_UNITS
        rows[number] = interval.value, interval.low, interval.high, too_few
    return rows


def row(design: str, units: int, asked: argparse.Namespace) -> str:
    """Return one line of the table."""
    cells: list[str] = []
    for noise in ((0.8, 0.6), (0.8, 0.8)):
        truth = 1 / np.sqrt(1 + noise[1] ** 2) - 1 / np.sqrt(1 + noise[0] ** 2)
        value, low, high, too_few = measure(design, units, noise, asked).T
        cells.insert(0, f"{np.mean((low <= truth) & (truth <= high)):.3f}")
    cells += [f"{share:.3f}" for share in (np.mean(low > 0), np.mean(high < 0), np.mean(too_few))]
    cells.append(f"{np.mean(high - low) / (2 * 1.96 * value.std(ddof=1)):.2f}")
    return f"| {design} | {units} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--shared", type=float, default=SHARED)
    parser.add_argument("--difficulty", type=float, default=DIFFICULTY)
    parser.add_argument("--units", type=int, nargs="+", default=[30, 50, 100, 300])
    parser.add_argument("--designs", nargs="+", default=list(DESIGNS), choices=list(DESIGNS))
    asked = parser.parse_args()
    started = time.perf_counter()
    print("| design | units | coverage, equal | coverage, better | HELPED, equal | HURT, equal | TOO FEW | width |")
    print("|---|---|---|---|---|---|---|---|")
    for design in asked.designs:
        for units in asked.units:
            print(row(design, units, asked), flush=True)
    error = 1.96 * np.sqrt(0.95 * 0.05 / asked.replications)
    print(f"\n{asked.replications} replications, {asked.draws} draws each; coverage is exact to ±{error:.3f}; ", end="")
    print(f"{time.perf_counter() - started:.0f} s.")


if __name__ == "__main__":
    main()
