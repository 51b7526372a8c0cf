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


def test_folds_that_a_validation_file_chose_for_have_seen_it(write_csv: WriteCsv, set_up: SetUp) -> None:
    rows = topic_pairs(90)
    data = write_csv("pairs.csv", PAIR_HEADER, rows)
    validation = write_csv("validation.csv", PAIR_HEADER, [*topic_pairs(20, seed=1), *rows[:3]])
    crossed = set_up(data, validation=str(validation))
    assert crossed.record.split.folds == 5
    assert list(crossed.contamination.rows) == [1, 2, 3]
    assert crossed.record.seen_in_training == 3
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
    assert list(setup.record.seen_in_training_rows) == [41]


def test_general_pairs_that_are_learned_from_are_counted(write_csv: WriteCsv, set_up: SetUp) -> None:
    rows = topic_pairs(60)
    general = write_csv("general.csv", PAIR_HEADER, [*topic_pairs(20, seed=3), *rows[:4]])
    setup = set_up(write_csv("pairs.csv", PAIR_HEADER, rows), general=str(general))
    assert setup.general is not None and len(setup.general) == 24
    assert setup.general_seen == 4


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
    assert any(note.startswith("1 test examples were learned from (rows 31)") for note in notes)
    assert any(note.startswith("of 2 test examples an earlier run learned a text") for note in notes)


def _example(row: tuple[str, str, float]) -> Example:
    return Example(1, row[:2], row[2])
