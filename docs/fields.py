"""Writes the tables of fields into docs/scores.md from the models that read and write the files.

    python -m docs.fields

The tables of a file are between ``<!-- fields: Scores -->`` and ``<!-- end -->``; everything else is written by hand. A
model has a table of its own where it is large or several models use it; the fields of any other model follow, marked by
a dot, the field that holds it.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from homeground.results.audit import InspectionRecord
from homeground.results.chain import ChainRecord
from homeground.results.data import DataRecord
from homeground.results.parts import MetricValues, Record
from homeground.results.publication import ExportRecord, PublicationRecord
from homeground.results.scores import CheckpointComparison, Comparison, EvaluationRecord, Judgement, Scores

DOCUMENT = Path(__file__).with_name("scores.md")
FILES: tuple[type[Record], ...] = (
    Judgement, Scores, Comparison, EvaluationRecord, CheckpointComparison, DataRecord, ChainRecord, PublicationRecord,
    ExportRecord, InspectionRecord
)  # fmt: skip
ROOTS = {model.__name__: model for model in FILES}
KINDS = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`", type(None): "null"}

MAX_ROWS_INSIDE = 4
"""Rows that a part of a file may have in the table of the file; a part with more has a table of its own."""


def with_tables(document: str) -> str:
    """Return the document with every table of fields made anew."""
    documented: list[type[Record]] = []

    def tables(match: re.Match[str]) -> str:
        roots = [ROOTS[name] for name in match[1].split(", ")]
        lines: list[str] = []
        for model in [*roots, *(part for root in roots for part in _family(root) if _has_table(part))]:
            if model not in documented:
                lines += _section(model, heading=[model] != roots)
                documented.append(model)
        return "\n".join([f"<!-- fields: {match[1]} -->", *lines, "", "<!-- end -->"])

    return re.sub(r"<!-- fields: ([\w, ]+) -->\n.*?<!-- end -->", tables, document, flags=re.DOTALL)


def _section(model: type[Record], *, heading: bool) -> Iterator[str]:
    """Yield what a model is and its fields, without those of a model that it extends."""
    base = _base(model)
    if heading:
        yield from ("", f"### {_title(model)}", "", *_prose(model))
    if base is not Record:
        yield from ("", f"All fields of {_link(base)}, and:")
    yield from ("", "| Field | Holds | Meaning |", "|---|---|---|", *_rows(model))


def _rows(model: type[Record], depth: int = 0) -> Iterator[str]:
    """Yield a row a field, without those of a model with a table; the fields of a part without one follow it."""
    base, shown = _base(model), dict[type[Record], str]()
    for name, field in model.model_fields.items():
        inherited = base.model_fields.get(name)
        if inherited is not None and inherited.description == field.description:
            continue
        parts = [part for part in _models(field.annotation) if not _has_table(part)]
        same = next((shown[part] for part in parts if part in shown), None)
        kind = _kind(field.annotation) if same is None else f"as `{same}`"
        yield f"| {'· ' * depth}`{name}` | {kind} | {field.description} |"
        for part in parts:
            if same is None:
                yield from _rows(part, depth + 1)
            shown.setdefault(part, name)


@cache
def _has_table(model: type[Record]) -> bool:
    """Whether a model has a table of its own: files, what several models use or extend, and large parts of a file."""
    if model in FILES:
        return True
    every = {part for file in FILES for part in _family(file)}
    users = {each for each in every if model in _fields_of(each) or model in each.__bases__}
    large = len(list(_rows(model))) > MAX_ROWS_INSIDE and any(model in _fields_of(file) for file in FILES)
    return large or len(users) > 1


def _base(model: type[Record]) -> type[Record]:
    """Return the nearest model with a table that a model extends, else Record."""
    extended = [each for each in model.__mro__[1:] if issubclass(each, Record) and each is not Record]
    return next((each for each in extended if _has_table(each)), Record)


def _fields_of(model: type[Record]) -> set[type[Record]]:
    """Return the models that the fields a model does not inherit name."""
    names = [name for name in vars(model).get("__annotations__", {}) if name in model.model_fields]
    return {part for name in names for part in _models(model.model_fields[name].annotation)}


def _family(model: type[Record]) -> Iterator[type[Record]]:
    """Yield those that a model extends, the model, and those that its fields name."""
    yield from (each for each in reversed(model.__mro__) if issubclass(each, Record) and each is not Record)
    for field in model.model_fields.values():
        for part in _models(field.annotation):
            yield from _family(part)


def _models(kind: Any) -> Iterator[type[Record]]:
    if isinstance(kind, type) and issubclass(kind, Record):
        yield kind
    for part in get_args(kind):
        yield from _models(part)


def _kind(kind: Any) -> str:
    """Return what a field holds, in words."""
    if kind == MetricValues:
        return "metric → number or null"
    origin, parts = get_origin(kind), [part for part in get_args(kind) if part is not Ellipsis]
    if origin in (Union, types.UnionType):
        return ", ".join(_kind(part) for part in parts[:-1]) + f" or {_kind(parts[-1])}"
    if origin is Literal:
        return "text"
    if origin is tuple:
        return f"list of {_kind(parts[0])}".replace("list of object", "list of objects")
    if origin is dict:
        return f"name → {_kind(parts[1])}"
    if isinstance(kind, type) and issubclass(kind, Record):
        if _has_table(kind):
            return _link(kind)
        return "object" if _base(kind) is Record else f"extended {_link(_base(kind))}"
    return KINDS[kind] if kind in KINDS else _kind(parts[0])


def _title(model: type[Record]) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", model.__name__.removesuffix("Record"))
    return words[0] + words[1:].lower()


def _link(model: type[Record]) -> str:
    return f"[{_title(model).lower()}](#{_title(model).lower().replace(' ', '-')})"


def _prose(model: type[Record]) -> list[str]:
    text = re.sub(r"``([^`]*)``", r"`\1`", model.__doc__ or "")
    return [line.strip() for line in text.strip().splitlines()]


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
