"""MiniLM adapted to the ESCO occupations: domain Pearson before and after, with the STS Benchmark beside it.

    python benchmarks/esco.py OCCUPATIONS_CSV STS_DEV_CSV [--out runs/esco]

ESCO (CC BY 4.0) and the STS Benchmark are not part of this repository; give the files as published. Whole ISCO groups
are held out, and pairs are drawn inside each split.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import homeground
from homeground.data.readers import read_table, text
from homeground.data.taxonomy import Concept, scored_pairs, split_groups
from homeground.demo import write_pairs

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
ALTERNATIVES = 2
"""Alternative labels taken of each occupation; some have dozens, and would outweigh the rest."""


def read_occupations(path: str) -> list[Concept]:
    """Return the occupations of ESCO's occupations_en.csv; the branch is the first digit of the ISCO group."""
    table = read_table(path)
    concepts: list[Concept] = []
    for row in table.rows:
        label, group = text(table, row, "preferredLabel"), text(table, row, "iscoGroup")
        others = [line.strip() for line in text(table, row, "altLabels").splitlines() if line.strip() != label]
        concepts.append(Concept(label, tuple(filter(None, others[:ALTERNATIVES])), group, group[0]))
    return concepts


def main() -> None:
    """Make the pairs, adapt, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("occupations")
    parser.add_argument("general")
    parser.add_argument("--out", type=Path, default=Path("runs/esco"))
    parser.add_argument("--epochs", type=float, default=2)
    arguments = parser.parse_args()
    folder = arguments.out.with_name(f"{arguments.out.name}-data")
    folder.mkdir(parents=True, exist_ok=True)
    shares = {"train": 0.7, "validation": 0.1, "test": 0.2}
    total = 0
    for split, concepts in split_groups(read_occupations(arguments.occupations), seed=0, shares=shares).items():
        pairs = scored_pairs(concepts, seed=0, siblings=1, strangers=1)
        write_pairs(folder / f"{split}.csv", pairs)
        total += len(pairs)
        print(f"{split}: {len(pairs)} pairs in {len({pair.group for pair in pairs})} ISCO groups")
    print(f"{total} pairs")
    run = homeground.adapt(
        folder / "train.csv",
        validation=str(folder / "validation.csv"),
        test=str(folder / "test.csv"),
        general=arguments.general,
        titles=TITLES,
        epochs=arguments.epochs,
        out=str(arguments.out),
        listen=lambda event: print(event) if type(event).__name__ in ("Note", "Evaluated") else None,
    )
    print(run.scores["sentence"])
    print(run.scores["general"]["sentence"])
    print(run.scores["training"])


if __name__ == "__main__":
    main()
