"""The parts of scores.json and of its like, a frozen model each; docs/scores.md is made from their descriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

MetricValues = Mapping[str, float | None]
"""Metric name to value; a value that could not be computed is None."""

Count = Annotated[int, Field(strict=True, ge=0)]


def field(description: str, default: Any = ...) -> Any:
    """Return a field of a record with what docs/scores.md says of it; one without a default must be there."""
    return Field(default, description=description)


class Record(BaseModel):
    """A part of a JSON file of a run."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    def to_json(self) -> dict[str, Any]:
        """Return the fields that were set, as values for JSON."""
        return self.model_dump(mode="json", exclude_unset=True, by_alias=True)


class IntervalRecord(Record):
    """A difference with its interval."""

    value: float | None = field("after minus before, signed so that positive is better for every metric", None)
    low: float | None = field("low end; null where it could not be computed, or a class is too rare for it", None)
    high: float | None = field("high end, null as `low`", None)
    level: float = field("level of the interval", 0.95)
    standard_error: float | None = field("standard error of the difference", None)
    units: int = field("independent units", 0)
    effective_units: float | None = field("how many units of equal size would say as much", None)
    widened_by: float | None = field("the factor that makes up for few units and heavy tails", None)
    draws: int = field("bootstrap draws", 0)
    undefined: int = field("draws in which the metric could not be computed", 0)
    degrees: float | None = field("degrees of freedom of the standard error, few where a few units move it most", None)


class DecidingDifference(IntervalRecord):
    """The interval that the verdict is made from."""

    metric: str = field("the deciding metric", "")
    method: str = field("how the interval was made", "")


class BaselineDifference(IntervalRecord):
    """After minus the best baseline."""

    name: str = field("the best baseline", "")


class SeedTraining(Record):
    """One training of several."""

    seed: int = field("its seed")
    score: float | None = field("its deciding metric on the test", None)
    difference: float | None = field("its difference from before, signed so that positive is better", None)


class SeedsRecord(Record):
    """The trainings of ``--seeds``.

    The verdict, its sentence, ``difference``, ``baseline_difference`` and ``smallest_detectable`` are about the recipe;
    ``after``, ``differences``, ``general`` and all else are about the first training. Cross-fitted, a training is one
    of every fold.
    """

    trainings: tuple[SeedTraining, ...] = field("in their order, the first that of the model that is kept", ())
    mean: float | None = field("mean of their scores", None)
    standard_deviation: float | None = field("standard deviation of their scores", None)
    items_error: float | None = field("standard error of the mean difference from the choice of test items", None)
    seeds_error: float | None = field("standard error of the mean difference from the trainings", None)
    saved_model: IntervalRecord = field("the interval of the first training, over test items only", IntervalRecord())


class GeneralRecord(Record):
    """General ability: the same metric on examples from outside the domain."""

    name: str = field("the file or the set", "")
    metric: str = field("its deciding metric", "")
    before: float | None = field("score before; null where the metric could not be computed", None)
    after: float | None = field("score after, null as `before`", None)
    difference: IntervalRecord = field("the interval of after minus before", IntervalRecord())
    verdict: str = field("`KEPT`, `FORGOT`, `UNDECIDED` or `TOO FEW`", "")
    sentence: str = field("the verdict with the figures it rests on", "")
    seen_in_training: int = field("its examples that were learned from; any makes `KEPT` an `UNDECIDED`", 0)
    margin: float = field("the loss that still counts as `KEPT`", 0.01)
    examples: int = field("examples", 0)
    units: int = field("independent units", 0)
    units_needed: int | None = field("units that would decide it; null where none are needed, or would do", None)


class TestSetRecord(Record):
    """The test set in the ledger."""

    __test__ = False

    hash: str = field("hash of the test examples, their scores as the file has them", "")
    verdict_number: int = field("how often this set was asked for a verdict, this time included", 1)


