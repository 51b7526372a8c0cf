"""The corpus: files read, examples split into train, validation and test, and a record of all that happened to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.data.examples import Example, Examples, example_digest, set_hash, text_hashes
from homeground.data.leakage import read_left_out
from homeground.data.splitting import cross_fit_folds, ordered_split, score_bands, split_units
from homeground.data.streams import open_rows
from homeground.data.tables import Table
from homeground.data.units import PairUnits, link_pairs, link_same, numbered
from homeground.errors import DataError
from homeground.recipe.recipe import Recipe

FEWEST_EXAMPLES = 10
SMALL = 500
"""Fewer examples than this cannot spare a test split of 200 and are cross-fitted instead."""

FEWEST_UNITS = 30
"""With fewer independent units in a test split there would be no verdict; cross-fitting tests them all."""

FOLDS = 5
LISTED = 100
"""Row numbers listed in data.json for each reason."""

Read = Callable[[Table], Examples]


@dataclass(frozen=True)
class Part:
    """One split: its examples and, among them, what is independent and what is resampled."""

    examples: list[Example]
    units: PairUnits

    def __len__(self) -> int:
        return len(self.examples)


@dataclass(frozen=True)
class Corpus:
    """What is learned from, what chooses, and what decides once.

    ``folds (examples,)`` of ``test`` are given where small data is cross-fitted: then ``test`` is all examples, each to
    be measured by a model that learned from the other folds, and ``train`` and ``validation`` are for the model that is
    kept. ``record`` is what data.json says.
    """

    train: Part
    validation: Part
    test: Part
    folds: NDArray[np.int64] | None
    record: dict[str, Any]
    hashes: dict[str, str]

    @property
    def number_of_folds(self) -> int:
        """The folds of a cross-fitting, 0 where there is none."""
        return 0 if self.folds is None else int(self.folds.max()) + 1

    def fold(self, number: int, recipe: Recipe) -> tuple[Part, Part, NDArray[np.int64]]:
        """Return train and validation without the examples of one fold, and the positions of that fold's examples."""
        assert self.folds is not None
        held_out = self.folds == number
        rest = [example for example, out in zip(self.test.examples, held_out, strict=True) if not out]
        names = _names(rest, recipe, test=0.0)
        given = isinstance(recipe.split.validation, str)
        validation = self.validation if given else _part(rest, names, "validation")
        return _part(rest, names, "train"), validation, np.flatnonzero(held_out)


def read_corpus(table: Table, recipe: Recipe, read: Read) -> Corpus:
    """Read the other files a recipe names, split, and record what was read, set aside, doubled and shared.

    Raises:
        DataError: a file cannot be read as asked, or there are too few examples for what is wanted.
    """
    tables: dict[str, Table] = {"train": table}
    wanted = {"validation": recipe.split.validation, "test": recipe.split.test}
    for split, source in wanted.items():
        if isinstance(source, str):
            tables[split] = read_file(source, recipe)
    found = {split: read(file) for split, file in tables.items()}
    left_out = None if recipe.split.leave_out is None else read_left_out(recipe.split.leave_out)
    if left_out is not None:
        found = {split: own if split == "test" else left_out.out_of(own) for split, own in found.items()}
    examples = found["train"].examples
    if len(examples) < FEWEST_EXAMPLES:
        why = ", ".join(f"{len(rows)} for {reason}" for reason, rows in found["train"].set_aside.items())
        raise DataError(
            f"{table.path}: {len(examples)} rows can be used of {len(table.rows)}"
            + (f", the others were set aside ({why})" if why else "")
            + f"; expected at least {FEWEST_EXAMPLES} to learn anything from"
        )
    folds = _folds(examples, recipe)
    names = _names(examples, recipe, test=0.0 if folds is not None else recipe.split.test)
    parts: dict[str, Part] = {}
    for split in ("train", "validation", "test"):
        given = split != "train" and split in found
        parts[split] = _part(found[split].examples) if given else _part(examples, names, split)
    if folds is not None:
        parts["test"] = _part(examples)
    if not parts["test"].examples:
        raise DataError(
            f"{tables.get('test', table).path}: no example is left to test on, so nothing could be proved; "
            "give --test a fraction or a file with examples"
        )
    record = _record(tables, found, parts, recipe, folds)
    hashes = {split: file.sha256 for split, file in tables.items()}
    if left_out is not None:
        hashes["leave_out"] = left_out.sha256
    return Corpus(parts["train"], parts["validation"], parts["test"], folds, record, hashes)


