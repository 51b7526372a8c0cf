"""Texts with spans in every format: each file is read exactly, or refused with its place."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.data.annotations.writers import (
    WRITERS,
    marked,
    read,
    spans_of,
    utf8,
    utf16,
    write_conll,
    write_rows,
    write_tokens,
)

from homeground.errors import DataError, HomegroundError

PLAIN = ("Anna Li flew to Rome.", [(0, 7, "PER"), (16, 20, "LOC")])
EMOJI = ("😀 Bob met Zoë in Köln 🎉 and Ann", [(2, 5, "PER"), (10, 13, "PER"), (17, 21, "LOC"), (28, 31, "PER")])
COMBINING = ("Zoe\u0308 et Rene\u0301 a\u0300 Nice", [(0, 4, "PER"), (8, 13, "PER"), (17, 21, "LOC")])
CHINESE = ("浙商银行企业信贷部叶老桂博士则从另一个角度解读。", [(0, 4, "company"), (9, 12, "name")])
FAMILY = ("👩‍👩‍👧 Ada Lovelace 🇫🇷 Paris", [(6, 18, "PER"), (22, 27, "LOC")])
LINES = ("From: Ada Lovelace\nTo: Bob\n\nDear Bob,", [(6, 18, "PER"), (23, 26, "PER"), (33, 36, "PER")])
NOTHING: tuple[str, list[Any]] = ("Nothing is marked here.", [])

CASES = {
    "plain": [PLAIN, NOTHING],
    "emoji": [PLAIN, EMOJI],
    "combining marks": [PLAIN, COMBINING, COMBINING],
    "Chinese": [CHINESE, CHINESE, NOTHING],
    "joined emoji": [FAMILY, PLAIN],
    "several lines": [LINES, NOTHING],
    "all": [PLAIN, EMOJI, COMBINING, CHINESE, FAMILY, LINES, NOTHING],
}


@pytest.mark.parametrize(("form", "case"), list(product(WRITERS, CASES)))
def test_every_format_gives_the_same_offsets(tmp_path: Path, form: str, case: str) -> None:
    annotations = read(WRITERS[form](tmp_path, CASES[case]))
    assert spans_of(annotations) == CASES[case]


PIECES = st.sampled_from(
    ["Ada", "Zoë", "Rene\u0301", "😀", "北京", "a", "3", "…", "👩‍👩‍👧", "x-y", "ﬁn", "\u05d0\u05d1"]
)


@st.composite
def word_texts(draw: st.DrawFn) -> tuple[str, list[tuple[int, int, str]]]:
    """Return a text of words, of which some are marked."""
    text, spans = "", []
    for piece in draw(st.lists(PIECES, min_size=1, max_size=8)):
        text += draw(st.sampled_from([" ", "  ", " \n"])) if text else ""
        if draw(st.booleans()):
            spans.append((len(text), len(text) + len(piece), draw(st.sampled_from(["PER", "LOC", "a b"]))))
        text += piece
    return text, spans


CALM = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("form", [name for name in WRITERS if name != "BRAT"])
@CALM
@given(texts=st.lists(word_texts(), min_size=1, max_size=5))
def test_any_texts_are_read_back_as_they_were_written(tmp_path: Path, form: str, texts: list[Any]) -> None:
    if not any(spans for _, spans in texts):
        texts = [PLAIN, *texts]
    assert spans_of(read(WRITERS[form](tmp_path, texts))) == texts


@CALM
@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), data=st.data())
def test_any_characters_are_read_back_where_spans_have_their_text(
    tmp_path: Path, text: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    surface = text[start:end]
    if surface != surface.strip():
        return
    units = data.draw(st.sampled_from([lambda _, at: at, utf16, utf8]))
    span = {"start": units(text, start), "end": units(text, end), "label": "X", "text": surface}
    rows = [{"text": text, "spans": [span]}, {"text": PLAIN[0], "spans": []}]
    first = spans_of(read(write_rows(tmp_path / "a.jsonl", rows)))[0]
    assert first[0] == text
    assert [text[a:b] for a, b, _ in first[1]] == [surface]


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z", "Cf"]), min_size=1, max_size=4)


@CALM
@given(
    sentences=st.lists(
        st.lists(st.tuples(WORDS, st.sampled_from(["O", "B-X", "I-X", "B-Y"])), min_size=1, max_size=6), min_size=1
    )
)
def test_words_and_tags_are_the_same_in_columns_and_lists(tmp_path: Path, sentences: list[Any]) -> None:
    pairs = [
        ([word for word, _ in each], [tag for _, tag in each]) for each in [*sentences, [("a", "B-X"), ("b", "O")]]
    ]
    columns, lists = read(write_conll(tmp_path, pairs)), read(write_tokens(tmp_path, pairs))
    assert spans_of(columns) == spans_of(lists)
    assert [[each.text[a:b] for a, b in each.words or ()] for each in columns.texts] == [words for words, _ in pairs]


SENTENCES = [(["Anna", "Li", "ran", "#", "北"], ["B-PER", "I-PER", "O", "O", "B-LOC"]), (["Bob", "."], ["B-PER", "O"])]
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 10**6),
        st.integers(0, 6),
        st.sampled_from([b"", b"\n", b"\t", b'"', b"[", b"9", b"-", b"\xff", b"X", b"null"]),
    ),
    min_size=1,
    max_size=3,
)


@pytest.mark.parametrize("form", [*WRITERS, "words"])
@CALM
@given(changes=CHANGES)
def test_damaged_files_are_read_in_bounds_or_refused(tmp_path: Path, form: str, changes: list[Any]) -> None:
    path = write_conll(tmp_path, SENTENCES) if form == "words" else WRITERS[form](tmp_path, CASES["all"])
    damaged = path / "000.ann" if path.is_dir() else path
    content = damaged.read_bytes()
    for place, length, inserted in changes:
        at = place % (len(content) + 1)
        content = content[:at] + inserted + content[at + length :]
    damaged.write_bytes(content)
    try:
        annotations = read(path)
    except HomegroundError:
        return
    for each in annotations.texts:
        ends = [place for span in each.spans for place in (span.start, span.end)]
        assert ends == sorted(ends)
        assert all(each.text[span.start : span.end].strip() and span.label for span in each.spans)
        assert not ends or ends[-1] <= len(each.text)


# ---- Offsets in other units ------------------------------------------------------------------------------------------

UNITS = {"UTF-16 units": utf16, "bytes of UTF-8": utf8}


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_recognised_by_word_boundaries_and_said(tmp_path: Path, unit: str) -> None:
    texts = [PLAIN, EMOJI, NOTHING]
    rows = [
        {"text": t, "label": [[UNITS[unit](t, a), UNITS[unit](t, b), x] for a, b, x in spans]} for t, spans in texts
    ]
    annotations = read(write_rows(tmp_path / "a.jsonl", rows))
    assert spans_of(annotations) == texts
    assert annotations.description == f"texts and spans; offsets in {unit}"


def test_graphemes_are_recognised(tmp_path: Path) -> None:
    rows = [{"text": COMBINING[0], "label": [[0, 3, "PER"], [7, 11, "PER"], [14, 18, "LOC"]]}] * 2
    annotations = read(write_rows(tmp_path / "a.jsonl", rows))
    assert spans_of(annotations) == [COMBINING] * 2
    assert annotations.description.endswith("offsets in graphemes")


def test_carriage_returns_that_were_not_counted_are_recognised(tmp_path: Path) -> None:
    text = "From: Ada\r\nTo: Bob\r\nCc: Eve Li\r\n"
    places = [(6, 9), (14, 17), (22, 28)]
    rows = [{"text": text, "spans": [{"start": a, "end": b, "label": "PER"} for a, b in places]}]
    annotations = read(write_rows(tmp_path / "a.jsonl", rows))
    assert marked(annotations) == [[("Ada", "PER"), ("Bob", "PER"), ("Eve Li", "PER")]]
    assert annotations.description.endswith("CR LF as one")


def test_inclusive_ends_are_recognised_and_said(tmp_path: Path) -> None:
    rows = [{"text": PLAIN[0], "label": [[0, 6, "PER"], [16, 19, "LOC"]]}] * 2
    annotations = read(write_rows(tmp_path / "a.jsonl", rows))
    assert spans_of(annotations) == [PLAIN] * 2
    assert annotations.description == "texts and spans; offsets in characters, ends inclusive"


def test_offsets_in_doubt_are_refused(tmp_path: Path) -> None:
    texts = [EMOJI[0]] * 4
    right = [[3, 6, "PER"], [11, 14, "PER"], [18, 22, "LOC"]]
    rows = [
        {"text": text, "label": right if place < 3 else [[2, 5, "PER"]] * 1 + [[10, 13, "X"]]}
        for place, text in enumerate(texts)
    ]
    with pytest.raises(
        DataError, match=r"in what are its offsets counted\? of .* UTF-16 units.* add the text of every"
    ):
        read(write_rows(tmp_path / "a.jsonl", rows))


def test_offsets_that_nothing_tells_apart_are_characters_and_that_is_said(tmp_path: Path) -> None:
    rows = [{"text": "😀 x Bob", "label": [[4, 7, "PER"]]}, {"text": "ran", "label": []}]
    annotations = read(write_rows(tmp_path / "a.jsonl", rows))
    assert marked(annotations)[0] == [("Bob", "PER")]
    assert annotations.notes == ()
    rows = [{"text": "😀北北北北", "label": [[2, 3, "PER"]]}, {"text": "ran", "label": []}]
    (note,) = read(write_rows(tmp_path / "a.jsonl", rows)).notes
    assert "1 span stands after characters such as emoji, and nothing tells whether" in note


# ---- Refused ---------------------------------------------------------------------------------------------------------

TEXT = "Anna Li flew to Rome."
REFUSED: dict[str, tuple[object, str]] = {
    "beyond the text": ([[16, 25, "LOC"]], 'row 2: the span [16, 25, "LOC"] ends beyond the text, which has 21 char'),
    "end before start": ([[7, 0, "PER"]], 'row 2: the span [7, 0, "PER"] ends before it begins or is empty'),
    "empty": ([[7, 7, "PER"]], 'row 2: the span [7, 7, "PER"] ends before it begins or is empty'),
    "before the text": ([[-1, 7, "PER"]], 'row 2: the span [-1, 7, "PER"] begins before the text'),
    "white space": ([[4, 5, "PER"]], 'row 2: the span [4, 5, "PER"] holds white space alone'),
    "overlapping": (
        [[0, 7, "PER"], [5, 12, "X"]],
        'row 2: the spans [0, 7, "PER"] "Anna Li" and [5, 12, "X"] "Li flew": they overlap',
    ),
    "nested": ([[0, 7, "PER"], [5, 7, "X"]], '[0, 7, "PER"] "Anna Li" and [5, 7, "X"] "Li": one lies in the other'),
    "two labels": ([[0, 7, "PER"], [0, 7, "X"]], "are one with two labels"),
    "a number as label": ([[0, 7, 3]], "holds the span [0, 7, 3], whose label is a number; write the name"),
    "several labels": ([{"start": 0, "end": 7, "labels": ["A", "B"]}], "holds a span with several labels"),
    "no label": ([{"start": 0, "end": 7}], "without a label; expected [start, end"),
    "half a character": ([[0.5, 7, "PER"]], 'holds the span [0.5, 7, "PER"]; expected whole numbers'),
    "four values": ([[0, 7, "PER", "Anna"]], 'holds [0, 7, "PER", "Anna"]; expected [start, end, "LABEL"]'),
    "points without a start": ([{"label": ["A"], "points": [{"text": "x"}]}], "expected [start, end"),
    "two numbers": ([[0, 7]], 'holds [0, 7]; expected [start, end, "LABEL"]'),
    "a text": ("Anna", 'holds "Anna"; expected a list of spans'),
    "another text": (
        [{"start": 0, "end": 7, "label": "PER", "text": "Bob Li"}],
        'the span [0, 7, "PER"] is "Anna Li" in the text, but its own text is "Bob Li", which is not there nearby',
    ),
    "inclusive and not": (
        {"PER": {"Anna Li": [[0, 6]]}, "LOC": {"Rome": [[3]]}},
        'holds [3] under "LOC"; expected [start, end]',
    ),
}


@pytest.mark.parametrize(("value", "problem"), REFUSED.values(), ids=REFUSED)
def test_a_span_that_cannot_be_one_is_named_with_its_row(tmp_path: Path, value: object, problem: str) -> None:
    good: dict[str, object] = {"text": PLAIN[0], "spans": [list(each) for each in PLAIN[1]]}
    rows = [good, {"text": TEXT, "spans": value}, good, good, good]
    with pytest.raises(DataError, match=re.escape(problem)) as refused:
        read(write_rows(tmp_path / "a.jsonl", rows))
    assert "row 2" in str(refused.value)


def test_a_span_that_cuts_a_character_is_refused(tmp_path: Path) -> None:
    rows = [{"text": t, "label": [[utf16(t, a), utf16(t, b), x] for a, b, x in spans]} for t, spans in [EMOJI] * 9]
    rows[3]["label"] = [[1, 3, "X"]]
    with pytest.raises(DataError, match=r"row 4: .*inside a character of the text, counted in UTF-16 units"):
        read(write_rows(tmp_path / "a.jsonl", [*rows]))


def test_offsets_that_are_slightly_wrong_are_repaired_by_the_text_and_counted(tmp_path: Path) -> None:
    spans = [{"start": 0, "end": 7, "label": "PER", "text": "Anna Li"}]
    wrong = [
        {"start": 18, "end": 22, "label": "LOC", "text": "Rome"},
        {"start": 0, "end": 5, "label": "PER", "text": "Anna "},
    ]
    rows = [*[{"text": TEXT, "spans": spans}] * 5, {"text": TEXT, "spans": [*wrong, wrong[1]]}]
    annotations = read(write_rows(tmp_path / "a.jsonl", rows))
    assert marked(annotations)[-1] == [("Anna", "PER"), ("Rome", "LOC")]
    notes = " ".join(annotations.notes)
    assert "1 span had offsets that are wrong by up to 3 characters" in notes
    assert "2 spans began or ended with white space" in notes
    assert "1 span stood in the file twice" in notes


# ---- Tables that hold no annotations ---------------------------------------------------------------------------------

NO_ANNOTATIONS: dict[str, dict[str, object]] = {
    "a label": {"text": "a b", "label": "x"},
    "labels": {"text": "a b", "label": ["x", "y"]},
    "sentences": {"sentences": ["We show that.", "It is so."], "labels": ["O", "method"]},
    "numbers": {"text": "a b", "label": [0, 1, 0]},
    "a pair": {"text_1": "a", "text_2": "b", "score": 0.5},
    "nothing": {"text": "a b", "label": []},
    "parts of speech": {"tokens": ["a", "b"], "pos_tags": ["DET", "NOUN"]},
    "words alone": {"tokens": ["a", "b"]},
    "objects": {"text": "a b", "meta": {"source": "x", "page": 3}},
}


@pytest.mark.parametrize("row", NO_ANNOTATIONS.values(), ids=NO_ANNOTATIONS)
def test_a_table_without_annotations_is_not_taken_for_one(tmp_path: Path, row: dict[str, object]) -> None:
    with pytest.raises(DataError, match="which columns hold annotations"):
        read(write_rows(tmp_path / "a.jsonl", [row] * 12))


# ---- Words and tags in JSON ------------------------------------------------------------------------------------------

TOKENS: dict[str, tuple[dict[str, object], str]] = {
    "unequal": ({"tokens": ["Bob", "ran"], "tags": ["B-PER"]}, 'row 2: column "tags" holds 1 tag for the 2 words in'),
    "no tag": (
        {"tokens": ["Bob", "ran"], "tags": ["B-PER", None]},
        'row 2, word 2: column "tags" holds null; expected',
    ),
    "an unknown tag": ({"tokens": ["Bob"], "tags": ["X-PER"]}, 'row 2, word 1: the tag "X-PER" is of no scheme'),
    "a text for words": (
        {"tokens": "Bob ran", "tags": ["O", "O"]},
        'row 2: column "tokens" holds "Bob ran"; expected a',
    ),
}


@pytest.mark.parametrize(("row", "problem"), TOKENS.values(), ids=TOKENS)
def test_lists_that_do_not_fit_are_named_with_their_row(tmp_path: Path, row: dict[str, object], problem: str) -> None:
    good: dict[str, object] = {"tokens": ["Anna", "Li", "flew"], "tags": ["B-PER", "I-PER", "O"]}
    with pytest.raises(DataError, match=re.escape(problem)):
        read(write_rows(tmp_path / "a.jsonl", [good, row, good, good]))


def test_tags_that_are_numbers_are_refused_with_how_to_name_them(tmp_path: Path) -> None:
    rows = [{"tokens": ["Anna", "ran"], "ner_tags": [1, 0]}] * 3
    with pytest.raises(
        DataError, match=r"numbers, such as 1, and the file has no names for them; write the names, e.g."
    ):
        read(write_rows(tmp_path / "a.jsonl", rows))


def test_a_sentence_without_words_is_set_aside(tmp_path: Path) -> None:
    good: dict[str, object] = {"tokens": ["Anna", "", "ran"], "tags": ["B-PER", "O", "O"]}
    annotations = read(write_rows(tmp_path / "a.jsonl", [good, {"tokens": [], "tags": []}, good]))
    assert annotations.set_aside == {"no words": [2]}
    assert marked(annotations) == [[("Anna", "PER")]] * 2
    assert any("2 words of white space alone are left out" in note for note in annotations.notes)


SENTENCE = ["Anna,NN,B-PER", ",ran,VB,O", ",.,.,O"]
WORD_ROWS = [
    "Sentence #,Word,POS,Tag",
    *(line if line[0] == "," else f"{n},{line}" for n in range(4) for line in SENTENCE),
]


def test_a_table_with_a_word_a_row_is_read_where_it_names_sentences(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\n".join(WORD_ROWS), encoding="utf-8")
    annotations = read(tmp_path / "a.csv")
    assert spans_of(annotations) == [("Anna ran .", [(0, 4, "PER")])] * 4
    assert [each.row for each in annotations.texts] == [1, 4, 7, 10]
    (tmp_path / "a.csv").write_text(
        "\n".join(WORD_ROWS).replace("3,Anna,NN,B-PER", "3,Anna,NN,X-PER"), encoding="utf-8"
    )
    with pytest.raises(DataError, match='row 10: the tag "X-PER" is of no scheme'):
        read(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("\n".join(WORD_ROWS).replace("Sentence #", "number"), encoding="utf-8")
    with pytest.raises(DataError, match='nothing says where sentences end; name them in a column "sentence_id"'):
        read(tmp_path / "a.csv")
