"""The corpus: files are read, and their examples split into train, validation and test, or into folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from homeground.data.columns import refuse_other_content, require_columns
from homeground.data.documents import Document
from homeground.data.examples import Example, Examples, Part, link
from homeground.data.leakage import Contamination, TrainingHashes, read_left_out, rows_inside, rows_learned, search_once
from homeground.data.sources.folders import splits_of
from homeground.data.sources.nested import with_fields
from homeground.data.splitting import Names, cross_fit_folds, ordered_split, score_bands, split_units
from homeground.data.streams import open_rows
from homeground.data.summary import CorpusSummary, SplitSummary, summarize
from homeground.data.tables import Table
from homeground.data.units import MIN_UNITS, numbered, sorted_unique
from homeground.errors import DataError
from homeground.recipe.recipe import Recipe

__all__ = [
    "Corpus",
    "Part",
    "link",
    "read_corpus",
    "read_file",
    "splits_lines",
    "strata",
    "with_splits_of_folder",
]

MIN_EXAMPLES = 10
"""Examples below which nothing can be learned."""

MIN_EXAMPLES_FOR_TEST_SPLIT = 500
"""Fewer examples than this cannot spare a test split of 200 and are cross-fitted instead."""

FOLDS_BY_DEFAULT = 5
"""Folds of a cross-fitting for which the recipe names no number."""

Read = Callable[[Table], Examples]


@dataclass(frozen=True)
class Corpus:
    """What is learned from, what chooses, and what decides once.

    ``folds (examples,)`` of ``test`` are set where small data is cross-fitted: then ``test`` is all examples, each to
    be measured by a model that learned from the other folds, and ``train`` and ``validation`` are for the model that is
    kept. ``hashes`` are the fingerprints of the files by what they are for, ``names`` those of the files of a folder.
    ``as_read`` are "validation", "test" and its folds before examples that were learned from are left out of them.
    Each example stands for ``scale`` of them where they are a sample.
    """

    train: Part
    validation: Part
    test: Part
    folds: NDArray[np.int64] | None
    summary: CorpusSummary
    hashes: dict[str, str]
    as_read: AsRead
    names: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    scale: float = 1.0

    @property
    def parts(self) -> tuple[Part, Part, Part]:
        """What is learned from, what chooses and what is tested on."""
        return self.train, self.validation, self.test

    def sampled(self, at_most: int) -> Corpus:
        """Return a sample of so many examples, evenly from every split, with the summary of all of them.

        The corpus itself is returned where it has no more examples, where it is cross-fitted, or where these are
        documents, which are tokenized as a whole.
        """
        total = sum(map(len, self.parts))
        if total <= at_most or self.folds is not None or isinstance(self.test.examples[0], Document):
            return self
        share = at_most / total
        train, validation, test = (part.sampled(share) for part in self.parts)
        note = f"lengths in tokens and time are estimated from a sample of {at_most:,} of the {total:,} examples"
        summary = replace(self.summary, notes=(*self.summary.notes, note))
        as_read = replace(self.as_read, validation=validation, test=test)
        return replace(
            self, train=train, validation=validation, test=test, summary=summary, as_read=as_read, scale=1 / share
        )

    @property
    def record(self) -> dict[str, Any]:
        """The summary as data.json holds it."""
        return self.summary.as_json()

    @property
    def number_of_folds(self) -> int:
        """The folds of a cross-fitting, 0 where there is none."""
        return self.summary.split.folds or 0

    def fold(self, number: int, recipe: Recipe) -> tuple[Part, Part, NDArray[np.int64]]:
        """Return train and validation without the examples of one fold, and where that fold's test examples are."""
        data, folds = self.as_read.test, self.as_read.folds
        assert self.folds is not None
        assert folds is not None
        places = np.flatnonzero(self.folds == number)
        rest = Part.of(example for example, fold in zip(data.examples, folds, strict=True) if fold != number)
        parts = _parts(rest, _names(rest, recipe, test=0.0))
        if "validation" in self.hashes:
            return parts["train"], self.validation, places
        validation, _ = _without_learned(parts["validation"], parts["train"])
        return parts["train"], validation, places

    def contamination(self, earlier: TrainingHashes, alike: TrainingHashes) -> Contamination:
        """Return which test examples a model learns from or is chosen by; ``earlier`` is what earlier runs learned.

        Of the others those are counted of which ``alike`` has a text.
        """
        test, hashes = self.test.examples, self.hashes
        seen = {"train": set[int](), "validation": set[int]()}
        if self.folds is None:
            seen["train"] = rows_learned(test, self.train.examples)
        else:
            # Each fold's model learned from the others, with which it shares no text as a whole.
            folds = {each.row: fold for each, fold in zip(test, self.folds.tolist(), strict=True)}
            seen["train"] = rows_inside(test, test, folds)
        if self.folds is None or "validation" in hashes:
            seen["validation"] = rows_learned(test, self.validation.examples)
        before = earlier.seen(test)
        seen["earlier runs"] = {each.row for each, is_seen in zip(test, before, strict=True) if is_seen}
        texts = [each for each, is_alike in zip(test, alike.seen_texts(test), strict=True) if is_alike]
        rows = set().union(*seen.values())
        where = {name: tuple(sorted(found)) for name, found in seen.items() if found}
        return Contamination(where, sum(each.row not in rows for each in texts))

    def without(self, rows: Collection[int]) -> Corpus:
        """Return the corpus without test examples of these rows; all else stays, what is learned from included."""
        if not rows:
            return self
        removed = set(rows)
        is_kept = np.array([example.row not in removed for example in self.test.examples], np.bool_)
        test = Part.of(example for example, kept in zip(self.test.examples, is_kept, strict=True) if kept)
        folds = None if self.folds is None else self.folds[is_kept]
        summary = self.summary.with_test(test, [*self.train.examples, *self.validation.examples])
        return replace(self, test=test, folds=folds, summary=summary)


