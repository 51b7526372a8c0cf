"""The parts of scores.json and of its like, a frozen model each; docs/scores.md is made from their descriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

MetricValues = Mapping[str, float | None]
"""Metric name to value; a value that could not be computed is None."""

Count = Annotated[int, Field(strict=True, ge=0)]


class Record(BaseModel):
    """A part of a JSON file of a run."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    def to_json(self) -> dict[str, Any]:
        """Return the fields that were set, as values for JSON."""
        return self.model_dump(mode="json", exclude_unset=True, by_alias=True)


class IntervalRecord(Record):
    """A difference with its interval."""

    value: float | None = Field(default=None, description="after minus before, signed so that positive is better")
    low: float | None = Field(default=None, description="low end of the interval")
    high: float | None = Field(default=None, description="high end of the interval")
    level: float = Field(default=0.95, description="level of the interval")
    standard_error: float | None = Field(default=None, description="standard error of the difference")
    units: int = Field(default=0, description="independent units")
    effective_units: float | None = Field(default=None, description="units of equal size that would say as much")
    widened_by: float | None = Field(default=None, description="factor that makes up for few units and heavy tails")
    draws: int = Field(default=0, description="bootstrap draws")
    undefined: int = Field(default=0, description="draws in which the metric could not be computed")
    degrees: float | None = Field(
        default=None, description="degrees of freedom of the standard error, few where a few units move it most"
    )


class DecidingDifference(IntervalRecord):
    """The interval that the verdict is made from."""

    metric: str = Field(default="", description="the deciding metric")
    method: str = Field(default="", description="how the interval was made")


class BaselineDifference(IntervalRecord):
    """After minus the best baseline."""

    name: str = Field(default="", description="the best baseline")


class SeedTraining(Record):
    """One training of several."""

    seed: int = Field(description="its seed")
    score: float | None = Field(default=None, description="its deciding metric")
    difference: float | None = Field(default=None, description="its difference, signed so that positive is better")


class SeedsRecord(Record):
    """The trainings of ``--seeds``."""

    trainings: tuple[SeedTraining, ...] = Field(
        default=(), description="in their order, the first that of the model that is kept"
    )
    mean: float | None = Field(default=None, description="mean of their scores")
    standard_deviation: float | None = Field(default=None, description="standard deviation of their scores")
    items_error: float | None = Field(default=None, description="standard error from the choice of test items")
    seeds_error: float | None = Field(default=None, description="standard error from the trainings")
    saved_model: IntervalRecord = Field(
        default_factory=lambda: IntervalRecord(),
        description="the interval of the first training's own difference, over test items only",
    )


class GeneralRecord(Record):
    """General ability: the same metric on examples from outside the domain."""

    name: str = Field(default="", description="the general set")
    metric: str = Field(default="", description="its deciding metric")
    before: float | None = Field(default=None, description="score before")
    after: float | None = Field(default=None, description="score after")
    difference: IntervalRecord = Field(
        default_factory=lambda: IntervalRecord(), description="interval of after - before"
    )
    verdict: str = Field(default="", description="`KEPT`, `FORGOT`, `UNDECIDED` or `TOO FEW`")
    sentence: str = Field(default="", description="the verdict with the figures it rests on")
    seen_in_training: int = Field(
        default=0, description="its examples that were learned from; any makes KEPT UNDECIDED"
    )
    margin: float = Field(default=0.01, description="the loss that still counts as KEPT")
    examples: int = Field(default=0, description="examples")
    units: int = Field(default=0, description="independent units")
    units_needed: int | None = Field(default=None, description="units that would decide it")


class TestSetRecord(Record):
    """The test set in the ledger."""

    __test__ = False

    hash: str = Field(default="", description="hash of the test examples, their scores as the file has them")
    verdict_number: int = Field(default=1, description="how often this set was asked, this time included")


class PenaltyFit(Record):
    """A logistic regression and how it was chosen."""

    C: float = Field(default=1.0, description="inverse strength of the L2 penalty")
    steps: int = Field(default=0, description="optimizer steps")
    converged: bool = Field(default=True, description="whether it converged")
    validation_loss: float | None = Field(default=None, description="log loss on validation, in nats")