class PenaltyFit(Record):
    """A logistic regression and how it was chosen."""

    C: float = field("inverse strength of the L2 penalty: the larger, the closer to the training texts", 1.0)
    steps: int = field("optimizer steps", 0)
    converged: bool = field("whether it converged", True)
    validation_loss: float | None = field("log loss on validation, in nats", None)


class PenaltyPoint(Record):
    """One value of C that was tried."""

    C: float = field("inverse strength of the L2 penalty")
    validation_loss: float | None = field("log loss on validation, in nats", None)
    steps: int = field("optimizer steps", 0)


class VariantFit(PenaltyFit):
    """One way the inner part of a head was set."""

    variant: str = field("what the inner part of the head is, such as the first token", "")
    curve: tuple[PenaltyPoint, ...] = field("the loss at every C", ())


class ClassifierHeadRecord(PenaltyFit):
    """How a new classification head was fitted before it was compared."""

    variant: str = field("the variant that was chosen")
    variants: tuple[VariantFit, ...] = field("all variants that were tried, each with its `curve`", ())
    frozen_embeddings: PenaltyFit | None = field("the same of the baseline on frozen embeddings", None)


class LossPoint(Record):
    """The loss on validation after a step."""

    step: int = field("optimizer steps so far")
    value: float | None = field("mean loss of masked tokens on validation, in nats", None)


class MaskedHeadRecord(Record):
    """How a new head for masked words was trained, its body frozen, before it was compared."""

    why: str = field("why it was trained")
    learning_rate: float = field("the highest learning rate", 0.0)
    epochs: float = field("most passes over the training data", 0)
    patience: int | None = field("epochs without improvement before it stopped", None)
    min_delta: float = field("the smallest change of the loss, in nats, that counted as one", 0.0)
    keep: str = field("which weights are kept", "best")
    steps: int = field("optimizer steps", 0)
    best_step: int | None = field("the step of the weights that are kept", None)
    stopped_because: str = field("why it stopped", "")
    curve: tuple[LossPoint, ...] = field("the loss on validation after each epoch", ())


class SearchTrial(Record):
    """One trial of a search."""

    learning_rate: float = field("highest learning rate")
    epochs: float = field("passes over the training data")
    score: float | None = field("what the weights it keeps score on validation; null where it failed", None)
    failed: str | None = field("the reason where it failed, else null", None)
    seconds: float | None = field("seconds it took", None)


class SearchRecord(Record):
    """The trials of ``--search``.

    The first trial is the recipe itself. recipe.toml stays as it was written; what the model was trained with is in
    ``training``.
    """

    trials: tuple[SearchTrial, ...] = field("in their order, the first the recipe itself", ())
    chosen: int = field("number of the best trial, from 1", 1)
    metric: str = field("what chose, as it is called in metrics.jsonl", "")
    stopped_because: str = field("why there were no more trials", "")


class MergePointSide(IntervalRecord):
    """The score of one merge weight on one validation set, with the interval of its difference from the checkpoint."""

    score: float | None = field("score on validation", None)


class MergePoint(Record):
    """One merge weight that was tried."""

    weight: float = field("from 0, the checkpoint, to 1, all that was learned")
    domain: MergePointSide = field("on the domain's validation split")
    general: MergePointSide = field("on the general set that chooses")


class MergingRecord(Record):
    """The merge weights of ``--keep-general``."""

    weight: float = field("how far the model is from the checkpoint (0) to what was learned (1)", 1.0)
    kept: bool = field("`false` where the weight is 0", True)
    budget: float = field("what general ability may lose on validation: half the margin", 0.0)
    domain_metric: str = field("metric of the domain", "")
    general_metric: str = field("metric of the general set", "")
    domain_examples: int = field("domain examples that chose", 0)
    general_examples: int = field("general examples that chose", 0)
    points: tuple[MergePoint, ...] = field("the weights that were tried", ())
    fold_weights: tuple[float, ...] | None = field("cross-fitted, the weight of each fold's model; else null", None)


