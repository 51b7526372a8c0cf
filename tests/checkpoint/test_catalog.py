"""The table of checkpoints: its facts fit together, its page is up to date, and what it proposes suits."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from docs.catalog import DOCUMENT, with_tables

from homeground.checkpoint import CatalogEntry, catalog, find_entry, propose, select
from homeground.cli import run as command
from homeground.errors import UsageError

TASKS = ("mlm", "similarity", "classification", "token-classification")


def computed_millions(entry: CatalogEntry) -> float:
    """Return the parameters of the body from its sizes, in millions."""
    vocabulary, hidden, inner, layers = entry.vocabulary, entry.hidden, entry.intermediate, entry.layers
    attention, norm = 4 * (hidden * hidden + hidden), 2 * hidden
    if entry.family == "modernbert":  # no biases, no table of positions, a gated feed-forward network
        return (vocabulary * hidden + layers * (4 * hidden * hidden + 3 * hidden * inner + norm) + 2 * hidden) / 1e6
    if entry.family == "eurobert":  # gated, with fewer heads for keys and values where the model is large
        keys = hidden if layers <= 12 else hidden // 3
        return (vocabulary * hidden + layers * (2 * hidden * hidden + 2 * hidden * keys + 3 * hidden * inner)) / 1e6
    feed_forward = 2 * hidden * inner + inner + hidden
    positions = {"roberta": 514, "xlm-roberta": 514, "camembert": 514, "mpnet": 514}.get(entry.family, 512)
    if entry.name == "BAAI/bge-m3":
        positions = 8194
    pooler = 0 if entry.family == "distilbert" else hidden * hidden + hidden
    embeddings = (vocabulary + positions + 2) * hidden + norm
    return (embeddings + layers * (attention + feed_forward + 2 * norm) + pooler) / 1e6


@pytest.mark.parametrize("entry", catalog(), ids=lambda entry: entry.name)
def test_the_parameters_follow_from_the_sizes(entry: CatalogEntry):
    assert computed_millions(entry) == pytest.approx(entry.millions, rel=0.03)
    assert entry.source == f"https://huggingface.co/{entry.name}"
    assert entry.kind in ("masked-lm", "sentence-encoder")
    assert entry.weights in ("safetensors", "pickle", "unknown")
    assert all(re.fullmatch(r"[a-z]{2}|multilingual", code) for code in entry.languages)
    assert 2018 <= entry.released <= 2026
    assert entry.max_length >= 64


def test_names_are_unique_and_found_with_and_without_owner():
    names = [entry.name.lower() for entry in catalog()]
    assert len(set(names)) == len(names) >= 40
    assert find_entry("bert-base-chinese") == find_entry("google-bert/bert-base-chinese")
    assert find_entry("nobody/knows-this") is None


def test_the_page_is_made_from_the_table():
    text = Path(DOCUMENT).read_text(encoding="utf-8")
    assert with_tables(text) == text, "run python -m docs.catalog"


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("language", ["en", "zh", "it", "de", "fr", "es", "ja", "pl"])
def test_three_are_proposed_for_every_language_and_task(language: str, task: str):
    proposed = propose([language], task)
    assert len({each.name for each in proposed}) == 3
    assert all(each.knows(language) and each.suits(task) and each.domain == "general" for each in proposed)
    if any(not each.is_multilingual for each in select(language=language, task=task, domain="general")):
        assert not proposed[0].is_multilingual


def test_long_texts_get_checkpoints_that_read_them():
    assert all(each.max_length >= 2000 for each in propose(["en"], "classification", max_tokens=2000))


def test_unknown_languages_and_domains_are_refused_with_what_there_is():
    with pytest.raises(UsageError, match=r"code of two letters"):
        select(language="english")
    assert select(language="EN") == select(language="en")
    with pytest.raises(UsageError, match="biomedical"):
        select(domain="biomedicine")


def test_the_command_lists_and_prints_json(capsys: pytest.CaptureFixture[str]):
    assert command(["checkpoints", "--language", "zh", "--task", "mlm"]) == 0
    shown = capsys.readouterr().out
    assert shown.index("bert-base-chinese") < shown.index("xlm-roberta-base")
    assert command(["checkpoints", "--domain", "legal", "--json"]) == 0
    assert {each["domain"] for each in json.loads(capsys.readouterr().out)} == {"legal"}
