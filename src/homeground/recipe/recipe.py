"""The recipe: the validated settings of a run.

One list of fields defines the sections of a TOML file, the flags of ``homeground adapt``, the keywords of
``homeground.adapt`` and the ``recipe.toml`` of a run. A flag is the name of a field with dashes; ``--set
section.field=value`` sets the same fields by their full names. There is no second list.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, cast

import tomli_w
from pydantic import Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from homeground.errors import UsageError
from homeground.recipe.files import SAVED_MODEL_PREFIX, is_in_memory, join_files, split_files
from homeground.recipe.lora import LEARNING_RATE_FACTOR
from homeground.recipe.sections import (
    FEWEST_SEEDS,
    AnnotationSettings,
    CleaningSettings,
    ColumnSettings,
    EncoderSettings,
    EvaluationSettings,
    InspectionSettings,
    MaskingSettings,
    ReadingSettings,
    SearchSettings,
    Section,
    SplitSettings,
    TrainingSettings,
)
from homeground.recipe.usual_names import nearest_setting

FILES = (
    ("", "data"),
    ("split", "validation"),
    ("split", "test"),
    ("split", "leave_out"),
    ("evaluation", "general"),
    ("evaluation", "keep_general"),
    ("annotation", "unlabelled"),
)
"""The settings that may be the path of a file, as section and field."""

BENCHMARKS = ("sts-benchmark",)
"""General sets that have a name instead of a file."""

EXPECTED_OF = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    **dict.fromkeys(("missing", "too_long"), "the lowest and the highest value, such as 0,5"),
    "tuple_type": "several values, such as a,b",
}
"""What would be right where a value has the wrong type, by the type of pydantic's error."""


def names_benchmark(name: str, folder: Path = Path()) -> bool:
    """Return whether a general set is the name of a benchmark; a file of that name in ``folder`` takes precedence."""
    return name in BENCHMARKS and not (folder / name).is_file()


