"""The keywords of ``homeground.adapt`` and other functions, with their types.

Made from the recipe by ``python -m docs.keywords``; do not edit it.
"""

# ruff: noqa: D101 - what they are is said by their names

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Literal, TypedDict

from homeground.recipe.files import Data


class RecipeKeywords(TypedDict, total=False):
    task: str | None
    """What to learn; default: it follows from the columns."""
    checkpoint: str | PathLike[str]
    """Hub name, folder, run or saved_model:FOLDER."""
    revision: str | None
    """Commit, branch or tag of a checkpoint on the Hub."""
    engine: Literal["torch", "keras"]
    """Library that computes; keras (on TensorFlow) needs the keras extra."""
    seed: int
    """Seed of every random choice."""
    out: str | PathLike[str] | None
    """Run folder; default: runs/<data name>-<task>."""


class ColumnsKeywords(TypedDict, total=False):
    text: str | None
    """Column with the text; several, e.g. title,content, are joined by a space."""
    label: str | None
    """Column with the label, or a list of labels; several, e.g. a,b,c, hold 0 or 1, each for one class."""
    label_delimiter: str | None
    """Separator of several labels in one field, e.g. ';'."""
    text_1: str | None
    """Column with the first text of a pair."""
    text_2: str | None
    """Column with the second text of a pair."""
    similarity: str | None
    """Column with the score of a pair."""
    anchor: str | None
    """Column with the anchor, for pairs or triplets without scores."""
    positive: str | None
    """Column with a text that belongs to the anchor."""
    negative: str | None
    """Column with a text that does not belong to the anchor; there may be several."""
    tag_column: str | None
    """Column with the tags of words or the spans: its name, or in CoNLL files its number."""
    group: str | None
    """Column of groups, whose rows stay in one split and are resampled together."""
    score_range: tuple[float, float] | None
    """Range of the scores if it is not 0,1; LOW means unrelated."""


class ReadingKeywords(TypedDict, total=False):
    format: Literal["csv", "tsv", "json", "jsonl", "txt", "conll", "brat", "parquet", "arrow", "xlsx"] | None
    """Format of the file; default: by its suffix."""
    delimiter: str | None
    """Character or characters between the fields of a CSV file, or the word tab."""
    quoting: Literal["minimal", "none"]
    """None: a quotation mark is an ordinary character."""
    encoding: str
    """Character encoding of the file."""
    header: bool
    """The first line contains the names of the columns."""
    columns: Sequence[str] | str | None
    """Names for a file without a header, e.g. a,b,_,c; _ is not read."""
    sheet: str | None
    """Sheet of an Excel workbook that has several."""


class CleaningKeywords(TypedDict, total=False):
    clean: Sequence[str] | str
    """Steps of cleaning in their order, or light, heavy or none; default: what the checkpoint has."""
    clean_language: str | None
    """Language of the stop words, such as en or zh."""
    ablate_cleaning: bool
    """Also train without cleaning, and report the paired difference."""


class SplitKeywords(TypedDict, total=False):
    split: Literal["random", "ordered"]
    """Random by groups or units, or by the order of the rows."""
    validation: float | Data
    """Fraction of the data or a FILE, to select the weights to save."""
    test: float | Data
    """Fraction of the data or a FILE, for the verdict."""
    train_size: int | None
    """Number of rows for training, from the first one, with --split ordered."""
    cross_fit: int | None
    """Folds, each tested by a model that was not trained on it; 0: none; default: 5 for small data."""
    leave_out: Data | None
    """Texts that must not be trained on, e.g. of a later test; rows that contain one are skipped."""
    split_version: Literal[1]
    """Version of the split algorithm."""


class EncoderKeywords(TypedDict, total=False):
    pooling: Literal["auto", "mean", "cls", "max"]
    """How token vectors become one; auto: as in the checkpoint, otherwise mean."""
    max_length: int | None
    """Maximum tokens of a text; default: the limit of the checkpoint, or 128 for blocks of plain text."""
    truncation: Literal["head", "head_and_tail"]
    """Part of a longer text that is read: its head, or a quarter from its head and the rest from its tail."""
    dropout: float | None
    """Dropout in training; default: as in the checkpoint."""
    trust_saved_model: bool
    """Open a SavedModel, a program that TensorFlow runs; its maker must be trusted."""
    allow_unknown_tokens: bool
    """Train although the tokenizer of the checkpoint does not know most of the text."""


