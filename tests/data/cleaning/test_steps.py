"""The steps of cleaning: what each does, what it leaves alone, and that no text upsets them."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.checkpoints import byte_pairs

from homeground.data.cleaning import CLEANING, PRESETS, Cleaner, expand_steps
from homeground.errors import CheckpointError, UsageError

EXAMPLES = int(os.environ.get("HOMEGROUND_EXAMPLES", "200"))

TEXTS = st.one_of(
    st.text(max_size=200),
    st.text(alphabet="<>&;/ab \n\u3000ＡＢ漢字简体のใทย.,!'’http:www.é\u0301😀\ud800", max_size=120),
)


@pytest.mark.parametrize(
    ("step", "text", "cleaned"),
    [
        ("fix_encoding", "âœ” No problems", "✔ No problems"),
        ("fix_encoding", "Žluťoučký kůň", "Žluťoučký kůň"),
        ("strip_html", "<p>Tom &amp; <b>Jer</b>ry</p>", " Tom & Jerry "),
        ("strip_html", "a < b and c > d, x<3", "a < b and c > d, x<3"),
        ("strip_html", "x<script>if (a<b) {}</script>y<!-- no -->z", "x y z"),
        ("strip_html", '<a href="x">link</a> <br/>', "link  "),
        ("normalize_width", "ＡＢＣ　１２３！", "ABC 123!"),
        ("normalize_width", "味道，不错。", "味道,不错。"),
        ("remove_urls", "see https://a.example/b?c=d, or www.b.example now", "see   or   now"),
        ("remove_urls", "看http://a.example/b，好", "看 ，好"),
        ("remove_urls", "e.g. this:that", "e.g. this:that"),
        ("remove_punctuation", "Don't stop -- now! (5%)", "Don't stop   now   5 "),
        ("remove_punctuation", "味道，不错。", "味道 不错 "),
        ("segment", "我爱北京天安门", "我 爱 北京 天安门"),
        ("segment", "plain text, as it is", "plain text, as it is"),
        ("traditional_to_simplified", "頭髮 發展", "头发 发展"),
        ("lowercase", "STRASSE İ É", "strasse İ é"),
        ("collapse_whitespace", " a\n\n b\t c\u3000", "a b c"),
    ],
)
def test_a_step(step: str, text: str, cleaned: str):
    assert Cleaner((step,)).clean(text) == cleaned


@pytest.mark.parametrize(
    ("language", "text", "cleaned"),
    [
        ("en", "The food is very good", "    food    "),
        ("zh", "这个菜的味道是很好的", "菜味道"),
        ("de", "Das ist gut", "  "),
    ],
)
def test_stop_words_are_those_of_the_language(language: str, text: str, cleaned: str):
    assert Cleaner(("remove_stop_words",), language).clean(text).split() == cleaned.split()


def test_presets_stand_for_their_steps_and_light_changes_no_word():
    assert expand_steps(["light"]) == PRESETS["light"]
    assert expand_steps(["none"]) == ()
    assert set(PRESETS["heavy"]) == set(CLEANING)
    assert Cleaner(PRESETS["light"]).clean("Plain text stays.") == "Plain text stays."


def test_what_is_not_known_is_refused_with_what_is_near():
    with pytest.raises(UsageError, match="lowercase"):
        expand_steps(["lower_case"])
    with pytest.raises(UsageError, match="twice"):
        expand_steps(["light", "strip_html"])
    with pytest.raises(UsageError, match="--clean-language"):
        Cleaner(("remove_stop_words",)).require()
    with pytest.raises(UsageError, match="no list of stop words"):
        Cleaner(("remove_stop_words",), "qq").require()


def test_a_missing_library_is_told_with_its_command(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("homeground.data.cleaning.steps.importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"needs ftfy; install it with: pip install ftfy \(.*homeground\[cleaning\]"):
        Cleaner(("fix_encoding",)).require()


def test_a_saved_cleaner_is_read_back_and_newer_ones_are_refused():
    cleaner = Cleaner(("strip_html", "remove_stop_words"), "en")
    assert Cleaner.from_settings(cleaner.settings(), where="x") == cleaner
    with pytest.raises(CheckpointError, match="newer Homeground"):
        Cleaner.from_settings({"version": 99, "steps": []}, where="model/homeground.json")
    with pytest.raises(CheckpointError, match="unknown step"):
        Cleaner.from_settings({"version": 1, "steps": ["rot13"]}, where="x")


@settings(max_examples=EXAMPLES, deadline=None)
@given(TEXTS)
def test_no_text_upsets_a_step_and_places_are_kept_where_promised(text: str):
    for name, step in CLEANING.items():
        cleaner = Cleaner((name,), "en")
        cleaned = cleaner.clean(text)
        if step.keeps_places:
            assert len(cleaned) == len(text), name
    heavy = Cleaner(PRESETS["heavy"], "en").clean(text)
    assert heavy == " ".join(heavy.split())
    assert not set(heavy) & set("<>.,!")


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=100))
def test_what_is_cleaned_can_be_tokenized(text: str):
    cleaned = Cleaner(PRESETS["heavy"], "en").clean(text)
    encoding = BYTES.encode(cleaned)
    assert all(end <= len(cleaned) for _, end in encoding.offsets)


BYTES = byte_pairs()
