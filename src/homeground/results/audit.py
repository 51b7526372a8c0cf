"""The audit of data as frozen models: what was found in the texts and labels before anything is trained."""

from __future__ import annotations

from typing import Literal

from homeground.results.parts import Record, RowsSetAside, field

Severity = Literal["problem", "warning", "note"]


class FindingRecord(Record):
    """One thing that the user should know of the data, with what to do about it."""

    kind: str = field("which check found it, such as `near-duplicates` or `shortcut`")
    severity: Severity = field("`problem` (a verdict would be wrong), `warning` or `note`")
    sentence: str = field("what was found, with its numbers")
    advice: str = field("what to do; empty where nothing needs to be done", "")


class LengthsRecord(Record):
    """How long the texts are in one unit."""

    unit: Literal["characters", "tokens"] = field("`characters` or `tokens`")
    texts: int = field("number of texts that were measured: all, or a sample")
    median: float = field("median")
    p95: float = field("length that 95% of the texts do not exceed")
    longest: int = field("longest text")
    bins: tuple[float, ...] = field("edges of the bars of the histogram", ())
    counts: tuple[int, ...] = field("number of texts in each bar", ())
    limit: int | None = field("number of tokens that the model reads of a text", None)
    beyond_limit: int = field("number of texts that are longer than the limit", 0)
    lost_share: float = field("share of all tokens that lie beyond the limit", 0.0)


class LanguageShare(Record):
    """A language or a script with its share."""

    name: str = field("code of a language (ISO 639), `short` for texts too short to tell, or the name of a script")
    share: float = field("share of the texts that are looked at (languages) or of all letters (scripts)")


class BrokenWord(Record):
    """A word that the tokenizer breaks into pieces."""

    word: str = field("the word")
    pieces: tuple[str, ...] = field("its tokens")
    count: int = field("number of times it occurs in the texts that were looked at")


class WordPieces(Record):
    """How the tokenizer of the checkpoint reads the words of the texts."""

    texts: int = field("number of texts that were looked at")
    words: int = field("number of words in them")
    pieces_per_word: float = field("mean number of tokens a word")
    broken_share: float = field("share of the words that are broken into 3 tokens or more")
    unknown_share: float = field("share of the words with a token that stands for what the vocabulary lacks")
    broken: tuple[BrokenWord, ...] = field("the words that would save most tokens as one token, most first", ())


class TextPair(Record):
    """Two texts that are nearly the same."""

    rows: tuple[int, int] = field("their row numbers, in the files of their splits")
    splits: tuple[str, str] = field("their splits")
    texts: tuple[str, str] = field("the texts, cut to 300 characters")
    similarity: float = field("Jaccard similarity of their runs of characters, 0 to 1")
    labels: tuple[str, str] | None = field("their labels, where they have any", None)


class NearDuplicatesRecord(Record):
    """Texts that share most of their runs of characters; texts that are equal count as duplicates instead."""

    texts: int = field("number of different texts that have a near-duplicate (similarity at least 0.4)")
    almost_equal: int = field("number of those with one of similarity 0.7 or more")
    clusters: int = field("number of clusters that near-duplicates form")
    not_compared: int = field("number of candidate pairs that were not compared, because there were too many", 0)
    test_in_training: int = field(
        "number of test texts with a near-duplicate of similarity 0.7 or more in train or validation", 0
    )
    other_label: int = field("number of pairs of similarity 0.7 or more whose labels differ", 0)
    pairs: tuple[TextPair, ...] = field("pairs, those that cross splits or differ in their label first", ())


class ConflictRecord(Record):
    """One text with different labels or scores."""

    text: str = field("the text, cut to 300 characters")
    rows: tuple[int, ...] = field("the row numbers, in the files of their splits")
    splits: tuple[str, ...] = field("the split of each of these rows", ())
    labels: tuple[str, ...] = field("the label or score of each of these rows")


class ClassSize(Record):
    """One class and its size."""

    label: str = field("the label")
    count: int = field("number of examples")


class ProbeRecord(Record):
    """How well something that should not suffice predicts the label or score, cross-validated."""

    name: str = field("what is looked at: `length`, `punctuation`, `first words`, `single words`, or a column")
    score: float = field("accuracy of the labels, or correlation with the scores")
    chance: float = field("accuracy of the most frequent label; 0 for a correlation")
    share: float = field("share of the errors of the most frequent label that it avoids; for scores the correlation")
    column: bool = field("whether it is a column of the file", False)
    shortcut: bool = field("whether it predicts so well that a model may learn it instead of the content")
    evidence: tuple[str, ...] = field("words or values that give the label away, with their numbers", ())


