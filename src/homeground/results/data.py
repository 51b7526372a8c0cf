"""data.json as frozen models: which rows were read, skipped or repeated, and how they were split."""

from __future__ import annotations

from homeground.results.audit import AuditRecord
from homeground.results.parts import Record, RowsSetAside, field


class FileRecord(Record):
    """One file that was read."""

    path: str = field("path as it was typed")
    split: str = field("the split that it is read for", "train")
    sha256: str = field("hash of its bytes", "")
    bytes: int = field("size in bytes", 0)
    format: str = field("file format", "")
    rows: int = field("number of rows", 0)
    extra_fields: int = field("number of fields beyond the header, which were not read", 0)


class DataCounts(Record):
    """How many examples went where."""

    read: int = field("number of rows that were read", 0)
    used: int = field("number of rows that were used", 0)
    train: int = field("number of training examples", 0)
    validation: int = field("number of validation examples that choose", 0)
    test: int = field(
        "number of test examples, without those that are left out; in a cross-fitted run all that were used", 0
    )


class DuplicatesRecord(Record):
    """Examples with the texts of an earlier one; all are kept."""

    exact: int = field(
        "number of examples with the texts of an earlier one, where case, width, spacing, punctuation, the "
        "order of words and the order of the texts do not count",
        0,
    )
    conflicting_scores: int = field("number of those whose score or labels differ from the first one's", 0)
    rows: tuple[int, ...] = field("the first 100 row numbers of them", ())
    names: tuple[str, ...] = field("the names of these rows, where they are files of a folder", ())


class SplitRecord(Record):
    """How the examples were split."""

    kind: str = field("`random`, `ordered`, `files` or `cross-fitted`", "random")
    folds: int | None = field("number of folds in a cross-fitted run", None)
    unit: str = field("what a unit is, as in scores.json", "")
    units: dict[str, int] = field("split → number of independent units; for the test the number in scores.json", {})
    version: int = field("version of the split algorithm", 1)


class HubRecord(Record):
    """A text used in many test pairs."""

    text: str = field("the text")
    pairs: int = field("number of test pairs that use it")


class SharedRecord(Record):
    """What the test shares with train and validation."""

    texts: int = field("number of distinct test texts that are also in train or validation", 0)
    groups: int | None = field("number of test groups that are also in train or validation; null without groups", None)


class LearnedRows(Record):
    """Test examples that were learned from in one place; a row may have been in several."""

    seen_in: str = field("`train`, `validation` (which chose the weights) or `earlier runs`")
    count: int = field("number of examples")
    rows: tuple[int, ...] = field("all their row numbers")


class TruncatedRecord(Record):
    """Texts that were cut."""

    texts: int = field("number of texts that were cut", 0)
    max_length: int = field("number of tokens they were cut to", 0)


class UnknownTokensRecord(Record):
    """What the tokenizer of the checkpoint does not know of the texts of a split, as shares from 0 to 1."""

    texts: int = field("number of texts that were looked at, all of a split or a sample of 1,000 examples", 0)
    tokens: float = field("share of the tokens that are unknown, such as `[UNK]`", 0.0)
    characters: float = field("share of the letters, digits and symbols that are lost in such tokens", 0.0)
    single_letters: float = field(
        "share of the letters of spelled scripts other than Latin that are a token each; 0 where there are few", 0.0
    )


class CheckpointRecord(Record):
    """The checkpoint that was adapted."""

    name: str | None = field("its name or folder", None)
    revision: str | None = field("its commit on the Hub", None)
    sha256: str | None = field("hash over weights, settings and tokenizer", None)
    saved_model: bool = field("whether it is a SavedModel of TensorFlow", False)


class CleaningRecord(Record):
    """What cleaning does to the texts."""

    steps: tuple[str, ...] = field("the steps in their order")
    language: str | None = field("the language of the stop words", None)
    texts: int = field("number of texts that were cleaned", 0)
    changed: int = field("number of texts that cleaning changes", 0)
    emptied: int = field("number of texts of which it leaves nothing", 0)
    emptied_rows: tuple[int, ...] = field("the first 100 row numbers of them", ())
    only_train: bool = field("whether only what is learned from is cleaned, as in masked language modelling", False)


