"""The settings: the whole recipe, and what it was run with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from homeground.results.record import RunRecord, part
from homeground.wording import shorten


def settings(record: RunRecord) -> dict[str, Any]:
    """Return the recipe section by section, and the versions and hashes that name the run."""
    top = {name: value for name, value in record.recipe.items() if not isinstance(value, Mapping)}
    sections = [("", top)] if top else []
    for name, value in record.recipe.items():
        if isinstance(value, Mapping) and value:
            sections.append((name, cast(dict[str, Any], value)))
    return {
        "sections": [
            {"name": name, "values": [(key, _text(value)) for key, value in values.items()]}
            for name, values in sections
        ],
        "facts": _facts(record),
    }


def _text(value: Any) -> str:
    """Return a setting as TOML would write it, without the quotation marks."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(_text(item) for item in cast(list[Any], value))
    return shorten(value, 400)


def _facts(record: RunRecord) -> list[tuple[str, str]]:
    run = record.run
    checkpoint = record.checkpoint
    facts: list[tuple[str, Any]] = [
        ("Homeground", run.get("homeground")),
        *((str(name), value) for name, value in part(run, "versions").items()),
        ("checkpoint", checkpoint.get("name")),
        ("checkpoint revision", checkpoint.get("revision")),
        ("checkpoint sha256", checkpoint.get("sha256")),
        ("test set sha256", part(record.scores, "test_set").get("hash")),
        ("verdicts on this test set", part(record.scores, "test_set").get("verdict_number")),
        ("interval", part(record.scores, "difference").get("method")),
        ("started", run.get("started")),
        ("finished", run.get("finished")),
    ]
    return [(name, shorten(value, 400)) for name, value in facts if value not in (None, "")]