@dataclass(frozen=True)
class AsRead:
    """What chooses and what decides as they were read; ``folds (examples,)`` of the test where it is cross-fitted."""

    validation: Part
    test: Part
    folds: NDArray[np.int64] | None


def read_corpus(table: Table, recipe: Recipe, read: Read, *, columns: Mapping[str, str] | None = None) -> Corpus:
    """Read the other files a recipe names, split, and record what was read, skipped, doubled and shared.

    ``columns`` maps roles to the columns of the data, which every other file needs too.

    Raises:
        DataError: a file cannot be read as asked, or there are too few examples for what is wanted.
    """
    tables = {"train": table}
    for split, source in (("validation", recipe.split.validation), ("test", recipe.split.test)):
        if isinstance(source, str):
            tables[split] = read_file(source, recipe)
            require_columns(tables[split], columns or {}, data=table)
    hashes = {split: file.sha256 for split, file in tables.items()}
    examples = {split: read(file) for split, file in tables.items()}
    # The notes on the examples of the data itself come from the spec, which has read them to know the task.
    others = [each for split, each in examples.items() if split != "train"]
    notes = [note for each in (*tables.values(), *others) for note in each.notes]
    if recipe.split.leave_out is not None:
        left_out = read_left_out(recipe.split.leave_out)
        hashes["leave_out"] = left_out.sha256
        examples = {name: each if name == "test" else left_out.remove_from(each) for name, each in examples.items()}
        notes += left_out.notes(examples.values())
    _refuse_few(table, examples["train"])
    if (problem := examples["train"].problem) is not None:
        raise problem
    data = Part.of(examples["train"].examples)
    names, folds = _names_and_folds(data, recipe)
    parts = _parts(data, names) | {split: Part.of(examples[split].examples) for split in tables if split != "train"}
    if folds is not None:
        parts["test"] = data
    as_read = AsRead(parts["validation"], parts["test"], folds)
    if folds is None:
        search_once([*parts["validation"].examples, *parts["test"].examples], parts["train"].examples)
    parts["validation"], in_training = _without_learned(parts["validation"], parts["train"])
    _refuse_no_choice(tables.get("validation", table), in_training, parts["validation"])
    if not parts["test"].examples:
        raise DataError(
            f"{tables.get('test', table).path}: no example is left to test on, so nothing could be proved; "
            "give --test a fraction or a file with examples"
        )
    kind: Literal["files", "random", "ordered"] = "files" if len(tables) > 1 else recipe.split.split
    split = SplitSummary(
        kind="cross-fitted" if folds is not None else kind,
        folds=None if folds is None else int(folds.max()) + 1,
        unit=parts["test"].units.rule,
        units={name: part.units.independent for name, part in parts.items()},
        version=recipe.split.split_version,
    )
    summary = summarize(tables, examples, parts, split, in_training, notes)
    file_names = {split: file.names for split, file in tables.items()}
    return Corpus(parts["train"], parts["validation"], parts["test"], folds, summary, hashes, as_read, file_names)