class NewWord(Record):
    """A word that is one token of an extended vocabulary."""

    word: str = field("the word")
    pieces: tuple[str, ...] = field("its tokens before")
    count: int = field("how often the training texts hold it")


class VocabularyRecord(Record):
    """What was added to the vocabulary of the checkpoint."""

    asked: int = field("tokens that the recipe asks for")
    texts: int = field("training texts in which words were counted; all but of a very large corpus")
    tokens: int = field("tokens that were added")
    words: int = field("words that are one token with them")
    word_share: float = field("their share of the words of these texts")
    saved_share: float = field("share of the tokens of these texts that they save")
    listed: tuple[NewWord, ...] = field("the first 100 of them, those that save most tokens first")


class BenchmarkRecord(Record):
    """A general set that was fetched from the Hub."""

    name: str = field("the name in the recipe")
    repository: str = field("repository on the Hub")
    revision: str = field("commit of the repository")
    file: str = field("file in the repository")


class DataRecord(Record):
    """The whole of data.json."""

    understood: str = field("how the file was read, in a sentence", "")
    columns: dict[str, str] = field("role, such as `text_1` → column", {})
    files: tuple[FileRecord, ...] = field("the files that were read", ())
    counts: DataCounts = field("how many examples went where", DataCounts())
    benchmarks: tuple[BenchmarkRecord, ...] = field("general sets fetched from the Hub", ())
    set_aside: tuple[RowsSetAside, ...] = field("rows that were skipped, with a reason each", ())
    duplicates: DuplicatesRecord = field(
        "examples with the texts of an earlier one; all of them are used", DuplicatesRecord()
    )
    split: SplitRecord = field("how the examples were split", SplitRecord())
    hubs: tuple[HubRecord, ...] = field("texts used in more than 5 test pairs", ())
    recurring_text_2: int = field("number of second texts that occur in several test units", 0)
    shared_with_training: SharedRecord | None = field(
        "what the test shares with train and validation; null in a cross-fitted run", None
    )
    truncated: TruncatedRecord = field("texts that are longer than the model reads", TruncatedRecord())
    unknown_tokens: dict[str, UnknownTokensRecord] = field(
        "`train`, `validation`, `test` or `general` → what the tokenizer does not know of its texts", {}
    )
    max_length: int = field("number of tokens that the model reads of a text", 0)
    left_out_of_test: tuple[LearnedRows, ...] = field(
        "test examples that are left out of the verdict because their texts were learned from", ()
    )
    seen_in_training: int = field("as in scores.json", 0)
    seen_in_training_rows: tuple[int, ...] = field("the first 100 row numbers of them", ())
    texts_seen_in_training: int = field(
        "number of other test examples of which an earlier run learned a text, in a pair with another text or with its "
        "words in another order",
        0,
    )
    validation_in_training: int = field(
        "number of validation examples whose texts are in train too, so that they choose nothing", 0
    )
    validation_in_training_rows: tuple[int, ...] = field("the first 100 row numbers of them", ())
    notes: tuple[str, ...] = field("remarks on the data, such as labels that differ only in case", ())
    test_hash: str = field("as `hash` of `test_set` in scores.json", "")
    checkpoint: CheckpointRecord = field("the checkpoint that was adapted", CheckpointRecord())

    left_out_count: int = field(
        "number of test examples that `counts` is without; 0 where all are measured because hardly any is left", 0
    )

    @property
    def contaminated(self) -> int:
        """How many of the test examples that were measured were learned from."""
        return 0 if self.left_out_count else self.seen_in_training

    cleaning: CleaningRecord | None = field("what cleaning does to the texts; null without cleaning", None)
    vocabulary: VocabularyRecord | None = field("the new tokens of `--extend-vocabulary`; null without", None)
    audit: AuditRecord | None = field("what was found in the data before training; null with `--no-audit`", None)
