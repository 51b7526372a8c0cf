"""A run folder as one value: everything that the report and the model card are made from."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from homeground.errors import DataError
from homeground.results.chain import ChainRecord
from homeground.results.data import CheckpointRecord, DataRecord
from homeground.results.parts import Record
from homeground.results.publication import ExportRecord, read_exports
from homeground.results.run import (
    BASELINE,
    BEFORE,
    CHAIN_FILE,
    CLEANING_FILE,
    MADE_FROM_RUNS,
    REMADE,
    SCORES_FILE,
    VOCABULARY_FILE,
)
from homeground.results.scores import SCORES_VERSION, Comparison, Scores
from homeground.storage import FRESH, parse_json, require_listed

Model = TypeVar("Model", bound=Record)

READ = (SCORES_FILE, "data.json", "recipe.toml", "metrics.jsonl", "examples.jsonl", *MADE_FROM_RUNS)
"""The files that a report is made from, besides run.json."""


@dataclass(frozen=True)
class RunRecord:
    """The contents of a run folder; a file that is not there is empty here.

    ``metrics`` and ``examples`` are the lines of their files, in order, without the test examples that are left out of
    the verdict. ``alternatives`` are the folders of what was kept beside the adapted model, ``exports`` the
    records of what was made of it for other runtimes. All text is printable (see
    ``printable``).
    """

    name: str
    scores: Scores
    data: DataRecord = field(default_factory=DataRecord)
    chain: ChainRecord | None = None
    cleaning: Comparison | None = None
    vocabulary: Comparison | None = None
    run: Mapping[str, Any] = field(default_factory=dict[str, Any])
    recipe: Mapping[str, Any] = field(default_factory=dict[str, Any])
    metrics: tuple[Mapping[str, Any], ...] = ()
    examples: tuple[Mapping[str, Any], ...] = ()
    alternatives: tuple[str, ...] = ()
    exports: tuple[ExportRecord, ...] = ()

    @property
    def checkpoint(self) -> CheckpointRecord:
        """The checkpoint that was adapted; only the name in the recipe where data.json is missing."""
        return (
            self.data.checkpoint if self.data.checkpoint.name else CheckpointRecord(name=self.recipe.get("checkpoint"))
        )

    def setting(self, section: str, name: str) -> Any:
        """Return a setting of the recipe, such as ``setting("training", "loss")``; None where it is not there."""
        return self.recipe.get(section, {}).get(name)


def read_run(folder: Path) -> RunRecord:
    """Return the record of the run in ``folder``; only scores.json must be there.

    Raises DataError when the folder holds no scores, or when one of its files cannot be read: it is no JSON, or a
    field holds something else than docs/scores.md says; DamagedFile where one is not as the run wrote it.
    """
    for name in READ:
        require_listed(folder, name, REMADE if name in (SCORES_FILE, *MADE_FROM_RUNS) else FRESH)
    if not (folder / "scores.json").is_file():
        raise DataError(
            f"{folder}: holds no scores.json; a report needs a finished run. "
            'Finish the run by giving its "homeground adapt" command again.'
        )
    scores = _read_json(folder / "scores.json")
    if scores.get("version") != SCORES_VERSION:
        raise DataError(
            f"{folder / 'scores.json'}: version is {scores.get('version')!r}; expected {SCORES_VERSION}. "
            "Use the Homeground that wrote this run, or update."
        )
    return RunRecord(
        name=printable(folder.resolve().name),
        scores=_validated(Scores, scores, folder / "scores.json"),
        data=_validated(DataRecord, _read_json(folder / "data.json"), folder / "data.json"),
        chain=_optional(ChainRecord, folder / CHAIN_FILE),
        cleaning=_optional(Comparison, folder / CLEANING_FILE),
        vocabulary=_optional(Comparison, folder / VOCABULARY_FILE),
        run=_read_json(folder / "run.json"),
        recipe=_read_toml(folder / "recipe.toml"),
        metrics=_read_lines(folder / "metrics.jsonl"),
        examples=tuple(line for line in _read_lines(folder / "examples.jsonl") if not line.get("left_out")),
        alternatives=tuple(name for name in (BEFORE, BASELINE) if (folder / name).is_dir()),
        exports=read_exports(folder),
    )


def _optional(model: type[Model], path: Path) -> Model | None:
    values = _read_json(path)
    return _validated(model, values, path) if values else None


def _validated(model: type[Model], values: Mapping[str, Any], path: Path) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        more = f" ({error.error_count() - 1} more like this)" if error.error_count() > 1 else ""
        raise DataError(
            f'{path}: field "{place}": {first["msg"]}; got {str(first["input"])[:80]!r}{more}. '
            "The file was changed, or another version of Homeground wrote it."
        ) from error


def _invisible() -> dict[int, str]:
    controls = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\t\n\r"}
    bidirectional = {code: f"⟨U+{code:04X}⟩" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
    invalid = dict.fromkeys((*range(0x80, 0xA0), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF), "\ufffd")
    return controls | {0x7F: "\u2421"} | bidirectional | invalid


_VISIBLE = _invisible()


def printable(text: str) -> str:
    r"""Return the text with every character that could upset a page replaced by a visible sign.

    Control characters become their Unicode pictures; characters that turn the direction of writing are spelled out,
    because one of them in a title could reverse the numbers beside it; half surrogates become U+FFFD.

    >>> printable("a\x00b\u202ec")
    'a␀b⟨U+202E⟩c'
    """
    return text.translate(_VISIBLE)


def printable_values(value: Any) -> Any:
    """Return a JSON value with all its text, keys included, made printable."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [printable_values(item) for item in cast(list[Any], value)]
    if isinstance(value, dict):
        return {printable(key): printable_values(item) for key, item in cast(dict[str, Any], value).items()}
    return value


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text ({error}).") from error


def _parse(path: Path, text: str, *, line: int | None = None) -> dict[str, Any]:
    place = str(path) if line is None else f"{path}, line {line}"
    try:
        # NaN and Infinity are no JSON, though Python writes them: here they are numbers that could not be computed.
        value = parse_json(text, parse_constant=lambda _: None)
    except ValueError as error:
        raise DataError(f"{place}: is not JSON ({error}); the file was changed or cut short.") from error
    if not isinstance(value, dict):
        raise DataError(f"{place}: holds a {type(value).__name__}; expected a JSON object.")
    return cast(dict[str, Any], printable_values(value))


def _read_json(path: Path) -> dict[str, Any]:
    text = _read_text(path)
    return _parse(path, text) if text else {}


def _read_lines(path: Path) -> tuple[dict[str, Any], ...]:
    # Only "\n" ends a line: splitlines() would also split at U+2028 inside a text. What follows the last one is a line
    # that a killed run did not finish.
    lines = _read_text(path).split("\n")[:-1]
    return tuple(_parse(path, line, line=number) for number, line in enumerate(lines, start=1) if line.strip())


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        value = tomllib.loads(_read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path}: is not TOML ({error}); the file was changed or cut short.") from error
    return cast(dict[str, Any], printable_values(value))
