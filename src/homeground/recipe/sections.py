"""The sections of the recipe: every setting, with its range, its default and its description.

The descriptions are the help of the command line.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo

from homeground.recipe.lora import as_lora_text


def _split_commas(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _one_name(value: object) -> object:
    """Write the names of several columns as one, with commas between them; a name that holds one is quoted."""
    if not isinstance(value, list | tuple):
        return value
    names = cast(list[object], value)
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError("the name of a column, or a list of such names")
    if len(names) == 1:
        return names[0]
    return ",".join(f'"{name}"' if "," in str(name) else str(name).strip() for name in names)


def _number_or_text(value: object) -> object:
    """Read "0.2" as a fraction and any other text as the path of a file."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


ColumnNames = Annotated[str, BeforeValidator(_one_name)]
"""The name of a column, or those of several with commas between them; also a list, or an option given several times."""
Lora = Annotated[str, BeforeValidator(as_lora_text)]
"""The settings of low-rank adapters; also r alone, or a mapping."""
Names = Annotated[tuple[str, ...], BeforeValidator(_split_commas)]
Range = Annotated[tuple[float, float], BeforeValidator(_split_commas)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
FEWEST_SEEDS = 5
"""Fewest training runs of --seeds: Student's t is 2.8 with 5 of them, but 4.3 with 3, too wide for most verdicts."""

FractionOrFile = Annotated[Fraction | str, BeforeValidator(_number_or_text)]


def may_be_none(field: FieldInfo) -> bool:
    """Return whether a setting may be None."""
    return type(None) in getattr(field.annotation, "__args__", ())


class Section(BaseModel):
    """Settings of one topic; unknown names are refused, and values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, str_min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _read_none(cls, values: Any) -> Any:
        """Read the word none as None where a setting may be None: neither TOML nor a shell has a word for it."""
        if not isinstance(values, dict):
            return values
        read = cast(dict[str, Any], values)
        optional = {name for name, field in cls.model_fields.items() if may_be_none(field)}
        return {name: None if value == "none" and name in optional else value for name, value in read.items()}


class ColumnSettings(Section):
    """The roles of the columns; roles that are not named here are found by the usual names of columns."""

    text: ColumnNames | None = Field(
        default=None, description="column with the text; several, e.g. title,content, are joined by a space"
    )
    label: ColumnNames | None = Field(
        default=None,
        description="column with the label, or a list of labels; several, e.g. a,b,c, hold 0 or 1, each for one class",
    )
    label_delimiter: str | None = Field(
        default=None, min_length=1, description="separator of several labels in one field, e.g. ';'"
    )
    text_1: str | None = Field(default=None, description="column with the first text of a pair")
    text_2: str | None = Field(default=None, description="column with the second text of a pair")
    similarity: str | None = Field(default=None, description="column with the score of a pair")
    anchor: str | None = Field(default=None, description="column with the anchor, for pairs or triplets without scores")
    positive: str | None = Field(default=None, description="column with a text that belongs to the anchor")
    negative: ColumnNames | None = Field(
        default=None, description="column with a text that does not belong to the anchor; there may be several"
    )
    tag_column: str | None = Field(
        default=None,
        description="column with the tags of words or the spans: its name, or in CoNLL files its number",
    )
    group: str | None = Field(
        default=None, description="column of groups, whose rows stay in one split and are resampled together"
    )
    score_range: Range | None = Field(
        default=None, description="range of the scores if it is not 0,1; LOW means unrelated"
    )


class ReadingSettings(Section):
    """The format of the file, where its name does not determine it."""

    format: Literal["csv", "tsv", "json", "jsonl", "txt", "conll", "brat", "parquet", "arrow", "xlsx"] | None = Field(
        default=None, description="format of the file; default: by its suffix"
    )
    delimiter: str | None = Field(
        default=None, description="character or characters between the fields of a CSV file, or the word tab"
    )
    quoting: Literal["minimal", "none"] = Field(
        default="minimal", description="none: a quotation mark is an ordinary character"
    )
    encoding: str = Field(default="utf-8", description="character encoding of the file")
    header: bool = Field(default=True, description="the first line contains the names of the columns")
    columns: Names | None = Field(
        default=None, description="names for a file without a header, e.g. a,b,_,c; _ is not read"
    )
    sheet: str | None = Field(default=None, description="sheet of an Excel workbook that has several")


class SplitSettings(Section):
    """Which examples are for training, which select the weights, and which give the verdict."""

    split: Literal["random", "ordered"] = Field(
        default="random", description="random by groups or units, or by the order of the rows"
    )
    validation: FractionOrFile = Field(
        default=0.1, description="fraction of the data or a FILE, to select the weights to save"
    )
    test: FractionOrFile = Field(default=0.1, description="fraction of the data or a FILE, for the verdict")
    train_size: int | None = Field(
        default=None, ge=1, description="number of rows for training, from the first one, with --split ordered"
    )
    cross_fit: int | None = Field(
        default=None,
        ge=0,
        description="folds, each tested by a model that was not trained on it; 0: none; default: 5 for small data",
    )
    leave_out: str | None = Field(
        default=None,
        description="texts that must not be trained on, e.g. of a later test; rows that contain one are skipped",
    )
    split_version: Literal[1] = Field(default=1, description="version of the split algorithm")


class EncoderSettings(Section):
    """The encoder: how token vectors become one embedding, and how much of a text it reads."""

    pooling: Literal["auto", "mean", "cls", "max"] = Field(
        default="auto", description="how token vectors become one; auto: as in the checkpoint, otherwise mean"
    )
    max_length: int | None = Field(
        default=None,
        ge=4,
        description="maximum tokens of a text; default: the limit of the checkpoint, or 128 for blocks of plain text",
    )
    truncation: Literal["head", "head_and_tail"] = Field(
        default="head",
        description="part of a longer text that is read: its head, or a quarter from its head and the rest from its "
        "tail",
    )
    dropout: float | None = Field(
        default=None, ge=0, lt=1, description="dropout in training; default: as in the checkpoint"
    )
    trust_saved_model: bool = Field(
        default=False, description="open a SavedModel, a program that TensorFlow runs; its maker must be trusted"
    )
    allow_unknown_tokens: bool = Field(
        default=False, description="train although the tokenizer of the checkpoint does not know most of the text"
    )


class TrainingSettings(Section):
    """The training loop: loss, optimizer, schedule, early stopping, and the weights to save."""

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
        description="loss to minimize; auto: angular_mse for scored pairs, multiple_negatives_ranking for pairs "
        "without scores, cross_entropy for one label per text, binary_cross_entropy for several, masked_cross_entropy "
        "for plain text",
    )
    class_weights: Literal["none", "balanced"] = Field(
        default="none", description="balanced: every class has the same weight in the loss, even a rare one"
    )
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="share of each label that is distributed over all classes"
    )
    epochs: float = Field(default=2, gt=0, description="passes over the data (labels, texts: 3, entities: 5)")
    batch_size: int = Field(default=32, ge=1, description="examples per step (plain text: 16)")
    microbatch_size: int | None = Field(
        default=None, ge=1, description="examples in memory at once; without dropout the result does not change"
    )
    freeze: Literal["none", "embeddings", "body"] | Annotated[int, Field(ge=1)] = Field(
        default="none",
        description="weights that stay as they are: the embeddings, these and so many of the lowest layers, e.g. 3, or "
        "the whole body, so that only the head learns",
    )
    lora: Lora | None = Field(
        default=None,
        description="low-rank adapters that learn while the body stays as it is, e.g. r=16; also r=16,alpha=32, "
        "dropout=0.1 and targets=query+value; default: none",
    )
    slices: int = Field(
        default=1, ge=1, description="parts of a batch that several processes can share (a power of two)"
    )
    threads: int | None = Field(
        default=None, ge=1, description="threads of each process; default: all cores, or an equal share for every slice"
    )
    speedups: Literal["all", "dropout", "embeddings", "none"] = Field(
        default="all",
        description="what computes steps faster than PyTorch's own operations on a processor: masks of dropout, "
        "gradients of embeddings",
    )
    learning_rate: float = Field(
        default=2e-5, ge=0, description="peak learning rate (labels, texts: 5e-05); with --lora ten times as much"
    )
    optimizer: Literal["adamw", "adam"] = Field(
        default="adamw", description="adamw: with decoupled weight decay, adam: without weight decay"
    )
    adam_beta1: float = Field(default=0.9, ge=0, lt=1, description="decay of the running mean of the gradient")
    adam_beta2: float = Field(default=0.999, ge=0, lt=1, description="decay of the running mean of its square")
    adam_epsilon: float = Field(default=1e-8, gt=0, description="constant in the denominator of Adam")
    weight_decay: float = Field(default=0.01, ge=0, description="decoupled weight decay (adamw only)")
    schedule: Literal["linear", "constant", "cosine"] = Field(
        default="linear", description="learning rate after the warm-up"
    )
    warmup_ratio: float = Field(
        default=0.1, ge=0, le=1, description="share of the steps in which the learning rate rises"
    )
    max_grad_norm: float | None = Field(
        default=1.0, gt=0, description="largest global norm of the gradient; none: no clipping"
    )
    max_grad_norm_per_weight: float | None = Field(
        default=None, gt=0, description="largest norm of the gradient of each weight (clipnorm in Keras)"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto",
        description="arithmetic of training; auto: bf16 where the hardware supports it; evaluation is always fp32",
    )
    group_by_length: bool | None = Field(
        default=None,
        description="put texts of similar length into one batch; default: yes, except with in-batch negatives",
    )
    monitor: str | None = Field(
        default=None,
        description="value that selects the best weights and stops training, e.g. train/epoch_loss; default: the "
        "metric of the verdict on validation",
    )
    patience: int | None = Field(
        default=None, ge=1, description="epochs without improvement after which training stops; default: never"
    )
    min_delta: float = Field(default=0.0, ge=0, description="smallest change of the monitored value that counts")
    keep: Literal["best", "last"] = Field(default="best", description="weights to save")
    checkpoint_minutes: float = Field(
        default=10.0, gt=0, description="maximum minutes between two snapshots; each epoch also ends with one"
    )


class MaskingSettings(Section):
    """Masked language modelling: how plain texts are cut into blocks, and which tokens are masked in training."""

    mlm_probability: float = Field(
        default=0.15, gt=0, lt=1, description="share of the tokens masked in training; evaluation always masks 0.15"
    )
    whole_word: bool = Field(
        default=False, description="mask all tokens of a word together; Chinese words need the segmentation extra"
    )
    line_by_line: bool = Field(
        default=False, description="one block per text, cut at its end, instead of several blocks for a long text"
    )
    extend_vocabulary: int = Field(
        default=0,
        ge=0,
        description="number of tokens to add for words of the training texts that the tokenizer breaks into pieces; "
        "whole words decide then",
    )
    ablate_vocabulary: bool = Field(
        default=False, description="also train without the new tokens, and report the paired difference"
    )


class SearchSettings(Section):
    """The search: learning rates and numbers of epochs to compare on the validation split first."""

    search: int = Field(
        default=0,
        ge=0,
        description="trials of learning rate and epochs, the first with those of the recipe; the best on validation "
        "is used; 0: no search",
    )
    search_minutes: float | None = Field(
        default=None, gt=0, description="minutes after which no further trial starts; default: no limit"
    )
    search_rates: Range = Field(
        default=(1e-5, 3e-4), description="range of the learning rates to try (with --lora ten times as much)"
    )


class EvaluationSettings(Section):
    """The proof: the metric of the verdict, its interval, and the test of general ability."""

    primary_metric: str | None = Field(
        default=None, description="metric of the verdict, fixed before training; default: that of the task"
    )
    keep_contaminated: bool = Field(
        default=False,
        description="test on texts that were learned from, too; a gain is then not counted while there are any",
    )
    general: str | None = Field(
        default=None,
        description="data from outside the domain, to measure forgetting; scored pairs, texts with the same labels, "
        "or sts-benchmark from the Hub",
    )
    keep_general: str | None = Field(
        default=None,
        description="like --general; the adapted weights are merged with those of the checkpoint until the general "
        "score loses at most half the margin",
    )
    general_score_range: Range | None = Field(
        default=None, description="range of the scores of the general set if it is not 0,1"
    )
    general_margin: float | None = Field(
        default=None,
        gt=0,
        description="loss of general ability that still counts as KEPT; default: 0.01, or 0.05 nats per masked token",
    )
    mask_draws: int = Field(default=3, ge=1, description="number of times that each test text is masked (plain text)")
    pll: int = Field(
        default=0,
        ge=0,
        description="words of the test texts to predict token by token, for a loss that is comparable across "
        "tokenizers (plain text); 0: none",
    )
    bootstrap_draws: int = Field(
        default=10_000, ge=200, description="bootstrap resamples of the test set for each interval"
    )
    seeds: int = Field(
        default=0,
        ge=0,
        description="training runs with different seeds, 5 or more; the interval then covers the variance between "
        "them; 0: one run",
    )
    evaluation_batch_size: int = Field(
        default=64, ge=1, description="texts evaluated at once; the result does not change"
    )
    calibrate: bool = Field(
        default=True, description="fit a temperature on validation, to calibrate probabilities (labels)"
    )
    target_precision: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="precision of the predicted labels, reached by abstaining, e.g. 0.95 (one label per text)",
    )
    alternatives: bool = Field(
        default=True,
        description="also keep what may be used instead: before/, the checkpoint with its fitted head, and baseline/, "
        "a bag of words that the model is not shown to beat",
    )
    titles: Names | None = Field(
        default=None,
        description="texts of the heat map, or a FILE with one per line; default: selected from the data",
    )


class AnnotationSettings(Section):
    """The data: whether more of it would help, and which texts to label next."""

    learning_curve: bool = Field(
        default=False,
        description="also train on 5, 10, 25 and 50% of the training data, to see whether more data would help",
    )
    unlabelled: str | None = Field(
        default=None, description="texts without labels; next_to_label.csv lists those to label next"
    )
    label_next: int = Field(default=200, ge=1, description="number of texts in next_to_label.csv")


class CleaningSettings(Section):
    """How texts are changed before the model reads them, in training and whenever it is used."""

    clean: Names = Field(
        default=(),
        description="steps of cleaning in their order, or light, heavy or none; default: what the checkpoint has",
    )
    clean_language: str | None = Field(default=None, description="language of the stop words, such as en or zh")
    ablate_cleaning: bool = Field(
        default=False, description="also train without cleaning, and report the paired difference"
    )


class InspectionSettings(Section):
    """The look at the data before anything is trained."""

    audit: bool = Field(default=True, description="look for duplicates, shortcuts and doubtful labels first")
    strict: bool = Field(default=False, description="stop before training where the audit finds a problem or warns")