class SuspectRecord(Record):
    """An example whose label a cheap model finds unlikely."""

    row: int = field("its row number")
    split: str = field("its split")
    text: str = field("the text, cut to 300 characters")
    label: str = field("the label it has")
    suggested: str = field("the label that the cheap model finds likeliest")
    confidence: float = field("probability that the cheap model gives the label it has")


class GroupRecord(Record):
    """How a naive Bayes classifier on words fares on new groups of a column, or on later rows."""

    column: str = field("the column, or `near-duplicates`")
    kind: Literal["group", "time"] = field("`group`: whole groups held out; `time`: the latest fifth held out")
    groups: int = field("number of groups; for time the number of different values")
    accuracy: float = field("accuracy on new groups, or on the latest rows")
    random: float = field("accuracy on the same rows where rows are held out at random")
    clear: bool = field("whether the difference is more than two standard errors above 0", False)


class CheapModelRecord(Record):
    """A linear model on words, cross-validated: what adapting has to beat."""

    method: str = field("`logistic regression`, or `naive Bayes` where there are many classes")
    examples: int = field("number of examples, all or a sample")
    accuracy: float = field("accuracy, each example predicted from the other folds")
    majority: float = field("accuracy of the most frequent label")
    gain_of_twice: float = field("accuracy that a naive Bayes classifier gains from twice as many examples")
    gain_is_clear: bool = field("whether that is more than two standard errors above 0", False)


class AuditRecord(Record):
    """What was found in the data before anything is trained."""

    texts: int = field("number of texts that were audited")
    findings: tuple[FindingRecord, ...] = field("what the user should know, the gravest first", ())
    advice: tuple[str, ...] = field("what to do with this data, a sentence each", ())
    lengths: tuple[LengthsRecord, ...] = field("how long the texts are, in characters and in tokens", ())
    scripts: tuple[LanguageShare, ...] = field("scripts, by their share of all letters", ())
    languages: tuple[LanguageShare, ...] = field("languages of a sample of 2,000 texts", ())
    words: WordPieces | None = field("how the tokenizer reads the words; null without a checkpoint", None)
    near_duplicates: NearDuplicatesRecord | None = field("texts that are nearly the same", None)
    repeated: int = field("number of examples that repeat the text of an earlier one", 0)
    test_in_training: int = field("number of test texts that are in train or validation too, word for word", 0)
    conflicts: tuple[ConflictRecord, ...] = field("texts with different labels or scores, at most 20", ())
    conflicting_rows: int = field("number of rows of all texts with different labels or scores", 0)
    classes: tuple[ClassSize, ...] = field("classes by size, the largest first", ())
    cheap_model: CheapModelRecord | None = field("a linear model on words; null where there are no classes", None)
    probes: tuple[ProbeRecord, ...] = field("what predicts the label or score though it should not suffice", ())
    suspects: tuple[SuspectRecord, ...] = field("examples whose label may be wrong, the likeliest first", ())
    not_checked: str = field("why labels and shortcuts were not checked; empty where they were, or there are none", "")
    groups: tuple[GroupRecord, ...] = field("columns that put rows into groups or in order", ())
    detectable: float | None = field(
        "smallest difference in the deciding metric that the test could show with 80% power, if the models differ on a "
        "tenth of the texts; null where nothing can be said",
        None,
    )

    @property
    def fatal(self) -> tuple[FindingRecord, ...]:
        """The findings that ``--strict`` makes fatal: problems and warnings."""
        return tuple(each for each in self.findings if each.severity != "note")


class ProposalRecord(Record):
    """A checkpoint that suits the language and the task."""

    name: str = field("its name on the Hub")
    millions: float = field("parameters in millions")
    languages: tuple[str, ...] = field("the languages it was pretrained on")
    why: str = field("what it is good for")
    weights: str = field("`safetensors`, or `pickle`, which `homeground convert` reads first")


class InspectionRecord(Record):
    """What `homeground inspect --json` prints."""

    data: str = field("the data as it was named")
    task: str = field("the task that follows from the columns")
    understood: str = field("how the file was read, in a sentence")
    columns: dict[str, str] = field("role, such as `text` → column")
    splits: dict[str, int] = field("split → number of examples; `data` where the data is not split")
    test_units: int = field("number of independent test units", 0)
    set_aside: tuple[RowsSetAside, ...] = field("rows that were skipped, with a reason each", ())
    notes: tuple[str, ...] = field("remarks on how the file was read", ())
    checkpoint: str | None = field("the checkpoint whose tokenizer read the texts; null without one", None)
    minutes: float | None = field("estimated minutes of `homeground adapt` here; null without a checkpoint", None)
    audit: AuditRecord = field("what was found")
    proposals: tuple[ProposalRecord, ...] = field("checkpoints that suit the language and the task", ())
