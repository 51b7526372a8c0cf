"""Writes the tables of fields into docs/scores.md from the models that read and write the files.

    python -m docs.fields

A table stands between ``<!-- fields: Scores -->`` and ``<!-- end -->``. Every model that a field names gets a table of
its own, once in the document; everything else in it is written by hand.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from homeground.results.chain import ChainRecord
from homeground.results.data import DataRecord
from homeground.results.parts import MetricValues, Record
from homeground.results.publication import PublicationRecord
from homeground.results.scores import CheckpointComparison, Comparison, EvaluationRecord, Judgement, Scores

DOCUMENT = Path(__file__).with_name("scores.md")
FILES: tuple[type[Record], ...] = (
    Judgement, Scores, Comparison, EvaluationRecord, CheckpointComparison, DataRecord, ChainRecord, PublicationRecord
)  # fmt: skip
ROOTS = {model.__name__: model for model in FILES}
KINDS = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`", type(None): "null"}


def with_tables(document: str) -> str:
    """Return the document with every table of fields made anew."""
    documented: list[type[Record]] = [Record]

    def tables(match: re.Match[str]) -> str:
        roots = [ROOTS[name] for name in match[1].split(", ")]
        lines: list[str] = []
        for model in [*roots, *(part for root in roots for part in _family(root))]:
            if model not in documented:
                lines += _section(model, documented, heading=[model] != roots)
                documented.append(model)
        return "\n".join([f"<!-- fields: {match[1]} -->", *lines, "", "<!-- end -->"])

    return re.sub(r"<!-- fields: ([\w, ]+) -->\n.*?<!-- end -->", tables, document, flags=re.DOTALL)


def _section(model: type[Record], documented: list[type[Record]], *, heading: bool) -> Iterator[str]:
    """Yield what a model is and its fields, without those of a model that it extends."""
    base = next(each for each in model.__mro__ if each in documented)
    if heading:
        yield from ("", f"### {_title(model)}", "", *_prose(model))
    if base is not Record:
        yield from ("", f"All fields of {_link(base)}, and:")
    yield from ("", "| Field | Holds | Meaning |", "|---|---|---|")
    for name, field in model.model_fields.items():
        inherited = base.model_fields.get(name)
        if inherited is None or inherited.description != field.description:
            yield f"| `{name}` | {_kind(field.annotation)} | {field.description} |"


def _family(model: type[Record]) -> Iterator[type[Record]]:
    """Yield those that a model extends, the model, and those that its fields name."""
    yield from (each for each in reversed(model.__mro__) if issubclass(each, Record))
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
        return f"list of {_kind(parts[0])}"
    if origin is dict:
        return f"name → {_kind(parts[1])}"
    if isinstance(kind, type) and issubclass(kind, Record):
        return _link(kind)
    return KINDS[kind] if kind in KINDS else _kind(parts[0])


def _title(model: type[Record]) -> str:
    words = re.sub(r"(?<=[a-z]{2})(?=[A-Z])", " ", model.__name__.removesuffix("Record"))
    return words[0] + words[1:].lower() if words != "McNemar" else words


def _link(model: type[Record]) -> str:
    return f"[{_title(model).lower()}](#{_title(model).lower().replace(' ', '-')})"


def _prose(model: type[Record]) -> list[str]:
    text = re.sub(r"``([^`]*)``", r"`\1`", model.__doc__ or "")
    return [line.strip() for line in text.strip().splitlines()]


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