class PenaltyPoint(Record):
    """One value of C that was tried."""

    C: float = Field(description="inverse strength of the L2 penalty")
    validation_loss: float | None = Field(default=None, description="log loss on validation, in nats")
    steps: int = Field(default=0, description="optimizer steps")


class VariantFit(PenaltyFit):
    """One way the inner part of a head was set."""

    variant: str = Field(default="", description="how the inner part of the head was set")
    curve: tuple[PenaltyPoint, ...] = Field(default=(), description="the loss at every C")


class ClassifierHeadRecord(PenaltyFit):
    """How a new classification head was fitted before it was compared."""

    variant: str = Field(description="the variant that was chosen")
    variants: tuple[VariantFit, ...] = Field(default=(), description="all variants that were tried")
    frozen_embeddings: PenaltyFit | None = Field(default=None, description="the same of that baseline")


class LossPoint(Record):
    """The loss on validation after a step."""

    step: int = Field(description="optimizer steps so far")
    value: float | None = Field(default=None, description="the deciding metric on validation")


class MaskedHeadRecord(Record):
    """How a new head for masked words was trained, its body frozen, before it was compared."""

    why: str = Field(description="why it was trained")
    learning_rate: float = Field(default=0.0, description="learning rate")
    epochs: float = Field(default=0, description="most passes")
    patience: int | None = Field(default=None, description="epochs without improvement before stopping")
    min_delta: float = Field(default=0.0, description="smallest change that counted")
    keep: str = Field(default="best", description="which weights are kept")
    steps: int = Field(default=0, description="optimizer steps")
    best_step: int | None = Field(default=None, description="the step of the weights that are kept")
    stopped_because: str = Field(default="", description="why it stopped")
    curve: tuple[LossPoint, ...] = Field(default=(), description="the loss on validation after each epoch")


class SearchTrial(Record):
    """One trial of a search."""

    learning_rate: float = Field(description="highest learning rate")
    epochs: float = Field(description="passes over the training data")
    score: float | None = Field(default=None, description="what the weights it keeps score on validation")
    failed: str | None = Field(default=None, description="why there is no score")
    seconds: float | None = Field(default=None, description="seconds it took")


class SearchRecord(Record):
    """The trials of ``--search``."""

    trials: tuple[SearchTrial, ...] = Field(default=(), description="in their order, the first the recipe itself")
    chosen: int = Field(default=1, description="number of the best trial, from 1")
    metric: str = Field(default="", description="what chose, as metrics.jsonl names it")
    stopped_because: str = Field(default="", description="why there were no more trials")


class MergePointSide(IntervalRecord):
    """The score of one merge weight on one validation set, and its difference from the checkpoint."""

    score: float | None = Field(default=None, description="score on validation")


class MergePoint(Record):
    """One merge weight that was tried."""

    weight: float = Field(description="0 is the checkpoint, 1 what was learned")
    domain: MergePointSide = Field(description="on the domain's validation split")
    general: MergePointSide = Field(description="on the general set that chooses")


class MergingRecord(Record):
    """The merge weights of ``--keep-general``."""

    weight: float = Field(
        default=1.0, description="how far the model is from the checkpoint (0) to what was learned (1)"
    )
    kept: bool = Field(default=True, description="`false` where the weight is 0")
    budget: float = Field(default=0.0, description="what general ability may lose on validation, half the margin")
    domain_metric: str = Field(default="", description="metric of the domain")
    general_metric: str = Field(default="", description="metric of the general set")
    domain_examples: int = Field(default=0, description="domain examples that chose")
    general_examples: int = Field(default=0, description="general examples that chose")
    points: tuple[MergePoint, ...] = Field(default=(), description="the weights that were tried")
    fold_weights: tuple[float, ...] | None = Field(
        default=None, description="the weights of the models of the folds of a cross-fitted run"
    )


class CalibrationPair(Record):
    """A metric on the test without and with the temperature."""

    uncalibrated: float | None = Field(default=None, description="without the temperature")
    calibrated: float | None = Field(default=None, description="with it")


