"""Look at data before anything is trained: ``homeground inspect``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Unpack

from homeground.audit import AuditedData, audit
from homeground.audit.findings import SECOND_LANGUAGE
from homeground.checkpoint import load_tokenizer, open_checkpoint, propose, require_encoder
from homeground.data.sources.in_memory import takes_tables
from homeground.data.summary import MAX_ROWS_LISTED, SkippedRows
from homeground.errors import DataError
from homeground.experiment.estimate import EXAMPLES_TOKENIZED, estimate
from homeground.experiment.refusals import cleaner_for, refuse_findings
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
        record = audit(splits.audited if checkpoint is None else _with_tokenizer(splits.audited, read))
        minutes = None
        if checkpoint is not None and splits.refusal is None:
            listener(Notice("a few training steps are timed"))
            unaudited = read.recipe.model_copy(update={"inspection": InspectionSettings(audit=False)})
            try:
                minutes = estimate(prepare(unaudited, tokenize_at_most=EXAMPLES_TOKENIZED)).minutes
            except DataError as refusal:
                splits = replace(splits, refusal=refusal)
        refuse_findings(recipe, record)
        inspection = _inspection(read, splits, record, None if checkpoint is None else recipe.checkpoint, minutes)
        if page is not None:
            write_inspection(inspection, Path(page))
        return inspection.to_json()


@dataclass(frozen=True)
class _Splits:
    """What is audited, by split; ``refusal`` is why ``adapt`` would not split the examples, and then all are "data"."""

    audited: AuditedData
    set_aside: tuple[SkippedRows, ...] = ()
    notes: tuple[str, ...] = ()
    refusal: DataError | None = None

    @property
    def examples(self) -> int:
        """How many examples there are."""
        return sum(map(len, self.audited.parts.values()))


def _splits(read: ReadTable) -> _Splits:
    try:
        corpus = read.corpus()
    except DataError as refusal:
        examples = read.spec.read(read.table)
        if not examples.examples:
            raise
        skipped = tuple(
            SkippedRows(read.table.path, reason, len(rows), tuple(rows[:MAX_ROWS_LISTED]))
            for reason, rows in examples.set_aside.items()
        )
        audited = AuditedData({"data": examples.examples}, read.table, read.spec.info, test=None)
        return _Splits(audited, skipped, examples.notes, refusal)
    return _Splits(AuditedData.of(read, corpus), corpus.summary.set_aside, corpus.summary.notes)


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
        first = f"Look at this first: {refused.sentence}."
        others = [each for each in record.advice if not each.startswith("Look at this first")]
        record = record.model_copy(update={"findings": (refused, *record.findings), "advice": (first, *others)})
    return InspectionRecord(
        data=read.recipe.data,
        task=info.name,
        understood=info.description,
        columns=dict(info.columns),
        splits={name: len(part) for name, part in splits.audited.parts.items()},
        test_units=splits.audited.test_units,
        set_aside=tuple(RowsSetAside.model_validate(asdict(each)) for each in splits.set_aside),
        notes=splits.notes,
        checkpoint=checkpoint,
        minutes=minutes,
        audit=record,
        proposals=_proposals(record, info.name),
    )


def _proposals(record: AuditRecord, task: str) -> tuple[ProposalRecord, ...]:
    """Return three checkpoints for the language of the texts, or for all where they are of several."""
    spoken = [each for each in record.languages if each.name != "short"]
    if not spoken:
        return ()
    languages = [each.name for each in spoken if each.share >= SECOND_LANGUAGE] or [spoken[0].name]
    longest = max((each.p95 for each in record.lengths if each.unit == "tokens"), default=0.0)
    return tuple(
        ProposalRecord(
            name=each.name, millions=each.millions, languages=each.languages, why=each.good_for, weights=each.weights
        )
        for each in propose(languages, task, max_tokens=longest)
    )
