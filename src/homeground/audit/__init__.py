"""An audit of the data: what is wrong with it, what would mislead a model or its test, and what to do first.

Nothing is trained but cheap models on words, and nothing is changed. All examples are looked at for duplicates and
classes; lengths in tokens, languages, labels and shortcuts rest on samples, whose size the record states.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from tokenizers import Tokenizer

from homeground.audit import duplicates, findings, labels, shortcuts, texts
from homeground.audit.audited import AuditedExamples
from homeground.audit.labels import LabelledSample
from homeground.audit.near_duplicates import NearDuplicates
from homeground.checkpoint import find_entry
from homeground.checkpoint.catalog import SENTENCE_TASKS
from homeground.data.columns import unread_columns
from homeground.data.corpus import Corpus
from homeground.data.examples import Example
from homeground.data.splitting import cross_fit_folds
from homeground.data.tables import Table
from homeground.data.units import numbered
from homeground.results.audit import AuditRecord, CheapModelRecord, GroupRecord, ProbeRecord, SuspectRecord

__all__ = ["AuditedData", "audit", "audited_parts"]

ROWS_OF_COLUMNS = 200_000
"""Rows of the file whose other columns are looked at; more would be read anew for it."""

FEWEST_ROWS = 100
"""Rows below which other columns say nothing."""

MAX_COLUMNS = 30

IGNORED_COLUMNS = ("document", "tags", "tokens")


@dataclass(frozen=True)
class AuditedData:
    """What is audited: the examples of every split, the table of the data, and what is known of task and checkpoint.

    ``own_files`` are splits that come from files of their own, not from ``table``. ``columns`` maps roles to columns.
    ``tokenizer`` and ``checkpoint`` are None where none is named yet.
    """

    parts: Mapping[str, Sequence[Example]]
    table: Table
    task: str
    columns: Mapping[str, str]
    test_units: int
    own_files: frozenset[str] = frozenset()
    tokenizer: Tokenizer | None = None
    max_length: int = 0
    checkpoint: str | None = None


@dataclass(frozen=True)
class _LabelFindings:
    """What a cheap model says of the labels; nothing where there are none."""

    cheap: CheapModelRecord | None = None
    probes: tuple[ProbeRecord, ...] = ()
    suspects: tuple[SuspectRecord, ...] = ()
    groups: tuple[GroupRecord, ...] = ()


def audited_parts(corpus: Corpus) -> dict[str, Sequence[Example]]:
    """Return the examples of a corpus by split, those that are left out of the verdict included.

    Where all examples are tested in turn they are one part, "data".
    """
    if corpus.folds is not None:
        return {"data": corpus.as_read.test.examples}
    parts = {"train": corpus.train, "validation": corpus.as_read.validation, "test": corpus.as_read.test}
    return {name: part.examples for name, part in parts.items() if len(part)}


def audit(data: AuditedData) -> AuditRecord:
    """Return the audit of some data; the same data gives the same record."""
    audited = AuditedExamples.of(data.parts)
    near_record, near = duplicates.near_duplicate_texts(audited)
    conflicting, conflicting_rows = duplicates.conflicts(audited)
    lengths = [texts.character_lengths(_read_alone(data.task, audited, range(len(audited))))]
    words = None
    if data.tokenizer is not None:
        places = audited.sample(texts.TEXTS_TOKENIZED, purpose="tokens").tolist()
        sample = _read_alone(data.task, audited, places)
        in_tokens, words = texts.token_lengths(sample, data.tokenizer, data.max_length)
        # Plain text is cut into blocks, of which none is lost.
        lengths.append(
            in_tokens if data.task != "mlm" else in_tokens.model_copy(update={"limit": None, "beyond_limit": 0})
        )
    labelled = _label_findings(data, audited, near)
    record = AuditRecord(
        texts=len(audited),
        lengths=tuple(lengths),
        scripts=texts.scripts(audited.texts),
        languages=texts.languages(texts.sampled_texts(audited, texts.TEXTS_IDENTIFIED, purpose="languages")),
        words=words,
        near_duplicates=near_record,
        repeated=len(audited) - len(audited.first_of_text),
        test_in_training=duplicates.test_in_training(data.parts),
        conflicts=conflicting,
        conflicting_rows=conflicting_rows,
        classes=labels.class_sizes(audited),
        cheap_model=labelled.cheap,
        probes=labelled.probes,
        suspects=labelled.suspects,
        groups=labelled.groups,
        detectable=findings.detectable(data.test_units) if data.task == "classification" else None,
    )
    entry = None if data.checkpoint is None else find_entry(data.checkpoint)
    found = findings.findings(record, audited, task=data.task, entry=entry)
    record = record.model_copy(update={"findings": found})
    return record.model_copy(update={"advice": findings.advice(record, test_units=data.test_units)})


def _read_alone(task: str, audited: AuditedExamples, places: Iterable[int]) -> list[str]:
    """Return the texts that a model reads one by one: of scored pairs each of both, else the text of an example."""
    if task not in SENTENCE_TASKS:
        return [audited.texts[place] for place in places]
    return [text for place in places for text in audited.examples[place].texts]


def _label_findings(data: AuditedData, audited: AuditedExamples, near: NearDuplicates) -> _LabelFindings:
    sample = labels.labelled_sample(audited)
    if sample is None:
        return _LabelFindings(probes=shortcuts.score_probes(audited))
    cheap, probabilities = labels.cheap_model(sample)
    in_table, columns = _columns(data, audited, sample)
    probes = shortcuts.label_probes(audited, sample)
    random = labels.bayes_accuracy(sample)
    groups = [labels.new_groups(sample, _clusters(audited, sample, near), column="near-duplicates", random=random)]
    if in_table is not None:
        probes += shortcuts.column_probes(in_table, columns)
        random = labels.bayes_accuracy(in_table)
        named = [data.columns["group"]] if "group" in data.columns else []
        for name in labels.group_columns(columns, taken=named):
            groups.append(labels.new_groups(in_table, columns[name], column=name, random=random))
        groups += [labels.later_rows(in_table, values, column=name, random=random) for name, values in columns.items()]
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
        audited.examples[place].digest: number
        for place, number in zip(audited.first_of_text.tolist(), clusters, strict=True)
    }
    return [cluster[audited.examples[place].digest] for place in sample.places.tolist()]


def _columns(
    data: AuditedData, audited: AuditedExamples, sample: LabelledSample
) -> tuple[LabelledSample | None, dict[str, list[object]]]:
    """Return the examples of the sample that are rows of the table, and their values in columns that are no input."""
    names = unread_columns(data.table, data.columns)
    names += [data.columns["group"]] if "group" in data.columns else []
    names = [name for name in names if name not in IGNORED_COLUMNS][:MAX_COLUMNS]
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
    if len(values) < FEWEST_ROWS:
        return None, {}
    kept = sorted(values)
    part = _only(sample, np.array([rows[number] for number in kept]))
    return part, {name: [values[number][place] for number in kept] for place, name in enumerate(names)}


def _only(sample: LabelledSample, numbers: np.ndarray) -> LabelledSample:
    units = numbered(sample.units[numbers].tolist())
    return replace(
        sample,
        places=sample.places[numbers],
        texts=[sample.texts[number] for number in numbers.tolist()],
        vectors=sample.vectors[numbers],
        truth=sample.truth[numbers],
        units=units,
        folds=cross_fit_folds(units, labels.AUDIT_FOLDS, seed=0),
    )
