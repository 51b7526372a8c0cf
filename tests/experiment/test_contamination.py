"""Contamination: the test examples that were learned from or chosen by are counted, in this run and in earlier ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from tests.conftest import PAIR_HEADER, topic_pairs

from homeground.data.examples import Example
from homeground.data.leakage import text_hashes
from homeground.experiment.data_record import data_notes
from homeground.experiment.setup import Setup
from homeground.results.run import Run

WriteCsv = Callable[..., Path]
SetUp = Callable[..., Setup]


def test_what_folds_learn_from_is_taken_out_of_the_validation_file(write_csv: WriteCsv, set_up: SetUp) -> None:
    rows = topic_pairs(90)
    data = write_csv("pairs.csv", PAIR_HEADER, rows)
    validation = write_csv("validation.csv", PAIR_HEADER, [*topic_pairs(20, seed=1), *rows[:3]])
    crossed = set_up(data, validation=str(validation))
    assert crossed.record.split.folds == 5
    # All data is learned from in some fold, and then chooses nothing.
    assert list(crossed.contamination.rows) == []
    assert (crossed.record.validation_in_training, crossed.record.counts.validation) == (3, 20)
    validation = crossed.splits.fold(0).validation
    assert validation is not None and len(validation) == 20
    assert any(
        "3 of 23 validation examples are in the training data too" in each for each in data_notes(crossed.record)
    )
    assert list(set_up(data).contamination.rows) == []


def test_a_test_pair_that_chose_the_weights_counts_as_seen(write_csv: WriteCsv, set_up: SetUp) -> None:
    data = write_csv("pairs.csv", PAIR_HEADER, topic_pairs(60))
    choosing, deciding = topic_pairs(20, seed=1), topic_pairs(40, seed=2)
    files = {
        "validation": str(write_csv("validation.csv", PAIR_HEADER, choosing)),
        "test": str(write_csv("test.csv", PAIR_HEADER, [*deciding, choosing[5]])),
    }
    setup = set_up(data, **files)
    assert list(setup.contamination.rows) == [41]
    assert (len(setup.test), setup.record.counts.test, setup.record.contaminated) == (40, 40, 0)
    assert any(
        "1 of 41 test examples are left out of the verdict (rows 41)" in each for each in data_notes(setup.record)
    )
    kept = set_up(data, keep_contaminated=True, **files)
    assert len(kept.test) == 41 and kept.test_as_read is None
    assert (kept.record.contaminated, kept.record.seen_in_training_rows) == (1, (41,))
    assert kept.record.left_out_of_test == ()


def test_of_a_test_of_which_nothing_is_left_all_is_measured_and_nothing_decided(
    write_csv: WriteCsv, set_up: SetUp
) -> None:
    data = write_csv("pairs.csv", PAIR_HEADER, topic_pairs(60))
    test = str(write_csv("test.csv", PAIR_HEADER, topic_pairs(60)[:40]))
    setup = set_up(data, test=test, validation=0.0)
    assert (len(setup.test), setup.nothing_left, setup.record.contaminated) == (40, True, 40)
    notes = data_notes(setup.record)
    assert any(note.startswith("40 of 40 test examples are left out of the verdict") for note in notes)
    assert any(note.startswith("there will be no verdict: hardly any test example is left") for note in notes)
    assert not set_up(data, test=test, validation=0.0, keep_contaminated=True).nothing_left


def test_general_pairs_that_are_learned_from_are_left_out(write_csv: WriteCsv, set_up: SetUp) -> None:
    rows = topic_pairs(60)
    general = write_csv("general.csv", PAIR_HEADER, [*topic_pairs(20, seed=3), *rows[:4]])
    data = write_csv("pairs.csv", PAIR_HEADER, rows)
    setup = set_up(data, general=str(general))
    assert setup.general is not None and len(setup.general) == 20
    assert (setup.general_contamination.left_out, setup.general_contamination.kept) == (4, 0)
    kept = set_up(data, general=str(general), keep_contaminated=True)
    assert kept.general is not None and len(kept.general) == 24 and kept.general_contamination.kept == 4
    # Where hardly any others are left, none is left out, and the verdict is UNDECIDED.
    learned = write_csv("learned.csv", PAIR_HEADER, [*rows[:20], *topic_pairs(1, seed=3)])
    few = set_up(data, general=str(learned))
    assert few.general is not None and len(few.general) == 21 and few.general_contamination.kept == 20


def test_the_hashes_are_those_of_what_is_learned_from_and_chosen_by(write_csv: WriteCsv, set_up: SetUp) -> None:
    data = write_csv("pairs.csv", PAIR_HEADER, topic_pairs(60))
    chooses = str(write_csv("chooses.csv", PAIR_HEADER, topic_pairs(20, seed=3)))
    decides = str(write_csv("decides.csv", PAIR_HEADER, topic_pairs(20, seed=4)))
    setup = set_up(data, cross_fit=0, keep_general=chooses, general=decides)
    hashes = setup.training_hashes.hashes
    for part in (setup.corpus.train, setup.corpus.validation):
        assert np.isin(text_hashes(part.examples), hashes).all()
    assert not np.isin(text_hashes(setup.corpus.test.examples), hashes).any()
    # 20 pairs choose how much is kept: two texts and the pair of each.
    plain = set_up(data, cross_fit=0, general=decides).training_hashes.hashes
    assert len(np.setdiff1d(hashes, plain)) == 60


def test_a_text_that_an_earlier_run_learned_in_another_pair_is_told_apart(
    finished: Run, write_csv: WriteCsv, set_up: SetUp
) -> None:
    # Of the finished run's 900 pairs those of its test split were not learned from.
    rows, fresh = topic_pairs(900), topic_pairs(60, seed=5)
    learned = set(np.load(finished.folder / "training_texts.npy").tolist())
    read_before = [row for row in rows if not learned.isdisjoint(text_hashes([_example(row)]).tolist())]
    assert len(read_before) == 700
    one, two, other = read_before[:3]
    test = [*fresh[:30], one, (two[0], fresh[40][1], 0.5), (fresh[41][0], other[1], 0.9)]
    files = {"test": str(write_csv("test.csv", PAIR_HEADER, test)), "checkpoint": str(finished.folder)}
    setup = set_up(write_csv("pairs.csv", PAIR_HEADER, topic_pairs(60, seed=6)), **files)
    assert list(setup.contamination.rows) == [31]
    assert setup.contamination.texts == setup.record.texts_seen_in_training == 2
    assert np.isin(list(learned), setup.training_hashes.hashes).all()
    notes = data_notes(setup.record)
    assert any(note.startswith("1 of 33 test examples are left out of the verdict (rows 31)") for note in notes)
    assert any(note.startswith("of 2 test examples an earlier run learned a text") for note in notes)


def _example(row: tuple[str, str, float]) -> Example:
    return Example(1, row[:2], row[2])
