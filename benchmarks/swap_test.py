"""How often the verdict of a run would fall if before and after were swapped at random, so that neither is better.

    python benchmarks/swap_test.py RUN [RUN ...]

Under such swaps HELPED and HURT should each come out in about 2.5% of the times; evidence allows HELPED at most 3.5%.
Scored pairs are judged by Pearson, labelled texts by accuracy, several labels a text by macro F1.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.data.corpus import link
from homeground.data.examples import Example
from homeground.statistics import classification, correlation
from homeground.statistics.bootstrap import Metric, SwapTest, swap_test

Floats = NDArray[np.float64]


def pairs(rows: list[dict[str, Any]], grouped: bool) -> tuple[list[Example], Floats, Floats, Metric]:
    """Return the examples of a similarity run, the statistics of both sides and the metric."""
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
    """Return the same of a classification run; the predicted labels are all that the metric needs."""
    several = isinstance(rows[0]["label"], list)

    def names(label: Any) -> tuple[str, ...]:
        return tuple(label) if several else (label,)

    given = [label for row in rows for label in (row["label"], row["before"]["label"], row["after"]["label"])]
    classes = sorted({name for label in given for name in names(label)})
    places = {name: place for place, name in enumerate(classes)}

    def indicators(given: list[Any]) -> NDArray[np.int64]:
        found = np.zeros((len(given), len(classes)), np.int64)
        for number, label in enumerate(given):
            found[number, [places[name] for name in names(label)]] = 1
        return found

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
        Example(row["row"], own, group=row["unit"] if grouped else None, labels=names(row["label"]))
        for row, own in zip(rows, texts, strict=True)
    ]
    return examples, before, after, metric


def swapped(run: Path, times: int) -> SwapTest:
    """Return how often the verdict falls over random swaps of a finished run."""
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
        found = swapped(run, arguments.times)
        print(
            f"{run}: {found.times} swaps: HELPED {found.helped / found.times:.1%}, HURT {found.hurt / found.times:.1%}"
        )


if __name__ == "__main__":
    main()
