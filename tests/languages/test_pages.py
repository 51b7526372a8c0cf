"""Templates and pages in the language in use."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from tests.audit.corpora import sentences, write
from tests.conftest import FAST

import homeground
from homeground.cli import run as command
from homeground.languages import use_language
from homeground.languages.pages import messages_in, translated_template
from homeground.reports.report import write_report

TRANSLATIONS = {
    "The recipe was trained {0}, with {1}.": "用{1}训练了 {0}。",
    "Before": "适配前",
    "{0} interval": "{0} 区间",
}


def test_runs_of_text_and_values_are_messages_and_keep_their_values():
    source = (
        '<p>The recipe was\n trained {{ a | count("time") }}, with {{ b }}.</p>{% if x > 1 %}<b>Before</b>{% endif %}'
    )
    assert list(messages_in(source)) == ["The recipe was trained {0}, with {1}.", "Before"]
    translated = translated_template(source, TRANSLATIONS.get)
    assert translated == '<p>用{{ b }}训练了 {{ a | count("time") }}。</p>{% if x > 1 %}<b>适配前</b>{% endif %}'


def test_what_people_read_in_tags_is_translated_and_nothing_else():
    source = (
        '<td class="Before {{ tone }}" data-label="{{ level }} interval" aria-label="Before"><bdi>{{ name }}</bdi></td>'
    )
    translated = translated_template(source, TRANSLATIONS.get)
    assert 'class="Before {{ (tone) | verbatim }}"' in translated
    assert 'data-label="{{ level }} 区间"' in translated
    assert 'aria-label="适配前"' in translated
    assert "<bdi>{{ (name) | verbatim }}</bdi>" in translated


@pytest.fixture(scope="module")
def run(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> homeground.Run:
    """A run whose labels are words that messages use too."""
    names = {"good": "before", "bad": "train"}
    rows = [(text, names.get(label, label)) for text, label in sentences(120)]
    data = write(tmp_path_factory.mktemp("data") / "texts.csv", ["text", "label"], rows)
    settings: Any = {**FAST, "checkpoint": str(encoder), "epochs": 1, "quiet": True, "audit": True}
    return homeground.adapt(str(data), out=str(tmp_path_factory.mktemp("run") / "run"), **settings)


@pytest.fixture
def chinese() -> Iterator[None]:
    use_language("zh")
    yield
    use_language(None)


def attributes(page: str, name: str) -> list[str]:
    return re.findall(rf'\b{name}="([^"]*)"', page)


def test_the_report_is_in_chinese_and_the_same_otherwise(run: homeground.Run, chinese: None):
    use_language("en")
    english = write_report(run.folder).read_text(encoding="utf-8")
    use_language("zh")
    page = write_report(run.folder).read_text(encoding="utf-8")
    assert '<html lang="zh-Hans">' in page
    assert "适配前" in page
    for name in ("class", "id", "href", "style", "d", "x", "width"):
        assert attributes(page, name) == attributes(english, name)
    quoted = [re.findall(r"<bdi[^>]*>(.*?)</bdi>", each, re.DOTALL) for each in (english, page)]
    assert quoted[0] == quoted[1]
    use_language("en")
    assert write_report(run.folder).read_text(encoding="utf-8") == english


def test_no_english_sentence_is_left_on_the_page(run: homeground.Run, chinese: None):
    page = write_report(run.folder).read_text(encoding="utf-8")
    page = re.sub(r"<(style|pre|bdi|code)\b.*?</\1>", "", page, flags=re.DOTALL)
    texts = [unescape(text).strip() for text in re.findall(r">([^<]+)<", page)]
    texts += [unescape(text) for name in ("aria-label", "data-label", "title") for text in attributes(page, name)]
    # Three English words in a row, names of steps, files and rows of data apart.
    left = [text for text in texts if re.search(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}", re.sub(r'"[^"]*"', "", text))]
    assert left == []


def test_files_for_programs_stay_english(run: homeground.Run, chinese: None):
    assert json.loads((run.folder / "scores.json").read_text())["sentence"].isascii()
    card = (run.model_folder / "README.md").read_text(encoding="utf-8")
    assert not re.search(r"[\u4e00-\u9fff]", card)


def test_the_command_line_speaks_the_language(run: homeground.Run, capsys: pytest.CaptureFixture[str]):
    assert command(["runs", str(run.folder.parent), "--language", "zh"]) == 0
    assert "适配后" in capsys.readouterr().out
    assert command(["--language", "zh", "report", "nowhere"]) == 2
    assert re.search(r"[\u4e00-\u9fff]", capsys.readouterr().err)
    assert command(["report", "nowhere"]) == 2
    assert not re.search(r"[\u4e00-\u9fff]", capsys.readouterr().err)


def test_the_page_of_an_inspection_is_in_chinese(tmp_path: Path):
    data = write(tmp_path / "texts.csv", ["text", "label"], sentences(60))
    page = tmp_path / "page.html"
    assert command(["inspect", str(data), "--page", str(page), "--language", "zh"]) == 0
    assert '<html lang="zh-Hans">' in page.read_text(encoding="utf-8")
