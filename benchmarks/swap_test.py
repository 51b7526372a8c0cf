"""How often the verdict of a run would fall if before and after were swapped at random, so that neither is better.

    python benchmarks/swap_test.py RUN [RUN ...]

Under such swaps HELPED and HURT should each come out in about 2.5% of the times; evidence allows HELPED at most 3.5%.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from homeground.data.corpus import link
from homeground.data.examples import Example
from homeground.evaluation.bootstrap import swap_test
from homeground.metrics.correlation import pair_statistics, pearson


def main() -> None:
    """Swap before and after of finished runs and print the rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--times", type=int, default=2000)
    arguments = parser.parse_args()
    for run in arguments.runs:
        rows = [json.loads(line) for line in (run / "examples.jsonl").read_text(encoding="utf-8").splitlines()]
        grouped = json.loads((run / "data.json").read_text(encoding="utf-8"))["split"]["unit"] == "group"
        examples = [
            Example(row["row"], (row["text_1"], row["text_2"]), row["similarity"], row["unit"] if grouped else None)
            for row in rows
        ]
        gold = np.array([row["similarity"] for row in rows])
        before, after = (pair_statistics(np.array([row[side] for row in rows]), gold) for side in ("before", "after"))
        found = swap_test(before, after, pearson, link(examples).nodes, seed=0, times=arguments.times)
        rates = f"HELPED {found.helped / found.times:.1%}, HURT {found.hurt / found.times:.1%}"
        print(f"{run}: {len(rows)} pairs, {found.times} swaps: {rates}")


if __name__ == "__main__":
    main()