class AnsweredCounts(Record):
    """How many examples were answered, and how many of them rightly."""

    answered: int = Field(default=0, description="examples answered")
    right: int = Field(default=0, description="of these answered rightly")


class ShareRecord(Record):
    """A share with its exact 95% interval (Clopper and Pearson) over examples."""

    value: float | None = Field(default=None, description="the share")
    low: float | None = Field(default=None, description="low end")
    high: float | None = Field(default=None, description="high end")


class AbstainTest(AnsweredCounts):
    """What abstaining did on the test."""

    coverage: ShareRecord = Field(default_factory=lambda: ShareRecord(), description="share that is answered")
    precision: ShareRecord = Field(default_factory=lambda: ShareRecord(), description="share of these that is right")


class AbstainRecord(Record):
    """From which confidence the model answers (``--target-precision``)."""

    target_precision: float = Field(description="the share of answers that should be right")
    threshold: float | None = Field(default=None, description="confidence from which it answers")
    validation: AnsweredCounts | None = Field(default=None, description="on validation, from that confidence on")
    needed: int | None = Field(default=None, description="about how many validation examples would do")
    test: AbstainTest | None = Field(default=None, description="on the test; cross-fitted, each fold by its threshold")


class CalibrationRecord(Record):
    """The temperature, and when the model abstains."""

    temperature: float = Field(default=1.0, description="1 where none was fitted")
    remark: str | None = Field(default=None, description="why none was fitted, or what to know about it")
    validation_examples: int = Field(default=0, description="examples it was fitted on")
    log_loss: CalibrationPair = Field(default_factory=lambda: CalibrationPair(), description="log loss on the test")
    ece: CalibrationPair = Field(default_factory=lambda: CalibrationPair(), description="calibration error on the test")
    abstain: AbstainRecord | None = Field(default=None, description="when the model abstains")


class CurveScore(Record):
    """A score with its own interval."""

    score: float | None = Field(default=None, description="the deciding metric")
    low: float | None = Field(default=None, description="low end")
    high: float | None = Field(default=None, description="high end")


class CurvePoint(Record):
    """One share of the training data."""

    share: int = Field(description="in per cent")
    examples: int = Field(description="examples in it")
    seconds: float | None = Field(default=None, description="seconds its training took")
    before: CurveScore = Field(default_factory=lambda: CurveScore(), description="before adapting")
    after: CurveScore = Field(default_factory=lambda: CurveScore(), description="after it")
    baselines: MetricValues = Field(default_factory=dict[str, float | None], description="baseline to its score")


class CurveGap(Record):
    """A share that was left out."""

    share: int = Field(description="in per cent")
    examples: int = Field(description="examples in it")
    reason: str = Field(description="why it was left out")


class LearningCurveRecord(Record):
    """The scores of shares of the training data (``--learning-curve``)."""

    metric: str = Field(default="", description="the deciding metric")
    points: tuple[CurvePoint, ...] = Field(default=(), description="from the smallest share to 100, the run itself")
    left_out: tuple[CurveGap, ...] = Field(default=(), description="shares without a result")
    suggestion: str = Field(default="", description="`RISING`, `FLAT` or `CANNOT BE TOLD`")
    sentence: str = Field(default="", description="the suggestion with the figures it rests on")
    difference: IntervalRecord | None = Field(default=None, description="interval of 100% minus 50%")


class TrainingRecord(Record):
    """The training of the model that is kept."""

    learning_rate: float | None = Field(default=None, description="the highest that was used")
    epochs: float | None = Field(default=None, description="passes over the training data")
    steps: int | None = Field(default=None, description="optimizer steps")
    best_step: int | None = Field(default=None, description="the step of the best weights")
    stopped_because: str = Field(default="", description="why it stopped")
    keep: str = Field(default="best", description="which weights are kept")
    seconds: float | None = Field(default=None, description="seconds of the whole run")
    device: str = Field(default="", description="device")
    precision: str = Field(default="", description="arithmetic of training")
    threads: str = Field(default="", description="threads")


