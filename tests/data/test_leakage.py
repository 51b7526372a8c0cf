"""What was learned from is known by its hashes, and what must not be learned from is removed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from homeground.audit import duplicates
from homeground.data.corpus import Corpus, read_corpus, read_file, splits_lines
from homeground.data.documents import Document
from homeground.data.examples import Example, digest
from homeground.data.leakage import Contamination, Passages, TrainingHashes, read_left_out, split_words, text_hashes
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


@pytest.mark.parametrize("words", [3, 40])
def test_passages_are_found_as_a_plain_search_finds_them(words: int) -> None:
    random = np.random.default_rng(words)
    vocabulary = [f"w{number}" for number in range(words)]
    for _ in range(60):
        texts = [" ".join(random.choice(vocabulary, random.integers(1, 10))) for _ in range(30)]
        searched = ". ".join([*random.choice(texts, 2), *random.choice(vocabulary, random.integers(0, 60))])
        found, own = Passages(enumerate(texts)).inside(searched), split_words(searched)
        expected = {
            number
            for number, text in enumerate(texts)
            if len(part := split_words(text)) >= 5
            and any(own[place : place + len(part)] == part for place in range(len(own)))
        }
        assert found == expected


# Hashes


def test_hashes_are_of_pairs_and_of_single_texts() -> None:
    example = Example(1, ("Data scientist", "nurse"), 0.5)
    hashes = set(text_hashes([example]).tolist())
    assert hashes == {digest(["data scientist", "nurse"]), digest(["scientist data"]), digest(["NURSE"])}
    assert digest(["a", "b"]) == digest(["b", "a"]) != digest(["a b"])


def test_a_triplet_was_seen_whatever_stood_against_its_first_two_texts() -> None:
    learned = TrainingHashes.of([Example(1, ("a", "b", "c"))])
    asked = [Example(1, ("A", "b.", "d")), Example(2, ("a", "b")), Example(3, ("a", "c", "b")), Example(4, ("a", "d"))]
    assert learned.seen(asked).tolist() == [True, True, False, False]


def test_hashes_of_stored_runs_stay_what_they_are() -> None:
    # As version 0.1 wrote them into training_texts.npy and splits.jsonl.
    pair = Example(1, ("Data scientist", "nurse"), 0.5)
    labelled = Example(2, ("Café  #1!",), labels=("b", "a"))
    assert pair.digests == (8360234856987445658, 17490763708805726734)
    assert pair.digest == pair.labelled_digest == 2538697014851333353
    assert (labelled.digest, labelled.labelled_digest) == (14991856072028268902, 10029354473814362917)
    assert Document(3, (), key=7).digests == (7,) and Document(3, (), key=7).labelled_digest == 7


def test_an_example_is_seen_whatever_its_label_or_score_but_not_with_its_words_in_another_order() -> None:
    learned = TrainingHashes.of(
        [Example(1, ("We lost 3:1",), labels=("sports",)), Example(2, ("a b", "c"), 0.3), Example(3, ("lost we",))]
    )
    test = [
        Example(5, ("we lost, 3-1!",), labels=("sports",)),
        Example(6, ("WE LOST 3:1",), labels=("praise",)),
        Example(7, ("We lost 1:3",), labels=("sports",)),
        Example(8, ("we lost",), labels=("sports",)),
        Example(9, ("C.", "a b"), 0.9),
        Example(10, ("c", "b a"), 0.3),
        Example(11, ("a b", "d"), 0.3),
        Example(12, ("d", "e"), 0.3),
        Example(13, ("a b",)),
    ]
    assert learned.seen(test).tolist() == [True, True, False, False, True, False, False, False, True]
    assert learned.seen_texts(test).tolist() == [True, True, True, True, True, True, True, False, True]
    assert learned.seen([]).tolist() == learned.seen_texts([]).tolist() == []


def test_of_a_run_that_stored_no_order_of_words_any_order_counts(tmp_path: Path) -> None:
    learned = TrainingHashes.of([Example(1, ("We lost 3:1",), labels=("sports",)), Example(2, ("a b", "c"), 0.3)])
    test = [Example(1, ("We lost 1:3",)), Example(2, ("c", "b a"), 0.9), Example(3, ("we lost 13",))]
    learned.write(tmp_path)
    assert TrainingHashes.of_run(tmp_path).seen(test).tolist() == [False, False, False]
    (tmp_path / "training_texts_ordered.npy").unlink()
    old = TrainingHashes.of_run(tmp_path)
    assert old.seen(test).tolist() == [True, True, False]
    # A run that goes on from the old one keeps what is known of it.
    later = old | TrainingHashes.of([Example(3, ("new words here",))])
    later.write(tmp_path)
    again = TrainingHashes.of_run(tmp_path)
    assert again.seen([*test, Example(4, ("here new words",))]).tolist() == [True, True, False, False]
    assert not TrainingHashes.of_run(None).seen(test).any()
    assert not TrainingHashes.of_run(tmp_path / "elsewhere").seen(test).any()


# The test


def _corpus(write_csv: Callable[..., Path], train: list[Any], test: list[Any], **settings: Any) -> Corpus:
    data, tested = write_csv("data.csv", ["text", "label"], train), write_csv("test.csv", ["text", "label"], test)
    recipe = make_recipe({}, data=str(data), **{"test": str(tested), **settings})
    table = read_file(recipe.data, recipe)
    return read_corpus(table, recipe, choose_task(table, recipe).read)


TRAIN = [(f"train text number {number}", "ab"[number % 2]) for number in range(40)]


def test_contaminated_rows_are_those_of_this_run_and_of_earlier_ones(write_csv: Callable[..., Path]) -> None:
    test = [("Train text, number 3!", "b"), ("seen before", "a"), ("before seen", "a"), ("new", "a"), ("text 5", "b")]
    validation = str(write_csv("validation.csv", ["text", "label"], [("text 5", "a"), ("text 6", "b")]))
    corpus = _corpus(write_csv, TRAIN, test, validation=validation)
    earlier = TrainingHashes.of([Example(1, ("seen before",)), Example(2, ("new", "text"))])
    contamination = corpus.contamination(earlier, earlier)
    # "new" was learned as a part of a pair, and is a text that was learned from; "before seen" is only like one.
    assert contamination == Contamination({"train": (1,), "validation": (5,), "earlier runs": (2, 4)}, texts=1)
    assert contamination.rows == (1, 2, 4, 5)
    clean = corpus.without(contamination.rows)
    assert [example.row for example in clean.test.examples] == [3]
    assert [example.row for example in clean.as_read.test.examples] == [1, 2, 3, 4, 5]
    assert clean.record["counts"]["test"] == clean.record["split"]["units"]["test"] == 1
    # The ledger counts verdicts on a test set, whatever is left out of it.
    assert clean.record["test_hash"] == corpus.record["test_hash"]
    marked = [line["row"] for line in splits_lines(clean) if line.get("left_out")]
    assert marked == [1, 2, 4, 5]


def test_validation_rows_that_training_holds_choose_nothing(write_csv: Callable[..., Path]) -> None:
    rows = [TRAIN[4], ("TRAIN text number 7.", "a"), ("number 7 train text", "a"), ("other", "b")]
    validation = str(write_csv("validation.csv", ["text", "label"], rows))
    corpus = _corpus(write_csv, TRAIN, [("new", "a"), ("newer", "b")], validation=validation)
    assert [example.row for example in corpus.validation.examples] == [3, 4]
    record = corpus.record
    assert (record["validation_in_training"], record["validation_in_training_rows"]) == (2, [1, 2])
    assert record["counts"]["validation"] == 2
    nothing = str(write_csv("nothing.csv", ["text", "label"], TRAIN[:5]))
    with pytest.raises(DataError, match=r"nothing\.csv: all 5 validation examples are in the training data"):
        _corpus(write_csv, TRAIN, [("new", "a"), ("newer", "b")], validation=nothing)


def test_rows_in_order_that_repeat_are_left_out_of_the_test(write_csv: Callable[..., Path]) -> None:
    data = write_csv("data.csv", ["text", "label"], [*TRAIN, *TRAIN[:3], ("new", "a"), ("newer", "b")])
    recipe = make_recipe({}, data=str(data), split="ordered", train_size=40, validation=0.0, test=0.5)
    table = read_file(recipe.data, recipe)
    corpus = read_corpus(table, recipe, choose_task(table, recipe).read)
    nothing = TrainingHashes.of([])
    assert corpus.contamination(nothing, nothing).seen == {"train": (41, 42, 43)}


# Documents


def _document_corpus(tmp_path: Path, train: list[str], test: list[str] | None, **settings: Any) -> Corpus:
    for name, texts in (("train", train), ("test", test or [])):
        (tmp_path / f"{name}.txt").write_text("\n".join(texts), encoding="utf-8")
    files = {} if test is None else {"test": str(tmp_path / "test.txt")}
    recipe = make_recipe({}, data=str(tmp_path / "train.txt"), task="mlm", **files, **settings)
    table = read_file(recipe.data, recipe)
    return read_corpus(table, recipe, choose_task(table, recipe).read)


LONG = [" ".join(f"word{number}x{place}" for place in range(20)) for number in range(60)]


def test_halves_of_training_documents_are_found_in_the_test(tmp_path: Path) -> None:
    halves = [" ".join(text.split()[:10]) for text in LONG]
    corpus = _document_corpus(tmp_path, LONG, [*halves, "a text of its own, and a long one", "word1x3 word1x4"])
    nothing = TrainingHashes.of([])
    # Some of the training documents validate, so that their halves are seen there.
    assert corpus.contamination(nothing, nothing).rows == tuple(range(1, 61))


def test_halves_of_training_documents_choose_nothing(tmp_path: Path) -> None:
    (tmp_path / "validation.txt").write_text(
        "\n".join([" ".join(LONG[3].split()[8:]), "what is only here and nowhere else"])
    )
    settings = {"validation": str(tmp_path / "validation.txt")}
    corpus = _document_corpus(tmp_path, LONG, ["a text of its own"], **settings)
    assert [example.row for example in corpus.validation.examples] == [2]


def test_a_document_inside_one_of_another_fold_is_left_out_where_folds_are_crossed(tmp_path: Path) -> None:
    rows = [*LONG, LONG[0] + " and more", LONG[7].upper()]
    corpus = _document_corpus(tmp_path, rows, None, cross_fit=5)
    assert corpus.folds is not None
    nothing = TrainingHashes.of([])
    found = corpus.contamination(nothing, nothing).rows
    # Row 62 is row 8 in capitals: both are in one fold.
    assert found == (() if corpus.folds[0] == corpus.folds[60] else (1,))
    # What is left out of the test is learned from all the same, by the models of the other folds.
    clean, recipe = corpus.without([1]), make_recipe({}, data="train.txt", task="mlm", validation=0.0)
    for fold in range(5):
        train, _, _ = clean.fold(fold, recipe)
        assert (1 in {example.row for example in train.examples}) == (corpus.folds[0] != fold)


def test_the_first_line_of_a_file_without_a_header_is_left_out_too(tmp_path: Path) -> None:
    (tmp_path / "tested.csv").write_text("The ferry was late and left.\nNobody said why it was.\n")
    left_out = read_left_out(str(tmp_path / "tested.csv"))
    assert left_out.match("the ferry was late and left", digest(["the ferry was late and left"]))


def test_a_file_is_searched_once_for_the_same_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []
    inside = Passages.inside

    def counted(self: Passages, text: str) -> set[int]:
        searched.append(text)
        return inside(self, text)

    monkeypatch.setattr(Passages, "inside", counted)
    rows = [*LONG, *(" ".join(text.split()[:10]) for text in LONG)]
    corpus = _document_corpus(tmp_path, rows, None, validation=0.2, cross_fit=0)
    nothing = TrainingHashes.of([])
    seen = corpus.contamination(nothing, nothing)
    assert seen.rows
    assert audited(corpus) == set(seen.rows)
    assert len(searched) == len(rows)


def test_documents_of_validation_and_of_training_are_both_searched_where_they_are_in_two_files(tmp_path: Path) -> None:
    own = [" ".join(f"other{number}x{place}" for place in range(20)) for number in range(5)]
    (tmp_path / "validation.txt").write_text("\n".join(own), encoding="utf-8")
    halves = [" ".join(text.split()[:10]) for text in (LONG[4], own[2])]
    corpus = _document_corpus(
        tmp_path, LONG, [*halves, "a text of its own"], validation=str(tmp_path / "validation.txt")
    )
    assert audited(corpus) == {1, 2}


def audited(corpus: Corpus) -> set[int]:
    parts = {"train": corpus.train, "validation": corpus.validation, "test": corpus.test}
    return duplicates.test_in_training({name: part.examples for name, part in parts.items()})