class CalibrationPair(Record):
    """A metric on the test without and with the temperature."""

    uncalibrated: float | None = field("without the temperature", None)
    calibrated: float | None = field("with it", None)


class AnsweredCounts(Record):
    """How many examples were answered, and how many of them rightly."""

    answered: int = field("examples that were answered", 0)
    right: int = field("how many of these answers are right", 0)


class ShareRecord(Record):
    """A share with its exact 95% interval (Clopper and Pearson) over examples."""

    value: float | None = field("the share", None)
    low: float | None = field("low end", None)
    high: float | None = field("high end", None)


class AbstainTest(AnsweredCounts):
    """What abstaining did on the test."""

    coverage: ShareRecord = field("the share of the examples that is answered", ShareRecord())
    precision: ShareRecord = field("the share of the answers that is right", ShareRecord())


class AbstainRecord(Record):
    """From which confidence the model answers (``--target-precision``)."""

    target_precision: float = field("the share of answers that should be right")
    threshold: float | None = field(
        "the confidence from which the model answers; null where none is shown to reach the target", None
    )
    validation: AnsweredCounts | None = field("on validation, from that confidence on; null without one", None)
    needed: int | None = field(
        "about how many validation examples would do; null where there is a threshold, or more would not help", None
    )
    test: AbstainTest | None = field(
        "on the test; cross-fitted, each fold by its own threshold; null where nothing could be answered", None
    )


class CalibrationRecord(Record):
    """The temperature, and when the model abstains."""

    temperature: float = field("what logits are divided by; 1 where none was fitted", 1.0)
    remark: str | None = field("why none was fitted, or that the best one lies beyond what is tried; else null", None)
    validation_examples: int = field("examples it was fitted on", 0)
    log_loss: CalibrationPair = field(
        "log loss on the test; cross-fitted, of the folds' models, each with a temperature of its own",
        CalibrationPair(),
    )
    ece: CalibrationPair = field("calibration error on the test, as `log_loss`", CalibrationPair())
    abstain: AbstainRecord | None = field("when the model abstains; null without `--target-precision`", None)


class CurveScore(Record):
    """A score with its own interval."""

    score: float | None = field("the deciding metric", None)
    low: float | None = field("low end of its own 95% interval", None)
    high: float | None = field("high end of it", None)


class CurvePoint(Record):
    """One share of the training data."""

    share: int = field("in per cent")
    examples: int = field("examples in it")
    seconds: float | None = field("seconds its training took; null for the run itself", None)
    before: CurveScore = field("before training, a new head fitted to the share", CurveScore())
    after: CurveScore = field("after training on the share", CurveScore())
    baselines: MetricValues = field("baseline → score of what learned from the same share", {})


class CurveGap(Record):
    """A share that was left out."""

    share: int = field("in per cent")
    examples: int = field("examples in it")
    reason: str = field("why it was left out")


class LearningCurveRecord(Record):
    """The scores of shares of the training data (``--learning-curve``)."""

    metric: str = field("the deciding metric", "")
    points: tuple[CurvePoint, ...] = field("from the smallest share to 100, which is the run itself", ())
    left_out: tuple[CurveGap, ...] = field("shares without a result, and why", ())
    suggestion: str = field("`RISING`, `FLAT` or `CANNOT BE TOLD`", "")
    sentence: str = field("the suggestion with the figures it rests on", "")
    difference: IntervalRecord | None = field("the interval of 100% minus 50%, or null", None)


class TrainingRecord(Record):
    """The training of the model that is kept."""

    learning_rate: float | None = field("the highest learning rate, as it was used; a search may have chosen it", None)
    epochs: float | None = field("passes over the training data, as they were used", None)
    steps: int | None = field("optimizer steps", None)
    best_step: int | None = field("the step of the weights that are kept; null where the last are kept", None)
    stopped_because: str = field("why it stopped", "")
    keep: str = field("which weights are kept: `best` or `last`", "best")
    seconds: float | None = field("seconds of the whole run", None)
    device: str = field("device", "")
    precision: str = field("arithmetic of training", "")
    threads: str = field("threads", "")


