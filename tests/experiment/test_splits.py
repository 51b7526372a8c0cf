"""The splits of the trainings: what each model learns from and is chosen by, tokenized once each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.classifying import topic_texts
from tests.conftest import FAST, PAIR_HEADER, topic_pairs
from tokenizers import Tokenizer

import homeground
from homeground.checkpoint import Coverage, load_tokenizer, measure_coverage
from homeground.data.corpus import splits_lines
from homeground.data.examples import Example
from homeground.experiment.setup import Setup

WriteCsv = Callable[..., Path]
SetUp = Callable[..., Setup]


def rows_of(examples: Sequence[Example]) -> set[int]:
    return {example.row for example in examples}


def test_splits_share_no_unit_and_no_text_where_texts_recur(write_csv: WriteCsv, set_up: SetUp) -> None:
    # Every pair shares its first text with the next one, and its second text with the one after that.
    pairs = topic_pairs(600)
    linked = [(pairs[n - n % 2][0], pairs[n - 2 if n % 4 == 2 else n][1], pairs[n][2]) for n in range(600)]
    setup = set_up(write_csv("linked.csv", PAIR_HEADER, linked), cross_fit=0)
    lines = splits_lines(setup.corpus)
    texts = {line["row"]: {linked[line["row"] - 1][0], linked[line["row"] - 1][1]} for line in lines}
    units = Counter(line["unit"] for line in lines)
    assert max(units.values()) >= 4 and len(lines) == 600
    names = ("train", "validation", "test")
    for one, other in combinations(names, 2):
        first, second = ([line for line in lines if line["split"] == name] for name in (one, other))
        assert first and second
        assert not {line["unit"] for line in first} & {line["unit"] for line in second}, (one, other)
        shared = set[str]().union(*(texts[line["row"]] for line in first))
        assert not any(shared & texts[line["row"]] for line in second), (one, other)


def test_validation_and_as_many_of_the_training_examples_are_measured_alike(write_csv: WriteCsv, set_up: SetUp) -> None:
    setup = set_up(write_csv("pairs.csv", PAIR_HEADER, topic_pairs(500)), cross_fit=0)
    kept = setup.splits.kept
    assert kept.train.examples == setup.corpus.train.examples
    assert kept.validation is not None and kept.sample is not None
    assert len(kept.validation) == len(kept.sample) == len(setup.corpus.validation) < len(kept.train.examples)
    assert kept.validation.task is kept.sample.task
    assert kept.validation.resampling == kept.sample.resampling
    assert len(kept.train.rows.lengths("training")) == len(kept.train.examples)
    without = set_up(write_csv("pairs.csv", PAIR_HEADER, topic_pairs(500)), cross_fit=0, validation=0).splits.kept
    assert without.validation is None and without.sample is None


def test_a_fold_learns_from_all_examples_but_its_own(write_csv: WriteCsv, set_up: SetUp) -> None:
    setup = set_up(write_csv("pairs.csv", PAIR_HEADER, topic_pairs(90)), cross_fit=3)
    folds = setup.corpus.folds
    assert folds is not None
    for number in range(3):
        split = setup.splits.fold(number)
        own = {example.row for example, fold in zip(setup.corpus.test.examples, folds, strict=True) if fold == number}
        learned = rows_of(split.train.examples)
        assert split.validation is not None
        assert not learned & own
        assert len(learned) + len(split.validation) + len(own) == 90
        assert setup.splits.fold(number) is split


def test_the_classes_of_a_choice_are_those_that_validation_has(
    write_csv: WriteCsv, set_up: SetUp, classifier: Path
) -> None:
    # The label "rare" is in the test file only; macro F1 on validation must not ask for it.
    train = [*topic_texts(200), ("nothing at all 1", "rare"), ("nothing at all 2", "rare")]
    files = {
        "validation": str(write_csv("validation.csv", ["text", "label"], topic_texts(60, seed=1))),
        "test": str(write_csv("test.csv", ["text", "label"], [*topic_texts(60, seed=2), ("nothing 3", "rare")])),
    }
    data = write_csv("texts.csv", ["text", "label"], train)
    setup = set_up(data, checkpoint=str(classifier), primary_metric="macro_f1", **files)
    validation: Any = setup.splits.kept.validation
    test: Any = setup.test
    assert "rare" in setup.task.labels
    assert len(test.task.tested) == len(validation.task.tested) + 1


def test_shares_are_nested_and_chosen_by_the_validation_of_the_run(write_csv: WriteCsv, set_up: SetUp) -> None:
    data = write_csv("pairs.csv", PAIR_HEADER, topic_pairs(500))
    assert set_up(data, cross_fit=0).splits.shares == []
    setup = set_up(data, cross_fit=0, learning_curve=True)
    splits = setup.splits
    assert [share.per_cent for share in splits.shares] == [5, 10, 25, 50]
    learned = [rows_of(splits.share(share).train.examples) for share in splits.shares]
    assert all(small < large for small, large in pairwise([*learned, rows_of(setup.corpus.train.examples)]))
    for share in splits.shares:
        split = splits.share(share)
        assert split.validation is not None and split.sample is not None
        assert len(split.validation) == len(setup.corpus.validation)
        assert len(split.sample) == min(len(split.train.examples), len(setup.corpus.validation))
        assert splits.share(share) is split


class CountingTokenizer:
    """A tokenizer that counts how often each text is encoded."""

    def __init__(self, tokenizer: Tokenizer, counts: Counter[str]) -> None:
        self.tokenizer, self.counts = tokenizer, counts

    def encode_batch(self, texts: list[Any], **settings: Any) -> Any:
        self.counts.update(part for text in texts for part in ([text] if isinstance(text, str) else text))
        return self.tokenizer.encode_batch(texts, **settings)

    def encode_batch_fast(self, texts: list[Any], **settings: Any) -> Any:
        self.counts.update(part for text in texts for part in ([text] if isinstance(text, str) else text))
        return self.tokenizer.encode_batch_fast(texts, **settings)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tokenizer, name)


def test_a_set_is_tokenized_once_however_many_trainings_read_it(
    write_csv: WriteCsv, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: Counter[str] = Counter()

    def load(*arguments: Any, **settings: Any) -> CountingTokenizer:
        return CountingTokenizer(load_tokenizer(*arguments, **settings), counts)

    def coverage(examples: Sequence[Example], tokenizer: CountingTokenizer, *, seed: int) -> Coverage:
        return measure_coverage(examples, tokenizer.tokenizer, seed=seed)

    monkeypatch.setattr("homeground.experiment.setup.load_tokenizer", load)
    # What a tokenizer does not know is counted on a sample before anything is tokenized; nothing is audited.
    monkeypatch.setattr("homeground.experiment.setup.measure_coverage", coverage)
    domain, general = topic_pairs(40), topic_pairs(24, seed=9)
    files = {"keep_general": str(write_csv("general.csv", PAIR_HEADER, general)), "out": str(tmp_path / "run")}
    data = write_csv("pairs.csv", PAIR_HEADER, domain)
    settings = {**FAST, "epochs": 1, "bootstrap_draws": 200, "checkpoint": str(encoder), "cross_fit": 2, "seeds": 5}
    run = homeground.adapt(data, titles="bank,court", **settings, **files)
    # Eleven trainings, each merged back by eleven weights on the half of the general set that chooses.
    assert len(list(run.folder.rglob("metrics.jsonl"))) == 11
    assert [counts[text] for pair in general for text in pair[:2]] == [1] * 48
    # A domain text is in the test, in a split of the model that is kept and of one fold, and maybe in their samples.
    assert all(counts[text] == 1 for pair in domain for text in pair[:2])
    # The two titles of the heat map are encoded by both models.
    assert set(counts) == {"bank", "court", *(text for pair in [*domain, *general] for text in pair[:2])}
