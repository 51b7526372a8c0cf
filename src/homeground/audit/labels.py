"""What a cheap model says of the labels: which are unlikely, and whether new groups or later rows are harder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.naive_bayes import MultinomialNB

from homeground.audit.audited import AuditedExamples
from homeground.data.splitting import cross_fit_folds
from homeground.data.units import numbered
from homeground.results.audit import CheapModelRecord, ClassSize, GroupRecord, SuspectRecord
from homeground.tasks.classification.bag_of_words import held_out_probabilities, word_vectors

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_EXAMPLES = 20_000
MAX_WORK = 1_000_000
"""Examples, and examples times classes, from which the cheap model learns: seconds, not minutes."""

AUDIT_FOLDS = 5
FEWEST_EXAMPLES = 50
"""Examples below which nothing that is predicted from the others says anything."""

MAX_SUSPECTS = 100
MAX_CONFIDENCE = 0.2
"""Probability of its own label below which an example is listed."""

MAX_CLASSES_LISTED = 200

SMOOTHING_COUNT = 0.05
"""Added to the count of every word in every class."""

FEWEST_GROUPS = 5
FEWEST_ROWS_OF_GROUP = 2
"""Mean rows of a value from which a column puts rows into groups."""

MAX_GROUP_COLUMNS = 3
LATEST_SHARE = 0.2
MIN_DATES = 0.9
"""Share of the values of a column that are dates from which the rows have an order in time."""

_DATE = re.compile(
    r"\d{4}-\d{1,2}(-\d{1,2})?([T ]\d{1,2}:\d{2}(:\d{2})?.*)?|\d{1,2}[./]\d{1,2}[./]\d{4}|\d{4}/\d{1,2}/\d{1,2}"
)


@dataclass(frozen=True)
class LabelledSample:
    """Examples with one label each, from which a cheap model learns.

    ``places`` are those in the audited examples; ``vectors (examples, features)`` count their words; ``truth (examples,
    classes)`` is 0 and 1; ``units`` numbers equal texts alike; ``folds`` keep them together.
    """

    places: Ints
    texts: list[str]
    vectors: Any
    labels: tuple[str, ...]
    truth: Ints
    units: Ints
    folds: Ints

    @property
    def classes(self) -> Ints:
        """The number of the class of every example."""
        return self.truth.argmax(1)

    @property
    def majority(self) -> float:
        """The share of the most frequent label."""
        return float(self.truth.mean(0).max())

    def accuracy(self, probabilities: Floats) -> float:
        """Return the share of the examples whose likeliest class is theirs."""
        return float((probabilities.argmax(1) == self.classes).mean())


def class_sizes(audited: AuditedExamples) -> tuple[ClassSize, ...]:
    """Return the classes by size, the largest first."""
    counts = Counter(name for example in audited.examples for name in example.labels or ())
    return tuple(ClassSize(label=label, count=count) for label, count in counts.most_common(MAX_CLASSES_LISTED))


def labelled_sample(audited: AuditedExamples) -> LabelledSample | None:
    """Return a sample of the examples with one label each; None where there are too few, or of one class only."""
    labelled = [place for place, each in enumerate(audited.examples) if each.labels is not None]
    if len(labelled) < FEWEST_EXAMPLES or any(len(audited.examples[place].labels or ()) != 1 for place in labelled):
        return None
    names = Counter((audited.examples[place].labels or ("",))[0] for place in labelled)
    count = min(MAX_EXAMPLES, max(MAX_WORK // len(names), 10 * FEWEST_EXAMPLES))
    wanted = set(labelled)
    places = np.array(
        [place for place in audited.sample(count, purpose="labels").tolist() if place in wanted], np.int64
    )
    names = Counter((audited.examples[place].labels or ("",))[0] for place in places.tolist())
    labels = tuple(sorted(names))
    if len(labels) < 2 or len(labels) > len(places) / 2:
        return None
    numbers = {name: number for number, name in enumerate(labels)}
    truth = np.zeros((len(places), len(labels)), np.int64)
    truth[
        np.arange(len(places)), [numbers[(audited.examples[each].labels or ("",))[0]] for each in places.tolist()]
    ] = 1
    units = numbered(audited.examples[place].digest for place in places.tolist())
    if len(np.unique(units)) < FEWEST_EXAMPLES:
        return None
    texts = [audited.texts[place] for place in places.tolist()]
    vectors = word_vectors(texts, len(labels))
    if vectors is None:
        return None
    return LabelledSample(places, texts, vectors, labels, truth, units, cross_fit_folds(units, AUDIT_FOLDS, seed=0))


def naive_bayes(features: Any, classes: Ints, folds: Ints, count: int) -> Floats:
    """Return the probability of every class for every text by a naive Bayes classifier that learned from other folds.

    ``features (texts, features)`` are not negative. It takes a second where the regression takes a minute, so what is
    only compared with itself is measured by it.
    """
    probabilities = np.zeros((len(classes), count))
    for fold in range(int(folds.max()) + 1):
        inside, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        model = MultinomialNB(alpha=SMOOTHING_COUNT).fit(features[rest], classes[rest])
        probabilities[np.ix_(inside, model.classes_)] = model.predict_proba(features[inside])
    return probabilities


def bayes_accuracy(sample: LabelledSample, folds: Ints | None = None) -> float:
    """Return the accuracy of naive Bayes on the words of a sample, with folds of its own if given."""
    folds = sample.folds if folds is None else folds
    return sample.accuracy(naive_bayes(sample.vectors, sample.classes, folds, len(sample.labels)))


def cheap_model(sample: LabelledSample) -> tuple[CheapModelRecord, Floats]:
    """Return how well a linear model on words predicts the labels, and its probabilities for every example."""
    probabilities = held_out_probabilities(sample.vectors, sample.truth, sample.folds)
    correct = 0.0
    # Each half is cross-fitted by itself, so its models learn from half as many examples.
    for side in (0, 1):
        half = np.flatnonzero(cross_fit_folds(sample.units, 2, seed=1) == side)
        folds, classes = cross_fit_folds(sample.units[half], AUDIT_FOLDS, seed=1), sample.classes[half]
        own = naive_bayes(sample.vectors[half], classes, folds, len(sample.labels))
        correct += float((own.argmax(1) == classes).sum())
    record = CheapModelRecord(
        examples=len(sample.texts),
        accuracy=round(sample.accuracy(probabilities), 4),
        majority=round(sample.majority, 4),
        gain_of_twice=round(bayes_accuracy(sample) - correct / len(sample.texts), 4),
    )
    return record, probabilities


def suspects(audited: AuditedExamples, sample: LabelledSample, probabilities: Floats) -> tuple[SuspectRecord, ...]:
    """Return the examples whose own label is least likely by the cheap model, the least likely first.

    The order is that of self-confidence, the cross-validated probability of the label that the example has (Northcutt,
    Jiang & Chuang 2021, Confident Learning); the list is one to look at, and no count of errors.
    """
    own = probabilities[np.arange(len(sample.texts)), sample.classes]
    order = np.argsort(own, kind="stable")
    # Copies of a text have one entry.
    order = order[np.sort(np.unique(sample.units[order], return_index=True)[1])][:MAX_SUSPECTS]
    return tuple(
        SuspectRecord(
            row=audited.examples[place].row,
            split=audited.splits[place],
            text=audited.shown(place),
            label=sample.labels[int(sample.classes[number])],
            suggested=sample.labels[int(probabilities[number].argmax())],
            confidence=round(float(own[number]), 4),
        )
        for number in order.tolist()
        if own[number] < MAX_CONFIDENCE
        for place in [int(sample.places[number])]
    )


def new_groups(sample: LabelledSample, groups: Sequence[object], *, column: str, random: float) -> GroupRecord | None:
    """Return how the cheap model fares on texts of groups that it has not seen; None where there are too few groups."""
    units = numbered(repr(value) for value in groups)
    count = len(np.unique(units))
    if count < FEWEST_GROUPS:
        return None
    accuracy = bayes_accuracy(sample, cross_fit_folds(units, AUDIT_FOLDS, seed=0))
    return GroupRecord(column=column, kind="group", groups=count, accuracy=round(accuracy, 4), random=round(random, 4))


def later_rows(sample: LabelledSample, values: Sequence[object], *, column: str, random: float) -> GroupRecord | None:
    """Return how a model that learned from earlier rows fares on the latest fifth; None where a column holds no dates.

    It learned from as many rows as the one it is compared with.
    """
    times = [parse_date(value) for value in values]
    dated = np.array([each is not None for each in times])
    distinct = {each for each in times if each is not None}
    if dated.mean() < MIN_DATES or len(distinct) < FEWEST_GROUPS:
        return None
    places = np.flatnonzero(dated)
    order = places[np.argsort(np.array([times[place] for place in places.tolist()], dtype=np.float64), kind="stable")]
    latest = order[round(len(order) * (1 - LATEST_SHARE)) :]
    folds = np.full(len(times), 1, np.int64)
    folds[latest] = 0
    probabilities = naive_bayes(sample.vectors, sample.classes, folds, len(sample.labels))
    accuracy = float((probabilities[latest].argmax(1) == sample.classes[latest]).mean())
    return GroupRecord(
        column=column, kind="time", groups=len(distinct), accuracy=round(accuracy, 4), random=round(random, 4)
    )


def parse_date(value: object) -> float | None:
    """Return the day of a date, with its time of day as a fraction; None for what is none.

    >>> parse_date("2024-03-01") == parse_date("1.3.2024"), parse_date("12")
    (True, None)
    """
    text = str(value).strip()
    if not _DATE.fullmatch(text):
        return None
    if text[2:3] in "./" or text[1:2] in "./":
        day, month, year = (int(part) for part in re.split(r"[./]", text))
        parts: Iterable[int] = (year, month, day)
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            parts = (*(int(part) for part in re.split(r"[-/]", text[:10].strip())), 1)[:3]
        else:
            return moment.toordinal() + (moment.hour * 60 + moment.minute) / 1440
    try:
        return float(date(*parts).toordinal())
    except (TypeError, ValueError):
        return None


def group_columns(columns: Mapping[str, Sequence[object]], *, taken: Iterable[str]) -> list[str]:
    """Return the columns whose values recur as groups do, those with the most values first."""
    counts = {name: len({repr(value) for value in values}) for name, values in columns.items()}
    rows = len(next(iter(columns.values()), ()))
    usual = [
        name
        for name, count in counts.items()
        if name not in set(taken) and FEWEST_GROUPS <= count <= rows / FEWEST_ROWS_OF_GROUP
    ]
    return sorted(usual, key=lambda name: -counts[name])[:MAX_GROUP_COLUMNS]
