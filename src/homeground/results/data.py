"""data.json as frozen models: what was read, set aside, doubled and split."""

from __future__ import annotations

from homeground.results.parts import Record, RowsSetAside, field


class FileRecord(Record):
    """One file that was read."""

    path: str = field("path as it was given")
    split: str = field("the split it is for", "train")
    sha256: str = field("hash of its bytes", "")
    bytes: int = field("size", 0)
    format: str = field("format", "")
    rows: int = field("rows", 0)
    extra_fields: int = field("fields beyond the header that were not read", 0)


class DataCounts(Record):
    """How many examples went where."""

    read: int = field("rows read", 0)
    used: int = field("rows used", 0)
    train: int = field("examples to learn from", 0)
    validation: int = field("examples that choose", 0)
    test: int = field("examples that decide; for cross-fitted runs all that were used", 0)


class DuplicatesRecord(Record):
    """Examples with the texts of an earlier one; all are kept."""

    exact: int = field(
        "examples whose texts are those of an earlier one up to case, width, spacing, punctuation and"
        " order, of words and of the texts",
        0,
    )
    conflicting_scores: int = field("those of them whose score or labels are not the first's", 0)
    rows: tuple[int, ...] = field("the first 100 rows of them", ())


class SplitRecord(Record):
    """How the examples were split."""

    kind: str = field("`random`, `ordered`, `files` or `cross-fitted`", "random")
    folds: int | None = field("folds of a cross-fitting", None)
    unit: str = field("what a unit is, as in scores.json", "")
    units: dict[str, int] = field("split → independent units; of the test the number in scores.json", {})
    version: int = field("version of the split algorithm", 1)


class HubRecord(Record):
    """A text used in many test pairs."""

    text: str = field("the text")
    pairs: int = field("test pairs that use it")


class SharedRecord(Record):
    """What the test shares with train and validation."""

    texts: int = field("distinct texts of the test that are in train or validation, too", 0)
    groups: int | None = field("groups of the test that are in train or validation, too; null without any", None)


class TruncatedRecord(Record):
    """Texts that were cut."""

    texts: int = field("texts that were cut", 0)
    max_length: int = field("the tokens they were cut to", 0)


class CheckpointRecord(Record):
    """The checkpoint that was adapted."""

    name: str | None = field("its name", None)
    revision: str | None = field("its commit on the Hub", None)
    sha256: str | None = field("hash over weights, settings and tokenizer", None)


class BenchmarkRecord(Record):
    """A general set that was fetched from the Hub."""

    name: str = field("the name it was asked for by")
    repository: str = field("its repository")
    revision: str = field("the commit")
    file: str = field("the file")


class DataRecord(Record):
    """data.json of a run."""

    understood: str = field("one sentence: how the file was read", "")
    columns: dict[str, str] = field("part → column", {})
    files: tuple[FileRecord, ...] = field("a file each", ())
    counts: DataCounts = field("how many examples went where", DataCounts())
    benchmarks: tuple[BenchmarkRecord, ...] = field("general sets fetched from the Hub", ())
    set_aside: tuple[RowsSetAside, ...] = field("rows that were not used, a reason each", ())
    duplicates: DuplicatesRecord = field("repeated texts", DuplicatesRecord())
    split: SplitRecord = field("how the examples were split", SplitRecord())
    hubs: tuple[HubRecord, ...] = field("texts used in more than 5 test pairs", ())
    recurring_text_2: int = field("second texts that occur in several test units", 0)
    shared_with_training: SharedRecord | None = field(
        "what the test shares with train and validation; null for cross-fitted runs", None
    )
    truncated: TruncatedRecord = field("texts that were cut", TruncatedRecord())
    max_length: int = field("the tokens a text may have", 0)
    seen_in_training: int = field("the same as in scores.json", 0)
    seen_in_training_rows: tuple[int, ...] = field("the rows of the first 100 of them", ())
    texts_seen_in_training: int = field(
        "test examples of which an earlier run learned a text, though not with this label or score", 0
    )
    notes: tuple[str, ...] = field("what to know of the data, such as labels that differ in case only", ())
    test_hash: str = field("the same as `hash` of `test_set` in scores.json", "")
    checkpoint: CheckpointRecord = field("the checkpoint", CheckpointRecord())
