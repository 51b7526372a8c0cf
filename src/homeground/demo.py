"""The demo: the built-in encoder adapted to a built-in occupation taxonomy, the whole story on data of our own."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path

from homeground.adapt import Listener, adapt
from homeground.data.taxonomy import Concept, ScoredPair, scored_pairs, split_groups
from homeground.run import Run, write_text, written_to

SHARES = {"train": 0.6, "validation": 0.1, "test": 0.3}
"""Shares of the groups; a generous test split, because its groups are what the verdict counts."""

TITLES = (
    "ward nurse",
    "scrub nurse",
    "RGN",
    "pastry chef",
    "patissier",
    "electrician",
    "sparky",
    "data scientist",
)


def run_demo(out: Path, *, fresh: bool = False, listen: Listener | None = None) -> Run:
    """Make scored pairs of the built-in taxonomy, whole groups held out, and adapt MiniLM to them."""
    folder = out.parent / f"{out.name}-data"
    with written_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for split, concepts in split_groups(read_occupations(), seed=0, shares=SHARES).items():
        write_pairs(folder / f"{split}.csv", scored_pairs(concepts, seed=0))
    general = files("homeground.data") / "general_pairs.csv"
    write_text(folder / "general.csv", general.read_text(encoding="utf-8"))
    return adapt(
        folder / "train.csv",
        validation=str(folder / "validation.csv"),
        test=str(folder / "test.csv"),
        general=str(folder / "general.csv"),
        checkpoint="minilm",
        epochs=3,
        out=str(out),
        fresh=fresh,
        listen=listen,
    )


def read_occupations() -> list[Concept]:
    """Return the built-in taxonomy of occupations and skills."""
    text = (files("homeground.data") / "occupations.csv").read_text(encoding="utf-8")
    return [
        Concept(row["title"], tuple(row["alternatives"].split("|")), row["group"], row["branch"])
        for row in csv.DictReader(io.StringIO(text), strict=True)
    ]


def write_pairs(path: Path, pairs: list[ScoredPair]) -> None:
    """Write scored pairs as CSV with the columns text_1, text_2, similarity, relation and group."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=["text_1", "text_2", "similarity", "relation", "group"])
    writer.writeheader()
    writer.writerows(asdict(pair) for pair in pairs)
    write_text(path, text.getvalue())
