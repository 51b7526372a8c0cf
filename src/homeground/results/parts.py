"""The parts of scores.json and of similar files, a frozen model each; docs/scores.md shows their descriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MetricValues = Mapping[str, float | None]
"""Metric name to value; a value that could not be computed is None."""

Count = Annotated[int, Field(strict=True, ge=0)]


def field(description: str, default: Any = ...) -> Any:
    """Return a field of a record with its description in docs/scores.md; a field without a default is required."""
    return Field(default, description=description)


class Record(BaseModel):
    """A part of a JSON file of a run."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    def to_json(self) -> dict[str, Any]:
        """Return the fields that were set, as values for JSON."""
        return self.model_dump(mode="json", exclude_unset=True, by_alias=True)


class IntervalRecord(Record):
    """A difference with its interval."""

    value: float | None = field("after minus before; the sign is such that positive is better for every metric", None)
    low: float | None = field(
        "low end; null over fewer than 30 independent units, where it could not be computed, or where a class is too "
        "rare",
        None,
    )
    high: float | None = field("high end; null as for `low`", None)
    level: float = field("level of the interval", 0.95)
    standard_error: float | None = field("standard error of the difference", None)
    units: int = field("number of independent units", 0)
    effective_units: float | None = field("number of equally large units that would give as much information", None)
    widened_by: float | None = field("factor by which the interval is wider, for few units and heavy tails", None)
    draws: int = field("number of bootstrap draws", 0)
    undefined: int = field("bootstrap draws in which the metric could not be computed", 0)
    degrees: float | None = field("degrees of freedom of the standard error; few where a few units dominate it", None)


class DecidingDifference(IntervalRecord):
    """The interval that the verdict follows from."""

    metric: str = field("the deciding metric", "")
    method: str = field("how the interval was computed", "")


class BaselineDifference(IntervalRecord):
    """After minus the best baseline."""

    name: str = field("name of the best baseline", "")
    instead: str = field("what to do where the adapted model is not shown to beat it", "")


class SeedTraining(Record):
    """One training of ``--seeds``."""

    seed: int = field("seed of the training")
    score: float | None = field("deciding metric on the test", None)
    difference: float | None = field("difference from before; positive is better", None)


class SeedsRecord(Record):
    """The trainings of ``--seeds``.

    The verdict, its sentence, ``difference``, ``baseline_difference`` and ``smallest_detectable`` are about the recipe;
    ``after``, ``differences``, ``general`` and everything else are about the first training. In a cross-fitted run one
    training means one of every fold.
    """

    trainings: tuple[SeedTraining, ...] = field("the trainings in order, first that of the model that is kept", ())
    mean: float | None = field("mean of the scores", None)
    standard_deviation: float | None = field("standard deviation of the scores", None)
    items_error: float | None = field("standard error of the mean difference over the choice of test items", None)
    seeds_error: float | None = field("standard error of the mean difference over the trainings", None)
    saved_model: IntervalRecord = field("difference of the first training, over test items only", IntervalRecord())


class GeneralRecord(Record):
    """General ability: the same metric on examples from outside the domain."""

    name: str = field("name of the file or of the set", "")
    metric: str = field("deciding metric of the set", "")
    before: float | None = field("score before; null where the metric could not be computed", None)
    after: float | None = field("score after; null as for `before`", None)
    difference: IntervalRecord = field("after minus before", IntervalRecord())
    verdict: str = field("`KEPT`, `FORGOT`, `UNDECIDED` or `TOO FEW`", "")
    reason: str = field("why the interval alone does not decide, or what would; empty where it decides", "")
    sentence: str = field("the verdict in a sentence, with its figures", "")
    left_out: int = field("number of further examples, left out because the model learned from them", 0)
    seen_in_training: int = field(
        "its examples that the model learned from, where they are kept because hardly any others are left, or with "
        "`--keep-contaminated`; any turn `KEPT` into `UNDECIDED`",
        0,
    )
    margin: float = field("the largest loss that counts as `KEPT`", 0.01)
    examples: int = field("number of examples", 0)
    units: int = field("number of independent units", 0)
    units_needed: int | None = field(
        "number of units that would decide; null where none are needed, or none would do", None
    )


class TestSetRecord(Record):
    """The test set in the ledger."""

    __test__ = False

    hash: str = field("hash of the test examples, with the scores as the file has them", "")
    verdict_number: int = field("how many verdicts this set has given, this one included", 1)


class PenaltyFit(Record):
    """A logistic regression and how it was chosen."""

    C: float = field("inverse strength of the L2 penalty; the larger, the closer the fit to the training texts", 1.0)
    steps: int = field("number of optimizer steps", 0)
    converged: bool = field("whether it converged", True)
    validation_loss: float | None = field("log loss on validation, in nats", None)


