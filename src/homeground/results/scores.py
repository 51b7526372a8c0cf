"""scores.json as frozen models: written once by a run, read once by the report, the model card and the terminal.

docs/scores.md is made from the descriptions of these fields. A field that a run did not set is not written, so that a
file holds what was measured and nothing else; a field that a file lacks has its default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from pydantic import model_validator

from homeground.results.confidence import CalibrationRecord, ReliabilityRecord
from homeground.results.entities import EntitiesRecord
from homeground.results.parts import (
    BaselineDifference,
    BlankRecord,
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


class LeftOutRecord(Record):
    """Test examples that are left out of the verdict because a model learned from their texts.

    The figures are those of all test examples, these included. They describe, and decide nothing.
    """

    examples: int = field("number of examples that are left out", 0)
    of: int = field("number of test examples with them", 0)
    seen: dict[str, int] = field(
        "where they were learned → number of examples: `train`, `validation`, `earlier runs`; of `compare` and "
        "`evaluate` the names of the models",
        {},
    )
    sentence: str = field("how many are left out, and why", "")
    before: MetricValues = field("metric → value before, on all test examples", {})
    after: MetricValues = field("metric → value after, on all test examples", {})
    difference: IntervalRecord = field(
        "the deciding metric, after minus before, on all test examples", IntervalRecord()
    )


class Judgement(Record):
    """Two measurements on the same examples, and the verdict on their difference."""

    version: int = field(f"{SCORES_VERSION}", SCORES_VERSION)
    task: str = field("`similarity`, `classification` or `mlm`", "")
    primary_metric: str = field(
        "the metric that decides: `pearson`, or `mrr` for pairs without scores; `accuracy`, or "
        "`macro_f1` where a text may have several labels; `masked_loss` for plain texts; or the one "
        "that `--primary-metric` names",
        "",
    )
    verdict: Literal["HELPED", "HURT", "NO EVIDENCE", "TOO FEW"] = field(
        "`HELPED`, `NO EVIDENCE`, `HURT` or `TOO FEW`", "TOO FEW"
    )
    scope: str = field("what `HELPED` and `HURT` are about, where the test says nothing of the use; else empty", "")
    sentence: str = field("the verdict in sentences, with its figures", "")
    reason: str = field("why the interval alone does not decide, or why there is none; else empty", "")
    sides: tuple[str, str] = field("what the sentences call the two measurements", ("before", "after"))
    before: MetricValues = field("metric → value before, on the test examples", {})
    after: MetricValues = field("metric → value after, on the same examples", {})
    baselines: dict[str, MetricValues] = field(
        "name → the metrics of the baseline; in a cross-fitted run each example is predicted from the other folds", {}
    )
    difference: DecidingDifference = field(
        "the deciding metric, after minus before; with `--seeds` the mean over the trainings, with an "
        "interval over test items and trainings",
        DecidingDifference(),
    )
    differences: dict[str, IntervalRecord] = field(
        "metric → interval of the other metrics, which describe and do not decide", {}
    )
    seeds: SeedsRecord | None = field("the trainings of `--seeds`, or null", None)
    baseline_difference: BaselineDifference | None = field(
        "after minus the best baseline, with `--seeds` over the trainings, too; above 0 the model beats it, below 0 it "
        "is below it, else it is not shown to beat it; or null",
        None,
    )
    smallest_detectable: float | None = field(
        "the true difference that this test would detect with a probability of at least 0.8", None
    )
    units_needed: int | None = field("for `TOO FEW` the number of units that is needed; else null", None)
    test_examples: int = field("number of test examples", 0)
    test_units: int = field("number of independent units they form", 0)
    left_out: LeftOutRecord | None = field(
        "the test examples that are left out because a model learned from them, and the scores with them; null where "
        "there are none. All other figures are without them, except where fewer than 2 are left: then all are "
        "measured, and the verdict is `TOO FEW`",
        None,
    )
    unit: str = field('what a unit is: `"group"`, `"text"` (the same text), `"shared text"` or `"text_1"`', "")
    example: str = field("what a test example is called, in the singular", "test example")
    use: str = field("what a model that helped can be used for; empty where that goes without saying", "")
    cross_fit: int | None = field("folds of a cross-fitted run, else null", None)
    test_set: TestSetRecord = field("the test set in the ledger", TestSetRecord())

    @model_validator(mode="before")
    @classmethod
    def without_intervals_of_too_few(cls, values: Any) -> Any:
        """Take the ends of intervals out of a verdict of TOO FEW, which earlier versions wrote all the same."""
        if not isinstance(values, Mapping) or values.get("verdict") != "TOO FEW":
            return values
        given = dict(cast(Mapping[str, Any], values))
        for name in ("difference", "baseline_difference"):
            if isinstance(given.get(name), Mapping):
                given[name] = {**given[name], "low": None, "high": None}
        if isinstance(given.get("differences"), Mapping):
            given["differences"] = {
                name: {**each, "low": None, "high": None} if isinstance(each, Mapping) else each
                for name, each in given["differences"].items()
            }
        return {**given, "smallest_detectable": None} if "smallest_detectable" in given else given

    @property
    def baseline_standing(self) -> Literal["BEATS", "BELOW", "NOT SHOWN"] | None:
        """How after stands against the best baseline; None without one, and where the verdict is TOO FEW."""
        against = self.baseline_difference
        if against is None or self.verdict == "TOO FEW":
            return None
        if against.low is not None and against.low > 0:
            return "BEATS"
        return "BELOW" if against.high is not None and against.high < 0 else "NOT SHOWN"

    @property
    def trainings(self) -> tuple[SeedTraining, ...]:
        """The trainings of ``--seeds``; none where there was one training."""
        return self.seeds.trainings if self.seeds else ()

    @property
    def saved_difference(self) -> IntervalRecord:
        """The difference of the model that is kept; after several trainings ``difference`` is about the recipe."""
        return self.seeds.saved_model if self.seeds else self.difference


class Scores(Judgement):
    """The whole of scores.json."""

    seen_in_training: int = field(
        "number of test examples that this or an earlier run learned from or chose weights by; they are left out, or, "
        "with `--keep-contaminated`, block `HELPED`",
        0,
    )
    general: GeneralRecord | None = field("general ability, or null", None)
    heat_map: HeatMapRecord | None = field("similarity: titles compared with each other, or null", None)
    words: WordsRecord | None = field("whole words, with `--pll`", None)
    head: ClassifierHeadRecord | MaskedHeadRecord | None = field(
        "how a new head was fitted before the comparison; in a cross-fitted run the head of the model "
        "that is kept; null where the checkpoint has its head",
        None,
    )
    calibration: CalibrationRecord | None = field(
        "the temperature, and when the model abstains; null without labels, and with `--no-calibrate` "
        "unless it abstains",
        None,
    )
    merging: MergingRecord | None = field("the merge weights of `--keep-general`, or null", None)
    search: SearchRecord | None = field("the trials of `--search`, or null", None)
    learning_curve: LearningCurveRecord | None = field("the scores on shares of the training data, or null", None)
    training: TrainingRecord = field("how the model was trained", TrainingRecord())
    classes: tuple[str, ...] = field("classification: the classes in order; token classification: the types", ())
    confusion: ConfusionRecord | None = field(
        "classification: true classes and predicted classes; null where a text may have several labels, and with more "
        "than 1,000 classes",
        None,
    )
    per_class: PerClassRecord | None = field(
        "classification: precision, recall and F1 of every class; token classification: of every type", None
    )
    reliability: ReliabilityRecord | None = field("classification: confidence and accuracy", None)
    mcnemar: McNemarRecord | None = field(
        "classification: McNemar's exact test, which is shown and decides nothing", None
    )
    blanks: tuple[BlankRecord, ...] = field(
        "mlm: test sentences with one word hidden, those whose prediction changed most", ()
    )
    improved_words: ImprovedWords | None = field("mlm: the words whose prediction changed most", None)
    entities: EntitiesRecord | None = field("token classification: errors, and texts with their entities", None)

    @property
    def contaminated(self) -> int:
        """How many of the test examples that were measured were learned from."""
        return 0 if self.left_out and self.test_examples else self.seen_in_training

    @property
    def several_labels(self) -> bool:
        """Whether an example may have several labels: only there an exact match is measured."""
        return "exact_match" in self.after


class Comparison(Judgement):
    """What ``homeground compare`` prints with ``--json``."""

    first: str = field("the run or checkpoint that is taken as before", "")
    second: str = field("the run or checkpoint that is taken as after", "")
    data: str = field("the file of examples", "")
    understood: str = field("how the file was read", "")
    set_aside: dict[str, int] = field("reason → number of rows that were skipped", {})
    seen_in_training: dict[str, int] = field(
        "`first` and `second` → number of examples that it learned from, those that are left out included", {}
    )
    notes: tuple[str, ...] = field("what the texts hold that a tokenizer does not know, and what was left out", ())


class ScoreInterval(IntervalRecord):
    """A score of one model, as ``value``, with its own interval."""

    metric: str = field("the deciding metric", "")


class EvaluationRecord(Record):
    """What ``homeground evaluate`` prints with ``--json``."""

    version: int = field(f"{SCORES_VERSION}", SCORES_VERSION)
    checkpoint: str = field("the run or checkpoint", "")
    data: str = field("the file of examples", "")
    understood: str = field("how the file was read", "")
    primary_metric: str = field("the metric that decides", "")
    scores: MetricValues = field("metric → value", {})
    interval: ScoreInterval = field(
        "the score of the deciding metric, as `value`, with its own interval", ScoreInterval()
    )
    test_examples: int = field("number of examples", 0)
    test_units: int = field("number of independent units they form", 0)
    unit: str = field("what a unit is, as in scores.json", "")
    left_out: LeftOutRecord | None = field(
        "the examples that are left out because the run learned from them, and the scores with them, as `after`; null "
        "where there are none",
        None,
    )
    seen_in_training: int = field("number of examples that the run learned from, those that are left out included", 0)
    set_aside: dict[str, int] = field("reason → number of rows that were skipped", {})
    notes: tuple[str, ...] = field("what the texts hold that the tokenizer does not know", ())


class MethodStanding(Record):
    """A baseline, and how it compares with the best checkpoint."""

    name: str = field("name of the baseline or checkpoint", "")
    scores: MetricValues = field("metric → value", {})
    interval: IntervalRecord = field(
        "the score of the deciding metric, as `value`, with its own interval", IntervalRecord()
    )
    difference: IntervalRecord | None = field(
        "its score minus that of the best; null for the best, and where `standing` is `SEEN`", None
    )
    standing: str = field(
        "`BEST`, `NO CLEAR DIFFERENCE` (no evidence of a difference from the best), `WORSE`, `BETTER` (baselines "
        "only), `TOO FEW`, or `SEEN`: it learned from some of the examples, so it is left out of the "
        "comparison and cannot be the best",
        "",
    )


class CheckpointStanding(MethodStanding):
    """A checkpoint before any training, and how it compares with the best."""

    sha256: str = field("hash over weights, settings and tokenizer", "")
    parameters: int = field("number of parameters, those of its heads included", 0)
    dimensions: int = field("dimensions of its embeddings", 0)
    max_length: int = field("number of tokens it reads", 0)
    pooling: str | None = field(
        "`mean` of the token vectors, or `head`: the vector that the architecture's own head reads; the one "
        "that was chosen in more folds; null for pairs",
        None,
    )
    truncated: int = field("number of texts that were cut", 0)
    seen_in_training: int = field("number of examples that it learned from in a run", 0)
    seconds: float = field("duration in seconds", 0.0)


class CheckpointComparison(Record):
    """What ``homeground compare --checkpoints`` prints with ``--json``."""

    version: int = field(f"{SCORES_VERSION}", SCORES_VERSION)
    task: str = field("name of the task", "")
    data: str = field("the file of examples", "")
    understood: str = field("how the file was read", "")
    primary_metric: str = field("the metric that decides", "")
    best: str = field(
        "the checkpoint with the best score among those that learned from none of the examples; the "
        "command is refused where there is no such checkpoint",
        "",
    )
    sentence: str = field("how the others compare with the best, in a sentence", "")
    checkpoints: tuple[CheckpointStanding, ...] = field(
        "the checkpoints, the best first and those that learned from the examples last", ()
    )
    baselines: tuple[MethodStanding, ...] = field("the baselines", ())
    examples: int = field("number of examples that were measured", 0)
    units: int = field("number of independent units they form", 0)
    unit: str = field("what a unit is", "")
    folds: int | None = field("number of folds where labelled texts were cross-fitted; else null", None)
    test_examples_unasked: int = field(
        "number of examples in the test split that `adapt` would use; none of them was measured; 0 where "
        "`adapt` would cross-fit all examples",
        0,
    )
    set_aside: tuple[RowsSetAside, ...] = field("rows that were skipped, with a reason each", ())
    notes: tuple[str, ...] = field("remarks on the comparison", ())