def read_file(path: str, recipe: Recipe) -> Table:
    """Return the table of a file, read as the recipe says.

    Raises:
        DataError: the file cannot be read, its first line is data, or it holds tokens with tags.
    """
    named = recipe.columns.model_dump().values()
    table = with_fields(open_rows(path, **recipe.reading.model_dump()), named)
    refuse_other_content(table, named=named, has_header=recipe.reading.header)
    return table


def with_splits_of_folder(recipe: Recipe) -> tuple[Recipe, list[str]]:
    """Return the recipe of data that is a folder of splits with these as its files, and a sentence on what they are.

    Splits that the recipe names itself stay. Any other recipe is returned as it is.

    Raises:
        DataError: the folder has no split for training.
    """
    splits, others = splits_of(recipe.data)
    if not splits:
        return recipe, []
    named = {name for name in ("validation", "test") if name in recipe.split.model_fields_set}
    named |= {"test"} if recipe.split.cross_fit else set()
    used = {name: path for name, path in splits.items() if name not in named}
    others += [name for name in splits if name not in used]
    read = ", ".join(f"{name} from {path}" for name, path in used.items())
    unread = f"; not read: {', '.join(others)}" if others else ""
    files = {name: path for name, path in used.items() if name != "train"}
    changes = {"data": used["train"], "split": recipe.split.model_copy(update=files)}
    return recipe.model_copy(update=changes), [f"{recipe.data}: its splits are used, {read}{unread}"]


def strata(examples: Sequence[Example]) -> NDArray[np.int64] | None:
    """Return what is spread evenly over the splits: bands of scores, or labels (of several the rarest)."""
    scores = [example.score for example in examples if example.score is not None]
    if len(scores) == len(examples):
        return score_bands(scores)
    if any(example.labels is None for example in examples):
        return None
    frequency = Counter(label for example in examples for label in example.labels or ())
    return numbered(min(example.labels or ("",), key=lambda label: (frequency[label], label)) for example in examples)


def _refuse_few(table: Table, examples: Examples) -> None:
    count = len(examples.examples)
    if count < MIN_EXAMPLES:
        why = ", ".join(f"{len(rows)} for {reason}" for reason, rows in examples.set_aside.items())
        raise DataError(
            f"{table.path}: {count} rows can be used of {len(table.rows)}"
            + (f", the others were skipped ({why})" if why else "")
            + f"; expected at least {MIN_EXAMPLES} to learn anything from"
        )


def _without_learned(validation: Part, train: Part) -> tuple[Part, list[int]]:
    """Return what chooses without what is learned from, which would choose what was memorised, and the rows of that."""
    rows = rows_learned(validation.examples, train.examples)
    if not rows:
        return validation, []
    return Part.of(example for example in validation.examples if example.row not in rows), sorted(rows)


def _refuse_no_choice(table: Table, in_training: Sequence[int], left: Part) -> None:
    if in_training and not left.examples:
        raise DataError(
            f"{table.path}: all {len(in_training)} validation examples are in the training data too, so nothing is "
            "left to choose the weights by; give --validation a file of other texts or, e.g., 0.1, or 0 to choose "
            "nothing"
        )