class PenaltyPoint(Record):
    """One value of C that was tried."""

    C: float = field("inverse strength of the L2 penalty")
    validation_loss: float | None = field("log loss on validation, in nats", None)
    steps: int = field("number of optimizer steps", 0)


class VariantFit(PenaltyFit):
    """One way to set the inner part of a head."""

    variant: str = field("name of the variant, such as the first token", "")
    curve: tuple[PenaltyPoint, ...] = field("the values of C that were tried", ())


class ClassifierHeadRecord(PenaltyFit):
    """How a new classification head was fitted before it was compared."""

    variant: str = field("the variant that was chosen")
    variants: tuple[VariantFit, ...] = field("every variant that was tried", ())
    frozen_embeddings: PenaltyFit | None = field(
        "the same for the baseline on frozen embeddings; null where words are labelled", None
    )


class LossPoint(Record):
    """The loss on validation after a step."""

    step: int = field("optimizer steps so far")
    value: float | None = field("mean loss of masked tokens on validation, in nats", None)


class MaskedHeadRecord(Record):
    """How a new head for masked words was trained, with the body frozen, before it was compared."""

    why: str = field("why it was trained")
    learning_rate: float = field("the highest learning rate", 0.0)
    epochs: float = field("upper limit of the passes over the training data", 0)
    patience: int | None = field("epochs without improvement before it stopped", None)
    min_delta: float = field("the smallest decrease of the loss, in nats, that counted as an improvement", 0.0)
    keep: str = field("which weights are kept", "best")
    steps: int = field("number of optimizer steps", 0)
    best_step: int | None = field("the step of the weights that are kept", None)
    stopped_because: str = field("why it stopped", "")
    curve: tuple[LossPoint, ...] = field("the loss on validation after each epoch", ())


class SearchTrial(Record):
    """One trial of a search."""

    learning_rate: float = field("highest learning rate")
    epochs: float = field("passes over the training data")
    score: float | None = field("score of its best weights on validation; null where it failed", None)
    failed: str | None = field("why it failed, else null", None)
    seconds: float | None = field("duration in seconds", None)


class SearchRecord(Record):
    """The trials of ``--search``.

    The first trial is the recipe itself. recipe.toml stays as it was written; what the model was trained with is in
    ``training``.
    """

    trials: tuple[SearchTrial, ...] = field("the trials in order; the first is the recipe itself", ())
    chosen: int = field("number of the best trial, counted from 1", 1)
    metric: str = field("the metric that chose, by its name in metrics.jsonl", "")
    stopped_because: str = field("why the search ended", "")


class MergePointSide(IntervalRecord):
    """The score of one merge weight on one validation set, with the interval of its difference from the checkpoint."""

    score: float | None = field("score on validation", None)


class MergePoint(Record):
    """One merge weight that was tried."""

    weight: float = field("from 0, the checkpoint, to 1, the trained weights")
    domain: MergePointSide = field("on the domain's validation split")
    general: MergePointSide = field("on the part of the general set that chooses")


class MergingRecord(Record):
    """The merge weights of ``--keep-general``."""

    weight: float = field("position of the model between the checkpoint (0) and the trained weights (1)", 1.0)
    kept: bool = field("`false` where the weight is 0, so that the model is the checkpoint", True)
    budget: float = field("the loss of general ability that is allowed on validation: half the margin", 0.0)
    domain_metric: str = field("deciding metric of the domain", "")
    general_metric: str = field("deciding metric of the general set", "")
    domain_examples: int = field("number of domain examples that chose the weight", 0)
    general_examples: int = field("number of general examples that chose the weight", 0)
    points: tuple[MergePoint, ...] = field("the merge weights that were tried", ())
    fold_weights: tuple[float, ...] | None = field("in a cross-fitted run each fold's weight; else null", None)


class CurveScore(Record):
    """A score with its own interval."""

    score: float | None = field("the deciding metric", None)
    low: float | None = field("low end of its own 95% interval; null where that may not be trusted", None)
    high: float | None = field("high end of it", None)


class CurvePoint(Record):
    """One share of the training data."""

    share: int = field("percentage of the training data")
    examples: int = field("number of examples in it")
    seconds: float | None = field("duration of its training in seconds; null for the run itself", None)
    before: CurveScore = field("before training, with a new head fitted to the share", CurveScore())
    after: CurveScore = field("after training on the share", CurveScore())
    baselines: MetricValues = field("name → score of the baseline that learned from the same share", {})


class CurveGap(Record):
    """A share that was left out."""

    share: int = field("percentage of the training data")
    examples: int = field("number of examples in it")
    reason: str = field("why it was left out")


def _suggestion_of_0_2(word: str) -> str:
    return "INCONCLUSIVE" if word == "CANNOT BE TOLD" else word


