"""A run folder as one value: everything the report and the model card are made from."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from homeground.errors import DataError

VERSION = 1
"""The version of scores.json that these pages understand."""


@dataclass(frozen=True)
class RunRecord:
    """What a run folder holds, as read from its files; a file that is not there is empty here.

    ``metrics`` and ``examples`` are the lines of their files, in order. All text is printable (see ``printable``).
    """

    name: str
    run: Mapping[str, Any]
    recipe: Mapping[str, Any]
    data: Mapping[str, Any]
    scores: Mapping[str, Any]
    metrics: tuple[Mapping[str, Any], ...]
    examples: tuple[Mapping[str, Any], ...]
    chain: Mapping[str, Any] = field(default_factory=lambda: {})

    @property
    def labelled(self) -> bool:
        """Whether texts were given labels, rather than pairs a similarity."""
        return self.scores.get("task") == "classification"

    @property
    def masked(self) -> bool:
        """Whether words of plain texts were masked and predicted."""
        return self.scores.get("task") == "mlm"

    @property
    def several(self) -> bool:
        """Whether a text may have several labels."""
        return "exact_match" in part(self.scores, "after")

    @property
    def scored(self) -> bool:
        """Whether pairs carry a similarity, rather than being ranked."""
        return not self.labelled and not self.masked and "mrr" not in part(self.scores, "after")

    @property
    def item(self) -> str:
        """What the test is made of: "text", "document" or "pair"."""
        if self.masked:
            return "document"
        return "text" if self.labelled and "text_1" not in part(self.data, "columns") else "pair"

    @property
    def checkpoint(self) -> Mapping[str, Any]:
        """What was adapted: its ``name``, ``sha256`` and ``revision`` as far as the run knows them."""
        found = self.run.get("checkpoint") or part(self.run, "identity").get("checkpoint")
        if isinstance(found, Mapping):
            return cast(Mapping[str, Any], found)
        if told := part(self.data, "checkpoint"):
            return told
        named: dict[str, Any] = {"name": self.recipe.get("checkpoint")}
        return named | ({"sha256": found} if found else {})


def read_run(folder: Path) -> RunRecord:
    """Return the record of the run in ``folder``; only scores.json must be there.

    Raises DataError when the folder holds no scores, or when one of its files cannot be understood.
    """
    if not (folder / "scores.json").is_file():
        raise DataError(
            f"{folder}: holds no scores.json; a report needs a finished run. "
            'Finish the run by giving its "homeground adapt" command again.'
        )
    scores = _read_json(folder / "scores.json")
    if scores.get("version") != VERSION:
        raise DataError(
            f"{folder / 'scores.json'}: version is {scores.get('version')!r}; expected {VERSION}. "
            "Use the Homeground that wrote this run, or update."
        )
    return RunRecord(
        name=printable(folder.resolve().name),
        run=_read_json(folder / "run.json"),
        recipe=_read_toml(folder / "recipe.toml"),
        data=_read_json(folder / "data.json"),
        scores=scores,
        metrics=_read_lines(folder / "metrics.jsonl"),
        examples=_read_lines(folder / "examples.jsonl"),
        chain=_read_json(folder / "chain.json"),
    )


def part(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the object of that name inside a JSON object; empty when it is missing or null.

    >>> part({"general": None}, "general").get("verdict", "not measured")
    'not measured'
    """
    return cast(Mapping[str, Any], values.get(name) or {})


def parts(values: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return the objects in the list of that name inside a JSON object; none when it is missing or null."""
    return cast(list[Mapping[str, Any]], values.get(name) or [])


def own_difference(scores: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the difference of the deciding metric for the model that is kept, with its interval over test items.

    After several trainings the verdict's own difference is about the recipe.
    """
    return part(scores, "seeds").get("saved_model") or part(scores, "difference")


def _unprintable() -> dict[int, str]:
    controls = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\t\n\r"}
    bidirectional = {code: f"⟨U+{code:04X}⟩" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
    invalid = dict.fromkeys((*range(0x80, 0xA0), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF), "\ufffd")
    return controls | {0x7F: "\u2421"} | bidirectional | invalid


_VISIBLE = _unprintable()


def printable(text: str) -> str:
    r"""Return the text with every character that could upset a page replaced by a visible sign.

    Control characters become their Unicode pictures; characters that turn the direction of writing are spelled out,
    because one of them in a title could reverse the numbers beside it; half surrogates become U+FFFD.

    >>> printable("a\x00b\u202ec")
    'a␀b⟨U+202E⟩c'
    """
    return text.translate(_VISIBLE)


def _printable_values(value: Any) -> Any:
    """Return a JSON value with all its text, keys included, made printable."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_printable_values(item) for item in cast(list[Any], value)]
    if isinstance(value, dict):
        return {printable(key): _printable_values(item) for key, item in cast(dict[str, Any], value).items()}
    return value


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text ({error}).") from error


def _parse(path: Path, text: str, *, line: int | None = None) -> dict[str, Any]:
    place = str(path) if line is None else f"{path}, line {line}"
    try:
        value = json.loads(text)
    except ValueError as error:
        raise DataError(f"{place}: is not JSON ({error}); the file was changed or cut short.") from error
    if not isinstance(value, dict):
        raise DataError(f"{place}: holds a {type(value).__name__}; expected a JSON object.")
    return cast(dict[str, Any], _printable_values(value))


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
    return cast(dict[str, Any], _printable_values(value))
