"""Tables as people hand them over: without a header, put together of two, quoted otherwise, or as plain text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from homeground.data.corpus import read_file
from homeground.data.tables import Table, read_table
from homeground.errors import DataError
from homeground.recipe.recipe import make_recipe

TEXTS = (
    "The ferry was late, and nobody said why.",
    "Rangers counted nine herons along the canal.",
    "We served soup until the last guest had left.",
    "He sharpened the saw twice, and it still drags.",
    "Nobody had seen the toad of the river before.",
)
LABELS = ("nature", "workshop", "kitchen")


def rows(count: int = 30, *, separator: str = "\t", start: int = 0) -> list[str]:
    return [f"{LABELS[n % 3]}{separator}{TEXTS[n % 5]} No {n}." for n in range(start, start + count)]


def read(folder: Path, name: str, content: str | list[str], **options: Any) -> Table:
    path = folder / name
    path.write_text(content if isinstance(content, str) else "\n".join(content) + "\n", encoding="utf-8")
    recipe = make_recipe({"data": str(path)}, **options)
    return read_file(recipe.data, recipe)


def refusal(folder: Path, name: str, content: str | list[str], **options: Any) -> str:
    with pytest.raises(DataError) as refused:
        read(folder, name, content, **options)
    return str(refused.value)


FORGOTTEN = {
    "label and text": (rows(), '"nature" occurs 9 more times in its column; add --no-header --columns label,text'),
    "text and label": (
        ["\t".join(reversed(row.split("\t"))) for row in rows()],
        '"nature" occurs 9 more times in its column; add --no-header --columns text,label',
    ),
    "text and number": (
        [f"{TEXTS[n % 5]} No {n}\t{n % 2}" for n in range(30)],
        '"0" occurs 14 more times in its column; add --no-header --columns text,label',
    ),
    "two texts and a score": (
        [f"{TEXTS[n % 5]} No {n}\t{TEXTS[n % 4]} Is {n}\t{n / 40}" for n in range(30)],
        '"0.0" is a number, as the values below it are; add --no-header --columns text_1,text_2,similarity',
    ),
    "texts alone": ([f"{text} And more." for text in TEXTS], "is a text, as the values below it are; add --no-header"),
    "a label with the name of a column": (
        [
            "question\tWhat is this, and why is it here?",
            *[f"{'question' if n % 2 else 'other'}\t{TEXTS[n % 5]} {n}" for n in range(30)],
        ],
        '"question" occurs 15 more times in its column',
    ),
    "Chinese": (
        [f"{'好评' if n % 2 else '差评'}\t这家店的服务很好，下次会再来{n}" for n in range(30)],
        "--no-header --columns label,text",
    ),
}


@pytest.mark.parametrize(("content", "problem"), FORGOTTEN.values(), ids=FORGOTTEN)
def test_a_forgotten_header_is_told_with_the_options_that_read_the_file(
    tmp_path: Path, content: list[str], problem: str
) -> None:
    message = refusal(tmp_path, "data.tsv", content)
    assert "its first line is data and no names" in message and problem in message
    columns = message.split("--columns ")[1].split(";")[0].split(",")
    table = read(tmp_path, "data.tsv", content, header=False, columns=",".join(columns))
    assert len(table.rows) == len(content)


HEADERS = {
    "usual names": ("text\tlabel", {}),
    "other names": ("Titel\tRubrik", {}),
    "a question of a survey, named": (
        "What should we do better, and why?\tTeam",
        {"text": "What should we do better, and why?"},
    ),
    "a question of a survey": ("What should we do better, and why?\tTeam", {}),
    "a class of the name": ("Text\tnature", {}),
}


@pytest.mark.parametrize(("header", "options"), HEADERS.values(), ids=HEADERS)
def test_a_header_is_not_doubted(tmp_path: Path, header: str, options: dict[str, str]) -> None:
    content = [header, *["\t".join(reversed(row.split("\t"))) for row in rows()]]
    assert len(read(tmp_path, "data.tsv", content, **options).rows) == 30


def test_quotes_and_a_forgotten_header_are_told_together(tmp_path: Path) -> None:
    content = ['nature\t"A newt crossed the cliff. 5\'10" tall', *rows()]
    message = refusal(tmp_path, "data.tsv", content)
    assert "--quoting none" in message and "--no-header --columns label,text" in message
    table = read(tmp_path, "data.tsv", content, quoting="none", header=False, columns="label,text")
    assert next(iter(table.rows)).values["text"] == '"A newt crossed the cliff. 5\'10" tall'


def test_the_line_in_which_excel_names_the_separator_is_honoured_and_said(tmp_path: Path) -> None:
    table = read(tmp_path, "data.csv", ["sep=;", "text;label", *[f"{TEXTS[n % 5]};{LABELS[n % 3]}" for n in range(9)]])
    assert table.columns == ("text", "label") and len(table.rows) == 9
    assert 'its first line, "sep=;", is Excel\'s and names the separator' in table.notes[0]
    assert "line 4 has 3 fields" in refusal(tmp_path, "data.csv", ["sep=;", "text;label", "a;b", "c;d;e"])


def test_a_first_row_that_comes_again_is_no_header(tmp_path: Path) -> None:
    message = refusal(tmp_path, "data.csv", ["ham,ok", "spam,no", "ham,fine", "ham,ok", "spam,yes", "ham,ok"])
    assert '"ham" occurs 3 more times in its column' in message


@pytest.mark.parametrize("again", ["text,label", "\ufefftext,label", "Text , LABEL", "label,text", '"text","label"'])
def test_a_header_in_the_middle_is_told_with_its_line(tmp_path: Path, again: str) -> None:
    message = refusal(tmp_path, "data.csv", ["text,label", "a,b", "c,d", again, "e,f"])
    assert "row 3: line 4 repeats the header, as where files were put together" in message


def test_a_header_with_other_columns_in_the_middle_is_told(tmp_path: Path) -> None:
    message = refusal(tmp_path, "data.csv", ["text,label", "a,b", "id,text,label", "1,e,f"])
    assert "line 3 has 3 fields, the header has 2; it looks like the header of another file" in message


def test_a_header_where_none_was_expected_is_told(tmp_path: Path) -> None:
    message = refusal(tmp_path, "data.csv", ["Text,Label", "a,b"], header=False, columns="text,label")
    assert "line 1 holds the names of --columns; leave out --no-header and --columns" in message


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            r'"he said \"no\" twice",a',
            r'line 2: a quote is escaped by a backslash (\"); CSV doubles it (""): replace \"',
        ),
        (r'"he said \"no\", twice",a', r"a quote is escaped by a backslash (\")"),
        (
            '"a quote, never closed,a\n"the next row",b',
            "line 2: a quote is opened and not closed on this line; it ends on line 3",
        ),
        ('text, "one, two"', "a space before a quote makes it a plain character; take out the spaces"),
        ('text, "one two"', "line 2: a space before a quote makes it a plain character"),
    ],
)
def test_quotes_as_other_programs_write_them_are_told(tmp_path: Path, line: str, problem: str) -> None:
    assert problem in refusal(tmp_path, "data.csv", f"text,label\n{line}\nthe end,b\n")


def test_rows_that_a_quote_swallowed_are_noted(tmp_path: Path) -> None:
    lines = ["text,label", '"one,a', "two,b", "three,a", "four,b", 'five",a']
    (note,) = read(tmp_path, "data.csv", lines).notes
    assert (
        "row 1: a field holds 3 whole lines that look like rows of their own; is a quote not closed on line 2?" in note
    )
    poem = ["text,label", '"one', "two", "three", 'four",a']
    assert read(tmp_path, "data.csv", poem).notes == ()


def test_names_with_spaces_are_noted(tmp_path: Path) -> None:
    (note,) = read(tmp_path, "data.csv", ["text, label", "one, a"]).notes
    assert 'the names " label" begin or end with a space' in note


OTHER_LINES = {
    "tabs": (rows(), "30 of its first 30 lines hold tabs equally often, so it looks like tsv: add --format tsv"),
    "bars": (
        rows(separator=" || "),
        'lines hold "||" equally often, .* a table: add --format csv --delimiter',
    ),
    "commas under names": (["text,label", *[f'"{TEXTS[n % 5]}",{n % 2}' for n in range(9)]], "add --format csv"),
    "JSON Lines": ([f'{{"text": "number {n}"}}' for n in range(9)], "its lines are JSON objects, .* --format jsonl"),
    "tokens": (["The", "ferry", "was", "late", ".", ""] * 4, "a word a line and a blank line after each sentence"),
}


@pytest.mark.parametrize(("content", "problem"), OTHER_LINES.values(), ids=OTHER_LINES)
def test_lines_that_are_no_texts_are_told_and_read_where_that_is_meant(
    tmp_path: Path, content: list[str], problem: str
) -> None:
    with pytest.raises(DataError, match=problem) as refused:
        read(tmp_path, "data.txt", content)
    assert "if it is plain text all the same, add --format txt" in str(refused.value)
    assert read(tmp_path, "data.txt", content, format="txt").columns == ("text",)


def test_plain_text_is_not_doubted(tmp_path: Path) -> None:
    poem = [*TEXTS, "", "Roses are red, violets are blue;", "a | b", "x\ty", *TEXTS, "List: one, two, three"]
    assert len(read(tmp_path, "data.txt", poem).rows) == 14
    assert len(read(tmp_path, "words.txt", ["nurse", "cook", "", "driver", "baker", *["clerk"] * 9]).rows) == 13


def test_tags_of_tokens_in_a_table_are_told(tmp_path: Path) -> None:
    tokens = ["word\ttag", *["EU\tB-ORG", "rejects\tO", "German\tB-MISC", "call\tO"] * 5]
    assert 'column "tag" holds the tags of tokens, such as B-ORG' in refusal(tmp_path, "data.tsv", tokens)


def test_tokens_without_a_header_are_told_whatever_the_name(tmp_path: Path) -> None:
    tokens = ["EU\tB-ORG", "rejects\tO", "German\tB-MISC", "call\tO", "", "EU\tB-ORG", "is\tO"] * 5
    for name in ("data.tsv", "data.csv", "data.jsonl"):
        assert "holds a word with its tag a line, and blank lines between sentences" in refusal(tmp_path, name, tokens)
    without_blanks = [line for line in tokens if line]
    assert 'column "B-ORG" holds the tags of tokens, such as B-' in refusal(tmp_path, "data.tsv", without_blanks)


def test_bars_in_the_only_column_of_a_table_are_told(tmp_path: Path) -> None:
    assert "use --delimiter '||'" in refusal(tmp_path, "data.csv", ["text||label", *[f"a{n}||b" for n in range(9)]])


def test_a_file_whose_name_says_nothing_is_told_what_it_looks_like(tmp_path: Path) -> None:
    message = refusal(tmp_path, "SMSSpam", rows())
    assert "its name has no suffix" in message and "hold tabs equally often: add --format tsv" in message
    assert "its lines are JSON objects: add --format jsonl" in refusal(tmp_path, "data.dat", ['{"a": 1}'] * 3)


def test_a_delimiter_of_several_characters_is_read(tmp_path: Path):
    lines = ["0001||一个男人在跳舞。||他在跳舞。||5", '0002||"a || b"||c|d||3.5', "0003||e||f||1"]
    path = tmp_path / "pairs.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    table = read_table(
        str(path), format="csv", delimiter="||", header=False, columns=("_", "text_1", "text_2", "similarity")
    )
    rows = [list(row.values.values()) for row in table.rows]
    assert rows[0] == ["一个男人在跳舞。", "他在跳舞。", "5"]
    assert rows[1] == ["a || b", "c|d", "3.5"]
    path.write_text("\n".join([*lines, "4||\x1f||g||2"]) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"U\+001F"):
        list(
            read_table(
                str(path), format="csv", delimiter="||", header=False, columns=("_", "text_1", "text_2", "similarity")
            ).rows
        )
