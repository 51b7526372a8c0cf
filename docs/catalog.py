"""Writes the table of checkpoints into docs/checkpoints.md from checkpoint/catalog.toml.

python -m docs.catalog
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from homeground.checkpoint import CatalogEntry, catalog
from homeground.wording import number

DOCUMENT = Path(__file__).with_name("checkpoints.md")

GROUPS = (
    ("English", lambda entry: entry.languages == ("en",) and entry.domain == "general"),
    ("English, of one domain", lambda entry: entry.languages == ("en",) and entry.domain != "general"),
    ("Chinese", lambda entry: entry.languages == ("zh",)),
    ("Other languages", lambda entry: not entry.is_multilingual and entry.languages[0] not in ("en", "zh")),
    ("Many languages", lambda entry: entry.is_multilingual),
)
"""The tables, each with the entries it holds."""


def with_tables(document: str) -> str:
    """Return the document with its tables made anew."""
    tables = "\n".join(_tables())
    return re.sub(r"<!-- catalog -->\n.*?<!-- end -->", lambda _: f"<!-- catalog -->\n{tables}\n<!-- end -->", document,
                  flags=re.DOTALL)  # fmt: skip


def _tables() -> Iterator[str]:
    for title, belongs in GROUPS:
        yield from ("", f"## {title}", "", "| Checkpoint | Parameters | Kind | Tokens | Licence | Good for |")
        yield "|---|---:|---|---:|---|---|"
        for entry in sorted(filter(belongs, catalog()), key=lambda entry: (entry.domain, entry.kind, entry.millions)):
            yield _row(entry)
    yield from ("", "## Where the facts were read", "")
    for entry in catalog():
        if entry.read:
            yield f"- {entry.name}: {entry.read}"
    yield ""


def _row(entry: CatalogEntry) -> str:
    kind = "masked LM" if entry.kind == "masked-lm" else "sentence encoder"
    domain = "" if entry.domain == "general" else f"{entry.domain}: "
    languages = "" if entry.is_multilingual or entry.languages[0] in ("en", "zh") else f"{entry.languages[0]}: "
    pickled = " Weights are pickled." if entry.weights == "pickle" else ""
    return (
        f"| [{entry.name}]({entry.source}) | {number(entry.millions, 0)} M | {kind} | {entry.max_length:,} | "
        f"{entry.licence} | {languages}{domain}{entry.good_for}.{pickled} |"
    )


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