def _parts(data: Part, names: Names) -> dict[str, Part]:
    """Return the three splits of the data, each linked among its own examples."""
    split_of: list[str] = names.tolist()
    return {
        split: Part.of(example for example, name in zip(data.examples, split_of, strict=True) if name == split)
        for split in ("train", "validation", "test")
    }


def _names_and_folds(data: Part, recipe: Recipe) -> tuple[Names, NDArray[np.int64] | None]:
    """Return the split of every example, and its fold where the recipe or too small a test split asks for folds."""
    split, units = recipe.split, data.units.units
    count = split.cross_fit
    if not count or isinstance(split.test, str):
        names = _names(data, recipe, test=split.test)
        automatic = count is None and split.split == "random" and split.test != 0 and not isinstance(split.test, str)
        if not automatic or data.units.count < FOLDS_BY_DEFAULT:
            return names, None
        if len(data) >= MIN_EXAMPLES_FOR_TEST_SPLIT and len(sorted_unique(units[names == "test"])) >= MIN_UNITS:
            return names, None
        count = FOLDS_BY_DEFAULT
    folds = cross_fit_folds(units, count, seed=recipe.seed)
    return _names(data, recipe, test=0.0), folds


def _names(data: Part, recipe: Recipe, *, test: float | str) -> Names:
    """Return the split of every example of the data file; a split with a file of its own gets none of them."""
    split = recipe.split
    validation = 0.0 if isinstance(split.validation, str) else split.validation
    test = 0.0 if isinstance(test, str) else test
    if not validation and not test:
        return np.full(len(data), "train", dtype="<U10")
    if split.split == "ordered":
        return ordered_split(len(data), train_size=split.train_size, validation=validation, test=test)
    return split_units(
        data.units.units,
        seed=recipe.seed,
        validation=validation,
        test=test,
        strata=strata(data.examples),
        version=split.split_version,
    )


def splits_lines(corpus: Corpus) -> list[dict[str, Any]]:
    """Return the lines of splits.jsonl: row, hash, unit and split (or fold) of every example, and its file of several.

    Where folds are cross-fitted an example has two lines with the same unit: one as test, and one in the split of the
    model that is kept. Validation and test examples that are left out because they were learned from are marked.
    """
    files = {file.split: file.path for file in corpus.summary.files}
    numbers, read = _unit_numbers(corpus, files), corpus.as_read
    lines: list[dict[str, Any]] = []
    for split, part, used in (
        ("train", corpus.train, corpus.train),
        ("validation", read.validation, corpus.validation),
        ("test", read.test, corpus.test),
    ):
        rows_used = {example.row for example in used.examples}
        for place, (example, unit) in enumerate(zip(part.examples, numbers[split], strict=True)):
            line = {"row": example.row, "hash": f"{example.digest:016x}", "unit": unit, "split": split}
            if names := corpus.names.get(split if split in files else "train"):
                line["name"] = names[example.row - 1]
            if len(files) > 1:
                line["file"] = files.get(split, files["train"])
            if split == "test" and read.folds is not None:
                line["fold"] = int(read.folds[place]) + 1
            if example.row not in rows_used:
                line["left_out"] = True
            lines.append(line)
    return lines


def _unit_numbers(corpus: Corpus, files: Mapping[str, str]) -> dict[str, list[int]]:
    """Number the units of all splits, those of the test from 0, so that no two units have one number."""
    read = corpus.as_read
    numbers: dict[str, list[int]] = {"test": read.test.units.units.tolist()}
    # A row with a list of positives makes several examples, which need not be of one unit.
    unit_of = {example.identity: unit for example, unit in zip(read.test.examples, numbers["test"], strict=True)}
    count = len(set(numbers["test"]))
    for split, part in (("train", corpus.train), ("validation", read.validation)):
        if corpus.folds is not None and (split == "train" or split not in files):
            numbers[split] = [unit_of[example.identity] for example in part.examples]
        else:
            numbers[split] = (part.units.units + count).tolist()
            count += len(set(numbers[split]))
    return numbers
