"""Which column plays which role: the named ones first, then the usual names, and none by accident twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeground.data.columns import CONCEPT_NAMES, USUAL_NAMES, find_columns, quoted_columns
from homeground.data.tables import Table
from homeground.errors import DataError


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
