"""What a model card says once the model is for others: where it lies, its licence, and the data by its hashes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from homeground.results.record import RunRecord, part

SHOWN = 10
"""Test examples in a card that is asked to show some."""

HIDDEN = ("row", "unit")
LONGEST = 200
"""Characters of a text in such a table."""


@dataclass(frozen=True)
class Publication:
    """Where a model is published, and what its publisher says of it."""

    repository: str
    languages: tuple[str, ...] = ()
    license: Mapping[str, str] = field(default_factory=dict[str, str])
    """``license``, and for one of its own ``license_name`` and ``license_link``; empty where it is not known."""
    examples: bool = False
    """Whether texts of the test data are shown."""

    @property
    def name(self) -> str:
        """The name without its owner."""
        return self.repository.split("/")[-1]


def data_section(record: RunRecord) -> str:
    """Return what was learned from and measured on, as hashes: who has the files can check, and nobody reads them."""
    hashes = part(part(record.run, "identity"), "data")
    if not hashes:
        return ""
    rows = "\n".join(f"| {name.replace('_', ' ')} | `{digest}` |" for name, digest in hashes.items())
    version = record.run.get("homeground")
    made = f"\nMade by Homeground {version}.\n" if version else ""
    return f"## Data\n\n| Part | sha256 |\n|---|---|\n{rows}\n{made}\n"


def examples_section(record: RunRecord, plain: Callable[[Any], str]) -> str:
    """Return the first test examples with what the model made of them before and after; ``plain`` escapes a text."""
    lines = [{name: _told(value) for name, value in line.items() if name not in HIDDEN} for line in record.examples]
    if not lines:
        return ""
    names = list(lines[0])
    rows = [[plain(line.get(name, "")) for name in names] for line in lines[:SHOWN]]
    cells = [[plain(name) for name in names], ["---"] * len(names), *rows]
    table = "\n".join("| " + " | ".join(row) + " |" for row in cells)
    return f"## Examples\n\nThe first of the test examples.\n\n{table}\n\n"


def _told(value: Any) -> str:
    """Return a value of examples.jsonl as one short text."""
    if isinstance(value, Mapping):
        text = ", ".join(f"{name} {_told(inner)}" for name, inner in cast(Mapping[str, Any], value).items())
    elif isinstance(value, list):
        text = ", ".join(map(_told, cast(list[Any], value)))
    else:
        text = "" if value is None else str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