def read_file(path: str, recipe: Recipe) -> Table:
    """Return the table of a file, read as the recipe says."""
    reading = recipe.reading
    return open_rows(
        path,
        format=reading.format,
        delimiter=reading.delimiter,
        quoting=reading.quoting,
        encoding=reading.encoding,
        header=reading.header,
        columns=reading.columns,
    )


def link(examples: Sequence[Example]) -> PairUnits:
    """Return what is independent among examples: their groups, or what shares a text."""
    groups = [example.group for example in examples] if examples and examples[0].group is not None else None
    digests = [example.digests for example in examples]
    if all(len(own) == 1 for own in digests):
        units = link_same([own[0] for own in digests], groups=groups)
        return PairUnits(units, np.stack([units, units], axis=1), "text" if groups is None else "group", (), 0)
    return link_pairs([e.texts[0] for e in examples], [e.texts[1] for e in examples], groups=groups)


def seen_before(examples: Sequence[Example], hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell of every example whether a model that learned from examples with these hashes saw it, labels included."""
    return np.isin(np.array([example_digest(example) for example in examples], np.uint64), hashes)


def _part(examples: Sequence[Example], names: Sequence[str] | None = None, split: str = "") -> Part:
    chosen = list(examples) if names is None else [e for e, name in zip(examples, names, strict=True) if name == split]
    return Part(chosen, link(chosen))


def _names(examples: Sequence[Example], recipe: Recipe, *, test: float | str) -> list[str]:
    """Return the split of every example of the data file; a split given as a file takes none of them."""
    split = recipe.split
    validation = 0.0 if isinstance(split.validation, str) else split.validation
    test = 0.0 if isinstance(test, str) else test
    if not validation and not test:
        return ["train"] * len(examples)
    if split.split == "ordered":
        size = split.train_size
        return list(ordered_split(len(examples), train_size=size, validation=validation, test=test))
    names = split_units(
        link(examples).units,
        seed=recipe.seed,
        validation=validation,
        test=test,
        strata=strata(examples),
        version=split.split_version,
    )
    return list(names)


def strata(examples: Sequence[Example]) -> NDArray[np.int64] | None:
    """Return what is spread evenly over the splits: bands of scores, or labels (of several the rarest)."""
    scores = [example.score for example in examples if example.score is not None]
    if len(scores) == len(examples):
        return score_bands(scores)
    if any(example.labels is None for example in examples):
        return None
    frequency = Counter(label for example in examples for label in example.labels or ())
    return numbered(min(example.labels or ("",), key=lambda label: (frequency[label], label)) for example in examples)


def _folds(examples: Sequence[Example], recipe: Recipe) -> NDArray[np.int64] | None:
    """Return the fold of every example where the data is too small for a test split of its own, else None."""
    if isinstance(recipe.split.test, str) or recipe.split.cross_fit == 0:
        return None
    units = link(examples).units
    if recipe.split.cross_fit is not None:
        return cross_fit_folds(units, recipe.split.cross_fit, seed=recipe.seed)
    if recipe.split.split == "ordered" or recipe.split.test == 0:
        return None
    if len(np.unique(units)) < FOLDS:
        return None
    names = np.array(_names(examples, recipe, test=recipe.split.test))
    held_out = len(np.unique(units[names == "test"]))
    if len(examples) < SMALL or held_out < FEWEST_UNITS:
        return cross_fit_folds(units, FOLDS, seed=recipe.seed)
    return None


def _record(
    tables: dict[str, Table],
    found: dict[str, Examples],
    parts: dict[str, Part],
    recipe: Recipe,
    folds: NDArray[np.int64] | None,
) -> dict[str, Any]:
    """Return what data.json says of files, counts, duplicates and splits."""
    test = parts["test"]
    learned = text_hashes(parts["train"].examples + parts["validation"].examples)
    overlap = 0 if folds is not None else int(seen_before(test.examples, learned).sum())
    given = any(split in tables for split in ("validation", "test"))
    units = {split: part.units.independent for split, part in parts.items()}
    return {
        "files": [
            {
                "path": table.path,
                "split": split,
                "sha256": table.sha256,
                "bytes": table.size,
                "format": table.format,
                "rows": len(table.rows),
                "extra_fields": table.extra_fields,
            }
            for split, table in tables.items()
        ],
        "counts": {
            "read": sum(len(table.rows) for table in tables.values()),
            "used": sum(len(examples.examples) for examples in found.values()),
            **{split: len(part) for split, part in parts.items()},
        },
        "set_aside": [
            {"file": tables[split].path, "reason": reason, "count": len(rows), "rows": rows[:LISTED]}
            for split, examples in found.items()
            for reason, rows in examples.set_aside.items()
        ],
        "duplicates": _duplicates([e for examples in found.values() for e in examples.examples]),
        "split": {
            "kind": "cross-fitted" if folds is not None else "files" if given else recipe.split.split,
            "folds": None if folds is None else int(folds.max()) + 1,
            "unit": test.units.rule,
            "units": units,
            "version": recipe.split.split_version,
        },
        "hubs": [asdict(hub) for hub in test.units.hubs[:LISTED]],
        "recurring_text_2": test.units.recurring_text_2,
        "shared_with_training": None if folds is not None else _shared(parts),
        "seen_in_training": overlap,
        "test_hash": set_hash(test.examples),
    }


def _shared(parts: Mapping[str, Part]) -> dict[str, int | None]:
    """Count the distinct texts, and groups if there are any, of the test that train or validation hold too."""
    learned = parts["train"].examples + parts["validation"].examples
    tested = parts["test"].examples
    texts, known = ({each for example in part for each in example.digests} for part in (tested, learned))
    groups, taken = ({example.group for example in part} - {None} for part in (tested, learned))
    return {"texts": len(texts & known), "groups": len(groups & taken) if groups else None}


def _duplicates(examples: Sequence[Example]) -> dict[str, Any]:
    """Count examples with the texts of an earlier one (by ``text_key``), and those whose score or labels differ."""
    seen: dict[int, tuple[float | None, tuple[str, ...] | None]] = {}
    rows: list[int] = []
    conflicting = 0
    for example in examples:
        key = example.digest
        if key in seen:
            rows.append(example.row)
            conflicting += (example.score, example.labels) != seen[key]
        else:
            seen[key] = (example.score, example.labels)
    return {"exact": len(rows), "conflicting_scores": conflicting, "rows": rows[:LISTED]}


def splits_lines(corpus: Corpus) -> list[dict[str, Any]]:
    """Return the lines of splits.jsonl: row, hash, unit and split (or fold) of every example, and its file of several.

    Where folds are cross-fitted an example stands twice, with the same unit: as test, and in the split of the model
    that is kept.
    """
    files = {file["split"]: file["path"] for file in corpus.record["files"]}
    numbers = _unit_numbers(corpus, set(files))
    lines: list[dict[str, Any]] = []
    for split, part in (("train", corpus.train), ("validation", corpus.validation), ("test", corpus.test)):
        for place, (example, unit) in enumerate(zip(part.examples, numbers[split], strict=True)):
            line = {"row": example.row, "hash": f"{example.digest:016x}", "unit": unit, "split": split}
            if len(files) > 1:
                line["file"] = files.get(split, files["train"])
            if split == "test" and corpus.folds is not None:
                line["fold"] = int(corpus.folds[place]) + 1
            lines.append(line)
    return lines


def _unit_numbers(corpus: Corpus, given: set[str]) -> dict[str, list[int]]:
    """Number the units of all splits, those of the test from 0, so that no number stands for two of them."""
    numbers = {"test": corpus.test.units.units.tolist()}
    tested = {example.row: unit for example, unit in zip(corpus.test.examples, numbers["test"], strict=True)}
    taken = len(set(numbers["test"]))
    for split, part in (("train", corpus.train), ("validation", corpus.validation)):
        if corpus.folds is not None and (split == "train" or split not in given):
            numbers[split] = [tested[example.row] for example in part.examples]
        else:
            numbers[split] = (part.units.units + taken).tolist()
            taken += len(set(numbers[split]))
    return numbers
