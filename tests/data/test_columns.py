"""Which column plays which role: the named ones first, then the usual names, and none by accident twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeground.data.columns import (
    CONCEPT_NAMES,
    USUAL_NAMES,
    columns_of_model,
    find_columns,
    flag_columns,
    notes_on_columns,
    quoted_columns,
    refuse_two_roles,
    written_list,
)
from homeground.data.tables import Row, Table
from homeground.errors import DataError, UsageError


def table(*columns: str, format: str = "csv") -> Table:
    return Table(f"rows.{format}", format, columns, [], "", 0)


def test_a_role_has_the_first_of_its_usual_names_that_the_table_has() -> None:
    assert find_columns(table("title", "sentence", "id"), ["text"], {}) == {"text": "sentence"}
    assert find_columns(table("title", "id"), ["text", "label"], {}) == {"text": "title"}


def test_usual_names_are_known_in_any_case_and_between_spaces() -> None:
    assert find_columns(table(" Sentence_A ", "SCORE"), ["text_1", "similarity"], {}) == {
        "text_1": " Sentence_A ",
        "similarity": "SCORE",
    }


def test_a_named_column_comes_before_one_with_a_usual_name() -> None:
    columns = table("text", "body", "label")
    assert find_columns(columns, ["text", "label"], {"text": "body"}) == {"text": "body", "label": "label"}


def test_a_role_that_is_named_none_is_not_named() -> None:
    assert find_columns(table("text"), ["text", "group"], {"text": None, "group": None}) == {"text": "text"}


def test_names_for_roles_that_are_not_asked_for_are_not_read() -> None:
    assert find_columns(table("text"), ["text"], {"label": "nowhere"}) == {"text": "text"}


def test_a_column_that_was_named_for_one_role_gets_no_other_by_its_usual_name() -> None:
    columns = table("text", "label")
    assert find_columns(columns, ["label", "text"], {"text": "label"}) == {"text": "label"}
    assert find_columns(columns, ["text", "label"], {"label": "text"}) == {"label": "text"}


@given(
    columns=st.lists(st.sampled_from([name for names in USUAL_NAMES.values() for name in names]), unique=True),
    roles=st.permutations(list(USUAL_NAMES)),
)
def test_no_column_has_two_roles_where_none_is_named(columns: list[str], roles: list[str]) -> None:
    chosen = find_columns(table(*columns), roles, {})
    assert len(set(chosen.values())) == len(chosen)
    assert all(name in USUAL_NAMES[role] for role, name in chosen.items())
    # A role is empty only where another has taken its columns.
    assert all(set(USUAL_NAMES[role]) & set(columns) <= set(chosen.values()) for role in set(roles) - set(chosen))


def test_a_named_column_that_is_not_there_meets_the_nearest_name() -> None:
    with pytest.raises(DataError) as caught:
        find_columns(table("text", "similarity"), ["similarity"], {"similarity": "similarty"})
    nearest = 'did you mean "similarity"? Known: "similarity", "text"'
    assert str(caught.value) == f'rows.csv: has no column "similarty"; {nearest}'


def test_a_named_column_of_a_file_that_was_cut_wrongly_names_the_delimiter() -> None:
    with pytest.raises(DataError, match="--delimiter"):
        find_columns(table("text;label"), ["text"], {"text": "text"})


def test_the_roles_of_a_taxonomy_have_usual_names_of_their_own() -> None:
    concepts = table("conceptUri", "preferredLabel", "broaderUri", "label")
    roles = ["id", "label", "parent", "text"]
    assert find_columns(concepts, roles[:3], {}, usual=CONCEPT_NAMES) == {
        "id": "conceptUri",
        "label": "preferredLabel",
        "parent": "broaderUri",
    }
    assert find_columns(concepts, ["label"], {}) == {"label": "label"}


def test_usual_names_are_written_as_they_are_compared() -> None:
    for usual in (USUAL_NAMES, CONCEPT_NAMES):
        for names in usual.values():
            assert all(name == name.strip().lower() for name in names)


def test_an_error_lists_columns_between_quotes() -> None:
    assert quoted_columns(table("a", "b c")) == '"a", "b c"'


def filled(**columns: list[object]) -> Table:
    """Return a table of these columns."""
    count = len(next(iter(columns.values())))
    rows = [Row(place + 1, {name: values[place] for name, values in columns.items()}) for place in range(count)]
    return Table("rows.csv", "csv", tuple(columns), rows, "", 0)


def test_a_name_may_stand_for_several_columns_each_of_which_is_there() -> None:
    columns = table("title", "content", "label")
    assert find_columns(columns, ["text", "label"], {"text": "title,content"}) == {
        "text": "title,content",
        "label": "label",
    }
    assert find_columns(table("a,b"), ["text"], {"text": "a,b"}) == {"text": "a,b"}
    with pytest.raises(DataError, match='has no column "contents"; did you mean "content"'):
        find_columns(columns, ["text"], {"text": "title,contents"})


def test_no_column_is_both_what_is_asked_and_the_answer() -> None:
    with pytest.raises(UsageError, match=r'column "a" of rows\.csv is named for two parts, --text and --label'):
        refuse_two_roles(table("a", "b"), {"text": "a,b", "label": "a"})
    refuse_two_roles(table("a", "b"), {"text": "a", "label": "b"})


def test_columns_that_play_no_role_are_named_and_further_texts_are_offered() -> None:
    texts: list[object] = [f"a sentence of six words {number}" for number in range(6)]
    rows = filled(id=list(range(6)), title=texts, content=texts, label=["x"] * 6)
    assert notes_on_columns(rows, {"text": "title", "label": "label"}) == (
        'not read: columns "id", "content"; "content" holds texts too: --text title,content joins them, '
        "--text-1 title --text-2 content reads pairs",
    )
    assert notes_on_columns(rows, {"text": "title,content", "label": "label", "group": "id"}) == (
        'one text is made of the columns "title", "content", joined by a space',
    )
    assert notes_on_columns(rows, {"text_1": "title", "text_2": "content", "similarity": "label"}) == (
        'not read: column "id"',
    )


def test_a_model_knows_its_columns_where_a_file_has_them_all() -> None:
    saved = {"version": 1, "columns": {"text": "title,content", "label": "kind"}}
    news = table("id", "title", "content", "kind")
    assert columns_of_model(saved, news, ["text", "label"]) == {"text": "title,content", "label": "kind"}
    assert columns_of_model(saved, table("title", "content"), ["text"]) == {"text": "title,content"}
    assert columns_of_model(saved, table("title", "kind"), ["text", "label"]) == {}
    for settings in ({}, {"columns": None}, {"columns": {"anchor": "title"}}):
        assert columns_of_model(settings, news, ["text", "label"]) == {}


def test_columns_of_0_and_1_are_known_as_numbers_words_and_booleans() -> None:
    rows = filled(a=["0", "1"], b=[True, False], c=[0, 1.0], d=["0", "2"], e=["yes", "no"], f=["", "1"])
    assert flag_columns(rows, rows.columns) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "values", [["['a', 'b']", "['a']"], ['["a"]'], ["[0, 1]", "[1, 1]"], ["[0 1]"], ["('a', 'b')"], ["[a, b]", "[a]"]]
)
def test_lists_that_were_written_into_a_text_are_known(values: list[str]) -> None:
    assert written_list(values) == max(values, key=len)


@pytest.mark.parametrize(
    "values", [["a", "b"], ["[spam]", "[ham]"], ["(0, 10]", "(10, 20]"], ["[a, b]", "c", "d"], [1, None], []]
)
def test_names_with_brackets_are_no_lists(values: list[object]) -> None:
    assert written_list(values) is None