class Recipe(Section):
    """The settings of a run, section by section."""

    data: str = Field(description="file to adapt to")
    task: str | None = Field(default=None, description="what to learn; default: it follows from the columns")
    checkpoint: str = Field(default="minilm", description="Hub name, folder, run or saved_model:FOLDER")
    revision: str | None = Field(default=None, description="commit, branch or tag of a checkpoint on the Hub")
    engine: Literal["torch", "keras"] = Field(
        default="torch", description="library that computes; keras (on TensorFlow) needs the keras extra"
    )
    seed: int = Field(default=0, ge=0, description="seed of every random choice")
    out: str | None = Field(default=None, description="run folder; default: runs/<data name>-<task>")
    columns: ColumnSettings = ColumnSettings()
    reading: ReadingSettings = ReadingSettings()
    cleaning: CleaningSettings = CleaningSettings()
    split: SplitSettings = SplitSettings()
    encoder: EncoderSettings = EncoderSettings()
    masking: MaskingSettings = MaskingSettings()
    training: TrainingSettings = TrainingSettings()
    search: SearchSettings = SearchSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    annotation: AnnotationSettings = AnnotationSettings()
    inspection: InspectionSettings = InspectionSettings()

    @model_validator(mode="before")
    @classmethod
    def _compute_saved_models_with_keras(cls, values: Any) -> Any:
        """A SavedModel is computed by TensorFlow, so nobody needs to say so."""
        if isinstance(values, dict) and str(values.get("checkpoint")).startswith(SAVED_MODEL_PREFIX):  # pyright: ignore[reportUnknownMemberType]
            return {"engine": "keras", **cast(dict[str, Any], values)}
        return values

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        if self.split.train_size is not None and self.split.split != "ordered":
            raise ValueError("--train-size needs --split ordered; a random split takes fractions")
        if self.split.split == "ordered" and self.columns.group is not None:
            raise ValueError("--split ordered keeps rows in order and --group keeps groups together; choose one")
        decays = "weight_decay" in self.training.model_fields_set and self.training.weight_decay > 0
        if self.training.optimizer == "adam" and decays:
            raise ValueError("--optimizer adam has no weight decay; use --optimizer adamw or --weight-decay 0")
        if self.training.slices & (self.training.slices - 1):
            raise ValueError(f"--slices {self.training.slices}: expected a power of two: 1, 2, 4, 8 …")
        if self.training.freeze != "none" and self.engine == "keras":
            raise ValueError("--freeze is for PyTorch only; leave it out with --engine keras")
        self._refuse_beside_lora()
        if (self.training.slices > 1 or self.training.threads) and self.engine == "keras":
            raise ValueError("--slices and --threads are for PyTorch only; leave them out with --engine keras")
        if self.split.cross_fit and (isinstance(self.split.test, str)):
            raise ValueError(
                "--cross-fit tests all examples of the data in turn, --test FILE those of FILE; choose one"
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
            raise ValueError(
                "--search 1 would try only the recipe itself; expected 2 or more trials, or 0 for no search"
            )
        if self.search.search_minutes is not None and not self.search.search:
            raise ValueError("--search-minutes limits a search; add --search N, the number of trials")
        if 2 <= self.evaluation.seeds < FEWEST_SEEDS:
            raise ValueError(
                f"--seeds {self.evaluation.seeds}: too few training runs to estimate their variance; expected "
                f"{FEWEST_SEEDS} or more, or 0 for one run and an interval over test items only"
            )
        if self.evaluation.titles is not None and len(self.evaluation.titles) < 2:
            raise ValueError("--titles: a heat map compares at least two texts, e.g. a,b,c")
        if self.cleaning.ablate_cleaning and not self.cleaning.clean:
            raise ValueError("--ablate-cleaning trains with and without cleaning; name the steps with --clean")
        if self.masking.ablate_vocabulary and not self.masking.extend_vocabulary:
            raise ValueError(
                "--ablate-vocabulary trains with and without new tokens; give their number with --extend-vocabulary"
            )
        if self.masking.extend_vocabulary and self.evaluation.keep_general:
            raise ValueError(
                "--keep-general merges weights of both models, and those of --extend-vocabulary have other shapes; "
                "choose one, or add --general to measure what is lost"
            )
        if self.inspection.strict and not self.inspection.audit:
            raise ValueError("--strict stops at what the audit finds, and --no-audit leaves it out; choose one")
        if not self.reading.header and self.reading.columns is None:
            raise ValueError("--no-header needs --columns a,b,_,c to name the columns")
        return self

    def _refuse_beside_lora(self) -> None:
        if self.training.lora is None:
            return
        if self.engine == "keras":
            raise ValueError("--lora is for PyTorch only; leave it out with --engine keras")
        if self.training.freeze != "none":
            raise ValueError(
                f"--lora leaves all weights of the body as they are, and --freeze {self.training.freeze} some of them; "
                "choose one"
            )
        if self.masking.extend_vocabulary:
            raise ValueError(
                "--lora leaves the embeddings as they are, and --extend-vocabulary adds some that must be learned; "
                "choose one"
            )

    def for_task(self, task: str, defaults: Mapping[str, Mapping[str, Any]]) -> Recipe:
        """Return the recipe with its task, and with the defaults of the task for the settings that are not set.

        ``defaults`` are values by section and field, e.g. ``{"training": {"epochs": 3}, "split": {"test": 0.1}}``.
        """
        changes: dict[str, Any] = {"task": task}
        for section, values in defaults.items():
            current: Section = getattr(self, section)
            missing = {name: value for name, value in values.items() if name not in current.model_fields_set}
            changes[section] = current.model_copy(update=missing)
        return self.model_copy(update=changes)._with_rates_of_lora(self)

    def _with_rates_of_lora(self, asked: Recipe) -> Recipe:
        """Return the recipe with larger learning rates for adapters, where those who ``asked`` have set none."""
        if self.training.lora is None:
            return self
        training, search = self.training, self.search
        if "learning_rate" not in asked.training.model_fields_set:
            rate = LEARNING_RATE_FACTOR * training.learning_rate
            training = training.model_copy(update={"learning_rate": rate})
        if "search_rates" not in asked.search.model_fields_set:
            low, high = search.search_rates
            rates = (LEARNING_RATE_FACTOR * low, LEARNING_RATE_FACTOR * high)
            search = search.model_copy(update={"search_rates": rates})
        return self.model_copy(update={"training": training, "search": search})

    def with_training(self, **values: float | str) -> Recipe:
        """Return the recipe with other values in [training]."""
        return self.model_copy(update={"training": self.training.model_copy(update=values)})

    def with_sections(self, **sections: Mapping[str, Any]) -> Recipe:
        """Return the recipe with new sections: their values, and the defaults for all other fields."""
        changed = {name: type(getattr(self, name)).model_validate(values) for name, values in sections.items()}
        return self.model_copy(update=changed)

    def to_toml(self, folder: Path | None = None) -> str:
        """Return the recipe as TOML with every default written out; a setting without a value is left out or "none".

        With ``folder``, where the file will be, paths are made relative to it, as ``read_recipe`` expects them.
        """
        values = self.model_dump(mode="json", exclude_none=True)
        if folder is not None:
            kind, place = _checkpoint_place(self.checkpoint)
            if place != "minilm" and Path(place).exists():
                values["checkpoint"] = f"{kind}./" + Path(os.path.relpath(place, folder)).as_posix()
            values = _with_paths(values, lambda file: _relative_to(folder, file))
        # Whom to trust is said by the user each time, never by a file.
        del values["encoder"]["trust_saved_model"]
        for setting in settings():
            table = values[setting.section] if setting.section else values
            if setting.name == "trust_saved_model":
                continue
            if setting.name not in table and setting.field.default is not None:
                table[setting.name] = "none"
        return tomli_w.dumps(values)


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of the recipe, as a flag or full name: ``training.batch_size`` is ``--batch-size``."""

    section: str
    name: str
    field: FieldInfo

    @property
    def flag(self) -> str:
        """The flag of the command line, e.g. ``--batch-size``."""
        return "--" + self.name.replace("_", "-")

    @property
    def path(self) -> tuple[str, ...]:
        """The keys of the value in a nested dictionary, e.g. ``("training", "batch_size")``."""
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


def read_recipe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the nested settings of a TOML file, with the paths in it resolved from its folder.

    Paths are the data files, and a checkpoint that begins with ``./`` or ``../``.

    Raises:
        UsageError: the file is missing, is not TOML, or is the recipe of a chain.
    """
    values = read_toml(path)
    if isinstance(values.get("domain"), dict):
        raise UsageError(f"{path}: the recipe of a chain, not of one run; use homeground.adapt_chain")
    return resolve_paths(values, Path(path).parent)


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the values of a TOML file as they are.

    Raises:
        UsageError: the file is missing or is not TOML.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); expected the path of a recipe in TOML") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML ({error})") from None