class LearningCurveRecord(Record):
    """The scores of shares of the training data (``--learning-curve``)."""

    metric: str = field("the deciding metric", "")
    points: tuple[CurvePoint, ...] = field("from the smallest share to 100%, which is the run itself", ())
    left_out: tuple[CurveGap, ...] = field("shares without a result, and why", ())
    suggestion: Annotated[str, BeforeValidator(_suggestion_of_0_2)] = field("`RISING`, `FLAT` or `INCONCLUSIVE`", "")
    sentence: str = field("the suggestion in a sentence, with its figures", "")
    difference: IntervalRecord | None = field("the score at 100% minus the score at 50%, or null", None)


class LoraRecord(Record):
    """The low-rank adapters that learned in place of the body (`--lora`)."""

    r: int = field("rank of the adapters")
    alpha: float = field("their products are multiplied by alpha / r")
    dropout: float = field("dropout of their input", 0.0)
    layers: tuple[str, ...] = field("the last parts of the names of the linear maps that have one", ())


class TrainingRecord(Record):
    """The training of the model that is kept."""

    learning_rate: float | None = field("the highest learning rate that was used; a search may have chosen it", None)
    epochs: float | None = field("passes over the training data; a search may have chosen them", None)
    steps: int | None = field("number of optimizer steps", None)
    best_step: int | None = field("the step of the weights that are kept; null where the last are kept", None)
    stopped_because: str = field("why it stopped", "")
    keep: str = field("which weights are kept: `best` or `last`", "best")
    seconds: float | None = field("duration of the whole run in seconds", None)
    items_per_second: float | None = field("examples or blocks learned from in a second; null without two steps", None)
    matrix_share: float | None = field(
        "operations of products of matrices in a second of training, over those of the machine's fastest product of "
        "large ones; null where it was not measured",
        None,
    )
    device: str = field("device it was trained on", "")
    precision: str = field("arithmetic of the training, such as bf16", "")
    threads: str = field("number of threads", "")
    microbatch: int | None = field("examples computed at once since memory ran out; null where it did not", None)
    parameters: int | None = field("number of parameters of the model in training, adapters included", None)
    trained_parameters: int | None = field("how many of them learned", None)
    freeze: str | None = field("what stayed as it was (`--freeze`); null where all could learn", None)
    lora: LoraRecord | None = field("the adapters (`--lora`); null where there were none", None)


class WordsRecord(Record):
    """Whole words filled in piece by piece (``--pll``)."""

    words: int = field("number of words that were measured")
    unknown: int = field("number of words that were left out because the tokenizer does not know them", 0)
    before: float | None = field("mean loss of a word before, in nats", None)
    after: float | None = field("the same, after", None)
    difference: IntervalRecord = field("after minus before", IntervalRecord())


class HeatMapRecord(Record):
    """How similar some titles are to each other."""

    titles: tuple[str, ...] = field("the titles, in the order of rows and columns")
    before: tuple[tuple[float, ...], ...] = field("similarities before: one row and one column for each title")
    after: tuple[tuple[float, ...], ...] = field("similarities after")


class ConfusionRecord(Record):
    """Confusion matrices: rows are the true class, columns the predicted one."""

    before: tuple[tuple[Count, ...], ...] = field("counts before: a row for a true class, a column for a predicted one")
    after: tuple[tuple[Count, ...], ...] = field("counts after")


class ClassRecord(Record):
    """Precision, recall and F1 of one class."""

    label: str = field("the class")
    precision: float | None = field("share of the predictions of this class that are right", None)
    recall: float | None = field("share of the examples of this class that are predicted as such", None)
    f1: float | None = field("harmonic mean of precision and recall", None)
    support: int = field("number of test examples of the class", 0)
    low: float | None = field("low end of the interval of F1; null below 3 independent units of the class", None)
    high: float | None = field("high end of it", None)


class PerClassRecord(Record):
    """Every class, before and after."""

    before: tuple[ClassRecord, ...] = field("the checkpoint, one entry for each class in the order of `classes`", ())
    after: tuple[ClassRecord, ...] = field("the adapted model", ())


class McNemarRecord(Record):
    """McNemar's exact test; it is shown and decides nothing."""

    fixed: int = field("examples that were wrong before and are right after", 0)
    broke: int = field("examples that were right before and are wrong after", 0)
    p: float | None = field("two-sided p value of the exact test", None)


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

    blocks: int = field("number of blocks of the test documents that were measured", 0)
    masked: int = field("number of masked tokens in them", 0)
    words: int = field("number of words that were masked at least three times", 0)
    improved: tuple[WordLoss, ...] = field("the words that improved most, at most 20", ())
    worse: tuple[WordLoss, ...] = field("the words that got worse most, at most 10", ())


class RowsSetAside(Record):
    """Rows that were skipped, and why."""

    file: str | None = field("file of the data or of the general set", None)
    reason: str = field("why they were skipped")
    count: int = field("number of rows", 0)
    rows: tuple[int, ...] = field("the first 100 row numbers", ())
    names: tuple[str, ...] = field("the names of these rows, where they are files of a folder", ())
