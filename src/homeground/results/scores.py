"""scores.json as frozen models: written once by a run, read once by the report, the model card and the terminal.

docs/scores.md is made from the descriptions of these fields. A field that a run did not set is not written, so that a
file holds what was measured and nothing else; a field that a file lacks has its default.
"""

from __future__ import annotations

from typing import Literal

from homeground.results.parts import (
    BaselineDifference,
    BlankRecord,
    CalibrationRecord,
    ClassifierHeadRecord,
    ConfusionRecord,
    DecidingDifference,
    GeneralRecord,
    HeatMapRecord,
    ImprovedWords,
    IntervalRecord,
    LearningCurveRecord,
    MaskedHeadRecord,
    McNemarRecord,
    MergingRecord,
    MetricValues,
    PerClassRecord,
    Record,
    ReliabilityRecord,
    RowsSetAside,
    SearchRecord,
    SeedsRecord,
    SeedTraining,
    TestSetRecord,
    TrainingRecord,
    WordsRecord,
    field,
)

SCORES_VERSION = 1


class Judgement(Record):
    """Two measurements on the same examples, and what may be said about the difference."""

    version: int = field(f"{SCORES_VERSION}", SCORES_VERSION)
    task: str = field("`similarity`, `classification` or `mlm`", "")
    primary_metric: str = field(
        "the metric that decides: `pearson`, or `mrr` for pairs without scores; `accuracy`, or "
        "`macro_f1` where a text may have several labels; `masked_loss` of plain texts; or what "
        "`--primary-metric` named",
        "",
    )
    verdict: Literal["HELPED", "HURT", "NO EVIDENCE", "TOO FEW"] = field(
        "`HELPED`, `NO EVIDENCE`, `HURT` or `TOO FEW`", "TOO FEW"
    )
    sentence: str = field("the verdict with the figures it rests on", "")
    below_baseline: bool = field("`true` where the adapted model is not shown to beat the cheap baseline", False)
    before: MetricValues = field("metric → value before, on the test examples", {})
    after: MetricValues = field("the same after", {})
    baselines: dict[str, MetricValues] = field(
        "name → the same metrics; for cross-fitted runs each example is predicted from the other folds", {}
    )
    difference: DecidingDifference = field(
        "the interval of the deciding metric; with `--seeds` that of the mean over the trainings, "
        "which covers test items and trainings",
        DecidingDifference(),
    )
    differences: dict[str, IntervalRecord] = field(
        "metric → interval, for the other metrics; they describe and decide nothing", {}
    )
    seeds: SeedsRecord | None = field("the trainings of `--seeds`, or null", None)
    baseline_difference: BaselineDifference | None = field(
        "the interval of after minus the best baseline, with `--seeds` over the trainings, too; or null", None
    )
    smallest_detectable: float | None = field("the true difference that would be found four times in five", None)
    units_needed: int | None = field("for `TOO FEW`, how many units there should be; else null", None)
    test_examples: int = field("examples that were tested", 0)
    test_units: int = field("independent units they make", 0)
    unit: str = field('what a unit is: `"group"`, `"text"` (the same text), `"shared text"` or `"text_1"`', "")

    @property
    def trainings(self) -> tuple[SeedTraining, ...]:
        """The trainings of ``--seeds``; none where there was one training."""
        return self.seeds.trainings if self.seeds else ()

    @property
    def saved_difference(self) -> IntervalRecord:
        """The difference of the model that is kept; after several trainings ``difference`` is about the recipe."""
        return self.seeds.saved_model if self.seeds else self.difference


class Scores(Judgement):
    """scores.json of a run."""

    test_set: TestSetRecord = field("the test set in the ledger", TestSetRecord())
    seen_in_training: int = field(
        "test examples that were learned from or chose the weights, in this run or an earlier one; any blocks `HELPED`",
        0,
    )
    cross_fit: int | None = field("folds of a cross-fitted run, else null", None)
    general: GeneralRecord | None = field("general ability, or null", None)
    heat_map: HeatMapRecord | None = field("similarity: titles compared with each other, or null", None)
    words: WordsRecord | None = field("whole words, with `--pll`", None)
    head: ClassifierHeadRecord | MaskedHeadRecord | None = field(
        "how a new head was fitted before it was compared; for cross-fitted runs the head of the "
        "model that is kept; else null",
        None,
    )
    calibration: CalibrationRecord | None = field(
        "the temperature, and when the model abstains; null without labels and with `--no-calibrate` alone", None
    )
    merging: MergingRecord | None = field("the merge weights of `--keep-general`, or null", None)
    search: SearchRecord | None = field("the trials of `--search`, or null", None)
    learning_curve: LearningCurveRecord | None = field("the scores of shares of the training data, or null", None)
    training: TrainingRecord = field("how the model was trained", TrainingRecord())
    classes: tuple[str, ...] = field("classification: the classes in their order", ())
    confusion: ConfusionRecord | None = field(
        "classification: which class was taken for which; null where a text may have several labels", None
    )
    per_class: PerClassRecord | None = field("classification: every class by itself", None)
    reliability: ReliabilityRecord | None = field("classification: confidence and accuracy", None)
    mcnemar: McNemarRecord | None = field("classification: McNemar's test; shown, not decisive", None)
    blanks: tuple[BlankRecord, ...] = field(
        "mlm: test sentences with one word hidden, those whose prediction changed most, by the model that is kept", ()
    )
    improved_words: ImprovedWords | None = field(
        "mlm: words whose prediction changed most, by the model that is kept", None
    )

    @property
    def several_labels(self) -> bool:
        """Whether an example may have several labels: only there an exact match is measured."""
        return "exact_match" in self.after


