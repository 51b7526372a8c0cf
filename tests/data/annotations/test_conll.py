"""Files in CoNLL columns: each is read exactly, or refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.data.annotations.writers import marked
from tests.data.annotations.writers import read as read_path

from homeground.data.annotations.annotated import Annotations
from homeground.errors import DataError, HomegroundError

ANNA = ["Anna\tB-PER", "Li\tI-PER", "flew\tO", "to\tO", "Rome\tB-LOC", ".\tO", ""]
BOB = ["Bob\tB-PER", "stayed\tO", ""]
BOTH = ["Anna Li flew to Rome .", "Bob stayed"]
MARKED = [[("Anna Li", "PER"), ("Rome", "LOC")], [("Bob", "PER")]]


def read(folder: Path, content: str | list[str], name: str = "data.conll", **settings: str) -> Annotations:
    """Return the annotations of a file with this content."""
    text = content if isinstance(content, str) else "\n".join(content) + "\n"
    (folder / name).write_bytes(text.encode())
    return read_path(folder / name, **settings)


SPACED = [line.replace("\t", " ") for line in ANNA + BOB]
FOUR = [line.replace("\t", "\tNN\tB-NP\t") for line in ANNA + BOB]

READ: dict[str, tuple[str, str | list[str], str]] = {
    "tabs": ("a.conll", ANNA + BOB, "BIO"),
    "spaces": ("a.bio", SPACED, "BIO"),
    "several spaces, as CoNLL-2012": ("a.iob2", [line.replace(" ", "    ") for line in SPACED], "BIO"),
    "four columns": ("a.conll", FOUR, "BIO"),
    "no blank line at the end": ("a.conll", "\n".join(ANNA + BOB).rstrip(), "BIO"),
    "carriage returns": ("a.conll", "\r\n".join(ANNA + BOB), "BIO"),
    "a byte-order mark": ("a.conll", "\ufeff" + "\n".join(ANNA + BOB), "BIO"),
    "several blank lines": ("a.conll", ["", *ANNA, "", "  ", *BOB, ""], "BIO"),
    "IOB1": ("a.iob", [line.replace("B-", "I-") for line in ANNA] + ["Bob\tI-PER", "stayed\tO"], "IO"),
    "BIOES": (
        "a.bioes",
        ["Anna B-PER", "Li E-PER", *SPACED[2:4], "Rome S-LOC", ". O", "", "Bob S-PER", "stayed O"],
        "",
    ),
    "BILOU": (
        "a.conll",
        ["Anna B-PER", "Li L-PER", *SPACED[2:4], "Rome U-LOC", ". O", "", "Bob U-PER", "stayed O"],
        "",
    ),
    "BMES": ("a.bmes", ["Anna B-PER", "Li E-PER", *SPACED[2:4], "Rome S-LOC", ". O", "", "Bob S-PER", "stayed O"], ""),
    "types alone": ("a.conll", [line.replace("B-", "").replace("I-", "") for line in ANNA + BOB], "IO"),
    "an underscore": ("a.conll", [line.replace("-", "_") for line in ANNA + BOB], "BIO"),
    "plain text": ("a.txt", ANNA + BOB, "BIO"),
    "a familiar ending of another kind": ("a.train", ANNA + BOB, "BIO"),
    "a header": ("a.conll", ["word\ttag", *ANNA, *BOB], "BIO"),
    "numbered words": (
        "a.conllu",
        [
            "# newdoc id = d1",
            "# text = Anna Li flew to Rome .",
            *(f"{n}\t{line}" for n, line in enumerate(ANNA[:-1], start=1)),
            "",
            "1-2\tBob's\t_",
            *(f"{n}\t{line}" for n, line in enumerate(BOB[:-1], start=1)),
        ],
        "BIO",
    ),
    "documents": ("a.conll", ["-DOCSTART- -X- O", "", *SPACED[:7], "-DOCSTART- O", *SPACED[7:]], "BIO"),
    "tags first": ("a.bio", ["\t".join(reversed(line.split("\t"))) for line in (ANNA + BOB)], "BIO"),
    "documents of OntoNotes": (
        "a.conll",
        ["#begin document (a/b); part 000", *SPACED[:7], "#end document", "#begin document (c)", *SPACED[7:]],
        "BIO",
    ),
    "comments": ("a.conll", ["# a comment", "# sent_id = 1", *ANNA, "# another\tone of 2", *BOB], "BIO"),
}


@pytest.mark.parametrize(("name", "content", "scheme"), READ.values(), ids=READ)
def test_a_file_in_columns_is_read_exactly(tmp_path: Path, name: str, content: str | list[str], scheme: str) -> None:
    annotations = read(tmp_path, content, name)
    assert [each.text for each in annotations.texts] == BOTH
    assert marked(annotations) == MARKED
    assert annotations.description.startswith(f"words and tags ({scheme}")
    assert [text[start:end] for start, end in annotations.texts[1].words or () for text in BOTH[1:]] == [
        "Bob",
        "stayed",
    ]


REFUSED: dict[str, tuple[list[str], str]] = {
    "a missing tag": ([*ANNA, "Bob", "stayed\tO"], 'line 8: has 1 column, "Bob", where the other lines have 2'),
    "a column more": ([*ANNA, "Bob\tNN\tB-PER"], 'line 8: has 3 columns, "Bob NN B-PER", where the other lines have 2'),
    "an empty tag": ([*ANNA, "Bob\t", "stayed\tO"], "line 8: has no tag; expected a tag for every word, O for none"),
    "an empty word": ([*ANNA, "\tB-PER", "stayed\tO"], "line 8: has no word in its first column"),
    "a space in a word": ([*ANNA, "New York\tB-LOC"], 'line 8: the word "New York" holds a space; expected one word'),
    "a no-break space": ([*ANNA, "10\u00a0000\tO"], "line 8: the word .* holds white space other than a plain space"),
    "a prefix of no scheme": (
        [*ANNA, "Bob\tX-PER"],
        'line 8: the tag "X-PER" is of no scheme; expected O or one of B-',
    ),
    "another separator": (
        [*ANNA, "Bob\tB_PER"],
        'line 8: the tag "B_PER" is of no scheme; expected O or one of B-TYPE',
    ),
    "a prefix without type": ([*ANNA, "Bob\tB-"], 'line 8: the tag "B-" is of no scheme; expected O or one of B-TYPE'),
    "a type without prefix": (
        [*ANNA, "Bob\tPER"],
        'line 8: the tag "PER" is of no scheme; expected O or one of B-TYPE',
    ),
    "prefixes of two schemes": (
        [*ANNA, "Bob\tL-PER", "x\tE-PER", "y\tE-PER"],
        'line 8: the tag "L-PER" is of another scheme than the rest; the file has the prefixes B: 2, E: 2, I: 1, L: 1',
    ),
    "one tag of another scheme": (
        [*ANNA * 9, "Bob\tS-PER"],
        'line 64: .* so the tag "S-PER" may be of another scheme',
    ),
    "prefixes that nobody knows": (
        ["Anna\tX-PER", "Li\tY-PER", "flew\tO", "Rome\tX-LOC"],
        'line 1: the tag "X-PER" is of no scheme; expected O, B-TYPE',
    ),
    "the tags in another column": (
        [f"{line}\t-\tann1" if line else "" for line in ANNA],
        "column 4 holds no tags of entities: .* column 2 does: add --tag-column 2",
    ),
    "JSON": (
        ['{"text": "Anna", "label": "x"}'] * 3,
        "its lines are JSON objects, so it looks like jsonl: add --format",
    ),
    "commas": ([line.replace("\t", ",") for line in ANNA], 'separates its columns by ","; expected tabs or spaces'),
    "no tags": (["Anna", "Li", "flew", "", "Rome"], "holds a word a line and no tags; expected a word and its tag"),
}


@pytest.mark.parametrize(("content", "problem"), REFUSED.values(), ids=REFUSED)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, content: list[str], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        read(tmp_path, content)


def test_another_column_of_tags_is_named_by_number_or_name(tmp_path: Path) -> None:
    lines = [f"{line}\tO" if line else "" for line in ANNA + BOB]
    assert marked(read(tmp_path, lines)) == [[], []]
    assert marked(read(tmp_path, lines, tag_column="2")) == MARKED
    assert marked(read(tmp_path, ["token\tner\tother", *lines], tag_column="ner")) == MARKED
    with pytest.raises(DataError, match=r'no column "5" .--tag-column.; it has 3: "words", "column 2", "tags"'):
        read(tmp_path, lines, tag_column="5")
    with pytest.raises(HomegroundError, match=r"this column of .* holds the words"):
        read(tmp_path, lines, tag_column="1")


def test_documents_and_comments_are_told(tmp_path: Path) -> None:
    annotations = read(tmp_path, ["# newdoc id = a", "# text = x", *ANNA, "# id: b", *BOB, "-DOCSTART- O", "", *BOB])
    assert [each.document for each in annotations.texts] == ["a", "b", "document 3"]
    assert any(note.endswith("1 comment line is not read (they begin with #)") for note in annotations.notes)
    assert {each.document for each in read(tmp_path, ANNA + BOB).texts} == {None}


def test_a_number_sign_is_a_word_where_it_has_a_tag(tmp_path: Path) -> None:
    for lines in (["#\tO", "#Rome\tB-LOC", "##\tO", "is\tO"], ["# O", "#Rome B-LOC", "## O", "is O"]):
        (text,) = read(tmp_path, lines).texts
        assert text.text == "# #Rome ## is"


def test_tags_against_the_rules_are_read_as_conlleval_does_and_told(tmp_path: Path) -> None:
    lines = [*ANNA * 9, "flew\tO", "Li\tI-PER", "Ng\tI-LOC", ""]
    annotations = read(tmp_path, lines)
    assert marked(annotations)[-1] == [("Li", "PER"), ("Ng", "LOC")]
    (note,) = annotations.notes
    assert '2 tags follow another against the rules of BIO: line 65 ("I-PER" after "O"), line 66 ("I-LOC" after' in note


def test_characters_are_joined_by_nothing(tmp_path: Path) -> None:
    lines = ["高 B-NAME", "勇 M-NAME", "男 E-NAME", "1 O", "9 O", "男 O", "\u3000\tO".replace("\t", " "), "， O"]
    annotations = read(tmp_path, lines, "dev.bmes")
    (text,) = annotations.texts
    assert (text.text, text.words) == ("高勇男19男\u3000，", tuple((n, n + 1) for n in (0, 1, 2, 3, 4, 5, 7)))
    assert annotations.description == "characters and tags (BMES)"