class WordsRecord(Record):
    """Whole words filled in piece by piece (``--pll``)."""

    words: int = field("words that were asked for")
    unknown: int = field("words that the tokenizer does not know and that were left out", 0)
    before: float | None = field("mean loss of a word in nats, before", None)
    after: float | None = field("the same, after", None)
    difference: IntervalRecord = field("interval of the difference", IntervalRecord())


class HeatMapRecord(Record):
    """How similar some titles are to each other."""

    titles: tuple[str, ...] = field("the titles, in the order of rows and columns")
    before: tuple[tuple[float, ...], ...] = field("similarities before, a square array")
    after: tuple[tuple[float, ...], ...] = field("similarities after")


class ConfusionRecord(Record):
    """Confusion matrices: rows are the true class, columns the predicted one."""

    before: tuple[tuple[Count, ...], ...] = field("counts before, a row a true class, a column a predicted one")
    after: tuple[tuple[Count, ...], ...] = field("counts after")


class ClassRecord(Record):
    """How well one class is found."""

    label: str = field("the class")
    precision: float | None = field("share of its predictions that are right", None)
    recall: float | None = field("share of its examples that are found", None)
    f1: float | None = field("harmonic mean of both", None)
    support: int = field("test examples that have the class", 0)
    low: float | None = field("low end of the interval of F1; null for a class of fewer than 3 independent units", None)
    high: float | None = field("high end of it", None)


class PerClassRecord(Record):
    """Every class, before and after."""

    before: tuple[ClassRecord, ...] = field("the checkpoint's, in the order of `classes`", ())
    after: tuple[ClassRecord, ...] = field("the adapted model's", ())


class ReliabilityBin(Record):
    """Examples of like confidence."""

    confidence: float | None = field("mean confidence", None)
    accuracy: float | None = field("share that is right", None)
    count: int = field("examples", 0)


class ReliabilityRecord(Record):
    """Confidence against accuracy, before and after."""

    before: tuple[ReliabilityBin, ...] = field("the checkpoint's, with the head that was fitted on it", ())
    after: tuple[ReliabilityBin, ...] = field("the adapted model's", ())


class McNemarRecord(Record):
    """McNemar's exact test; it is shown and decides nothing."""

    fixed: int = field("examples right after and wrong before", 0)
    broke: int = field("examples wrong after and right before", 0)
    p: float | None = field("two-sided p of McNemar's exact test", None)


class LikelyToken(Record):
    """A token and its probability."""

    token: str = field("the token")
    probability: float = field("its probability")


class BlankSide(Record):
    """What one model fills in."""

    probability: float = field("probability of the missing word")
    likeliest: tuple[LikelyToken, ...] = field("the five likeliest tokens", ())


class BlankRecord(Record):
    """A test sentence with one word hidden."""

    row: int = field("row of the document")
    left: str = field("the text before the word", "")
    word: str = field("the word")
    right: str = field("the text after it", "")
    before: BlankSide = field("the checkpoint")
    after: BlankSide = field("the adapted model")


class WordLoss(Record):
    """A word whose prediction changed."""

    word: str = field("the word")
    count: int = field("how often it was masked")
    before: float = field("mean loss in nats before")
    after: float = field("mean loss in nats after")


class ImprovedWords(Record):
    """The words whose prediction changed most."""

    blocks: int = field("blocks of the test documents that were looked at", 0)
    masked: int = field("masked tokens in them", 0)
    words: int = field("words that were masked at least three times", 0)
    improved: tuple[WordLoss, ...] = field("up to 20 of them that improved most", ())
    worse: tuple[WordLoss, ...] = field("up to 10 of them that became worse most", ())


class RowsSetAside(Record):
    """Rows that were not used."""

    file: str | None = field("file of the data or of the general set", None)
    reason: str = field("why")
    count: int = field("how many", 0)
    rows: tuple[int, ...] = field("the first 100 rows", ())
