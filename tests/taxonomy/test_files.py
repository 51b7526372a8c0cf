"""Every way to write a taxonomy down gives the same tree, and a wrong one is refused with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homeground.errors import DataError, UsageError
from homeground.taxonomy.files import TaxonomyLayout, read_taxonomy
from homeground.taxonomy.taxonomy import Concept, Taxonomy

Write = Callable[..., Path]


def place(taxonomy: Taxonomy, title: str) -> list[str]:
    """Return the names of the nodes above a concept."""
    return [taxonomy.names[node] for node in taxonomy.way(concept(taxonomy, title).node)[:-1]]


def concept(taxonomy: Taxonomy, title: str) -> Concept:
    return next(concept for concept in taxonomy.concepts if concept.title == title)


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        (["path"], [["Health > Nursing > Ward nurse"], ["Health>Dentist"], ["Food > Baker"]]),
        (
            ["Title", "path"],
            [["Ward nurse", "Health > Nursing"], ["Dentist", "Health > Dentist"], ["Baker", "Food"]],
        ),
        (
            ["branch", "group", "title"],
            [["Health", "Nursing", "Ward nurse"], ["Health", "Teeth", "Dentist"], ["Food", "Oven", "Baker"]],
        ),
        (
            ["parent_id", "name", "id"],
            [
                ["2", "Ward nurse", "1"],
                ["h", "Nursing", "2"],
                ["", "Health", "h"],
                ["h", "Dentist", "3"],
                ["f", "Baker", "4"],
                ["", "Food", "f"],
            ],
        ),
        (
            ["label", "parent"],
            [
                ["Ward nurse", "Nursing"],
                ["Nursing", "Health"],
                ["Health", ""],
                ["Dentist", "Health"],
                ["Baker", "Food"],
                ["Food", ""],
            ],
        ),
    ],
)
def test_paths_groups_and_parents_say_the_same(write_csv: Write, header: list[str], rows: list[Any]) -> None:
    taxonomy = read_taxonomy(write_csv("tree.csv", header, rows))
    assert place(taxonomy, "Ward nurse") == ["Health", "Nursing"]
    assert place(taxonomy, "Dentist")[0] == "Health"
    assert place(taxonomy, "Baker")[0] == "Food"


def test_columns_and_separators_can_be_named(write_csv: Write) -> None:
    path = write_csv(
        "tree.csv", ["wo", "was", "auch"], [["A/B", "Bäcker", "Brotmacher; Semmelbub"], ["A/C", "Koch", ""]]
    )
    layout = TaxonomyLayout(
        columns={"path": "wo", "label": "was", "alternatives": "auch"}, between_names=";", between_steps="/"
    )
    taxonomy = read_taxonomy(path, layout=layout)
    assert concept(taxonomy, "Bäcker").alternatives == ("Brotmacher", "Semmelbub")
    assert place(taxonomy, "Koch") == ["A", "C"]


def test_groups_of_one_name_in_two_branches_are_two(write_csv: Write) -> None:
    taxonomy = read_taxonomy(write_csv("t.csv", ["path"], [["A > other > x"], ["B > other > y"], ["B > z"]]))
    assert place(taxonomy, "x") == ["A", "A > other"]
    assert place(taxonomy, "y") == ["B", "B > other"]


OCCUPATIONS = ["conceptUri", "iscoGroup", "preferredLabel", "altLabels", "description", "definition", "code"]
OCCUPATION_ROWS = [
    [
        "u1",
        "2511",
        "data scientist",
        "data expert\ndata scientist\ndata-scientist",
        "Data scientists find.",
        "",
        "2511.4",
    ],
    ["u2", "2511", "specialised data scientist", "", "They find more.", "", "2511.4.1"],
    ["u3", "2512", "programmer", "coder", "", "", "2512.1"],
    ["u4", "2512", "tenth programmer", "", "", "", "2512.1"],
    ["u5", "2512", "one of either", "", "", "", "2512.1.1"],
    ["u6", "110", "officer", "", "", "", "110.1"],
]
GROUPS = ["conceptUri", "code", "preferredLabel"]
GROUP_ROWS = [["g1", "2511", "Systems analysts"], ["g2", "2512", "Developers"], ["g3", "0110", "Officers"]]


def test_occupations_of_esco_stand_by_the_digits_of_their_group_and_their_own_codes(write_csv: Write) -> None:
    occupations = write_csv("occupations_en.csv", OCCUPATIONS, OCCUPATION_ROWS)
    taxonomy = read_taxonomy(occupations, groups=write_csv("ISCOGroups_en.csv", GROUPS, GROUP_ROWS))
    assert place(taxonomy, "data scientist") == ["2", "25", "251", "2511 Systems analysts"]
    assert concept(taxonomy, "data scientist").alternatives == ("data expert",)
    assert taxonomy.parents[concept(taxonomy, "specialised data scientist").node] == (
        concept(taxonomy, "data scientist").node,
    )
    # A code that stands twice names nothing; a group that has lost its zero is known.
    assert place(taxonomy, "one of either")[-1] == "2512 Developers"
    assert place(taxonomy, "officer") == ["0", "01", "011", "0110 Officers"]
    assert any("leading zeros" in note for note in taxonomy.notes)
    assert any(note.startswith("1 occupation codes stand more than once") for note in taxonomy.notes)


def test_a_file_of_isco_groups_that_has_lost_its_zeros_is_read_as_the_occupations_are(write_csv: Write) -> None:
    rows = [["g0", "0", "Forces"], ["g1", "1", "All officers"], ["g2", "11", "Officers"], ["g3", "110", "Officers"]]
    rows += [["g4", "1", "Managers"], ["g5", "251", "Developers and analysts"], *GROUP_ROWS[:2]]
    groups = write_csv("ISCOGroups_en.csv", GROUPS, rows)
    for lost in ("110", "0110"):
        taxonomy = read_taxonomy(
            write_csv("o.csv", OCCUPATIONS, [*OCCUPATION_ROWS[:5], ["u6", lost, "officer", "", "", "", "1.1"]]),
            groups=groups,
        )
        assert place(taxonomy, "officer") == ["0 Forces", "01", "011", "0110 Officers"]
        assert place(taxonomy, "programmer")[2] == "251 Developers and analysts"
        assert any(note.startswith(f"{1 + (lost == '110')} ISCO codes have lost") for note in taxonomy.notes)
    # 251 stands above 2511 and is no unit group, so an occupation that names it is refused, not read as 0251.
    with pytest.raises(DataError, match='row 1: column "iscoGroup" holds "251"'):
        read_taxonomy(write_csv("o.csv", OCCUPATIONS, [["u1", "251", "a", "", "", "", "251.1"]]), groups=groups)


def test_an_isco_group_that_is_not_in_the_file_of_groups_is_refused(write_csv: Write) -> None:
    occupations = write_csv("occupations_en.csv", OCCUPATIONS, OCCUPATION_ROWS)
    groups = write_csv("groups.csv", GROUPS, GROUP_ROWS[:2])
    with pytest.raises(DataError, match='row 6: column "iscoGroup" holds "110"; expected the code of an ISCO group'):
        read_taxonomy(occupations, groups=groups)


def test_skills_of_esco_stand_by_the_relations_and_below_several(write_csv: Write) -> None:
    skills = write_csv(
        "skills_en.csv",
        ["conceptUri", "preferredLabel", "altLabels"],
        [["s1", "knit", "make knits"], ["s2", "weave", ""], ["s3", "sew by hand", ""]],
    )
    groups = write_csv(
        "skillGroups_en.csv",
        ["conceptUri", "preferredLabel", "code"],
        [["g0", "crafts", "S1"], ["g1", "textiles", "S1.1"], ["k", "trade", "S2"]],
    )
    relations = write_csv(
        "broaderRelationsSkillPillar_en.csv",
        ["conceptType", "conceptUri", "broaderType", "broaderUri"],
        [
            ["S", "s1", "G", "g1"],
            ["S", "s2", "G", "g1"],
            ["S", "s3", "S", "s2"],
            ["S", "s1", "G", "k"],
            ["G", "g1", "G", "g0"],
            ["S", "gone", "G", "g1"],
        ],
    )
    taxonomy = read_taxonomy(skills, groups=groups, relations=relations)
    assert [each.title for each in taxonomy.concepts] == ["knit", "weave", "sew by hand"]
    assert place(taxonomy, "sew by hand") == ["crafts", "textiles", "weave"]
    assert place(taxonomy, "knit") == ["crafts", "textiles"]
    assert taxonomy.common_depth(concept(taxonomy, "knit").node, 5) == 1  # also below trade
    assert any(note.startswith("1 row of") for note in taxonomy.notes)


TREE = ["id", "label", "parent"]


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        (TREE, [["a", "A", ""], ["b", "B", "x"]], 'row 2: column "parent" holds "x", which is the id of no concept'),
        (TREE, [["a", "A", ""], ["a", "B", ""]], 'row 2: column "id" holds "a", as row 1 does; expected every id once'),
        (TREE, [["a", "A", "b"], ["b", "B", "a"]], r'row \d: column "parent" goes round in a circle: "?\w > \w > \w'),
        (TREE, [["a", "", ""]], 'row 1: column "label" holds nothing; expected the name of a concept'),
        (TREE, [["", "A", ""]], 'row 1: column "id" holds nothing; expected the id of a concept'),
        (
            ["id", "parent"],
            [["a", ""]],
            r'no column is called "preferredlabel".*the columns are "id", "parent".*--label',
        ),
        (["id", "label"], [["a", "A"]], "no column says where a concept stands.*--parent, --path or --group"),
        (["path"], [["A > > b"]], 'row 1: column "path" holds "A > > b", in which a step is empty'),
        (["path"], [["A > b"], ["A > c"], ["A > b"]], 'row 3: "A > b" stands already in row 1'),
        (["group", "title"], [["g", "a"], ["", "b"]], 'row 2: column "group" holds nothing'),
        (["id", "group", "title"], [["1", "g", "a"], ["1", "g", "b"]], 'row 2: column "id" holds "1", as row 1 does'),
        (["iscoGroup", "title"], [["25x1", "a"]], 'row 1: column "iscoGroup" holds "25x1"; expected the code'),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(
    write_csv: Write, header: list[str], rows: list[Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_taxonomy(write_csv("tree.csv", header, rows))


def test_options_that_do_not_fit_are_refused(write_csv: Write) -> None:
    path = write_csv("tree.csv", ["path"], [["A > b"]])
    with pytest.raises(UsageError, match="--groups goes with"):
        read_taxonomy(path, groups=path)
    with pytest.raises(DataError, match='has no column "way"'):
        read_taxonomy(path, layout=TaxonomyLayout(columns={"path": "way"}))
