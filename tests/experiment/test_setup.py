"""What stands before the first step: what is refused before a run is begun, and what is counted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import PAIR_HEADER, topic_pairs

import homeground
from homeground.errors import DataError, HomegroundError, UsageError
from homeground.experiment.data_record import data_notes
from homeground.experiment.setup import Setup, prepare
from homeground.recipe.recipe import make_recipe
from homeground.results.run import Run

WriteCsv = Callable[..., Path]
SetUp = Callable[..., Setup]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": "ordered"}, "all 10 test examples have the score 0.5, so no correlation can be measured"),
        ({"monitor": "validation/pearso"}, 'monitor "validation/pearso" is not measured; did you mean "validation/'),
        ({"monitor": "validation/loss", "validation": 0}, '--monitor "validation/loss" is not measured'),
        ({"general": "general.csv"}, "holds 3; expected a number from 0 to 1; for another scale add --general-score"),
    ],
)
def test_what_would_fail_later_is_refused_before_the_run_folder_exists(
    write_csv: WriteCsv, encoder: Path, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    rows = topic_pairs(100)
    rows[90:] = [(*row[:2], 0.5) for row in rows[90:]]
    data = write_csv("pairs.csv", PAIR_HEADER, rows)
    general = write_csv("general.csv", PAIR_HEADER, [("a", "b", 3), ("c", "d", 1)])
    settings |= {"general": str(general)} if "general" in settings else {}
    with pytest.raises(HomegroundError) as caught:
        homeground.adapt(data, checkpoint=str(encoder), out=str(tmp_path / "out" / "run"), **settings)
    assert isinstance(caught.value, DataError | UsageError)
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_run_is_not_written_over_the_run_it_starts_from(finished: Run, write_csv: WriteCsv) -> None:
    data = write_csv("pairs.csv", PAIR_HEADER, topic_pairs(60, seed=2))
    before = (finished.folder / "scores.json").read_bytes()
    with pytest.raises(UsageError, match="is the run that is the checkpoint; name another folder"):
        homeground.adapt(data, checkpoint=str(finished.folder), out=str(finished.folder), fresh=True)
    assert (finished.folder / "scores.json").read_bytes() == before


def test_texts_alike_but_for_case_and_order_are_not_called_exact_copies(write_csv: WriteCsv, set_up: SetUp) -> None:
    rows = topic_pairs(60)
    rows[7] = (rows[3][0].upper() + "!", " ".join(rows[3][1].split()[::-1]), rows[3][2])
    sentences = data_notes(set_up(write_csv("pairs.csv", PAIR_HEADER, rows)).record)
    alike = "1 example has the texts of an earlier one, up to case, punctuation and word order (rows 8); all are kept"
    assert alike in sentences


def test_an_ordered_split_says_what_stands_on_both_sides(write_csv: WriteCsv, set_up: SetUp) -> None:
    rows = [(*row, f"group {n // 8}") for n, row in enumerate(topic_pairs(100))]
    data = write_csv("pairs.csv", [*PAIR_HEADER, "group"], rows)
    sentence = "1 groups of the test stand in train or validation too, so it may be easier than new text"
    assert sentence in data_notes(set_up(data, split="ordered", train_size=70).record)
    assert not any("stand in train" in note for note in data_notes(set_up(data).record))


@pytest.mark.parametrize("cross_fit", [0, 5])
def test_texts_that_are_cut_are_counted_once_wherever_they_go(
    write_csv: WriteCsv, set_up: SetUp, cross_fit: int
) -> None:
    # The encoder reads 32 tokens; every second pair has one long text, different each time.
    rows = [
        (f"{one} {'bank ' * 40}" if n % 2 else one, two, score) for n, (one, two, score) in enumerate(topic_pairs(80))
    ]
    record = set_up(write_csv("pairs.csv", PAIR_HEADER, rows), cross_fit=cross_fit).record
    assert record.counts.validation > 0
    assert record.to_json()["truncated"] == {"texts": 40, "max_length": 32}


def test_a_test_too_small_for_a_verdict_is_told_before_the_start(write_csv: WriteCsv, set_up: SetUp) -> None:
    small, enough = (write_csv(f"{count}.csv", PAIR_HEADER, topic_pairs(count)) for count in (24, 40))
    sentence = "there will be no verdict: the test has 24 independent units by shared text, and at least 30 are needed"
    assert sentence in data_notes(set_up(small).record)
    assert not any("no verdict" in note for note in data_notes(set_up(enough).record))


def test_why_nothing_can_be_used_is_told(write_csv: WriteCsv, set_up: SetUp) -> None:
    path = write_csv("empty.csv", PAIR_HEADER, [("a", "", 0.5)] * 12)
    with pytest.raises(DataError, match=r"0 rows can be used of 12, the others were skipped \(12 for empty text\)"):
        set_up(path)


def test_rows_of_the_general_set_that_are_set_aside_are_counted_and_named(
    pairs_csv: Path, encoder: Path, write_csv: Callable[..., Path]
) -> None:
    general = write_csv("general.csv", PAIR_HEADER, [*topic_pairs(40, seed=9), ("", "bank", 0.5), ("loan", " ", 0.5)])
    sentences: list[str] = []
    setup = prepare(
        make_recipe({}, data=str(pairs_csv), checkpoint=str(encoder), general=str(general)), report=sentences.append
    )
    assert f"{general}: 2 rows skipped for empty text (rows 41, 42)" in sentences
    assert {"file": str(general), "reason": "empty text", "count": 2, "rows": [41, 42]} in (
        setup.record.to_json()["set_aside"]
    )


def test_texts_that_are_mostly_unknown_are_refused_unless_told(
    write_csv: WriteCsv, encoder: Path, set_up: SetUp, tmp_path: Path
) -> None:
    rows = [(f"龘{n} 齉", f"龘 爨{n % 7} 麤", n % 2) for n in range(60)]
    data = write_csv("pairs.csv", PAIR_HEADER, rows)
    settings: dict[str, Any] = {"out": str(tmp_path / "out"), "cross_fit": 0}
    with pytest.raises(DataError) as caught:
        homeground.adapt(data, checkpoint=str(encoder), **settings)
    assert re.match(r"\d\d% of the tokens of the texts are unknown to the tokenizer of ", str(caught.value))
    assert "a Chinese or multilingual checkpoint such as sentence-transformers/" in str(caught.value)
    assert str(caught.value).endswith("to train all the same, add --allow-unknown-tokens")
    assert not (tmp_path / "out").exists()
    record = set_up(data, **settings, allow_unknown_tokens=True).record
    assert set(record.unknown_tokens) == {"train", "validation", "test"}
    assert record.unknown_tokens["test"].characters > 0.5
    assert sum("are unknown to the tokenizer" in note for note in data_notes(record)) == 1


def test_unknown_tokens_of_a_test_file_alone_are_said_of_it(write_csv: WriteCsv, set_up: SetUp) -> None:
    data = write_csv("pairs.csv", PAIR_HEADER, topic_pairs(60))
    plain = set_up(data)
    assert not any("unknown" in note for note in data_notes(plain.record))
    test = write_csv(
        "test.csv", PAIR_HEADER, [(f"{one} 龘", other, score) for one, other, score in topic_pairs(40, seed=1)]
    )
    (note,) = (note for note in data_notes(set_up(data, test=str(test)).record) if "unknown" in note)
    assert "of the tokens of the test texts are unknown" in note
    lost = write_csv("lost.csv", PAIR_HEADER, [(f"龘{n}", "爨 齉", n % 2) for n in range(40)])
    with pytest.raises(DataError, match=r"of the tokens of the test texts are unknown .* add --allow-unknown-tokens"):
        set_up(data, test=str(lost))
