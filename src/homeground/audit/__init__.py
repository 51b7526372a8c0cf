"""An audit of the data: what is wrong with it, what would mislead a model or its test, and what to do first.

Nothing is trained but cheap models on words, and nothing is changed. All examples are looked at for duplicates and
classes; lengths in tokens, languages, labels and shortcuts rest on samples, whose size the record states.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from tokenizers import Tokenizer

from homeground.audit import duplicates, findings, labels, shortcuts, texts
from homeground.audit.audited import AuditedExamples, text_identity
from homeground.audit.labels import LabelledSample
from homeground.audit.near_duplicates import NearDuplicates
from homeground.checkpoint import find_entry
from homeground.data.columns import unread_columns
from homeground.data.corpus import Corpus
from homeground.data.examples import Example, Part
from homeground.data.tables import Table
from homeground.results.audit import (
    AuditRecord,
    CheapModelRecord,
    GroupRecord,
    LengthsRecord,
    ProbeRecord,
    SuspectRecord,
    WordPieces,
)
from homeground.tasks import TASKS
from homeground.tasks.reading import ReadTable
from homeground.tasks.task import TaskInfo

__all__ = ["AuditedData", "audit"]

ROWS_OF_COLUMNS = 200_000
"""Rows of the file whose other columns are looked at; more would be read anew for it."""

FEWEST_ROWS = 100
"""Rows below which other columns say nothing."""

MAX_COLUMNS = 30


@dataclass(frozen=True)
class AuditedData:
    """What is audited: the examples of every split, the table of the data, and what is known of task and checkpoint.

    ``test`` is what is tested on, before examples that are learned from are left out of it; None where the examples
    cannot be split. ``split`` is how they were split, as in data.json. ``own_files`` are splits that come from files of
    their own, not from ``table``. ``tokenizer`` and ``checkpoint`` are None where none is named yet.
    """

    parts: Mapping[str, Sequence[Example]]
    table: Table
    info: TaskInfo
    test: Part | None
    split: str = "random"
    own_files: frozenset[str] = frozenset()
    tokenizer: Tokenizer | None = None
    max_length: int = 0
    checkpoint: str | None = None

    @classmethod
    def of(cls, read: ReadTable, corpus: Corpus) -> AuditedData:
        """Return what is audited of a corpus, without a tokenizer."""
        return cls(
            parts=_parts(corpus),
            table=read.table,
            info=read.spec.info,
            test=corpus.as_read.test,
            split=corpus.summary.split.kind,
            own_files=frozenset(corpus.hashes) - {"train"},
        )

    @property
    def test_units(self) -> int:
        """The independent test units, before any are left out; 0 where there is no test."""
        return 0 if self.test is None else self.test.units.independent

    def units_without(self, rows: set[int]) -> int | None:
        """Return the independent test units where the examples of some rows are left out; None without a test."""
        if self.test is None:
            return None
        kept = [place for place, example in enumerate(self.test.examples) if example.row not in rows]
        return self.test.units.only(np.array(kept, np.int64)).independent if kept else 0


@dataclass(frozen=True)
class _LabelFindings:
    """What a cheap model says of the labels; nothing where there are none."""

    cheap: CheapModelRecord | None = None
    probes: tuple[ProbeRecord, ...] = ()
    suspects: tuple[SuspectRecord, ...] = ()
    groups: tuple[GroupRecord, ...] = ()
    not_checked: str = ""


def _parts(corpus: Corpus) -> dict[str, Sequence[Example]]:
    """Return the examples of a corpus by split, those that are left out of the verdict included.

    Where all examples are tested in turn they are one part, "data".
    """
    if corpus.folds is not None:
        parts = {"data": corpus.as_read.test}
        if "validation" in corpus.hashes:
            parts["validation"] = corpus.as_read.validation
    else:
        parts = {"train": corpus.train, "validation": corpus.as_read.validation, "test": corpus.as_read.test}
    return {name: part.examples for name, part in parts.items() if len(part)}


def audit(data: AuditedData) -> AuditRecord:
    """Return the audit of some data; the same data gives the same record."""
    audited = AuditedExamples.of(data.parts)
    near_record, near = duplicates.near_duplicate_texts(audited)
    conflicting, conflicting_rows = duplicates.conflicts(audited)
    lengths, words = _lengths(data, audited)
    labelled = _label_findings(data, audited, near)
    leaked = duplicates.test_in_training(data.parts)
    left = data.units_without(leaked)
    record = AuditRecord(
        texts=len(audited),
        lengths=lengths,
        scripts=texts.scripts(audited.texts),
        languages=texts.languages(texts.sampled_texts(audited, texts.TEXTS_IDENTIFIED, purpose="languages")),
        words=words,
        near_duplicates=near_record,
        repeated=len(audited) - len(audited.first_of_text),
        test_in_training=len(leaked),
        conflicts=conflicting,
        conflicting_rows=conflicting_rows,
        classes=labels.class_sizes(audited),
        cheap_model=labelled.cheap,
        probes=labelled.probes,
        suspects=labelled.suspects,
        groups=labelled.groups,
        not_checked=labelled.not_checked,
        detectable=findings.detectable(left) if data.info.primary_metric == "accuracy" else None,
    )
    entry = None if data.checkpoint is None else find_entry(data.checkpoint)
    context = findings.FindingContext(
        tests=sum(split == "test" for split in audited.splits),
        test_units=left,
        keeps_ends="encoder.truncation" in TASKS[data.info.name].settings and "text" in data.info.columns,
        split=data.split,
        group=data.info.columns.get("group"),
        own_files=data.own_files,
        samples=_samples(data, audited, labelled.cheap),
        entry=entry,
    )
    record = record.model_copy(update={"findings": findings.findings(record, context)})
    return record.model_copy(update={"advice": findings.advice(record, context)})


def _samples(data: AuditedData, audited: AuditedExamples, cheap: CheapModelRecord | None) -> tuple[str, ...]:
    """Return a sentence on everything that was looked at in part only."""
    total = sum(map(len, data.parts.values()))
    columns = len(_other_columns(data))
    sentences = {
        f"{len(audited):,} of {total:,} documents were looked at": len(audited) < total,
        f"of {columns} other columns the first {MAX_COLUMNS} were looked at": cheap and columns > MAX_COLUMNS,
        f"labels and shortcuts were looked for in {cheap.examples if cheap else 0:,} of {total:,} examples": cheap
        and cheap.examples < total,
    }
    return tuple(sentence for sentence, is_so in sentences.items() if is_so)


def _lengths(data: AuditedData, audited: AuditedExamples) -> tuple[tuple[LengthsRecord, ...], WordPieces | None]:
    characters = texts.character_lengths(_read_alone(data.info, audited, range(len(audited))))
    if data.tokenizer is None:
        return (characters,), None
    places = audited.sample(texts.TEXTS_TOKENIZED, purpose="tokens").tolist()
    tokens, words = texts.token_lengths(list(_read_alone(data.info, audited, places)), data.tokenizer, data.max_length)
    if data.info.cuts_blocks:  # of plain text none is lost
        tokens = tokens.model_copy(update={"limit": None, "beyond_limit": 0, "lost_share": 0.0})
    return (characters, tokens), words


def _read_alone(info: TaskInfo, audited: AuditedExamples, places: Iterable[int]) -> Iterator[str]:
    """Return the texts that a model reads one by one: where embeddings are compared each, else that of an example."""
    if info.frozen_method != "embeddings":
        return (audited.texts[place] for place in places)
    return (text for place in places for text in audited.examples[place].texts)


def _label_findings(data: AuditedData, audited: AuditedExamples, near: NearDuplicates) -> _LabelFindings:
    sample = labels.labelled_sample(audited)
    if not isinstance(sample, LabelledSample):
        return _LabelFindings(probes=shortcuts.score_probes(audited), not_checked=sample or "")
    cheap, probabilities = labels.cheap_model(sample)
    in_table, columns = _columns(data, audited, sample)
    probes = shortcuts.label_probes(audited, sample)
    groups = [labels.new_groups(sample, _clusters(audited, sample, near), column="near-duplicates")]
    if in_table is not None:
        probes += shortcuts.column_probes(in_table, columns)
        for name in labels.group_columns(columns, taken=[data.info.columns.get("group", "")]):
            groups.append(labels.new_groups(in_table, columns[name], column=name))
        groups += [labels.later_rows(in_table, values, column=name) for name, values in columns.items()]
    return _LabelFindings(
        cheap,
        probes,
        labels.suspects(audited, sample, probabilities),
        tuple(each for each in groups if each is not None),
    )


def _clusters(audited: AuditedExamples, sample: LabelledSample, near: NearDuplicates) -> list[int]:
    """Return the cluster of almost equal texts of every example of the sample."""
    wanted = [text_identity(audited.examples[place]) for place in sample.places.tolist()]
    cluster = dict.fromkeys(wanted, 0)
    clusters = near.clusters_from(duplicates.ALMOST_EQUAL).tolist()
    for place, number in zip(audited.first_of_text.tolist(), clusters, strict=True):
        if (identity := text_identity(audited.examples[place])) in cluster:
            cluster[identity] = number
    return [cluster[identity] for identity in wanted]


def _other_columns(data: AuditedData) -> list[str]:
    """Return the columns that no model reads, that of the groups included."""
    columns = data.info.columns
    return [*unread_columns(data.table, columns), *([columns["group"]] if "group" in columns else [])]


def _columns(
    data: AuditedData, audited: AuditedExamples, sample: LabelledSample
) -> tuple[LabelledSample | None, dict[str, list[object]]]:
    """Return the examples of the sample that are rows of the table, and their values in columns that are no input."""
    names = _other_columns(data)[:MAX_COLUMNS]
    rows = {
        audited.examples[place].row: number
        for number, place in enumerate(sample.places.tolist())
        if audited.splits[place] not in data.own_files
    }
    if not names or len(rows) < FEWEST_ROWS:
        return None, {}
    values: dict[int, tuple[object, ...]] = {}
    for row in islice(data.table.rows, ROWS_OF_COLUMNS):
        if row.number in rows:
            values[row.number] = tuple(row.values[name] for name in names)
    kept = sorted(values)
    part = sample.only(np.array([rows[number] for number in kept], np.int64)) if len(kept) >= FEWEST_ROWS else None
    return part, {name: [values[number][place] for number in kept] for place, name in enumerate(names)}
