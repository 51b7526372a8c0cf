"""Baselines for labelled texts: the frequencies of the labels, and TF-IDF with logistic regression."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.multiclass import OneVsRestClassifier

from homeground.data.segmentation import unspaced_share

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
"""Values of C, the inverse strength of the L2 penalty, that cross-validation compares."""

FOLDS_FOR_C = 3
WORD = r"(?u)\b\w+\b"
MOST_TEXTS_TRIED = 10_000
"""Texts that C is selected on; the final regression is fitted to all of them."""

TEXTS_LOOKED_AT = 1000
UNSPACED_SHARE = 0.3
"""Share of letters of a script without spaces between words from which texts are cut into characters."""


def label_frequencies(truth: Ints, count: int) -> Floats:
    """Return the share of every label in training, for each of ``count`` texts; the majority class wins everywhere."""
    return np.tile(truth.mean(0), (count, 1))


def tf_idf(train: Sequence[str], truth: Ints, test: Sequence[str], *, several: bool) -> Floats:
    """Return the probabilities ``(test texts, classes)`` of a logistic regression on TF-IDF features.

    ``truth`` is 0 and 1, shape ``(train texts, classes)``. The features are words and pairs of words, or 1 to 3
    characters of a script without spaces. One classifier a class is fitted against the rest with an L2 penalty; C is
    selected by cross-validation on the training texts, by accuracy, or by macro F1 where a text may have several
    labels. A class without training texts has the probability 0.
    """
    vectorizer = _vectorizer(train)
    vectors, labels = vectorizer.fit_transform(train), truth if several else truth.argmax(axis=1)
    model = OneVsRestClassifier(LogisticRegression(solver="liblinear", max_iter=200))
    folds = KFold(FOLDS_FOR_C, shuffle=True, random_state=0)
    scoring = "f1_macro" if several else "accuracy"
    search = GridSearchCV(model, {"estimator__C": STRENGTHS}, scoring=scoring, cv=folds, refit=False)
    tried = np.random.default_rng(0).permutation(len(train))[:MOST_TEXTS_TRIED]
    with warnings.catch_warnings():
        # A fold may lack a class, and few iterations are enough for a baseline.
        warnings.simplefilter("ignore")
        search.fit(vectors[tried], labels[tried])
        model.set_params(**search.best_params_).fit(vectors, labels)
    probabilities = np.zeros((len(test), truth.shape[1]))
    # With a single class scikit-learn returns a second column, for the absent other class.
    probabilities[:, model.classes_] = model.predict_proba(vectorizer.transform(test))[:, : len(model.classes_)]
    return probabilities


def unspaced(texts: Sequence[str]) -> bool:
    """Tell whether texts are mostly of a script that writes no spaces between words.

    >>> unspaced(["味道不错"]), unspaced(["not bad"])
    (True, False)
    """
    return unspaced_share(texts[:TEXTS_LOOKED_AT]) > UNSPACED_SHARE


def _vectorizer(texts: Sequence[str]) -> TfidfVectorizer:
    if unspaced(texts):
        return TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    # Words of one letter count too: "I" and "a" distinguish texts, and a text may consist of them alone.
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORD)