class MaskingKeywords(TypedDict, total=False):
    mlm_probability: float
    """Share of the tokens masked in training; evaluation always masks 0.15."""
    whole_word: bool
    """Mask all tokens of a word together; Chinese words need the segmentation extra."""
    line_by_line: bool
    """One block per text, cut at its end, instead of several blocks for a long text."""
    extend_vocabulary: int
    """Number of tokens to add for words of the training texts that the tokenizer breaks into pieces; whole words decide
    then.
    """
    ablate_vocabulary: bool
    """Also train without the new tokens, and report the paired difference."""


class TrainingKeywords(TypedDict, total=False):
    loss: Literal[
        "auto",
        "angular_mse",
        "cosine_mse",
        "cosent",
        "multiple_negatives_ranking",
        "cross_entropy",
        "binary_cross_entropy",
        "masked_cross_entropy",
    ]
    """Loss to minimize; auto: angular_mse for scored pairs, multiple_negatives_ranking for pairs without scores,
    cross_entropy for one label per text, binary_cross_entropy for several, masked_cross_entropy for plain text.
    """
    class_weights: Literal["none", "balanced"]
    """Balanced: every class has the same weight in the loss, even a rare one."""
    label_smoothing: float
    """Share of each label that is distributed over all classes."""
    epochs: float
    """Passes over the data (labels, texts: 3, entities: 5)."""
    batch_size: int
    """Examples per step (plain text: 16)."""
    microbatch_size: int | None
    """Examples in memory at once; without dropout the result does not change."""
    freeze: Literal["none", "embeddings", "body"] | int
    """Weights that stay as they are: the embeddings, these and so many of the lowest layers, e.g. 3, or the whole body,
    so that only the head learns.
    """
    lora: str | None
    """Low-rank adapters that learn while the body stays as it is, e.g. r=16; also r=16,alpha=32, dropout=0.1 and
    targets=query+value; default: none.
    """
    slices: int
    """Parts of a batch that several processes can share (a power of two)."""
    threads: int | None
    """Threads of each process; default: all cores, or an equal share for every slice."""
    speedups: Literal["all", "dropout", "embeddings", "none"]
    """What computes steps faster than PyTorch's own operations on a processor: masks of dropout, gradients of
    embeddings.
    """
    learning_rate: float
    """Peak learning rate (labels, texts: 5e-05); with --lora ten times as much."""
    optimizer: Literal["adamw", "adam"]
    """Adamw: with decoupled weight decay, adam: without weight decay."""
    adam_beta1: float
    """Decay of the running mean of the gradient."""
    adam_beta2: float
    """Decay of the running mean of its square."""
    adam_epsilon: float
    """Constant in the denominator of Adam."""
    weight_decay: float
    """Decoupled weight decay (adamw only)."""
    schedule: Literal["linear", "constant", "cosine"]
    """Learning rate after the warm-up."""
    warmup_ratio: float
    """Share of the steps in which the learning rate rises."""
    max_grad_norm: float | None
    """Largest global norm of the gradient; none: no clipping."""
    max_grad_norm_per_weight: float | None
    """Largest norm of the gradient of each weight (clipnorm in Keras)."""
    precision: Literal["auto", "fp32", "bf16"]
    """Arithmetic of training; auto: bf16 where the hardware supports it; evaluation is always fp32."""
    group_by_length: bool | None
    """Put texts of similar length into one batch; default: yes, except with in-batch negatives."""
    monitor: str | None
    """Value that selects the best weights and stops training, e.g. train/epoch_loss; default: the metric of the verdict
    on validation.
    """
    patience: int | None
    """Epochs without improvement after which training stops; default: never."""
    min_delta: float
    """Smallest change of the monitored value that counts."""
    keep: Literal["best", "last"]
    """Weights to save."""
    checkpoint_minutes: float
    """Maximum minutes between two snapshots; each epoch also ends with one."""


class SearchKeywords(TypedDict, total=False):
    search: int
    """Trials of learning rate and epochs, the first with those of the recipe; the best on validation is used; 0: no
    search.
    """
    search_minutes: float | None
    """Minutes after which no further trial starts; default: no limit."""
    search_rates: tuple[float, float]
    """Range of the learning rates to try (with --lora ten times as much)."""