class WordsRecord(Record):
    """Whole words filled in piece by piece (``--pll``)."""

    words: int = Field(description="words that were asked")
    unknown: int = Field(default=0, description="words unknown to the tokenizer, left out")
    before: float | None = Field(default=None, description="loss of a word in nats, before")
    after: float | None = Field(default=None, description="the same, after")
    difference: IntervalRecord = Field(
        default_factory=lambda: IntervalRecord(), description="interval of the difference"
    )


class HeatMapRecord(Record):
    """How similar some titles are to each other."""

    titles: tuple[str, ...] = Field(description="the titles")
    before: tuple[tuple[float, ...], ...] = Field(description="similarities before, titles x titles")
    after: tuple[tuple[float, ...], ...] = Field(description="similarities after")


class ConfusionRecord(Record):
    """Confusion matrices: rows are the true class, columns the predicted one."""

    before: tuple[tuple[Count, ...], ...] = Field(description="before")
    after: tuple[tuple[Count, ...], ...] = Field(description="after")


class ClassRecord(Record):
    """How well one class is found."""

    label: str = Field(description="the class")
    precision: float | None = Field(default=None, description="share of its predictions that are right")
    recall: float | None = Field(default=None, description="share of its examples that are found")
    f1: float | None = Field(default=None, description="harmonic mean of both")
    support: int = Field(default=0, description="test examples that have it")
    low: float | None = Field(default=None, description="low end of F1, null below 3 independent units")
    high: float | None = Field(default=None, description="high end of F1")


class PerClassRecord(Record):
    """Every class, before and after."""

    before: tuple[ClassRecord, ...] = Field(default=(), description="before")
    after: tuple[ClassRecord, ...] = Field(default=(), description="after")


class ReliabilityBin(Record):
    """Examples of like confidence."""

    confidence: float | None = Field(default=None, description="mean confidence")
    accuracy: float | None = Field(default=None, description="share that is right")
    count: int = Field(default=0, description="examples")


class ReliabilityRecord(Record):
    """Confidence against accuracy, before and after."""

    before: tuple[ReliabilityBin, ...] = Field(default=(), description="before")
    after: tuple[ReliabilityBin, ...] = Field(default=(), description="after")


class McNemarRecord(Record):
    """McNemar's exact test; it is shown and decides nothing."""

    fixed: int = Field(default=0, description="examples right after and wrong before")
    broke: int = Field(default=0, description="examples wrong after and right before")
    p: float | None = Field(default=None, description="two-sided p")


class LikelyToken(Record):
    """A token and its probability."""

    token: str = Field(description="the token")
    probability: float = Field(description="its probability")


class BlankSide(Record):
    """What one model fills in."""

    probability: float = Field(description="probability of the missing word")
    likeliest: tuple[LikelyToken, ...] = Field(default=(), description="the five likeliest tokens")


class BlankRecord(Record):
    """A test sentence with one word hidden."""

    row: int = Field(description="row of the document")
    left: str = Field(default="", description="the text before the word")
    word: str = Field(description="the word")
    right: str = Field(default="", description="the text after it")
    before: BlankSide = Field(description="the checkpoint")
    after: BlankSide = Field(description="the adapted model")


class WordLoss(Record):
    """A word whose prediction changed."""

    word: str = Field(description="the word")
    count: int = Field(description="how often it was masked")
    before: float = Field(description="mean loss in nats before")
    after: float = Field(description="mean loss in nats after")


class ImprovedWords(Record):
    """The words whose prediction changed most."""

    blocks: int = Field(default=0, description="blocks of the test documents that were looked at")
    masked: int = Field(default=0, description="masked tokens in them")
    words: int = Field(default=0, description="words that were masked at least three times")
    improved: tuple[WordLoss, ...] = Field(default=(), description="up to 20 that improved most")
    worse: tuple[WordLoss, ...] = Field(default=(), description="up to 10 that became worse most")


class RowsSetAside(Record):
    """Rows that were not used."""

    file: str | None = Field(default=None, description="file of the data or of the general set")
    reason: str = Field(description="why")
    count: int = Field(default=0, description="how many")
    rows: tuple[int, ...] = Field(default=(), description="the first 100")
