"""Which texts to label next: those of whose label the model is least sure, and not the same one two hundred times.

    read     the file, a piece at a time; what was learned from, tested on or found already is passed over
    doubt    the margin between the two likeliest labels (Settles 2009, Active learning literature survey, 3.1)
    pool     the texts of least margin, ``POOL_FACTOR`` times as many as are wanted
    choice   as many clusters of their embeddings as texts are wanted, weighted by doubt, and of each cluster the text
             nearest to its centre (Zhdanov 2019, Diverse mini-batch active learning)

Texts chosen so are harder than the usual ones: they are to learn from, and never to test on.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from homeground.checkpoint import open_checkpoint
from homeground.data.examples import digest
from homeground.data.formats import csv_field
from homeground.data.leakage import text_hashes
from homeground.data.streams import NumberedTexts, text_chunks
from homeground.experiment.setup import Setup
from homeground.inference.classifier import Classifier, Text, joined
from homeground.randomness import key
from homeground.results.run import Run
from homeground.statistics.classification import DECISION_THRESHOLD
from homeground.storage import write_text
from homeground.training.events import Notice, OnEvent
from homeground.wording import count

FILE = "next_to_label.csv"
POOL_FACTOR = 10
"""How many texts are held for one that is chosen."""


@dataclass(frozen=True)
class Doubt:
    """A text of the file and how sure a model is of its label; where it may have several, of the least sure one."""

    row: int
    texts: tuple[str, ...]
    digest: int
    label: str | list[str]
    probability: float
    margin: float


def label_next(run: Run, setup: Setup, on_event: OnEvent) -> None:
    """Write next_to_label.csv into a finished run; nothing where no file of texts was given."""
    path, wanted = setup.recipe.annotation.unlabelled, setup.recipe.annotation.label_next
    if path is None:
        return
    on_event(Notice(f"looking in {path} for texts worth labelling"))
    model = Classifier(open_checkpoint(str(run.model_folder)), engine=setup.recipe.engine)
    known = set(np.union1d(setup.training_hashes.hashes, text_hashes(setup.corpus.test.examples)).tolist())
    chunks = text_chunks(path, setup.recipe, setup.task.info.columns)
    pool = most_doubtful(model, chunks, known=known, count=POOL_FACTOR * wanted)
    chosen = choose(pool, _vectors(model, pool), wanted, seed=setup.recipe.seed)
    write_text(run.folder / FILE, _csv(chosen))
    on_event(Notice(f"{count(len(chosen), 'text')} worth labelling: listed in {run.folder / FILE}"))


def most_doubtful(
    model: Classifier, chunks: Iterable[Sequence[NumberedTexts]], *, known: set[int], count: int
) -> list[Doubt]:
    """Return the ``count`` texts of least margin, the most doubtful first; ``known`` texts are passed over.

    ``known`` holds digests. Of texts that count as the same one is kept. No more than ``count`` texts and one chunk are
    held at once.
    """
    pool: list[Doubt] = []
    for chunk in chunks:
        held = {doubt.digest for doubt in pool}
        fresh: dict[int, NumberedTexts] = {}
        for row, texts in chunk:
            own = digest(texts)
            if own not in known and own not in held:
                fresh.setdefault(own, (row, texts))
        if fresh:
            pool = sorted([*pool, *_doubts(model, fresh)], key=lambda doubt: (doubt.margin, doubt.row))[:count]
    return pool


def choose(pool: Sequence[Doubt], vectors: NDArray[np.float64], count: int, *, seed: int) -> list[Doubt]:
    """Return ``count`` texts of the pool that are doubtful and differ from each other, the most doubtful first.

    ``vectors (texts, dimensions)`` are of length 1. Where there are fewer clusters than texts are wanted, because
    vectors are the same, the most doubtful of the rest fill up.
    """
    if len(pool) <= count:
        return list(pool)
    # A text without any doubt still has a place somewhere, so its weight is not quite 0.
    weights = np.maximum([1 - each.margin for each in pool], 1e-6)
    clusters = KMeans(count, max_iter=50, random_state=key(seed, "label next") % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        cluster_of = clusters.fit_predict(vectors, sample_weight=weights)
    distances = np.linalg.norm(vectors - np.asarray(clusters.cluster_centers_)[cluster_of], axis=1)
    nearest: dict[int, int] = {}
    for place in np.argsort(distances, kind="stable").tolist():
        nearest.setdefault(int(cluster_of[place]), place)
    chosen = set(nearest.values())
    # The pool is in order of doubt already.
    chosen |= set([place for place in range(len(pool)) if place not in chosen][: count - len(chosen)])
    return [pool[place] for place in sorted(chosen)]


def _doubts(model: Classifier, fresh: dict[int, NumberedTexts]) -> list[Doubt]:
    probabilities = model.predict_proba([_asked(texts) for _, texts in fresh.values()])
    return [
        Doubt(row, texts, own, *_doubt(model, given))
        for (own, (row, texts)), given in zip(fresh.items(), probabilities, strict=True)
    ]


def _doubt(model: Classifier, given: NDArray[np.float64]) -> tuple[str | list[str], float, float]:
    """Return the label predicted, its probability, and the margin, from 0 for a toss-up to 1."""
    if model.several:
        names = [model.classes_[place] for place in np.flatnonzero(given >= DECISION_THRESHOLD)]
        unsure = float(given[np.abs(given - DECISION_THRESHOLD).argmin()])
        return joined(names, model.classes_), unsure, abs(2 * unsure - 1)
    second, first = np.sort(given)[-2:]
    return model.classes_[int(given.argmax())], float(first), float(first - second)


def _asked(texts: tuple[str, ...]) -> Text:
    return texts[0] if len(texts) == 1 else (texts[0], texts[1])


def _vectors(model: Classifier, pool: Sequence[Doubt]) -> NDArray[np.float64]:
    vectors = model.embed([_asked(doubt.texts) for doubt in pool]).astype(np.float64)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _csv(chosen: Sequence[Doubt]) -> str:
    names = ["text"] if not chosen or len(chosen[0].texts) == 1 else ["text_1", "text_2"]
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["row", *names, "predicted_label", "probability", "margin"])
    for doubt in chosen:
        numbers = (round(doubt.probability, 6), round(doubt.margin, 6))
        writer.writerow([csv_field(value) for value in (doubt.row, *doubt.texts, doubt.label, *numbers)])
    return file.getvalue()
