"""Checkpoints on the Hub that Homeground can adapt, and which of them suit a language and a task.

The facts are in catalog.toml, each entry with its source; tests/checkpoint/test_catalog.py holds them together.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from homeground.errors import UsageError, nearest

MULTILINGUAL = "multilingual"
"""Stands in ``languages`` for about a hundred of them."""

MAX_OWN_LANGUAGES = 3
"""Languages up to which a checkpoint counts as one for just these."""

LARGEST_PROPOSED_MILLIONS = 300
"""Parameters above which a checkpoint is not proposed for a laptop."""

SMALL_MILLIONS = 70

UNTRIED_FAMILIES = ("eurobert",)
"""Architectures that no test of ours covers; they are listed and not proposed."""

MAX_PROPOSALS = 3

SENTENCE_TASKS = ("similarity",)
"""Tasks that need a checkpoint whose vectors of texts can be compared before any training."""


@dataclass(frozen=True)
class CatalogEntry:
    """A checkpoint on the Hub.

    ``kind`` says whether the repository holds the head of a masked language model or a sentence encoder. ``languages``
    are ISO 639-1 codes, the first of them "multilingual" where there are about a hundred. ``millions`` are the
    parameters of the body; ``max_length`` is in tokens; ``weights`` is the format of the weights, where "pickle" needs
    ``homeground convert`` first. ``source`` is the page of the checkpoint, ``read`` where its facts were read.
    """

    name: str
    family: str
    kind: Literal["masked-lm", "sentence-encoder"]
    languages: tuple[str, ...]
    domain: str
    licence: str
    max_length: int
    tokenizer: str
    vocabulary: int
    layers: int
    hidden: int
    intermediate: int
    millions: float
    weights: Literal["safetensors", "pickle", "unknown"]
    released: int
    good_for: str
    source: str
    read: str = ""

    @property
    def is_multilingual(self) -> bool:
        """Whether it knows many languages."""
        return len(self.languages) > MAX_OWN_LANGUAGES

    def knows(self, language: str) -> bool:
        """Return whether a language is among those it was pretrained on; of a hundred the main ones are listed."""
        return language in self.languages or MULTILINGUAL in self.languages

    def suits(self, task: str) -> bool:
        """Return whether it can be adapted to a task as it is: a new head can be fitted to any of them."""
        if task in SENTENCE_TASKS:
            return self.kind == "sentence-encoder"
        return task != "mlm" or self.kind == "masked-lm"


@cache
def catalog() -> tuple[CatalogEntry, ...]:
    """Return all entries, in the order of the file."""
    text = files("homeground.checkpoint").joinpath("catalog.toml").read_text(encoding="utf-8")
    tables: list[dict[str, Any]] = tomllib.loads(text)["checkpoint"]
    return tuple(map(_entry, tables))


def _entry(table: dict[str, Any]) -> CatalogEntry:
    fields = dict(table)
    fields["languages"] = tuple(table["languages"])
    return CatalogEntry(**fields)


def find_entry(name: str) -> CatalogEntry | None:
    """Return the entry of a checkpoint by its name, with or without the owner; None for one that is not listed."""
    entries = {key: each for each in catalog() for key in (each.name.rpartition("/")[2].lower(), each.name.lower())}
    return entries.get(name.lower())


def select(*, language: str | None = None, task: str | None = None, domain: str | None = None) -> list[CatalogEntry]:
    """Return the entries for a language (ISO 639-1), a task and a domain, those of one language first, then by size.

    Raises:
        UsageError: the language is no code of two letters, or no entry has the domain.
    """
    domains = sorted({each.domain for each in catalog()})
    if language is not None and not re.fullmatch(r"[a-zA-Z]{2}", language):
        raise UsageError(f"--language: got {language!r}, expected a code of two letters, such as en, zh or it")
    if domain is not None and domain not in domains:
        raise UsageError(f"--domain: got {domain!r}; {nearest(domain, domains)}")
    return _fitting([] if language is None else [language.lower()], task, domain)


def _fitting(languages: Sequence[str], task: str | None, domain: str | None) -> list[CatalogEntry]:
    chosen = [
        each
        for each in catalog()
        if all(map(each.knows, languages))
        and (task is None or each.suits(task))
        and (domain is None or each.domain == domain)
    ]
    return sorted(chosen, key=lambda each: (each.is_multilingual, each.millions))


def propose(languages: Sequence[str], task: str, *, max_tokens: float = 0.0) -> list[CatalogEntry]:
    """Return up to three checkpoints to compare: a small one, a usual one, and one of many languages or long texts.

    All of them know all the languages. Only those of general domain, up to ``LARGEST_PROPOSED_MILLIONS``, and weights
    in safetensors are proposed where there are any; ``max_tokens`` is how long most texts are.
    """
    fitting = [
        each
        for each in _fitting(languages, task, "general")
        if each.millions <= LARGEST_PROPOSED_MILLIONS and each.family not in UNTRIED_FAMILIES
    ]
    own = [each for each in fitting if not each.is_multilingual]
    many = [each for each in fitting if each.is_multilingual]
    ordered = [*_safe_first(own), *_safe_first(many)]
    if long := [each for each in ordered if each.max_length >= max_tokens]:
        ordered = long
    small = [each for each in ordered if each.millions <= SMALL_MILLIONS]
    usual = [each for each in ordered if each.millions > SMALL_MILLIONS]
    newest = sorted(usual, key=lambda each: -each.released)
    picks: dict[str, CatalogEntry] = {}
    for group in (small, usual, newest, ordered):
        free = [each for each in group if each.name not in picks]
        if free and len(picks) < MAX_PROPOSALS:
            picks[free[0].name] = free[0]
    return list(picks.values())


def _safe_first(entries: Sequence[CatalogEntry]) -> list[CatalogEntry]:
    return sorted(entries, key=lambda each: each.weights != "safetensors")
