"""The TF-IDF baseline against one regression a class, fitted and chosen by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from tests.classifying import topic_texts

from homeground.statistics import classification as formulas
from homeground.tasks.classification.bag_of_words import STRENGTHS, WORD, tf_idf

ROWS = topic_texts(240, noise=3)
TEXTS = [text for text, _ in ROWS]
NAMES = sorted({label for _, label in ROWS})
RANDOM = np.random.default_rng(0)
NOISE = RANDOM.integers(0, len(NAMES), len(ROWS))
TOPIC = np.where(RANDOM.random(len(ROWS)) < 0.3, NOISE, [NAMES.index(label) for _, label in ROWS])
TEST = [text for text, _ in topic_texts(50, seed=9)]


def by_hand(truth: np.ndarray, *, several: bool) -> np.ndarray:
    """Return the probabilities of one classifier a class, with the C that is best over three folds."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORD)
    vectors, test = vectorizer.fit_transform(TEXTS), vectorizer.transform(TEST)

    def fitted(rows: np.ndarray, features: object, strength: float) -> np.ndarray:
        columns = []
        for column in truth[rows].T:
            model = LogisticRegression(C=strength, solver="liblinear", max_iter=200)
            constant = np.full(features.shape[0], float(column[0]))  # type: ignore[attr-defined]
            varied = column.min() < column.max()
            columns.append(model.fit(vectors[rows], column).predict_proba(features)[:, 1] if varied else constant)
        matrix = np.stack(columns, axis=1)
        return matrix if several else matrix / matrix.sum(axis=1, keepdims=True)

    def score(strength: float) -> float:
        order = np.random.default_rng(0).permutation(len(TEXTS))
        scores = []
        for train, held_out in KFold(3, shuffle=True, random_state=0).split(order):
            predicted, labels = fitted(order[train], vectors[order[held_out]], strength), truth[order[held_out]]
            sums = formulas.statistics(predicted, labels if several else labels.argmax(axis=1)).sum(axis=0)
            scores.append(float(formulas.macro_f1(sums, truth.shape[1]) if several else formulas.accuracy(sums)))
        return float(np.mean(scores))

    return fitted(np.arange(len(TEXTS)), test, max(STRENGTHS, key=score))


@pytest.mark.parametrize("classes", [2, 4, 6])
def test_one_label_a_text_has_the_probabilities_of_one_classifier_a_class(classes: int) -> None:
    truth = np.eye(classes, dtype=np.int64)[TOPIC % 2 if classes == 2 else TOPIC]
    probabilities = tf_idf(TEXTS, truth, TEST, several=False)
    assert probabilities == pytest.approx(by_hand(truth, several=False), abs=1e-6)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(len(TEST)))
    if classes == 6:
        assert (probabilities[:, 4:] == 0).all()


def test_several_labels_a_text_have_the_probabilities_of_one_classifier_a_label() -> None:
    columns = [TOPIC == 0, (TOPIC == 1) | (RANDOM.random(len(TEXTS)) < 0.1), np.zeros(len(TEXTS)), np.ones(len(TEXTS))]
    truth = np.stack(columns, axis=1).astype(np.int64)
    assert tf_idf(TEXTS, truth, TEST, several=True) == pytest.approx(by_hand(truth, several=True), abs=1e-6)


def test_a_single_class_is_certain() -> None:
    truth = np.eye(3, dtype=np.int64)[np.ones(len(TEXTS), int)]
    assert tf_idf(TEXTS, truth, TEST[:2], several=False).tolist() == [[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]
