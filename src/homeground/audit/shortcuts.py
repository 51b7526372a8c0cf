"""Shortcuts: what predicts a label though it should not suffice, such as another column, the length or single words.

Every probe is cross-validated with the folds of the cheap model, and compared with the most frequent label. A probe
that avoids at least ``MIN_SHARE`` of that label's errors is a shortcut: a model may learn it instead of the content
(Geirhos et al. 2020, Shortcut Learning in Deep Neural Networks). That it is one is for the user to judge.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeClassifier

from homeground.audit.audited import AuditedExamples
from homeground.audit.dates import parse_times
from homeground.audit.labels import LabelledSample, naive_bayes
from homeground.data.splitting import cross_fit_folds
from homeground.data.units import numbered
from homeground.results.audit import ProbeRecord
from homeground.tasks.classification.bag_of_words import WORD, unspaced, word_vectors

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MIN_SHARE = 0.5
"""Share of the errors of the most frequent label that a shortcut avoids at least."""

MIN_CORRELATION = 0.5
"""Correlation with the scores that one text of a pair alone, or lengths alone, reach where they are a shortcut."""

PROBE_FOLDS = 5
SMALLEST_LEAF = 20
"""Training examples that a question of a tree must leave on either side."""

MAX_DEPTH = 6
WORDS_LOOKED_AT = 2000
MAX_EVIDENCE = 5
MIN_OF_KIND = 0.8
"""Share of the values of a column that are URLs, numbers or dates, from which it is read as such."""

MAX_DISTINCT = 0.5
"""Share of its rows that the different values of a column may come to, so that it can be learned by heart."""

MAX_WORDS_OF_ID = 3
"""Mean words of the values of a column up to which they are ids or paths; more are a text of its own."""

MAX_CHARACTERS_OF_FORM = 5_000
"""Characters of a text by which its punctuation is counted."""

MAX_SCORED_PAIRS = 20_000
FIRST_CHARACTERS_UNSPACED = 2

_URL = re.compile(r"(?i)(?:[a-z][a-z0-9+.-]*:)?//[^\s/]+\S*|(?:www\.)[^\s/]+\S*")
_PARTS = re.compile(r"[\W_]+|(?<=\d)(?=\D)|(?<=\D)(?=\d)")
_MARKS = "!?.,:;'\"()-…%#@&/*！？。，：；“”（）、"


def label_probes(audited: AuditedExamples, sample: LabelledSample) -> tuple[ProbeRecord, ...]:
    """Return what predicts the labels alone: the form of a text, its first or single words, one text of a pair."""
    texts = sample.texts
    probes = [
        _probe("length", sample, _tree(sample, _sizes(texts))),
        _probe("punctuation", sample, _tree(sample, _marks(texts))),
        _probe("first words", sample, _first_words(sample)),
        _single_words(sample),
    ]
    parts = max(len(audited.examples[place].texts) for place in sample.places.tolist())
    for number in range(parts if parts > 1 else 0):
        own = [audited.examples[place].texts[number] for place in sample.places.tolist()]
        name = f"text_{number + 1} alone"
        probes.append(_probe(name, sample, _bayes(sample, word_vectors(own, len(sample.labels)))))
    return tuple(probe for probe in probes if probe is not None)


def column_probes(sample: LabelledSample, columns: Mapping[str, Sequence[object]]) -> tuple[ProbeRecord, ...]:
    """Return how well columns predict the labels, given their values for the examples of the sample."""
    probes = (_column(name, values, sample) for name, values in columns.items())
    return tuple(probe for probe in probes if probe is not None)


def _probe(
    name: str,
    sample: LabelledSample,
    probabilities: Floats | None,
    evidence: Sequence[str] = (),
    *,
    column: bool = False,
) -> ProbeRecord | None:
    if probabilities is None:
        return None
    accuracy, chance = sample.accuracy(probabilities), sample.majority
    share = sample.skill(accuracy)
    return ProbeRecord(
        name=name,
        score=round(accuracy, 4),
        chance=round(chance, 4),
        share=round(share, 4),
        column=column,
        shortcut=share >= MIN_SHARE,
        evidence=tuple(evidence),
    )


def _tree(sample: LabelledSample, features: Any, **options: Any) -> Floats:
    """Return the cross-validated probabilities of a small decision tree on some features ``(examples, features)``."""
    options = {"max_depth": MAX_DEPTH, **options}
    probabilities = np.zeros(sample.truth.shape)
    classes = sample.classes
    for fold in range(int(sample.folds.max()) + 1):
        inside, rest = np.flatnonzero(sample.folds == fold), np.flatnonzero(sample.folds != fold)
        leaf = min(SMALLEST_LEAF, max(len(rest) // SMALLEST_LEAF, 1))
        tree = DecisionTreeClassifier(min_samples_leaf=leaf, random_state=0, **options)
        tree.fit(features[rest], classes[rest])
        probabilities[np.ix_(inside, tree.classes_)] = tree.predict_proba(features[inside])
    return probabilities


def _sizes(texts: Sequence[str]) -> Floats:
    return np.array([[len(text), len(text.split()), text.count("\n")] for text in texts], np.float64)


def _marks(texts: Sequence[str]) -> Floats:
    """Return how often marks, digits and capitals occur in every 100 characters, and whether the last one is a mark."""
    rows: list[list[float]] = []
    for text in (each[:MAX_CHARACTERS_OF_FORM] for each in texts):
        counts, scale = Counter(text), 100 / max(len(text), 1)
        row = [counts[mark] * scale for mark in _MARKS]
        row += [sum(map(kind, text)) * scale for kind in (str.isdigit, str.isupper)]
        rows.append([*row, *(float(text.rstrip().endswith(mark)) for mark in _MARKS)])
    return np.array(rows)


def _first_words(sample: LabelledSample) -> Floats | None:
    """Return the cross-validated probabilities of the first word and the first two, or of the first characters."""
    if unspaced(sample.texts):
        firsts = [[text[:1], text[:FIRST_CHARACTERS_UNSPACED]] for text in sample.texts]
    else:
        words = [text.casefold().split(maxsplit=2)[:2] for text in sample.texts]
        firsts = [[" ".join(each[:1]), " ".join(each)] for each in words]
    return _bayes(sample, _counted(firsts))


def _bayes(sample: LabelledSample, features: Any) -> Floats | None:
    """Return the cross-validated probabilities of naive Bayes on some features; None where there are none."""
    return None if features is None else naive_bayes(features, sample.classes, sample.folds, len(sample.labels))


def _single_words(sample: LabelledSample) -> ProbeRecord | None:
    """Return how well one word a class predicts the labels: a tree that asks for as many words as there are classes."""
    kind: dict[str, Any] = {"token_pattern": WORD}
    if unspaced(sample.texts):
        kind = {"analyzer": "char", "ngram_range": (2, 2)}
    fewest = SMALLEST_LEAF if len(sample.texts) >= SMALLEST_LEAF**2 else 2
    counting = CountVectorizer(binary=True, min_df=fewest, max_features=WORDS_LOOKED_AT, **kind)
    try:
        features: Any = counting.fit_transform(sample.texts)
    except ValueError:  # no word is that frequent
        return None
    probabilities = _tree(sample, features.tocsr(), max_leaf_nodes=len(sample.labels), max_depth=None)
    names: list[str] = counting.get_feature_names_out().tolist()
    return _probe("single words", sample, probabilities, _telling(features, names, sample))


def _telling(features: Any, names: Sequence[str], sample: LabelledSample) -> list[str]:
    """Return the words that nearly always go with one label, each with its numbers, those of the most texts first."""
    together = np.asarray(features.T @ sample.truth)
    total, best = together.sum(1), together.max(1)
    base = sample.truth.sum(0)[together.argmax(1)] / len(sample.texts)
    # As many texts of one label by chance are rarer than one in a million: a normal bound is enough for a list.
    telling = (best >= 0.95 * total) & (best - total * base > 5 * np.sqrt(total * base * (1 - base) + 1))
    order = [place for place in np.argsort(-best).tolist() if telling[place]][:MAX_EVIDENCE]
    labels = together.argmax(1)
    return [
        f'"{names[place]}": {best[place]:,} of {total[place]:,} texts with it are {sample.labels[labels[place]]}'
        for place in order
    ]


def _column(name: str, values: Sequence[object], sample: LabelledSample) -> ProbeRecord | None:
    """Return how well one column predicts the labels, by its values, or by what is in them; None for free text."""
    texts = ["" if value is None else str(value).strip() for value in values]
    filled = [text for text in texts if text]
    if not filled or len(set(texts)) < 2:
        return None
    if sum(bool(_URL.fullmatch(text)) for text in filled) >= MIN_OF_KIND * len(filled):
        return _values(f"host in {name}", [host(text) for text in texts], sample)
    if len(set(texts)) <= MAX_DISTINCT * len(texts):
        return _values(name, texts, sample)
    numbers = np.array([np.nan if (number := _number(text)) is None else number for text in texts])
    for column in (numbers, parse_times(texts)):
        if (~np.isnan(column)).mean() >= MIN_OF_KIND:
            return _probe(name, sample, _tree(sample, column[:, None]), column=True)
    if float(np.mean([len(text.split()) for text in filled])) > MAX_WORDS_OF_ID:
        return None
    # Such as pos-17 or reviews/pos/17_7.txt: the parts of an id or a path recur though it does not.
    parts = [[part for part in _PARTS.split(text.casefold()) if part and not part.isdecimal()] for text in texts]
    return _probe(name, sample, _bayes(sample, _counted(parts)), column=True)


def _counted(parts: Sequence[Sequence[str]]) -> Any:
    """Return which parts each text has, ``(texts, parts)``; None where none occurs twice."""
    analyzer: Any = list[str]  # the texts are in parts already
    counting = CountVectorizer(analyzer=analyzer, binary=True, min_df=2)
    try:
        features: Any = counting.fit_transform(parts)
    except ValueError:
        return None
    return features.tocsr()


def host(url: str) -> str:
    """Return the host of a URL without www.

    >>> host("https://www.example.org/a?b"), host("www.example.org/a")
    ('example.org', 'example.org')
    """
    try:
        name = urlsplit(url if "//" in url else f"//{url}").hostname or ""
    except ValueError:
        return ""
    return name.removeprefix("www.")


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _values(name: str, values: Sequence[str], sample: LabelledSample) -> ProbeRecord | None:
    """Return how well the value of a column tells the label, by the shares of the labels among the other folds."""
    known = {value: number for number, value in enumerate(dict.fromkeys(values))}
    if len(known) < 2:
        return None
    numbers = np.array([known[value] for value in values])
    classes, probabilities = sample.classes, np.zeros(sample.truth.shape)
    for fold in range(int(sample.folds.max()) + 1):
        inside, rest = sample.folds == fold, sample.folds != fold
        counts = np.zeros((len(known), len(sample.labels)))
        np.add.at(counts, (numbers[rest], classes[rest]), 1.0)
        counts += sample.truth[rest].mean(0)  # a value that is new has the shares of all
        probabilities[inside] = counts[numbers[inside]] / counts[numbers[inside]].sum(1, keepdims=True)
    together = np.zeros((len(known), len(sample.labels)), np.int64)
    np.add.at(together, (numbers, classes), 1)
    order = np.argsort(-together.max(1))[:MAX_EVIDENCE]
    names = list(known)
    evidence = [
        f'"{names[place]}": {together[place].max():,} of {together[place].sum():,} are '
        f"{sample.labels[int(together[place].argmax())]}"
        for place in order.tolist()
    ]
    return _probe(name, sample, probabilities, evidence, column=True)


def score_probes(audited: AuditedExamples) -> tuple[ProbeRecord, ...]:
    """Return what predicts the scores of pairs though it should not suffice: lengths, or one of both texts alone."""
    places = [
        place for place in audited.sample(MAX_SCORED_PAIRS, purpose="scores").tolist()
        if audited.examples[place].score is not None and len(audited.examples[place].texts) == 2
    ]  # fmt: skip
    scores = np.array([audited.examples[place].score for place in places], np.float64)
    if len(places) < 10 * PROBE_FOLDS or scores.std() == 0:
        return ()
    pairs = [audited.examples[place].texts for place in places]
    digests = np.array([audited.examples[place].digests for place in places], np.uint64)
    folds = _folds(numbered(audited.examples[place].digest for place in places))
    if folds is None:
        return ()
    lengths = np.array([[len(one), len(two), abs(len(one) - len(two))] for one, two in pairs], np.float64)
    probes = [_correlation("lengths", lengths / (1 + lengths.max(0)), scores, folds)]
    for side in (0, 1):
        texts = [pair[side] for pair in pairs]
        counting = TfidfVectorizer(analyzer="char", ngram_range=(1, 2)) if unspaced(texts) else TfidfVectorizer()
        try:
            features: Any = counting.fit_transform(texts)
        except ValueError:
            continue
        # A text must not be in two folds, or its score is remembered.
        if (own := _folds(numbered(digests[:, side].tolist()))) is not None:
            probes.append(_correlation(f"text_{side + 1} alone", features.tocsr(), scores, own))
    return tuple(probes)


def _folds(units: Ints) -> Ints | None:
    return cross_fit_folds(units, PROBE_FOLDS, seed=0) if len(np.unique(units)) >= PROBE_FOLDS else None


def _correlation(name: str, features: Any, scores: Floats, folds: Ints) -> ProbeRecord:
    predicted = np.zeros(len(scores))
    for fold in range(PROBE_FOLDS):
        inside, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        predicted[inside] = Ridge().fit(features[rest], scores[rest]).predict(features[inside])
    value = float(np.corrcoef(predicted, scores)[0, 1]) if predicted.std() > 0 else 0.0
    return ProbeRecord(
        name=name, score=round(value, 4), chance=0.0, share=round(value, 4), shortcut=value >= MIN_CORRELATION
    )
