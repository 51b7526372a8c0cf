"""A taxonomy becomes three files of scored pairs, ready to adapt a sentence encoder and to test it."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from homeground.errors import RunConflict, UsageError, nearest
from homeground.inference.encoder import Encoder
from homeground.inference.loading import load
from homeground.storage import aside, new_folder, write_text, written_to
from homeground.taxonomy.draws import COUNTS, SCORES, Drawn, Pairing, ScoredPair, draw_pairs
from homeground.taxonomy.files import Layout, read_taxonomy
from homeground.taxonomy.hard_negatives import hard_negatives
from homeground.taxonomy.splits import FEWEST_UNITS, Splits, held_out_depth, split_concepts
from homeground.taxonomy.taxonomy import Concept, Taxonomy, homonyms

VALIDATION = 0.1
TEST = 0.2

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Pairs:
    """The folder with train.csv, validation.csv, test.csv, and what pairs.json there says."""

    folder: Path
    record: dict[str, Any]


def make_pairs(
    taxonomy: str | PathLike[str],
    *,
    out: str | PathLike[str] | None = None,
    groups: str | PathLike[str] | None = None,
    relations: str | PathLike[str] | None = None,
    layout: Layout | None = None,
    hold_out: int | None = None,
    validation: float = VALIDATION,
    test: float = TEST,
    counts: Mapping[str, int] | None = None,
    scores: Mapping[str, float] | None = None,
    hard_negatives: int = 0,
    checkpoint: str = "minilm",
    seed: int = 0,
    fresh: bool = False,
    tell: Tell | None = None,
) -> Pairs:
    """Draw scored pairs from a taxonomy, whole groups held out, and write them into a folder.

    ``hold_out`` is the depth of the groups, 1 for branches; without it the shallowest depth that gives a test enough
    groups. ``counts`` and ``scores`` change those of single relations (``COUNTS``, ``SCORES``). ``hard_negatives`` asks
    for so many a concept, near for ``checkpoint`` and far in the tree. The default folder is ``runs/<taxonomy>-pairs``.

    Raises:
        DataError: a file cannot be read as asked, or there are too few groups or branches.
        UsageError: a count, a score or a share that cannot be followed.
        RunConflict: the folder holds something else, and ``fresh`` is not given.
    """
    pairing_counts, pairing_scores = _settled(counts or {}, scores or {})
    shares = _shares(validation, test)
    tree = read_taxonomy(taxonomy, groups=groups, relations=relations, layout=layout)
    depth = held_out_depth(tree, test) if hold_out is None else hold_out
    deepest = max(tree.depths[concept.node] for concept in tree.concepts)
    if not 1 <= depth <= deepest:
        raise UsageError(f"--hold-out {depth}: expected the depth of the groups to hold out, 1 (branches) to {deepest}")
    splits = split_concepts(tree, depth=depth, seed=seed, shares=shares)
    pairing = Pairing(depth, pairing_counts, pairing_scores)
    encoder = _encoder(checkpoint) if hard_negatives else None
    drawn: dict[str, Drawn] = {}
    for split, concepts in splits.concepts.items():
        if encoder is not None and tell is not None:
            tell(f"{split}: embedding {len(concepts):,} titles for hard negatives")
        hard = _hard(tree, concepts, encoder, wanted=hard_negatives, seed=seed)
        drawn[split] = draw_pairs(tree, concepts, pairing, seed=seed, hard_negatives=hard)
    record = _record(tree, splits, drawn, pairing, seed)
    record["hard_negatives"] = {"wanted": hard_negatives, "checkpoint": checkpoint if hard_negatives else None}
    folder = Path(out) if out is not None else Path("runs") / f"{_stem(taxonomy)}-pairs"
    _write(folder, {split: each.pairs for split, each in drawn.items()}, record, fresh=fresh)
    return Pairs(folder, record)


def write_pairs(path: Path, pairs: list[ScoredPair]) -> None:
    """Write scored pairs as CSV with the columns text_1, text_2, similarity, relation and group."""
    write_text(path, _as_csv(pairs))


def _settled(counts: Mapping[str, int], scores: Mapping[str, float]) -> tuple[dict[str, int], dict[str, float | None]]:
    """Return the counts and scores of all relations, or refuse one that is unknown or out of range."""
    for name, count in counts.items():
        if name not in COUNTS:
            raise UsageError(f"--count {name}={count}: no relation is called so; {nearest(name, COUNTS)}")
        if count < 0 or (name in ("description", "parent") and count > 1):
            raise UsageError(f"--count {name}={count}: expected 0 or more, and at most 1 description and parent")
    for name, score in scores.items():
        if name not in SCORES:
            raise UsageError(f"--score {name}={score}: no relation is called so; {nearest(name, SCORES)}")
        if not 0 <= score <= 1:
            raise UsageError(f"--score {name}={score}: expected a number from 0 to 1, where 0.5 means unrelated")
    settled = {**SCORES, **scores}
    low, high = settled["stranger"], settled["alternative"]
    if low is None or high is None or low > high:
        raise UsageError(f"a stranger's score of {low} is above an alternative's of {high}; expected it below")
    return {**COUNTS, **counts}, settled


def _shares(validation: float, test: float) -> dict[str, float]:
    for flag, share in (("--validation", validation), ("--test", test)):
        if not 0 < share < 1:
            raise UsageError(f"{flag} {share}: expected a share of the groups, above 0 and below 1")
    if validation + test >= 1:
        raise UsageError(f"--validation {validation} and --test {test} leave nothing to learn from")
    return {"train": 1 - validation - test, "validation": validation, "test": test}


def _encoder(checkpoint: str) -> Encoder:
    model = load(checkpoint)
    if not isinstance(model, Encoder):
        raise UsageError(f"--checkpoint {checkpoint} classifies texts; hard negatives need a sentence encoder")
    return model


def _hard(
    taxonomy: Taxonomy, concepts: list[Concept], encoder: Encoder | None, *, wanted: int, seed: int
) -> list[tuple[int, int]]:
    if encoder is None:
        return []
    embeddings = encoder.encode([concept.title for concept in concepts])
    return hard_negatives(taxonomy, concepts, embeddings, wanted=wanted, seed=seed)


def _record(
    taxonomy: Taxonomy, splits: Splits, drawn: Mapping[str, Drawn], pairing: Pairing, seed: int
) -> dict[str, Any]:
    """Return what pairs.json says."""
    units = {
        split: len({taxonomy.unit(concept.node, pairing.depth) for concept in concepts})
        for split, concepts in splits.concepts.items()
    }
    shared = list(homonyms(taxonomy.concepts))
    notes = list(taxonomy.notes)
    if units["test"] < FEWEST_UNITS:
        notes.append(
            f"the test holds {units['test']} groups; a verdict needs {FEWEST_UNITS}: hold out groups of a deeper level "
            "with --hold-out, or raise --test"
        )
    return {
        "version": 1,
        "concepts": len(taxonomy.concepts),
        "depth": max(taxonomy.depths[concept.node] for concept in taxonomy.concepts),
        "branches": len({taxonomy.branch(concept.node) for concept in taxonomy.concepts}),
        "hold_out": pairing.depth,
        "seed": seed,
        "counts": dict(pairing.counts),
        "scores": dict(pairing.scores),
        "groups": units,
        "split_concepts": {split: len(concepts) for split, concepts in splits.concepts.items()},
        "pairs": {split: dict(Counter(pair.relation for pair in each.pairs)) for split, each in drawn.items()},
        "homonyms": {"names": len(shared), "examples": shared[:5]},
        "dropped": {
            "texts_in_two_splits": {**splits.dropped, "examples": list(splits.examples)},
            "pairs_with_a_name_in_common": sum(each.homonyms for each in drawn.values()),
            "pairs_with_nearer_namesakes": sum(each.namesakes for each in drawn.values()),
        },
        "notes": notes,
    }


def _stem(path: str | PathLike[str]) -> str:
    return Path(path).name.removesuffix(".gz").rsplit(".", 1)[0]


def _write(folder: Path, pairs: Mapping[str, list[ScoredPair]], record: dict[str, Any], *, fresh: bool) -> None:
    """Write the files together or not at all; a folder with the very same files is left as it is.

    Raises:
        RunConflict: the folder holds something else, and ``fresh`` is not given to move it aside.
    """
    if folder.is_file():
        raise RunConflict(f"{folder} is a file; name a folder for the pairs with --out")
    files = {f"{split}.csv": _as_csv(each) for split, each in pairs.items()}
    files["pairs.json"] = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    if folder.exists() and any(folder.iterdir()):
        if not fresh and _holds(folder, files):
            return
        if not fresh:
            raise RunConflict(
                f"{folder} holds something else; name another folder with --out, or move it aside with --fresh"
            )
        with written_to(folder):
            folder.rename(aside(folder))
    with new_folder(folder) as new:
        for name, text in files.items():
            (new / name).write_bytes(text.encode("utf-8"))


def _holds(folder: Path, files: Mapping[str, str]) -> bool:
    return all(
        (folder / name).is_file() and (folder / name).read_bytes() == text.encode("utf-8")
        for name, text in files.items()
    )


def _as_csv(pairs: list[ScoredPair]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["text_1", "text_2", "similarity", "relation", "group"])
    writer.writerows((pair.text_1, pair.text_2, pair.similarity, pair.relation, pair.group) for pair in pairs)
    return text.getvalue()
