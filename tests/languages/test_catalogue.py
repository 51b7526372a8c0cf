"""The catalogue of messages: complete, its places kept, and found again in finished texts."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator

import pytest
from babel.messages.mofile import write_mo
from docs.messages import LANGUAGES as FOLDER
from docs.messages import messages, read

import homeground
from homeground.errors import DataError, HomegroundWarning, UsageError
from homeground.languages import language, translate, use_language
from homeground.languages.catalogue import PLACE

CATALOG = read(FOLDER / "zh.po")
ENTRIES = [(str(each.id), str(each.string)) for each in CATALOG if each.id]


@pytest.fixture
def chinese() -> Iterator[None]:
    use_language("zh")
    yield
    use_language(None)


def test_every_message_of_the_source_has_a_translation():
    known = dict(ENTRIES)
    missing = [message for message in messages() if not known.get(message)]
    assert not missing, "run python -m docs.messages, and translate what --missing prints"


def test_the_catalogue_holds_no_message_that_the_source_has_not():
    assert {message for message, _ in ENTRIES} == set(messages())


def test_the_compiled_catalogue_is_that_of_the_text():
    compiled = io.BytesIO()
    write_mo(compiled, CATALOG)
    assert (FOLDER / "zh.mo").read_bytes() == compiled.getvalue(), "run python -m docs.messages"


def test_every_translation_has_the_places_of_its_message():
    for message, translation in ENTRIES:
        assert sorted(PLACE.findall(message)) == sorted(PLACE.findall(translation)), message


def test_flags_and_verdicts_are_kept():
    kept = re.compile(r"--[a-z][a-z-]+|\b(?:HELPED|HURT|KEPT|FORGOT|UNDECIDED)\b")
    for message, translation in ENTRIES:
        assert set(kept.findall(message)) <= set(kept.findall(translation)), message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("measuring before, on 160 test examples", "正在 160 个测试样本上测量适配前"),
        (
            "Accuracy 0.508 before and 0.708 after, a difference of +0.200 (95% interval +0.031 to +0.310)",
            "准确率 0.508（适配前），0.708（适配后），差异为 +0.200（95% 区间 +0.031 至 +0.310）",
        ),
        (
            "Loss of masked words 5.220 before and 5.200 after, a difference of +0.020 (95% interval +0.020 to +0.021, "
            "positive is better).",
            "被掩码词的损失 5.220（适配前），5.200（适配后），差异为 +0.020（95% 区间 +0.020 至 +0.021，正值为好）。",
        ),
        ('a.csv: no such file; known: "text.csv"', 'a.csv: 没有这个文件；可用的有："text.csv"'),
        ("done in 3 min 30 s", "完成，用时 3 分 30 秒"),
        ("HELPED", "HELPED（有效）"),
    ],
)
def test_finished_texts_are_translated(chinese: None, text: str, expected: str):
    assert translate(text) == expected
    assert translate(expected) == expected


@pytest.mark.parametrize(
    "text", ["an unknown sentence to nobody", "runs/text/report.html", "0.5", "", "text_1", "比较 this with that"]
)
def test_what_is_no_message_stays_as_it_is(chinese: None, text: str):
    assert translate(text) == text


def test_names_in_quotes_are_never_translated(chinese: None):
    shown = translate('t.csv: no column "before"; known: "after", "text"')
    assert '"before"' in shown
    assert '"after", "text"' in shown
    assert "列" in shown


def test_english_is_the_default_and_nothing_is_translated():
    use_language(None)
    assert translate("measuring before, on 160 test examples") == "measuring before, on 160 test examples"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_TW.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "en_GB.UTF-8", "HOMEGROUND_LANGUAGE": "zh"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "HOMEGROUND_LANGUAGE": "en"}, "en"),
        ({}, "en"),
    ],
)
def test_the_language_follows_the_environment(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
):
    for name in ("LANG", "LC_ALL", "LC_MESSAGES", "HOMEGROUND_LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language() == expected


def test_errors_and_warnings_are_shown_in_the_language_and_written_in_english(chinese: None):
    error = DataError.at("a.csv", 'no column "x"; known: "y"')
    assert str(error).startswith("a.csv: 没有列")
    assert error.args == ('a.csv: no column "x"; known: "y"',)
    assert "样本" in str(HomegroundWarning("measuring before, on 160 test examples"))
    with pytest.raises(DataError, match="没有这个文件"):
        homeground.adapt("nowhere.csv")


def test_a_language_without_a_catalogue_is_refused():
    with pytest.raises(UsageError, match="known: en, zh"):
        homeground.use_language("tlh")
    assert os.environ.get("HOMEGROUND_LANGUAGE") in (None, "en")
