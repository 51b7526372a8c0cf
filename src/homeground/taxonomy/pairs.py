"""A taxonomy becomes three files of scored pairs, whole groups held out: what is drawn, its record and its files."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any

from homeground.data.units import MIN_UNITS
from homeground.errors import RunConflict, UsageError, nearest
from homeground.storage import aside, new_folder, write_bytes, written_to
from homeground.taxonomy.draws import COUNTS, SCORES, DrawnPairs, Pairing, ScoredPair
from homeground.taxonomy.files import TaxonomyLayout, read_taxonomy
from homeground.taxonomy.splits import ConceptSplits, held_out_depth, split_concepts
from homeground.taxonomy.taxonomy import Taxonomy, homonyms

VALIDATION_SHARE, TEST_SHARE = 0.1, 0.2
"""Shares of the groups that are held out, unless others are given."""

PAIRS_AT_ONCE = 10_000
"""Pairs that are in memory as text at once."""


@dataclass(frozen=True)
class PairPlan:
    """What pairs are drawn from: the taxonomy, the concepts of every split, and what is drawn of each concept."""

    taxonomy: Taxonomy
    splits: ConceptSplits
    pairing: Pairing
    seed: int

    def record(self, drawn: Mapping[str, DrawnPairs]) -> dict[str, Any]:
        """Return what pairs.json says of the pairs of every split."""
        taxonomy, depth = self.taxonomy, self.pairing.depth
        groups = {
            split: len({taxonomy.unit(concept.node, depth) for concept in concepts})
            for split, concepts in self.splits.concepts.items()
        }
        names = homonyms(taxonomy.concepts)
        examples = list(islice(names, 5))
        notes = list(taxonomy.notes)
        if groups["test"] < MIN_UNITS:
            notes.append(
                f"the test holds {groups['test']} groups; a verdict needs {MIN_UNITS}: hold out groups of a deeper "
                "level with --hold-out, or raise --test"
            )
        return {
            "version": 1,
            "concepts": len(taxonomy.concepts),
            "depth": max(taxonomy.depths[concept.node] for concept in taxonomy.concepts),
            "branches": len({taxonomy.branch(concept.node) for concept in taxonomy.concepts}),
            "hold_out": depth,
            "seed": self.seed,
            "counts": dict(self.pairing.counts),
            "scores": dict(self.pairing.scores),
            "groups": groups,
            "split_concepts": {split: len(concepts) for split, concepts in self.splits.concepts.items()},
            "pairs": {split: dict(Counter(pair.relation for pair in each.pairs)) for split, each in drawn.items()},
            "homonyms": {"names": len(examples) + sum(1 for _ in names), "examples": examples},
            "dropped": {
                "texts_in_two_splits": {**self.splits.dropped, "examples": list(self.splits.examples)},
                "pairs_with_a_name_in_common": sum(each.homonyms for each in drawn.values()),
                "pairs_with_nearer_namesakes": sum(each.namesakes for each in drawn.values()),
            },
            "notes": notes,
        }


def plan_pairs(
    taxonomy: str | PathLike[str],
    *,
    groups: str | PathLike[str] | None = None,
    relations: str | PathLike[str] | None = None,
    layout: TaxonomyLayout | None = None,
    hold_out: int | None = None,
    validation: float = VALIDATION_SHARE,
    test: float = TEST_SHARE,
    counts: Mapping[str, int] | None = None,
    scores: Mapping[str, float] | None = None,
    seed: int = 0,
) -> PairPlan:
    """Read a taxonomy and split its concepts; the settings are those of ``make_pairs``.

    Raises:
        DataError: a file cannot be read as asked, or there are too few groups or branches.
        UsageError: a count, a score or a share that cannot be followed.
    """
    all_counts, all_scores = _check_relations(counts or {}, scores or {})
    shares = _check_shares(validation, test)
    tree = read_taxonomy(taxonomy, groups=groups, relations=relations, layout=layout)
    depth = held_out_depth(tree, test) if hold_out is None else hold_out
    deepest = max(tree.depths[concept.node] for concept in tree.concepts)
    if not 1 <= depth <= deepest:
        raise UsageError(f"--hold-out {depth}: expected the depth of the groups to hold out, 1 (branches) to {deepest}")
    splits = split_concepts(tree, depth=depth, seed=seed, shares=shares)
    return PairPlan(tree, splits, Pairing(depth, all_counts, all_scores), seed)


def write_pairs(path: Path, pairs: Sequence[ScoredPair]) -> None:
    """Write scored pairs as CSV with the columns text_1, text_2, similarity, relation and group."""
    write_bytes(path, b"".join(_as_csv(pairs)))


def write_splits(folder: Path, drawn: Mapping[str, DrawnPairs], record: Mapping[str, Any], *, fresh: bool) -> None:
    """Write a CSV file for every split, and pairs.json, together or not at all.

    A folder with the very same files is left as it is.

    Raises:
        RunConflict: the folder holds something else, and ``fresh`` is not given to move it aside.
    """
    if folder.is_file():
        raise RunConflict(f"{folder} is a file; name a folder for the pairs with --out")
    files: dict[str, Callable[[], Iterable[bytes]]] = {
        f"{split}.csv": partial(_as_csv, each.pairs) for split, each in drawn.items()
    }
    files["pairs.json"] = lambda: [(json.dumps(record, ensure_ascii=False, indent=1) + "\n").encode("utf-8")]
    if folder.exists() and any(folder.iterdir()):
        if not fresh and _has_files(folder, files):
            return
        if not fresh:
            raise RunConflict(
                f"{folder} holds something else; name another folder with --out, or move it aside with --fresh"
            )
        with written_to(folder):
            folder.rename(aside(folder))
    with new_folder(folder) as new:
        for name, parts in files.items():
            with (new / name).open("wb") as file:
                file.writelines(parts())


def _check_relations(
    counts: Mapping[str, int], scores: Mapping[str, float]
) -> tuple[dict[str, int], dict[str, float | None]]:
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
    all_scores = {**SCORES, **scores}
    low, high = all_scores["stranger"], all_scores["alternative"]
    if low is None or high is None or low > high:
        raise UsageError(f"a stranger's score of {low} is above an alternative's of {high}; expected it below")
    return {**COUNTS, **counts}, all_scores


def _check_shares(validation: float, test: float) -> dict[str, float]:
    for flag, share in (("--validation", validation), ("--test", test)):
        if not 0 < share < 1:
            raise UsageError(f"{flag} {share}: expected a share of the groups, above 0 and below 1")
    if validation + test >= 1:
        raise UsageError(f"--validation {validation} and --test {test} leave nothing to learn from")
    return {"train": 1 - validation - test, "validation": validation, "test": test}


def _has_files(folder: Path, files: Mapping[str, Callable[[], Iterable[bytes]]]) -> bool:
    return all((folder / name).is_file() and _has(folder / name, parts()) for name, parts in files.items())


def _has(path: Path, parts: Iterable[bytes]) -> bool:
    with path.open("rb") as file:
        return all(file.read(len(part)) == part for part in parts) and not file.read(1)


def _as_csv(pairs: Sequence[ScoredPair]) -> Iterator[bytes]:
    """Yield the bytes of a CSV file, ``PAIRS_AT_ONCE`` rows at a time."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["text_1", "text_2", "similarity", "relation", "group"])
    for begin in range(0, max(len(pairs), 1), PAIRS_AT_ONCE):
        some = pairs[begin : begin + PAIRS_AT_ONCE]
        writer.writerows((pair.text_1, pair.text_2, pair.similarity, pair.relation, pair.group) for pair in some)
        yield text.getvalue().encode("utf-8")
        text.seek(0)
        text.truncate()
