"""What was learned from is known by its hashes, and what must not be learned from is removed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from homeground.data.corpus import read_corpus, read_file
from homeground.data.documents import Document
from homeground.data.examples import Example, digest
from homeground.data.leakage import Contamination, TrainingHashes, read_left_out, seen_before, text_hashes
from homeground.errors import DataError
from homeground.recipe.recipe import make_recipe
from homeground.tasks import choose_task

TESTED = ["The parcel never came to my door.", "Very late", "外卖送得太慢了"]


@pytest.fixture
def tested(write_csv: Callable[..., Path]) -> str:
    return str(write_csv("tested.csv", ["text", "label"], [(text, "delivery") for text in TESTED]))


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("the PARCEL never came to my door", True),
        ("She said: the parcel never came, to my door! And left.", True),
        ("The parcel never came to my house.", False),
        ("late, very", True),
        ("It came very late.", False),
        ("他说外卖送得太慢了。", True),
        ("他说外卖送得太快了。", False),
        ("delivery", True),
        ("the delivery", False),
    ],
)
def test_a_text_is_held_as_a_whole_or_where_its_words_stand_side_by_side(tested: str, text: str, held: bool) -> None:
    assert read_left_out(tested).match(text, digest([text])) is held


def test_rows_that_hold_such_a_text_are_set_aside_and_named(tested: str, tmp_path: Path) -> None:
    lines = [f"document {number} speaks of something else" for number in range(20)]
    lines[3], lines[7] = f"A letter: {TESTED[0]}", TESTED[1]
    (tmp_path / "domain.txt").write_text("\n".join(lines), encoding="utf-8")
    recipe = make_recipe({}, data=str(tmp_path / "domain.txt"), task="mlm", leave_out=tested, cross_fit=0)
    table = read_file(recipe.data, recipe)
    corpus = read_corpus(table, recipe, choose_task(table, recipe).read)
    (aside,) = corpus.record["set_aside"]
    assert (aside["reason"], aside["rows"]) == ("a text of tested.csv", [4, 8])
    parts = (corpus.train, corpus.validation, corpus.test)
    assert {4, 8}.isdisjoint(example.row for part in parts for example in part.examples)
    # Another list of texts is another run.
    assert "leave_out" in corpus.hashes


def test_a_test_of_its_own_keeps_such_texts(tested: str, write_csv: Callable[..., Path]) -> None:
    rows = [(f"word {number}", "ab"[number % 2]) for number in range(20)]
    data = write_csv("data.csv", ["text", "label"], [*rows, (TESTED[0], "a")])
    test = write_csv("test.csv", ["text", "label"], [(TESTED[0], "a"), ("word", "b")])
    recipe = make_recipe({}, data=str(data), test=str(test), leave_out=tested)
    table = read_file(recipe.data, recipe)
    corpus = read_corpus(table, recipe, choose_task(table, recipe).read)
    assert len(corpus.train) + len(corpus.validation) == 20
    assert len(corpus.test) == 2


def test_a_list_that_is_not_there_is_told_as_any_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv"):
        read_left_out(str(tmp_path / "none.csv"))


# Hashes


def test_hashes_are_of_pairs_and_of_single_texts() -> None:
    example = Example(1, ("Data scientist", "nurse"), 0.5)
    hashes = set(text_hashes([example]).tolist())
    assert hashes == {digest(["data scientist", "nurse"]), digest(["scientist data"]), digest(["NURSE"])}
    assert digest(["a", "b"]) == digest(["b", "a"]) != digest(["a b"])


def test_a_triplet_was_seen_whatever_stood_against_its_first_two_texts() -> None:
    learned = text_hashes([Example(1, ("a", "b", "c"))])
    asked = [Example(1, ("A", "b.", "d")), Example(2, ("a", "b")), Example(3, ("a", "c", "b")), Example(4, ("a", "d"))]
    assert seen_before(asked, learned).tolist() == [True, True, False, False]


def test_hashes_of_stored_runs_stay_what_they_are() -> None:
    # As version 0.1 wrote them into training_texts.npy and splits.jsonl.
    pair = Example(1, ("Data scientist", "nurse"), 0.5)
    labelled = Example(2, ("Café  #1!",), labels=("b", "a"))
    assert pair.digests == (8360234856987445658, 17490763708805726734)
    assert pair.digest == pair.labelled_digest == 2538697014851333353
    assert (labelled.digest, labelled.labelled_digest) == (14991856072028268902, 10029354473814362917)
    assert Document(3, (), key=7).digests == (7,) and Document(3, (), key=7).labelled_digest == 7


def test_an_example_is_seen_with_its_label_and_its_texts_with_any() -> None:
    learned = TrainingHashes.of([Example(1, ("late parcel",), labels=("delivery",)), Example(2, ("a", "b"), 0.3)])
    test = [
        Example(5, ("Parcel, LATE!",), labels=("delivery",)),
        Example(6, ("late parcel",), labels=("praise",)),
        Example(7, ("B.", "a"), 0.9),
        Example(8, ("b", "c"), 0.3),
        Example(9, ("d", "e"), 0.3),
    ]
    assert learned.seen(test).tolist() == [True, False, True, False, False]
    assert learned.seen_texts(test).tolist() == [True, True, True, True, False]
    assert learned.seen([]).tolist() == learned.seen_texts([]).tolist() == []


def test_contamination_counts_earlier_texts_beside_the_rows_that_were_learned_from() -> None:
    earlier = TrainingHashes.of([Example(1, ("a",), labels=("x",)), Example(2, ("b",), labels=("x",))])
    learned = earlier | TrainingHashes.of([Example(3, ("c",), labels=("x",))])
    test = [Example(row, (text,), labels=(label,)) for row, (text, label) in enumerate(["ax", "by", "cx", "cy", "dx"])]
    assert Contamination.of(test, learned, earlier) == Contamination(rows=(0, 2), texts=1)
    assert np.array_equal((earlier | earlier).hashes, earlier.hashes)
