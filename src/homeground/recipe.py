"""The recipe: everything a run was told to do, as validated settings.

One list of fields serves four readers: the sections of a TOML file, the flags of ``homeground adapt``, the keywords of
``homeground.adapt`` and the resolved ``recipe.toml`` of a run. A flag is a field's name with dashes; ``--set
section.field=value`` reaches the same fields by their full names. There is no second list.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

import tomli_w
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from homeground.errors import UsageError, nearest


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
FILES = (
    ("", "data"),
    ("split", "validation"),
    ("split", "test"),
    ("split", "leave_out"),
    ("evaluation", "general"),
    ("evaluation", "keep_general"),
    ("annotation", "unlabelled"),
)
"""The settings that may name a file, as section and field."""

FEWEST_SEEDS = 5
"""With so many trainings Student's t is 2.8; with 3 it would be 4.3, and the verdict hardly ever HELPED."""

BENCHMARKS = ("sts-benchmark",)
"""Names that a general set may have instead of a file's."""

FractionOrFile = Annotated[Fraction | str, BeforeValidator(_number_or_text)]


def names_benchmark(name: str, folder: Path = Path()) -> bool:
    """Tell whether a general set is one that is known by name; a file of that name in ``folder`` goes before it."""
    return name in BENCHMARKS and not (folder / name).is_file()


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


class Recipe(Section):
    """Everything a run was told to do."""

    data: str = Field(description="file to adapt to")
    task: Literal["mlm", "similarity", "classification"] | None = Field(
        default=None, description="what is learned, else it follows from the columns"
    )
    checkpoint: str = Field(default="minilm", description="pretrained weights: a Hub name, a folder, a run, or minilm")
    revision: str | None = Field(default=None, description="commit, branch or tag of a Hub checkpoint")
    engine: Literal["torch"] = Field(default="torch", description="library that computes")
    seed: int = Field(default=0, ge=0, description="every random choice follows from it")
    out: str | None = Field(default=None, description="run folder, else runs/<data name>-<task>")
    columns: Columns = Columns()
    reading: Reading = Reading()
    split: Split = Split()
    encoder: Encoder = Encoder()
    masking: Masking = Masking()
    training: Training = Training()
    search: Search = Search()
    evaluation: Evaluation = Evaluation()
    annotation: Annotation = Annotation()

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        if self.split.train_size is not None and self.split.split != "ordered":
            raise ValueError("--train-size needs --split ordered; a random split is told by fractions")
        if self.split.split == "ordered" and self.columns.group is not None:
            raise ValueError("--split ordered keeps rows in order and --group keeps groups together; choose one")
        decays = "weight_decay" in self.training.model_fields_set and self.training.weight_decay > 0
        if self.training.optimizer == "adam" and decays:
            raise ValueError("--optimizer adam has no weight decay; use --optimizer adamw or --weight-decay 0")
        if self.split.cross_fit and (isinstance(self.split.test, str)):
            raise ValueError(
                "--cross-fit tests every example of the data in turn and --test FILE brings its own; choose"
            )
        for flag, ends in (
            ("--score-range", self.columns.score_range),
            ("--general-score-range", self.evaluation.general_score_range),
            ("--search-rates", self.search.search_rates),
        ):
            if ends is not None and not ends[0] < ends[1]:
                raise ValueError(f"{flag} {ends[0]:g},{ends[1]:g}: expected LOW,HIGH with LOW below HIGH")
        if self.search.search_rates[0] <= 0:
            raise ValueError(f"--search-rates {self.search.search_rates[0]:g},…: expected learning rates above 0")
        if self.search.search == 1:
            raise ValueError("--search 1 would try the recipe alone; expected 2 trials or more, or 0 for no search")
        if self.search.search_minutes is not None and not self.search.search:
            raise ValueError("--search-minutes bounds a search; add --search N, the number of trials")
        if 2 <= self.evaluation.seeds < FEWEST_SEEDS:
            raise ValueError(
                f"--seeds {self.evaluation.seeds}: so few trainings do not show how much they differ; expected "
                f"{FEWEST_SEEDS} or more, or 0 for one training and an interval over test items only"
            )
        if self.evaluation.titles is not None and len(self.evaluation.titles) < 2:
            raise ValueError("--titles: a heat map compares at least two texts, written a,b,c")
        if not self.reading.header and self.reading.columns is None:
            raise ValueError("--no-header needs --columns a,b,_,c to name the columns")
        return self

    def for_task(self, task: str, rows: int = 0) -> Recipe:
        """Return the recipe with its task named and, where nothing was said, with the settings that suit the task.

        ``rows`` are those of the data: of many plain texts only so many are measured as make an interval narrow.
        """
        suited = TASK_DEFAULTS.get(task, {})
        unsaid = {name: value for name, value in suited.items() if name not in self.training.model_fields_set}
        recipe = self.with_training(**unsaid).model_copy(update={"task": task})
        if task != "mlm":
            return recipe
        fraction = min(0.1, MOST_MEASURED / max(rows, 1))
        spared = {name: fraction for name in ("validation", "test") if name not in self.split.model_fields_set}
        return recipe.model_copy(update={"split": self.split.model_copy(update=spared)})

    def with_training(self, **values: float) -> Recipe:
        """Return the recipe with other values in [training]."""
        return self.model_copy(update={"training": self.training.model_copy(update=values)})

    def to_toml(self, folder: Path | None = None) -> str:
        """Return the recipe as TOML with every default written out; what is not set is left out or says "none".

        For a file that will lie in ``folder`` the paths in it are made relative to that folder, as they are read.
        """
        values = self.model_dump(mode="json", exclude_none=True)
        if folder is not None:
            if self.checkpoint != "minilm" and Path(self.checkpoint).exists():
                values["checkpoint"] = "./" + Path(os.path.relpath(self.checkpoint, folder)).as_posix()
            values = _with_paths(values, lambda file: _seen_from(file, folder))
        for setting in settings():
            table = values[setting.section] if setting.section else values
            if setting.name not in table and setting.field.default is not None:
                table[setting.name] = "none"
        return tomli_w.dumps(values)


