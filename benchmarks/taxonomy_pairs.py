"""How long it takes to draw scored pairs from a generated taxonomy, by stage: read, split, draw and write.

    python benchmarks/taxonomy_pairs.py 3000 30000 300000
    python benchmarks/taxonomy_pairs.py 30000 --profile

The taxonomy is shaped like ESCO's: nine branches, four levels of groups, chains below them, a title of two or three
words, eight other names, some of which other concepts have too, and a description of 40 words. Every size runs in a
process of its own, which also gives its peak of memory. Printed are microseconds of CPU time a concept, and hashes of
the files; only the ratios within a run are meaningful.
"""

from __future__ import annotations

import argparse
import cProfile
import csv
import hashlib
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from homeground.randomness import generator
from homeground.taxonomy.draws import draw_pairs
from homeground.taxonomy.pairs import plan_pairs, write_splits

DIFFERENT_WORDS, BRANCHES, ALTERNATIVES, WORDS_OF_DESCRIPTION = 4_000, 9, 8, 40
CHILDREN = (2, 12)
"""The fewest and one more than the most concepts directly below a node."""

Result = TypeVar("Result")


def write_taxonomy(path: Path, concepts: int) -> None:
    """Write a table with the columns id, parent, preferredLabel, altLabels and description."""
    random = generator(0, "taxonomy")
    words = np.array(["".join(random.choice(list("abcdefghijklmnoprstuvw"), length)) for length in
                      random.integers(3, 11, DIFFERENT_WORDS)])  # fmt: skip
    # Frequent words make titles and other names that several concepts have, as in ESCO.
    weights = 1 / np.arange(1, DIFFERENT_WORDS + 1)
    weights /= weights.sum()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "parent", "preferredLabel", "altLabels", "description"])
        waiting, next_parent = list(range(BRANCHES)), 0
        parent_of = [-1] * BRANCHES
        while len(parent_of) < concepts:
            for _ in range(int(random.integers(*CHILDREN))):
                parent_of.append(waiting[next_parent])
                waiting.append(len(parent_of) - 1)
            next_parent += 1
        for number in range(concepts):
            drawn = words[random.choice(DIFFERENT_WORDS, 2 * (ALTERNATIVES + 1), p=weights)]
            names = [" ".join(drawn[2 * place : 2 * place + 2]) for place in range(ALTERNATIVES + 1)]
            title = f"{names[0]} {words[number % DIFFERENT_WORDS]}"
            description = " ".join(words[random.integers(DIFFERENT_WORDS, size=WORDS_OF_DESCRIPTION)])
            parent = f"c{parent_of[number]}" if parent_of[number] >= 0 else ""
            writer.writerow([f"c{number}", parent, title, "\n".join(names[1:]), description])


def timed(name: str, seconds: dict[str, float], compute: Callable[[], Result]) -> Result:
    began = time.process_time()
    result = compute()
    seconds[name] = seconds.get(name, 0) + time.process_time() - began
    return result


def measure(path: Path, concepts: int) -> None:
    """Draw the pairs of one file and print what each stage took."""
    seconds: dict[str, float] = {}
    plan = timed("read and split", seconds, lambda: plan_pairs(path))
    drawn = {
        split: timed("draw", seconds, lambda each=each: draw_pairs(plan.taxonomy, each, plan.pairing, seed=0))
        for split, each in plan.splits.concepts.items()
    }
    record = timed("record", seconds, lambda: plan.record(drawn))
    folder = path.parent / "pairs"
    timed("write", seconds, lambda: write_splits(folder, drawn, record, fresh=False))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    each = ", ".join(f"{name} {1e6 * value / concepts:.0f}" for name, value in seconds.items())
    total = sum(seconds.values())
    hashes = " ".join(hashlib.sha256(file.read_bytes()).hexdigest()[:12] for file in sorted(folder.iterdir()))
    print(f"{total:.1f} s, µs a concept: {1e6 * total / concepts:.0f} ({each}); {peak:,.0f} MiB at most; {hashes}")


def main() -> None:
    """Measure every size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("concepts", type=int, nargs="*", default=[3_000, 30_000])
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)  # how it calls itself for one size
    arguments = parser.parse_args()
    if arguments.file:
        with cProfile.Profile() if arguments.profile else tempfile.TemporaryDirectory() as profile:
            measure(arguments.file, arguments.concepts[0])
        if isinstance(profile, cProfile.Profile):
            pstats.Stats(profile).sort_stats("tottime").print_stats(30)
        return
    for concepts in arguments.concepts:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "taxonomy.csv"
            write_taxonomy(path, concepts)
            print(f"{concepts:,} concepts: ", end="", flush=True)
            profile = ["--profile"] if arguments.profile else []
            subprocess.run([sys.executable, __file__, str(concepts), "--file", str(path), *profile], check=True)


if __name__ == "__main__":
    main()
