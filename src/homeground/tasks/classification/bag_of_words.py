"""Cheap baselines for labelled texts: how frequent the labels are, and TF-IDF with logistic regression."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from homeground.data.segmentation import unspaced_share
from homeground.statistics import classification as formulas

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
"""Values of C, the inverse strength of the L2 penalty, tried by cross-validation."""

FOLDS_FOR_C = 3
WORD = r"(?u)\b\w+\b"
MAX_TEXTS_FOR_C = 10_000
"""Texts that C is chosen on; all of them are learned from afterwards."""

UNSPACED_SHARE = 0.3
"""From this share of letters on, a script without spaces between words decides how a text is cut."""


def label_frequencies(truth: Ints, count: int) -> Floats:
    """Return the share of every label in training, for each of ``count`` texts; the majority class wins everywhere."""
    return np.tile(truth.mean(0), (count, 1))


def tf_idf(train: Sequence[str], truth: Ints, test: Sequence[str], *, several: bool) -> Floats:
    """Return the probabilities ``(texts, classes)`` that TF-IDF with L2 logistic regression gives the test texts.

    Words and pairs of words, or 1 to 3 characters in a script without spaces. One classifier a class against the rest;
    C is chosen by cross-validation on the training texts, by accuracy, or by macro F1 where there are several labels.
    """
    vectorizer = _vectorizer(train)
    vectors, asked = vectorizer.fit_transform(train), vectorizer.transform(test)
    tried = np.random.default_rng(0).permutation(len(train))[:MAX_TEXTS_FOR_C]
    best = max(STRENGTHS, key=lambda strength: _cross_validated(vectors[tried], truth[tried], strength, several))
    return _fitted(vectors, truth, asked, best, several)


def unspaced(texts: Sequence[str]) -> bool:
    """Tell whether texts are mostly of a script that writes no spaces between words.

    >>> unspaced(["味道不错"]), unspaced(["not bad"])
    (True, False)
    """
    return unspaced_share(texts[:1000]) > UNSPACED_SHARE


def _vectorizer(texts: Sequence[str]) -> TfidfVectorizer:
    if unspaced(texts):
        return TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    # One-letter words count too: "I" and "a" tell texts apart, and a text of them alone is a text.
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORD)


def _cross_validated(vectors: object, truth: Ints, strength: float, several: bool) -> float:
    right: list[float] = []
    for train, test in KFold(FOLDS_FOR_C, shuffle=True, random_state=0).split(truth):
        given = _fitted(vectors[train], truth[train], vectors[test], strength, several)  # pyright: ignore[reportIndexIssue]
        if several:
            sums = formulas.statistics(given, truth[test]).sum(axis=0)
            right.append(float(formulas.macro_f1(sums, truth.shape[1])))
        else:
            right.append(float((given.argmax(1) == truth[test].argmax(1)).mean()))
    return float(np.mean(right))


def _fitted(vectors: object, truth: Ints, asked: object, strength: float, several: bool) -> Floats:
    binary = truth.shape[1] == 2 and not several
    columns = [
        _positives(vectors, truth[:, place], asked, strength) for place in range(1 if binary else truth.shape[1])
    ]
    if binary:
        columns.append(1 - columns[0])
    given = np.stack(columns, axis=1)
    return given if several else given / np.maximum(given.sum(1, keepdims=True), 1e-12)


def _positives(vectors: object, truth: Ints, asked: object, strength: float) -> Floats:
    """Return the probability of one label for every text asked about."""
    if truth.min() == truth.max():
        return np.full(asked.shape[0], float(truth[0]))  # pyright: ignore[reportAttributeAccessIssue]
    model = LogisticRegression(C=strength, solver="liblinear", max_iter=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(vectors, truth)
    return np.asarray(model.predict_proba(asked)[:, 1], np.float64)
