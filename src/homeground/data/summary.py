"""What happened to the data on its way into splits: files, counts, skipped rows, duplicates and what splits share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from homeground.data.examples import Example, Examples, Part, set_hash
from homeground.data.tables import Table
from homeground.data.units import Hub

MAX_ROWS_LISTED = 100
"""Row numbers that data.json lists for each reason, and texts that it lists as hubs."""


@dataclass(frozen=True)
class SourceFile:
    """One file that was read: for which split, its fingerprint, and its size in bytes and rows."""

    path: str
    split: str
    sha256: str
    bytes: int
    format: str
    rows: int
    extra_fields: int


@dataclass(frozen=True)
class ExampleCounts:
    """Rows that were read, rows that are examples, and the examples of every split."""

    read: int
    used: int
    train: int
    validation: int
    test: int


@dataclass(frozen=True)
class SkippedRows:
    """Rows of one file that are no examples for one reason; ``rows`` are the first ``MAX_ROWS_LISTED`` of them."""

    file: str
    reason: str
    count: int
    rows: tuple[int, ...]
    names: tuple[str, ...] = ()
    """The names of these rows where they are files of a folder."""


@dataclass(frozen=True)
class Duplicates:
    """Examples with the texts of an earlier one (by ``text_key``), and how many differ from it in score or labels."""

    exact: int
    conflicting_scores: int
    rows: tuple[int, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class SplitSummary:
    """How the examples were split: by what rule, into how many folds, and the independent units of every split."""

    kind: Literal["random", "ordered", "files", "cross-fitted"]
    folds: int | None
    unit: str
    units: dict[str, int]
    version: int


@dataclass(frozen=True)
class SharedTexts:
    """Distinct texts of the test, and groups if there are any, that train or validation have too."""

    texts: int
    groups: int | None


@dataclass(frozen=True)
class CorpusSummary:
    """What data.json records of the corpus; its fields have the names of the file.

    ``notes`` say what is odd about the files, a sentence each. ``shared_with_training`` is None where folds are
    cross-fitted. ``validation_in_training`` counts the validation examples that are in train too, so that they choose
    nothing; ``counts`` and ``split`` are without them. ``test_hash`` is that of the test examples as they were read.
    """

    files: tuple[SourceFile, ...]
    counts: ExampleCounts
    set_aside: tuple[SkippedRows, ...]
    duplicates: Duplicates
    split: SplitSummary
    hubs: tuple[Hub, ...]
    recurring_text_2: int
    shared_with_training: SharedTexts | None
    validation_in_training: int
    validation_in_training_rows: tuple[int, ...]
    test_hash: str
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the summary as the object that data.json holds."""
        return asdict(self, dict_factory=lambda fields: {k: list(v) if isinstance(v, tuple) else v for k, v in fields})

    def with_test(self, test: Part, learned: Iterable[Example]) -> CorpusSummary:
        """Return the summary where the test examples are these; ``learned`` are those of train and validation."""
        return replace(
            self,
            counts=replace(self.counts, test=len(test)),
            split=replace(self.split, unit=test.units.rule, units={**self.split.units, "test": test.units.independent}),
            hubs=test.units.hubs[:MAX_ROWS_LISTED],
            recurring_text_2=test.units.recurring_text_2,
            shared_with_training=self.shared_with_training and _shared(learned, test.examples),
        )


def summarize(
    tables: Mapping[str, Table],
    examples: Mapping[str, Examples],
    parts: Mapping[str, Part],
    split: SplitSummary,
    validation_in_training: Sequence[int],
    notes: Iterable[str] = (),
) -> CorpusSummary:
    """Return the summary of files and their examples by split (those of the data as "train"), and of all splits.

    ``validation_in_training`` are rows of the validation split that ``parts`` do not hold, because train does.
    ``notes`` say what is odd about the files, a sentence each.
    """
    test = parts["test"]
    learned = [*parts["train"].examples, *parts["validation"].examples]
    crossed = split.kind == "cross-fitted"
    return CorpusSummary(
        files=tuple(
            SourceFile(each.path, name, each.sha256, each.size, each.format, len(each.rows), each.extra_fields)
            for name, each in tables.items()
        ),
        counts=ExampleCounts(
            read=sum(len(each.rows) for each in tables.values()),
            used=sum(len(each.examples) for each in examples.values()),
            train=len(parts["train"]),
            validation=len(parts["validation"]),
            test=len(test),
        ),
        set_aside=tuple(
            SkippedRows(tables[name].path, reason, len(rows), tuple(rows[:MAX_ROWS_LISTED]), _names(tables[name], rows))
            for name, each in examples.items()
            for reason, rows in each.set_aside.items()
        ),
        duplicates=_duplicates(tables, examples),
        split=split,
        hubs=test.units.hubs[:MAX_ROWS_LISTED],
        recurring_text_2=test.units.recurring_text_2,
        shared_with_training=None if crossed else _shared(learned, test.examples),
        validation_in_training=len(validation_in_training),
        validation_in_training_rows=tuple(validation_in_training[:MAX_ROWS_LISTED]),
        test_hash=set_hash(test.examples),
        notes=tuple(notes),
    )


def _shared(learned: Iterable[Example], tested: Iterable[Example]) -> SharedTexts:
    texts, learned_texts = ({each for example in part for each in example.digests} for part in (tested, learned))
    groups, learned_groups = ({example.group for example in part} - {None} for part in (tested, learned))
    return SharedTexts(len(texts & learned_texts), len(groups & learned_groups) if groups else None)


def _names(table: Table, rows: Sequence[int]) -> tuple[str, ...]:
    return tuple(table.names[row - 1] for row in rows[:MAX_ROWS_LISTED]) if table.names else ()


def _duplicates(tables: Mapping[str, Table], examples: Mapping[str, Examples]) -> Duplicates:
    first: dict[int, Example] = {}
    rows: list[int] = []
    names: list[str] = []
    conflicting = 0
    for split, each in examples.items():
        for example in each.examples:
            earlier = first.setdefault(example.digest, example)
            if earlier is not example:
                rows.append(example.row)
                names += _names(tables[split], [example.row])
                conflicting += (example.score, example.labels) != (earlier.score, earlier.labels)
    listed = tuple(names[:MAX_ROWS_LISTED]) if len(names) == len(rows) else ()
    return Duplicates(len(rows), conflicting, tuple(rows[:MAX_ROWS_LISTED]), listed)