class Comparison(Judgement):
    """What ``homeground compare`` prints with ``--json``."""

    first: str = field("the run or checkpoint that is before", "")
    second: str = field("the one that is after", "")
    data: str = field("the file of examples", "")
    understood: str = field("how the file was read", "")
    set_aside: dict[str, int] = field("reason → rows", {})
    seen_in_training: dict[str, int] = field("examples that each side (`first`, `second`) learned from", {})
    test_set: TestSetRecord = field("the test set in the ledger", TestSetRecord())


class ScoreInterval(IntervalRecord):
    """A score of one model, as ``value``, with its own interval."""

    metric: str = field("the metric", "")


class EvaluationRecord(Record):
    """What ``homeground evaluate`` prints with ``--json``."""

    version: int = field(f"{SCORES_VERSION}", SCORES_VERSION)
    checkpoint: str = field("the run or checkpoint", "")
    data: str = field("the file of examples", "")
    understood: str = field("how the file was read", "")
    primary_metric: str = field("the metric that decides", "")
    scores: MetricValues = field("metric → value", {})
    interval: ScoreInterval = field("of the deciding score", ScoreInterval())
    test_examples: int = field("examples", 0)
    test_units: int = field("independent units they make", 0)
    unit: str = field("what a unit is, as in scores.json", "")
    seen_in_training: int = field("examples that the run learned from", 0)
    set_aside: dict[str, int] = field("reason → rows", {})


class MethodStanding(Record):
    """A cheap baseline, and where it stands against the best checkpoint."""

    name: str = field("its name", "")
    scores: MetricValues = field("metric → value", {})
    interval: IntervalRecord = field("of the deciding score", IntervalRecord())
    difference: IntervalRecord | None = field(
        "the interval of this one minus the best; null for the best, and where `standing` is `SEEN`", None
    )
    standing: str = field(
        "`BEST`, `NOT TOLD APART`, `WORSE`, `BETTER` (only of a baseline), `TOO FEW`, or `SEEN`: it "
        "learned from some of the examples, so its score says nothing here, it cannot be the best and"
        " nothing is compared with it",
        "",
    )


class CheckpointStanding(MethodStanding):
    """A checkpoint before any training, and where it stands against the best."""

    sha256: str = field("hash over weights, settings and tokenizer", "")
    parameters: int = field("numbers in its weights, heads included", 0)
    dimensions: int = field("dimensions of its vectors", 0)
    max_length: int = field("tokens it reads", 0)
    pooling: str | None = field(
        "`mean` of the tokens' vectors, or what the architecture's own `head` reads, whichever was "
        "chosen in more folds; null for pairs",
        None,
    )
    truncated: int = field("texts that were cut", 0)
    seen_in_training: int = field("examples that a run trained it on", 0)
    seconds: float = field("seconds it took", 0.0)


class CheckpointComparison(Record):
    """What ``homeground compare --checkpoints`` prints with ``--json``."""

    version: int = field(f"{SCORES_VERSION}", SCORES_VERSION)
    task: str = field("the task", "")
    data: str = field("the file of examples", "")
    understood: str = field("how the file was read", "")
    primary_metric: str = field("the metric that decides", "")
    best: str = field(
        "the checkpoint with the best score of those that learned from none of the examples; where "
        "every one has, the command refuses",
        "",
    )
    sentence: str = field("what can be said of the others", "")
    checkpoints: tuple[CheckpointStanding, ...] = field(
        "one each, the best first, those that learned from the examples last", ()
    )
    baselines: tuple[MethodStanding, ...] = field("the cheap baselines", ())
    examples: int = field("examples that were scored", 0)
    units: int = field("independent units they make", 0)
    unit: str = field("what a unit is", "")
    folds: int | None = field("the number of folds where labelled texts were cross-fitted; else null", None)
    test_examples_unasked: int = field(
        "examples of the test split that `adapt` would keep, none of which was looked at; 0 where "
        "`adapt` would cross-fit everything",
        0,
    )
    set_aside: tuple[RowsSetAside, ...] = field("as in data.json", ())
    notes: tuple[str, ...] = field("what to know about the comparison", ())
