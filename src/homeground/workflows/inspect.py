"""Look at data before anything is trained: ``homeground inspect``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Unpack

from homeground.audit import AuditedData, audit, audited_parts
from homeground.checkpoint import load_tokenizer, open_checkpoint, propose, require_encoder
from homeground.data.examples import Example
from homeground.data.sources.in_memory import takes_tables
from homeground.data.summary import MAX_ROWS_LISTED, SkippedRows
from homeground.errors import DataError
from homeground.experiment.estimate import EXAMPLES_TOKENIZED, estimate
from homeground.experiment.refusals import cleaner_for
from homeground.experiment.setup import longest_input, prepare
from homeground.recipe.files import Data
from homeground.recipe.keywords import SettingKeywords
from homeground.recipe.recipe import make_recipe
from homeground.recipe.sections import InspectionSettings
from homeground.reports.inspection import write_inspection
from homeground.results.audit import AuditRecord, FindingRecord, InspectionRecord, ProposalRecord
from homeground.results.parts import RowsSetAside
from homeground.tasks.reading import ReadTable, read_table
from homeground.training.events import Notice, OnEvent
from homeground.workflows.progress import reported


@takes_tables
def inspect(
    data: Data,
    *,
    page: str | Path | None = None,
    quiet: bool = False,
    on_event: OnEvent | None = None,
    **settings: Unpack[SettingKeywords],
) -> dict[str, Any]:
    """Return what is found in data before anything is trained: findings with their advice, and what they rest on.

    ``data`` and ``settings`` are those of ``adapt``, so that the same rows are read and split in the same way. With a
    ``checkpoint`` its tokenizer reads the texts, and a few steps are timed. ``page`` is the path of an HTML page to
    write. docs/scores.md describes the result.

    Raises:
        DataError: the data cannot be read.
        CheckpointError: the checkpoint cannot be opened.
    """
    checkpoint = settings.get("checkpoint")
    recipe = make_recipe({}, data=data, **settings)
    with reported(on_event, quiet=quiet) as listener:
        read = read_table(recipe)
        listener(Notice(f"{recipe.data}: {read.spec.info.description}"))
        splits = _splits(read)
        listener(Notice(f"{splits.examples:,} examples are audited"))
        record = audit(_with_tokenizer(splits.audited(read), read) if checkpoint is not None else splits.audited(read))
        minutes = None
        if checkpoint is not None and splits.refusal is None:
            listener(Notice("a few training steps are timed"))
            unaudited = read.recipe.model_copy(update={"inspection": InspectionSettings(audit=False)})
            try:
                minutes = estimate(prepare(unaudited, tokenize_at_most=EXAMPLES_TOKENIZED)).minutes
            except DataError as refusal:
                splits = replace(splits, refusal=refusal)
        inspection = _inspection(read, splits, record, None if checkpoint is None else recipe.checkpoint, minutes)
        if page is not None:
            write_inspection(inspection, Path(page))
        return inspection.to_json()


@dataclass(frozen=True)
class _Splits:
    """The examples by split; ``refusal`` is why ``adapt`` would not split them, and then all are "data"."""

    parts: Mapping[str, Sequence[Example]]
    set_aside: tuple[SkippedRows, ...] = ()
    notes: tuple[str, ...] = ()
    test_units: int = 0
    own_files: frozenset[str] = frozenset()
    refusal: DataError | None = None

    @property
    def examples(self) -> int:
        """How many there are."""
        return sum(map(len, self.parts.values()))

    def audited(self, read: ReadTable) -> AuditedData:
        """Return what is audited, without a tokenizer."""
        info = read.spec.info
        return AuditedData(self.parts, read.table, info.name, info.columns, self.test_units, self.own_files)


def _splits(read: ReadTable) -> _Splits:
    try:
        corpus = read.corpus()
    except DataError as refusal:
        examples = read.spec.read(read.table)
        skipped = tuple(
            SkippedRows(read.table.path, reason, len(rows), tuple(rows[:MAX_ROWS_LISTED]))
            for reason, rows in examples.set_aside.items()
        )
        if not examples.examples:
            raise
        return _Splits({"data": examples.examples}, skipped, examples.notes, refusal=refusal)
    own_files = frozenset(corpus.hashes) - {"train"}
    notes = corpus.summary.notes
    return _Splits(audited_parts(corpus), corpus.summary.set_aside, notes, corpus.test.units.independent, own_files)


def _with_tokenizer(data: AuditedData, read: ReadTable) -> AuditedData:
    recipe = read.recipe
    checkpoint = open_checkpoint(
        recipe.checkpoint, revision=recipe.revision, trust_saved_model=recipe.encoder.trust_saved_model
    )
    require_encoder(checkpoint)
    max_length = longest_input(recipe, read.spec.info, checkpoint)
    cleaner = cleaner_for(recipe, read.spec.info, checkpoint)
    tokenizer = load_tokenizer(checkpoint, max_length=max_length, cleaner=cleaner)
    return replace(data, tokenizer=tokenizer, max_length=max_length, checkpoint=checkpoint.name)


def _inspection(
    read: ReadTable, splits: _Splits, record: AuditRecord, checkpoint: str | None, minutes: float | None
) -> InspectionRecord:
    info = read.spec.info
    if splits.refusal is not None:
        refused = FindingRecord(
            kind="refused", severity="problem", sentence=f"homeground adapt refuses this data: {splits.refusal}"
        )
        record = record.model_copy(update={"findings": (refused, *record.findings)})
    return InspectionRecord(
        data=read.recipe.data,
        task=info.name,
        understood=info.description,
        columns=dict(info.columns),
        splits={name: len(part) for name, part in splits.parts.items()},
        test_units=splits.test_units,
        set_aside=tuple(RowsSetAside.model_validate(asdict(each)) for each in splits.set_aside),
        notes=splits.notes,
        checkpoint=checkpoint,
        minutes=minutes,
        audit=record,
        proposals=_proposals(record, info.name),
    )


def _proposals(record: AuditRecord, task: str) -> tuple[ProposalRecord, ...]:
    """Return three checkpoints for the most frequent language, or for many where the texts are of several."""
    known = [each for each in record.languages if each.name != "short"]
    if not known:
        return ()
    longest = max((each.p95 for each in record.lengths if each.unit == "tokens"), default=0.0)
    return tuple(
        ProposalRecord(
            name=each.name, millions=each.millions, languages=each.languages, why=each.good_for, weights=each.weights
        )
        for each in propose(known[0].name, task, max_tokens=longest)
    )
