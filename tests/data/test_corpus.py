"""Files become splits that share nothing, and everything that happened on the way is written down."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import PAIR_HEADER, topic_pairs

from homeground.data import examples, units
from homeground.data.corpus import Corpus, read_corpus, read_file, splits_lines
from homeground.data.examples import Example, digest, set_hash
from homeground.data.leakage import TrainingHashes
from homeground.data.tables import Row, Table
from homeground.data.units import MIN_UNITS, text_key, text_keys
from homeground.errors import DataError
from homeground.recipe.recipe import make_recipe
from homeground.results.data import DataRecord
from homeground.statistics.resampling import independent_units
from homeground.tasks import choose_task

WriteCsv = Callable[..., Path]
SPLITS = ("train", "validation", "test")


def corpus_of(path: Path, **options: Any) -> Corpus:
    recipe = make_recipe({"data": str(path)}, **options)
    table = read_file(recipe.data, recipe)
    return read_corpus(table, recipe, choose_task(table, recipe).read)


def rows(corpus: Corpus) -> dict[str, list[int]]:
    return {name: [example.row for example in getattr(corpus, name).examples] for name in SPLITS}


def distinct(count: int, *, first: int = 0) -> list[list[Any]]:
    """Return pairs that share no text with each other."""
    return [[f"left{n}", f"right{n}", (n % 10) / 10] for n in range(first, first + count)]


def test_a_key_is_computed_once_a_text(write_csv: WriteCsv, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: Counter[str] = Counter()

    def counted(text: str) -> tuple[str, str]:
        seen[text] += 1
        return text_keys(text)

    monkeypatch.setattr(examples, "text_keys", counted)
    monkeypatch.setattr(units, "text_keys", counted)
    corpus = corpus_of(write_csv("pairs.csv", PAIR_HEADER, distinct(60)), cross_fit=3)
    corpus.fold(0, make_recipe({"data": "pairs.csv"}))
    splits_lines(corpus)
    assert len(seen) == 120 and set(seen.values()) == {1}


# Random splits


def test_pairs_that_share_a_text_go_to_one_split(write_csv: WriteCsv) -> None:
    # Chains of three pairs: a-b, b-c, and "C!" which is c again.
    chains = [
        row for n in range(200) for row in ([f"a{n}", f"b{n}", 0.1], [f"b{n}", f"c{n}", 0.5], [f"C{n}!", f"d{n}", 0.9])
    ]
    corpus = corpus_of(write_csv("pairs.csv", PAIR_HEADER, chains))
    where: dict[str, set[str]] = {}
    for name in SPLITS:
        for example in getattr(corpus, name).examples:
            for text in example.texts:
                where.setdefault(text_key(text), set()).add(name)
    assert {len(splits) for splits in where.values()} == {1}
    assert sorted(row for found in rows(corpus).values() for row in found) == list(range(1, 601))
    assert corpus.record["split"] == {
        "kind": "random", "folds": None, "unit": "shared text", "version": 1,
        "units": {name: len(getattr(corpus, name)) // 3 for name in SPLITS},
    }  # fmt: skip
    assert corpus.record["counts"]["test"] == len(corpus.test) >= 198


def test_groups_stay_whole(write_csv: WriteCsv) -> None:
    pairs = [[*row, f"group {n % 60}"] for n, row in enumerate(distinct(600))]
    corpus = corpus_of(write_csv("pairs.csv", [*PAIR_HEADER, "group"], pairs), cross_fit=0)
    groups = [{example.group for example in getattr(corpus, name).examples} for name in SPLITS]
    assert sum(map(len, groups)) == 60
    assert len(set.union(*groups)) == 60
    assert corpus.record["split"]["unit"] == "group"


def test_the_same_file_is_split_the_same_way_by_the_same_seed(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", PAIR_HEADER, distinct(400))
    assert rows(corpus_of(path)) == rows(corpus_of(path))
    assert rows(corpus_of(path)) != rows(corpus_of(path, seed=1))


def test_scores_are_spread_over_the_splits_alike(write_csv: WriteCsv) -> None:
    corpus = corpus_of(write_csv("pairs.csv", PAIR_HEADER, distinct(1000)))
    for name in SPLITS:
        scores = [example.score for example in getattr(corpus, name).examples]
        assert np.mean(scores) == pytest.approx(0.45, abs=0.04)


# Other splits


def test_rows_in_order_are_split_in_order(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", PAIR_HEADER, distinct(100))
    corpus = corpus_of(path, split="ordered", train_size=70)
    assert [(min(found), max(found)) for found in rows(corpus).values()] == [(1, 70), (71, 85), (86, 100)]
    assert corpus.folds is None


def test_given_files_are_the_splits_they_are_named(write_csv: WriteCsv) -> None:
    train = write_csv("train.csv", PAIR_HEADER, distinct(50))
    validation = write_csv("validation.csv", PAIR_HEADER, distinct(12, first=100))
    test = write_csv("test.csv", PAIR_HEADER, distinct(40, first=200))
    corpus = corpus_of(train, validation=str(validation), test=str(test))
    assert {name: len(found) for name, found in rows(corpus).items()} == {"train": 50, "validation": 12, "test": 40}
    assert corpus.train.examples[0].texts == ("left0", "right0")
    assert corpus.test.examples[0].texts == ("left200", "right200")
    record = corpus.record
    assert record["split"]["kind"] == "files"
    assert [(file["split"], file["rows"]) for file in record["files"]] == [
        ("train", 50), ("validation", 12), ("test", 40)
    ]  # fmt: skip
    assert record["counts"] == {"read": 102, "used": 102, "train": 50, "validation": 12, "test": 40}
    assert set(corpus.hashes) == {"train", "validation", "test"}
    nothing = TrainingHashes.of([])
    assert corpus.contamination(nothing, nothing).rows == ()


def test_only_a_test_file_leaves_validation_to_be_drawn(write_csv: WriteCsv) -> None:
    train = write_csv("train.csv", PAIR_HEADER, distinct(100))
    test = write_csv("test.csv", PAIR_HEADER, distinct(40, first=200))
    corpus = corpus_of(train, test=str(test))
    assert len(corpus.validation) == 10
    assert len(corpus.train) == 90
    assert corpus.folds is None


def test_test_pairs_that_were_learned_are_counted_whichever_way_round(write_csv: WriteCsv) -> None:
    train = write_csv("train.csv", PAIR_HEADER, distinct(50))
    leaked = [["LEFT3.", "right3", 0.1], ["right4", "left4", 0.2], ["left5", "right6", 0.3], *distinct(9, first=200)]
    corpus = corpus_of(train, test=str(write_csv("test.csv", PAIR_HEADER, leaked)), validation=0)
    seen = TrainingHashes.of(corpus.train.examples).seen(corpus.test.examples)
    assert np.flatnonzero(seen).tolist() == [0, 1]


def test_what_straddles_the_splits_is_counted(write_csv: WriteCsv) -> None:
    pairs = [[*row, f"group {n // 8}"] for n, row in enumerate(distinct(100))]
    pairs[95][0], pairs[96][1] = "LEFT3.", "right4"
    path = write_csv("pairs.csv", [*PAIR_HEADER, "group"], pairs)
    # Rows 1 to 70 learn, 71 to 85 choose, 86 to 100 decide: the group of rows 81 to 88 is on both sides.
    assert corpus_of(path, split="ordered", train_size=70).record["shared_with_training"] == {"texts": 2, "groups": 1}
    assert corpus_of(path, cross_fit=0).record["shared_with_training"]["groups"] == 0
    assert corpus_of(path).record["shared_with_training"] is None
    plain = corpus_of(write_csv("plain.csv", PAIR_HEADER, distinct(100)), split="ordered")
    assert plain.record["shared_with_training"] == {"texts": 0, "groups": None}


# Small data


def test_too_few_units_for_a_test_split_are_cross_fitted(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", PAIR_HEADER, distinct(60))
    corpus = corpus_of(path)
    assert corpus.folds is not None
    assert len(corpus.test) == 60
    assert corpus.record["split"]["kind"] == "cross-fitted"
    assert corpus.record["split"]["folds"] == 5
    assert np.bincount(corpus.folds).tolist() == [12] * 5
    recipe = make_recipe({"data": str(path)})
    held_out: list[int] = []
    for fold in range(5):
        train, validation, places = corpus.fold(fold, recipe)
        assert len(validation) > 0
        learned = {example.row for part in (train, validation) for example in part.examples}
        out = {corpus.test.examples[place].row for place in places}
        assert not learned & out
        assert len(learned) + len(out) == 60
        held_out += sorted(out)
    assert sorted(held_out) == list(range(1, 61))


def test_no_text_is_in_two_folds(write_csv: WriteCsv) -> None:
    chains = [row for n in range(25) for row in ([f"a{n}", f"b{n}", 0.1], [f"b{n}", f"c{n}", (n % 9) / 10])]
    corpus = corpus_of(write_csv("pairs.csv", PAIR_HEADER, chains))
    assert corpus.folds is not None
    folds: dict[str, set[int]] = {}
    for example, fold in zip(corpus.test.examples, corpus.folds.tolist(), strict=True):
        for text in example.texts:
            folds.setdefault(text, set()).add(fold)
    assert {len(found) for found in folds.values()} == {1}


def test_cross_fitting_can_be_asked_for_and_refused(write_csv: WriteCsv) -> None:
    large = write_csv("large.csv", PAIR_HEADER, distinct(500))
    assert corpus_of(large).folds is None
    asked = corpus_of(large, cross_fit=3)
    assert asked.folds is not None
    assert sorted(set(asked.folds.tolist())) == [0, 1, 2]
    small = corpus_of(write_csv("small.csv", PAIR_HEADER, distinct(60)), cross_fit=0)
    assert small.folds is None
    assert len(small.test) < MIN_UNITS


def test_folds_choose_by_the_validation_file_that_is_given(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", PAIR_HEADER, distinct(60))
    validation = write_csv("validation.csv", PAIR_HEADER, distinct(12, first=100))
    options = {"validation": str(validation)}
    corpus = corpus_of(path, **options)
    assert corpus.folds is not None
    train, chosen_by, places = corpus.fold(0, make_recipe({"data": str(path)}, **options))
    assert (len(train), len(places)) == (48, 12)
    assert [example.texts for example in chosen_by.examples] == [
        example.texts for example in corpus.validation.examples
    ]


@settings(max_examples=60, deadline=None)
@given(scores=st.lists(st.integers(0, 20).map(lambda n: n / 20), min_size=10, max_size=45), seed=st.integers(0, 3))
def test_small_files_of_any_scores_can_be_split_and_folded(scores: list[float], seed: int) -> None:
    values = [{"text_1": f"a{n}", "text_2": f"b{n}", "similarity": str(score)} for n, score in enumerate(scores)]
    table = Table("t.csv", "csv", tuple(PAIR_HEADER), [Row(n, row) for n, row in enumerate(values, 1)], "", 0)
    if len(set(scores)) == 1:
        return
    recipe = make_recipe({"data": "t.csv"}, seed=seed)
    corpus = read_corpus(table, recipe, choose_task(table, recipe).read)
    assert corpus.folds is not None
    assert len(corpus.train) + len(corpus.validation) == len(scores)
    for fold in range(5):
        train, validation, places = corpus.fold(fold, recipe)
        assert len(train) + len(validation) + len(places) == len(scores)
        assert len(validation) >= 1


def test_fewer_than_ten_usable_rows_are_refused(write_csv: WriteCsv) -> None:
    pairs = [*distinct(9), ["", "b", 0.1]]
    with pytest.raises(
        DataError, match=r"9 rows can be used of 10, the others .* \(1 for empty text\); expected at least 10"
    ):
        corpus_of(write_csv("pairs.csv", PAIR_HEADER, pairs))


def test_nothing_to_test_on_is_refused(write_csv: WriteCsv) -> None:
    with pytest.raises(DataError, match="no example is left to test on"):
        corpus_of(write_csv("pairs.csv", PAIR_HEADER, distinct(100)), test=0)


# The record


def test_the_summary_is_what_data_json_holds(write_csv: WriteCsv) -> None:
    corpus = corpus_of(write_csv("pairs.csv", PAIR_HEADER, [*distinct(600), ["", "b", 0.1]]))
    record = corpus.record
    assert set(record) < set(DataRecord.model_fields)
    read = json.loads(DataRecord.model_validate(json.loads(json.dumps(record))).model_dump_json())
    assert {name: read[name] for name in record} == record
    assert (corpus.summary.counts.read, corpus.summary.set_aside[0].reason) == (601, "empty text")


def test_repeats_and_contradictions_are_counted_and_named(write_csv: WriteCsv) -> None:
    pairs = [
        *distinct(40),
        ["Left1", "right1!", 0.1],  # row 41, the score of row 2
        ["right2", "left2", 0.9],  # row 42, another score than row 3
        ["left2", "right2", 0.8],  # row 43, another yet
    ]
    record = corpus_of(write_csv("pairs.csv", PAIR_HEADER, pairs)).record
    assert record["duplicates"] == {"exact": 3, "conflicting_scores": 2, "rows": [41, 42, 43], "names": []}


def test_what_is_set_aside_is_counted_by_file_and_reason(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", PAIR_HEADER, [*distinct(300), ["", "b", 0.1], ["a", " ", 0.1]])
    record = corpus_of(path).record
    rows = {"count": 2, "rows": [301, 302], "names": []}
    assert record["set_aside"] == [{"file": str(path), "reason": "empty text", **rows}]
    assert (record["counts"]["read"], record["counts"]["used"]) == (302, 300)


def test_texts_in_very_many_pairs_are_listed(write_csv: WriteCsv) -> None:
    pairs = [["hub", f"right{n}", (n % 10) / 10] if n % 2 else row for n, row in enumerate(distinct(600))]
    record = corpus_of(write_csv("pairs.csv", PAIR_HEADER, pairs)).record
    assert [hub["text"] for hub in record["hubs"]] == ["hub"]


@pytest.mark.parametrize("count", [60, 500])
def test_every_example_has_a_line_with_its_split(write_csv: WriteCsv, count: int) -> None:
    corpus = corpus_of(write_csv("pairs.csv", PAIR_HEADER, distinct(count)))
    lines = splits_lines(corpus)
    tested = [line for line in lines if line["split"] == "test"]
    assert Counter(line["split"] for line in lines) == {name: len(getattr(corpus, name)) for name in SPLITS}
    assert all(("fold" in line) == (corpus.folds is not None) for line in tested)
    first = corpus.test.examples[0]
    assert tested[0]["row"] == first.row
    assert tested[0]["hash"] == f"{digest(first.texts):016x}"


def test_lines_of_several_files_name_them_and_no_unit_has_the_number_of_another(write_csv: WriteCsv) -> None:
    train = write_csv("train.csv", PAIR_HEADER, [row for row in distinct(50) for _ in range(2)])
    test = write_csv("test.csv", PAIR_HEADER, distinct(40, first=200))
    lines = splits_lines(corpus_of(train, test=str(test)))
    assert {(line["split"], line["file"]) for line in lines} == {
        ("train", str(train)), ("validation", str(train)), ("test", str(test))
    }  # fmt: skip
    hashes_of_unit: dict[int, set[tuple[str, str]]] = {}
    for line in lines:
        hashes_of_unit.setdefault(line["unit"], set()).add((line["split"], line["hash"]))
    assert len(hashes_of_unit) == 90
    assert all(len(hashes) == 1 for hashes in hashes_of_unit.values())
    assert all("file" not in line for line in splits_lines(corpus_of(train)))


def test_cross_fitted_an_example_has_one_unit_wherever_it_stands_and_its_folds_number(write_csv: WriteCsv) -> None:
    data = write_csv("pairs.csv", PAIR_HEADER, distinct(60))
    validation = write_csv("validation.csv", PAIR_HEADER, distinct(12, first=100))
    for options in ({}, {"validation": str(validation)}):
        lines = splits_lines(corpus_of(data, **options))
        hashes_of_unit: dict[int, set[str]] = {}
        for line in lines:
            hashes_of_unit.setdefault(line["unit"], set()).add(line["hash"])
        assert len(hashes_of_unit) == 60 + 12 * len(options)
        assert all(len(hashes) == 1 for hashes in hashes_of_unit.values())
        assert {line["fold"] for line in lines if line["split"] == "test"} == {1, 2, 3, 4, 5}


def test_the_units_of_the_record_are_those_a_verdict_rests_on(write_csv: WriteCsv) -> None:
    # Each of 12 second texts stands in seven pairs, so links none of them, and yet no more than 12 are independent.
    pairs = [[f"left{n}", f"right{n % 12}", (n % 10) / 10] for n in range(84)]
    corpus = corpus_of(write_csv("pairs.csv", PAIR_HEADER, pairs))
    assert corpus.folds is not None
    assert corpus.record["split"]["units"]["test"] == independent_units(corpus.test.units.nodes) == 12


def test_a_set_is_named_by_its_texts_and_scores_whatever_their_order() -> None:
    pairs = [Example(n, pair[:2], pair[2]) for n, pair in enumerate(topic_pairs(20))]
    assert set_hash(pairs) == set_hash(pairs[::-1])
    changed = [*pairs[1:], Example(0, pairs[0].texts, 0.123)]
    assert set_hash(changed) != set_hash(pairs)
    assert set_hash(pairs[1:]) != set_hash(pairs)


def test_a_set_keeps_its_name_under_another_loss(write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", PAIR_HEADER, [[one, two, 5 * score] for one, two, score in distinct(60)])
    angles, cosines = (corpus_of(path, score_range="0,5", loss=loss) for loss in ("angular_mse", "cosine_mse"))
    assert angles.test.examples[0].score != cosines.test.examples[0].score
    assert angles.record["test_hash"] == cosines.record["test_hash"]
    assert corpus_of(path, score_range="0,6").record["test_hash"] == angles.record["test_hash"]


def test_rows_of_a_folder_are_named_by_their_files(tmp_path: Path) -> None:
    for name in ("a", "b", "c", *map(str, range(12))):
        text = {"a": "", "c": "the text of b", "b": "the text of b"}.get(name, f"text number {name}")
        (tmp_path / f"{name}.txt").write_text(text)
    (tmp_path / "d.csv").write_text("text\n")
    corpus = corpus_of(tmp_path, cross_fit=0)
    assert corpus.record["set_aside"][0]["names"] == ["a.txt"]
    assert corpus.record["duplicates"]["names"] == ["c.txt"]
    assert '1 file is no text and not read: "d.csv"' in corpus.record["notes"][0]
    lines = splits_lines(corpus)
    assert {line["name"] for line in lines} == {path.name for path in tmp_path.glob("*.txt")} - {"a.txt"}
    assert all(sorted(tmp_path.glob("*.txt"))[line["row"] - 1].name == line["name"] for line in lines)


def test_a_file_to_leave_out_that_has_nothing_in_common_says_so(tmp_path: Path, write_csv: WriteCsv) -> None:
    path = write_csv("pairs.csv", PAIR_HEADER, distinct(60))
    (tmp_path / "others.csv").write_text("text\nsomething else\n")
    record = corpus_of(path, leave_out=str(tmp_path / "others.csv")).record
    assert record["notes"] == ["others.csv: no text of it is in the data, so nothing is left out"]
    (tmp_path / "others.csv").write_text("text\nLeft7!\n")
    assert corpus_of(path, leave_out=str(tmp_path / "others.csv")).record["notes"] == []


def test_a_sample_of_a_corpus_is_even_and_keeps_the_summary_of_all(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("text,label\n" + "".join(f"text number {row},{'ab'[row % 2]}\n" for row in range(1000)))
    corpus = corpus_of(path, cross_fit=0, test=0.2)
    sample = corpus.sampled(100)
    assert [len(part) for part in sample.parts] == [round(len(part) / 10) for part in corpus.parts]
    for part, whole in zip(sample.parts, corpus.parts, strict=True):
        assert [each for each in whole.examples if each in part.examples] == part.examples
        assert part.units.count == len(part)
        assert [each.digests for each in part.examples] == [digests_of(each) for each in part.examples]
    assert sample.scale == pytest.approx(10)
    assert replace(sample.summary, notes=()) == replace(corpus.summary, notes=())
    assert sample.summary.notes[-1].endswith("estimated from a sample of 100 of the 1,000 examples")
    assert corpus.sampled(1000) is corpus


def digests_of(example: Example) -> tuple[int, ...]:
    return Example(example.row, example.texts).digests
