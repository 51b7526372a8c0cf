"""What a file of pairs is: which columns it finds, what it refuses, and how its scores are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import PAIR_HEADER
from tests.reading import read, spec_of, write_lines

from homeground.data.tables import read_table
from homeground.errors import DataError, UsageError
from homeground.recipe.recipe import make_recipe
from homeground.tasks import scored_pairs_spec

WriteCsv = Callable[..., Path]

# Columns


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (["text_1", "text_2", "similarity"], ("text_1", "text_2", "similarity")),
        (["sentence1", "sentence2", "score"], ("sentence1", "sentence2", "score")),
        (["Sentence_A", "Sentence_B", "Relatedness_Score"], ("Sentence_A", "Sentence_B", "Relatedness_Score")),
        (["id", "score", "ref", "base"], ("base", "ref", "score")),
    ],
)
def test_columns_are_found_by_their_usual_names(
    write_csv: WriteCsv, header: list[str], expected: tuple[str, ...]
) -> None:
    path = write_csv("pairs.csv", header, [["0.5"] * len(header)])
    assert spec_of(path).columns == dict(zip(PAIR_HEADER, expected, strict=True))


def test_named_columns_come_first_and_play_one_part_only(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", ["sentence1", "sentence2", "score", "mean"], [["a", "b", "0.1", "0.2"]])
    columns = spec_of(path, text_1="sentence2", text_2="sentence1", similarity="mean").columns
    assert columns == {"text_1": "sentence2", "text_2": "sentence1", "similarity": "mean"}
    with pytest.raises(DataError, match="no column is called text_2 or a usual name"):
        spec_of(path, text_1="sentence2", task="similarity")


@pytest.mark.parametrize(
    ("header", "loss", "parts"),
    [
        (["anchor", "positive"], "multiple_negatives_ranking", 2),
        (["query", "pos", "neg"], "multiple_negatives_ranking", 3),
        (["text_1", "text_2", "similarity"], "angular_mse", 2),
    ],
)
def test_the_loss_follows_from_the_columns(write_csv: WriteCsv, header: list[str], loss: str, parts: int) -> None:
    spec = spec_of(write_csv("pairs.csv", header, [["0.5"] * len(header)]))
    assert (spec.loss, len(spec.text_columns)) == (loss, parts)
    assert spec.info.in_batch_negatives == (loss == "multiple_negatives_ranking")


def test_a_name_that_is_not_there_meets_the_nearest(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", PAIR_HEADER, [["a", "b", "0.5"]])
    with pytest.raises(DataError, match=r'has no column "similarty"; did you mean "similarity"\?'):
        spec_of(path, similarity="similarty")


def test_a_named_part_that_plays_no_role_is_refused(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", ["anchor", "positive", "title"], [["a", "b", "c"]])
    with pytest.raises(UsageError, match=r"^--text-1: pairs are either scored .* or belong together"):
        spec_of(path, text_1="title")
    both = write_csv("both.csv", [*PAIR_HEADER, "other"], [["a", "b", "0.5", "c"]])
    with pytest.raises(UsageError, match=r"^--negative: pairs are either scored"):
        spec_of(both, negative="other")


def test_one_column_cannot_be_two_parts(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", PAIR_HEADER, [["a", "b", "0.5"]])
    with pytest.raises(UsageError, match=r'column "text_1" of .* is named for two parts, --text-1 and --text-2'):
        spec_of(path, text_1="text_1", text_2="text_1")


def test_columns_without_a_part_are_listed_with_the_flags_that_name_them(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", ["left", "right", "grade"], [["a", "b", "0.5"]])
    with pytest.raises(DataError, match=r'the columns are "left", "right", "grade"; name the parts with --text-1'):
        spec_of(path, task="similarity")


# Labels that are scores, and pairs that belong together

LABELLED_PAIRS = ["sentence1", "sentence2", "label"]


def numbered(values: list[Any]) -> list[list[Any]]:
    """Return rows of two texts and a value."""
    return [[f"a bird {n}", f"a fish {n}", value] for n, value in enumerate(values)]


def test_fractions_beside_two_texts_are_scores(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", LABELLED_PAIRS, numbered([0.0, 0.5, 1.0, 0.5]))
    assert spec_of(path).columns == {"text_1": "sentence1", "text_2": "sentence2", "similarity": "label"}
    assert [example.score for example in read(path).examples] == [0.0, 0.5, 1.0, 0.5]
    assert spec_of(path, label="label").info.name == "classification"
    wide = write_csv("wide.csv", LABELLED_PAIRS, numbered([0.0, 2.5, 5.0, 1.0]))
    with pytest.raises(DataError, match=r"fractions \(0, 1, 2.5 … 5\).* add --score-range LOW,HIGH.* such as 0,5"):
        spec_of(wide)
    assert [example.score for example in read(wide, score_range="0,5").examples] == [0.5, 0.75, 1.0, 0.6]


@pytest.mark.parametrize("values", [[0, 1] * 6, [0, 1, 2] * 4, ["yes", "no"] * 6, ["1.0", "0.0"] * 6])
def test_few_whole_numbers_or_words_beside_two_texts_are_classes(write_csv: WriteCsv, values: list[Any]) -> None:
    for header in (LABELLED_PAIRS, ["premise", "hypothesis", "label"]):
        info = spec_of(write_csv("pairs.csv", header, numbered(values))).info
        assert (info.name, info.columns["text_1"], info.columns["label"]) == ("classification", header[0], "label")


def test_many_whole_numbers_may_be_either_so_the_user_chooses(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", LABELLED_PAIRS, numbered([0, 1, 2, 3, 4, 5] * 4))
    with pytest.raises(DataError, match="--similarity label --score-range 0,5 reads scores, --label label classes"):
        spec_of(path)
    assert spec_of(path, similarity="label", score_range="0,5").info.name == "similarity"
    assert spec_of(path, task="similarity", score_range="0,5").info.name == "similarity"
    assert spec_of(path, label="label").info.name == "classification"


@pytest.mark.parametrize("values", [[0, 1, 1, 0], ["false", "true", "true", "false"]])
@pytest.mark.parametrize("header", [["anchor", "positive", "label"], ["query", "document", "score"]])
def test_0_and_1_beside_an_anchor_are_scores_so_that_no_zero_is_a_positive(
    write_csv: WriteCsv, header: list[str], values: list[Any]
) -> None:
    path = write_csv("pairs.csv", header, numbered(values))
    spec = spec_of(path)
    assert (spec.loss, spec.score_range) == ("angular_mse", (0.0, 1.0))
    assert spec.info.notes == (f'"{header[2]}" holds 0 and 1, read as scores: 0 not similar, 1 similar',)
    assert [example.score for example in read(path).examples] == [0.5, 1.0, 1.0, 0.5]
    assert [example.score for example in read(path, loss="cosine_mse").examples] == [0.0, 1.0, 1.0, 0.0]
    with pytest.raises(UsageError, match="learns from pairs without scores"):
        spec_of(path, loss="multiple_negatives_ranking")
    with pytest.raises(
        DataError, match=r"row 1: column .* holds 0 and 1, so not every pair belongs together; --text-1"
    ):
        spec_of(path, anchor=header[0], positive=header[1])


def test_1_in_every_row_says_that_all_pairs_belong_together(write_csv: WriteCsv) -> None:
    spec = spec_of(write_csv("pairs.csv", ["anchor", "positive", "label"], numbered([1, 1, 1])))
    assert (spec.loss, spec.info.notes) == ("multiple_negatives_ranking", ('not read: column "label"',))


def test_0_in_every_row_says_nothing(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", ["anchor", "positive", "label"], numbered([0, 0, 0]))
    with pytest.raises(DataError, match='column "label" holds 0 in every row beside anchor and positive'):
        spec_of(path)


def test_grades_beside_an_anchor_are_asked_about_and_words_are_classes(write_csv: WriteCsv) -> None:
    graded = write_csv("graded.csv", ["query", "passage", "label"], numbered([0, 1, 2, 3]))
    with pytest.raises(DataError, match="--similarity label --score-range 0,3 reads scores, --anchor query --positive"):
        spec_of(graded)
    assert spec_of(graded, anchor="query", positive="passage").loss == "multiple_negatives_ranking"
    assert spec_of(graded, similarity="label", score_range="0,3").scored
    worded = write_csv("worded.csv", ["anchor", "positive", "label"], numbered(["same", "other"] * 6))
    with pytest.raises(DataError, match="--text-1 anchor --text-2 positive --label label learns them as classes"):
        spec_of(worded)


@pytest.mark.parametrize(
    "header",
    [
        ["question", "answer"],
        ["query", "document"],
        ["Query", "Passage"],
        ["premise", "hypothesis"],
        ["question", "positive"],
        ["query", "pos"],
    ],
)
def test_usual_names_of_pairs_that_belong_together(write_csv: WriteCsv, header: list[str]) -> None:
    rows = [[f"what is number {n}?", f"it is the number {n}"] for n in range(12)]
    info = spec_of(write_csv("pairs.csv", header, rows)).info
    assert (info.loss, info.columns) == (
        "multiple_negatives_ranking",
        {"anchor": header[0], "positive": header[1]},
    )
    assert info.description == f'pairs of texts that belong together, "{header[0]}" and "{header[1]}"'


def test_answers_that_recur_as_labels_do_are_labels(write_csv: WriteCsv) -> None:
    rows = [[f"is it number {n}?", ("yes", "no")[n % 2]] for n in range(12)]
    assert spec_of(write_csv("pairs.csv", ["question", "answer"], rows)).info.name == "classification"
    shared = [[f"what is number {n}?", f"see the page on numbers {n % 2}"] for n in range(12)]
    assert spec_of(write_csv("faq.csv", ["question", "answer"], shared)).info.name == "similarity"


@pytest.mark.parametrize(
    "names", [["negative_1", "negative_2"], ["negative", "negative_2"], ["neg1", "neg2"], ["negative", "hard_negative"]]
)
def test_all_negatives_of_a_row_are_read_and_none_is_needed(write_csv: WriteCsv, names: list[str]) -> None:
    path = write_csv("tuples.csv", ["anchor", "positive", *names], [["a", "b", "c", "d"], ["e", "f", "", "g"]])
    assert spec_of(path).info.notes == ()
    assert [example.texts for example in read(path).examples] == [("a", "b", "c", "d"), ("e", "f", "g")]
    assert [example.texts for example in read(path, negative=names[1]).examples] == [("a", "b", "d"), ("e", "f", "g")]


def test_lists_of_positives_and_negatives_are_spread(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"query": "a", "pos": ["b", "c"], "neg": ["d", "e"]},
        {"query": "f", "pos": ["g"], "neg": []},
        {"query": "h", "pos": [], "neg": ["i"]},
        {"query": "j", "pos": "k", "neg": None},
    ]
    examples = read(write_lines(tmp_path / "lists.jsonl", rows))
    assert [(example.row, example.texts) for example in examples.examples] == [
        (1, ("a", "b", "d", "e")),
        (1, ("a", "c", "d", "e")),
        (2, ("f", "g")),
        (4, ("j", "k")),
    ]
    assert examples.set_aside == {"empty text": [3]}
    with pytest.raises(DataError, match=r'row 1: column "pos" holds a list with 3; expected texts'):
        read(write_lines(tmp_path / "bad.jsonl", [{"query": "a", "pos": ["b", 3]}]))


def test_lists_that_were_written_into_a_text_are_no_positives(write_csv: WriteCsv) -> None:
    rows = [[f"query {n}", f"['answer {n}', 'another {n}']"] for n in range(4)]
    with pytest.raises(DataError, match='column "pos" holds lists written as text, such as'):
        read(write_csv("lists.csv", ["query", "pos"], rows))


def test_a_loss_that_needs_other_columns_is_refused(write_csv: WriteCsv) -> None:
    scored = write_csv("scored.csv", PAIR_HEADER, [["a", "b", "0.5"]])
    with pytest.raises(UsageError, match="multiple_negatives_ranking learns from pairs without scores"):
        spec_of(scored, loss="multiple_negatives_ranking")
    unscored = write_csv("unscored.csv", ["anchor", "positive"], [["a", "b"]])
    with pytest.raises(UsageError, match=r"cosent learns from scored pairs \(--similarity\)"):
        spec_of(unscored, loss="cosent")


def test_a_loss_that_holds_the_pairs_of_a_batch_against_each_other_needs_two_of_them(write_csv: WriteCsv) -> None:
    scored = write_csv("scored.csv", PAIR_HEADER, [["a", "b", "0.5"]])
    unscored = write_csv("unscored.csv", ["anchor", "positive"], [["a", "b"]])
    with pytest.raises(UsageError, match=r"cosent learns from the other pairs of a batch; use --batch-size 2"):
        spec_of(scored, loss="cosent", batch_size=1)
    with pytest.raises(UsageError, match=r"multiple_negatives_ranking learns from the other pairs of a batch"):
        spec_of(unscored, batch_size=1)
    assert spec_of(scored, batch_size=1).loss == "angular_mse"


def test_a_metric_that_is_not_measured_is_refused(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", PAIR_HEADER, [["a", "b", "0.5"]])
    assert spec_of(path, primary_metric="mse").primary_metric == "mse"
    with pytest.raises(UsageError, match=r'"pearsn" is not measured on this data; did you mean "pearson"'):
        spec_of(path, primary_metric="pearsn")


def test_spearman_describes_and_does_not_decide(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", PAIR_HEADER, [["a", "b", "0.5"]])
    with pytest.raises(UsageError, match="--primary-metric spearman only describes: its ranks are not drawn anew"):
        spec_of(path, primary_metric="spearman")


@pytest.mark.parametrize(
    ("header", "loss", "metric"),
    [
        (PAIR_HEADER, "angular_mse", "mse"),
        (PAIR_HEADER, "cosine_mse", "mse"),
        (PAIR_HEADER, "cosent", None),
        (["anchor", "positive"], "multiple_negatives_ranking", None),
    ],
)
def test_the_mean_squared_error_is_the_loss_where_it_is_what_is_learned(
    write_csv: WriteCsv, header: list[str], loss: str, metric: str | None
) -> None:
    path = write_csv("pairs.csv", header, [["0.5"] * len(header)])
    assert spec_of(path, loss=loss).info.loss_metric == metric


def test_a_saved_model_that_learned_by_the_cosine_is_compared_by_the_cosine(write_csv: WriteCsv) -> None:
    scored = spec_of(write_csv("scored.csv", PAIR_HEADER, [["a", "b", "0.5"]]))
    assert scored.kind == "angular"
    assert scored.with_saved_settings({"similarity": "cosine"}).kind == "cosine"
    assert scored.with_saved_settings({"similarity": "angular"}) == scored
    unscored = spec_of(write_csv("unscored.csv", ["anchor", "positive"], [["a", "b"]]))
    assert unscored.with_saved_settings({"similarity": "cosine"}) == unscored


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        ("angular_mse", "angular"),
        ("cosent", "cosine"),
        ("multiple_negatives_ranking", "cosine"),
        ("cross_entropy", "angular"),
    ],
)
def test_a_general_set_of_scored_pairs_is_compared_as_the_domain_is(write_csv: WriteCsv, loss: str, kind: str) -> None:
    path = write_csv("general.csv", PAIR_HEADER, [["a", "b", "1"], ["a", "b", "5"]])
    recipe = make_recipe({}, data="domain.csv", loss=loss, primary_metric="mrr", score_range="0,9")
    table = read_table(path)
    spec = scored_pairs_spec(table, recipe, loss, (1.0, 5.0))
    assert (spec.kind, spec.primary_metric, spec.score_range) == (kind, "pearson", (1.0, 5.0))
    with pytest.raises(DataError, match="add --general-score-range LOW,HIGH"):
        scored_pairs_spec(table, recipe, loss, None).read(table)


def test_a_general_set_of_pairs_without_scores_is_refused(write_csv: WriteCsv) -> None:
    table = read_table(write_csv("general.csv", ["anchor", "positive"], [["a", "b"]]))
    with pytest.raises(DataError, match="holds pairs without scores"):
        scored_pairs_spec(table, make_recipe({}, data="domain.csv"), "angular_mse", None)


# Rows


def scored_file(write_csv: WriteCsv, scores: list[Any]) -> Path:
    return write_csv("pairs.csv", PAIR_HEADER, [[f"a{n}", f"b{n}", score] for n, score in enumerate(scores)])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0.5, 0.75, 1.0]),  # the angular loss: an unrelated pair scores 0.5
        ({"loss": "cosine_mse"}, [0.0, 0.5, 1.0]),
        ({"loss": "cosent"}, [0.0, 0.5, 1.0]),
    ],
)
def test_a_score_range_is_mapped_to_the_scale_of_the_similarity(
    write_csv: WriteCsv, settings: dict[str, Any], expected: list[float]
) -> None:
    examples = read(scored_file(write_csv, [1, 3, 5]), score_range="1,5", **settings).examples
    assert [example.score for example in examples] == expected


def test_scores_from_0_to_1_are_taken_as_they_are(write_csv: WriteCsv) -> None:
    examples = read(scored_file(write_csv, [0, 0.3, 1])).examples
    assert [example.score for example in examples] == [0.0, 0.3, 1.0]


def test_a_score_out_of_range_is_named_with_file_row_and_column(write_csv: WriteCsv) -> None:
    path = scored_file(write_csv, [0.5, 4.2])
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == (
        f'{path}, row 2: column "similarity" holds 4.2; expected a number from 0 to 1; '
        "for another scale add --score-range LOW,HIGH, LOW meaning unrelated"
    )
    with pytest.raises(DataError, match=r"row 2: .* holds 4\.2; expected a number from 1 to 4$"):
        read(scored_file(write_csv, [2, 4.2]), score_range="1,4")


def test_scores_that_are_all_the_same_are_refused(write_csv: WriteCsv) -> None:
    with pytest.raises(DataError, match=r'column "similarity" holds 0\.5 in every row'):
        read(scored_file(write_csv, [0.5, 0.5, 0.5]))


def test_rows_with_an_empty_text_are_skipped_and_named(write_csv: WriteCsv) -> None:
    rows = [["a", "b", 0.1], ["", "b", 0.2], ["a", " \t", 0.3], ["c", "d", 0.4]]
    examples = read(write_csv("pairs.csv", PAIR_HEADER, rows))
    assert [example.row for example in examples.examples] == [1, 4]
    assert examples.set_aside == {"empty text": [2, 3]}


def test_a_row_without_its_group_is_refused(write_csv: WriteCsv) -> None:
    rows = [["a", "b", 0.1, "x"], ["c", "d", 0.2, ""]]
    path = write_csv("pairs.csv", [*PAIR_HEADER, "group"], rows)
    with pytest.raises(DataError, match=r'row 2: column "group" holds nothing'):
        read(path)


def test_one_sentence_describes_how_the_file_was_read(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", [*PAIR_HEADER, "group"], [["a", "b", 1, "x"]])
    assert spec_of(path, score_range="0,5").info.description == (
        'scored pairs of texts, "text_1" and "text_2", similarity in "similarity" from 0 to 5, kept together by "group"'
    )
    path = write_csv("triplets.csv", ["anchor", "positive", "negative"], [["a", "b", "c"]])
    assert spec_of(path).info.description == (
        'pairs of texts that belong together, "anchor" and "positive", with a text that does not in "negative"'
    )
