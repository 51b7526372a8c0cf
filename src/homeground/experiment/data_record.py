"""What data.json says of the examples, in fields and in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer

from homeground.checkpoint import Checkpoint, Coverage
from homeground.checkpoint.vocabulary import FEWEST_DOCUMENTS, ExtendedTokenizer
from homeground.data.cleaning import WORD_STEPS, Cleaner
from homeground.data.corpus import Corpus
from homeground.data.documents import with_texts
from homeground.data.leakage import Contamination
from homeground.data.segmentation import ScriptCount, unsegmented
from homeground.data.summary import MAX_ROWS_LISTED
from homeground.data.units import MIN_UNITS
from homeground.evaluation.evaluation_set import EvaluationSet
from homeground.evaluation.general_sets import Domain, GeneralExamples, script_notes
from homeground.experiment.splits import TrainingSplits
from homeground.results.audit import AuditRecord
from homeground.results.data import CleaningRecord, DataRecord, NewWord, SharedRecord, VocabularyRecord
from homeground.tasks import unread_settings
from homeground.tasks.task import HasShortTexts, TaskInfo
from homeground.wording import count, percent

DOMAIN_SPLITS = ("train", "validation", "test")

SPLIT_TEXTS = {
    "train": "the training texts",
    "validation": "the validation texts",
    "test": "the test texts",
    "general": "the general texts",
}
"""What sentences call the texts of a split."""

PLACES = {
    "train": "in the training data",
    "validation": "in the validation data, which chose the weights",
    "earlier runs": "among those that an earlier run learned from",
}
"""Where test examples were learned from, in words."""

MAX_EMPTIED_LISTED = MAX_WORDS_LISTED = 100

SAID_ELSEWHERE = frozenset({"leak", "duplicates", "length"})
"""Kinds of findings of the audit that the record of the data has a sentence of its own for."""


@dataclass(frozen=True)
class LookedAt:
    """What was found by looking at the texts before anything is trained."""

    coverage: Mapping[str, Coverage]
    audit: AuditRecord | None
    cleaning: CleaningRecord | None
    vocabulary: VocabularyRecord | None = None


GeneralPair = tuple[GeneralExamples | None, GeneralExamples | None]


def data_record(
    read: Domain,
    corpus: Corpus,
    max_length: int,
    test: EvaluationSet,
    splits: TrainingSplits,
    general_sets: GeneralPair,
    contamination: Contamination,
    looked_at: LookedAt,
) -> DataRecord:
    """Return data.json: what was read, skipped, doubled and split, what was learned from before, and the audit."""
    recipe, checkpoint, task, general, kept = read.recipe, read.checkpoint, read.task, general_sets[0], splits.kept
    # Cross-fitted, the test is all examples; else the splits are counted one by one.
    validation = None if kept.validation is None else kept.validation.rows
    rows = [test.rows] if corpus.folds is not None else [kept.train.rows, validation, test.rows]
    rows = [each for each in rows if each is not None]
    notes = [
        *corpus.summary.notes,
        *task.info.notes,
        *coverage_notes(checkpoint, task.info, looked_at.coverage),
        *_cleaning_notes(looked_at.cleaning),
        *unread_settings(recipe, task.info.name),
        *(general.notes if general else ()),
        *(script_notes(general, read.examples) if general else []),
        *(task.short_notes(rows) if isinstance(task, HasShortTexts) else []),
    ]
    skipped = [each for part in general_sets for each in _skipped(part)]
    learned = [{"seen_in": name, "count": len(rows), "rows": rows} for name, rows in contamination.seen.items()]
    return DataRecord.model_validate(
        {
            **corpus.record,
            "understood": task.info.description,
            "columns": dict(task.info.columns),
            "checkpoint": {
                "name": checkpoint.name,
                "revision": checkpoint.revision,
                "sha256": checkpoint.sha256,
                "saved_model": checkpoint.is_saved_model,
            },
            "max_length": max_length,
            "unknown_tokens": {split: _coverage_record(each) for split, each in looked_at.coverage.items()},
            "benchmarks": [part.source for part in general_sets if part is not None and part.source],
            "notes": notes,
            "set_aside": [*corpus.record["set_aside"], *skipped],
            "truncated": {
                "texts": round(sum(each.truncated for each in rows) * corpus.scale),
                "max_length": max_length,
            },
            "left_out_of_test": [] if recipe.evaluation.keep_contaminated else learned,
            "left_out_count": len(corpus.as_read.test) - len(corpus.test),
            "seen_in_training": len(contamination.rows),
            "seen_in_training_rows": contamination.rows[:MAX_ROWS_LISTED],
            "texts_seen_in_training": contamination.texts,
            "audit": looked_at.audit,
            "cleaning": looked_at.cleaning,
            "vocabulary": looked_at.vocabulary,
        }
    )


def vocabulary_record(
    extended: ExtendedTokenizer, before: Tokenizer, *, asked: int, counts: tuple[int, int, int]
) -> VocabularyRecord:
    """Return what new tokens are worth where words were counted: in so many texts, words and tokens before."""
    texts, words, tokens = counts
    listed = list(extended.words.items())
    return VocabularyRecord(
        asked=asked,
        texts=texts,
        tokens=len(extended.tokens),
        words=len(listed),
        word_share=round(sum(each.count for _, each in listed) / max(words, 1), 4),
        saved_share=round(sum(each.saved for _, each in listed) / max(tokens, 1), 4),
        listed=tuple(
            NewWord(word=word, pieces=tuple(before.id_to_token(piece) or "" for piece in each.pieces), count=each.count)
            for word, each in listed[:MAX_WORDS_LISTED]
        ),
    )


def _vocabulary_notes(record: DataRecord) -> list[str]:
    """Return a sentence on the new tokens, and one where words were counted in a part of the texts only."""
    vocabulary = record.vocabulary
    if vocabulary is None:
        return []
    part = f"words were counted in {count(vocabulary.texts)} of {count(record.counts.train)} training texts"
    fewer = ""
    if vocabulary.tokens < vocabulary.asked:
        fewer = f"; no other word of letters in {FEWEST_DOCUMENTS} texts or more can be made whole"
    first = ", ".join(each.word for each in vocabulary.listed[:3])
    return [
        f"{count(vocabulary.tokens, 'token was', 'tokens were')} added for {count(vocabulary.words, 'word')} such as "
        f"{first}, {percent(vocabulary.word_share)} of the words of the training texts, which saves "
        f"{percent(vocabulary.saved_share)} of their tokens{fewer}",
        *([part] if vocabulary.texts < record.counts.train else []),
    ]


def cleaning_record(cleaner: Cleaner, corpus: Corpus, *, only_train: bool) -> CleaningRecord | None:
    """Return how many texts a cleaner changes, and the rows of which it leaves nothing; None for one without steps.

    Raises:
        UsageError: it looks for words of a language that is written without spaces, and what finds them is missing.
    """
    if not cleaner:
        return None
    parts = [corpus.train] if only_train else [corpus.train, corpus.validation, corpus.as_read.test]
    parts = [corpus.as_read.test] if corpus.folds is not None and not only_train else parts
    texts = changed = 0
    scripts = ScriptCount()
    emptied: list[int] = []
    for part in parts:
        for example, own in with_texts(part.examples):
            for text in own:
                cleaned = cleaner.clean(text)
                texts, changed = texts + 1, changed + (cleaned != text)
                scripts.add(text)
                if not cleaned.strip():
                    emptied.append(example.row)
    if WORD_STEPS & set(cleaner.steps):
        unsegmented([scripts])
    return CleaningRecord(
        steps=cleaner.steps,
        language=cleaner.language,
        texts=texts,
        changed=changed,
        emptied=len(emptied),
        emptied_rows=tuple(emptied[:MAX_EMPTIED_LISTED]),
        only_train=only_train,
    )


def _cleaning_notes(record: CleaningRecord | None) -> list[str]:
    if record is None:
        return []
    which = "training texts; what is measured stays as it is" if record.only_train else "texts"
    notes = [f"cleaning ({', '.join(record.steps)}) changes {record.changed:,} of {record.texts:,} {which}"]
    if record.emptied:
        rows = _rows(record.emptied_rows, record.emptied)
        what = "are not learned from" if record.only_train else "are kept, as texts without a word"
        notes.append(f"cleaning leaves nothing of {count(record.emptied, 'text')} ({rows}), which {what}")
    return notes


def coverage_notes(
    checkpoint: Checkpoint, info: TaskInfo, coverage: Mapping[str, Coverage], *, whole: bool = True
) -> list[str]:
    """Say what the tokenizer does not know of the texts of each split, once where it is so in all of the domain's.

    ``whole`` says that all of these are there.
    """
    as_encoder = info.frozen_method == "embeddings"

    def note(split: str, texts: str) -> str | None:
        return coverage[split].note(checkpoint.name, texts, as_encoder=as_encoder)

    notes = {split: note(split, SPLIT_TEXTS[split]) for split in coverage}
    domain = [split for split in DOMAIN_SPLITS if split in notes]
    if whole and domain and all(notes[split] for split in domain):
        largest = max(domain, key=lambda split: coverage[split].texts)
        notes = {**notes, **dict.fromkeys(domain), largest: note(largest, "the texts")}
    return [each for each in notes.values() if each]


def _coverage_record(coverage: Coverage) -> dict[str, float]:
    shares = {name: round(getattr(coverage, name), 4) for name in ("tokens", "characters", "single_letters")}
    return {"texts": coverage.texts, **shares}


def _skipped(general: GeneralExamples | None) -> list[dict[str, Any]]:
    """Return the rows that a general set skips, as data.json lists them."""
    if general is None:
        return []
    return [
        {"file": general.name, "reason": reason, "count": len(rows), "rows": rows[:MAX_ROWS_LISTED]}
        for reason, rows in general.skipped.items()
    ]


def data_notes(record: DataRecord) -> list[str]:
    """Return how the data was split, and what the user should know of it before the start, a sentence each."""
    return [_split_in_words(record), *_vocabulary_notes(record), *data_warnings(record)]


def _split_in_words(record: DataRecord) -> str:
    counts, split = record.counts, record.split
    if split.folds:
        return (
            f"{counts.test} examples are cross-fitted in {split.folds} folds, as asked for or because a test "
            "split of its own would be too small: each is measured by a model that learned from the others"
        )
    parts = ", ".join(f"{getattr(counts, name)} {name}" for name in ("train", "validation", "test"))
    return f"{parts} examples; {count(split.units['test'], 'independent test unit')} by {split.unit}"


def data_warnings(record: DataRecord) -> list[str]:
    """Return what the user should know of the data before the start, a sentence each."""
    split = record.split
    notes: list[str] = []
    if (units := split.units["test"]) < MIN_UNITS:
        notes.append(
            f"there will be no verdict: the test has {units} independent units by {split.unit}, and at least "
            f"{MIN_UNITS} are needed"
        )
    for skipped in record.set_aside:
        rows = _rows(skipped.rows, skipped.count, skipped.names)
        notes.append(f"{skipped.file}: {count(skipped.count, 'row')} skipped for {skipped.reason} ({rows})")
    duplicates = record.duplicates
    if duplicates.exact:
        rows = _rows(duplicates.rows, duplicates.exact, duplicates.names)
        conflicts = duplicates.conflicting_scores
        nothing_left_out = not (record.left_out_of_test or record.validation_in_training)
        conflicting = f", {conflicts} of them with scores that disagree" if conflicts else ""
        notes.append(
            f"{count(duplicates.exact, 'example has', 'examples have')} the texts of an earlier one, up to case, "
            "punctuation and word order "
            f"({rows}){conflicting}; all are kept{'' if nothing_left_out else ', except as said below'}"
        )
    if shared := _shared_in_words(record.shared_with_training):
        notes.append(f"{shared} of the test stand in train or validation too, so it may be easier than new text")
    if record.truncated.texts:
        texts = count(record.truncated.texts, "text is", "texts are")
        notes.append(f"{texts} cut to {record.truncated.max_length} tokens")
    return [*notes, *_contamination_notes(record), *record.notes, *_audit_notes(record.audit)]


def _audit_notes(audit: AuditRecord | None) -> list[str]:
    """Return the problems and warnings of the audit that nothing else speaks of, each with its advice."""
    findings = () if audit is None else (each for each in audit.fatal if each.kind not in SAID_ELSEWHERE)
    return [f"{each.sentence}; {each.advice}" if each.advice else each.sentence for each in findings]


def _contamination_notes(record: DataRecord) -> list[str]:
    """Return what was learned from of the test and of what chooses, a sentence each."""
    notes: list[str] = []
    if left_out := sorted(set[int]().union(*(each.rows for each in record.left_out_of_test))):
        places = " or ".join(PLACES[each.seen_in] for each in record.left_out_of_test)
        rows, read = _rows(left_out, len(left_out)), record.counts.test + record.left_out_count
        notes.append(
            f"{len(left_out)} of {read} test examples are left out of the verdict ({rows}): their texts are {places}; "
            "data.json lists them, and --keep-contaminated keeps them"
        )
        if not record.left_out_count:
            notes.append("there will be no verdict: hardly any test example is left; give --test other texts")
    if record.contaminated and not record.left_out_of_test:
        rows = _rows(record.seen_in_training_rows, record.contaminated)
        notes.append(
            f"{record.contaminated} test examples were learned from and are kept as --keep-contaminated says "
            f"({rows}): the verdict cannot be HELPED"
        )
    if count := record.texts_seen_in_training:
        notes.append(
            f"of {count} test examples an earlier run learned a text, in a pair with another text or with its words in "
            "another order, so they may be easier than new ones; --leave-out FILE keeps such texts out of the earlier "
            "run"
        )
    if count := record.validation_in_training:
        left = record.counts.validation
        rows = _rows(record.validation_in_training_rows, count)
        notes.append(
            f"{count} of {count + left} validation examples are in the training data too ({rows}), so they choose "
            f"nothing; the other {left} do"
        )
    return notes


def _shared_in_words(shared: SharedRecord | None) -> str:
    """Say what the splits share.

    >>> _shared_in_words(SharedRecord(texts=12, groups=3))
    '12 texts and 3 groups'
    """
    counts = {} if shared is None else {"texts": shared.texts, "groups": shared.groups}
    return " and ".join(f"{count} {noun}" for noun, count in counts.items() if count)


def _rows(rows: Sequence[int], count: int, names: Sequence[str] = ()) -> str:
    """Name the first few rows: by their numbers, or by the ``names`` of the files they are.

    >>> _rows([3, 5], 2), _rows([3], 1, ["notes/c.txt"])
    ('rows 3, 5', 'files notes/c.txt')
    """
    listed: Sequence[object] = names or rows
    return ("files " if names else "rows ") + ", ".join(map(str, listed[:5])) + ("…" if count > 5 else "")
