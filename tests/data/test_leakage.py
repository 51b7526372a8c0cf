from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from homeground.data.corpus import read_corpus, read_file
from homeground.data.leakage import read_left_out
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
    assert read_left_out(tested).held_by(text) is held


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
