"""scores.json as frozen models: written once by a run, read once by the report, the model card and the terminal.

docs/scores.md is made from the descriptions of these fields. A field that a run did not set is not written, so that a
file holds what was measured and nothing else; a field that a file lacks has its default.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

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
)

SCORES_VERSION = 1


class Judgement(Record):
    """Two measurements on the same examples, and what may be said about the difference."""

    version: int = Field(default=SCORES_VERSION, description=f"{SCORES_VERSION}")
    task: str = Field(default="", description="`similarity`, `classification` or `mlm`")
    primary_metric: str = Field(default="", description="the metric that decides")
    verdict: Literal["HELPED", "HURT", "NO EVIDENCE", "TOO FEW"] = Field(
        default="TOO FEW", description="`HELPED`, `NO EVIDENCE`, `HURT` or `TOO FEW`"
    )
    sentence: str = Field(default="", description="the verdict with the figures it rests on")
    below_baseline: bool = Field(
        default=False, description="`true` where the adapted model is not shown to beat the cheap baseline"
    )
    before: MetricValues = Field(
        default_factory=dict[str, float | None], description="metric → value before, on the test examples"
    )
    after: MetricValues = Field(default_factory=dict[str, float | None], description="the same after")
    baselines: dict[str, MetricValues] = Field(
        default_factory=dict[str, MetricValues],
        description="name → the same metrics; cross-fitted, each example is predicted from the other folds",
    )
    difference: DecidingDifference = Field(
        default_factory=lambda: DecidingDifference(),
        description="the interval of the deciding metric; with `--seeds` that of the mean over the trainings",
    )
    differences: dict[str, IntervalRecord] = Field(
        default_factory=dict[str, IntervalRecord],
        description="metric → interval, for the other metrics; they describe and decide nothing",
    )
    seeds: SeedsRecord | None = Field(default=None, description="the trainings of `--seeds`")
    baseline_difference: BaselineDifference | None = Field(
        default=None, description="the interval of after minus the best baseline"
    )
    smallest_detectable: float | None = Field(
        default=None, description="the true difference that would be found four times in five"
    )
    units_needed: int | None = Field(default=None, description="for `TOO FEW`, how many units there should be")
    test_examples: int = Field(default=0, description="examples that were tested")
    test_units: int = Field(default=0, description="independent units they make")
    unit: str = Field(
        default="", description='what a unit is: `"group"`, `"text"` (the same text), `"shared text"` or `"text_1"`'
    )

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

    test_set: TestSetRecord = Field(default_factory=lambda: TestSetRecord(), description="the test set in the ledger")
    seen_in_training: int = Field(
        default=0,
        description="test examples that were learned from or chose the weights, in this run or an earlier one; any "
        "blocks `HELPED`",
    )
    cross_fit: int | None = Field(default=None, description="folds of a cross-fitted run")
    general: GeneralRecord | None = Field(default=None, description="general ability")
    heat_map: HeatMapRecord | None = Field(default=None, description="similarity: titles compared with each other")
    words: WordsRecord | None = Field(default=None, description="whole words (`--pll`)")
    head: ClassifierHeadRecord | MaskedHeadRecord | None = Field(
        default=None, description="how a new head was fitted before it was compared"
    )
    calibration: CalibrationRecord | None = Field(default=None, description="temperature and abstaining")
    merging: MergingRecord | None = Field(default=None, description="the merge weights of `--keep-general`")
    search: SearchRecord | None = Field(default=None, description="the trials of `--search`")
    learning_curve: LearningCurveRecord | None = Field(default=None, description="shares of the training data")
    training: TrainingRecord = Field(default_factory=lambda: TrainingRecord(), description="how the model was trained")
    classes: tuple[str, ...] = Field(default=(), description="classification: the classes in their order")
    confusion: ConfusionRecord | None = Field(
        default=None, description="classification: which class was taken for which"
    )
    per_class: PerClassRecord | None = Field(default=None, description="classification: every class by itself")
    reliability: ReliabilityRecord | None = Field(default=None, description="classification: confidence and accuracy")
    mcnemar: McNemarRecord | None = Field(default=None, description="classification: McNemar's test")
    blanks: tuple[BlankRecord, ...] = Field(default=(), description="mlm: test sentences with one word hidden")
    improved_words: ImprovedWords | None = Field(default=None, description="mlm: words whose prediction changed most")

    @property
    def several_labels(self) -> bool:
        """Whether an example may have several labels: only there an exact match is measured."""
        return "exact_match" in self.after


class Comparison(Judgement):
    """What ``homeground compare`` prints with ``--json``."""

    first: str = Field(default="", description="the run or checkpoint that is before")
    second: str = Field(default="", description="the one that is after")
    data: str = Field(default="", description="the file of examples")
    understood: str = Field(default="", description="how the file was read")
    set_aside: dict[str, int] = Field(default_factory=dict[str, int], description="reason → rows")
    seen_in_training: dict[str, int] = Field(
        default_factory=dict[str, int], description="examples that each side (`first`, `second`) learned from"
    )
    test_set: TestSetRecord = Field(default_factory=lambda: TestSetRecord(), description="the test set in the ledger")


class ScoreInterval(IntervalRecord):
    """A score of one model with its own interval."""

    metric: str = Field(default="", description="the metric")


class EvaluationRecord(Record):
    """What ``homeground evaluate`` prints with ``--json``."""

    version: int = Field(default=SCORES_VERSION, description=f"{SCORES_VERSION}")
    checkpoint: str = Field(default="", description="the run or checkpoint")
    data: str = Field(default="", description="the file of examples")
    understood: str = Field(default="", description="how the file was read")
    primary_metric: str = Field(default="", description="the metric that decides")
    scores: MetricValues = Field(default_factory=dict[str, float | None], description="metric → value")
    interval: ScoreInterval = Field(default_factory=lambda: ScoreInterval(), description="of the deciding score")
    test_examples: int = Field(default=0, description="examples")
    test_units: int = Field(default=0, description="independent units they make")
    unit: str = Field(default="", description="what a unit is, as in scores.json")
    seen_in_training: int = Field(default=0, description="examples that the run learned from")
    set_aside: dict[str, int] = Field(default_factory=dict[str, int], description="reason → rows")


class MethodStanding(Record):
    """A cheap baseline, and where it stands against the best checkpoint."""

    name: str = Field(default="", description="its name")
    scores: MetricValues = Field(default_factory=dict[str, float | None], description="metric → value")
    interval: IntervalRecord = Field(default_factory=lambda: IntervalRecord(), description="of the deciding score")
    difference: IntervalRecord | None = Field(default=None, description="this one minus the best")
    standing: str = Field(
        default="", description="`BEST`, `NOT TOLD APART`, `WORSE`, `BETTER` (only of a baseline), `TOO FEW` or `SEEN`"
    )


class CheckpointStanding(MethodStanding):
    """A checkpoint before any training, and where it stands against the best."""

    sha256: str = Field(default="", description="hash over weights, settings and tokenizer")
    parameters: int = Field(default=0, description="numbers in its weights, heads included")
    dimensions: int = Field(default=0, description="dimensions of its vectors")
    max_length: int = Field(default=0, description="tokens it reads")
    pooling: str | None = Field(
        default=None,
        description="`mean` of the tokens' vectors, or what the architecture's own `head` reads; null for pairs",
    )
    truncated: int = Field(default=0, description="texts that were cut")
    seen_in_training: int = Field(default=0, description="examples that a run trained it on")
    seconds: float = Field(default=0.0, description="seconds it took")


class CheckpointComparison(Record):
    """What ``homeground compare --checkpoints`` prints with ``--json``."""

    version: int = Field(default=SCORES_VERSION, description=f"{SCORES_VERSION}")
    task: str = Field(default="", description="the task")
    data: str = Field(default="", description="the file of examples")
    understood: str = Field(default="", description="how the file was read")
    primary_metric: str = Field(default="", description="the metric that decides")
    best: str = Field(default="", description="the best checkpoint that learned from none of the examples")
    sentence: str = Field(default="", description="what can be said of the others")
    checkpoints: tuple[CheckpointStanding, ...] = Field(default=(), description="the best first")
    baselines: tuple[MethodStanding, ...] = Field(default=(), description="the cheap baselines")
    examples: int = Field(default=0, description="examples that were scored")
    units: int = Field(default=0, description="independent units they make")
    unit: str = Field(default="", description="what a unit is")
    folds: int | None = Field(default=None, description="folds where labelled texts were cross-fitted")
    test_examples_unasked: int = Field(
        default=0, description="examples of the test split that `adapt` would keep, none of which was looked at"
    )
    set_aside: tuple[RowsSetAside, ...] = Field(default=(), description="as in data.json")
    notes: tuple[str, ...] = Field(default=(), description="what to know about the comparison")
