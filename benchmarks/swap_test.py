"""How often the verdict of a run would be HELPED or HURT if before and after were swapped at random.

    python benchmarks/swap_test.py RUN [RUN ...]

Under such swaps neither model is better, so HELPED and HURT should each occur in about 2.5% of the swaps;
docs/evidence.md allows HELPED at most 3.5%. Scored pairs are judged by Pearson, labelled texts by accuracy, texts with
several labels by macro F1.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homeground.data.corpus import link
from homeground.data.examples import Example
from homeground.randomness import generator
from homeground.statistics import classification, correlation
from homeground.statistics.bootstrap import Metric, differences
from homeground.statistics.resampling import NUMBERS_AT_ONCE, arrange

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SwapTest:
    """The number of random swaps, and how many of them gave a verdict although neither side was better."""

    times: int
    helped: int
    hurt: int


def swap_test(
    before: ArrayLike,
    after: ArrayLike,
    metric: Metric,
    nodes: ArrayLike,
    *,
    seed: int,
    times: int = 2_000,
    draws: int = 1_000,
    level: float = 0.95,
) -> SwapTest:
    """Return how often the interval excludes 0 when before and after are swapped at random, unit by unit.

    Each verdict should occur in (1 - level) / 2 of the swaps. A unit is the first node of an example; a node that
    several units share is not swapped as one, so for crossed pairs the test sees less dependence than there is. Shapes
    are those of ``paired_difference``. All swaps share one set of draws; memory grows with draws times distinct nodes.

    >>> before, after = np.eye(2)[[0, 1] * 20], np.eye(2)[[1, 0] * 20]
    >>> test = swap_test(before, after, lambda sums: sums[..., 0] / sums.sum(axis=-1), range(40), seed=0, times=50)
    >>> test.helped + test.hurt < 10
    True
    """
    layout = arrange(nodes)
    one, other = (layout.sum(np.asarray(side, dtype=np.float64)) for side in (before, after))
    _, unit_of = np.unique(layout.nodes[:, 0], return_inverse=True)
    random = generator(seed, "swap")
    helped = hurt = 0
    block = max(1, NUMBERS_AT_ONCE // (max(draws, len(one)) * one.shape[1]))
    for start in range(0, times, block):
        swapped = random.random((min(block, times - start), unit_of.max() + 1))[:, unit_of, None] < 0.5
        first, second = np.where(swapped, other, one), np.where(swapped, one, other)
        (intervals,) = differences(layout, first, second, [metric], seed=seed, draws=draws, level=level)
        helped += sum(interval.low > 0 for interval in intervals)
        hurt += sum(interval.high < 0 for interval in intervals)
    return SwapTest(times, helped, hurt)


def pairs(rows: list[dict[str, Any]], grouped: bool) -> tuple[list[Example], Floats, Floats, Metric]:
    """Return the examples of a similarity run, the statistics before and after, and the metric."""
    examples = [
        Example(row["row"], (row["text_1"], row["text_2"]), row["similarity"], row["unit"] if grouped else None)
        for row in rows
    ]
    gold = np.array([row["similarity"] for row in rows])
    before, after = (
        correlation.pair_statistics(np.array([row[side] for row in rows]), gold) for side in ("before", "after")
    )
    return examples, before, after, correlation.pearson


def labelled(rows: list[dict[str, Any]], grouped: bool) -> tuple[list[Example], Floats, Floats, Metric]:
    """Return the same of a classification run; the metric needs the predicted labels only."""
    several = isinstance(rows[0]["label"], list)

    def names(label: Any) -> tuple[str, ...]:
        return tuple(label) if several else (label,)

    labels = [label for row in rows for label in (row["label"], row["before"]["label"], row["after"]["label"])]
    classes = sorted({name for label in labels for name in names(label)})
    places = {name: place for place, name in enumerate(classes)}

    def indicators(labels: list[Any]) -> NDArray[np.int64]:
        matrix = np.zeros((len(labels), len(classes)), np.int64)
        for number, label in enumerate(labels):
            matrix[number, [places[name] for name in names(label)]] = 1
        return matrix

    truth = indicators([row["label"] for row in rows])
    before, after = (
        classification.statistics(
            indicators([row[side]["label"] for row in rows]), truth if several else truth.argmax(axis=1)
        )
        for side in ("before", "after")
    )
    metric = classification.metrics(len(classes), several)["macro_f1" if several else "accuracy"]
    texts = [(row["text"],) if "text" in row else (row["text_1"], row["text_2"]) for row in rows]
    examples = [
        Example(row["row"], of_row, group=row["unit"] if grouped else None, labels=names(row["label"]))
        for row, of_row in zip(rows, texts, strict=True)
    ]
    return examples, before, after, metric


def swap_run(run: Path, times: int) -> SwapTest:
    """Return the swap test of a finished run, from its examples.jsonl."""
    rows = [json.loads(line) for line in (run / "examples.jsonl").read_text(encoding="utf-8").splitlines()]
    grouped = json.loads((run / "data.json").read_text(encoding="utf-8"))["split"]["unit"] == "group"
    examples, before, after, metric = (labelled if "label" in rows[0] else pairs)(rows, grouped)
    return swap_test(before, after, metric, link(examples).nodes, seed=0, times=times)


def main() -> None:
    """Swap before and after of finished runs and print the rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--times", type=int, default=2000)
    arguments = parser.parse_args()
    for run in arguments.runs:
        test = swap_run(run, arguments.times)
        print(f"{run}: {test.times} swaps: HELPED {test.helped / test.times:.1%}, HURT {test.hurt / test.times:.1%}")


if __name__ == "__main__":
    main()
