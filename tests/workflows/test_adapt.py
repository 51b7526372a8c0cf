"""The workflow adapt, from a file to a run folder: what is proved, written, refused and repeated."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sentence_transformers import SentenceTransformer
from tests.conftest import FAST, PAIR_HEADER, topic_pairs
from tests.runs import read_lines

import homeground
from homeground.errors import DataError, HomegroundError, RunConflict, UsageError
from homeground.results.run import Run
from homeground.storage import manifest_problem

SPLITS = ("train", "validation", "test")


def test_a_run_holds_everything_the_design_names(finished: Run) -> None:
    names = {path.name for path in finished.folder.iterdir()}
    assert names == {
        "recipe.toml",
        "run.json",
        "data.json",
        "splits.jsonl",
        "metrics.jsonl",
        "tensorboard",
        "scores.json",
        "examples.jsonl",
        "predictions.npy",
        "training_texts.npy",
        "training_texts_ordered.npy",
        "model",
        "report.html",
    }
    assert finished.finished
    assert manifest_problem(finished.model_folder) is None
    assert tomllib.loads((finished.folder / "recipe.toml").read_text())["training"]["adam_beta1"] == 0.9


def test_planted_topics_are_found_and_the_verdict_says_helped(finished: Run) -> None:
    scores = finished.scores
    assert scores["verdict"] == "HELPED"
    assert finished.sentence.startswith("HELPED: Pearson correlation")
    assert scores["difference"]["low"] > 0.1
    assert scores["difference"]["value"] == pytest.approx(scores["after"]["pearson"] - scores["before"]["pearson"])
    assert scores["test_units"] >= 30
    assert set(scores["baselines"]) == {"TF-IDF"}


def test_the_scores_are_those_of_scipy_on_the_examples(finished: Run) -> None:
    rows = read_lines(finished.folder / "examples.jsonl")
    gold = [row["similarity"] for row in rows]
    for side in ("before", "after"):
        predicted = [row[side] for row in rows]
        assert finished.scores[side]["pearson"] == pytest.approx(pearsonr(gold, predicted)[0], abs=1e-4)
        assert finished.scores[side]["spearman"] == pytest.approx(spearmanr(gold, predicted)[0], abs=1e-3)
        assert finished.scores[side]["mae"] == pytest.approx(np.abs(np.subtract(gold, predicted)).mean(), abs=1e-4)


def test_splits_share_no_unit_and_no_text(finished: Run) -> None:
    rows = read_lines(finished.folder / "splits.jsonl")
    for name in ("row", "hash", "unit"):
        values = {split: {row[name] for row in rows if row["split"] == split} for split in SPLITS}
        assert all(values.values())
        for one, other in combinations(SPLITS, 2):
            assert not values[one] & values[other], (name, one, other)
    assert len(rows) == 900


def test_general_ability_has_its_own_verdict(finished: Run) -> None:
    # Its pairs are of the very topics that are learned, so nothing of it can be lost.
    general = finished.scores["general"]
    assert general["verdict"] == "KEPT"
    assert general["difference"]["low"] > 0.1
    assert general["difference"]["value"] == pytest.approx(general["after"] - general["before"])
    assert general["examples"] == general["units"] == 120


def test_the_heat_map_shows_the_chosen_titles(finished: Run) -> None:
    heat_map = finished.scores["heat_map"]
    assert heat_map["titles"] == ["bank loan", "court judge", "city road"]
    for side in ("before", "after"):
        matrix = np.array(heat_map[side])
        assert matrix.shape == (3, 3)
        assert np.allclose(matrix, matrix.T)
        assert np.allclose(np.diag(matrix), 1, atol=2e-3)


def test_sentence_transformers_loads_the_model_with_none_of_our_code(finished: Run) -> None:
    texts = ["bank loan card", "judge", "data scientist 科学 " + "law " * 60]
    theirs = SentenceTransformer(str(finished.model_folder)).encode(texts)
    ours = homeground.load(finished).encode(texts)
    assert np.abs(theirs - ours).max() < 1e-5


def test_the_same_call_returns_the_finished_run_untouched(finished: Run, encoder: Path) -> None:
    data, general = finished.folder.parent / "pairs.csv", finished.folder.parent / "general.csv"
    before = (finished.folder / "scores.json").stat().st_mtime_ns
    events: list[object] = []
    again = homeground.adapt(
        data,
        checkpoint=str(encoder),
        out=str(finished.folder),
        general=str(general),
        titles="bank loan,court judge,city road",
        on_event=events.append,
        **FAST,
    )
    assert again.scores == finished.scores
    assert (finished.folder / "scores.json").stat().st_mtime_ns == before


def test_a_changed_recipe_is_refused_with_the_difference(finished: Run, encoder: Path) -> None:
    data, general = finished.folder.parent / "pairs.csv", finished.folder.parent / "general.csv"
    settings = {**FAST, "seed": 5, "titles": "bank loan,court judge,city road"}
    with pytest.raises(RunConflict, match=r"recipe\.seed: 0, now 5"):
        homeground.adapt(
            data,
            checkpoint=str(encoder),
            out=str(finished.folder),
            general=str(general),
            **settings,
        )


def test_a_run_is_a_checkpoint_and_its_texts_are_remembered(finished: Run, tmp_path: Path) -> None:
    data = finished.folder.parent / "pairs.csv"
    run = homeground.adapt(data, checkpoint=str(finished.folder), out=str(tmp_path / "second"), seed=1, **FAST)
    # Another seed draws another test split from the same file, most of which the first run learned from.
    left_out = run.scores["left_out"]
    assert run.scores["seen_in_training"] == left_out["seen"]["earlier runs"] > 100
    assert run.scores["test_examples"] + left_out["examples"] == left_out["of"] == 200
    first = np.load(finished.folder / "training_texts.npy")
    assert np.isin(first, np.load(run.folder / "training_texts.npy")).all()


def test_pairs_without_scores_learn_to_rank(write_csv: Callable[..., Path], encoder: Path, tmp_path: Path) -> None:
    pairs = [(first, second) for first, second, score in topic_pairs(600) if score > 0.8]
    data = write_csv("positives.csv", ["anchor", "positive"], pairs)
    run = homeground.adapt(data, checkpoint=str(encoder), out=str(tmp_path / "run"), **FAST)
    assert run.scores["primary_metric"] == "mrr"
    assert run.scores["after"]["mrr"] > run.scores["before"]["mrr"]
    assert (run.folder / "report.html").is_file()
    assert homeground.load(run).kind == "cosine"


def test_triplets_are_read(write_csv: Callable[..., Path], encoder: Path, tmp_path: Path) -> None:
    pairs = topic_pairs(400)
    near = [pair for pair in pairs if pair[2] > 0.8]
    far = [pair for pair in pairs if pair[2] < 0.8]
    rows = [(a[0], a[1], b[1]) for a, b in zip(near, far, strict=False)]
    data = write_csv("triplets.csv", ["anchor", "positive", "negative"], rows)
    run = homeground.adapt(data, checkpoint=str(encoder), out=str(tmp_path / "run"), **FAST)
    assert run.scores["test_examples"] > 0


@pytest.mark.parametrize("loss", ["cosine_mse", "cosent"])
def test_other_losses_by_name(loss: str, pairs_csv: Path, encoder: Path, tmp_path: Path) -> None:
    run = homeground.adapt(pairs_csv, checkpoint=str(encoder), out=str(tmp_path / "run"), loss=loss, **FAST)
    assert run.scores["after"]["pearson"] > run.scores["before"]["pearson"]
    assert homeground.load(run).kind == "cosine"


def test_a_recipe_in_toml_is_the_same_as_keywords(pairs_csv: Path, encoder: Path, tmp_path: Path) -> None:
    settings = {**FAST, "epochs": 1}
    by_keywords = homeground.adapt(pairs_csv, checkpoint=str(encoder), out=str(tmp_path / "a"), **settings)
    by_file = homeground.adapt(by_keywords.folder / "recipe.toml", out=str(tmp_path / "b"))
    assert by_file.scores["after"] == by_keywords.scores["after"]
    # Files by another name, in the same folder: still the same run.
    assert homeground.adapt(by_keywords.folder / "recipe.toml", out=str(tmp_path / "a")).scores == by_keywords.scores


def test_verdicts_on_one_test_set_are_counted(pairs_csv: Path, encoder: Path, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        run = homeground.adapt(
            pairs_csv,
            checkpoint=str(encoder),
            out=str(tmp_path / "runs" / str(number)),
            **{**FAST, "epochs": 1, "learning_rate": number * 1e-4},
        )
        assert run.scores["test_set"]["verdict_number"] == number
    assert "verdict no. 3 on this test set" in run.sentence


def test_too_few_units_give_no_verdict(write_csv: Callable[..., Path], encoder: Path, tmp_path: Path) -> None:
    header = [*PAIR_HEADER, "group"]
    rows = [(*pair, number % 12) for number, pair in enumerate(topic_pairs(240))]
    run = homeground.adapt(
        write_csv("grouped.csv", header, rows),
        group="group",
        checkpoint=str(encoder),
        out=str(tmp_path / "run"),
        **FAST,
    )
    assert run.scores["verdict"] == "TOO FEW"
    assert "at least 30" in run.sentence


def test_ordered_splits_take_the_rows_as_they_come(pairs_csv: Path, encoder: Path, tmp_path: Path) -> None:
    run = homeground.adapt(
        pairs_csv, checkpoint=str(encoder), out=str(tmp_path / "run"), split="ordered", train_size=300, **FAST
    )
    splits = [row["split"] for row in read_lines(run.folder / "splits.jsonl")]
    assert splits == ["train"] * 300 + ["validation"] * 100 + ["test"] * 100
    rows = [row["row"] for row in read_lines(run.folder / "splits.jsonl")]
    assert rows == list(range(1, 501))


def test_no_validation_keeps_the_last_weights_or_the_best_training_loss(
    pairs_csv: Path, encoder: Path, tmp_path: Path
) -> None:
    run = homeground.adapt(
        pairs_csv,
        checkpoint=str(encoder),
        out=str(tmp_path / "run"),
        validation=0,
        monitor="train/epoch_loss",
        patience=1,
        min_delta=10.0,
        **FAST,
    )
    assert run.scores["training"]["stopped_because"] == "train/epoch_loss did not improve for 1 evaluations"


def test_bad_input_writes_nothing(write_csv: Callable[..., Path], encoder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "run"
    cases: list[tuple[Callable[[], object], type[HomegroundError], str]] = [
        (lambda: homeground.adapt(tmp_path / "gone.csv", out=str(out)), DataError, "gone.csv"),
        (
            lambda: homeground.adapt(write_csv("few.csv", PAIR_HEADER, topic_pairs(4)), out=str(out)),
            DataError,
            "4 rows can be used of 4",
        ),
        (
            lambda: homeground.adapt(
                write_csv("high.csv", PAIR_HEADER, [("a", "b", "high")]), checkpoint=str(encoder), out=str(out)
            ),
            DataError,
            'high.csv, row 1: column "similarity" holds "high"; expected a number',
        ),
        (
            lambda: homeground.adapt(
                write_csv("five.csv", PAIR_HEADER, [("a", "b", 5)]), checkpoint=str(encoder), out=str(out)
            ),
            DataError,
            "expected a number from 0 to 1; for another scale add --score-range LOW,HIGH",
        ),
        (
            lambda: homeground.adapt(
                write_csv("ok.csv", PAIR_HEADER, topic_pairs(50)), checkpoint=str(encoder), max_length=999, out=str(out)
            ),
            UsageError,
            "--max-length 999",
        ),
    ]
    for act, kind, message in cases:
        with pytest.raises(kind) as caught:
            act()
        assert message in str(caught.value)
        assert caught.value.exit_code == 2
    assert not out.parent.exists()


def test_na_and_null_stay_texts(write_csv: Callable[..., Path], encoder: Path, tmp_path: Path) -> None:
    rows = [*topic_pairs(200), ("NA", "null", 0.6), ("None", "nan", 0.7)]
    run = homeground.adapt(
        write_csv("na.csv", PAIR_HEADER, rows), checkpoint=str(encoder), out=str(tmp_path / "run"), **FAST
    )
    assert json.loads((run.folder / "data.json").read_text())["counts"]["used"] == 202


def test_empty_texts_and_duplicates_are_counted_and_named(
    write_csv: Callable[..., Path], encoder: Path, tmp_path: Path
) -> None:
    rows = topic_pairs(200)
    rows[4] = ("", "bank loan", 0.5)
    rows[7] = ("judge", "  ", 0.5)
    rows[20] = rows[10]
    messages: list[str] = []
    run = homeground.adapt(
        write_csv("odd.csv", PAIR_HEADER, rows),
        checkpoint=str(encoder),
        out=str(tmp_path / "run"),
        on_event=lambda event: messages.append(str(event)),
        **FAST,
    )
    data = json.loads((run.folder / "data.json").read_text())
    assert data["set_aside"][0]["rows"] == [5, 8]
    assert 21 in data["duplicates"]["rows"]
    assert any("2 rows skipped for empty text (rows 5, 8)" in text for text in messages)
