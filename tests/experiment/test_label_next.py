"""The texts to label next are doubtful, new, and different from each other."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.classifying import topic_texts
from tests.conftest import FAST, PAIR_HEADER, topic_pairs

import homeground
from homeground.data.examples import digest
from homeground.errors import DataError, HomegroundError, UsageError
from homeground.experiment.label_next import Doubt, choose, most_doubtful
from homeground.results.run import Run

KNOWN = topic_texts(520)
NEW = topic_texts(300, seed=1)


def listed(run: Run) -> list[dict[str, str]]:
    with (run.folder / "next_to_label.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory, classifier: Path) -> tuple[Run, dict[str, Any], Path]:
    """A run that was asked for 20 texts of a file that also holds known, repeated, empty and dangerous ones."""
    folder = tmp_path_factory.mktemp("listing")
    data, more = folder / "texts.csv", folder / "more.csv"
    _write(data, ["text", "label"], KNOWN)
    learned = [(text.upper(),) for text, _ in KNOWN]
    again = [(" ".join(reversed(text.split())),) for text, _ in NEW]
    _write(more, ["text"], [*learned, *((text,) for text, _ in NEW), ("",), *again])
    settings: dict[str, Any] = {**FAST, "checkpoint": str(classifier), "out": str(folder / "run"), "label_next": 20}
    return homeground.adapt(data, unlabelled=str(more), **settings), settings, data


def _write(path: Path, header: list[str], rows: list[Any]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def test_as_many_texts_as_asked_for_none_of_them_known_or_twice(listing: tuple[Run, dict[str, Any], Path]) -> None:
    rows = listed(listing[0])
    assert list(rows[0]) == ["row", "text", "predicted_label", "probability", "margin"]
    assert len(rows) == 20
    digests = [digest([row["text"]]) for row in rows]
    assert len(set(digests)) == 20
    assert not set(digests) & {digest([text]) for text, _ in KNOWN}
    assert all(NEW[int(row["row"]) - 1 - len(KNOWN)][0] == row["text"] for row in rows)


def test_the_least_sure_come_first_as_the_model_says_it(listing: tuple[Run, dict[str, Any], Path]) -> None:
    rows = listed(listing[0])
    model = homeground.load(listing[0])
    assert isinstance(model, homeground.Classifier)
    probabilities = np.sort(model.predict_proba([row["text"] for row in rows]))
    margins = [float(row["margin"]) for row in rows]
    assert margins == sorted(margins)
    assert np.allclose(margins, probabilities[:, -1] - probabilities[:, -2], atol=1e-5)
    assert np.allclose([float(row["probability"]) for row in rows], probabilities[:, -1], atol=1e-5)
    assert [row["predicted_label"] for row in rows] == model.predict([row["text"] for row in rows])
    all_new = np.sort(model.predict_proba([text for text, _ in NEW]))
    assert np.mean(margins) < np.mean(all_new[:, -1] - all_new[:, -2])


def test_a_finished_run_can_be_asked_of_another_file(listing: tuple[Run, dict[str, Any], Path], tmp_path: Path) -> None:
    run, settings, data = listing
    texts = ["=1+1 bank", "house money -", "court nurse"]
    before = (run.folder / "scores.json").stat().st_mtime_ns
    _write(tmp_path / "few.csv", ["text"], [(text,) for text in texts])
    kept = (run.folder / "next_to_label.csv").read_bytes()
    again = homeground.adapt(data, unlabelled=str(tmp_path / "few.csv"), **settings)
    rows = listed(again)
    (run.folder / "next_to_label.csv").write_bytes(kept)
    assert {row["text"] for row in rows} == {"'=1+1 bank", *texts[1:]}
    assert (run.folder / "scores.json").stat().st_mtime_ns == before


class Sure:
    """Stands for a classifier: a text says itself how probable the first of two labels is."""

    several = False
    classes_ = ("a", "b")
    largest = 0

    def predict_proba(self, texts: list[str]) -> np.ndarray:
        self.largest = max(self.largest, len(texts))
        first = np.array([float(text) for text in texts])
        return np.stack([first, 1 - first], axis=1)


def test_the_pool_holds_the_most_doubtful_of_any_number_of_texts() -> None:
    random = np.random.default_rng(0)
    values = [f"{value:.7f}" for value in random.random(2000)]
    model: Any = Sure()
    chunks = ([(row + 1, (values[row],)) for row in range(start, start + 100)] for start in range(0, 2000, 100))
    pool = most_doubtful(model, chunks, known={digest([values[0]])}, count=50)
    nearest = sorted(values[1:], key=lambda value: abs(float(value) - 0.5))[:50]
    assert {doubt.texts[0] for doubt in pool} == set(nearest)
    assert model.largest <= 100


def test_of_several_labels_the_least_sure_one_counts() -> None:
    class Several(Sure):
        several = True

        def predict_proba(self, texts: list[str]) -> np.ndarray:
            return np.array([[0.9, 0.45] for _ in texts])

    model: Any = Several()
    (doubt,) = most_doubtful(model, [[(1, ("x",))]], known=set(), count=5)
    assert (doubt.label, doubt.probability, round(doubt.margin, 6)) == ("a", 0.45, 0.1)


def test_several_labels_are_joined_by_what_none_of_them_holds() -> None:
    class Both(Sure):
        several = True
        classes_ = ("a", "b;c")

        def predict_proba(self, texts: list[str]) -> np.ndarray:
            return np.array([[0.9, 0.8] for _ in texts])

    model: Any = Both()
    (doubt,) = most_doubtful(model, [[(1, ("x",))]], known=set(), count=5)
    assert doubt.label == "a|b;c"


def planted(per_cluster: list[int]) -> tuple[list[Doubt], np.ndarray]:
    """Return doubts in as many directions as there are clusters, those of the first the most doubtful by far."""
    random = np.random.default_rng(0)
    doubts: list[Doubt] = []
    vectors: list[np.ndarray] = []
    for cluster, count in enumerate(per_cluster):
        for _ in range(count):
            vector = np.eye(len(per_cluster))[cluster] + random.normal(0, 0.01, len(per_cluster))
            vectors.append(vector / np.linalg.norm(vector))
            row = len(doubts) + 1
            doubts.append(Doubt(row, (f"{cluster}",), row, "a", 0.5, 0.1 * cluster / len(per_cluster)))
    return doubts, np.array(vectors)


def test_of_planted_clusters_each_is_asked_about_once() -> None:
    doubts, vectors = planted([80, 10, 10, 10, 10])
    for seed in range(5):
        chosen = choose(doubts, vectors, 5, seed=seed)
        assert sorted(doubt.texts[0] for doubt in chosen) == ["0", "1", "2", "3", "4"]
        assert [doubt.margin for doubt in chosen] == sorted(doubt.margin for doubt in chosen)
        assert chosen == choose(doubts, vectors, 5, seed=seed)


def test_texts_with_the_same_vector_still_fill_the_list_and_a_short_file_is_listed_whole() -> None:
    doubts, _ = planted([30])
    assert choose(doubts, np.ones((30, 1)), 7, seed=0) == doubts[:7]
    assert choose(doubts, np.ones((30, 1)), 40, seed=0) == doubts


@pytest.mark.parametrize(
    ("header", "rows", "error", "message"),
    [
        (["title"], [("bank",)], DataError, 'has no column "text"'),
        (["text"], [], DataError, "holds no rows"),
        (None, [], DataError, "no such file"),
    ],
)
def test_what_cannot_be_read_is_refused_before_the_start(
    header: list[str] | None,
    rows: list[Any],
    error: type[HomegroundError],
    message: str,
    write_csv: Callable[..., Path],
    classifier: Path,
    tmp_path: Path,
) -> None:
    data = write_csv("texts.csv", ["text", "label"], KNOWN)
    more = tmp_path / "missing.csv" if header is None else write_csv("more.csv", header, rows)
    with pytest.raises(error, match=message):
        homeground.adapt(data, checkpoint=str(classifier), out=str(tmp_path / "run"), unlabelled=str(more), **FAST)
    assert not (tmp_path / "run").exists()


def test_pairs_have_no_texts_to_label(write_csv: Callable[..., Path], encoder: Path, tmp_path: Path) -> None:
    data = write_csv("pairs.csv", PAIR_HEADER, topic_pairs(500))
    with pytest.raises(UsageError, match="--unlabelled lists the texts of whose label"):
        homeground.adapt(data, checkpoint=str(encoder), out=str(tmp_path / "run"), unlabelled=str(data), **FAST)
