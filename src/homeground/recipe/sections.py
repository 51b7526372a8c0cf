"""The sections of the recipe: every setting, with its range, its default and what it does."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo


def _split_commas(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _number_or_text(value: object) -> object:
    """Read "0.2" as a fraction and anything else as a file name, however it was typed."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_split_commas)]
Range = Annotated[tuple[float, float], BeforeValidator(_split_commas)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
FEWEST_SEEDS = 5
"""With so many trainings Student's t is 2.8; with 3 it would be 4.3, and the verdict hardly ever HELPED."""

FractionOrFile = Annotated[Fraction | str, BeforeValidator(_number_or_text)]


def may_be_none(field: FieldInfo) -> bool:
    """Tell whether a setting can be left without a value."""
    return type(None) in getattr(field.annotation, "__args__", ())


class Section(BaseModel):
    """Settings that belong together; unknown names are refused and values cannot change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _read_none(cls, values: Any) -> Any:
        """Read the word none as "not set" where that is possible: neither TOML nor a shell has a word for it."""
        if not isinstance(values, dict):
            return values
        read = cast(dict[str, Any], values)
        optional = {name for name, field in cls.model_fields.items() if may_be_none(field)}
        return {name: None if value == "none" and name in optional else value for name, value in read.items()}


class Columns(Section):
    """Which column plays which part; what is not named is found by the usual names and said before the start."""

    text: str | None = Field(default=None, description="column with the text that has a label")
    label: str | None = Field(default=None, description="column with the label, or with a list of labels")
    label_delimiter: str | None = Field(
        default=None, min_length=1, description="what separates several labels in one field, e.g. ';'"
    )
    text_1: str | None = Field(default=None, description="column with the first text of a pair")
    text_2: str | None = Field(default=None, description="column with the second text of a pair")
    similarity: str | None = Field(default=None, description="column with the score of a pair")
    anchor: str | None = Field(default=None, description="column with the anchor, for pairs or triplets without scores")
    positive: str | None = Field(default=None, description="column with the text that belongs to the anchor")
    negative: str | None = Field(default=None, description="column with a text that does not belong to the anchor")
    group: str | None = Field(
        default=None, description="column whose values stay together in one split and are resampled"
    )
    score_range: Range | None = Field(
        default=None, description="LOW,HIGH of the scores when they are not in [0, 1]; LOW means unrelated"
    )


class Reading(Section):
    """How the file is written, where its name does not tell."""

    format: Literal["csv", "tsv", "json", "jsonl"] | None = Field(
        default=None, description="file format, else by the suffix"
    )
    delimiter: str | None = Field(
        default=None, description="character between the fields of a CSV file; tab can be written out"
    )
    quoting: Literal["minimal", "none"] = Field(
        default="minimal", description="none: a quotation mark is an ordinary character"
    )
    encoding: str = Field(default="utf-8", description="character encoding of the file")
    header: bool = Field(default=True, description="the first line names the columns")
    columns: Names | None = Field(default=None, description="a,b,_,c: names for a file without a header; _ is not read")


class Split(Section):
    """What is learned from, what chooses, and what decides once."""

    split: Literal["random", "ordered"] = Field(
        default="random", description="random by units, or the rows in their order"
    )
    validation: FractionOrFile = Field(
        default=0.1, description="fraction of the data, or a FILE, that chooses the weights"
    )
    test: FractionOrFile = Field(default=0.1, description="fraction of the data, or a FILE, that decides once")
    train_size: int | None = Field(
        default=None, ge=1, description="with --split ordered: this many first rows are for training"
    )
    cross_fit: int | None = Field(
        default=None,
        ge=0,
        description="folds for small data, each tested by a model that never saw it; 0 never, else as needed",
    )
    leave_out: str | None = Field(
        default=None,
        description="FILE of texts that must not be learned from, as those of a later test; rows that hold one are set "
        "aside",
    )
    split_version: Literal[1] = Field(default=1, description="version of the split algorithm")


class Encoder(Section):
    """The encoder: how token vectors become one embedding, and how much text it sees."""

    pooling: Literal["auto", "mean", "cls", "max"] = Field(
        default="auto", description="auto: as the checkpoint says, mean otherwise"
    )
    max_length: int | None = Field(
        default=None,
        ge=4,
        description="tokens a text is cut to, else the checkpoint's own length; of a block of plain text, else 128",
    )
    truncation: Literal["head", "head_and_tail"] = Field(
        default="head",
        description="what is kept of a longer text: its head, or a quarter from its head and the rest from its tail",
    )
    dropout: float | None = Field(
        default=None, ge=0, lt=1, description="dropout while training, else the checkpoint's own"
    )


class Training(Section):
    """The loop: loss, optimizer, schedule, early stopping, and what is kept."""

    loss: Literal[
        "auto",
        "angular_mse",
        "cosine_mse",
        "cosent",
        "multiple_negatives_ranking",
        "cross_entropy",
        "binary_cross_entropy",
        "masked_cross_entropy",
    ] = Field(
        default="auto",
        description="what is minimized; auto: angular_mse for scored pairs, multiple_negatives_ranking for pairs "
        "without scores, cross_entropy for one label, binary_cross_entropy for several, masked_cross_entropy for texts",
    )
    class_weights: Literal["none", "balanced"] = Field(
        default="none", description="balanced: every class weighs alike in the loss, however rare"
    )
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="share of each label that is spread over all classes"
    )
    epochs: float = Field(default=2, gt=0, description="passes over the training data (classification: 3)")
    batch_size: int = Field(default=32, ge=1, description="examples a step learns from, over all processes")
    microbatch_size: int | None = Field(
        default=None, ge=1, description="examples held in memory at once; without dropout the result is the same"
    )
    learning_rate: float = Field(default=2e-5, ge=0, description="highest learning rate (classification: 5e-05)")
    optimizer: Literal["adamw", "adam"] = Field(
        default="adamw", description="adamw decouples weight decay, adam has none"
    )
    adam_beta1: float = Field(default=0.9, ge=0, lt=1, description="decay of the gradient's running mean")
    adam_beta2: float = Field(default=0.999, ge=0, lt=1, description="decay of the squared gradient's running mean")
    adam_epsilon: float = Field(default=1e-8, gt=0, description="added to Adam's denominator")
    weight_decay: float = Field(default=0.01, ge=0, description="decoupled weight decay (adamw only)")
    schedule: Literal["linear", "constant", "cosine"] = Field(
        default="linear", description="learning rate after the warm-up"
    )
    warmup_ratio: float = Field(
        default=0.1, ge=0, le=1, description="share of the steps in which the learning rate rises"
    )
    max_grad_norm: float | None = Field(
        default=1.0, gt=0, description="clip the global norm of the gradient; none: never"
    )
    max_grad_norm_per_weight: float | None = Field(
        default=None, gt=0, description="clip the norm of each weight's own gradient (the clipnorm of Keras)"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto",
        description="arithmetic of training; auto: bf16 where the hardware computes it; measuring is always fp32",
    )
    group_by_length: bool | None = Field(
        default=None,
        description="batches of like length inside shuffled windows; else on, but off for in-batch negatives",
    )
    monitor: str | None = Field(
        default=None,
        description="value that early stopping and the best weights go by, e.g. train/epoch_loss; else the metric",
    )
    patience: int | None = Field(
        default=None, ge=1, description="epochs without improvement before stopping; none: never"
    )
    min_delta: float = Field(default=0.0, ge=0, description="smallest change of the monitored value that counts")
    keep: Literal["best", "last"] = Field(default="best", description="weights that are kept at the end")
    checkpoint_minutes: float = Field(
        default=10.0, gt=0, description="save at least this often, besides after every epoch"
    )


class Masking(Section):
    """Masked language modelling: how plain texts are cut, and which of their tokens are hidden while learning."""

    mlm_probability: float = Field(
        default=0.15, gt=0, lt=1, description="share of the tokens that are masked in training; measured is always 0.15"
    )
    whole_word: bool = Field(
        default=False, description="mask all tokens of a word together; words of Chinese need the segmentation extra"
    )
    line_by_line: bool = Field(
        default=False, description="one block a text, its end cut off; else a long text is cut into several blocks"
    )


class Search(Section):
    """The search: other learning rates and lengths, tried on the validation split before the final training."""

    search: int = Field(
        default=0,
        ge=0,
        description="trials of learning rate and epochs, the first the recipe's own; the best on validation is kept; "
        "0: none",
    )
    search_minutes: float | None = Field(
        default=None, gt=0, description="begin no further trial after so many minutes of trials; none: make them all"
    )
    search_rates: Range = Field(default=(1e-5, 3e-4), description="LOW,HIGH of the learning rates that are drawn")


class Evaluation(Section):
    """The proof: what decides, how often it is resampled, and what must not be lost."""

    primary_metric: str | None = Field(
        default=None, description="metric that decides, fixed before training; else the task's"
    )
    general: str | None = Field(
        default=None,
        description="FILE of scored pairs, or of texts with the same labels, from outside the domain, to see what was "
        "lost; or sts-benchmark, which is fetched from the Hub",
    )
    keep_general: str | None = Field(
        default=None,
        description="FILE like --general, or sts-benchmark; the adapted weights are merged back towards the checkpoint "
        "as far as keeps its score within half the margin",
    )
    general_score_range: Range | None = Field(
        default=None, description="LOW,HIGH of the general set's scores, else 0,1"
    )
    general_margin: float | None = Field(
        default=None,
        gt=0,
        description="loss of general ability that still counts as KEPT, else 0.01, or 0.05 nats a masked token",
    )
    mask_draws: int = Field(
        default=3, ge=1, description="times that every test text is masked anew for measuring (mlm)"
    )
    pll: int = Field(
        default=0,
        ge=0,
        description="words of the test texts that are filled in piece by piece, a loss that may be compared across "
        "tokenizers (mlm); 0: none",
    )
    bootstrap_draws: int = Field(default=10_000, ge=200, description="resamples behind every interval")
    seeds: int = Field(
        default=0,
        ge=0,
        description="trainings, 5 or more, each with a seed of its own from --seed on, so that the interval covers the "
        "luck of training too; 0: one, and test items only",
    )
    evaluation_batch_size: int = Field(default=64, ge=1, description="texts measured at once; the result is the same")
    calibrate: bool = Field(
        default=True, description="classifiers: fit a temperature on validation, so that probabilities can be believed"
    )
    target_precision: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="classifiers with one label a text: abstain where less than this share of the answers is shown to "
        "be right, e.g. 0.95",
    )
    titles: Names | None = Field(
        default=None,
        description="a,b,c, or as a flag a FILE with one a line: texts of the heat map, else picked",
    )


class Annotation(Section):
    """The data itself: whether more of it would help, and which texts to label next."""

    learning_curve: bool = Field(
        default=False,
        description="train on 5, 10, 25 and 50% of the training data, too, to see whether more data would help",
    )
    unlabelled: str | None = Field(
        default=None, description="FILE of texts without labels, of which next_to_label.csv lists those to label next"
    )
    label_next: int = Field(default=200, ge=1, description="texts listed in next_to_label.csv")
