"""data.json as frozen models: what was read, set aside, doubled and split."""

from __future__ import annotations

from pydantic import Field

from homeground.results.parts import Record, RowsSetAside


class FileRecord(Record):
    """One file that was read."""

    path: str = Field(description="path as it was given")
    split: str = Field(default="train", description="the split it is for")
    sha256: str = Field(default="", description="hash of its bytes")
    bytes: int = Field(default=0, description="size")
    format: str = Field(default="", description="format")
    rows: int = Field(default=0, description="rows")
    extra_fields: int = Field(default=0, description="fields beyond the header that were not read")


class DataCounts(Record):
    """How many examples went where."""

    read: int = Field(default=0, description="rows read")
    used: int = Field(default=0, description="rows used")
    train: int = Field(default=0, description="examples to learn from")
    validation: int = Field(default=0, description="examples that choose")
    test: int = Field(default=0, description="examples that decide; cross-fitted, all that were used")


class DuplicatesRecord(Record):
    """Examples with the texts of an earlier one; all are kept."""

    exact: int = Field(
        default=0, description="same up to case, width, spacing, punctuation and order, of words and of the texts"
    )
    conflicting_scores: int = Field(default=0, description="those of them whose score or labels are not the first's")
    rows: tuple[int, ...] = Field(default=(), description="the first 100")


class SplitRecord(Record):
    """How the examples were split."""

    kind: str = Field(default="random", description="`random`, `ordered`, `files` or `cross-fitted`")
    folds: int | None = Field(default=None, description="folds of a cross-fitting")
    unit: str = Field(default="", description="what a unit is, as in scores.json")
    units: dict[str, int] = Field(default_factory=dict[str, int], description="split → independent units")
    version: int = Field(default=1, description="version of the split algorithm")


class HubRecord(Record):
    """A text used in many test pairs."""

    text: str = Field(description="the text")
    pairs: int = Field(description="test pairs that use it")


class SharedRecord(Record):
    """What the test shares with train and validation."""

    texts: int = Field(default=0, description="distinct texts")
    groups: int | None = Field(default=None, description="groups, null without any")


class TruncatedRecord(Record):
    """Texts that were cut."""

    texts: int = Field(default=0, description="how many")
    max_length: int = Field(default=0, description="the tokens they were cut to")


class CheckpointRecord(Record):
    """The checkpoint that was adapted."""

    name: str | None = Field(default=None, description="its name")
    revision: str | None = Field(default=None, description="its commit on the Hub")
    sha256: str | None = Field(default=None, description="hash over weights, settings and tokenizer")


class BenchmarkRecord(Record):
    """A general set that was fetched from the Hub."""

    name: str = Field(description="the name it was given by")
    repository: str = Field(description="its repository")
    revision: str = Field(description="the commit")
    file: str = Field(description="the file")


class DataRecord(Record):
    """data.json of a run."""

    understood: str = Field(default="", description="one sentence: how the file was read")
    columns: dict[str, str] = Field(default_factory=dict[str, str], description="part → column")
    files: tuple[FileRecord, ...] = Field(default=(), description="a file each")
    counts: DataCounts = Field(default_factory=lambda: DataCounts(), description="how many examples went where")
    benchmarks: tuple[BenchmarkRecord, ...] = Field(default=(), description="general sets fetched from the Hub")
    set_aside: tuple[RowsSetAside, ...] = Field(default=(), description="rows that were not used, a reason each")
    duplicates: DuplicatesRecord = Field(default_factory=lambda: DuplicatesRecord(), description="repeated texts")
    split: SplitRecord = Field(default_factory=lambda: SplitRecord(), description="how the examples were split")
    hubs: tuple[HubRecord, ...] = Field(default=(), description="texts used in more than 5 test pairs")
    recurring_text_2: int = Field(default=0, description="second texts that occur in several test units")
    shared_with_training: SharedRecord | None = Field(
        default=None, description="what the test shares with train or validation; `null` for cross-fitted runs"
    )
    truncated: TruncatedRecord = Field(default_factory=lambda: TruncatedRecord(), description="texts that were cut")
    max_length: int = Field(default=0, description="the tokens a text may have")
    seen_in_training: int = Field(default=0, description="as in scores.json")
    seen_in_training_rows: tuple[int, ...] = Field(default=(), description="the rows of the first 100 of them")
    texts_seen_in_training: int = Field(
        default=0,
        description="test examples of which an earlier run learned a text, though not with this label or score",
    )
    notes: tuple[str, ...] = Field(default=(), description="what the task has to say of the data")
    test_hash: str = Field(default="", description="as `hash` of `test_set` in scores.json")
    checkpoint: CheckpointRecord = Field(default_factory=lambda: CheckpointRecord(), description="the checkpoint")
