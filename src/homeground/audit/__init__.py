"""An audit of the data: what is wrong with it, what would mislead a model or its test, and what to do first.

Nothing is trained but cheap models on words, and nothing is changed. All examples are looked at for duplicates and
classes; lengths in tokens, languages, labels and shortcuts rest on samples, whose size the record states.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from tokenizers import Tokenizer

from homeground.audit import duplicates, findings, labels, shortcuts, texts
from homeground.audit.audited import AuditedExamples, text_identity
from homeground.audit.labels import LabelledSample
from homeground.audit.near_duplicates import NearDuplicates
from homeground.checkpoint import find_entry
from homeground.checkpoint.catalog import SENTENCE_TASKS
from homeground.data.columns import unread_columns
from homeground.data.corpus import Corpus
from homeground.data.examples import Example
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
from homeground.tasks.reading import ReadTable

__all__ = ["AuditedData", "audit", "audited_parts"]

ROWS_OF_COLUMNS = 200_000
"""Rows of the file whose other columns are looked at; more would be read anew for it."""

FEWEST_ROWS = 100
"""Rows below which other columns say nothing."""

MAX_COLUMNS = 30


@dataclass(frozen=True)
class AuditedData:
    """What is audited: the examples of every split, the table of the data, and what is known of task and checkpoint.

    ``split`` is how they were split, as in data.json. ``own_files`` are splits that come from files of their own, not
    from ``table``. ``columns`` maps roles to columns; ``by_accuracy`` says that accuracy decides. ``tokenizer`` and
    ``checkpoint`` are None where none is named yet.
    """

    parts: Mapping[str, Sequence[Example]]
    table: Table
    task: str
    columns: Mapping[str, str]
    test_units: int
    by_accuracy: bool = False
    split: str = "random"
    own_files: frozenset[str] = frozenset()
    tokenizer: Tokenizer | None = None
    max_length: int = 0
    checkpoint: str | None = None

    @classmethod
    def of(cls, read: ReadTable, corpus: Corpus) -> AuditedData:
        """Return what is audited of a corpus, without a tokenizer."""
        info = read.spec.info
        return cls(
            parts=audited_parts(corpus),
            table=read.table,
            task=info.name,
            columns=info.columns,
            test_units=corpus.test.units.independent,
            by_accuracy=info.primary_metric == "accuracy",
            split=corpus.summary.split.kind,
            own_files=frozenset(corpus.hashes) - {"train"},
        )


@dataclass(frozen=True)
class _LabelFindings:
    """What a cheap model says of the labels; nothing where there are none."""

    cheap: CheapModelRecord | None = None
    probes: tuple[ProbeRecord, ...] = ()
    suspects: tuple[SuspectRecord, ...] = ()
    groups: tuple[GroupRecord, ...] = ()
    not_checked: str = ""


def audited_parts(corpus: Corpus) -> dict[str, Sequence[Example]]:
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
    left = max(data.test_units - leaked, 0)
    record = AuditRecord(
        texts=len(audited),
        lengths=lengths,
        scripts=texts.scripts(audited.texts),
        languages=texts.languages(texts.sampled_texts(audited, texts.TEXTS_IDENTIFIED, purpose="languages")),
        words=words,
        near_duplicates=near_record,
        repeated=len(audited) - len(audited.first_of_text),
        test_in_training=leaked,
        conflicts=conflicting,
        conflicting_rows=conflicting_rows,
        classes=labels.class_sizes(audited),
        cheap_model=labelled.cheap,
        probes=labelled.probes,
        suspects=labelled.suspects,
        groups=labelled.groups,
        not_checked=labelled.not_checked,
        detectable=findings.detectable(left) if data.by_accuracy else None,
    )
    entry = None if data.checkpoint is None else find_entry(data.checkpoint)
    context = findings.FindingContext(
        tests=sum(split == "test" for split in audited.splits),
        test_units=left,
        task=data.task,
        pairs=bool(audited.examples) and len(audited.examples[0].texts) > 1,
        split=data.split,
        group=data.columns.get("group"),
        own_files=data.own_files,
        entry=entry,
    )
    record = record.model_copy(update={"findings": findings.findings(record, context)})
    return record.model_copy(update={"advice": findings.advice(record, context)})


def _lengths(data: AuditedData, audited: AuditedExamples) -> tuple[tuple[LengthsRecord, ...], WordPieces | None]:
    characters = texts.character_lengths(_read_alone(data.task, audited, range(len(audited))))
    if data.tokenizer is None:
        return (characters,), None
    places = audited.sample(texts.TEXTS_TOKENIZED, purpose="tokens").tolist()
    tokens, words = texts.token_lengths(_read_alone(data.task, audited, places), data.tokenizer, data.max_length)
    if data.task == "mlm":  # plain text is cut into blocks, of which none is lost
        tokens = tokens.model_copy(update={"limit": None, "beyond_limit": 0, "lost_share": 0.0})
    return (characters, tokens), words


def _read_alone(task: str, audited: AuditedExamples, places: Iterable[int]) -> list[str]:
    """Return the texts that a model reads one by one: of scored pairs each of both, else the text of an example."""
    if task not in SENTENCE_TASKS:
        return [audited.texts[place] for place in places]
    return [text for place in places for text in audited.examples[place].texts]


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
        named = [data.columns["group"]] if "group" in data.columns else []
        for name in labels.group_columns(columns, taken=named):
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
    clusters = near.clusters_from(duplicates.ALMOST_EQUAL).tolist()
    cluster = {
        text_identity(audited.examples[place]): number
        for place, number in zip(audited.first_of_text.tolist(), clusters, strict=True)
    }
    return [cluster[text_identity(audited.examples[place])] for place in sample.places.tolist()]


def _columns(
    data: AuditedData, audited: AuditedExamples, sample: LabelledSample
) -> tuple[LabelledSample | None, dict[str, list[object]]]:
    """Return the examples of the sample that are rows of the table, and their values in columns that are no input."""
    names = unread_columns(data.table, data.columns)
    names += [data.columns["group"]] if "group" in data.columns else []
    names = names[:MAX_COLUMNS]
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
