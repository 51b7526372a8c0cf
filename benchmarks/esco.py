"""MiniLM adapted to the ESCO occupations: domain Pearson before and after, with the STS Benchmark beside it.

    python benchmarks/esco.py OCCUPATIONS_CSV STS_DEV_CSV [--groups ISCO_GROUPS_CSV] [--out runs/esco]

ESCO (CC BY 4.0) and the STS Benchmark are not part of this repository; give the files as published. Whole ISCO groups
are held out, and pairs are drawn inside each split.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import homeground
from homeground.training.events import Notice
from homeground.training.train import Evaluated

TITLES = (
    "Data Scientist",
    "Data Analyst",
    "Data Engineer",
    "Nurse Practitioner",
    "Registered Nurse",
    "Medical Assistant",
    "Social Media Manager",
    "Marketing Strategist",
    "Product Marketing Manager",
)


def main() -> None:
    """Make the pairs, adapt, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("occupations")
    parser.add_argument("general")
    parser.add_argument("--groups", help="ISCOGroups_en.csv, to prove and name the groups")
    parser.add_argument("--out", type=Path, default=Path("runs/esco"))
    parser.add_argument("--keep", action="store_true", help="merge back as far as keeps the STS Benchmark's score")
    parser.add_argument("--epochs", type=float, default=2)
    arguments = parser.parse_args()
    pairs = homeground.make_pairs(
        arguments.occupations,
        groups=arguments.groups,
        out=arguments.out.with_name(f"{arguments.out.name}-pairs"),
        hold_out=4,
        counts={"description": 0, "parent": 0, "cousin": 0, "stranger": 1},
        scores={"sibling": 0.7},
    )
    for split, counts in pairs.record["pairs"].items():
        print(f"{split}: {counts} pairs in {pairs.record['groups'][split]} ISCO groups")
    run = homeground.adapt(
        pairs.folder / "train.csv",
        validation=str(pairs.folder / "validation.csv"),
        test=str(pairs.folder / "test.csv"),
        **{"keep_general" if arguments.keep else "general": arguments.general},
        titles=TITLES,
        epochs=arguments.epochs,
        out=str(arguments.out),
        on_event=lambda event: print(event) if isinstance(event, Notice | Evaluated) else None,
    )
    print(run.scores["sentence"])
    print(run.scores["general"]["sentence"])
    print(run.scores["training"])


if __name__ == "__main__":
    main()