TASK_DEFAULTS: dict[str, dict[str, float]] = {
    "classification": {"epochs": 3, "learning_rate": 5e-5},
    "mlm": {"epochs": 3, "learning_rate": 5e-5, "batch_size": 16},
}
"""Settings of [training] that suit a task better than the defaults above."""

MOST_MEASURED = 2000
"""Plain texts that validate, and as many that test, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of the recipe, seen from outside: ``training.batch_size`` is ``--batch-size``."""

    section: str
    name: str
    field: FieldInfo

    @property
    def flag(self) -> str:
        """The flag of the command line, e.g. ``--batch-size``."""
        return "--" + self.name.replace("_", "-")

    @property
    def path(self) -> tuple[str, ...]:
        """The way to the value in a nested dictionary, e.g. ``("training", "batch_size")``."""
        return (self.section, self.name) if self.section else (self.name,)


def settings() -> Iterator[Setting]:
    """Yield every setting of the recipe, the top level first, then section by section."""
    sections: list[tuple[str, type[Section]]] = []
    for name, field in Recipe.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            sections.append((name, kind))
        else:
            yield Setting("", name, field)
    for section, kind in sections:
        for name, field in kind.model_fields.items():
            yield Setting(section, name, field)


def read_recipe(path: str | Path) -> dict[str, Any]:
    """Return the nested settings of a TOML file; paths in it are relative to its own folder.

    Those are the data files, and a checkpoint that begins with ``./`` or ``../``.

    Raises:
        UsageError: the file is missing or is not TOML.
    """
    values = read_toml(path)
    if isinstance(values.get("domain"), dict):
        raise UsageError(f"{path}: holds a chain of steps, not one recipe; give it to homeground.adapt_chain")
    return placed(values, Path(path).parent)


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return what a TOML file says, word for word.

    Raises:
        UsageError: the file is missing or is not TOML.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); expected a recipe in TOML") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is not TOML ({error})") from None


def placed(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the nested settings of a file in ``folder`` with its paths as they are seen from here."""
    # A checkpoint is a path only where it says so; any other name may be one on the Hub.
    if str(values.get("checkpoint")).startswith(("./", "../")):
        values["checkpoint"] = str(folder / values["checkpoint"])
    return _with_paths(values, lambda file: file if names_benchmark(file, folder) else str(folder / file))


def _seen_from(file: str, folder: Path) -> str:
    """Return a path as it is written in a recipe that lies in ``folder``."""
    return file if names_benchmark(file) else Path(os.path.relpath(file, folder)).as_posix()


def _with_paths(values: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """Return nested settings with every file name changed."""
    for section, name in FILES:
        table = values.get(section, {}) if section else values
        if isinstance(table, dict) and isinstance(table.get(name), str) and table[name] != "none":
            table[name] = change(table[name])
    return values


def make_recipe(nested: Mapping[str, Any] | None = None, /, **flat: Any) -> Recipe:
    """Return the validated recipe of nested settings (a TOML file) overlaid by flat ones (flags or keywords).

    A flat name is a field's name (``batch_size``) or its full name (``training.batch_size``).

    Raises:
        UsageError: a name is unknown, a value has the wrong kind or range, or two settings contradict each other.
    """
    values = {key: dict(value) if isinstance(value, Mapping) else value for key, value in (nested or {}).items()}
    sections = {setting.section for setting in settings()}
    for name in sections & set(values):
        if not isinstance(values[name], dict):
            raise UsageError(f"[{name}] of the recipe is {values[name]!r}; expected a table of settings")
    known = {setting.name: setting for setting in settings()}
    known |= {".".join(setting.path): setting for setting in settings()}
    for name, value in flat.items():
        if name not in known:
            raise UsageError(f'no setting is called "{name}"; {nearest(name, [s.name for s in settings()])}')
        setting = known[name]
        table = values.setdefault(setting.section, {}) if setting.section else values
        table[setting.name] = value
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise UsageError(_explain(error.errors()[0])) from None


def _explain(error: ErrorDetails) -> str:
    """Say one validation error in the user's words: the flag, what we got, what would be right."""
    parts = [str(part) for part in error["loc"]]
    by_path = {setting.path: setting for setting in settings()}
    setting = by_path.get(tuple(parts[:2])) or by_path.get(tuple(parts[:1]))
    if error["type"] == "missing" and parts == ["data"]:
        return "no data is named; give the file to adapt to, e.g. homeground adapt pairs.csv"
    if error["type"] == "extra_forbidden":
        names = [".".join(known) for known in by_path]
        return f'no setting is called "{".".join(parts)}"; {nearest(".".join(parts), names)}'
    if setting is None:
        return error["msg"].removeprefix("Value error, ")
    message = error["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return f"{setting.flag} (recipe: {'.'.join(setting.path)}): got {error['input']!r}; expected {message}"
