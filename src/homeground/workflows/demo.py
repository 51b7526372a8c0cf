"""The demo: the built-in encoder adapted to a built-in taxonomy of occupations."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from homeground.results.run import Run
from homeground.storage import write_text, written_to
from homeground.taxonomy.draws import SCORES, Pairing, ScoredPair, draw_pairs
from homeground.taxonomy.files import read_taxonomy
from homeground.taxonomy.pairs import write_pairs
from homeground.taxonomy.splits import split_concepts
from homeground.taxonomy.taxonomy import Taxonomy
from homeground.training.events import OnEvent, ignore
from homeground.workflows.adapt import adapt

SHARES = {"train": 0.6, "validation": 0.1, "test": 0.3}
"""Shares of the groups; the test split is large because the verdict counts its groups."""

PAIRING = Pairing(depth=2, counts={"alternative": 4, "sibling": 2, "stranger": 2}, scores={**SCORES, "sibling": 0.7})
"""All names of the built-in concepts; a tree of two levels needs few scores."""

TITLES = [
    "barrister", "prosecutor", "criminal defence lawyer",
    "bartender", "barista", "sommelier",
    "welder", "boilermaker", "sheet metal worker",
    "stockbroker", "fund manager", "quantitative analyst",
]  # fmt: skip
"""The titles of the heat map: three jobs of each of four groups, all of them held out for the test."""


def run_demo(out: Path, *, fresh: bool = False, on_event: OnEvent = ignore) -> Run:
    """Make scored pairs of the built-in taxonomy, whole groups held out, and adapt MiniLM to them.

    The adapted weights are merged back towards the checkpoint as far as keeps general ability.
    """
    folder = out.parent / f"{out.name}-data"
    with written_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for split, pairs in demo_pairs().items():
        write_pairs(folder / f"{split}.csv", pairs)
    general = files("homeground.data") / "general_pairs.csv"
    write_text(folder / "general.csv", general.read_text(encoding="utf-8"))
    return adapt(
        folder / "train.csv",
        validation=str(folder / "validation.csv"),
        test=str(folder / "test.csv"),
        keep_general=str(folder / "general.csv"),
        checkpoint="minilm",
        epochs=3,
        titles=TITLES,
        out=str(out),
        fresh=fresh,
        on_event=on_event,
    )


def demo_pairs() -> dict[str, list[ScoredPair]]:
    """Return the pairs of the built-in taxonomy, split by split."""
    taxonomy = read_occupations()
    splits = split_concepts(taxonomy, depth=PAIRING.depth, seed=0, shares=SHARES)
    return {split: draw_pairs(taxonomy, concepts, PAIRING, seed=0).pairs for split, concepts in splits.concepts.items()}


def read_occupations() -> Taxonomy:
    """Return the built-in taxonomy of occupations and skills."""
    with as_file(files("homeground.data") / "occupations.csv") as path:
        return read_taxonomy(path)