class EvaluationKeywords(TypedDict, total=False):
    primary_metric: str | None
    """Metric of the verdict, fixed before training; default: that of the task."""
    keep_contaminated: bool
    """Test on texts that were learned from, too; a gain is then not counted while there are any."""
    general: Data | None
    """Data from outside the domain, to measure forgetting; scored pairs, texts with the same labels, or sts-benchmark
    from the Hub.
    """
    keep_general: Data | None
    """Like --general; the adapted weights are merged with those of the checkpoint until the general score loses at most
    half the margin.
    """
    general_score_range: tuple[float, float] | None
    """Range of the scores of the general set if it is not 0,1."""
    general_margin: float | None
    """Loss of general ability that still counts as KEPT; default: 0.01, or 0.05 nats per masked token."""
    mask_draws: int
    """Number of times that each test text is masked (plain text)."""
    pll: int
    """Words of the test texts to predict token by token, for a loss that is comparable across tokenizers (plain text);
    0: none.
    """
    bootstrap_draws: int
    """Bootstrap resamples of the test set for each interval."""
    seeds: int
    """Training runs with different seeds, 5 or more; the interval then covers the variance between them; 0: one run."""
    evaluation_batch_size: int
    """Texts evaluated at once; the result does not change."""
    calibrate: bool
    """Fit a temperature on validation, to calibrate probabilities (labels)."""
    target_precision: float | None
    """Precision of the predicted labels, reached by abstaining, e.g. 0.95 (one label per text)."""
    alternatives: bool
    """Also keep what may be used instead: before/, the checkpoint with its fitted head, and baseline/, a bag of words
    that the model is not shown to beat.
    """
    titles: Sequence[str] | str | None
    """Texts of the heat map, or a FILE with one per line; default: selected from the data."""


class AnnotationKeywords(TypedDict, total=False):
    learning_curve: bool
    """Also train on 5, 10, 25 and 50% of the training data, to see whether more data would help."""
    unlabelled: Data | None
    """Texts without labels; next_to_label.csv lists those to label next."""
    label_next: int
    """Number of texts in next_to_label.csv."""


class InspectionKeywords(TypedDict, total=False):
    audit: bool
    """Look for duplicates, shortcuts and doubtful labels first."""
    strict: bool
    """Stop before training where the audit finds a problem or warns."""


class SettingKeywords(
    RecipeKeywords,
    ColumnsKeywords,
    ReadingKeywords,
    CleaningKeywords,
    SplitKeywords,
    EncoderKeywords,
    MaskingKeywords,
    TrainingKeywords,
    SearchKeywords,
    EvaluationKeywords,
    AnnotationKeywords,
    InspectionKeywords,
    total=False,
):
    """The settings of a run but its data."""


class AdaptKeywords(SettingKeywords, total=False):
    """The settings of a run."""

    data: Data
    """File to adapt to."""


class MeasureKeywords(ColumnsKeywords, ReadingKeywords, total=False):
    """The settings of a measurement."""

    task: str | None
    """What to learn; default: it follows from the columns."""
    engine: Literal["torch", "keras"]
    """Library that computes; keras (on TensorFlow) needs the keras extra."""
    seed: int
    """Seed of every random choice."""
    pooling: Literal["auto", "mean", "cls", "max"]
    """How token vectors become one; auto: as in the checkpoint, otherwise mean."""
    max_length: int | None
    """Maximum tokens of a text; default: the limit of the checkpoint, or 128 for blocks of plain text."""
    truncation: Literal["head", "head_and_tail"]
    """Part of a longer text that is read: its head, or a quarter from its head and the rest from its tail."""
    trust_saved_model: bool
    """Open a SavedModel, a program that TensorFlow runs; its maker must be trusted."""
    primary_metric: str | None
    """Metric of the verdict, fixed before training; default: that of the task."""
    keep_contaminated: bool
    """Test on texts that were learned from, too; a gain is then not counted while there are any."""
    mask_draws: int
    """Number of times that each test text is masked (plain text)."""
    pll: int
    """Words of the test texts to predict token by token, for a loss that is comparable across tokenizers (plain text);
    0: none.
    """
    bootstrap_draws: int
    """Bootstrap resamples of the test set for each interval."""
    evaluation_batch_size: int
    """Texts evaluated at once; the result does not change."""