def resolve_paths(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the nested settings of a file in ``folder`` with its paths relative to the working directory.

    Raises:
        UsageError: the file itself says whom to trust.
    """
    for table in (values, values.get("encoder")):
        if isinstance(table, dict) and "trust_saved_model" in table:
            raise UsageError("trust_saved_model cannot be set in a file, which may come from anybody; give the flag")
    # A checkpoint is a path only if it begins like one; any other name may be one on the Hub.
    kind, place = _checkpoint_place(str(values.get("checkpoint")))
    if place.startswith(("./", "../")):
        values["checkpoint"] = kind + str(folder / place)

    def resolve(file: str) -> str:
        if names_benchmark(file, folder) or is_in_memory(file):
            return file
        return join_files(str(folder / each) for each in split_files(file, folder))

    return _with_paths(values, resolve)


def _checkpoint_place(name: str) -> tuple[str, str]:
    """Return what stands before the place of a checkpoint, ``saved_model:`` or nothing, and the place."""
    kind = SAVED_MODEL_PREFIX if name.startswith(SAVED_MODEL_PREFIX) else ""
    return kind, name.removeprefix(kind)


def _relative_to(folder: Path, file: str) -> str:
    """Return a path as it is written in a recipe in ``folder``."""
    if names_benchmark(file) or is_in_memory(file):
        return file
    return join_files(Path(os.path.relpath(each, folder)).as_posix() for each in split_files(file))


def _with_paths(values: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """Return nested settings with ``change`` applied to every path of a file."""
    for section, name in FILES:
        table = values.get(section, {}) if section else values
        if isinstance(table, dict) and isinstance(table.get(name), str) and table[name] != "none":
            table[name] = change(table[name])
    return values


def make_recipe(nested: Mapping[str, Any] | None = None, /, **flat: Any) -> Recipe:
    """Return the validated recipe of nested settings (a TOML file) overlaid with flat ones (flags or keywords).

    A flat name is the name of a field (``batch_size``) or its full name (``training.batch_size``).

    Raises:
        UsageError: a name is unknown, a value has the wrong type or range, or two settings contradict each other.
    """
    values = {key: dict(value) if isinstance(value, Mapping) else value for key, value in (nested or {}).items()}
    sections = {setting.section for setting in settings()}
    for name in sections & set(values):
        if not isinstance(values[name], dict):
            raise UsageError(f"[{name}] of the recipe is {values[name]!r}; expected a table of settings")
    by_name = {setting.name: setting for setting in settings()}
    by_name |= {".".join(setting.path): setting for setting in settings()}
    for name, value in flat.items():
        if name not in by_name:
            raise UsageError(f'unknown setting "{name}"; {nearest_setting(name, [s.name for s in settings()])}')
        setting = by_name[name]
        table = values.setdefault(setting.section, {}) if setting.section else values
        table[setting.name] = _as_typed(setting, value)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        # Of a value that may be a number or a text, an empty text is wrong as a text.
        first = min(error.errors(), key=lambda each: each["type"] != "string_too_short")
        raise UsageError(_explain(first)) from None


def _as_typed(setting: Setting, value: Any) -> Any:
    """Return a value as it could be typed on the command line: a path, such as a ``Run``, as its text.

    Raises UsageError for what is neither the path of a file nor a table where one is expected.
    """
    if isinstance(value, os.PathLike):
        return os.fspath(cast(os.PathLike[str], value))
    if (setting.section, setting.name) not in FILES or isinstance(value, str | int | float | None):
        return value
    if isinstance(value, list | tuple) and value and all(isinstance(each, str | os.PathLike) for each in value):
        return join_files(os.fspath(each) for each in cast(list[str], value))
    raise UsageError(
        f"{setting.name} is a {type(value).__name__}; expected the path of a file, or a table: a list of dicts, a "
        "pandas or polars DataFrame, an Arrow table, or a datasets.Dataset"
    )


def _explain(error: ErrorDetails) -> str:
    """Return the message of a validation error: the flag, the value we got, and what is expected."""
    parts = [str(part) for part in error["loc"]]
    by_path = {setting.path: setting for setting in settings()}
    setting = by_path.get(tuple(parts[:2])) or by_path.get(tuple(parts[:1]))
    if error["type"] == "missing" and parts == ["data"]:
        return "no data; give the file to adapt to, e.g. homeground adapt pairs.csv"
    if error["type"] == "extra_forbidden":
        names = [".".join(path) for path in by_path]
        return f'unknown setting "{".".join(parts)}"; {nearest_setting(".".join(parts), names)}'
    if setting is None:
        return error["msg"].removeprefix("Value error, ")
    message = EXPECTED_OF.get(error["type"]) or error["msg"].removeprefix("Input should be ")
    message = message.removeprefix("Value error, ")
    return f"{setting.flag} (recipe: {'.'.join(setting.path)}): got {error['input']!r}; expected {message}"
